//! The sums of a file's rows, and whether its summary agrees with them.
//!
//! UnionPay reference, 6.2. How the summary is laid out is not documented, only that it tells count, amount, fee and net by kind
//! of transaction and card. So its layout is not read at all: every amount in it must be one of the sums of the rows, and the
//! counts and amounts of one grouping must stand in it wholly. A row that is missing, doubled or changed is found by either.

use std::collections::{BTreeMap, BTreeSet};

use metropay_core::channel::BillRowKind;

use super::line::Trade;

/// Sums of some rows, in fen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sums {
    count: u128,
    paid: u128,
    given_back: u128,
    fees_charged: u128,
    fees_returned: u128,
    credit: u128,
    debit: u128,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            paid: self.paid.saturating_add(other.paid),
            given_back: self.given_back.saturating_add(other.given_back),
            fees_charged: self.fees_charged.saturating_add(other.fees_charged),
            fees_returned: self.fees_returned.saturating_add(other.fees_returned),
            credit: self.credit.saturating_add(other.credit),
            debit: self.debit.saturating_add(other.debit),
        }
    }

    /// How its amount may be written: all that moved, or what is left of it.
    fn amounts(self) -> [u128; 2] {
        [
            self.paid.saturating_add(self.given_back),
            self.paid.abs_diff(self.given_back),
        ]
    }

    /// Everything that a summary may say of these rows.
    fn sayings(self) -> [u128; 10] {
        let [moved, left] = self.amounts();
        [
            moved,
            left,
            self.paid,
            self.given_back,
            self.fees_charged,
            self.fees_returned,
            self.fees_charged.abs_diff(self.fees_returned),
            self.credit,
            self.debit,
            self.credit.abs_diff(self.debit),
        ]
    }
}

/// The sums of a file's rows by kind of transaction and of card.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    groups: BTreeMap<([u8; 2], [u8; 2]), Sums>,
}

impl Totals {
    /// Counts a row.
    pub(crate) fn add(&mut self, trade: &Trade) {
        let amount = u128::from(trade.row.amount.get());
        let (mut paid, mut given_back) = (0, 0);
        match trade.row.kind {
            BillRowKind::Payment => paid = amount,
            BillRowKind::Refund | BillRowKind::Other => given_back = amount,
        }
        let part = |amount: i64| u128::from(u64::try_from(amount).unwrap_or(0));
        let one = Sums {
            count: 1,
            paid,
            given_back,
            fees_charged: part(trade.fee_fen),
            fees_returned: part(trade.fee_fen.saturating_neg()),
            credit: part(trade.settled_fen),
            debit: part(trade.settled_fen.saturating_neg()),
        };
        let group = self.groups.entry((trade.txn_type, trade.card_type)).or_default();
        *group = group.plus(one);
    }

    /// Whether a summary says the same.
    ///
    /// # Errors
    /// What is at odds.
    pub(crate) fn agree(&self, summary: &str) -> Result<(), String> {
        let said = Said::read(summary);
        let groupings = self.groupings();
        let sayings: BTreeSet<u128> = groupings.iter().flatten().flat_map(|sums| sums.sayings()).collect();
        if let Some(strange) = said
            .amounts
            .iter()
            .find(|amount| **amount != 0 && !sayings.contains(amount))
        {
            return Err(format!(
                "its summary says {strange} fen, to which its rows do not add up"
            ));
        }
        let told = |sums: &Sums| {
            let [moved, left] = sums.amounts();
            let amount = moved == 0 || said.amounts.contains(&moved) || said.amounts.contains(&left);
            said.counts.contains(&sums.count) && amount
        };
        if self.groups.is_empty() || groupings.iter().any(|grouping| grouping.iter().all(told)) {
            Ok(())
        } else {
            Err("its summary does not tell the sums of its rows".to_owned())
        }
    }

    /// The sums in every grouping that a summary may have: of all, by kind, by card, and by both.
    fn groupings(&self) -> [Vec<Sums>; 4] {
        let (mut all, mut by_kind, mut by_card) = (Sums::default(), BTreeMap::new(), BTreeMap::new());
        for ((kind, card), sums) in &self.groups {
            all = all.plus(*sums);
            for (groups, key) in [(&mut by_kind, kind), (&mut by_card, card)] {
                let group: &mut Sums = groups.entry(*key).or_default();
                *group = group.plus(*sums);
            }
        }
        [
            vec![all],
            by_kind.into_values().collect(),
            by_card.into_values().collect(),
            self.groups.values().copied().collect(),
        ]
    }
}

/// The numbers in a summary: amounts in yuan with two decimals, as fen, and whole numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    amounts: BTreeSet<u128>,
    counts: BTreeSet<u128>,
}

impl Said {
    fn read(summary: &str) -> Self {
        let mut said = Self::default();
        let numeral = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | ',' | '%');
        for word in summary.split(|letter: char| !numeral(letter)) {
            let word = word.trim_end_matches(['.', ',']).replace(',', "");
            if word.ends_with('%') {
                continue;
            }
            match word.split_once('.') {
                Some((yuan, fen)) if fen.len() == 2 && !yuan.is_empty() => {
                    said.amounts.extend(format!("{yuan}{fen}").parse::<u128>());
                }
                Some(_) => {}
                None => said.counts.extend(word.parse::<u128>()),
            }
        }
        said
    }
}

#[cfg(test)]
mod tests;
