//! The fund flow of a merchant's account: every yuan that came and went on a China day, and what was left (wechat
//! reference, 6.4).

use super::bill_file::{in_file, ticked, yuan};
use super::bill_row::Scope;
use super::{number, order, refund};
use crate::fault::{Effect, fillers};
use crate::store::Tx;

/// Whose money: only the basic account has any here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ledger {
    Basic,
    Other,
}

impl Ledger {
    pub(super) fn named(name: &str) -> Self {
        if name.eq_ignore_ascii_case("basic") {
            Self::Basic
        } else {
            Self::Other
        }
    }
}

/// One line of the account. Amounts are fen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub at_ms: i64,
    pub sub_mch_id: Option<String>,
    pub business_no: String,
    pub flow_no: String,
    pub business: &'static str,
    pub comes_in: bool,
    pub amount_fen: u64,
    /// What is left afterwards; below nothing when more was given back than was there.
    pub left_fen: i128,
    pub applicant: String,
    pub remark: String,
    /// The merchant's number.
    pub voucher_no: String,
}

const PAYMENT: &str = "交易";
const FEE: &str = "扣除交易手续费";
const REFUND: &str = "退款";

/// The rows of the day in the order of their time.
pub(super) fn all(tx: &Tx<'_>, scope: &Scope, ledger: Ledger) -> Vec<Row> {
    if ledger == Ledger::Other {
        return Vec::new();
    }
    let mut rows = history(tx, &scope.mch_id);
    rows.retain(|row| scope.is_of_shop(row.sub_mch_id.as_deref()) && row.at_ms < scope.until_ms);
    rows.sort_by_key(|row| row.at_ms);
    let mut left_fen = 0_i128;
    for row in &mut rows {
        let amount = i128::from(row.amount_fen);
        left_fen += if row.comes_in { amount } else { -amount };
        row.left_fen = left_fen;
    }
    rows.retain(|row| scope.holds(row.at_ms));
    rows
}

fn history(tx: &Tx<'_>, mch_id: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for order in order::all_of(tx, mch_id) {
        let (Some(at_ms), Some(transaction_id)) = (order.paid_at_ms, &order.transaction_id) else {
            continue;
        };
        let row = |business, comes_in, amount_fen, remark| Row {
            at_ms,
            sub_mch_id: order.sub_mch_id.clone(),
            business_no: transaction_id.clone(),
            flow_no: transaction_id.clone(),
            business,
            comes_in,
            amount_fen,
            left_fen: 0,
            applicant: "system".to_owned(),
            remark,
            voucher_no: order.out_trade_no.clone(),
        };
        let remark = format!(
            "结算总金额 {} 元;含手续费 {} 元",
            yuan(order.total_fee),
            yuan(order.fee_fen)
        );
        rows.push(row(PAYMENT, true, order.total_fee, remark.clone()));
        if order.fee_fen > 0 {
            rows.push(row(FEE, false, order.fee_fen, remark));
        }
        if let Some(reversal) = &order.reversal {
            let remark = back_remark(reversal.amount_fen, reversal.fee_fen);
            let back = row(REFUND, false, reversal.amount_fen - reversal.fee_fen, remark);
            rows.push(Row {
                at_ms: reversal.at_ms,
                business_no: reversal.refund_id.clone(),
                applicant: format!("{mch_id}API"),
                ..back
            });
        }
    }
    rows.extend(refund::all_of(tx, mch_id).into_iter().filter_map(of_refund));
    rows
}

fn of_refund(refund: refund::Refund) -> Option<Row> {
    Some(Row {
        at_ms: refund.succeeded_at_ms?,
        sub_mch_id: refund.sub_mch_id,
        business_no: refund.refund_id,
        flow_no: refund.transaction_id,
        business: REFUND,
        comes_in: false,
        amount_fen: refund.refund_fee - refund.fee_fen,
        left_fen: 0,
        applicant: format!("{}API", refund.mch_id),
        remark: back_remark(refund.refund_fee, refund.fee_fen),
        voucher_no: refund.out_refund_no,
    })
}

