//! Handing on what is owed: to each endpoint that wants it, and to the merchant's membership system.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Endpoint;
use super::schedule::RESTS_FROM;
use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{MchId, PayNo};
use crate::membership::{self, MemberSystem, PaidHeard};
use crate::money::Fen;
use crate::outbox::OwedKind;
use crate::problem::Problem;
use crate::store::delivery::{DeliveryState, Model as Delivery};
use crate::store::outbox::Model as Owed;
use crate::store::{self, Tx};

/// Rows that are handed on together at most.
const AT_ONCE: u64 = 500;
/// How often one turn hands on as many.
const ROUNDS_MAX: usize = 20;

/// Who wants to hear of a merchant.
struct Listeners {
    endpoints: Vec<Endpoint>,
    members: Option<MemberSystem>,
}

/// Hands on what nobody has heard of yet; answers how much.
pub(crate) async fn spread_due(engine: &Engine) -> Result<usize, Problem> {
    let mut all = 0_usize;
    for _ in 0..ROUNDS_MAX {
        let some = spread_some(engine).await?;
        all = all.saturating_add(some);
        if u64::try_from(some).unwrap_or(u64::MAX) < AT_ONCE {
            break;
        }
    }
    Ok(all)
}

/// Hands on the oldest, all of them or nothing.
async fn spread_some(engine: &Engine) -> Result<usize, Problem> {
    let owed = store::outbox::unspread(engine.db.read(), AT_ONCE).await?;
    if owed.is_empty() {
        return Ok(0);
    }
    let now = engine.clock.now();
    let mut listeners: BTreeMap<&MchId, Listeners> = BTreeMap::new();
    for row in &owed {
        if !listeners.contains_key(&row.mch_id) {
            listeners.insert(&row.mch_id, of(engine, &row.mch_id).await?);
        }
    }
    let tx = engine.db.begin().await?;
    let places: Vec<i64> = owed.iter().map(|row| row.seq).collect();
    let all = u64::try_from(places.len()).unwrap_or(u64::MAX);
    if store::outbox::spread(&tx, places, now).await? != all {
        // Somebody was faster with some of it: what is left is looked at again.
        return Ok(0);
    }
    let mut deliveries = Vec::new();
    for row in &owed {
        let Some(listeners) = listeners.get(&row.mch_id) else {
            continue;
        };
        let wanting = listeners.endpoints.iter().filter(|endpoint| endpoint.wants(&row.kind));
        deliveries.extend(wanting.map(|endpoint| delivery(endpoint, row, now)));
        if let Some(system) = &listeners.members {
            hear(engine, &tx, system, row).await?;
        }
    }
    let told: BTreeSet<String> = deliveries.iter().map(|row| row.endpoint_id.clone()).collect();
    // One that was removed since it was looked up is owed nothing: it would wait for ever, seen by nobody.
    let told = store::endpoint::hold_those_there(&tx, told).await?;
    deliveries.retain(|row| told.contains(&row.endpoint_id));
    for some in deliveries.chunks(500) {
        store::delivery::insert(&tx, some.to_vec()).await?;
    }
    if !told.is_empty() {
        store::endpoint::owe(&tx, told.into_iter().collect(), RESTS_FROM, now).await?;
    }
    tx.commit().await?;
    Ok(owed.len())
}

async fn of(engine: &Engine, mch_id: &MchId) -> Result<Listeners, Problem> {
    Ok(Listeners {
        endpoints: store::endpoint::of_merchant(engine.db.read(), mch_id).await?,
        members: membership::system_of(engine, mch_id).await?,
    })
}

/// What one endpoint is owed.
pub(super) fn delivery(endpoint: &Endpoint, row: &Owed, now: Time) -> Delivery {
    Delivery {
        delivery_id: 0,
        endpoint_id: endpoint.endpoint_id.clone(),
        mch_id: row.mch_id.clone(),
        seq: row.seq,
        event_id: row.event_id.clone(),
        kind: row.kind.clone(),
        state: DeliveryState::Waiting,
        attempts: 0,
        first_at: None,
        next_at: now,
        last_status: None,
        last_trouble: None,
        created_at: now,
        ended_at: None,
    }
}

/// The membership system hears of a known user's money.
async fn hear(engine: &Engine, tx: &Tx, system: &MemberSystem, row: &Owed) -> Result<(), Problem> {
    let (Some(kind), Some(uid)) = (OwedKind::parse(&row.kind), &row.uid) else {
        return Ok(());
    };
    let facts: Value = serde_json::from_str(&row.payload).map_err(Problem::fault)?;
    let fen = |name: &str| Fen::new(facts[name].as_u64().unwrap_or_default()).map_err(Problem::fault);
    let pay_no = PayNo(facts["pay_out_trade_no"].as_str().unwrap_or_default().to_owned());
    let paid = PaidHeard {
        mch_id: &row.mch_id,
        uid,
        pay_no: &pay_no,
        amount: fen("total_fee")?,
    };
    let now = engine.clock.now();
    match kind {
        OwedKind::PaymentSucceeded => membership::hear_paid(tx, system, &paid, now).await,
        OwedKind::RefundSucceeded => {
            let no = facts["pay_refund_id"].as_str().unwrap_or_default();
            membership::hear_refunded(tx, &paid, (no, fen("pay_refund_fee")?), now).await
        }
        OwedKind::PaymentReversed => membership::hear_refunded(tx, &paid, (&row.event_id, paid.amount), now).await,
        _ => Ok(()),
    }
}
