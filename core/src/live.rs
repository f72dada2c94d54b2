//! The contract of live wake-ups: whoever waits for a user's events is told that there are new ones.
//!
//! A wake-up carries nothing but the user. The events themselves stand in the database; a lost wake-up costs a moment,
//! never an event.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::counter;
use tokio::sync::broadcast;

use crate::id::Uid;
use crate::metric;

/// Wakes those who wait for a user's events.
pub trait Live: Send + Sync + 'static {
    /// Tells everyone who waits for this user. May fail silently.
    fn wake(&self, uid: &Uid);

    /// Waits for wake-ups of this user.
    fn listen(&self, uid: &Uid) -> broadcast::Receiver<()>;
}

/// Wake-ups within one process.
#[derive(Debug)]
pub struct InProcessLive {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

/// A part of the table of listeners, under a lock of its own.
#[derive(Debug, Default)]
struct Shard {
    listeners: HashMap<Uid, broadcast::Sender<()>>,
    sweep_at: usize,
}

/// Parts of the table: so many that threads seldom meet at one.
const SHARDS: usize = 256;
/// Wake-ups that are kept for one who is busy; one more says nothing new.
const WAKES: usize = 2;
/// From how many users on a part is swept of those who left.
const SWEEP_AT: usize = 16;

impl Default for InProcessLive {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl InProcessLive {
    /// How many parts [`InProcessLive::wake_part`] wakes one by one.
    pub const PARTS: usize = SHARDS;

    /// Wakes everyone of one part of the users, so that all can be woken without all of them reading at once.
    pub fn wake_part(&self, part: usize) {
        if let Some(shard) = self.shards.get(part) {
            for sender in lock(shard).listeners.values() {
                let _ = sender.send(());
            }
        }
    }

    fn shard(&self, uid: &Uid) -> Option<MutexGuard<'_, Shard>> {
        let hash = usize::try_from(self.hasher.hash_one(uid) % (SHARDS as u64)).unwrap_or_default();
        self.shards.get(hash).map(lock)
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Forgets who left, whenever the part has doubled: so it costs each listener little.
    fn sweep(&mut self) {
        if self.listeners.len() >= self.sweep_at.max(SWEEP_AT) {
            self.listeners.retain(|_, sender| sender.receiver_count() > 0);
            self.sweep_at = self.listeners.len().saturating_mul(2);
        }
    }
}

impl Live for InProcessLive {
    fn wake(&self, uid: &Uid) {
        if let Some(shard) = self.shard(uid)
            && let Some(sender) = shard.listeners.get(uid)
        {
            // Nobody listening any more is no error.
            if sender.send(()).is_ok() {
                counter!(metric::WAKE_UPS).increment(1);
            }
        }
    }

    fn listen(&self, uid: &Uid) -> broadcast::Receiver<()> {
        let Some(mut shard) = self.shard(uid) else {
            return broadcast::channel(1).1;
        };
        shard.sweep();
        shard
            .listeners
            .entry(uid.clone())
            .or_insert_with(|| broadcast::channel(WAKES).0)
            .subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_user_who_is_meant_is_woken() {
        let live = InProcessLive::default();
        let (mut anna, mut bert) = (live.listen(&"anna".into()), live.listen(&"bert".into()));
        live.wake(&"anna".into());
        assert!(anna.recv().await.is_ok());
        assert!(bert.try_recv().is_err());
    }

    #[test]
    fn everyone_is_woken_once_part_by_part() {
        let live = InProcessLive::default();
        let mut all: Vec<_> = (0..1_000).map(|n| live.listen(&Uid(format!("u{n}")))).collect();
        for part in 0..InProcessLive::PARTS {
            live.wake_part(part);
        }
        for listener in &mut all {
            assert!(listener.try_recv().is_ok());
            assert!(listener.try_recv().is_err());
        }
    }

    #[test]
    fn who_left_is_forgotten_and_who_listens_is_not() {
        let live = InProcessLive::default();
        let mut stays = live.listen(&"stays".into());
        for n in 0..100_000 {
            drop(live.listen(&Uid(format!("u{n}"))));
        }
        let kept: usize = live.shards.iter().map(|shard| lock(shard).listeners.len()).sum();
        assert!(kept <= SHARDS * SWEEP_AT, "{kept}");
        live.wake(&"stays".into());
        assert!(stays.try_recv().is_ok());
    }
}
