//! The summary for people that comes with a file: totals by kind of transaction, which must equal those of its lines
//! (unionpay reference, 6.2). How the real one is laid out is not known.

use encoding_rs::GBK;

use super::row::Row;

const KINDS: [(&str, &str); 3] = [("01", "消费"), ("31", "消费撤销"), ("04", "退货")];

/// The text of the summary, in GBK.
pub(super) fn text(mer_id: &str, day: &str, rows: &[Row]) -> Vec<u8> {
    let mut text =
        format!("商户对账汇总\r\n商户代码 {mer_id}\r\n清算日期 {day}\r\n\r\n交易类型 笔数 金额 手续费 清算净额\r\n");
    for (txn_type, name) in KINDS {
        let of_kind: Vec<&Row> = rows.iter().filter(|row| row.txn_type == txn_type).collect();
        let sum = |part: fn(&Row) -> u64| yuan(of_kind.iter().map(|row| u128::from(part(row))).sum());
        text += &format!(
            "{name} {} {} {} {}\r\n",
            of_kind.len(),
            sum(|row| row.amount_fen),
            sum(|row| row.fee_fen),
            sum(Row::net_fen)
        );
    }
    GBK.encode(&text).0.into_owned()
}

fn yuan(fen: u128) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_are_those_of_the_lines() {
        let rows = super::super::row::tests::vector();
        let text = text("700000000000001", "2025-03-01", &rows);
        let text = GBK.decode(&text).0.into_owned();
        assert!(text.contains("消费 1 12.80 0.08 12.72\r\n"), "{text}");
        assert!(text.contains("退货 1 3.00 0.02 2.98\r\n") && text.contains("消费撤销 0 0.00 0.00 0.00\r\n"));
    }
}
