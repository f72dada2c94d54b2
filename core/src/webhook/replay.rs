//! Looking at what was told, and telling it again.

use serde_json::json;

use super::endpoint::held;
use super::{DeliveryState, EndpointState, spread};
use crate::clock::Time;
use crate::engine::Engine;
use crate::id::MchId;
use crate::limit;
use crate::outbox::OwedKind;
use crate::problem::{Code, Problem};
use crate::store::delivery::{Again, Model as Delivery, attempt::Model as Attempt};
use crate::store::outbox::Owed;
use crate::store::{self, Tx};

/// Something that an endpoint was owed, with every attempt.
#[derive(Debug, Clone)]
pub struct Told {
    /// What became of it.
    pub delivery: Delivery,
    /// Its attempts, the oldest first.
    pub attempts: Vec<Attempt>,
}

/// What an endpoint was owed, the newest first, before a place; a page at most.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`.
pub async fn deliveries(
    engine: &Engine,
    mch_id: &MchId,
    endpoint_id: &str,
    which: (Option<DeliveryState>, Option<i64>),
) -> Result<Vec<Told>, Problem> {
    let found = store::endpoint::find(engine.db.read(), mch_id, endpoint_id).await?;
    found.ok_or_else(|| Problem::new(Code::EndpointNotFound))?;
    let page = store::delivery::page(engine.db.read(), endpoint_id, which, limit::PAGE_MAX).await?;
    let ids = page.iter().map(|delivery| delivery.delivery_id).collect();
    let mut attempts = store::delivery::attempts(engine.db.read(), ids).await?;
    let told = page.into_iter().map(|delivery| {
        let (own, others) = std::mem::take(&mut attempts)
            .into_iter()
            .partition(|attempt| attempt.delivery_id == delivery.delivery_id);
        attempts = others;
        Told {
            delivery,
            attempts: own,
        }
    });
    Ok(told.collect())
}

/// Has one thing told again, whatever became of it.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`; `EVENT_NOT_FOUND` where the endpoint was never owed that.
pub async fn replay_one(engine: &Engine, mch_id: &MchId, endpoint_id: &str, event_id: &str) -> Result<u64, Problem> {
    match again(engine, mch_id, endpoint_id, Again::Event(event_id)).await? {
        0 => Err(Problem::new(Code::EventNotFound)),
        told => Ok(told),
    }
}

/// Has everything told again that was given up and is owed since then; answers how much.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`.
pub async fn replay_dead(engine: &Engine, mch_id: &MchId, endpoint_id: &str, since: Time) -> Result<u64, Problem> {
    again(engine, mch_id, endpoint_id, Again::DeadSince(since)).await
}

async fn again(engine: &Engine, mch_id: &MchId, endpoint_id: &str, which: Again<'_>) -> Result<u64, Problem> {
    let now = engine.clock.now();
    let (tx, endpoint) = held(engine, mch_id, endpoint_id).await?;
    let told = store::delivery::again(&tx, &endpoint.endpoint_id, which, now).await?;
    owe(&tx, &endpoint.endpoint_id, now).await?;
    tx.commit().await?;
    Ok(told)
}

/// Owes an endpoint a notice that tells nothing: to see whether it takes one. Answers its number.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`; `ENDPOINT_UNPROVEN` for one that is told nothing.
pub async fn ping(engine: &Engine, mch_id: &MchId, endpoint_id: &str) -> Result<String, Problem> {
    let now = engine.clock.now();
    let (tx, endpoint) = held(engine, mch_id, endpoint_id).await?;
    if endpoint.state != EndpointState::Active {
        return Err(Problem::new(Code::EndpointUnproven));
    }
    let about = format!(
        "{endpoint_id}-{}",
        engine.random.letters(12, b"0123456789abcdefghijklmnopqrstuvwxyz")
    );
    let event_id = OwedKind::EndpointPing.event_id(&about);
    let owed = Owed {
        event_id: event_id.clone(),
        mch_id,
        kind: OwedKind::EndpointPing.word(),
        uid: None,
        payload: json!({ "endpoint_id": endpoint_id }).to_string(),
    };
    store::outbox::insert(&tx, owed, now).await?;
    let row = store::outbox::by_event(&tx, &event_id).await?;
    let row = row.ok_or_else(|| Problem::new(Code::Internal))?;
    // It is for this endpoint alone.
    store::outbox::spread(&tx, vec![row.seq], now).await?;
    store::delivery::insert(&tx, vec![spread::delivery(&endpoint, &row, now)]).await?;
    owe(&tx, endpoint_id, now).await?;
    tx.commit().await?;
    Ok(event_id)
}

/// A person asks: a rest of the endpoint's ends.
async fn owe(tx: &Tx, endpoint_id: &str, now: Time) -> Result<(), Problem> {
    Ok(store::endpoint::owe(tx, vec![endpoint_id.to_owned()], i32::MAX, now).await?)
}
