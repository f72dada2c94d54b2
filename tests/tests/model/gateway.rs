//! A gateway with moods: it does what it does, and says of it what its mood allows; but what it says as final is true.
//!
//! It is careless with money: it gives back whatever it is asked for under a new number, so that only the platform's own
//! care keeps refunds within what was paid.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// What stands at the gateway for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Accepted, in progress.
    Hangs,
    Paid,
    /// Never paid, and finally so.
    Unpaid,
}

/// An order in the gateway's books.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) account: String,
    pub(crate) amount: u64,
    pub(crate) at: At,
    /// What went back, by the number under which it was asked for.
    pub(crate) back: BTreeMap<String, u64>,
}

impl Held {
    /// What of it stands, in fen; negative when more went back than came.
    pub(crate) fn net(&self) -> i64 {
        let paid = if self.at == At::Paid {
            self.amount.cast_signed()
        } else {
            0
        };
        paid - self.back.values().sum::<u64>().cast_signed()
    }
}

#[derive(Default)]
struct Inner {
    orders: BTreeMap<String, Held>,
    contracts: BTreeMap<String, bool>,
    /// Which came how manieth, and how often each thing was asked about it: so each question of a run meets its own mood,
    /// though numbers are random.
    known: HashMap<String, usize>,
    asked: HashMap<String, u64>,
}

/// The gateway behind all accounts of a run.
pub(crate) struct Gateway {
    moods: Vec<u8>,
    calm: Mutex<bool>,
    inner: Mutex<Inner>,
}

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Clear,
    /// It does it, and the answer is lost.
    LostAfter,
    /// It never gets it, and nobody can tell.
    LostBefore,
    /// Nothing can have been sent.
    NotSent,
    /// Accepted, or busy.
    Slow,
    /// Refused, finally.
    Refuses,
    /// A query says that there is nothing, though there is.
    Blind,
}

impl Gateway {
    pub(crate) fn new(moods: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            moods,
            calm: Mutex::new(false),
            inner: Mutex::default(),
        })
    }

    /// From now on everything goes well.
    pub(crate) fn calm_down(&self) {
        *self.calm.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn orders(&self) -> BTreeMap<String, Held> {
        self.inner().orders.clone()
    }

    pub(crate) fn order(&self, no: &str) -> Option<Held> {
        self.inner().orders.get(no).cloned()
    }

    /// Lets an order that is not paid be paid.
    pub(crate) fn pay(&self, no: &str) {
        if let Some(held) = self.inner().orders.get_mut(no) {
            held.at = At::Paid;
        }
    }

    /// Ends a contract here, without a word.
    pub(crate) fn end_contract(&self, no: &str) {
        self.inner().contracts.insert(no.to_owned(), false);
    }

    /// The mood for a question: of the run, the question and how often it was asked.
    fn mood(&self, operation: &str, no: &str, inner: &mut Inner) -> Mood {
        if *self.calm.lock().unwrap_or_else(PoisonError::into_inner) || self.moods.is_empty() {
            return Mood::Clear;
        }
        let next = inner.known.len();
        let place = *inner.known.entry(no.to_owned()).or_insert(next);
        let count = inner.asked.entry(format!("{operation} {no}")).or_default();
        *count += 1;
        let mut hasher = DefaultHasher::new();
        (operation, place, *count).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % self.moods.len() as u64).unwrap_or(0);
        match self.moods[index] {
            0..=127 => Mood::Clear,
            128..=147 => Mood::LostAfter,
            148..=167 => Mood::LostBefore,
            168..=182 => Mood::NotSent,
            183..=212 => Mood::Slow,
            213..=235 => Mood::Refuses,
            _ => Mood::Blind,
        }
    }
}

fn refusal(hint: Hint) -> Refusal {
    Refusal {
        code: "NO".to_owned(),
        text: "the gateway refuses".to_owned(),
        hint,
    }
}

fn lost<T>() -> Result<T, CallError> {
    Err(CallError::MaybeDone("no answer".to_owned()))
}

fn unsent<T>() -> Result<T, CallError> {
    Err(CallError::NotSent("connection refused".to_owned()))
}

/// An account's line to the gateway.
struct Line {
    gateway: Arc<Gateway>,
    setting: Setting,
}

