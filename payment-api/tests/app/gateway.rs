//! Two channels as simple as they can be, with books of their own: one sends the user to an address to sign, the other
//! wants a form posted. What they answer next is for the test to say.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{
    Bills, Cadence, CallError, Called, Channel, ChannelFactory, CodePay, ConfigError, ContractKey, ContractRef,
    ContractStanding, DeductQuestion, EndedBy, Hint, Identity, News, NoticeAnswer, NoticeRefused, Outcome, Paid,
    PaymentRef, Product, RawNotice, RefundQuestion, RefundStanding, Refunded, Refusal, ReverseQuestion, Reversed,
    Setting, SignPage, SignQuestion, SignedContract, Standing,
};
use metropay_core::code::foreign::Looks;
use metropay_core::id::{ContractNo, PayNo};
use metropay_core::money::Fen;
use serde_json::{Value, json};

/// The header in which a genuine notification carries this word.
pub(crate) const SIGNATURE: (&str, &str) = ("Fake-Signature", "genuine");
/// What a notification is answered.
pub(crate) const TAKEN: &str = "<xml><return_code>SUCCESS</return_code></xml>";
pub(crate) const REFUSED: &str = "<xml><return_code>FAIL</return_code></xml>";

/// What a deduction comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Deducts {
    /// Paid at once.
    #[default]
    Pays,
    /// Refused for lack of funds.
    Refuses,
    /// Accepted; nobody knows yet.
    Waits,
}

/// The books of both channels.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) deducts: Deducts,
    /// Nobody answers.
    pub(crate) is_down: bool,
    pub(crate) contracts: HashMap<ContractNo, ContractStanding>,
    pub(crate) signings: Vec<SignQuestion>,
    pub(crate) payments: HashMap<PayNo, Standing>,
    pub(crate) contract_queries: usize,
    pub(crate) closed_contracts: usize,
    /// Where notifications go, for each account.
    pub(crate) notify_urls: HashMap<String, String>,
}

/// The gateway of both channels.
#[derive(Clone, Default)]
pub(crate) struct Gateway(Arc<Mutex<Books>>);

impl Gateway {
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    /// The way back of the newest signing, without host.
    pub(crate) fn way_back(&self) -> String {
        let url = self.books().signings.last().unwrap().return_url.clone();
        url.strip_prefix(super::platform::PUBLIC_URL).unwrap().to_owned()
    }

    pub(crate) fn newest_contract(&self) -> ContractNo {
        self.books().signings.last().unwrap().contract.no.clone()
    }

    /// The user signs; answers the notification that tells of it.
    pub(crate) fn sign(&self, no: &ContractNo) -> Value {
        let standing = ContractStanding::Active(signed(no));
        self.books().contracts.insert(no.clone(), standing);
        json!({ "contract": no, "standing": "active" })
    }

    /// The money is taken; answers the notification that tells of it.
    pub(crate) fn take(&self, no: &PayNo, amount: u64) -> Value {
        self.books()
            .payments
            .insert(no.clone(), Standing::Paid(paid(no, amount)));
        json!({ "payment": no, "amount": amount })
    }
}

fn signed(no: &ContractNo) -> SignedContract {
    SignedContract {
        handle: format!("handle-{no}"),
        payer: None,
        display: None,
        signed_at: None,
        expires_at: None,
    }
}

fn paid(no: &PayNo, amount: u64) -> Paid {
    Paid {
        channel_no: format!("42{no}"),
        amount: Fen::new(amount).unwrap(),
        coupon: Fen::ZERO,
        paid_at: metropay_core::clock::Clock::now(&metropay_core::clock::SystemClock),
    }
}

fn no_funds() -> Refusal {
    Refusal {
        code: "NOTENOUGH".to_owned(),
        text: "the channel's own words".to_owned(),
        hint: Hint::Funds,
    }
}

/// A merchant's account with one of the channels.
struct Account {
    gateway: Gateway,
    setting: Setting,
    wants_form: bool,
}

/// The channel that sends the user to an address.
pub(crate) struct Redirecting(pub(crate) Gateway);
/// The channel that wants a form posted.
pub(crate) struct Posting(pub(crate) Gateway);

fn account(gateway: &Gateway, setting: Setting, wants_form: bool) -> Arc<dyn Channel> {
    let url = setting.notify_url.clone();
    gateway.books().notify_urls.insert(setting.account.0.clone(), url);
    Arc::new(Account {
        gateway: gateway.clone(),
        setting,
        wants_form,
    })
}

impl ChannelFactory for Redirecting {
    type Config = BTreeMap<String, String>;
    const ID: &'static str = "redirecting";
    const NAME: &'static str = "跳转支付";
    const PAY_TYPE: &'static str = "CT_REDIRECTING";
    const PAYMENT_CODE: Option<Looks> = None;

    fn build(&self, _: Self::Config, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        Ok(account(&self.0, setting, false))
    }
}

