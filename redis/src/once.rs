//! What was used once, in Redis first. What Redis forgets is known by the database where it matters.
//!
//! Beside the values stands one key that says since when they are remembered. When it is missing or another than before, Redis
//! was emptied; when the connection is another than before, a server with an older memory may have taken over. Then, and
//! whenever we had to do without Redis, the database is asked too, until nothing that it kept could still do harm.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use metropay_core::clock::Time;
use metropay_core::limit;
use metropay_core::once::{DatabaseOnce, Memory, Once};
use redis::Pipeline;
use sea_orm::DbErr;

use crate::link::Link;

/// Remembers in Redis what may be lost, and in the database what may not.
pub struct RedisOnce {
    link: Arc<Link>,
    database: DatabaseOnce,
    prefix: String,
    trust: Mutex<Trust>,
}

/// How far Redis is trusted.
#[derive(Debug, Default)]
struct Trust {
    since: Option<i64>,
    connected: u64,
    doubted_until: Option<Instant>,
}

impl Trust {
    /// Whether an answer may be believed: it says since when Redis remembers (nothing: since now), by the connection of this number.
    fn believes(&mut self, since: Option<i64>, now: Time, connected: u64) -> bool {
        // What is heard for the first time tells of no loss.
        let forgot = self.since.is_some() && self.since != since;
        let moved = self.connected != 0 && self.connected != connected;
        (self.since, self.connected) = (since.or(Some(now.0)), connected);
        if forgot || moved {
            self.doubt();
        }
        self.doubted_until.is_none_or(|until| until <= Instant::now())
    }

    fn doubt(&mut self) {
        self.doubted_until = Instant::now().checked_add(limit::ONCE_IN_DOUBT);
    }
}

impl RedisOnce {
    pub(crate) fn new(link: Arc<Link>, prefix: &str, database: DatabaseOnce) -> Self {
        Self {
            link,
            database,
            prefix: prefix.to_owned(),
            trust: Mutex::default(),
        }
    }

    /// One round trip: since when Redis remembers, and whether the value is new.
    fn commands(&self, scope: &str, value: &str, now: Time, until: Time) -> Pipeline {
        let prefix = &self.prefix;
        let kept_ms = until.since(now).as_millis().max(1);
        let mut commands = redis::pipe();
        commands
            .cmd("SET")
            .arg(format!("{prefix}:{{once}}:since"))
            .arg(now.0)
            .arg("NX")
            .arg("GET")
            .cmd("SET")
            // The length keeps "a:b" of "c" and "a" of "b:c" apart.
            .arg(format!("{prefix}:{{once}}:{}:{scope}:{value}", scope.len()))
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(u64::try_from(kept_ms).unwrap_or(u64::MAX));
        commands
    }
}

#[async_trait]
impl Once for RedisOnce {
    async fn use_once(&self, memory: Memory, scope: &str, value: &str, now: Time, until: Time) -> Result<bool, DbErr> {
        if memory == Memory::MayBeLost {
            let connected = self.link.connected();
            let commands = self.commands(scope, value, now, until);
            let asked: Result<(Option<i64>, Option<String>), _> = self.link.ask(&commands).await;
            let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
            match asked {
                Ok((_, None)) => return Ok(false),
                Ok((since, Some(_))) => {
                    if trust.believes(since, now, connected) {
                        return Ok(true);
                    }
                }
                Err(_) => trust.doubt(),
            }
        }
        self.database.use_once(memory, scope, value, now, until).await
    }

    async fn keep(&self, scope: &str, value: &str, until: Time) -> Result<(), DbErr> {
        // That it stands there already is as good.
        let kept = self.database.use_once(Memory::Lasting, scope, value, Time(0), until);
        kept.await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_doubted_when_it_is_another_than_before_and_not_when_it_is_new() {
        let now = Time(7);
        let mut trust = Trust::default();
        assert!(trust.believes(None, now, 1), "a fresh start is no loss");
        assert!(trust.believes(Some(7), now, 1));
        assert!(!trust.believes(Some(9), now, 1), "it was emptied");
        assert!(!trust.believes(Some(9), now, 1), "and is doubted for a while");
        let mut trust = Trust::default();
        assert!(trust.believes(Some(7), now, 1));
        assert!(
            !trust.believes(None, now, 1),
            "it was emptied, and we are the first to see it"
        );
        let mut trust = Trust::default();
        assert!(trust.believes(Some(5), now, 1));
        assert!(!trust.believes(Some(5), now, 2), "another server may answer");
        trust.doubted_until = Some(Instant::now());
        assert!(trust.believes(Some(5), now, 2), "not for ever");
        trust.doubt();
        assert!(!trust.believes(Some(5), now, 2));
    }
}
