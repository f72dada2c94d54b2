//! A channel whose calls are counted: it passes every question on and notes how it went and how long it took. Money calls are
//! never repeated here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::{SharedString, counter, histogram};
use tokio::time::Instant;
use tracing::Instrument;

use super::health::{Health, Went};
use super::{
    BillError, BillRow, Bills, Cadence, CallError, Called, Channel, ChannelUser, CodePay, CodePayQuestion, ContractRef,
    ContractStanding, DeductQuestion, FundRow, Hint, Identity, News, NoticeAnswer, NoticeRefused, Outcome, Paid,
    PaymentRef, Product, RawNotice, RefundQuestion, RefundStanding, Refunded, ReverseQuestion, Reversed, Rows,
    SignPage, SignQuestion, Standing,
};
use crate::clock::{Clock, Day};
use crate::id::{AccountId, ChannelId};
use crate::metric;
use crate::secret::Secret;

/// A channel account under watch.
pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn Channel>,
    pub(crate) account: AccountId,
    pub(crate) channel: ChannelId,
    /// The channel as a label: shared, so that no call copies it.
    pub(crate) label: SharedString,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Watched {
    /// Notes how a call went, and passes its answer on.
    async fn note<T>(
        &self,
        call: &'static str,
        calling: impl Future<Output = T>,
        judge: impl Fn(&T) -> (Went, &'static str),
    ) -> T {
        let outcome = tracing::field::Empty;
        let span = tracing::debug_span!("channel.call", channel = %self.channel, operation = call, outcome);
        let begun = Instant::now();
        let answer = calling.instrument(span.clone()).await;
        let took: Duration = begun.elapsed();
        let (went, outcome) = judge(&answer);
        span.record("outcome", outcome);
        let channel = || self.label.clone();
        counter!(metric::CHANNEL_CALLS, "channel" => channel(), "operation" => call, "outcome" => outcome).increment(1);
        histogram!(metric::CHANNEL_CALL_DURATION, "channel" => channel(), "operation" => call).record(took);
        let of = (&self.account, &self.channel);
        self.health.note(of, call, went, took, self.clock.now());
        answer
    }
}

/// How a call went for the account's health, and the word by which it is counted.
type Judgement = (Went, &'static str);

fn called<T>(called: &Called<T>) -> Judgement {
    match called {
        Ok(Outcome::Refused(refusal)) if refusal.hint == Hint::Setup => {
            (Went::Misconfigured(refusal.code.clone()), "refused")
        }
        Ok(Outcome::Refused(_)) => (Went::Answered, "refused"),
        Ok(Outcome::Pending) => (Went::Answered, "pending"),
        Ok(Outcome::Done(_)) => (Went::Answered, "done"),
        Err(error) => lost(error),
    }
}

/// A question's own answer is done; only what it tells of may be pending.
fn asked<T>(asked: &Result<T, CallError>) -> Judgement {
    asked.as_ref().map_or_else(lost, |_| (Went::Answered, "done"))
}

fn billed<T>(billed: &Result<T, BillError>) -> Judgement {
    match billed {
        Err(BillError::Call(error)) => lost(error),
        Err(BillError::Refused(text)) => (Went::Misconfigured(text.clone()), "refused"),
        Err(BillError::NotReady) => (Went::Answered, "pending"),
        // It answered, but nobody knows what.
        Err(BillError::Unreadable(_)) => (Went::Answered, "maybe_done"),
        Ok(_) => (Went::Answered, "done"),
    }
}

fn lost(error: &CallError) -> Judgement {
    match error {
        CallError::NotSent(why) => (Went::NotSent(why.clone()), "not_sent"),
        CallError::MaybeDone(why) => (Went::Unanswered(why.clone()), "maybe_done"),
    }
}

#[async_trait]
impl Channel for Watched {
    fn contract_scope(&self) -> String {
        self.inner.contract_scope()
    }

    fn cadence(&self, product: Product) -> Cadence {
        self.inner.cadence(product)
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        self.inner.code_pay().map(|_| self as &dyn CodePay)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        self.inner.bills().map(|_| self as &dyn Bills)
    }

    fn identity(&self) -> Option<&dyn Identity> {
        self.inner.identity().map(|_| self as &dyn Identity)
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        self.note("sign_contract", self.inner.sign_contract(question), called)
            .await
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        self.note("query_contract", self.inner.query_contract(contract), asked)
            .await
    }

    async fn close_contract(&self, contract: &ContractRef) -> Called<()> {
        self.note("close_contract", self.inner.close_contract(contract), called)
            .await
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        self.note("deduct", self.inner.deduct(question), called).await
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        self.note("query_payment", self.inner.query_payment(payment), asked)
            .await
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        self.note("reverse", self.inner.reverse(question), called).await
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        self.note("refund", self.inner.refund(question), called).await
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        self.note("query_refund", self.inner.query_refund(question), asked)
            .await
    }

    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        self.inner.read_notice(notice).await
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        self.inner.answer_notice(taken)
    }
}

/// What is said where an ability was there a moment ago.
const GONE: &str = "the account has this ability no more";

#[async_trait]
impl CodePay for Watched {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        match self.inner.code_pay() {
            Some(product) => self.note("pay_by_code", product.pay_by_code(question), called).await,
            None => Err(CallError::NotSent(GONE.to_owned())),
        }
    }
}

#[async_trait]
impl Bills for Watched {
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError> {
        match self.inner.bills() {
            Some(bills) => self.note("trades", bills.trades(day), billed).await,
            None => Err(BillError::Refused(GONE.to_owned())),
        }
    }

    async fn funds(&self, day: Day) -> Result<Option<Rows<FundRow>>, BillError> {
        match self.inner.bills() {
            Some(bills) => self.note("funds", bills.funds(day), billed).await,
            None => Err(BillError::Refused(GONE.to_owned())),
        }
    }
}

#[async_trait]
impl Identity for Watched {
    fn page(&self, return_url: &str, state: &str) -> String {
        self.inner
            .identity()
            .map_or_else(String::new, |identity| identity.page(return_url, state))
    }

    async fn user(&self, code: &Secret) -> Called<ChannelUser> {
        match self.inner.identity() {
            Some(identity) => self.note("user", identity.user(code), called).await,
            None => Err(CallError::NotSent(GONE.to_owned())),
        }
    }
}
