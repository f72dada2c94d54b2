//! Counting within a sliding window, exactly: at most so many in any span of this length. A token bucket would let nearly
//! twice as many through in its first span, which is too many where guesses are counted.

use std::collections::VecDeque;
use std::time::Duration;

use metropay_core::clock::Time;

/// When things happened within the last span, the oldest first.
#[derive(Debug)]
pub(super) struct Window {
    max: usize,
    span: Duration,
    times: VecDeque<Time>,
}

impl Window {
    /// Room for `max` things in any span of this length; none means no bound.
    pub(super) fn new(max: u32, span: Duration) -> Self {
        Self {
            max: usize::try_from(max).unwrap_or(usize::MAX),
            span,
            times: VecDeque::new(),
        }
    }

    /// How long until there is room again; `None` when there is.
    pub(super) fn wait(&self, now: Time) -> Option<Duration> {
        let recent: Vec<Time> = self.times.iter().copied().filter(|at| self.counts(*at, now)).collect();
        if recent.len() < self.max {
            return None;
        }
        let leaves_first = recent.first().copied().unwrap_or(now);
        Some(leaves_first.plus(self.span).since(now))
    }

    /// Counts one.
    pub(super) fn note(&mut self, now: Time) {
        let span = self.span;
        self.times.retain(|at| counts(*at, now, span));
        // More than fit are not kept: what came while there was no room does not make the wait longer.
        if self.times.len() < self.max {
            self.times.push_back(now);
        }
    }

    /// Whether nothing of it counts any more.
    pub(super) fn is_empty(&self, now: Time) -> bool {
        !self.times.iter().any(|at| self.counts(*at, now))
    }

    fn counts(&self, at: Time, now: Time) -> bool {
        counts(at, now, self.span)
    }
}

/// Whether a moment lies within a span of now, on either side: a clock that is set back must not keep a till waiting
/// until it has caught up.
fn counts(at: Time, now: Time, span: Duration) -> bool {
    now.since(at) < span && at.since(now) < span
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Time {
        Time(1_785_542_400_000 + seconds * 1_000)
    }

    #[test]
    fn no_span_of_any_beginning_holds_more_than_fit() {
        let mut window = Window::new(3, SPAN);
        for second in [0, 30, 59] {
            assert_eq!(window.wait(at(second)), None);
            window.note(at(second));
        }
        assert_eq!(window.wait(at(59)), Some(Duration::from_secs(1)));
        assert_eq!(window.wait(at(60)), None);
        window.note(at(60));
        assert_eq!(window.wait(at(61)), Some(Duration::from_secs(29)));
    }

    #[test]
    fn what_does_not_fit_takes_no_memory_and_no_time() {
        let mut window = Window::new(3, SPAN);
        for _ in 0..1_000 {
            window.note(at(0));
        }
        assert_eq!(window.times.len(), 3);
        assert_eq!(window.wait(at(60)), None);
        assert!(window.is_empty(at(60)) && !window.is_empty(at(59)));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_waiting() {
        let mut window = Window::new(1, SPAN);
        window.note(at(3_600));
        assert_eq!(window.wait(at(0)), None);
        window.note(at(0));
        assert_eq!(window.wait(at(1)), Some(Duration::from_secs(59)));
    }
}
