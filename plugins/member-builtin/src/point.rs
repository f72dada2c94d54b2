//! Points and levels, in whole numbers: a part of a point is nobody's.

use metropay_core::member::PointsChange;
use metropay_core::money::Fen;

use crate::config::Level;

/// How points are counted.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    pub(crate) per_yuan: u32,
    /// Ascending.
    pub(crate) levels: Vec<Level>,
}

impl Points {
    /// The points of an amount, rounded down.
    pub(crate) fn of(&self, amount: Fen) -> u64 {
        let whole = u128::from(amount.get()).saturating_mul(u128::from(self.per_yuan));
        u64::try_from(whole.checked_div(100).unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// What it does to a member's points that what remains of his payment goes from one amount to another. Counted from both
    /// ends, so that the parts of a payment that go back undo its points to the last one, however it was divided.
    pub(crate) fn change(&self, from: Fen, to: Fen, points_before: u64) -> PointsChange {
        let (before, after) = (self.of(from), self.of(to));
        let change = i128::from(after).saturating_sub(i128::from(before));
        let change = i64::try_from(change).unwrap_or(if after > before { i64::MAX } else { i64::MIN });
        let points = points_before.saturating_add_signed(change);
        PointsChange {
            change,
            points,
            level: self.level(points).map(str::to_owned),
        }
    }

    /// The highest level that these points reach.
    fn level(&self, points: u64) -> Option<&str> {
        let reached = self.levels.iter().rev().find(|level| level.from_points <= points);
        reached.map(|level| level.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use metropay_core::money::FEN_MAX;
    use proptest::prelude::*;

    use super::*;

    fn fen(amount: u64) -> Fen {
        Fen::new(amount).unwrap()
    }

    fn points(per_yuan: u32) -> Points {
        let level = |name: &str, from_points| Level {
            name: name.to_owned(),
            from_points,
        };
        Points {
            per_yuan,
            levels: vec![level("银卡", 10), level("金卡", 100)],
        }
    }

    #[test]
    fn a_part_of_a_point_is_nobodys() {
        for (amount, per_yuan, expected) in [
            (99, 1, 0),
            (100, 1, 1),
            (199, 1, 1),
            (50, 2, 1),
            (600, 10, 60),
            (600, 0, 0),
        ] {
            assert_eq!(points(per_yuan).of(fen(amount)), expected, "{amount} × {per_yuan}");
        }
        assert_eq!(points(1_000).of(fen(FEN_MAX)), 90_071_992_547_409_910);
    }

    #[test]
    fn a_level_is_the_highest_that_is_reached() {
        let points = points(1);
        for (count, expected) in [
            (0, None),
            (9, None),
            (10, Some("银卡")),
            (99, Some("银卡")),
            (100, Some("金卡")),
            (u64::MAX, Some("金卡")),
        ] {
            assert_eq!(points.level(count), expected, "{count}");
        }
        let change = points.change(Fen::ZERO, fen(9_500), 5);
        assert_eq!(
            (change.change, change.points, change.level.as_deref()),
            (95, 100, Some("金卡"))
        );
        let change = points.change(fen(9_500), Fen::ZERO, 40);
        assert_eq!((change.change, change.points, change.level), (-95, 0, None));
    }

    proptest! {
        #[test]
        fn all_parts_of_a_payment_together_undo_its_points(
            per_yuan in 0u32..=1_000, before in 0u64..1 << 60, parts in prop::collection::vec(0u64..1 << 45, 1..20),
        ) {
            let points = points(per_yuan);
            let paid = fen(parts.iter().sum());
            let mut change = points.change(Fen::ZERO, paid, before);
            prop_assert!(change.change >= 0);
            let mut left = paid;
            for part in parts {
                let next = left.minus(fen(part)).unwrap();
                let back = points.change(left, next, change.points);
                prop_assert!(back.change <= 0);
                prop_assert_eq!(i128::from(back.points), i128::from(change.points) + i128::from(back.change));
                // Never more than the part alone is worth, but for the one point that was a part of two.
                prop_assert!(back.change.unsigned_abs() <= points.of(fen(part)) + 1);
                (left, change) = (next, back);
            }
            prop_assert_eq!(change.points, before);
        }

        #[test]
        fn points_follow_the_amount_and_never_overflow(a in 0..=FEN_MAX, b in 0..=FEN_MAX, per_yuan in 0u32..=1_000, before: u64) {
            let points = points(per_yuan);
            let (low, high) = (fen(a.min(b)), fen(a.max(b)));
            prop_assert!(points.of(low) <= points.of(high));
            prop_assert_eq!(u128::from(points.of(low)), u128::from(low.get()) * u128::from(per_yuan) / 100);
            prop_assert!(points.change(low, high, before).points >= before);
            prop_assert!(points.change(high, low, before).points <= before);
        }
    }
}
