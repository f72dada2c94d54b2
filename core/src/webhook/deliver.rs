//! Telling endpoints: each the oldest first, one after the other, and each for itself.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::schedule::{GIVEN_UP_AFTER, Outcome, RESTS_FROM, WAIT_MAX, rest};
use super::{Endpoint, keys};
use crate::clock::Time;
use crate::courier::{COURIER_MAX, CourierCall};
use crate::engine::{COURIER_SEATS, Engine};
use crate::metric;
use crate::problem::Problem;
use crate::signing::{WebhookKey, sign_webhook};
use crate::store::delivery::{DeliveryState, Model as Delivery, attempt};
use crate::store::endpoint::EndpointState;
use crate::store::outbox::Model as Owed;
use crate::store::{self, Lane};

/// How long a node may be at one endpoint before another may.
const LEASE: Duration = Duration::from_secs(60);
/// What one visit tells at most; then others have their turn.
const VISIT: u64 = 50;
/// Between two notices of a backlog: whoever comes back is not flooded.
const BACKLOG_GAP: Duration = Duration::from_millis(20);
/// From which age on a notice is of a backlog.
const BACKLOG_AGE: Duration = Duration::from_secs(60);

const _: () = assert!(COURIER_MAX.as_secs() * 2 < LEASE.as_secs());

/// Begins to tell the endpoints that something is owed to, and answers how many. It waits for none: that would be the slowest.
pub(crate) async fn deliver_due(engine: &Engine) -> Result<usize, Problem> {
    let seats = engine.courier_seats();
    let free = u64::try_from(seats.available_permits()).unwrap_or_default();
    if free == 0 {
        return Ok(0);
    }
    let now = engine.clock.now();
    let due = store::endpoint::due(engine.db.read(), now, free).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let engine = Arc::new(engine.on(Lane::Jobs));
    let mut begun = 0_usize;
    for endpoint in due {
        let Ok(seat) = Arc::clone(seats).try_acquire_owned() else {
            break;
        };
        let until = now.plus(LEASE);
        if !store::endpoint::take(engine.db.write(), &endpoint.endpoint_id, now, until).await? {
            continue;
        }
        begun = begun.saturating_add(1);
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            let id = endpoint.endpoint_id.clone();
            if let Err(problem) = visit(&engine, endpoint, until).await {
                // Whoever looks after the lease goes on.
                tracing::error!(endpoint = %id, error = %problem, "endpoint {id}: {problem}");
            }
            drop(seat);
        });
    }
    Ok(begun)
}

/// Tells one endpoint what it is owed, and leaves it as it stands then.
async fn visit(engine: &Engine, mut endpoint: Endpoint, mut until: Time) -> Result<(), Problem> {
    let now = engine.clock.now();
    let id = endpoint.endpoint_id.clone();
    let keys = keys::live(engine, &id, &endpoint.keys_sealed, now)?;
    // One that has rested is tried with whatever is the oldest.
    let (by, limit) = match endpoint.failures {
        failures if failures >= RESTS_FROM => (None, 1),
        _ => (Some(now), VISIT),
    };
    let mut asked = Duration::ZERO;
    for delivery in store::delivery::waiting(engine.db.write(), &id, by, limit).await? {
        // Who switches it off, moves it or takes its keys away need not wait until the visit ends.
        if engine.courier_seats().is_closed() || !store::endpoint::stands(engine.db.read(), &endpoint, until).await? {
            break;
        }
        let now = engine.clock.now();
        if now.plus(COURIER_MAX * 2) > until {
            let longer = now.plus(LEASE);
            if !store::endpoint::stay(engine.db.write(), &id, until, longer).await? {
                return Ok(());
            }
            until = longer;
        }
        if now.since(delivery.created_at) > BACKLOG_AGE {
            tokio::time::sleep(BACKLOG_GAP).await;
        }
        let outcome = tell(engine, &endpoint, &keys, &delivery).await?;
        match outcome {
            Outcome::Taken(_) => {
                if endpoint.failures >= RESTS_FROM {
                    release(engine, &id).await?;
                }
                endpoint.failures = 0;
            }
            Outcome::Gone => {
                endpoint.state = EndpointState::Gone;
                break;
            }
            Outcome::NotTaken { retry_after, .. } => {
                endpoint.failures = endpoint.failures.saturating_add(1);
                if let Some(wanted) = retry_after {
                    // It is the server that wants to be left alone, not this one notice.
                    asked = wanted.min(WAIT_MAX);
                    endpoint.failures = endpoint.failures.max(RESTS_FROM);
                }
                if endpoint.failures >= RESTS_FROM {
                    break;
                }
            }
        }
    }
    leave(engine, &endpoint, until, asked).await
}

