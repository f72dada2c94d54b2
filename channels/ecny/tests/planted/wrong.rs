//! The right adapter with one mistake.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use metropay_channel_ecny::{EcnyConfig, EcnyFactory};
use metropay_core::channel::{
    BillError, BillRow, Bills, Cadence, CallError, Called, Channel, ChannelFactory, ChannelUser, CodePay,
    CodePayQuestion, ConfigError, ContractRef, ContractStanding, DeductQuestion, FundRow, Hint, Identity, News,
    NoticeAnswer, NoticeRefused, Outcome, Paid, PaymentRef, Product, RawNotice, RefundQuestion, RefundStanding,
    Refunded, Refusal, ReverseQuestion, Reversed, Rows, Setting, SignPage, SignQuestion, Standing,
};
use metropay_core::clock::{Clock, Day, SystemClock, Time};
use metropay_core::code::foreign::Looks;
use metropay_core::id::{PayNo, RefundNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use metropay_core::secret::Secret;
use metropay_outbound::OutboundSettings;
use serde_json::Value;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    BelievesUnsigned,
    TimeOutIsNotSent,
    NewNumberOnRepeat,
    Retries,
    AmountNotCompared,
    RefusedForPending,
    RefusedForBusy,
    AbsentForError,
    NoticeNotVerified,
    OtherMerchantsNotice,
    OtherCurrencysNotice,
    AlwaysTaken,
    ReverseNotReentrant,
    RefundUnderFreshNumber,
    SecretInError,
    CodeInLog,
    WaitingIsDone,
    EndsOnce,
    CutOffPasses,
    NotReadyIsEmpty,
    BillInMemory,
    BelievesBrowser,
}

/// Builds adapters with a mistake.
pub(crate) struct WrongFactory(pub(crate) Mistake);

impl ChannelFactory for WrongFactory {
    type Config = EcnyConfig;

    const ID: &'static str = EcnyFactory::ID;
    const NAME: &'static str = EcnyFactory::NAME;
    const PAY_TYPE: &'static str = EcnyFactory::PAY_TYPE;
    const PAYMENT_CODE: Option<Looks> = EcnyFactory::PAYMENT_CODE;

    fn build(&self, config: EcnyConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        let secret = config
            .private_key
            .expose()
            .lines()
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        let right = EcnyFactory::new(OutboundSettings::default()).build(config, setting)?;
        Ok(Arc::new(Wrong {
            right,
            mistake: self.0,
            secret,
            asked: Mutex::default(),
        }))
    }
}

struct Wrong {
    right: Arc<dyn Channel>,
    mistake: Mistake,
    secret: String,
    /// Numbers that were asked with before: no adapter may remember anything.
    asked: Mutex<HashSet<String>>,
}

impl Wrong {
    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// Whether this is the first time.
    fn first(&self, no: &str) -> bool {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(no.to_owned())
    }

    /// What the mistakes about errors make of one.
    fn spoiled(&self, error: CallError) -> CallError {
        match error {
            CallError::MaybeDone(text) if self.is(Mistake::TimeOutIsNotSent) && text.contains("timed out") => {
                CallError::NotSent(text)
            }
            CallError::MaybeDone(text) if self.is(Mistake::SecretInError) => {
                CallError::MaybeDone(format!("{text}; signed with {}", self.secret))
            }
            other => other,
        }
    }
}

fn unsigned(error: &CallError) -> bool {
    error.to_string().contains("not signed")
}

fn made_up(amount: Fen) -> Paid {
    Paid {
        channel_no: "9000000000000000".to_owned(),
        amount,
        coupon: Fen::ZERO,
        paid_at: Time(0),
    }
}

fn refused() -> Refusal {
    Refusal {
        code: "NO".to_owned(),
        text: String::new(),
        hint: Hint::None,
    }
}

#[async_trait]
impl Channel for Wrong {
    fn contract_scope(&self) -> String {
        self.right.contract_scope()
    }

