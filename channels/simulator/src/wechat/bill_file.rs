//! How a trade bill is written: a header, one line per row with a backtick before every cell, and the sums (wechat
//! reference, 6.2).

use super::bill_row::{Kind, Row};
use super::number;
use super::terms::Terms;

/// Which rows and columns a bill has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BillType {
    All,
    Success,
    Refund,
}

/// How the account's files look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Accounts from before 2018: other names, and without the last three columns.
    pub old: bool,
    pub line_end: &'static str,
}

impl Layout {
    pub(super) fn of(terms: &Terms) -> Self {
        Self {
            old: terms.bill_layout == "old",
            line_end: if terms.bill_line_feed_only { "\n" } else { "\r\n" },
        }
    }
}

/// A column: its name, its name in the old layout, and its cell.
type Column = (&'static str, Option<&'static str>, fn(&Row) -> String);

/// The columns with which every type begins.
const FIRST: [Column; 14] = [
    ("交易时间", Some("交易时间"), |row| {
        number::spaced_time(row.at_ms)
    }),
    ("公众账号ID", Some("公众账号ID"), |row| row.appid.clone()),
    ("商户号", Some("商户号"), |row| row.mch_id.clone()),
    ("特约商户号", Some("子商户号"), |row| {
        row.sub_mch_id.clone().unwrap_or_else(|| "0".to_owned())
    }),
    ("设备号", Some("设备号"), |row| {
        row.device_info.clone().unwrap_or_default()
    }),
    ("微信订单号", Some("微信订单号"), |row| {
        row.transaction_id.clone()
    }),
    ("商户订单号", Some("商户订单号"), |row| {
        row.out_trade_no.clone()
    }),
    ("用户标识", Some("用户标识"), |row| row.openid.clone()),
    ("交易类型", Some("交易类型"), |row| row.trade_type.to_owned()),
    ("交易状态", Some("交易状态"), |row| row.trade_state.to_owned()),
    ("付款银行", Some("付款银行"), |row| row.bank_type.to_owned()),
    ("货币种类", Some("货币种类"), |_| "CNY".to_owned()),
    ("应结订单金额", Some("总金额"), |row| yuan(row.order_fen)),
    ("代金券金额", Some("代金券或立减优惠金额"), |row| {
        yuan(row.coupon_fen)
    }),
];

/// When a refund was asked for and when it was done; in bills of refunds only.
const TIMES: [Column; 2] = [
    ("退款申请时间", Some("退款申请时间"), |row| {
        number::spaced_time(row.at_ms)
    }),
    ("退款成功时间", Some("退款成功时间"), |row| {
        row.succeeded_at_ms.map(number::spaced_time).unwrap_or_default()
    }),
];

const REFUND: [Column; 6] = [
    ("微信退款单号", Some("微信退款单号"), |row| {
        row.refund_id.clone().unwrap_or_else(|| "0".to_owned())
    }),
    ("商户退款单号", Some("商户退款单号"), |row| {
        row.out_refund_no.clone().unwrap_or_else(|| "0".to_owned())
    }),
    ("退款金额", Some("退款金额"), |row| yuan(row.refund_fen)),
    (
        "充值券退款金额",
        Some("代金券或立减优惠退款金额"),
        |row| yuan(row.refund_coupon_fen),
    ),
    ("退款类型", Some("退款类型"), |row| match row.kind {
        Kind::Payment => String::new(),
        Kind::Refund | Kind::Reversal => "ORIGINAL".to_owned(),
    }),
    ("退款状态", Some("退款状态"), |row| row.refund_state.to_owned()),
];

const LAST: [Column; 7] = [
    ("商品名称", Some("商品名称"), |row| in_one_line(&row.body)),
    ("商户数据包", Some("商户数据包"), |row| {
        in_one_line(row.attach.as_deref().unwrap_or_default())
    }),
    ("手续费", Some("手续费"), |row| match row.kind {
        Kind::Payment => yuan_5(row.fee_fen),
        // What comes back is written with a minus, also where it is nothing but zeros.
        Kind::Refund | Kind::Reversal if row.fee_fen > 0 => format!("-{}", yuan_5(row.fee_fen)),
        Kind::Refund | Kind::Reversal => yuan_5(0),
    }),
    ("费率", Some("费率"), |row| {
        format!("{}.{:02}%", row.fee_rate / 100, row.fee_rate % 100)
    }),
    ("订单金额", None, |row| yuan(row.order_fen)),
    ("申请退款金额", None, |row| yuan(row.refund_fen)),
    ("费率备注", None, |_| String::new()),
];

/// The columns of a type, in their order.
fn columns(bill_type: BillType, layout: Layout) -> Vec<Column> {
    let mut columns = FIRST.to_vec();
    if bill_type == BillType::Refund {
        columns.extend(TIMES);
    }
    if bill_type != BillType::Success {
        columns.extend(REFUND);
    }
    // A bill of payments has no column for what was asked back.
    let without = (bill_type == BillType::Success).then_some("申请退款金额");
    columns.extend(LAST.into_iter().filter(|(name, ..)| Some(*name) != without));
    columns.retain(|(_, old_name, _)| !layout.old || old_name.is_some());
    columns
}

