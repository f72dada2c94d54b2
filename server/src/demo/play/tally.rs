//! What was played, in money: what the bill, the books and the records must come to.

use std::collections::BTreeMap;
use std::fmt;

/// How many, and how much in fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub count: u64,
    pub fen: u64,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x {}", self.count, yuan(self.fen))
    }
}

impl Sum {
    fn add(&mut self, fen: u64) {
        self.count = self.count.saturating_add(1);
        self.fen = self.fen.saturating_add(fen);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            fen: self.fen.saturating_add(other.fen),
        }
    }
}

/// A channel's day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub paid: Sum,
    pub reversed: Sum,
    pub refunded: Sum,
}

impl Day {
    /// Movements of money at the gateway.
    pub(super) fn movements(self) -> u64 {
        let back = self.reversed.count.saturating_add(self.refunded.count);
        self.paid.count.saturating_add(back)
    }

    /// What went back, by refunds and by undoing.
    pub(super) fn back(self) -> Sum {
        self.reversed.plus(self.refunded)
    }

    /// What the channel holds at the end, in fen.
    pub(super) fn held(self) -> i128 {
        i128::from(self.paid.fen) - i128::from(self.reversed.fen) - i128::from(self.refunded.fen)
    }
}

/// Paid, reversed, refunded: how many, and how much in yuan.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            paid,
            reversed,
            refunded,
        } = self;
        write!(f, "{paid}, {reversed}, {refunded}")
    }
}

/// All channels' days, and one order to ask about.
#[derive(Debug, Default)]
pub(super) struct Tally {
    days: BTreeMap<&'static str, Day>,
    by_code: BTreeMap<&'static str, Sum>,
    /// The platform's number of an order that stays paid.
    pub paid_order: Option<String>,
}

impl Tally {
    /// A payment that came about.
    pub(super) fn paid(&mut self, channel: &'static str, fen: u64) {
        self.days.entry(channel).or_default().paid.add(fen);
    }

    /// A payment by a code of the channel's own App, which no rider of ours has in his records.
    pub(super) fn paid_by_code(&mut self, channel: &'static str, fen: u64) {
        self.paid(channel, fen);
        self.by_code.entry(channel).or_default().add(fen);
    }

    /// A paid order that was undone.
    pub(super) fn reversed(&mut self, channel: &'static str, fen: u64) {
        self.days.entry(channel).or_default().reversed.add(fen);
    }

    /// A refund that came about.
    pub(super) fn refunded(&mut self, channel: &'static str, fen: u64) {
        self.days.entry(channel).or_default().refunded.add(fen);
    }

    /// A channel's day.
    pub(super) fn day(&self, channel: &str) -> Day {
        self.days.get(channel).copied().unwrap_or_default()
    }

    /// Payments of a channel that stand in riders' records.
    pub(super) fn recorded(&self, channel: &str) -> u64 {
        let by_code = self.by_code.get(channel).copied().unwrap_or_default();
        self.day(channel).paid.count.saturating_sub(by_code.count)
    }

    /// All channels together.
    pub(super) fn whole(&self) -> Day {
        self.days.values().fold(Day::default(), |whole, day| Day {
            paid: whole.paid.plus(day.paid),
            reversed: whole.reversed.plus(day.reversed),
            refunded: whole.refunded.plus(day.refunded),
        })
    }
}

/// Fen as yuan, to the fen.
pub(super) fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// The same where it may be negative.
pub(super) fn signed_yuan(fen: i128) -> String {
    let magnitude = fen.unsigned_abs();
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_to_the_fen() {
        for (fen, text) in [(0, "0.00"), (5, "0.05"), (100, "1.00"), (1_234_567, "12345.67")] {
            assert_eq!(yuan(fen), text);
            assert_eq!(signed_yuan(fen.into()), text);
        }
        assert_eq!(signed_yuan(-5), "-0.05");
        assert_eq!(signed_yuan(-12_345), "-123.45");
    }

    #[test]
    fn a_day_holds_what_was_paid_less_what_went_back() {
        let mut tally = Tally::default();
        for (channel, fen) in [("wechat", 1_280), ("wechat", 600), ("alipay", 350)] {
            tally.paid(channel, fen);
        }
        tally.reversed("wechat", 600);
        tally.refunded("wechat", 280);
        let day = tally.day("wechat");
        assert_eq!((day.held(), day.movements()), (1_000, 4));
        assert_eq!(day.to_string(), "2x 18.80, 1x 6.00, 1x 2.80");
        assert_eq!(tally.whole().paid, Sum { count: 3, fen: 2_230 });
        assert_eq!(tally.day("unionpay"), Day::default());
    }
}
