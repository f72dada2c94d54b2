//! What a call may cost, and the watch over it.
//!
//! The watch is looked at whenever Luau asks (loops, calls, returns, steps of a pattern). Once a call is over, every further
//! look says so again: nothing in the script can go on by swallowing the first.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Memory of one machine with everything in it, at most, in bytes.
pub const MEMORY_MAX: usize = 2 * 1024 * 1024;
/// What a call of a rule that every payment asks may allocate in all, in bytes. Nothing is collected during a call, so that
/// the bound falls at the same place on every machine.
pub const CALL_MEMORY_MAX: usize = 384 * 1024;
/// The same for membership, whose answers are documents; and for tests, which make many cases.
pub const DOCUMENT_MEMORY_MAX: usize = 1024 * 1024;
/// How long a call may compute.
pub const TIME_MAX: Duration = Duration::from_millis(5);
/// How long a call may last with everything that the operating system does in between.
pub const WALL_MAX: Duration = Duration::from_millis(250);
/// Fewer looks than this in all its time: the call was starved by a busy machine (or a busy host of the machine, whose doing
/// looks like ours), and is asked again.
const STARVED_STEPS: u32 = 2_000;
/// How often a question is asked, at most, when its call was starved. Rules are pure, so nothing is done twice.
pub(crate) const ATTEMPTS_MAX: usize = 3;
/// Looks at the watch in a call, at most: the bound that falls at the same place on every machine.
pub const STEPS_MAX: u32 = 100_000;

/// The watch of one machine.
#[derive(Debug)]
pub(crate) struct Budget {
    steps: Cell<u32>,
    /// No call may go on after this moment without a look at the thread's own clock.
    until: Cell<Option<Instant>>,
    began: Cell<Option<Instant>>,
    computed: Cell<Duration>,
    over: Cell<bool>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            steps: Cell::new(0),
            until: Cell::new(None),
            began: Cell::new(None),
            computed: Cell::new(Duration::ZERO),
            over: Cell::new(false),
        }
    }

    /// Begins a call.
    pub(crate) fn begin(&self) {
        let now = Instant::now();
        self.steps.set(0);
        self.over.set(false);
        self.began.set(Some(now));
        self.until.set(now.checked_add(TIME_MAX));
        self.computed.set(thread_time());
    }

    /// Whether the call that began last is over its budget.
    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Whether the call that is over its budget hardly ran.
    pub(crate) fn was_starved(&self) -> bool {
        self.over.get() && self.steps.get() < STARVED_STEPS
    }

    /// Looks at the watch; says whether the call may go on.
    pub(crate) fn may_go_on(&self) -> bool {
        if self.over.get() {
            return false;
        }
        let steps = self.steps.get().saturating_add(1);
        self.steps.set(steps);
        let late = self.until.get().is_some_and(|until| Instant::now() > until);
        if steps > STEPS_MAX || late && !self.was_held_up() {
            self.over.set(true);
        }
        !self.over.get()
    }

    /// Whether the time went by without the thread: another process had the core. A payment is not refused for that, as long
    /// as it is not for long.
    fn was_held_up(&self) -> bool {
        let now = Instant::now();
        let lasted = self.began.get().map_or(WALL_MAX, |began| now.duration_since(began));
        let computed = thread_time().saturating_sub(self.computed.get());
        let held_up = lasted < WALL_MAX && computed < TIME_MAX;
        if held_up {
            self.until.set(now.checked_add(TIME_MAX.saturating_sub(computed)));
        }
        held_up
    }
}

/// How long this thread has computed.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn what_is_over_stays_over_until_the_next_call() {
        let budget = Budget::new();
        budget.begin();
        let begun = Instant::now();
        while budget.may_go_on() {
            assert!(begun.elapsed() < WALL_MAX * 20, "never over");
        }
        assert!(!budget.may_go_on() && budget.is_over() && !budget.was_starved());
        budget.begin();
        assert!(budget.may_go_on() && !budget.is_over());
    }

    #[test]
    fn a_thread_that_had_to_wait_may_go_on_and_one_that_waited_long_may_not() {
        let budget = Budget::new();
        budget.begin();
        sleep(TIME_MAX * 2);
        assert!(budget.may_go_on());
        sleep(WALL_MAX);
        assert!(!budget.may_go_on());
        assert!(budget.was_starved());
    }
}
