//! An adapter on a wire of its own, and what a platform does with it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use metropay_core::channel::{
    CallError, Called, Channel, CodePayQuestion, ContractRef, ContractStanding, DeductQuestion, News, NoticeRefused,
    Outcome, Paid, PaymentRef, Product, RawNotice, RefundQuestion, RefundStanding, ReverseQuestion, SignPage,
    SignQuestion, SignedContract, Standing,
};
use metropay_core::clock::Clock;
use metropay_core::id::{ContractNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use metropay_core::secret::Secret;
use serde_json::Value;

use super::bench::{Bench, until};
use super::wire::Wire;

/// An adapter on its wire.
pub(crate) struct Lane {
    pub(crate) wire: Wire,
    pub(crate) channel: Arc<dyn Channel>,
    /// Its slot in the mailbox.
    pub(crate) slot: u64,
    /// How many letters the mailbox held when its case began.
    pub(crate) since: usize,
    config: Value,
}

impl Lane {
    /// An adapter of this account.
    pub(crate) async fn new(bench: &Bench, config: &Value) -> Result<Self> {
        let origin = bench.gateway.origin();
        let wire = Wire::to(&origin).await?;
        let config = moved(config, &origin, &wire.origin);
        let slot = bench.mailbox.slot();
        let channel = bench.build(config.clone(), bench.mailbox.url(slot))?;
        bench.mailbox.answers(slot, channel.answer_notice(true));
        Ok(Self {
            wire,
            channel,
            slot,
            since: bench.mailbox.length(),
            config,
        })
    }

    /// Begins a case: nothing is broken, and earlier letters are not its own.
    pub(crate) fn begin(&mut self, bench: &Bench) {
        self.wire.mend();
        self.since = bench.mailbox.length();
    }

    /// Another adapter on the same wire, built anew: it remembers nothing.
    pub(crate) fn rebuilt(&self, bench: &Bench) -> Result<Arc<dyn Channel>> {
        Ok(bench.build(self.config.clone(), bench.mailbox.url(self.slot))?)
    }

    /// A contract that nobody has signed.
    pub(crate) fn fresh_contract(&self, bench: &Bench) -> ContractRef {
        ContractRef {
            no: ContractNo::fresh(bench.clock.as_ref(), &SystemRandom),
            asked_at: bench.clock.now(),
            handle: None,
        }
    }

    pub(crate) fn signing(bench: &Bench, contract: &ContractRef) -> SignQuestion {
        let sequence = u64::try_from(bench.clock.now().0).unwrap_or(1);
        SignQuestion {
            contract: contract.clone(),
            sequence: sequence.saturating_mul(1_000).saturating_add(bench.count()),
            display: "138xxxx1234".to_owned(),
            return_url: "https://pay.example.test/back".to_owned(),
            user_ip: Some("203.0.113.77".to_owned()),
        }
    }

    /// The page on which a contract is signed.
    pub(crate) async fn page(&self, bench: &Bench, contract: &ContractRef) -> Result<SignPage> {
        let signing = Self::signing(bench, contract);
        match patiently(async || self.channel.sign_contract(&signing).await).await {
            Ok(Outcome::Done(page)) => Ok(page),
            other => bail!("a contract cannot be signed: {other:?}"),
        }
    }

    /// A contract that this user has signed, with its handle.
    pub(crate) async fn signed_by(&self, bench: &Bench, user: &str) -> Result<ContractRef> {
        let mut contract = self.fresh_contract(bench);
        let page = self.page(bench, &contract).await?;
        let agreed = bench.gateway.decide(&page, user, true).await;
        agreed.context("the user cannot agree on the signing page")?;
        let signed = until("the contract to be active", async || {
            let standing = self.channel.query_contract(&contract).await;
            Ok(active(standing.ok()))
        });
        let signed = signed.await?;
        bench.meet(&signed.handle);
        if let Some(payer) = &signed.payer {
            bench.meet(payer);
        }
        contract.handle = Some(signed.handle);
        Ok(contract)
    }

    /// The same of a user who does nothing else.
    pub(crate) async fn signed(&self, bench: &Bench) -> Result<ContractRef> {
        self.signed_by(bench, &bench.user()).await
    }

    pub(crate) fn deduction(bench: &Bench, contract: &ContractRef, amount: Fen) -> DeductQuestion {
        DeductQuestion {
            no: bench.pay_no(),
            at: bench.clock.now(),
            amount,
            body: "地铁便利店 矿泉水 2 瓶".to_owned(),
            store: "SZTX001".to_owned(),
            contract_handle: contract.handle.clone().unwrap_or_default(),
        }
    }

    /// A payment that went through, with the channel's number.
    pub(crate) async fn paid(&self, bench: &Bench, amount: Fen) -> Result<PaymentRef> {
        let contract = bench.contract().await?;
        self.paid_on(bench, &contract, amount).await
    }

    /// The same on this contract.
    pub(crate) async fn paid_on(&self, bench: &Bench, contract: &ContractRef, amount: Fen) -> Result<PaymentRef> {
        let question = Self::deduction(bench, contract, amount);
        let said = patiently(async || self.channel.deduct(&question).await).await;
        if !matches!(said, Ok(Outcome::Done(_) | Outcome::Pending)) {
            bail!("an undisturbed deduction came to {said:?}");
        }
        let mut payment = payment(&question);
        payment.channel_no = Some(self.until_paid(&payment).await?.channel_no);
        Ok(payment)
    }

    pub(crate) async fn until_paid(&self, payment: &PaymentRef) -> Result<Paid> {
        let paid = until("a payment to be paid", async || {
            let standing = self.channel.query_payment(payment).await;
            Ok(match standing {
                Ok(Standing::Paid(paid)) => Some(paid),
                _ => None,
            })
        });
        paid.await
    }

    /// A question for a payment by the code that a user shows; `None` where the channel has no such product or the gateway
    /// shows no code.
    pub(crate) async fn code_question(&self, bench: &Bench, needs_password: bool) -> Result<Option<CodePayQuestion>> {
        if self.channel.code_pay().is_none() {
            return Ok(None);
        }
        let Some(code) = bench.gateway.show_code(&bench.user(), needs_password).await? else {
            return Ok(None);
        };
        bench.meet(&code);
        Ok(Some(CodePayQuestion {
            no: bench.pay_no(),
            at: bench.clock.now(),
            amount: bench.amount()?,
            body: "地铁便利店 矿泉水 2 瓶".to_owned(),
            store: "SZTX001".to_owned(),
            code: Secret::from(code),
        }))
    }

    pub(crate) async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        match self.channel.code_pay() {
            Some(ability) => ability.pay_by_code(question).await,
            None => Ok(Outcome::Pending),
        }
    }

    pub(crate) fn refund_of(bench: &Bench, payment: &PaymentRef, amount: Fen) -> RefundQuestion {
        RefundQuestion {
            payment: payment.clone(),
            no: RefundNo::fresh(bench.clock.as_ref(), &SystemRandom),
            at: bench.clock.now(),
            amount,
        }
    }

    /// A refund that went through.
    pub(crate) async fn refunded(&self, bench: &Bench, payment: &PaymentRef, amount: Fen) -> Result<RefundQuestion> {
        let question = Self::refund_of(bench, payment, amount);
        let said = patiently(async || self.channel.refund(&question).await).await;
        if !matches!(said, Ok(Outcome::Done(_) | Outcome::Pending)) {
            bail!("an undisturbed refund came to {said:?}");
        }
        let standing = self.until_refund_ends(&question).await?;
        match standing {
            RefundStanding::Refunded(_) => Ok(question),
            other => bail!("an undisturbed refund ended as {other:?}"),
        }
    }

    /// Asks until a refund is no longer in progress.
    pub(crate) async fn until_refund_ends(&self, question: &RefundQuestion) -> Result<RefundStanding> {
        let ended = until("a refund to end", async || {
            let standing = self.channel.query_refund(question).await;
            Ok(standing
                .ok()
                .filter(|standing| !matches!(standing, RefundStanding::Pending | RefundStanding::Absent)))
        });
        ended.await
    }

    pub(crate) fn reversal_of(bench: &Bench, payment: &PaymentRef) -> ReverseQuestion {
        ReverseQuestion {
            payment: payment.clone(),
            no: ReversalNo::fresh(bench.clock.as_ref(), &SystemRandom),
            at: bench.clock.now(),
        }
    }

    /// Waits for a notification that fits, of all that came since the case began; `None` where none comes in time.
    pub(crate) async fn until_notice(&self, bench: &Bench, fits: impl Fn(&News) -> bool) -> Result<Option<RawNotice>> {
        let mut seen = self.since;
        for _ in 0..60 {
            for letter in bench.mailbox.since(seen) {
                seen = seen.saturating_add(1);
                if self.read(&letter).await.is_ok_and(|news| news.iter().any(&fits)) {
                    return Ok(Some(letter));
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }

    pub(crate) async fn read(&self, letter: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        self.channel.read_notice(letter).await
    }
}

/// A lane that is lent, and given back behind its case.
pub(crate) struct Loan {
    pub(crate) lane: Option<Lane>,
    pub(crate) free: Arc<Mutex<Vec<Lane>>>,
}

impl Deref for Loan {
    type Target = Lane;

    fn deref(&self) -> &Lane {
        self.lane.as_ref().expect("it is taken out when it is given back only")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take().filter(|lane| !lane.wire.is_gone()) {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        }
    }
}

/// What a platform does on a busy machine, where an answer may come too late: it asks the same again.
async fn patiently<T>(ask: impl AsyncFn() -> Called<T>) -> Called<T> {
    let mut said = ask().await;
    for _ in 0..3 {
        if !matches!(said, Err(CallError::MaybeDone(_))) {
            break;
        }
        said = ask().await;
    }
    said
}

/// The configuration with one address in the place of another, wherever it stands.
pub(crate) fn moved(config: &Value, from: &str, to: &str) -> Value {
    match config {
        Value::String(text) => Value::String(text.replace(from, to)),
        Value::Array(all) => all.iter().map(|value| moved(value, from, to)).collect(),
        Value::Object(all) => {
            let fields = all.iter().map(|(name, value)| (name.clone(), moved(value, from, to)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// The payment of a deduction, before the channel's number is known.
pub(crate) fn payment(question: &DeductQuestion) -> PaymentRef {
    PaymentRef {
        product: Product::Mandate,
        no: question.no.clone(),
        at: question.at,
        amount: question.amount,
        channel_no: None,
    }
}

/// The payment of a payment by code.
pub(crate) fn code_payment(question: &CodePayQuestion) -> PaymentRef {
    PaymentRef {
        product: Product::PaymentCode,
        no: question.no.clone(),
        at: question.at,
        amount: question.amount,
        channel_no: None,
    }
}

/// The contract of a standing, where it can be used.
pub(crate) fn active(standing: Option<ContractStanding>) -> Option<SignedContract> {
    match standing {
        Some(ContractStanding::Active(signed)) => Some(signed),
        _ => None,
    }
}