    fn cadence(&self, product: Product) -> Cadence {
        self.right.cadence(product)
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        Some(self)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    fn identity(&self) -> Option<&dyn Identity> {
        Some(self)
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        self.right.sign_contract(question).await
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        self.right.query_contract(contract).await
    }

    async fn close_contract(&self, contract: &ContractRef) -> Called<()> {
        if self.is(Mistake::EndsOnce) && !self.first(contract.no.as_str()) {
            return Ok(Outcome::Refused(refused()));
        }
        self.right.close_contract(contract).await
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        let mut question = question.clone();
        if self.is(Mistake::NewNumberOnRepeat) && !self.first(question.no.as_str()) {
            question.no = PayNo::fresh(&SystemClock, &SystemRandom);
        }
        let mut said = self.right.deduct(&question).await;
        if self.is(Mistake::Retries) && said.is_err() {
            said = self.right.deduct(&question).await;
        }
        match said {
            Err(error) if self.is(Mistake::BelievesUnsigned) && unsigned(&error) => {
                Ok(Outcome::Done(made_up(question.amount)))
            }
            Err(error) if self.is(Mistake::RefusedForBusy) && error.to_string().contains("BUSY") => {
                Ok(Outcome::Refused(refused()))
            }
            Ok(Outcome::Pending) if self.is(Mistake::RefusedForPending) => Ok(Outcome::Refused(refused())),
            other => other.map_err(|error| self.spoiled(error)),
        }
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        match self.right.query_payment(payment).await {
            Err(_) if self.is(Mistake::AbsentForError) => Ok(Standing::Absent),
            Err(error) if self.is(Mistake::AmountNotCompared) && error.to_string().contains("another amount") => {
                Ok(Standing::Paid(made_up(payment.amount)))
            }
            other => other.map_err(|error| self.spoiled(error)),
        }
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        if !self.is(Mistake::ReverseNotReentrant) {
            return self.right.reverse(question).await;
        }
        // All of it goes back as a refund with a number of its own, each time.
        let refund = RefundQuestion {
            payment: question.payment.clone(),
            no: RefundNo::fresh(&SystemClock, &SystemRandom),
            at: question.at,
            amount: question.payment.amount,
        };
        Ok(match self.right.refund(&refund).await? {
            Outcome::Done(refunded) => Outcome::Done(Reversed::MoneyBack {
                paid: None,
                channel_no: refunded.channel_no,
            }),
            Outcome::Refused(refusal) => Outcome::Refused(refusal),
            Outcome::Pending => Outcome::Pending,
        })
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        let mut question = question.clone();
        if self.is(Mistake::RefundUnderFreshNumber) {
            question.no = RefundNo::fresh(&SystemClock, &SystemRandom);
        }
        self.right.refund(&question).await
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        if self.is(Mistake::RefundUnderFreshNumber) {
            // It remembers nothing by which it could ask.
            return Ok(RefundStanding::Refunded(Refunded {
                channel_no: None,
                amount: question.amount,
                coupon: Fen::ZERO,
                refunded_at: SystemClock.now(),
            }));
        }
        self.right.query_refund(question).await
    }

    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        match self.right.read_notice(notice).await {
            Err(NoticeRefused::NotGenuine(_)) if self.is(Mistake::NoticeNotVerified) => read_blindly(&notice.body),
            Err(NoticeRefused::Mismatch(text))
                if self.is(Mistake::OtherMerchantsNotice) && text.contains("merchant") =>
            {
                read_blindly(&notice.body)
            }
            Err(NoticeRefused::Mismatch(text)) if self.is(Mistake::OtherCurrencysNotice) && text.contains("yuan") => {
                read_blindly(&notice.body)
            }
            other => other,
        }
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        self.right.answer_notice(taken || self.is(Mistake::AlwaysTaken))
    }
}

/// What a notification says of a payment, whoever wrote it.
fn read_blindly(body: &[u8]) -> Result<Vec<News>, NoticeRefused> {
    let said: Value =
        serde_json::from_slice(body).map_err(|_| NoticeRefused::NotGenuine("it cannot be read".to_owned()))?;
    let order = &said["order"];
    let amount = order["amount_fen"].as_u64().and_then(|fen| Fen::new(fen).ok());
    let (Some(no), Some(amount)) = (order["no"].as_str(), amount) else {
        return Ok(vec![News::Nothing]);
    };
    Ok(vec![News::Payment {
        no: PayNo(no.to_owned()),
        standing: Some(Standing::Paid(made_up(amount))),
    }])
}

#[async_trait]
impl CodePay for Wrong {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        if self.is(Mistake::CodeInLog) {
            tracing::warn!(target: "metropay_channel_ecny", "paying by {}", question.code.expose());
        }
        let said = match self.right.code_pay() {
            Some(ability) => ability.pay_by_code(question).await,
            None => Ok(Outcome::Pending),
        };
        match said {
            Ok(Outcome::Pending) if self.is(Mistake::WaitingIsDone) => Ok(Outcome::Done(made_up(question.amount))),
            other => other,
        }
    }
}

#[async_trait]
impl Bills for Wrong {
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError> {
        let Some(bills) = self.right.bills() else {
            return Err(BillError::NotReady);
        };
        let rows = match bills.trades(day).await {
            Err(BillError::NotReady) if self.is(Mistake::NotReadyIsEmpty) => futures::stream::empty().boxed(),
            other => other?,
        };
        if self.is(Mistake::CutOffPasses) {
            return Ok(rows.take_while(|row| futures::future::ready(row.is_ok())).boxed());
        }
        if self.is(Mistake::BillInMemory) {
            let all: Vec<Result<BillRow, BillError>> = rows.collect().await;
            return Ok(futures::stream::iter(all).boxed());
        }
        Ok(rows)
    }

    async fn funds(&self, _: Day) -> Result<Option<Rows<FundRow>>, BillError> {
        Ok(None)
    }
}

#[async_trait]
impl Identity for Wrong {
    fn page(&self, return_url: &str, state: &str) -> String {
        self.right
            .identity()
            .map_or(String::new(), |identity| identity.page(return_url, state))
    }

    async fn user(&self, code: &Secret) -> Called<ChannelUser> {
        match self.right.identity() {
            Some(identity) if !self.is(Mistake::BelievesBrowser) => identity.user(code).await,
            _ => Ok(Outcome::Done(ChannelUser {
                id: code.expose().to_owned(),
                union_id: None,
                nickname: None,
            })),
        }
    }
}
