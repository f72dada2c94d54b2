//! The completer: finds out how payments end whose outcome nobody knows, on each channel's cadence, and revokes those that
//! will not end (INV-15).

use std::time::Duration;

use futures::StreamExt;

use super::{News, Payment, PaymentState, settle};
use crate::channel::{Cadence, Channel, Hint, Product, Refusal, Standing};
use crate::clock::Time;
use crate::engine::Engine;
use crate::payment::reference;
use crate::problem::Problem;
use crate::store::payment::ReversalMark;
use crate::{limit, reversal, store};

/// Payments that are asked about at the same time.
const AT_ONCE: usize = 8;
/// How far apart two answers "no such order" must be to count as two.
const ABSENCE_GAP: Duration = Duration::from_secs(5);

/// Asks about every payment that is due; answers how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn complete_due(engine: &Engine) -> Result<usize, Problem> {
    let due = store::payment::due(engine.db.read(), engine.clock.now(), limit::JOB_BATCH).await?;
    let count = due.len();
    futures::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |payment| async move {
            if let Err(problem) = complete(engine, &payment).await {
                tracing::error!(payment = %payment.pay_no, error = %problem, "completing {}: {problem}", payment.pay_no);
            }
        })
        .await;
    Ok(count)
}

/// Asks about one payment, now; answers how it stands.
///
/// # Errors
/// When the database does not answer.
pub async fn complete(engine: &Engine, payment: &Payment) -> Result<Payment, Problem> {
    if payment.state != PaymentState::Paying || payment.reversal != ReversalMark::None {
        return Ok(payment.clone());
    }
    let channel = engine.adapter_of(&payment.account_id).await?;
    let answer = channel.query_payment(&reference(payment)).await;
    let now = engine.clock.now();
    let cadence = cadence(engine, &*channel, payment.product);
    match &answer {
        Ok(standing) => {
            if let Some(news) = News::from_standing(standing) {
                return settle::settle(engine, &payment.pay_no, &news).await;
            }
        }
        Err(error) => {
            tracing::warn!(payment = %payment.pay_no, %error, "asking about payment {}: {error}", payment.pay_no);
        }
    }
    let absent = matches!(answer, Ok(Standing::Absent));
    if absent && absence_is_proof(payment, &cadence, now) {
        return settle::settle(engine, &payment.pay_no, &News::Closed(never_arrived())).await;
    }
    let absent_since = absent.then(|| payment.absent_since.unwrap_or(now));
    // Whoever is sending it may still be at it: nothing is revoked before his time is over.
    let may_revoke = now >= payment.created_at.plus(cadence.revoke_after) && now >= payment.send_until;
    store::payment::look_again(
        engine.db.write(),
        &payment.pay_no,
        next_look(payment, &cadence, now),
        absent_since,
    )
    .await?;
    if may_revoke {
        reversal::reverse::revoke(engine, payment).await?;
    }
    Ok(store::payment::find(engine.db.write(), &payment.pay_no)
        .await?
        .unwrap_or_else(|| payment.clone()))
}

/// The channel's cadence, with the operator's own times where he set them.
pub(crate) fn cadence(engine: &Engine, channel: &dyn Channel, product: Product) -> Cadence {
    let mut cadence = channel.cadence(product);
    if let Some(after) = engine.caps.revoke_after {
        cadence.revoke_after = after;
    }
    if let Some(after) = engine.caps.absence_proves_after {
        cadence.absence_proves_after = after;
    }
    cadence
}

/// "No such order" proves something only when no request can be on its way any more, and when it is said twice.
fn absence_is_proof(payment: &Payment, cadence: &Cadence, now: Time) -> bool {
    let quiet = now >= payment.send_until.plus(cadence.absence_proves_after);
    let gap = ABSENCE_GAP.min(cadence.absence_proves_after);
    let twice = payment.absent_since.is_some_and(|since| now >= since.plus(gap));
    quiet && twice
}

fn never_arrived() -> Refusal {
    let text = "the channel knows no such order, and none can be on its way".to_owned();
    Refusal {
        code: "NEVER_ARRIVED".to_owned(),
        text,
        hint: Hint::None,
    }
}

fn next_look(payment: &Payment, cadence: &Cadence, now: Time) -> Time {
    let looks = usize::try_from(payment.looks).unwrap_or(0);
    let wait = cadence
        .payment
        .get(looks)
        .or(cadence.payment.last())
        .copied()
        .unwrap_or(Duration::from_secs(5));
    now.plus(wait)
}
