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
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::Doors;
use crate::app::budget::Seat;
use crate::app::rider::Rider;

/// A wake-up may be lost though nobody noticed; this late the database is looked at all the same, and whether the user may stay.
const LOOK_AGAIN: Duration = Duration::from_secs(45);
/// So much later at most: the streams of a process must not all look at once.
const LOOK_SPREAD_MS: u64 = 30_000;
/// How often the clock is looked at, which asks nobody: it may have been set.
const CLOCK_LOOK: Duration = Duration::from_secs(5);
/// A rest before waiting anew where wake-ups broke off.
const BROKEN_REST: Duration = Duration::from_secs(1);

/// One who waits.
pub(super) struct Feed {
    engine: Arc<Engine>,
    leaving: CancellationToken,
    rider: Rider,
    wakes: Receiver<()>,
    position: i64,
    look_every: Duration,
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
        doors: &Doors,
        rider: Rider,
        after: Option<i64>,
        kind: &'static str,
    ) -> Result<Self, Problem> {
        rider.budgets.waits.take(&rider.uid)?;
        let seat = rider.budgets.seat(&rider.uid)?;
        let engine = &doors.queries;
        // Listen first: what happens between the two is then seen twice, not never.
        let wakes = engine.live.listen(&rider.uid);
        let last = event::last_seq(engine, &rider.uid).await?;
        Ok(Self {
            engine: Arc::clone(engine),
            leaving: doors.leaving.clone(),
            rider,
            wakes,
            // A position that lies ahead of everything comes from a database that was since restored.
            position: after.map_or(last, |after| after.clamp(0, last)),
            look_every: LOOK_AGAIN.saturating_add(spread(engine, LOOK_SPREAD_MS)),
            _seat: seat,
            _counted: Counted::new(kind),
        })
    }

    /// The position behind everything that was taken.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Whether this node is about to stop: what it can tell is told, and nobody waits here any more.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_cancelled()
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

    /// Waits until it is worth looking again: for a wake-up, the end of the user's token or of this node, and never too long.
    pub(super) async fn wait(&mut self, at_most: Duration) {
        let end = Instant::now() + at_most.min(self.look_every);
        loop {
            let now = Instant::now();
            let left = self.rider.until().since(self.engine.clock.now());
            if left.is_zero() || now >= end || self.leaving.is_cancelled() {
                return;
            }
            let pause = end.min(now + left.min(CLOCK_LOOK));
            tokio::select! {
                woken = self.wakes.recv() => match woken {
                    Ok(()) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => {
                        sleep_until(end.min(now + BROKEN_REST)).await;
                        self.wakes = self.engine.live.listen(&self.rider.uid);
                        return;
                    }
                },
                () = self.leaving.cancelled() => return,
                () = sleep_until(pause) => {}
            }
        }
    }

    /// When an App should come back whose stream breaks off: not all of them at once.
    pub(super) fn come_back(&self, least: Duration) -> Duration {
        let most = u64::try_from(least.as_millis()).unwrap_or_default();
        least.saturating_add(spread(&self.engine, most))
    }
}

/// A random time of up to so many milliseconds.
fn spread(engine: &Engine, most_ms: u64) -> Duration {
    let mut bytes = [0; 2];
    engine.random.fill(&mut bytes);
    let share = u64::from(u16::from_le_bytes(bytes));
    Duration::from_millis(most_ms.saturating_mul(share) >> u16::BITS)
}
