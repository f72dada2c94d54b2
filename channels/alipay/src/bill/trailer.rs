//! The totals under a bill's rows: `#交易合计：3笔，商家实收共13.50元，…` (alipay reference, 6.3 and 6.5).

use super::decimal;

/// A line of totals.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// Of what: `交易合计`.
    pub(super) of: String,
    /// How many.
    pub(super) count: u64,
    /// Amounts with their names, in fen; the name may be empty.
    amounts: Vec<(String, i64)>,
}

impl Trailer {
    /// Reads a comment line; `None` for one that tells no totals, or in other words than are known.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (of, rest) = line.strip_prefix('#')?.split_once(['：', ':'])?;
        if !of.ends_with("合计") {
            return None;
        }
        let mut clauses = rest.split(['，', ',']).map(str::trim);
        let count = clauses.next()?.strip_suffix('笔')?.trim().parse().ok()?;
        let amounts = clauses.filter_map(|clause| {
            let (name, amount) = clause.split_once('共')?;
            Some((name.to_owned(), decimal::fen(amount.strip_suffix('元')?.trim())?))
        });
        Some(Self {
            of: of.trim().to_owned(),
            count,
            amounts: amounts.collect(),
        })
    }

    /// The amount whose name begins so, without its sign: which sign refunds have is not certain.
    pub(super) fn amount(&self, name: &str) -> Option<u64> {
        let (_, amount) = self.amounts.iter().find(|(known, _)| known.starts_with(name))?;
        Some(amount.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_and_other_comments_are_none() {
        let trades = Trailer::read("#交易合计：3笔，商家实收共13.50元，商家优惠共0.00元").unwrap();
        assert_eq!((trades.of.as_str(), trades.count), ("交易合计", 3));
        assert_eq!(
            (trades.amount("商家实收"), trades.amount("商家优惠")),
            (Some(1_350), Some(0))
        );
        let refunds = Trailer::read("#退款合计：1笔，商家实收退款共-4.50元，商家优惠退款共0.00元").unwrap();
        assert_eq!(refunds.amount("商家实收"), Some(450));
        let income = Trailer::read("#收入合计：18笔，共14989.00元").unwrap();
        assert_eq!((income.count, income.amount("")), (18, Some(1_498_900)));
        for other in [
            "#导出时间：[2026年03月02日 08:12:33]",
            "#交易合计：许多笔",
            "交易合计：1笔",
            "#账号：[1]",
            "",
        ] {
            assert_eq!(Trailer::read(other), None, "{other}");
        }
    }
}
