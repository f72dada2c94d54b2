//! A gateway that does what a test tells it, and keeps books of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{
    Bills, Cadence, CallError, Called, Channel, ChannelFactory, CodePay, CodePayQuestion, ConfigError, ContractRef,
    ContractStanding, DeductQuestion, Hint, Identity, News, NoticeAnswer, NoticeRefused, Outcome, Paid, PaymentRef,
    Product, RawNotice, RefundQuestion, RefundStanding, Refunded, Refusal, ReverseQuestion, Reversed, Setting,
    SignPage, SignQuestion, SignedContract, Standing,
};
use metropay_core::clock::Time;
use metropay_core::code::foreign::Looks;
use metropay_core::id::{PayNo, RefundNo};
use metropay_core::money::Fen;
use schemars::JsonSchema;
use serde::Deserialize;

/// What the gateway says to a deduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deduct {
    /// Paid.
    Pays,
    /// Refused, finally.
    Refuses(Hint),
    /// Accepted; it stays in progress.
    Accepts,
    /// Paid, but the answer is lost.
    PaysAndIsSilent,
    /// No byte reaches it.
    CannotBeReached,
}

/// What it says to a refund or a reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// Done.
    Gives,
    /// Refused, finally.
    Refuses,
    /// In progress.
    Accepts,
}

/// What a gateway has in its books, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Orders: amount, and whether it is paid.
    pub(crate) orders: HashMap<PayNo, (Fen, bool)>,
    /// Orders that were given back wholly.
    pub(crate) reversed: Vec<PayNo>,
    /// Refunds that were made.
    pub(crate) refunds: HashMap<RefundNo, (PayNo, Fen)>,
    /// The payment codes that orders were to be paid by.
    pub(crate) codes: HashMap<PayNo, String>,
    /// Deductions that it was asked for.
    pub(crate) deductions: Vec<PayNo>,
    /// Refunds that it was asked for.
    pub(crate) refund_calls: Vec<RefundNo>,
}

impl Books {
    fn net(&self) -> u64 {
        let paid = self
            .orders
            .iter()
            .filter(|(no, (_, paid))| *paid && !self.reversed.contains(no));
        let paid: u64 = paid.map(|(_, (amount, _))| amount.get()).sum();
        let back: u64 = self.refunds.values().map(|(_, amount)| amount.get()).sum();
        paid - back
    }
}

/// The raw words of a gateway, which no till may see.
pub(crate) const RAW: &str = "canary-5c1e raw words of the gateway";

/// The gateway behind all accounts of a test.
pub(crate) struct Gateway {
    pub(crate) deduct: Mutex<Deduct>,
    pub(crate) refund: Mutex<Back>,
    pub(crate) reverse: Mutex<Back>,
    /// The part of a payment that a coupon pays.
    pub(crate) coupon: Mutex<Fen>,
    /// How long it thinks about a deduction or a refund.
    pub(crate) delay: Mutex<Duration>,
    books: Mutex<Books>,
}

impl Gateway {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            deduct: Mutex::new(Deduct::Pays),
            refund: Mutex::new(Back::Gives),
            reverse: Mutex::new(Back::Gives),
            coupon: Mutex::new(Fen::ZERO),
            delay: Mutex::new(Duration::ZERO),
            books: Mutex::default(),
        })
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Money that it took and has not given back, in fen.
    pub(crate) fn net(&self) -> u64 {
        self.books().net()
    }

    /// How often it was asked to deduct.
    pub(crate) fn deductions(&self) -> usize {
        self.books().deductions.len()
    }

    /// How often it was asked to refund.
    pub(crate) fn refund_calls(&self) -> usize {
        self.books().refund_calls.len()
    }

    pub(crate) fn will(&self, deduct: Deduct) {
        *self.deduct.lock().unwrap() = deduct;
    }

    pub(crate) fn will_refund(&self, back: Back) {
        *self.refund.lock().unwrap() = back;
    }

    pub(crate) fn will_reverse(&self, back: Back) {
        *self.reverse.lock().unwrap() = back;
    }

    pub(crate) fn thinks_for(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    /// An order in progress is paid.
    pub(crate) fn pay_now(&self, no: &str) {
        self.books().orders.get_mut(&PayNo::from(no)).unwrap().1 = true;
    }

    async fn think(&self) {
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
    }
}

