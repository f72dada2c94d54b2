//! Bills: what a row says, and that no damaged file passes for a short one.

use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState};

use crate::bills::{pack, packed, read_v2, text, the_rows};
use crate::support::{ORDER, REFUND, fen};

#[tokio::test]
async fn no_damaged_file_passes_for_a_short_one() {
    let text = text();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let joined = |lines: &[&str]| lines.join("\r\n");
    let changed = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        changed
    };
    for (n, damaged) in [
        joined(&lines[..1]),
        joined(&lines[..2]),
        joined(&lines[..3]),
        joined(&lines[..4]),
        joined(&[lines[0], lines[1], lines[3], lines[4]]),
        joined(&[lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]]),
        joined(&[lines[1], lines[2], lines[3], lines[4]]),
        joined(&[lines[0], "rubbish", lines[1], lines[2], lines[3], lines[4]]),
        joined(&[lines[0], lines[1], lines[2], lines[3], lines[4], lines[1]]),
        changed("`2,`12.80", "`3,`12.80"),
        changed("`12.80,`0.00,`0,`0", "`12.81,`0.00,`0,`0"),
        changed("`0.60%,`12.80", "`0.60%,`12.81"),
        changed("`3.00,`0.00,`ORIGINAL", "`3.01,`0.00,`ORIGINAL"),
        changed("`0.00,`3.00,`\r\n", "`0.00,`3.01,`\r\n"),
        changed("`0.60%,`12.80", "`0.60%,`12.80x"),
        changed("`0.60%,`12.80", "`0.60%,`-12.80"),
        changed("`0.08000", "`0.080001"),
        changed("2025-03-01 12:34:58", "2025-02-30 12:34:58"),
        changed("商户订单号", "订单号"),
        changed("`1900009999", "`1900000001"),
        changed("`1900012345", "`1900000002"),
        changed(",`CMB_DEBIT", ""),
        changed("示例便利店-消费", &"长".repeat(30_000)),
    ]
    .into_iter()
    .enumerate()
    {
        for body in [damaged.clone().into_bytes(), pack(&damaged)] {
            let rows = read_v2(body).await;
            assert!(matches!(rows, Err(BillError::Unreadable(_))), "{n}: {rows:?}");
        }
    }
    let whole = packed();
    for length in [20, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
        let rows = read_v2(&whole[..length]).await;
        assert!(matches!(rows, Err(BillError::Unreadable(_))), "{length}: {rows:?}");
    }
    let mut broken = whole.clone();
    broken[200] ^= 0x55;
    let rows = read_v2(broken).await;
    assert!(matches!(rows, Err(BillError::Unreadable(_))), "{rows:?}");
    let latin = [text.as_bytes(), b"\xff\xfe"].concat();
    let rows = read_v2(latin).await;
    assert!(matches!(rows, Err(BillError::Unreadable(_))), "{rows:?}");
}

/// The refund of vector C21 with some texts replaced, alone in a bill, as it is told.
async fn the_refund_with(changes: &[(&str, &str)], sums: &str) -> BillRow {
    let base = text();
    let lines: Vec<&str> = base.split("\r\n").collect();
    let mut row = lines[2].to_owned();
    for (from, to) in changes {
        assert!(row.contains(from), "{from}");
        row = row.replace(from, to);
    }
    let rows = read_v2([lines[0], &row, lines[3], sums].join("\r\n")).await;
    rows.expect("a readable bill").remove(0)
}

#[tokio::test]
async fn rows_are_told_by_what_they_are() {
    use BillRowKind::{Other, Refund};
    use BillRowState::{Done, Failed, Pending};
    let sums = "`1,`0.00,`3.00,`0.00,`0,`0,`3.00";
    let revoked = ("`REFUND", "`REVOKED");
    for (changes, kind, state, no) in [
        (&[("PROCESSING", "SUCCESS")][..], Refund, Done, Some(REFUND)),
        (&[("PROCESSING", "FAIL")], Refund, Failed, Some(REFUND)),
        (&[("PROCESSING", "CHANGE")], Refund, Pending, Some(REFUND)),
        (&[revoked, ("PROCESSING", ""), (REFUND, ORDER)], Refund, Done, None),
        (&[revoked, ("PROCESSING", "SUCCESS"), (REFUND, "0")], Refund, Done, None),
        (&[("`REFUND", "`CHARGEBACK")], Other, Done, Some(REFUND)),
        (&[("`CNY", "`HKD")], Other, Pending, Some(REFUND)),
    ] {
        let told = the_refund_with(changes, sums).await;
        assert_eq!(
            (told.kind, told.state, told.no.as_deref()),
            (kind, state, no),
            "{changes:?}"
        );
        assert_eq!(
            (told.amount, told.coupon, told.payment_no.as_str()),
            (fen(300), fen(0), ORDER)
        );
    }
    // Half a yuan of free coupons and twenty fen of prepaid ones went back to their sponsors.
    let sums = "`1,`0.00,`2.50,`0.20,`0,`0,`3.00";
    let told = the_refund_with(&[("`3.00,`0.00,`ORIGINAL", "`2.50,`0.20,`ORIGINAL")], sums).await;
    assert_eq!((told.amount, told.coupon), (fen(300), fen(70)));
}

#[tokio::test]
async fn a_text_of_others_moves_no_amount() {
    // Goods and attached data are written by whoever sells: separators in them must not shift the columns behind.
    let text = text();
    for goods in ["a,b", "a,`9999.00", "a,`9999.00,`1.00,`", "`,`", "总交易单数"] {
        let evil = text.replace("示例便利店-消费", goods).replace("store=S0001", goods);
        assert_eq!(read_v2(evil.into_bytes()).await.unwrap(), the_rows(), "{goods}");
    }
}

#[tokio::test]
async fn the_older_layout_and_new_columns_are_read() {
    let older = "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
         总金额,代金券或立减优惠金额,微信退款单号,商户退款单号,退款金额,代金券或立减优惠退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率\n\
         `2025-03-01 12:34:58,`wx,`1900009999,`1900012345,`,`42,`P1,`o,`PAP,`SUCCESS,`CMB,`CNY,`48,`1.5,`0,`0,`0,`0,`,`,`x,`y,`0.29,`0.60%\n\
         `2025-03-01 12:34:58,`wx,`1900009999,`1900012345,`,`42,`P1,`o,`PAP,`REFUND,`CMB,`CNY,`0,`0,`50,`R1,`8.00,`0.5,`ORIGINAL,`SUCCESS,`x,`y,`-0.05,`0.60%\n\
         总交易单数,总交易额,总退款金额,总代金券或立减优惠退款金额,手续费总金额\n`2,`48.00,`8.0,`0.50,`0.24\n";
    let rows = read_v2(older).await.unwrap();
    assert_eq!(
        (rows[0].amount, rows[0].coupon, rows[0].fee_milli_fen),
        (fen(4_800), fen(150), 29_000)
    );
    assert_eq!(
        (rows[1].amount, rows[1].coupon, rows[1].state),
        (fen(800), fen(50), BillRowState::Done)
    );

    let mut lines: Vec<String> = text().split("\r\n").map(str::to_owned).collect();
    lines[0] = lines[0].replace("交易时间", "交易时间,新列");
    for line in &mut lines[1..3] {
        *line = line.replacen(",`wx", ",`new,`wx", 1);
    }
    assert_eq!(read_v2(lines.join("\n")).await.unwrap(), the_rows());
}
