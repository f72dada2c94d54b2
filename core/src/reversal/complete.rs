//! Driving a reversal to its end: call the channel again until it is certain.

use std::time::Duration;

use futures::StreamExt;

use super::{Reversal, ReversalState, question, settle};
use crate::engine::Engine;
use crate::payment;
use crate::problem::Problem;
use crate::{limit, store};

/// Reversals that are driven at the same time.
const AT_ONCE: usize = 8;
/// Waits between calls while a till waits.
const QUICK: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];
/// Waits between calls of the job; the last one repeats.
const SLOW: [Duration; 7] = [
    Duration::from_secs(3),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// Calls for every reversal that is due; answers how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn complete_due(engine: &Engine) -> Result<usize, Problem> {
    let due = store::reversal::due(engine.db.read(), engine.clock.now(), limit::JOB_BATCH).await?;
    let count = due.len();
    futures::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |reversal| async move {
            if let Err(problem) = complete(engine, &reversal).await {
                tracing::error!(reversal = %reversal.reversal_no, error = %problem,
                    "completing {}: {problem}", reversal.reversal_no);
            }
        })
        .await;
    Ok(count)
}

/// Calls once for one reversal.
///
/// # Errors
/// When the database does not answer.
pub async fn complete(engine: &Engine, reversal: &Reversal) -> Result<(), Problem> {
    if reversal.state != ReversalState::Requested {
        return Ok(());
    }
    let looks = usize::try_from(reversal.looks).unwrap_or(0);
    let wait = SLOW
        .get(looks)
        .or(SLOW.last())
        .copied()
        .unwrap_or(Duration::from_secs(60));
    store::reversal::look_again(engine.db.write(), &reversal.reversal_no, engine.clock.now().plus(wait)).await?;
    call(engine, reversal).await.map(|_| ())
}

/// Calls until it is certain or the till's time is over.
pub(super) async fn drive(engine: &Engine, reversal: &Reversal) -> Result<(), Problem> {
    for wait in QUICK {
        if call(engine, reversal).await? {
            return Ok(());
        }
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// One call of the channel; answers whether the reversal ended. The same question each time: the adapter goes on where
/// the channel stands.
async fn call(engine: &Engine, reversal: &Reversal) -> Result<bool, Problem> {
    // Others drive it too: the job, and every till that called again. What they ended is ended.
    let present = store::reversal::of_payment(engine.db.write(), &reversal.pay_no).await?;
    if present.is_none_or(|present| present.state != ReversalState::Requested) {
        return Ok(true);
    }
    let payment = payment::find::by_number(engine, &reversal.pay_no).await?;
    // A sender whose time is not over may still be at it; what he sends after us would be paid after all.
    if payment.state == payment::PaymentState::Paying && engine.clock.now() < payment.send_until {
        let standing = engine.adapter_of(&payment.account_id).await?;
        if !settle::may_undo_now(&*standing, &payment).await {
            return Ok(false);
        }
    }
    fail::fail_point!("V2");
    let channel = engine.adapter_of(&payment.account_id).await?;
    let called = channel.reverse(&question(&payment, reversal)).await;
    fail::fail_point!("V4");
    match called {
        Ok(outcome) => settle::settle(engine, reversal, outcome).await,
        Err(error) => {
            tracing::warn!(reversal = %reversal.reversal_no, %error, "reversal {}: {error}", reversal.reversal_no);
            Ok(false)
        }
    }
}