/// Tells one thing, and writes down what came of it.
async fn tell(
    engine: &Engine,
    endpoint: &Endpoint,
    keys: &[WebhookKey],
    delivery: &Delivery,
) -> Result<Outcome, Problem> {
    let (at, begun) = (engine.clock.now(), Instant::now());
    let outcome = match store::outbox::find(engine.db.read(), delivery.seq).await? {
        Some(owed) => bring(engine, &endpoint.url, keys, &owed, at).await?,
        None => Outcome::NotTaken {
            status: None,
            word: "EVENT_FORGOTTEN",
            retry_after: None,
        },
    };
    let after = delivery.clone().attempted(&outcome, (at, &*engine.random));
    let attempt = attempt::Model {
        attempt_id: 0,
        delivery_id: delivery.delivery_id,
        at,
        took_ms: i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
        status: after.last_status,
        trouble: after.last_trouble.clone(),
    };
    let tx = engine.db.begin().await?;
    store::delivery::attempted(&tx, (delivery, &after), attempt).await?;
    tx.commit().await?;
    let word = match after.state {
        DeliveryState::Delivered => "delivered",
        DeliveryState::Waiting => "not_taken",
        DeliveryState::Dead => "dead",
    };
    counter!(metric::WEBHOOKS, "outcome" => word).increment(1);
    if after.state == DeliveryState::Dead {
        let (endpoint, event) = (&endpoint.endpoint_id, &delivery.event_id);
        tracing::error!(%endpoint, %event, "notice {event} was not taken by {endpoint} for three days and is given up");
    }
    Ok(outcome)
}

/// Brings it, signed by every key of the endpoint.
async fn bring(engine: &Engine, url: &str, keys: &[WebhookKey], owed: &Owed, at: Time) -> Result<Outcome, Problem> {
    let body = body(owed)?;
    let call = signed_call(url, keys, (&owed.event_id, at), body)?;
    Ok(match engine.courier.bring(call).await {
        Ok(answer) => Outcome::of(answer.status, answer.retry_after),
        Err(failure) => {
            tracing::debug!(event = %owed.event_id, error = %failure, "notice {}: {failure}", owed.event_id);
            Outcome::NotTaken {
                status: None,
                word: failure.word,
                retry_after: None,
            }
        }
    })
}

/// A signed call.
pub(super) fn signed_call(
    url: &str,
    keys: &[WebhookKey],
    (id, at): (&str, Time),
    body: String,
) -> Result<CourierCall, Problem> {
    let headers = sign_webhook(keys, id, at, body.as_bytes()).map_err(Problem::fault)?;
    let pairs = headers.pairs();
    Ok(CourierCall {
        url: url.to_owned(),
        headers: pairs
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect(),
        body,
    })
}

/// The body: the same at each repetition.
fn body(owed: &Owed) -> Result<String, Problem> {
    let data: Value = serde_json::from_str(&owed.payload).map_err(Problem::fault)?;
    Ok(json!({
        "type": owed.kind,
        "timestamp": owed.created_at.in_china().to_rfc3339(),
        "mch_id": owed.mch_id,
        "data": data,
    })
    .to_string())
}

/// It takes notices again: whatever waits need not wait longer (FLT-43).
async fn release(engine: &Engine, endpoint_id: &str) -> Result<(), Problem> {
    let tx = engine.db.begin().await?;
    let waiting = store::delivery::release(&tx, endpoint_id, engine.clock.now()).await?;
    tx.commit().await?;
    tracing::info!(
        endpoint = endpoint_id,
        waiting,
        "endpoint {endpoint_id} takes notices again"
    );
    Ok(())
}

/// Writes how the endpoint stands, and when it is told next, while nobody can owe it anything new. Whoever was away for longer than his
/// lease writes nothing: somebody else is at it.
async fn leave(engine: &Engine, endpoint: &Endpoint, until: Time, asked: Duration) -> Result<(), Problem> {
    let now = engine.clock.now();
    let id = &endpoint.endpoint_id;
    let tx = engine.db.begin().await?;
    let present = store::endpoint::hold(&tx, id).await?;
    let Some(mut present) = present.filter(|present| present.busy_until == Some(until)) else {
        return Ok(());
    };
    let mut given_up = 0;
    // The merchant may have changed it meanwhile; then his word counts, and what was found out is about what it was before.
    if present.updated_at == endpoint.updated_at {
        present.failures = endpoint.failures;
        if endpoint.state == EndpointState::Gone {
            present.state = EndpointState::Gone;
            tracing::warn!(endpoint = %id, "endpoint {id} answers 410 and is told nothing more");
        } else if endpoint.failures >= RESTS_FROM {
            // Only the oldest is tried while it rests. Nothing of the rest was taken either, and their three days go on with its.
            store::delivery::count_as_tried(&tx, id, now).await?;
            given_up = store::delivery::give_up(&tx, id, now.minus(GIVEN_UP_AFTER), now).await?;
        }
    }
    present.next_at = store::delivery::next_at(&tx, id).await?;
    if let (Some(_), Some(rest)) = (present.next_at, rest(present.failures)) {
        present.next_at = Some(now.plus(rest.max(asked)));
    }
    store::endpoint::leave(&tx, &present).await?;
    tx.commit().await?;
    if given_up > 0 {
        counter!(metric::WEBHOOKS, "outcome" => "dead").increment(given_up);
        tracing::error!(endpoint = %id, given_up, "{given_up} notices were not taken by {id} for three days and are given up");
    }
    Ok(())
}

/// Begins to tell no more, and waits until what is being told is written down, so long at most; answers whether it is. What is not is
/// told again by others.
pub async fn finish(engine: &Engine, within: Duration) -> bool {
    let seats = engine.courier_seats();
    seats.close();
    let all_left = async {
        while seats.available_permits() < COURIER_SEATS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(within, all_left).await.is_ok()
}