impl Line {
    fn paid(&self, no: &str, amount: u64) -> Paid {
        Paid {
            channel_no: format!("G{no}"),
            amount: Fen::new(amount).unwrap_or_default(),
            coupon: Fen::ZERO,
            paid_at: self.setting.clock.now(),
        }
    }

    fn refunded(&self, amount: Fen) -> Refunded {
        Refunded {
            channel_no: None,
            amount,
            coupon: Fen::ZERO,
            refunded_at: self.setting.clock.now(),
        }
    }

    fn standing(&self, no: &str, held: Option<&Held>) -> Standing {
        match held {
            None => Standing::Absent,
            Some(held) => match held.at {
                At::Hangs => Standing::Pending,
                At::Paid => Standing::Paid(self.paid(no, held.amount)),
                At::Unpaid => Standing::NotPaid(refusal(Hint::None)),
            },
        }
    }
}

#[async_trait]
impl Channel for Line {
    /// All accounts share a user's contract.
    fn contract_scope(&self) -> String {
        "one plan".to_owned()
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
        Cadence {
            payment: vec![Duration::from_secs(1), Duration::from_secs(5)],
            refund: vec![Duration::from_secs(1), Duration::from_secs(30)],
            absence_proves_after: Duration::from_secs(60),
            revoke_after: Duration::from_secs(45),
        }
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        let contract = question.contract.no.to_string();
        self.gateway.inner().contracts.insert(contract, true);
        Ok(Outcome::Done(SignPage::Redirect {
            url: "https://gateway.test/sign".to_owned(),
            sdk: BTreeMap::new(),
        }))
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        Ok(match self.gateway.inner().contracts.get(contract.no.as_str()) {
            Some(true) => ContractStanding::Active(SignedContract {
                handle: format!("H-{}", contract.no),
                payer: None,
                display: None,
                signed_at: None,
                expires_at: None,
            }),
            Some(false) => ContractStanding::Ended {
                by: EndedBy::User,
                at: None,
            },
            None => ContractStanding::Pending,
        })
    }

