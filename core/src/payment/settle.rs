//! The one gate: whoever learned how a payment ended, only this changes its state, its entries and its events.

use serde_json::json;

use super::state::{Step, step};
use super::{News, Payment, PaymentState};
use crate::audit::alarm::{self, AlarmKind};
use crate::channel::{Paid, Refusal};
use crate::clock::Time;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::PayNo;
use crate::problem::{Code, Problem};
use crate::store::Tx;
use crate::store::payment::End;
use crate::{ledger, refund, store};

/// Brings news about a payment into the books, in one transaction: state, entries, events. Answers how the payment stands.
///
/// # Errors
/// When the database does not answer, or there is no such payment.
#[tracing::instrument(level = "debug", name = "payment.settle", skip_all)]
pub async fn settle(engine: &Engine, pay_no: &PayNo, news: &News) -> Result<Payment, Problem> {
    let tx = engine.db.begin().await?;
    let payment = settle_in(&tx, pay_no, news, engine.clock.now(), engine).await?;
    fail::fail_point!("K4b");
    tx.commit().await?;
    engine.live.wake(&super::topic(&payment));
    Ok(payment)
}

/// The same within a transaction that has more to write.
pub(crate) async fn settle_in(
    tx: &Tx,
    pay_no: &PayNo,
    news: &News,
    now: Time,
    engine: &Engine,
) -> Result<Payment, Problem> {
    let payment = store::payment::find(tx, pay_no)
        .await?
        .ok_or_else(|| Problem::new(Code::OrderNotFound))?;
    match step(payment.state, payment.amount, news) {
        Step::Succeed(paid) => succeed(tx, &payment, &paid, now).await?,
        Step::End(state, proof) => end(tx, &payment, state, &proof, now).await?,
        Step::Compensate(paid) => refund::compensate::open(tx, &payment, &paid, now, engine).await?,
        Step::Mismatch(paid) => {
            let text = format!(
                "the channel says {} fen, the order is {} fen",
                paid.amount, payment.amount
            );
            alarm::raise(tx, AlarmKind::AmountMismatch, pay_no.as_str(), text, now).await?;
        }
        Step::Contradiction(proof) => {
            let text = format!("the channel said paid and says now {}: {}", proof.code, proof.text);
            alarm::raise(tx, AlarmKind::Contradiction, pay_no.as_str(), text, now).await?;
        }
        Step::Nothing => return Ok(payment),
    }
    store::payment::find(tx, pay_no)
        .await?
        .ok_or_else(|| Problem::new(Code::OrderNotFound))
}

async fn succeed(tx: &Tx, payment: &Payment, paid: &Paid, now: Time) -> Result<(), Problem> {
    let end = End {
        state: PaymentState::Success,
        paid: Some(paid),
        reason: None,
        at: now,
    };
    if !store::payment::end(tx, &payment.pay_no, end).await? {
        return Ok(());
    }
    super::count::ended(tx, payment, PaymentState::Success, now);
    ledger::post::payment(tx, payment, now).await?;
    let more = json!({ "pay_coupon_fee": paid.coupon, "pay_type_trade_no": paid.channel_no });
    event::about_payment(tx, EventKind::PaymentSucceeded, payment, more, now).await?;
    tracing::info!(payment = %payment.pay_no, channel = %payment.channel, "payment {} succeeded", payment.pay_no);
    Ok(())
}

async fn end(tx: &Tx, payment: &Payment, state: PaymentState, proof: &Refusal, now: Time) -> Result<(), Problem> {
    let end = End {
        state,
        paid: None,
        reason: Some(proof),
        at: now,
    };
    if !store::payment::end(tx, &payment.pay_no, end).await? {
        return Ok(());
    }
    super::count::ended(tx, payment, state, now);
    if let Some(uid) = &payment.uid {
        store::spend::release(tx, uid, payment.day, payment.amount).await?;
    }
    let kind = if state == PaymentState::Failed {
        EventKind::PaymentFailed
    } else {
        EventKind::PaymentClosed
    };
    event::about_payment(tx, kind, payment, json!({ "hint": proof.hint }), now).await?;
    tracing::info!(payment = %payment.pay_no, channel = %payment.channel, reason = %proof.code,
        "payment {} ended without money: {}", payment.pay_no, proof.code);
    Ok(())
}
