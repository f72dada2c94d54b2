//! The contract of live wake-ups: whoever waits for a user's events is told that there are new ones.
//!
//! A wake-up carries nothing but the user. The events themselves stand in the database; a lost wake-up costs a moment,
//! never an event.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

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
#[derive(Debug, Default)]
pub struct InProcessLive {
    listeners: Mutex<HashMap<Uid, broadcast::Sender<()>>>,
}

/// From how many users on the table of listeners is swept of those who left.
const SWEEP_AT: usize = 1_024;

impl Live for InProcessLive {
    fn wake(&self, uid: &Uid) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = listeners.get(uid) {
            // Nobody listening any more is no error.
            if sender.send(()).is_ok() {
                counter!(metric::WAKE_UPS).increment(1);
            }
        }
    }

    fn listen(&self, uid: &Uid) -> broadcast::Receiver<()> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.len() >= SWEEP_AT {
            listeners.retain(|_, sender| sender.receiver_count() > 0);
        }
        listeners
            .entry(uid.clone())
            .or_insert_with(|| broadcast::channel(4).0)
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
}