fn refusal(hint: Hint) -> Refusal {
    Refusal {
        code: "GATEWAY_CODE".to_owned(),
        text: RAW.to_owned(),
        hint,
    }
}

/// The gateway as an adapter sees it.
struct Line {
    gateway: Arc<Gateway>,
    setting: Setting,
    payment_code: bool,
}

impl Line {
    fn paid(&self, no: &PayNo, amount: Fen) -> Paid {
        Paid {
            channel_no: format!("4200{}", no.as_str().get(18..).unwrap_or_default()),
            amount,
            coupon: *self.gateway.coupon.lock().unwrap(),
            paid_at: self.setting.clock.now(),
        }
    }

    async fn take(&self, no: &PayNo, amount: Fen) -> Called<Paid> {
        self.gateway.think().await;
        let deduct = *self.gateway.deduct.lock().unwrap();
        let mut books = self.gateway.books();
        books.deductions.push(no.clone());
        let pays = matches!(deduct, Deduct::Pays | Deduct::PaysAndIsSilent);
        if pays || deduct == Deduct::Accepts {
            books.orders.insert(no.clone(), (amount, pays));
        }
        match deduct {
            Deduct::Pays => Ok(Outcome::Done(self.paid(no, amount))),
            Deduct::Refuses(hint) => Ok(Outcome::Refused(refusal(hint))),
            Deduct::Accepts => Ok(Outcome::Pending),
            Deduct::PaysAndIsSilent => Err(CallError::MaybeDone("no answer".to_owned())),
            Deduct::CannotBeReached => Err(CallError::NotSent("connection refused".to_owned())),
        }
    }

    fn refunded(&self, amount: Fen) -> Refunded {
        Refunded {
            channel_no: None,
            amount,
            coupon: amount.min(*self.gateway.coupon.lock().unwrap()),
            refunded_at: self.setting.clock.now(),
        }
    }
}

#[async_trait]
impl Channel for Line {
    fn contract_scope(&self) -> String {
        self.setting.account.to_string()
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        self.payment_code.then_some(self as &dyn CodePay)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        None
    }

    fn identity(&self) -> Option<&dyn Identity> {
        None
    }

    fn cadence(&self, _: Product) -> Cadence {
        Cadence {
            payment: vec![Duration::from_millis(100)],
            refund: vec![Duration::from_millis(100)],
            absence_proves_after: Duration::from_secs(30),
            revoke_after: Duration::from_secs(45),
        }
    }

    async fn sign_contract(&self, _: &SignQuestion) -> Called<SignPage> {
        Ok(Outcome::Done(SignPage::Redirect {
            url: "https://gateway.test/sign".to_owned(),
            sdk: BTreeMap::new(),
        }))
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        Ok(ContractStanding::Active(SignedContract {
            handle: format!("handle-{}", contract.no),
            payer: None,
            display: None,
            signed_at: None,
            expires_at: None,
        }))
    }

