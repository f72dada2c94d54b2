//! What a user may be deducted in a day under a plan (wechat reference, 3.1 and 11.4). An accepted deduction takes
//! its share at once and gives it back if it fails, so that deductions side by side cannot pass a limit together.

use serde::{Deserialize, Serialize};

use super::number;
use super::terms::Terms;
use crate::clock;
use crate::store::Tx;

const TABLE: &str = "wechat_quota";

/// The hours of the day in which an account with `day_hours_only` may deduct.
const DAY_HOURS: std::ops::Range<u32> = 7..22;

/// The counts of one user, plan and day.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    calls: u32,
    attempts: u32,
    /// Deductions that run or succeeded.
    taken: u32,
    taken_fen: u64,
}

/// The row of a user, a plan and the day of a moment.
pub(super) fn key(mch_id: &str, plan_id: &str, user: &str, at_ms: i64) -> String {
    format!("{mch_id}/{plan_id}/{user}/{}", number::day(at_ms))
}

/// Counts a call, whatever becomes of it. False when there were too many today.
pub(super) fn count_call(tx: &mut Tx<'_>, key: &str, terms: &Terms) -> bool {
    change(tx, key, |day| {
        day.calls = day.calls.saturating_add(1);
        day.calls <= terms.daily_call_max
    })
}

/// Takes the share of a new deduction, or says which limit it would pass.
pub(super) fn take(tx: &mut Tx<'_>, key: &str, terms: &Terms, fen: u64, now_ms: i64) -> Result<(), &'static str> {
    let hour = chrono::Timelike::hour(&clock::at(now_ms));
    if terms.day_hours_only && !DAY_HOURS.contains(&hour) {
        return Err("扣款时间须在07:00至22:00之间");
    }
    change(tx, key, |day| {
        if fen > terms.single_max_fen {
            return Err("单笔金额超出限制");
        }
        if day.taken >= terms.daily_success_max {
            return Err("当日扣款次数超出限制");
        }
        if day.taken_fen.saturating_add(fen) > terms.daily_max_fen {
            return Err("当日扣款金额超出限制");
        }
        if day.attempts >= terms.daily_attempt_max {
            return Err("当日扣款尝试次数超出限制");
        }
        day.attempts += 1;
        day.taken += 1;
        day.taken_fen += fen;
        Ok(())
    })
}

/// A deduction failed or was closed: its share is free again.
pub(super) fn give_back(tx: &mut Tx<'_>, key: &str, fen: u64) {
    change(tx, key, |day| {
        day.taken = day.taken.saturating_sub(1);
        day.taken_fen = day.taken_fen.saturating_sub(fen);
    });
}

/// A deduction whose share was given back is paid all the same.
pub(super) fn take_again(tx: &mut Tx<'_>, key: &str, fen: u64) {
    change(tx, key, |day| {
        day.taken = day.taken.saturating_add(1);
        day.taken_fen = day.taken_fen.saturating_add(fen);
    });
}

fn change<T>(tx: &mut Tx<'_>, key: &str, act: impl FnOnce(&mut Day) -> T) -> T {
    let mut day: Day = tx.get(TABLE, key).unwrap_or_default();
    let result = act(&mut day);
    tx.put(TABLE, key, &day);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const NOON_MS: i64 = 1_740_801_600_000;

    #[test]
    fn what_runs_counts_against_the_day_until_it_fails() {
        let store = Store::open(None).unwrap();
        let mut tx = store.begin();
        let terms = Terms {
            daily_success_max: 2,
            ..Terms::default()
        };
        assert_eq!(take(&mut tx, "k", &terms, 100, NOON_MS), Ok(()));
        assert_eq!(take(&mut tx, "k", &terms, 100, NOON_MS), Ok(()));
        assert_eq!(take(&mut tx, "k", &terms, 100, NOON_MS), Err("当日扣款次数超出限制"));
        give_back(&mut tx, "k", 100);
        assert_eq!(take(&mut tx, "k", &terms, 100, NOON_MS), Ok(()));
        give_back(&mut tx, "k", 100);
        take_again(&mut tx, "k", 100);
        assert_eq!(take(&mut tx, "k", &terms, 100, NOON_MS), Err("当日扣款次数超出限制"));
        assert_eq!(take(&mut tx, "another day", &terms, 100, NOON_MS), Ok(()));
    }

    #[test]
    fn amounts_attempts_and_calls_have_their_limits() {
        let store = Store::open(None).unwrap();
        let mut tx = store.begin();
        let terms = Terms {
            daily_success_max: 99,
            daily_attempt_max: 3,
            daily_call_max: 1,
            ..Terms::default()
        };
        assert_eq!(take(&mut tx, "k", &terms, 50_001, NOON_MS), Err("单笔金额超出限制"));
        let tight = Terms {
            daily_max_fen: 1_000,
            ..terms.clone()
        };
        assert_eq!(take(&mut tx, "k", &tight, 600, NOON_MS), Ok(()));
        assert_eq!(take(&mut tx, "k", &tight, 401, NOON_MS), Err("当日扣款金额超出限制"));
        assert_eq!(take(&mut tx, "k", &tight, 400, NOON_MS), Ok(()));
        assert_eq!(take(&mut tx, "k", &terms, 1, NOON_MS), Ok(()));
        assert_eq!(take(&mut tx, "k", &terms, 1, NOON_MS), Err("当日扣款尝试次数超出限制"));
        assert!(count_call(&mut tx, "k", &terms));
        assert!(!count_call(&mut tx, "k", &terms));
    }

    #[test]
    fn the_hours_of_the_day_count_only_where_the_account_says_so() {
        let store = Store::open(None).unwrap();
        let mut tx = store.begin();
        let night_ms = NOON_MS + 10 * 3_600_000;
        assert_eq!(take(&mut tx, "k", &Terms::default(), 1, night_ms), Ok(()));
        let strict = Terms {
            day_hours_only: true,
            ..Terms::default()
        };
        assert!(take(&mut tx, "k", &strict, 1, night_ms).is_err());
        assert_eq!(take(&mut tx, "k", &strict, 1, NOON_MS), Ok(()));
    }
}
