use metropay_core::clock::Day;
use proptest::prelude::*;

use super::*;
use crate::bill::Sheet;
use crate::bill::file::{MERCHANT, Row, payment, refund};
use crate::bill::line::trade;

fn totals(rows: &[Row]) -> Totals {
    let sheet = Sheet {
        mer_id: MERCHANT.to_owned(),
        day: Day(20_250_301),
        check_totals: true,
    };
    let mut totals = Totals::default();
    for row in rows {
        totals.add(&trade(&row.line(), &sheet).unwrap());
    }
    totals
}

/// Two payments by debit card, one by credit card, and a refund.
fn day() -> Vec<Row> {
    let credit = Row {
        card_type: "02",
        amount: "000000001000".to_owned(),
        fee: "D000000000006".to_owned(),
        settled: "C000000000994".to_owned(),
        ..payment()
    };
    vec![payment(), payment(), credit, refund()]
}

const BY_KIND_AND_CARD: &str =
    "消费 借记卡 2 25.60 0.16 25.44\n消费 贷记卡 1 10.00 0.06 9.94\n退货 借记卡 1 3.00 0.02 2.98";
const OF_ALL: &str = "合计 4 笔 38.60 元, 手续费 0.20, 净额 32.40";

#[test]
fn a_summary_agrees_in_whichever_grouping_it_is_written() {
    let whole = totals(&day());
    for summary in [
        BY_KIND_AND_CARD,
        OF_ALL,
        "消费 3 35.60 0.22 35.38\n退货 1 3.00 0.02 2.98\n消费撤销 0 0.00 0.00 0.00",
        "借记卡 3 28.60\n贷记卡 1 10.00",
        "清算日期 2025-03-01 费率 0.60%\n合计: 4 笔, 金额 32.60。",
    ] {
        assert_eq!(whole.agree(summary), Ok(()), "{summary}");
    }
    let large = Row {
        amount: "000123456789".to_owned(),
        ..payment()
    };
    assert_eq!(totals(&[large]).agree("消费 1 1,234,567.89 0.08 12.72"), Ok(()));
}

#[test]
fn a_row_that_is_missing_doubled_or_changed_is_found() {
    let whole = day();
    let mut cheaper = whole.clone();
    cheaper[0].amount = "000000001279".to_owned();
    let mut dearer = whole.clone();
    dearer[1].fee = "D000000000009".to_owned();
    let doubled = [whole.clone(), vec![refund()]].concat();
    for rows in [
        whole[1..].to_vec(),
        whole[..3].to_vec(),
        whole[2..].to_vec(),
        doubled,
        cheaper,
        dearer,
        Vec::new(),
    ] {
        let totals = totals(&rows);
        for summary in [BY_KIND_AND_CARD, OF_ALL] {
            assert!(totals.agree(summary).is_err(), "{} rows: {summary}", rows.len());
        }
    }
}

#[test]
fn a_summary_that_says_nothing_agrees_only_with_nothing() {
    assert!(totals(&day()).agree("").is_err());
    assert!(totals(&day()).agree("维护中").is_err());
    assert_eq!(totals(&[]).agree("消费 0 0.00 0.00"), Ok(()));
    assert_eq!(totals(&[]).agree(""), Ok(()));
}

proptest! {
    #[test]
    fn no_text_upsets_the_reader(text in "\\PC{0,80}") {
        let _ = totals(&day()).agree(&text);
    }

    #[test]
    fn numbers_of_any_length_are_read_or_left(text in "[0-9.,% -]{0,80}") {
        let _ = Said::read(&text);
    }
}
