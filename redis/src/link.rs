//! The connection that every use goes through: a budget for each, and a breaker for all.
//!
//! Whoever asks never waits for a connection: there is one, or there is none and he goes the other way at once. One task makes
//! connections, tries them, and takes one away that has failed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{FromRedisValue, Pipeline, RedisError};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::source::{Source, Unconnected, Wire};

/// How long one use may take.
pub const BUDGET: Duration = Duration::from_millis(50);
/// Failures in a row after which Redis is left alone.
const FAILURES_MAX: u32 = 3;
/// How long it is left alone at first, and at most.
const REST_MIN: Duration = Duration::from_millis(200);
const REST_MAX: Duration = Duration::from_secs(1);
/// How often a connection that stands is tried, so that a failure is noticed while nobody asks.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// The connection.
#[derive(Default)]
pub struct Link {
    wire: Mutex<Option<Wire>>,
    failures: AtomicU32,
    connected: AtomicU64,
    broken: Notify,
}

/// Why Redis gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Away {
    #[error("it is left alone")]
    LeftAlone,
    #[error("no answer within {} ms", BUDGET.as_millis())]
    Late,
    #[error("{0}")]
    Failed(#[from] RedisError),
}

impl Link {
    /// Whether there is a connection at present.
    pub fn is_up(&self) -> bool {
        self.wire().is_some()
    }

    /// How many connections there have been: what one of them said may have been forgotten when it is another.
    pub(crate) fn connected(&self) -> u64 {
        self.connected.load(Ordering::Acquire)
    }

    /// Asks within the budget.
    pub(crate) async fn ask<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Away> {
        let Some(mut wire) = self.wire().clone() else {
            return Err(Away::LeftAlone);
        };
        let away = match timeout(BUDGET, wire.ask(commands)).await {
            Ok(Ok(answer)) => {
                self.failures.store(0, Ordering::Relaxed);
                return Ok(answer);
            }
            Ok(Err(error)) => Away::Failed(error),
            Err(_) => Away::Late,
        };
        let gone = matches!(&away, Away::Failed(error) if error.is_unrecoverable_error());
        if gone || self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= FAILURES_MAX {
            self.leave(&away);
        }
        Err(away)
    }

    /// Leaves Redis alone from now on.
    fn leave(&self, why: &Away) {
        if self.wire().take().is_some() {
            tracing::warn!("Redis is left alone: {why}; everything goes on without it");
            self.broken.notify_one();
        }
    }

    fn wire(&self) -> MutexGuard<'_, Option<Wire>> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection, for ever.
pub(crate) async fn keep(link: Arc<Link>, source: Arc<Source>) {
    let mut rest = REST_MIN;
    let mut told = false;
    let begun = Instant::now();
    loop {
        match tried(&source).await {
            Ok(wire) => {
                tracing::info!("Redis is there");
                link.failures.store(0, Ordering::Relaxed);
                link.connected.fetch_add(1, Ordering::AcqRel);
                *link.wire() = Some(wire);
                (rest, told) = (REST_MIN, true);
                while link.is_up() {
                    tokio::select! {
                        () = link.broken.notified() => {}
                        () = sleep(TRY_EVERY) => {
                            // What it says does not matter: whether it is heard does.
                            let _ = link.ask::<redis::Value>(&ping()).await;
                        }
                    }
                }
            }
            Err(why) if !told && begun.elapsed() > REST_MAX => {
                tracing::warn!("Redis is not there: {why}; everything goes on without it");
                told = true;
            }
            Err(why) => tracing::debug!("Redis is not there: {why}"),
        }
        sleep(rest).await;
        rest = rest.saturating_mul(2).min(REST_MAX);
    }
}

/// A new connection that has answered within the budget.
async fn tried(source: &Source) -> Result<Wire, Unconnected> {
    let mut wire = source.connect().await?;
    match timeout(BUDGET, wire.ask::<redis::Value>(&ping())).await {
        Ok(answer) => answer.map(|_| wire).map_err(Unconnected::from),
        Err(_) => Err(Unconnected::Late),
    }
}

fn ping() -> Pipeline {
    let mut ping = redis::pipe();
    ping.cmd("PING");
    ping
}
