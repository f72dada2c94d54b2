//! The gate of reversals: what a channel's answer does to the reversal, the payment, the entries and the events.

use metrics::counter;
use serde_json::json;

use super::{Reversal, ReversalResult};
use crate::audit::alarm::{self, AlarmKind};
use crate::channel::{Channel, Hint, Outcome, Paid, Refusal, Reversed, Standing};
use crate::clock::Time;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::ledger;
use crate::metric;
use crate::money::Fen;
use crate::outbox::{self, OwedKind};
use crate::payment::settle::settle_in;
use crate::payment::{News, Payment, PaymentState, reference, topic};
use crate::problem::{Code, Problem};
use crate::store::{self, Tx};

/// Brings a channel's answer into the books, in one transaction; answers whether the reversal ended.
pub(super) async fn settle(engine: &Engine, reversal: &Reversal, outcome: Outcome<Reversed>) -> Result<bool, Problem> {
    let Some((payment, ended)) = engine
        .db
        .again(&*engine.random, || write(engine, reversal, &outcome))
        .await?
    else {
        return Ok(false);
    };
    engine.live.wake(&topic(&payment));
    Ok(ended)
}

/// Nothing while the channel is still at it.
async fn write(
    engine: &Engine,
    reversal: &Reversal,
    outcome: &Outcome<Reversed>,
) -> Result<Option<(Payment, bool)>, Problem> {
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let payment = store::payment::hold(&tx, &reversal.pay_no)
        .await?
        .ok_or_else(|| Problem::new(Code::Internal))?;
    let ended = match outcome {
        Outcome::Pending => return Ok(None),
        Outcome::Refused(refusal) => refused(&tx, reversal, &payment, refusal, now).await?,
        Outcome::Done(Reversed::NeverPaid) => never_paid(&tx, engine, reversal, &payment, now).await?,
        Outcome::Done(Reversed::MoneyBack { paid, channel_no }) => {
            let paid = paid.clone();
            let paid = paid.unwrap_or_else(|| assumed(&payment, channel_no.as_deref(), now));
            money_back(&tx, engine, reversal, &payment, &paid, channel_no.as_deref(), now).await?
        }
    };
    fail::fail_point!("V4b");
    tx.commit().await?;
    Ok(Some((payment, ended)))
}

/// Nothing stands and nothing will: the payment is closed by proof.
async fn never_paid(
    tx: &Tx,
    engine: &Engine,
    reversal: &Reversal,
    payment: &Payment,
    now: Time,
) -> Result<bool, Problem> {
    if payment.state == PaymentState::Success {
        // The channel had said paid. It must be asked again, and a person should know.
        let text = "the channel said paid and says now that there was never a payment".to_owned();
        alarm::raise(tx, AlarmKind::Contradiction, payment.pay_no.as_str(), text, now).await?;
        return Ok(false);
    }
    let proof = Refusal {
        code: "REVERSED".to_owned(),
        text: "undone before it was paid".to_owned(),
        hint: Hint::None,
    };
    settle_in(tx, &payment.pay_no, &News::Closed(proof), now, engine).await?;
    finish(tx, reversal, payment, (ReversalResult::NeverPaid, None), now).await
}

/// Everything went back: the payment had been paid (which may be news), and its mirror image is posted.
async fn money_back(
    tx: &Tx,
    engine: &Engine,
    reversal: &Reversal,
    payment: &Payment,
    paid: &Paid,
    channel_no: Option<&str>,
    now: Time,
) -> Result<bool, Problem> {
    let paid_payment = settle_in(tx, &payment.pay_no, &News::Paid(paid.clone()), now, engine).await?;
    if paid_payment.state != PaymentState::Success {
        // It had been closed, or the amounts differ: the compensation or the alarm just written takes it from here.
        return Ok(false);
    }
    if finish(tx, reversal, payment, (ReversalResult::MoneyBack, channel_no), now).await? {
        ledger::post::reversal(tx, &paid_payment, now).await?;
        if let Some(uid) = &payment.uid {
            store::user::hold(tx, uid).await?;
            store::spend::release(tx, uid, payment.day, payment.amount).await?;
        }
        event::about_payment(tx, EventKind::PaymentReversed, payment, json!({}), now).await?;
        outbox::owe(
            tx,
            outbox::of_payment(OwedKind::PaymentReversed, payment, json!({})),
            now,
        )
        .await?;
    }
    Ok(true)
}

async fn finish(
    tx: &Tx,
    reversal: &Reversal,
    payment: &Payment,
    (result, channel_no): (ReversalResult, Option<&str>),
    now: Time,
) -> Result<bool, Problem> {
    let first = store::reversal::done(tx, &reversal.reversal_no, result, channel_no, now).await?;
    if first {
        count(tx, reversal, payment, result.word());
        store::payment::end_reversal(tx, &reversal.pay_no, true).await?;
        tracing::info!(reversal = %reversal.reversal_no, payment = %reversal.pay_no, result = ?result,
            "reversal {} of payment {} done: {result:?}", reversal.reversal_no, reversal.pay_no);
    }
    Ok(first)
}

async fn refused(
    tx: &Tx,
    reversal: &Reversal,
    payment: &Payment,
    refusal: &Refusal,
    now: Time,
) -> Result<bool, Problem> {
    if store::reversal::refused(tx, &reversal.reversal_no, (&refusal.code, &refusal.text), now).await? {
        count(tx, reversal, payment, "refused");
        store::payment::end_reversal(tx, &reversal.pay_no, false).await?;
    }
    Ok(true)
}

/// Counts the reversal's end when it is in the books.
fn count(tx: &Tx, reversal: &Reversal, payment: &Payment, result: &'static str) {
    let (channel, origin) = (payment.channel.0.clone(), reversal.origin.word());
    tx.after_commit(move || {
        counter!(metric::REVERSALS, "channel" => channel, "origin" => origin, "result" => result).increment(1);
    });
}

/// What is known of a payment whose success the channel did not describe: our own figures.
fn assumed(payment: &Payment, channel_no: Option<&str>, now: Time) -> Paid {
    let no = payment.channel_no.as_deref().or(channel_no).unwrap_or_default();
    Paid {
        channel_no: no.to_owned(),
        amount: payment.amount,
        coupon: Fen::ZERO,
        paid_at: now,
    }
}

/// Whether an order whose sender may still be sending can be undone now: only when the channel knows it already. A sender's
/// request that arrives after "there is no such order" would be paid after all.
pub(super) async fn may_undo_now(channel: &dyn Channel, payment: &Payment) -> bool {
    !matches!(
        channel.query_payment(&reference(payment)).await,
        Ok(Standing::Absent) | Err(_)
    )
}
