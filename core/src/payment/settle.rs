//! The one gate: whoever learned how a payment ended, only this changes its state, its entries and its events.

use serde_json::{Value, json};

use super::state::{Step, step};
use super::{News, Payment, PaymentState};
use crate::audit::alarm::{self, AlarmKind};
use crate::channel::{Paid, Refusal};
use crate::clock::Time;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::PayNo;
use crate::outbox::{self, OwedKind};
use crate::problem::{Code, Problem};
use crate::store::Tx;
use crate::store::at_once::Succeeding;
use crate::store::payment::End;
use crate::{ledger, refund, store};

/// Brings news about a payment into the books, in one transaction: state, entries, events. Answers how the payment stands.
///
/// # Errors
/// When the database does not answer, or there is no such payment.
#[tracing::instrument(level = "debug", name = "payment.settle", skip_all)]
pub async fn settle(engine: &Engine, pay_no: &PayNo, news: &News) -> Result<Payment, Problem> {
    let payment = engine.db.again(&*engine.random, || write(engine, pay_no, news)).await?;
    engine.live.wake(&super::topic(&payment));
    Ok(payment)
}

async fn write(engine: &Engine, pay_no: &PayNo, news: &News) -> Result<Payment, Problem> {
    let tx = engine.db.begin().await?;
    let payment = settle_in(&tx, pay_no, news, engine.clock.now(), engine).await?;
    fail::fail_point!("K4b");
    tx.commit().await?;
    Ok(payment)
}

/// The same by who has just sent the payment and knows how it was written down. A success that nothing stands against is one
/// statement, where the database can.
pub(super) async fn settle_sent(engine: &Engine, payment: Payment, news: &News) -> Result<Payment, Problem> {
    let expected = step(payment.state, payment.amount, news);
    let Step::Succeed(paid) = expected else {
        return settle(engine, &payment.pay_no, news).await;
    };
    let now = engine.clock.now();
    let at_once = engine.db.writes_in_one_statement();
    if at_once {
        fail::fail_point!("K4b");
    }
    if !at_once
        || !engine
            .db
            .again(&*engine.random, || succeed_at_once(engine, &payment, &paid, now))
            .await?
    {
        // Not possible there, or somebody had other news in the meantime.
        return settle(engine, &payment.pay_no, news).await;
    }
    engine.live.wake(&super::topic(&payment));
    Ok(Payment {
        state: PaymentState::Success,
        ended_at: Some(now),
        next_look_at: None,
        channel_no: Some(paid.channel_no),
        coupon: paid.coupon,
        paid_at: Some(paid.paid_at),
        ..payment
    })
}

async fn succeed_at_once(engine: &Engine, payment: &Payment, paid: &Paid, now: Time) -> Result<bool, Problem> {
    let (journal, entries) = ledger::post::of_payment(payment, now)?;
    let told = event::of_payment(payment, paid_facts(paid)).to_string();
    let what = Succeeding {
        payment,
        paid,
        journal,
        entries,
        told: (EventKind::PaymentSucceeded.word(), told),
        owed: outbox::of_payment(OwedKind::PaymentSucceeded, payment, paid_facts(paid)),
        at: now,
    };
    let done = store::at_once::succeed(engine.db.write(), what).await?;
    if done {
        super::count::ended(payment, PaymentState::Success, now);
        tracing::info!(payment = %payment.pay_no, channel = %payment.channel, "payment {} succeeded", payment.pay_no);
    }
    Ok(done)
}

fn paid_facts(paid: &Paid) -> Value {
    json!({ "pay_coupon_fee": paid.coupon, "pay_type_trade_no": paid.channel_no })
}

/// The same within a transaction that has more to write.
pub(crate) async fn settle_in(
    tx: &Tx,
    pay_no: &PayNo,
    news: &News,
    now: Time,
    engine: &Engine,
) -> Result<Payment, Problem> {
    let payment = store::payment::hold(tx, pay_no)
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
    super::count::ended_by(tx, payment, PaymentState::Success, now);
    ledger::post::payment(tx, payment, now).await?;
    event::about_payment(tx, EventKind::PaymentSucceeded, payment, paid_facts(paid), now).await?;
    outbox::owe(
        tx,
        outbox::of_payment(OwedKind::PaymentSucceeded, payment, paid_facts(paid)),
        now,
    )
    .await?;
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
    super::count::ended_by(tx, payment, state, now);
    if let Some(uid) = &payment.uid {
        store::user::hold(tx, uid).await?;
        store::spend::release(tx, uid, payment.day, payment.amount).await?;
    }
    let (kind, owed) = if state == PaymentState::Failed {
        (EventKind::PaymentFailed, OwedKind::PaymentFailed)
    } else {
        (EventKind::PaymentClosed, OwedKind::PaymentClosed)
    };
    event::about_payment(tx, kind, payment, json!({ "hint": proof.hint }), now).await?;
    outbox::owe(tx, outbox::of_payment(owed, payment, json!({})), now).await?;
    tracing::info!(payment = %payment.pay_no, channel = %payment.channel, reason = %proof.code,
        "payment {} ended without money: {}", payment.pay_no, proof.code);
    Ok(())
}
