//! The story of a reversal, from the till's wish to the answer.

use std::sync::Arc;
use std::time::Duration;

use super::{Recall, Reversal, ReversalOrigin, ReversalState, complete};
use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{MchId, OutRequestNo, ReversalNo};
use crate::limit;
use crate::payment::{self, OrderKey, Payment, PaymentState, ReversalMark};
use crate::problem::{Code, Problem};
use crate::store;

/// How long a reversal is left to who asked for it before the completer takes it up.
const OWN_TIME: Duration = Duration::from_secs(10);

/// Undoes an order: closes it if unpaid, gives everything back if paid. "Call again" until it is certain.
///
/// # Errors
/// `REVERSE_REFUSED` when there are refunds, or it is too late, or the channel will not: use a refund.
pub async fn reverse(engine: &Arc<Engine>, mch_id: &MchId, key: &OrderKey) -> Result<Recall, Problem> {
    let payment = match payment::find::find(engine, mch_id, key).await {
        Ok(payment) => payment,
        Err(problem) if problem.code == Code::OrderNotFound => {
            let (Some(no), None) = (&key.out_request_no, &key.pay_no) else {
                return Err(problem);
            };
            match bury(engine, mch_id, no).await? {
                Some(recall) => return Ok(recall),
                // The payment came in just now.
                None => payment::find::find(engine, mch_id, key).await?,
            }
        }
        Err(problem) => return Err(problem),
    };
    if matches!(payment.state, PaymentState::Failed | PaymentState::Closed) {
        return Ok(certain(payment.ended_at.unwrap_or(payment.created_at)));
    }
    let reversal = match store::reversal::of_payment(engine.db.write(), &payment.pay_no).await? {
        Some(done) if done.state == ReversalState::Done => {
            return Ok(certain(done.ended_at.unwrap_or(done.created_at)));
        }
        Some(open) if open.state == ReversalState::Requested => open,
        _ => ask(engine, &payment, ReversalOrigin::Till).await?,
    };
    fail::fail_point!("V1");
    drive(engine, reversal).await
}

/// The platform gives up waiting for an outcome: the same reversal, asked for by itself. The completer drives it on.
pub(crate) async fn revoke(engine: &Engine, payment: &Payment) -> Result<(), Problem> {
    match ask(engine, payment, ReversalOrigin::Platform).await {
        Ok(reversal) => complete::complete(engine, &reversal).await,
        // The outcome, a refund or a till was faster.
        Err(problem) if matches!(problem.code, Code::ReverseRefused) => Ok(()),
        Err(problem) => Err(problem),
    }
}

fn certain(at: crate::clock::Time) -> Recall {
    Recall { again: false, at }
}

/// Leaves a tombstone for a number that was never used; `None` when a payment was faster.
async fn bury(engine: &Engine, mch_id: &MchId, no: &OutRequestNo) -> Result<Option<Recall>, Problem> {
    let now = engine.clock.now();
    let take = || store::request_no::take(engine.db.write(), mch_id, no, None, now);
    match engine.db.again(&*engine.random, take).await {
        Ok(()) => Ok(Some(certain(now))),
        Err(error) if store::is_unique_violation(&error) => {
            let owner = store::request_no::find(engine.db.write(), mch_id, no).await?;
            Ok(owner
                .filter(|owner| owner.pay_no.is_none())
                .map(|owner| certain(owner.created_at)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Marks the payment and writes the reversal down, together.
async fn ask(engine: &Engine, payment: &Payment, origin: ReversalOrigin) -> Result<Reversal, Problem> {
    let now = engine.clock.now();
    if origin == ReversalOrigin::Till && now > payment.created_at.plus(limit::REVERSE_WINDOW) {
        return Err(Problem {
            rule: Some("撤销期限已过，请使用退款"),
            ..Problem::new(Code::ReverseRefused)
        });
    }
    let Some(reversal) = engine
        .db
        .again(&*engine.random, || write(engine, payment, origin, now))
        .await?
    else {
        return already(engine, payment).await;
    };
    tracing::info!(reversal = %reversal.reversal_no, payment = %payment.pay_no, origin = ?origin,
        "reversal {} of payment {} asked for", reversal.reversal_no, payment.pay_no);
    Ok(reversal)
}

/// Nothing where the mark could not be set.
async fn write(
    engine: &Engine,
    payment: &Payment,
    origin: ReversalOrigin,
    now: Time,
) -> Result<Option<Reversal>, Problem> {
    let tx = engine.db.begin().await?;
    if !store::payment::ask_reversal(&tx, &payment.pay_no).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    let fresh = Reversal {
        reversal_no: ReversalNo::fresh(&*engine.clock, &*engine.random),
        pay_no: payment.pay_no.clone(),
        mch_id: payment.mch_id.clone(),
        origin,
        state: ReversalState::Requested,
        result: None,
        amount: payment.amount,
        reason: None,
        reason_text: None,
        channel_no: None,
        created_at: now,
        ended_at: None,
        next_look_at: Some(now.plus(OWN_TIME)),
        looks: 0,
    };
    // One that the channel refused before is taken up again under its own number.
    let reversal = match store::reversal::of_payment(&tx, &payment.pay_no).await? {
        None => {
            store::reversal::insert(&tx, fresh.clone()).await?;
            fresh
        }
        Some(refused) => {
            store::reversal::ask_again(&tx, &refused.reversal_no, now.plus(OWN_TIME)).await?;
            Reversal {
                state: ReversalState::Requested,
                ..refused
            }
        }
    };
    tx.commit().await?;
    Ok(Some(reversal))
}

/// Why the mark could not be set: a reversal stands already, or refunds do.
async fn already(engine: &Engine, payment: &Payment) -> Result<Reversal, Problem> {
    let present = payment::find::by_number(engine, &payment.pay_no).await?;
    if present.reversal != ReversalMark::None
        && let Some(reversal) = store::reversal::of_payment(engine.db.write(), &payment.pay_no).await?
    {
        return Ok(reversal);
    }
    Err(Problem {
        rule: Some("已有退款，请使用退款"),
        ..Problem::new(Code::ReverseRefused)
    })
}

/// Calls the channel in the background, so that a till that hangs up cannot stop it half way.
async fn drive(engine: &Arc<Engine>, reversal: Reversal) -> Result<Recall, Problem> {
    let pay_no = reversal.pay_no.clone();
    let own = Arc::clone(engine);
    let driving = tokio::spawn(async move { complete::drive(&own, &reversal).await });
    if let Ok(Ok(Err(problem))) = tokio::time::timeout(engine.caps.till_wait, driving).await {
        tracing::error!(payment = %pay_no, error = %problem, "reversing payment {pay_no} broke off: {problem}");
    }
    fail::fail_point!("V5");
    let reversal = store::reversal::of_payment(engine.db.write(), &pay_no).await?;
    let reversal = reversal.ok_or_else(|| Problem::new(Code::Internal))?;
    match reversal.state {
        ReversalState::Requested => Ok(Recall {
            again: true,
            at: engine.clock.now(),
        }),
        ReversalState::Done => Ok(certain(reversal.ended_at.unwrap_or(reversal.created_at))),
        ReversalState::Refused => Err(Problem {
            rule: Some("支付渠道不支持撤销该订单，请使用退款"),
            ..Problem::new(Code::ReverseRefused)
        }),
    }
}