fn back_remark(amount_fen: u64, fee_fen: u64) -> String {
    format!("退款总金额{}元;含手续费{}元", yuan(amount_fen), yuan(fee_fen))
}

/// Makes the rows lie as the fault script wants; what is left is not counted again.
pub(super) fn distort(rows: &mut Vec<Row>, effects: &[Effect], scope: &Scope) {
    for effect in effects {
        match effect {
            Effect::BillEmpty => rows.clear(),
            Effect::BillDoubled => *rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect(),
            Effect::BillRowMissing { order_no } => rows.retain(|row| row.voucher_no != *order_no),
            Effect::BillRowExtra { order_no, fen } => rows.push(never_was(scope, order_no, *fen)),
            Effect::BillLong { rows: more } => rows.extend(fillers(*more).map(|no| never_was(scope, &no, 1))),
            Effect::BillRowAmount { order_no, fen } => {
                change(rows, order_no, |row| row.business != FEE, |row| row.amount_fen = *fen);
            }
            Effect::BillRowFee { order_no, fen } => {
                change(rows, order_no, |row| row.business == FEE, |row| row.amount_fen = *fen);
            }
            Effect::BillRowState { order_no } => {
                change(rows, order_no, |_| true, |row| row.comes_in = !row.comes_in);
            }
            _ => {}
        }
    }
}

fn change(rows: &mut [Row], order_no: &str, fits: impl Fn(&Row) -> bool, act: impl Fn(&mut Row)) {
    rows.iter_mut()
        .filter(|row| row.voucher_no == order_no && fits(row))
        .for_each(act);
}

fn never_was(scope: &Scope, order_no: &str, fen: u64) -> Row {
    let transaction_id = format!("4200009999{}9999999999", number::day(scope.from_ms));
    Row {
        at_ms: scope.from_ms,
        sub_mch_id: scope.sub_mch_id.clone(),
        business_no: transaction_id.clone(),
        flow_no: transaction_id,
        business: PAYMENT,
        comes_in: true,
        amount_fen: fen,
        left_fen: i128::from(fen),
        applicant: "system".to_owned(),
        remark: String::new(),
        voucher_no: order_no.to_owned(),
    }
}

const HEADER: &str = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),\
资金变更提交申请人,备注,业务凭证号";

const SUM_HEADER: &str = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额";

/// The whole file.
pub(super) fn write(rows: &[Row], line_end: &str) -> String {
    let mut lines = vec![HEADER.to_owned()];
    lines.extend(rows.iter().map(line));
    lines.push(SUM_HEADER.to_owned());
    let side = |comes_in: bool| {
        let side = rows.iter().filter(|row| row.comes_in == comes_in);
        let (count, fen) = side.fold((0_usize, 0_u64), |(count, fen), row| {
            (count + 1, fen.saturating_add(row.amount_fen))
        });
        [count.to_string(), yuan(fen)]
    };
    let sums = std::iter::once(rows.len().to_string())
        .chain(side(true))
        .chain(side(false));
    lines.push(ticked(sums));
    in_file(&lines, line_end)
}

fn line(row: &Row) -> String {
    let left = u64::try_from(row.left_fen.unsigned_abs()).unwrap_or(u64::MAX);
    let sign = if row.left_fen < 0 { "-" } else { "" };
    let cells = [
        number::spaced_time(row.at_ms),
        row.business_no.clone(),
        row.flow_no.clone(),
        row.business.to_owned(),
        row.business.to_owned(),
        if row.comes_in { "收入" } else { "支出" }.to_owned(),
        yuan(row.amount_fen),
        format!("{sign}{}", yuan(left)),
        row.applicant.clone(),
        row.remark.clone(),
        row.voucher_no.clone(),
    ];
    ticked(cells.into_iter())
}
