//! Clearing days, and how long a payment can be refunded (unionpay reference, 5.1).

use chrono::{DateTime, FixedOffset, Months, NaiveDate, NaiveTime};

/// How many months a payment can be refunded.
const REFUND_WINDOW_MONTHS: u32 = 11;

/// The clearing day that a moment belongs to: a day begins at the cut of the day before.
pub(super) fn day(at: DateTime<FixedOffset>, cut: NaiveTime) -> NaiveDate {
    let date = at.date_naive();
    if at.time() < cut {
        date
    } else {
        date.succ_opt().unwrap_or(date)
    }
}

/// Whether a payment of that moment can still be refunded now.
pub(super) fn refundable(paid: DateTime<FixedOffset>, now: DateTime<FixedOffset>) -> bool {
    let last = paid.date_naive().checked_add_months(Months::new(REFUND_WINDOW_MONTHS));
    last.is_some_and(|last| now.date_naive() <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn a_clearing_day_ends_at_the_cut() {
        let cut = NaiveTime::from_hms_opt(23, 0, 0).unwrap();
        let days = [
            "2025-03-01T22:59:59+08:00",
            "2025-03-01T23:00:00+08:00",
            "2025-12-31T23:30:00+08:00",
        ];
        let days: Vec<String> = days.iter().map(|text| day(at(text), cut).to_string()).collect();
        assert_eq!(days, ["2025-03-01", "2025-03-02", "2026-01-01"]);
    }

    #[test]
    fn a_payment_is_refundable_for_eleven_months() {
        let paid = at("2025-03-31T12:00:00+08:00");
        assert!(refundable(paid, at("2026-02-28T23:59:59+08:00")));
        assert!(!refundable(paid, at("2026-03-01T00:00:00+08:00")));
    }
}
