//! The day or month that a bill is about, in China time (alipay reference, 6.1).

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, TimeZone};

use crate::clock;

/// The day of the next month on which a monthly bill is made.
const MONTHLY_READY_DAY: u32 = 3;

/// A day or a month: from its first moment to the first moment after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    first_day: NaiveDate,
    next_day: NaiveDate,
    is_month: bool,
    /// Unix milliseconds.
    pub(super) start_ms: i64,
    /// Unix milliseconds; the first moment that does not belong to it.
    pub(super) end_ms: i64,
}

impl Period {
    /// Reads `yyyy-MM-dd` or `yyyy-MM`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_month = text.len() == 7;
        if !is_month && text.len() != 10 {
            return None;
        }
        let whole = if is_month {
            format!("{text}-01")
        } else {
            text.to_owned()
        };
        let first_day = NaiveDate::parse_from_str(&whole, "%Y-%m-%d").ok()?;
        let next_day = if is_month {
            first_day.checked_add_months(Months::new(1))?
        } else {
            first_day.checked_add_days(Days::new(1))?
        };
        Some(Self {
            first_day,
            next_day,
            is_month,
            start_ms: midnight_ms(first_day)?,
            end_ms: midnight_ms(next_day)?,
        })
    }

    /// The last day of it, `yyyy-MM-dd`.
    pub(super) fn last_day(&self) -> String {
        self.next_day.pred_opt().unwrap_or(self.first_day).to_string()
    }

    /// From when on its bill is there: `ready_s` after midnight of the next day, for months of the third.
    pub(super) fn ready_ms(&self, ready_s: u32) -> i64 {
        let day = if self.is_month {
            self.next_day.with_day(MONTHLY_READY_DAY)
        } else {
            Some(self.next_day)
        };
        let midnight_ms = day.and_then(midnight_ms).unwrap_or(self.end_ms);
        midnight_ms + i64::from(ready_s) * 1_000
    }

    /// `yyyyMMdd` or `yyyyMM`.
    pub(super) fn compact(&self) -> String {
        let form = if self.is_month { "%Y%m" } else { "%Y%m%d" };
        self.first_day.format(form).to_string()
    }

    /// The line that names it in a bill.
    pub(super) fn line(&self) -> String {
        let written = |day: NaiveDate| day.format("%Y年%m月%d日 00:00:00").to_string();
        format!(
            "#起始日期：[{}]   终止日期：[{}]",
            written(self.first_day),
            written(self.next_day)
        )
    }

    /// Whether a moment belongs to it.
    pub(super) fn has(&self, at_ms: i64) -> bool {
        (self.start_ms..self.end_ms).contains(&at_ms)
    }
}

fn midnight_ms(day: NaiveDate) -> Option<i64> {
    let midnight = clock::china().from_local_datetime(&day.and_time(NaiveTime::MIN));
    midnight.single().map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::super::vectors::at;
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_china() {
        let day = Period::read("2026-03-01").unwrap();
        assert!(day.has(at("2026-03-01T00:00:00")) && day.has(at("2026-03-01T23:59:59")));
        assert!(!day.has(at("2026-02-28T23:59:59")) && !day.has(at("2026-03-02T00:00:00")));
        assert_eq!(day.ready_ms(9 * 3600), at("2026-03-02T09:00:00"));
        assert_eq!(day.compact(), "20260301");
        assert_eq!(
            day.line(),
            "#起始日期：[2026年03月01日 00:00:00]   终止日期：[2026年03月02日 00:00:00]"
        );
    }

    #[test]
    fn a_month_is_billed_on_the_third() {
        let month = Period::read("2026-02").unwrap();
        assert!(month.has(at("2026-02-28T12:00:00")) && !month.has(at("2026-03-01T00:00:00")));
        assert_eq!(month.ready_ms(0), at("2026-03-03T00:00:00"));
        assert_eq!(month.compact(), "202602");
        for wrong in ["", "2026", "20260301", "2026-13", "2026-02-30", "2026-2-1"] {
            assert!(Period::read(wrong).is_none(), "{wrong:?}");
        }
    }
}
