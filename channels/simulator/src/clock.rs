//! The gateways' clock: the machine's time plus an offset that the control interface moves.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, FixedOffset, TimeZone};

/// China time, without daylight saving.
pub(crate) fn china() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).expect("eight hours is a valid offset")
}

/// The simulated time of all gateways.
#[derive(Debug, Default)]
pub struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// Milliseconds since the Unix epoch, as the gateways see them.
    pub fn now_ms(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the simulators' own clock")]
        let machine = chrono::Utc::now().timestamp_millis();
        machine.saturating_add(self.offset_ms.load(Ordering::SeqCst))
    }

    /// The present moment in China time.
    pub fn now(&self) -> DateTime<FixedOffset> {
        at(self.now_ms())
    }

    /// Moves the gateways' time by so many milliseconds against the machine's.
    pub fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::SeqCst);
    }

    /// How far the gateways' time stands from the machine's.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst)
    }
}

/// A moment in China time from milliseconds since the Unix epoch.
pub(crate) fn at(ms: i64) -> DateTime<FixedOffset> {
    china().timestamp_millis_opt(ms).single().unwrap_or_default()
}
