//! What is looked up when operators look: pools, breakers, and how much waits for its time.

use metrics::gauge;

use crate::channel::health::Breaker;
use crate::engine::Engine;
use crate::metric::{self, level};
use crate::problem::Problem;
use crate::store;
use crate::store::waiting::{self, Waiting};
use crate::webhook;

/// Sets the gauges of pools and breakers, which cost nothing to know.
pub fn at_hand(engine: &Engine) {
    for pool in store::pool::pools(&engine.db) {
        gauge!(metric::DATABASE_CONNECTIONS_MAX, "pool" => pool.name).set(level(pool.max));
        gauge!(metric::DATABASE_CONNECTIONS, "pool" => pool.name, "state" => "idle").set(level(pool.idle));
        gauge!(metric::DATABASE_CONNECTIONS, "pool" => pool.name, "state" => "used").set(level(pool.used));
    }
    let breakers = engine.health().breakers(engine.clock.now());
    for channel in engine.channels.list() {
        for (state, word) in Breaker::ALL {
            let count = breakers.get(&(channel.id.clone(), state)).copied().unwrap_or(0);
            gauge!(metric::BREAKERS, "channel" => channel.id.0.clone(), "state" => word).set(level(count));
        }
    }
}

/// Asks the database how much waits, and sets the gauges of it. Every node of one database tells the same.
///
/// # Errors
/// When the database does not answer; then call [`unknown`].
pub async fn from_database(engine: &Engine) -> Result<(), Problem> {
    let (db, now) = (engine.db.read(), engine.clock.now());
    let all = [
        ("payment", waiting::payments(db, now).await?),
        ("refund", waiting::refunds(db, now).await?),
        ("reversal", waiting::reversals(db, now).await?),
        ("notice", waiting::notices(db, now).await?),
        ("contract", waiting::contracts(db, now).await?),
        ("membership", waiting::memberships(db, now).await?),
        ("owed", waiting::owed(db).await?),
        ("webhook", waiting::endpoints(db, now).await?),
    ];
    let (open, unsealed) = (store::payment::count_open(db).await?, waiting::unsealed(db).await?);
    for (kind, Waiting { count, oldest }) in all {
        let age = oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
        gauge!(metric::WORK_DUE, "kind" => kind).set(level(count));
        gauge!(metric::WORK_OLDEST_DUE, "kind" => kind).set(age);
    }
    for (state, many) in webhook::standing(engine).await?.0 {
        gauge!(metric::ENDPOINTS, "state" => state).set(level(many));
    }
    gauge!(metric::PAYMENTS_OPEN).set(level(open));
    gauge!(metric::ENTRIES_UNSEALED).set(level(unsealed));
    Ok(())
}

/// Nobody knows how much waits: an old figure would be taken for a new one.
pub fn unknown() {
    for kind in [
        "payment",
        "refund",
        "reversal",
        "notice",
        "contract",
        "membership",
        "owed",
        "webhook",
    ] {
        gauge!(metric::WORK_DUE, "kind" => kind).set(f64::NAN);
        gauge!(metric::WORK_OLDEST_DUE, "kind" => kind).set(f64::NAN);
    }
    for state in webhook::Standing::WORDS {
        gauge!(metric::ENDPOINTS, "state" => state).set(f64::NAN);
    }
    gauge!(metric::PAYMENTS_OPEN).set(f64::NAN);
    gauge!(metric::ENTRIES_UNSEALED).set(f64::NAN);
}