impl ChannelFactory for Posting {
    type Config = BTreeMap<String, String>;
    const ID: &'static str = "posting";
    const NAME: &'static str = "表单支付";
    const PAY_TYPE: &'static str = "CT_POSTING";
    const PAYMENT_CODE: Option<Looks> = None;

    fn build(&self, _: Self::Config, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        Ok(account(&self.0, setting, true))
    }
}

impl Account {
    fn up(&self) -> Result<MutexGuard<'_, Books>, CallError> {
        let books = self.gateway.books();
        if books.is_down {
            Err(CallError::NotSent("nobody answers".to_owned()))
        } else {
            Ok(books)
        }
    }
}

#[async_trait]
impl Channel for Account {
    /// The first channel's contracts carry mandates of several merchants.
    fn contract_scope(&self) -> String {
        if self.wants_form {
            self.setting.account.0.clone()
        } else {
            "one plan for all".to_owned()
        }
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        None
    }

    fn bills(&self) -> Option<&dyn Bills> {
        None
    }

    fn identity(&self) -> Option<&dyn Identity> {
        None
    }

    fn cadence(&self, _: Product) -> Cadence {
        let minute = Duration::from_secs(60);
        Cadence {
            payment: vec![Duration::from_millis(50); 3],
            refund: vec![minute],
            absence_proves_after: minute,
            revoke_after: minute,
        }
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        self.up()?.signings.push(question.clone());
        let no = question.contract.no.0.clone();
        if !self.wants_form {
            let sdk = BTreeMap::from([("pre_entrustweb_id".to_owned(), no.clone())]);
            let url = format!("https://gateway.example/sign?no={no}");
            return Ok(Outcome::Done(SignPage::Redirect { url, sdk }));
        }
        let fields = [
            ("orderId", no.as_str()),
            ("remark", "\"><script>alert('中')</script>"),
            ("submit", "1"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Outcome::Done(SignPage::Form {
            action: "https://gateway.example/front?a=1&b=2".to_owned(),
            fields: fields.to_vec(),
        }))
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        let mut books = self.up()?;
        books.contract_queries += 1;
        let known = books.contracts.get(&contract.no);
        Ok(known.cloned().unwrap_or(ContractStanding::Pending))
    }

    async fn close_contract(&self, contract: &ContractRef) -> Called<()> {
        let mut books = self.up()?;
        books.closed_contracts += 1;
        let ended = ContractStanding::Ended {
            by: EndedBy::Platform,
            at: None,
        };
        books.contracts.insert(contract.no.clone(), ended);
        Ok(Outcome::Done(()))
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        let mut books = self.up()?;
        assert!(
            question.contract_handle.starts_with("handle-"),
            "deductions name the contract"
        );
        let paid = paid(&question.no, question.amount.get());
        let (standing, answer) = match books.deducts {
            Deducts::Pays => (Standing::Paid(paid.clone()), Outcome::Done(paid)),
            Deducts::Refuses => (Standing::NotPaid(no_funds()), Outcome::Refused(no_funds())),
            Deducts::Waits => (Standing::Pending, Outcome::Pending),
        };
        books.payments.insert(question.no.clone(), standing);
        Ok(answer)
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        let books = self.up()?;
        Ok(books.payments.get(&payment.no).cloned().unwrap_or(Standing::Absent))
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let paid = paid(&question.payment.no, question.payment.amount.get());
        Ok(Outcome::Done(Reversed::MoneyBack {
            paid: Some(paid),
            channel_no: None,
        }))
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        Ok(Outcome::Done(Refunded {
            channel_no: None,
            amount: question.amount,
            coupon: Fen::ZERO,
            refunded_at: question.at,
        }))
    }

    async fn query_refund(&self, _: &RefundQuestion) -> Result<RefundStanding, CallError> {
        Ok(RefundStanding::Pending)
    }

    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        let (name, word) = SIGNATURE;
        let name = name.to_lowercase();
        let genuine = notice.headers.iter().any(|(n, value)| *n == name && value == word);
        let body: Option<Value> = serde_json::from_slice(&notice.body).ok();
        let body = body.filter(|_| genuine);
        let body = body.ok_or_else(|| NoticeRefused::NotGenuine("no signature".to_owned()))?;
        if let Some(no) = body["payment"].as_str() {
            let amount = body["amount"].as_u64().unwrap();
            let no = PayNo::from(no);
            let standing = Some(Standing::Paid(paid(&no, amount)));
            return Ok(vec![News::Payment { no, standing }]);
        }
        let no = ContractNo::from(body["contract"].as_str().unwrap());
        let standing = (body["standing"] == "active").then(|| ContractStanding::Active(signed(&no)));
        Ok(vec![News::Contract {
            contract: ContractKey::No(no),
            standing,
        }])
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        NoticeAnswer {
            status: if taken { 200 } else { 401 },
            content_type: "text/xml",
            body: (if taken { TAKEN } else { REFUSED }).to_owned(),
        }
    }
}
