//! The events of one user from a position on, for whoever waits for them. A wake-up says only that one should look; the
//! database has the events, so that none is lost and none comes twice.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, gauge};
use metropay_core::engine::Engine;
use metropay_core::event::{self, Event};
use metropay_core::metric;
use metropay_core::problem::Problem;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{sleep, timeout};

use crate::app::budget::Seat;
use crate::app::rider::Rider;

/// A wake-up may be lost; this late the database is looked at all the same, and whether the user may stay.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A rest before waiting anew where wake-ups broke off.
const BROKEN_REST: Duration = Duration::from_secs(1);

/// One who waits.
pub(super) struct Feed {
    engine: Arc<Engine>,
    rider: Rider,
    wakes: Receiver<()>,
    position: i64,
    _seat: Seat,
    _counted: Counted,
}

/// One more who waits, as long as it lives.
struct Counted(Gauge);

impl Counted {
    fn new(kind: &'static str) -> Self {
        let waiting = gauge!(metric::EVENT_CONNECTIONS, "kind" => kind);
        waiting.increment(1.0);
        Self(waiting)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl Feed {
    /// Begins after a position, or with what happens from now on. `kind` is by what it is counted: `stream` or `poll`.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user waits at too many places already, or came back too often.
    pub(super) async fn open(
        engine: &Arc<Engine>,
        rider: Rider,
        after: Option<i64>,
        kind: &'static str,
    ) -> Result<Self, Problem> {
        rider.budgets.waits.take(&rider.uid)?;
        let seat = rider.budgets.seat(&rider.uid)?;
        // Listen first: what happens between the two is then seen twice, not never.
        let wakes = engine.live.listen(&rider.uid);
        let last = event::last_seq(engine, &rider.uid).await?;
        Ok(Self {
            engine: Arc::clone(engine),
            rider,
            wakes,
            // A position that lies ahead of everything comes from a database that was since restored.
            position: after.map_or(last, |after| after.clamp(0, last)),
            _seat: seat,
            _counted: Counted::new(kind),
        })
    }

    /// The position behind everything that was taken.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Takes what there is: at most a page, the oldest first; nothing when there is nothing.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED`, `TOKEN_REVOKED`, or when the database does not answer.
    pub(super) async fn take(&mut self) -> Result<Vec<Event>, Problem> {
        self.rider.may_stay(&self.engine).await?;
        // Wake-ups up to here are about what is read now.
        self.wakes = self.wakes.resubscribe();
        let events = event::after(&self.engine, &self.rider.uid, self.position).await?;
        if let Some(last) = events.last() {
            self.position = last.seq;
        }
        Ok(events)
    }

    /// Waits until it is worth looking again: for a wake-up, the end of the user's token, and never too long.
    pub(super) async fn wait(&mut self, at_most: Duration) {
        let left = self.rider.until().since(self.engine.clock.now());
        let longest = LOOK_AGAIN.min(at_most).min(left);
        if let Ok(Err(RecvError::Closed)) = timeout(longest, self.wakes.recv()).await {
            sleep(BROKEN_REST.min(longest)).await;
            self.wakes = self.engine.live.listen(&self.rider.uid);
        }
    }
}