    async fn close_contract(&self, contract: &ContractRef) -> Called<()> {
        self.gateway.end_contract(contract.no.as_str());
        Ok(Outcome::Done(()))
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        let no = question.no.as_str();
        let mut inner = self.gateway.inner();
        let mood = self.gateway.mood("deduct", no, &mut inner);
        match mood {
            Mood::NotSent => return unsent(),
            Mood::LostBefore => return lost(),
            _ => {}
        }
        let contract = question.contract_handle.trim_start_matches("H-");
        let alive = inner.contracts.get(contract).copied().unwrap_or(false);
        let fresh = !inner.orders.contains_key(no);
        let held = inner.orders.entry(no.to_owned()).or_insert_with(|| Held {
            account: self.setting.account.to_string(),
            amount: question.amount.get(),
            at: match mood {
                _ if !alive => At::Unpaid,
                Mood::Slow => At::Hangs,
                Mood::Refuses => At::Unpaid,
                _ => At::Paid,
            },
            back: BTreeMap::new(),
        });
        assert_eq!(held.amount, question.amount.get(), "a repeat names another amount");
        let hint = if alive || !fresh {
            Hint::None
        } else {
            Hint::ContractGone
        };
        match (mood, held.at) {
            (Mood::LostAfter, _) => lost(),
            (_, At::Paid) => Ok(Outcome::Done(self.paid(no, held.amount))),
            (_, At::Hangs) => Ok(Outcome::Pending),
            (_, At::Unpaid) => Ok(Outcome::Refused(refusal(hint))),
        }
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        let no = payment.no.as_str();
        let mut inner = self.gateway.inner();
        match self.gateway.mood("query", no, &mut inner) {
            Mood::LostAfter | Mood::LostBefore => lost(),
            Mood::NotSent => unsent(),
            Mood::Blind => Ok(Standing::Absent),
            _ => Ok(self.standing(no, inner.orders.get(no))),
        }
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let no = question.payment.no.as_str();
        let mut inner = self.gateway.inner();
        let mood = self.gateway.mood("reverse", no, &mut inner);
        match mood {
            Mood::NotSent => return unsent(),
            Mood::LostBefore => return lost(),
            Mood::Slow => return Ok(Outcome::Pending),
            _ => {}
        }
        let account = self.setting.account.to_string();
        // An order that is undone before it came will never come.
        let held = inner.orders.entry(no.to_owned()).or_insert_with(|| Held {
            account,
            amount: question.payment.amount.get(),
            at: At::Unpaid,
            back: BTreeMap::new(),
        });
        if held.at == At::Hangs {
            held.at = At::Unpaid;
        }
        let done = match held.at {
            At::Paid if mood == Mood::Refuses && !held.back.contains_key(question.no.as_str()) => {
                return Ok(Outcome::Refused(refusal(Hint::None)));
            }
            At::Paid => {
                held.back.insert(question.no.to_string(), held.amount);
                Reversed::MoneyBack {
                    paid: Some(self.paid(no, held.amount)),
                    channel_no: None,
                }
            }
            At::Hangs | At::Unpaid => Reversed::NeverPaid,
        };
        if mood == Mood::LostAfter {
            lost()
        } else {
            Ok(Outcome::Done(done))
        }
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        let no = question.payment.no.as_str();
        let mut inner = self.gateway.inner();
        let mood = self.gateway.mood("refund", question.no.as_str(), &mut inner);
        match mood {
            Mood::NotSent => return unsent(),
            Mood::LostBefore => return lost(),
            Mood::Slow => return Ok(Outcome::Pending),
            _ => {}
        }
        let held = inner.orders.get_mut(no).filter(|held| held.at == At::Paid);
        let Some(held) = held else {
            return Ok(Outcome::Refused(refusal(Hint::None)));
        };
        let number = question.no.to_string();
        if mood == Mood::Refuses && !held.back.contains_key(&number) {
            return Ok(Outcome::Refused(refusal(Hint::None)));
        }
        let known = held.back.insert(number, question.amount.get());
        assert!(
            known.is_none_or(|fen| fen == question.amount.get()),
            "a repeat names another amount"
        );
        if mood == Mood::LostAfter {
            lost()
        } else {
            Ok(Outcome::Done(self.refunded(question.amount)))
        }
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        let mut inner = self.gateway.inner();
        match self.gateway.mood("query refund", question.no.as_str(), &mut inner) {
            Mood::LostAfter | Mood::LostBefore => return lost(),
            Mood::NotSent => return unsent(),
            Mood::Slow => return Ok(RefundStanding::Pending),
            _ => {}
        }
        let held = inner.orders.get(question.payment.no.as_str());
        Ok(match held.and_then(|held| held.back.get(question.no.as_str())) {
            Some(_) => RefundStanding::Refunded(self.refunded(question.amount)),
            None => RefundStanding::Absent,
        })
    }

    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        let told: Value = serde_json::from_slice(&notice.body).map_err(|_| NoticeRefused::NotGenuine(String::new()))?;
        let no = told["no"].as_str().unwrap_or_default();
        if told["about"] == "contract" {
            return Ok(vec![News::Contract {
                contract: ContractKey::No(ContractNo(no.to_owned())),
                standing: None,
            }]);
        }
        let held = self.gateway.order(no);
        Ok(vec![News::Payment {
            no: PayNo(no.to_owned()),
            standing: Some(self.standing(no, held.as_ref())),
        }])
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        NoticeAnswer {
            status: if taken { 200 } else { 400 },
            content_type: "text/plain",
            body: String::new(),
        }
    }
}

/// A notification about an order, with something that makes it a new one each time.
pub(crate) fn notice(no: &str, nth: u64) -> Vec<u8> {
    json!({ "about": "order", "no": no, "nth": nth })
        .to_string()
        .into_bytes()
}

/// No account of this gateway needs any configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoConfig {}

/// The gateway as a linked channel.
pub(crate) struct Linked(pub(crate) Arc<Gateway>);

impl ChannelFactory for Linked {
    type Config = NoConfig;
    const ID: &'static str = "moody";
    const NAME: &'static str = "脾气支付";
    const PAY_TYPE: &'static str = "CT_MOODY";
    const PAYMENT_CODE: Option<Looks> = None;

    fn build(&self, NoConfig {}: NoConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        let gateway = Arc::clone(&self.0);
        Ok(Arc::new(Line { gateway, setting }))
    }
}
