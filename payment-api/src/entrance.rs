//! The entrance: who cannot be served soon is told so at once, before anything is verified or written down (FLT-33, FLT-36). What
//! has entered is not turned away any more.
//!
//! It is the database's connections that are scarce; whoever waits for a channel holds none. So the entrance looks at nothing else:
//! while its lane has a free connection everybody enters, and where there is none one waits for a turn like every statement in
//! progress does. Few may wait, and not for long. What is in progress can therefore never grow so far that its statements wait
//! much longer than that, however slow the database and however large the crowd.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::counter;
use metropay_core::engine::Engine;
use metropay_core::metric;
use metropay_core::problem::{Code, Problem};
use metropay_core::random::Random;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How a crowd is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EntranceSettings {
    /// How long one waits for a turn, in milliseconds, before one is told to come again.
    pub wait_ms: u64,
    /// How many may wait for each connection of the lane; everybody beyond is told at once.
    pub waiting_per_connection: u32,
}

impl Default for EntranceSettings {
    fn default() -> Self {
        Self {
            wait_ms: 500,
            waiting_per_connection: 32,
        }
    }
}

/// So many connections are counted at least: the embedded database has one that is quick.
const CONNECTIONS_MIN: u32 = 8;
/// Whoever is turned away is told to come again after one second, or up to so many, by lot: not all at once.
const COME_AGAIN_S: u8 = 5;
/// How often it is said that somebody was turned away.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The entrances of both lanes.
#[derive(Debug)]
pub struct Entrances {
    payments: Entrance,
    queries: Entrance,
}

/// One lane's.
#[derive(Debug)]
pub(crate) struct Entrance {
    lane: &'static str,
    waiting: Semaphore,
    wait: Duration,
    said: Mutex<Option<Instant>>,
}

impl Entrances {
    /// Those of these engines, one for what moves money and one for questions.
    pub fn new(settings: EntranceSettings, payments: &Engine, queries: &Engine) -> Self {
        Self {
            payments: Entrance::new("payments", settings, payments),
            queries: Entrance::new("queries", settings, queries),
        }
    }

    /// For what moves money.
    pub(crate) fn payments(&self) -> &Entrance {
        &self.payments
    }

    /// For Apps, and questions of tills.
    pub(crate) fn queries(&self) -> &Entrance {
        &self.queries
    }
}

impl Entrance {
    fn new(lane: &'static str, settings: EntranceSettings, engine: &Engine) -> Self {
        let connections = engine.db.connections_max().max(CONNECTIONS_MIN);
        let places = connections.saturating_mul(settings.waiting_per_connection);
        Self {
            lane,
            waiting: Semaphore::new(usize::try_from(places).unwrap_or(Semaphore::MAX_PERMITS)),
            wait: Duration::from_millis(settings.wait_ms),
            said: Mutex::default(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When too many wait, or one has waited too long: nothing was done.
    pub(crate) async fn enter(&self, engine: &Engine) -> Result<(), Problem> {
        if engine.db.has_free() {
            return Ok(());
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(self.turn_away(engine, "too many wait"));
        };
        match timeout(self.wait, engine.db.turn()).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(self.turn_away(engine, "no turn in time")),
        }
    }

    fn turn_away(&self, engine: &Engine, why: &'static str) -> Problem {
        counter!(metric::TURNED_AWAY, "lane" => self.lane).increment(1);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(
                lane = self.lane,
                "requests are turned away before anything is done: {why}"
            );
        }
        Problem::new(Code::Unavailable).fact("retry_after_s", come_again_s(&*engine.random))
    }
}

fn come_again_s(random: &dyn Random) -> u64 {
    let mut drawn = [0_u8; 1];
    random.fill(&mut drawn);
    u64::from(drawn[0] % COME_AGAIN_S).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use metropay_core::random::SystemRandom;

    use super::*;

    #[test]
    fn those_who_are_turned_away_come_again_at_different_times() {
        let waits: BTreeSet<u64> = (0..500).map(|_| come_again_s(&SystemRandom)).collect();
        assert_eq!(waits, (1..=u64::from(COME_AGAIN_S)).collect());
    }
}