    async fn close_contract(&self, _: &ContractRef) -> Called<()> {
        Ok(Outcome::Done(()))
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        assert!(question.contract_handle.starts_with("handle-"));
        self.take(&question.no, question.amount).await
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        let by_code = self.gateway.books().codes.contains_key(&payment.no);
        assert_eq!(
            by_code,
            payment.product == Product::PaymentCode,
            "asked in the product's words"
        );
        let known = self.gateway.books().orders.get(&payment.no).copied();
        Ok(match known {
            Some((amount, true)) => Standing::Paid(self.paid(&payment.no, amount)),
            Some((_, false)) => Standing::Pending,
            None => Standing::Absent,
        })
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let no = &question.payment.no;
        match *self.gateway.reverse.lock().unwrap() {
            Back::Accepts => return Ok(Outcome::Pending),
            Back::Refuses => return Ok(Outcome::Refused(refusal(Hint::None))),
            Back::Gives => {}
        }
        let mut books = self.gateway.books();
        if let Some((amount, true)) = books.orders.get(no).copied() {
            if !books.reversed.contains(no) {
                books.reversed.push(no.clone());
            }
            return Ok(Outcome::Done(Reversed::MoneyBack {
                paid: Some(self.paid(no, amount)),
                channel_no: None,
            }));
        }
        books.orders.remove(no);
        Ok(Outcome::Done(Reversed::NeverPaid))
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        self.gateway.think().await;
        let mut books = self.gateway.books();
        books.refund_calls.push(question.no.clone());
        match *self.gateway.refund.lock().unwrap() {
            Back::Accepts => Ok(Outcome::Pending),
            Back::Refuses => Ok(Outcome::Refused(refusal(Hint::None))),
            Back::Gives => {
                let made = (question.payment.no.clone(), question.amount);
                books.refunds.insert(question.no.clone(), made);
                Ok(Outcome::Done(self.refunded(question.amount)))
            }
        }
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        let made = self.gateway.books().refunds.contains_key(&question.no);
        Ok(if made {
            RefundStanding::Refunded(self.refunded(question.amount))
        } else {
            RefundStanding::Pending
        })
    }

    async fn read_notice(&self, _: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        Err(NoticeRefused::NotGenuine("this gateway sends none".to_owned()))
    }

    fn answer_notice(&self, _: bool) -> NoticeAnswer {
        NoticeAnswer {
            status: 200,
            content_type: "text/plain",
            body: String::new(),
        }
    }
}

#[async_trait]
impl CodePay for Line {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        let code = question.code.expose().to_owned();
        self.gateway.books().codes.insert(question.no.clone(), code);
        self.take(&question.no, question.amount).await
    }
}

/// What an account of this gateway may have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineConfig {
    /// Whether it takes the gateway's own payment codes.
    #[serde(default)]
    payment_code: bool,
}

impl LineConfig {
    fn line(self, gateway: &Arc<Gateway>, setting: Setting) -> Arc<dyn Channel> {
        Arc::new(Line {
            gateway: Arc::clone(gateway),
            setting,
            payment_code: self.payment_code,
        })
    }
}

/// The gateway linked as WeChat Pay.
pub(crate) struct AsWechat(pub(crate) Arc<Gateway>);

/// The gateway linked as UnionPay.
pub(crate) struct AsUnionpay(pub(crate) Arc<Gateway>);

impl ChannelFactory for AsWechat {
    type Config = LineConfig;
    const ID: &'static str = "wechat";
    const NAME: &'static str = "微信支付";
    const PAY_TYPE: &'static str = "CT_WECHAT";
    const PAYMENT_CODE: Option<Looks> = Some(Looks::Wechat);

    fn build(&self, config: LineConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        Ok(config.line(&self.0, setting))
    }
}

impl ChannelFactory for AsUnionpay {
    type Config = LineConfig;
    const ID: &'static str = "unionpay";
    const NAME: &'static str = "云闪付";
    const PAY_TYPE: &'static str = "CT_UNION";
    const PAYMENT_CODE: Option<Looks> = Some(Looks::Unionpay);

    fn build(&self, config: LineConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        Ok(config.line(&self.0, setting))
    }
}

/// A clock that stands until it is moved.
pub(crate) struct HeldClock(std::sync::atomic::AtomicI64);

impl HeldClock {
    pub(crate) fn at(stamp: &str) -> Arc<Self> {
        let time = Time::parse_china(stamp, "%Y%m%d%H%M%S").unwrap();
        Arc::new(Self(time.0.into()))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let by = i64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(by, std::sync::atomic::Ordering::SeqCst);
    }

    pub(crate) fn set(&self, stamp: &str) {
        let time = Time::parse_china(stamp, "%Y%m%d%H%M%S").unwrap();
        self.0.store(time.0, std::sync::atomic::Ordering::SeqCst);
    }
}

impl metropay_core::clock::Clock for HeldClock {
    fn now(&self) -> Time {
        Time(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}
