//! Time: a moment, a China day, and the clock that is passed in so that a test can hold it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, TimeZone};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
#[serde(transparent)]
pub struct Time(pub i64);

/// A day in China time, written `YYYYMMDD` as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
#[serde(transparent)]
pub struct Day(pub i32);

/// China time: UTC+08:00, without daylight saving.
fn china() -> FixedOffset {
    FixedOffset::east_opt(8 * 3600).expect("eight hours is a valid offset")
}

impl Time {
    /// The same moment on a Chinese wall clock.
    pub fn in_china(self) -> DateTime<FixedOffset> {
        china().timestamp_millis_opt(self.0).single().unwrap_or_default()
    }

    /// `YYYYMMDDhhmmss` in China time, as the merchant API and several channels write it.
    pub fn stamp(self) -> String {
        self.in_china().format("%Y%m%d%H%M%S").to_string()
    }

    /// `YYYY-MM-DD hh:mm:ss` in China time.
    pub fn text(self) -> String {
        self.in_china().format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Reads China time in a `chrono` format such as `%Y%m%d%H%M%S`.
    pub fn parse_china(text: &str, format: &str) -> Option<Self> {
        let naive = NaiveDateTime::parse_from_str(text, format).ok()?;
        Some(Self(china().from_local_datetime(&naive).single()?.timestamp_millis()))
    }

    /// The China day of this moment.
    pub fn day(self) -> Day {
        Day::of(self.in_china().date_naive())
    }

    /// Whole seconds since the Unix epoch.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The moment so much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment so much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Day {
    fn of(date: NaiveDate) -> Self {
        let (month, day) = (date.month().cast_signed(), date.day().cast_signed());
        Self(
            date.year()
                .saturating_mul(10_000)
                .saturating_add(month.saturating_mul(100))
                .saturating_add(day),
        )
    }

    /// Reads `YYYYMMDD`; `None` for everything that is no day of the calendar.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        NaiveDate::parse_from_str(text, "%Y%m%d").ok().map(Self::of)
    }

    /// When the day begins, as a moment.
    pub fn start(self) -> Time {
        Time::parse_china(&format!("{:08}000000", self.0), "%Y%m%d%H%M%S").unwrap_or(Time(0))
    }

    /// When the day has ended: the beginning of the next.
    pub fn end(self) -> Time {
        self.start().plus(Duration::from_secs(24 * 3600))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Time;

    /// By how many milliseconds it was moved on purpose, by a test or a drill. Nobody moves the time of others.
    fn moved_ms(&self) -> i64 {
        0
    }
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the machine's clock is read"
    )]
    fn now(&self) -> Time {
        Time(chrono::Utc::now().timestamp_millis())
    }
}

/// The machine's clock moved by an offset that a test or a drill sets.
#[derive(Debug, Default)]
pub struct MovedClock(AtomicI64);

impl MovedClock {
    /// Moves it so far from the machine's.
    pub fn set_ms(&self, moved_ms: i64) {
        self.0.store(moved_ms, Ordering::SeqCst);
    }

    /// Moves the clock on by so much.
    pub fn advance(&self, duration: Duration) {
        self.0
            .fetch_add(i64::try_from(duration.as_millis()).unwrap_or(0), Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Time {
        Time(SystemClock.now().0.saturating_add(self.moved_ms()))
    }

    fn moved_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_china() {
        let late = Time::parse_china("20260801235959", "%Y%m%d%H%M%S").unwrap();
        assert_eq!(late.day(), Day(20_260_801));
        assert_eq!(late.plus(Duration::from_secs(1)).day(), Day(20_260_802));
        assert_eq!(Day(20_260_801).end(), Day(20_260_802).start());
        assert_eq!(late.stamp(), "20260801235959");
    }

    #[test]
    fn only_days_of_the_calendar_are_days() {
        assert_eq!(Day::parse("20240229"), Some(Day(20_240_229)));
        for bad in [
            "20230229",
            "2022-08-22",
            "20221301",
            "",
            "2022082",
            "202208222",
            "２０２２０８２２",
        ] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }
}