/// Whether the type of bill lists the row.
pub(super) fn lists(bill_type: BillType, row: &Row) -> bool {
    match bill_type {
        BillType::All => true,
        BillType::Success => row.kind == Kind::Payment,
        BillType::Refund => row.kind != Kind::Payment,
    }
}

/// The whole file, UTF-8 with its mark in front.
pub(super) fn write(rows: &[Row], bill_type: BillType, layout: Layout) -> String {
    let columns = columns(bill_type, layout);
    let mut lines = vec![header(&columns, layout)];
    lines.extend(
        rows.iter()
            .map(|row| ticked(columns.iter().map(|(_, _, cell)| cell(row)))),
    );
    let sums = sums(rows, layout);
    lines.push(sums.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(","));
    lines.push(ticked(sums.into_iter().map(|(_, sum)| sum)));
    in_file(&lines, layout.line_end)
}

/// Lines as a file.
pub(super) fn in_file(lines: &[String], line_end: &str) -> String {
    let mut text = "\u{feff}".to_owned();
    for line in lines {
        text.push_str(line);
        text.push_str(line_end);
    }
    text
}

fn header(columns: &[Column], layout: Layout) -> String {
    let names = columns
        .iter()
        .map(|(name, old_name, _)| if layout.old { old_name.unwrap_or(name) } else { name });
    names.collect::<Vec<_>>().join(",")
}

/// Cells in one line, each after a backtick.
pub(super) fn ticked(cells: impl Iterator<Item = String>) -> String {
    cells.map(|cell| format!("`{cell}")).collect::<Vec<_>>().join(",")
}

fn sums(rows: &[Row], layout: Layout) -> Vec<(&'static str, String)> {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).fold(0_u64, u64::saturating_add);
    let paid = sum(|row| row.order_fen);
    let refunded = sum(|row| row.refund_fen);
    let coupons = sum(|row| row.refund_coupon_fen);
    let (taken, given): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.kind == Kind::Payment);
    let fees = |rows: &[&Row]| rows.iter().map(|row| row.fee_fen).fold(0_u64, u64::saturating_add);
    let (taken, given) = (fees(&taken), fees(&given));
    let fee = if given > taken {
        format!("-{}", yuan_5(given - taken))
    } else {
        yuan_5(taken - given)
    };
    let count = rows.len().to_string();
    if layout.old {
        return vec![
            ("总交易单数", count),
            ("总交易额", yuan(paid)),
            ("总退款金额", yuan(refunded)),
            ("总代金券或立减优惠退款金额", yuan(coupons)),
            ("手续费总金额", fee),
        ];
    }
    vec![
        ("总交易单数", count),
        ("应结订单总金额", yuan(paid)),
        ("退款总金额", yuan(refunded)),
        ("充值券退款总金额", yuan(coupons)),
        ("手续费总金额", fee),
        ("订单总金额", yuan(paid)),
        ("申请退款总金额", yuan(refunded)),
    ]
}

/// Yuan with two decimals.
pub(super) fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Yuan with five decimals, as fees are written.
fn yuan_5(fen: u64) -> String {
    format!("{}000", yuan(fen))
}

/// A merchant's text as it may stand in a line.
fn in_one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use sha1::{Digest, Sha1};

    use super::super::bill_row;
    use super::super::vectors;
    use super::*;

    /// The day of the vectors, as its bill of half past three shows it.
    fn rows() -> Vec<Row> {
        let store = crate::store::Store::open(None).unwrap();
        let mut tx = store.begin();
        super::super::order::keep(&mut tx, &vectors::order());
        super::super::refund::keep(&mut tx, &vectors::refund());
        tx.commit();
        let scope = bill_row::Scope {
            mch_id: "1900009999".to_owned(),
            sub_mch_id: Some("1900012345".to_owned()),
            from_ms: 1_740_758_400_000,
            until_ms: 1_740_844_800_000,
            made_at_ms: 1_740_812_405_000,
        };
        bill_row::all(&store.begin(), &scope)
    }

    const NEW: Layout = Layout {
        old: false,
        line_end: "\r\n",
    };

    #[test]
    fn the_bill_of_c21_is_written_to_the_byte() {
        let file = write(&rows(), BillType::All, NEW);
        assert_eq!(file, vectors::bill());
        assert_eq!(file.len(), 1_235);
        assert_eq!(
            hex::encode(Sha1::digest(file.as_bytes())),
            "57c825ac5a744df7f5122f13265e44c9f51864ec"
        );
    }

    #[test]
    fn each_type_and_layout_has_as_many_columns_as_documented() {
        let count = |bill_type, layout| columns(bill_type, layout).len();
        assert_eq!(
            [BillType::All, BillType::Success, BillType::Refund].map(|kind| count(kind, NEW)),
            [27, 20, 29]
        );
        let old = Layout { old: true, ..NEW };
        assert_eq!(count(BillType::All, old), 24);
        let file = write(&rows(), BillType::All, old);
        assert!(
            file.contains(",子商户号,")
                && file.contains("总代金券或立减优惠退款金额,手续费总金额\r\n`2,`12.80,`3.00,`0.00,`0.06000\r\n")
        );
    }
}
