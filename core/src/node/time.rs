//! The time that counts: the database's. Codes, windows, leases and the order of what happens are judged by it on every node, so
//! that a node whose own clock is wrong judges as the others do.
//!
//! The database is asked now and then; in between this process counts on by itself, with a counter that nobody sets. The machine's
//! clock is only compared with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use metrics::gauge;

use crate::clock::{Clock, SystemClock, Time};
use crate::metric;
use crate::problem::Problem;
use crate::store::Db;

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// An answer that took longer says too little.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(2);
/// How far the machine's clock may be from the time that counts. Beyond, the node is not ready: certificates, logs and whatever else
/// is judged by the machine's clock would be wrong on it.
const OFF_MAX: Duration = Duration::from_secs(30);

/// The database's time, kept on this node.
pub struct DatabaseClock {
    /// Whose movements count, and whose time where the database has none.
    own: Arc<dyn Clock>,
    began: Instant,
    /// The database's time when this process began, in milliseconds.
    began_at: AtomicI64,
    /// Whether the database has a time of its own.
    kept: AtomicBool,
    /// Whether it was said that the machine's clock is wrong.
    said: AtomicBool,
}

impl DatabaseClock {
    /// Asks the database for the first time. Where it has no clock of its own, `own` is the time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start(own: Arc<dyn Clock>, db: &Db) -> Result<Arc<Self>, Problem> {
        let clock = Self {
            began_at: AtomicI64::new(SystemClock.now().0),
            own,
            began: Instant::now(),
            kept: AtomicBool::new(false),
            said: AtomicBool::new(false),
        };
        // A first answer, however long it took, is better than none.
        clock.ask(db, Duration::MAX).await?;
        clock.compare();
        Ok(Arc::new(clock))
    }

    /// Follows the database's time for ever.
    pub async fn follow(self: Arc<Self>, db: Db) {
        while self.kept.load(Ordering::Relaxed) {
            tokio::time::sleep(ASK_EVERY).await;
            if let Err(problem) = self.ask(&db, ROUND_TRIP_MAX).await {
                tracing::debug!(error = %problem, "the database does not tell its time: {problem}");
            }
            self.compare();
        }
    }

    /// Whether the machine's clock is too far from the time that counts, by now.
    pub fn is_machine_wrong(&self) -> bool {
        self.off_ms().unsigned_abs() > u64::try_from(OFF_MAX.as_millis()).unwrap_or(u64::MAX)
    }

    /// How far the machine's clock is ahead, in milliseconds.
    fn off_ms(&self) -> i64 {
        if self.kept.load(Ordering::Relaxed) {
            SystemClock.now().0.saturating_sub(self.kept_ms())
        } else {
            0
        }
    }

    fn kept_ms(&self) -> i64 {
        self.began_at.load(Ordering::Relaxed).saturating_add(self.counted_ms())
    }

    fn counted_ms(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    async fn ask(&self, db: &Db, round_trip_max: Duration) -> Result<(), Problem> {
        let asked = Instant::now();
        let Some(told) = db.time().await? else { return Ok(()) };
        let took = asked.elapsed();
        let first = !self.kept.swap(true, Ordering::Relaxed);
        if took <= round_trip_max {
            let expected = (!first).then(|| Time(self.kept_ms()));
            let now = judged(expected, told, took);
            self.began_at
                .store(now.0.saturating_sub(self.counted_ms()), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Compares the machine's clock, and says once when it becomes wrong or right again.
    fn compare(&self) {
        let off_ms = self.off_ms();
        let off_s = Duration::from_millis(off_ms.unsigned_abs()).as_secs_f64();
        gauge!(metric::CLOCK_OFFSET).set(off_s.copysign(if off_ms < 0 { -1.0 } else { 1.0 }));
        let wrong = self.is_machine_wrong();
        if wrong == self.said.swap(wrong, Ordering::Relaxed) {
            return;
        }
        if wrong {
            let way = if off_ms > 0 { "ahead of" } else { "behind" };
            tracing::error!(
                off_ms,
                "this machine's clock is {off_s:.0} s {way} the database's: not ready until it is set"
            );
        } else {
            tracing::warn!(off_ms, "this machine's clock agrees with the database's again");
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Time {
        if self.kept.load(Ordering::Relaxed) {
            Time(self.kept_ms().saturating_add(self.own.moved_ms()))
        } else {
            self.own.now()
        }
    }

    fn moved_ms(&self) -> i64 {
        self.own.moved_ms()
    }
}

/// What time it is when an answer has come: it was the told time at some moment of the round trip. What is expected stays where that
/// does not contradict it, so that no moment comes twice because an answer was slow.
fn judged(expected: Option<Time>, told: Time, round_trip: Duration) -> Time {
    let latest = told.plus(round_trip);
    match expected {
        Some(expected) => expected.clamp(told, latest),
        None => told.plus(round_trip / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_corrects_only_what_it_contradicts() {
        let trip = Duration::from_millis(10);
        assert_eq!(judged(None, Time(1_000), trip), Time(1_005));
        assert_eq!(judged(Some(Time(1_003)), Time(1_000), trip), Time(1_003));
        assert_eq!(judged(Some(Time(900)), Time(1_000), trip), Time(1_000));
        assert_eq!(judged(Some(Time(2_000)), Time(1_000), trip), Time(1_010));
    }
}
