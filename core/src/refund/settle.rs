//! The gate of refunds: whoever learned how a refund ended, only this changes its state, its entries and its events.

use metrics::counter;
use serde_json::json;

use super::{Refund, RefundKind, RefundState};
use crate::audit::alarm::{self, AlarmKind};
use crate::channel::{Refunded, Refusal};
use crate::clock::Time;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::RefundNo;
use crate::ledger;
use crate::metric;
use crate::outbox::{self, OwedKind};
use crate::payment::{self, Payment};
use crate::problem::{Code, Problem};
use crate::store::{self, Tx};

/// How a refund ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundNews {
    /// The money went back.
    Done(Refunded),
    /// It did not, by proof.
    Failed(Refusal),
}

/// Brings news about a refund into the books, in one transaction.
///
/// # Errors
/// When the database does not answer, or there is no such refund.
pub async fn settle(engine: &Engine, refund_no: &RefundNo, news: &RefundNews) -> Result<Refund, Problem> {
    let (payment, refund) = engine
        .db
        .again(&*engine.random, || write(engine, refund_no, news))
        .await?;
    engine.live.wake(&payment::topic(&payment));
    Ok(refund)
}

async fn write(engine: &Engine, refund_no: &RefundNo, news: &RefundNews) -> Result<(Payment, Refund), Problem> {
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let pay_no = find(&tx, refund_no).await?.pay_no;
    let payment = store::payment::hold(&tx, &pay_no)
        .await?
        .ok_or_else(|| Problem::new(Code::Internal))?;
    // As it stands now that nobody else settles anything of this payment.
    let refund = find(&tx, refund_no).await?;
    match (refund.state, news) {
        (RefundState::Requested, RefundNews::Done(refunded)) if refunded.amount != refund.amount => {
            let text = format!(
                "the channel says {} fen, the refund is {} fen",
                refunded.amount, refund.amount
            );
            alarm::raise(&tx, AlarmKind::AmountMismatch, refund_no.as_str(), text, now).await?;
        }
        (RefundState::Requested, RefundNews::Done(refunded)) => done(&tx, &payment, &refund, refunded, now).await?,
        (RefundState::Requested, RefundNews::Failed(proof)) => failed(&tx, &payment, &refund, proof, now).await?,
        (RefundState::Failed, RefundNews::Done(_)) => {
            let text = "the channel had refused this refund and says now that it was made".to_owned();
            alarm::raise(&tx, AlarmKind::Contradiction, refund_no.as_str(), text, now).await?;
        }
        _ => {}
    }
    fail::fail_point!("R3b");
    let refund = find(&tx, refund_no).await?;
    tx.commit().await?;
    Ok((payment, refund))
}

async fn find(tx: &Tx, refund_no: &RefundNo) -> Result<Refund, Problem> {
    store::refund::find(tx, refund_no)
        .await?
        .ok_or_else(|| Problem::new(Code::OrderNotFound))
}

async fn done(tx: &Tx, payment: &Payment, refund: &Refund, refunded: &Refunded, now: Time) -> Result<(), Problem> {
    if refund.kind == RefundKind::Compensation {
        if store::refund::done(tx, &refund.refund_no, refunded, crate::money::Fen::ZERO, now).await? {
            count(tx, payment, refund, RefundState::Done);
            ledger::post::compensation(tx, payment, refund, now).await?;
        }
        return Ok(());
    }
    // Counting first takes the payment's row, so that two refunds of one payment share its fee one after the other.
    store::payment::count_refunded(tx, &payment.pay_no, refund.amount).await?;
    let counted = store::payment::find(tx, &payment.pay_no)
        .await?
        .ok_or_else(|| Problem::new(Code::Internal))?;
    let before = counted.refunded.minus(refund.amount)?;
    let fee_back = payment
        .fee
        .share(counted.refunded, payment.amount)
        .minus(payment.fee.share(before, payment.amount))?;
    if !store::refund::done(tx, &refund.refund_no, refunded, fee_back, now).await? {
        return Err(Problem::fault("a refund in progress could not be ended"));
    }
    count(tx, payment, refund, RefundState::Done);
    ledger::post::refund(tx, payment, refund, fee_back, now).await?;
    let more = json!({ "pay_refund_id": refund.refund_no, "refund_fee": refund.amount });
    event::about_payment(tx, EventKind::PaymentRefunded, payment, more, now).await?;
    outbox::owe(tx, outbox::of_refund(OwedKind::RefundSucceeded, payment, refund), now).await?;
    tracing::info!(refund = %refund.refund_no, payment = %payment.pay_no, "refund {} done", refund.refund_no);
    Ok(())
}

async fn failed(tx: &Tx, payment: &Payment, refund: &Refund, proof: &Refusal, now: Time) -> Result<(), Problem> {
    if refund.kind == RefundKind::Compensation {
        // Money that is not ours must go back: a person finds another way, the refund stays open.
        let text = format!(
            "the channel will not give late money back: {} {}",
            proof.code, proof.text
        );
        return alarm::raise(tx, AlarmKind::CompensationStuck, refund.refund_no.as_str(), text, now).await;
    }
    if store::refund::failed(tx, &refund.refund_no, (&proof.code, &proof.text), now).await? {
        count(tx, payment, refund, RefundState::Failed);
        store::payment::release_refund(tx, &refund.pay_no, refund.amount).await?;
        outbox::owe(tx, outbox::of_refund(OwedKind::RefundFailed, payment, refund), now).await?;
        tracing::warn!(refund = %refund.refund_no, reason = %proof.code,
            "refund {} failed: {}", refund.refund_no, proof.code);
    }
    Ok(())
}

/// Counts the refund's end when it is in the books.
fn count(tx: &Tx, payment: &Payment, refund: &Refund, end: RefundState) {
    let (channel, kind) = (payment.channel.0.clone(), refund.kind.word());
    tx.after_commit(move || {
        counter!(metric::REFUNDS, "channel" => channel, "kind" => kind, "state" => end.word()).increment(1);
    });
}
