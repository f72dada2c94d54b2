//! Driving a refund to its end: send, ask, send the same again.

use std::time::Duration;

use futures::StreamExt;

use super::settle::{RefundNews, settle};
use super::{Refund, RefundKind, RefundState, question};
use crate::channel::{Cadence, Channel, Outcome, RefundStanding, Refunded, Reversed};
use crate::engine::Engine;
use crate::payment::{self, Payment};
use crate::problem::Problem;
use crate::reversal::{self, Reversal};
use crate::{limit, store};

/// Refunds that are asked about at the same time.
const AT_ONCE: usize = 8;
/// How long who asked for a refund waits for it to end, when the channel accepts it first.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks about every refund that is due; answers how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn complete_due(engine: &Engine) -> Result<usize, Problem> {
    let due = store::refund::due(engine.db.read(), engine.clock.now(), limit::JOB_BATCH).await?;
    let count = due.len();
    futures::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |refund| async move {
            if let Err(problem) = complete(engine, &refund).await {
                tracing::error!(refund = %refund.refund_no, error = %problem,
                    "completing {}: {problem}", refund.refund_no);
            }
        })
        .await;
    Ok(count)
}

/// Sends a refund for the first time, and gives it a little time to end.
pub(super) async fn send(engine: &Engine, payment: &Payment, refund: &Refund) -> Result<(), Problem> {
    let channel = engine.adapter_of(&payment.account_id).await?;
    if call(engine, &*channel, payment, refund).await? {
        return Ok(());
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for wait in channel.cadence(payment.product).refund {
        let next = tokio::time::Instant::now() + wait.max(Duration::from_millis(50));
        if next >= deadline {
            break;
        }
        tokio::time::sleep_until(next).await;
        if ask(engine, &*channel, payment, refund).await? != Asked::Open {
            break;
        }
    }
    Ok(())
}

/// Asks about one refund, and sends the same one again where the channel knows nothing of it.
///
/// # Errors
/// When the database does not answer.
pub async fn complete(engine: &Engine, refund: &Refund) -> Result<(), Problem> {
    if refund.state != RefundState::Requested {
        return Ok(());
    }
    let payment = payment::find::by_number(engine, &refund.pay_no).await?;
    let channel = engine.adapter_of(&payment.account_id).await?;
    let next = engine
        .clock
        .now()
        .plus(next_wait(refund, &channel.cadence(payment.product)));
    store::refund::look_again(engine.db.write(), &refund.refund_no, next).await?;
    if refund.kind == RefundKind::Compensation
        && let Some(reversal) = store::reversal::of_payment(engine.db.write(), &refund.pay_no).await?
    {
        return undo(engine, &*channel, &payment, refund, &reversal).await;
    }
    if ask(engine, &*channel, &payment, refund).await? == Asked::Absent {
        call(engine, &*channel, &payment, refund).await?;
    }
    Ok(())
}

/// Late money of an order that was reversed goes back by that very reversal, under its number: a call of it that was still
/// on its way when the order was closed may have given the money back already, and must not meet a second refund.
async fn undo(
    engine: &Engine,
    channel: &dyn Channel,
    payment: &Payment,
    refund: &Refund,
    reversal: &Reversal,
) -> Result<(), Problem> {
    let news = match channel.reverse(&reversal::question(payment, reversal)).await {
        Ok(Outcome::Done(Reversed::MoneyBack { channel_no, .. })) => RefundNews::Done(Refunded {
            channel_no,
            amount: refund.amount,
            coupon: payment.coupon,
            refunded_at: engine.clock.now(),
        }),
        Ok(Outcome::Refused(refusal)) => RefundNews::Failed(refusal),
        // Said paid a moment ago, and said never paid now: asked again, until it is one of them.
        Ok(Outcome::Done(Reversed::NeverPaid) | Outcome::Pending) => return Ok(()),
        Err(error) => {
            tracing::warn!(refund = %refund.refund_no, %error, "giving late money back: {error}");
            return Ok(());
        }
    };
    settle(engine, &refund.refund_no, &news).await.map(|_| ())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Ended,
    Open,
    Absent,
}

async fn ask(engine: &Engine, channel: &dyn Channel, payment: &Payment, refund: &Refund) -> Result<Asked, Problem> {
    let news = match channel.query_refund(&question(payment, refund)).await {
        Ok(RefundStanding::Refunded(refunded)) => RefundNews::Done(refunded),
        Ok(RefundStanding::NotRefunded(refusal)) => RefundNews::Failed(refusal),
        Ok(RefundStanding::Pending) => return Ok(Asked::Open),
        Ok(RefundStanding::Absent) => return Ok(Asked::Absent),
        Err(error) => {
            tracing::warn!(refund = %refund.refund_no, %error, "asking about refund {}: {error}", refund.refund_no);
            return Ok(Asked::Open);
        }
    };
    settle(engine, &refund.refund_no, &news).await?;
    Ok(Asked::Ended)
}

/// Sends a refund under its one number, so that a repeat is never a second refund (INV-12); answers whether it ended.
async fn call(engine: &Engine, channel: &dyn Channel, payment: &Payment, refund: &Refund) -> Result<bool, Problem> {
    let called = channel.refund(&question(payment, refund)).await;
    fail::fail_point!("R3");
    let news = match called {
        Ok(Outcome::Done(refunded)) => RefundNews::Done(refunded),
        Ok(Outcome::Refused(refusal)) => RefundNews::Failed(refusal),
        Ok(Outcome::Pending) => return Ok(false),
        Err(error) => {
            tracing::warn!(refund = %refund.refund_no, %error, "refund {}: {error}", refund.refund_no);
            return Ok(false);
        }
    };
    settle(engine, &refund.refund_no, &news).await?;
    Ok(true)
}

fn next_wait(refund: &Refund, cadence: &Cadence) -> Duration {
    let looks = usize::try_from(refund.looks).unwrap_or(0);
    cadence
        .refund
        .get(looks)
        .or(cadence.refund.last())
        .copied()
        .unwrap_or(Duration::from_secs(60))
}
