//! What is recorded while it runs: how long answers took, and what they said.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

/// Times above it are recorded as this: two minutes, in microseconds.
const LONGEST_US: u64 = 120_000_000;
/// Digits of a time that are kept.
const DIGITS: u8 = 3;

/// Times, in microseconds.
#[derive(Debug)]
pub(super) struct Times(Mutex<Histogram<u64>>);

impl Times {
    /// None yet.
    ///
    /// # Errors
    /// When the bounds above contradict each other.
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Mutex::new(Histogram::new_with_bounds(1, LONGEST_US, DIGITS)?)))
    }

    /// One more.
    pub(super) fn note(&self, time: Duration) {
        self.note_us(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// One more, in microseconds.
    pub(super) fn note_us(&self, time: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.saturating_record(time);
    }

    /// What they come to.
    pub(super) fn summary(&self) -> Summary {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Summary {
            count: all.len(),
            p50_us: all.value_at_quantile(0.5),
            p90_us: all.value_at_quantile(0.9),
            p99_us: all.value_at_quantile(0.99),
            p999_us: all.value_at_quantile(0.999),
            max_us: all.max(),
        }
    }
}

/// Times in short, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Summary {
    /// How many there are.
    pub(super) count: u64,
    pub(super) p50_us: u64,
    pub(super) p90_us: u64,
    pub(super) p99_us: u64,
    pub(super) p999_us: u64,
    pub(super) max_us: u64,
}

/// What became of a request: the word that it is counted under, and whether it is what was wanted.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) word: String,
    pub(super) wanted: bool,
    /// Nothing where there was no answer: then there is no time to record.
    pub(super) answered: bool,
}

impl Outcome {
    /// What was wanted.
    pub(super) fn wanted(word: &str) -> Self {
        Self {
            word: word.to_owned(),
            wanted: true,
            answered: true,
        }
    }

    /// An answer, but another.
    pub(super) fn other(word: &str) -> Self {
        Self {
            wanted: false,
            ..Self::wanted(word)
        }
    }

    /// No answer that could be read.
    pub(super) fn lost(word: &str) -> Self {
        Self {
            answered: false,
            ..Self::other(word)
        }
    }
}

/// The time that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: Instant,
    pub(super) until: Instant,
}

impl Window {
    fn has(&self, at: Instant) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// Records the requests of a run.
#[derive(Debug)]
pub(super) struct Recorder {
    window: Window,
    latency: Times,
    counts: Mutex<Counts>,
}

/// How many requests ended how.
#[derive(Debug, Default, Clone)]
pub(super) struct Counts {
    /// Requests that were due within the window.
    pub(super) asked: u64,
    /// Wanted answers that came within the window, whenever they were asked for.
    pub(super) done: u64,
    /// Requests due within the window, by what became of them; the wanted ones, too.
    pub(super) words: BTreeMap<String, u64>,
    /// Those of them that are not what was wanted.
    pub(super) errors: BTreeMap<String, u64>,
}

impl Recorder {
    /// Records what falls into the window.
    ///
    /// # Errors
    /// As [`Times::new`].
    pub(super) fn new(window: Window) -> Result<Self> {
        Ok(Self {
            window,
            latency: Times::new()?,
            counts: Mutex::default(),
        })
    }

    /// One request that was due at this moment and has ended now.
    pub(super) fn note(&self, due: Instant, ended: Instant, outcome: Outcome) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.wanted && self.window.has(ended) {
            counts.done += 1;
        }
        if !self.window.has(due) {
            return;
        }
        counts.asked += 1;
        if !outcome.wanted {
            *counts.errors.entry(outcome.word.clone()).or_default() += 1;
        }
        *counts.words.entry(outcome.word).or_default() += 1;
        drop(counts);
        if outcome.answered {
            self.latency.note(ended.saturating_duration_since(due));
        }
    }

    /// How many ended how.
    pub(super) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long answers took, from when the request was due.
    pub(super) fn latency(&self) -> Summary {
        self.latency.summary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_due_in_the_window_is_timed_and_every_answer_in_it_counts_as_done() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let window = Window {
            from: at(100),
            until: at(200),
        };
        let recorder = Recorder::new(window).unwrap();
        recorder.note(at(90), at(110), Outcome::wanted("OK"));
        recorder.note(at(150), at(160), Outcome::wanted("OK"));
        recorder.note(at(190), at(230), Outcome::wanted("OK"));
        recorder.note(at(150), at(155), Outcome::other("RATE_LIMITED"));
        recorder.note(at(150), at(155), Outcome::lost("transport"));
        recorder.note(at(200), at(201), Outcome::wanted("OK"));
        let counts = recorder.counts();
        assert_eq!((counts.asked, counts.done), (4, 2));
        assert_eq!(counts.words["OK"], 2);
        assert_eq!(counts.errors.values().sum::<u64>(), 2);
        let latency = recorder.latency();
        assert_eq!(latency.count, 3);
        assert!(latency.max_us.abs_diff(40_000) < 100, "{latency:?}");
    }
}
