//! The rows of a trade bill, made from what the gateway's books keep of a China day (wechat reference, 6.2).

use super::order::{self, BANK_TYPE, Order};
use super::refund::{self, Refund, Status};
use crate::fault::{Effect, fillers};
use crate::store::Tx;

/// The part of a day's business that a bill is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub mch_id: String,
    /// One shop only; otherwise the file of a provider holds all shops.
    pub sub_mch_id: Option<String>,
    /// The day, Unix milliseconds: from this moment ...
    pub from_ms: i64,
    /// ... until before this one.
    pub until_ms: i64,
    /// When the file is made: refunds stand in it as they stood then.
    pub made_at_ms: i64,
}

impl Scope {
    /// Whether the moment belongs to the day.
    pub(super) fn holds(&self, at_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&at_ms)
    }

    pub(super) fn is_of_shop(&self, sub_mch_id: Option<&str>) -> bool {
        self.sub_mch_id.is_none() || self.sub_mch_id.as_deref() == sub_mch_id
    }
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Payment,
    Refund,
    /// A reversal: a refund that the merchant did not number.
    Reversal,
}

/// One row. Amounts are fen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub kind: Kind,
    pub at_ms: i64,
    pub appid: String,
    pub mch_id: String,
    pub sub_mch_id: Option<String>,
    pub device_info: Option<String>,
    pub transaction_id: String,
    pub out_trade_no: String,
    pub openid: String,
    pub trade_type: &'static str,
    pub trade_state: &'static str,
    pub bank_type: &'static str,
    /// The order's amount; nothing in the row of a refund.
    pub order_fen: u64,
    pub coupon_fen: u64,
    pub refund_id: Option<String>,
    pub out_refund_no: Option<String>,
    pub refund_fen: u64,
    pub refund_coupon_fen: u64,
    pub refund_state: &'static str,
    pub succeeded_at_ms: Option<i64>,
    pub body: String,
    pub attach: Option<String>,
    /// What the merchant pays, or gets back where the row is about a refund.
    pub fee_fen: u64,
    pub fee_rate: u32,
}

/// All rows of the day in the order of their time.
pub(super) fn all(tx: &Tx<'_>, scope: &Scope) -> Vec<Row> {
    let orders = order::all_of(tx, &scope.mch_id);
    let mut rows: Vec<Row> = Vec::new();
    for order in orders
        .iter()
        .filter(|order| scope.is_of_shop(order.sub_mch_id.as_deref()))
    {
        rows.extend(of_payment(order).filter(|row| scope.holds(row.at_ms)));
        rows.extend(of_reversal(order).filter(|row| scope.holds(row.at_ms)));
    }
    for refund in refund::all_of(tx, &scope.mch_id) {
        if scope.holds(refund.filed_at_ms) && scope.is_of_shop(refund.sub_mch_id.as_deref()) {
            let order = order::find(tx, &order::key(&refund.mch_id, &refund.out_trade_no));
            rows.extend(order.map(|order| of_refund(&order, &refund, scope.made_at_ms)));
        }
    }
    rows.sort_by(|a, b| (a.at_ms, &a.out_trade_no).cmp(&(b.at_ms, &b.out_trade_no)));
    rows
}

/// Only what was paid is listed.
fn of_payment(order: &Order) -> Option<Row> {
    Some(Row {
        kind: Kind::Payment,
        at_ms: order.paid_at_ms?,
        appid: order.appid.clone(),
        mch_id: order.mch_id.clone(),
        sub_mch_id: order.sub_mch_id.clone(),
        device_info: order.device_info.clone(),
        transaction_id: order.transaction_id.clone()?,
        out_trade_no: order.out_trade_no.clone(),
        openid: order.openid.clone(),
        trade_type: order.trade_type(),
        trade_state: "SUCCESS",
        bank_type: BANK_TYPE,
        order_fen: order.total_fee,
        coupon_fen: order.coupon_fee,
        refund_id: None,
        out_refund_no: None,
        refund_fen: 0,
        refund_coupon_fen: 0,
        refund_state: "",
        succeeded_at_ms: None,
        body: order.body.clone(),
        attach: order.attach.clone(),
        fee_fen: order.fee_fen,
        fee_rate: order.fee_rate,
    })
}

fn of_reversal(order: &Order) -> Option<Row> {
    let reversal = order.reversal.as_ref()?;
    Some(Row {
        kind: Kind::Reversal,
        at_ms: reversal.at_ms,
        trade_state: "REVOKED",
        order_fen: 0,
        coupon_fen: 0,
        refund_id: Some(reversal.refund_id.clone()),
        out_refund_no: Some(order.out_trade_no.clone()),
        refund_fen: reversal.amount_fen,
        refund_coupon_fen: order.coupon_fee,
        refund_state: "SUCCESS",
        succeeded_at_ms: Some(reversal.at_ms),
        fee_fen: reversal.fee_fen,
        ..of_payment(order)?
    })
}

fn of_refund(order: &Order, refund: &Refund, made_at_ms: i64) -> Row {
    let ended = refund.ended_at_ms.is_some_and(|at_ms| at_ms < made_at_ms);
    let refund_state = match refund.status {
        Status::Success if ended => "SUCCESS",
        Status::Closed | Status::Change if ended => "FAIL",
        _ => "PROCESSING",
    };
    Row {
        kind: Kind::Refund,
        at_ms: refund.filed_at_ms,
        appid: order.appid.clone(),
        mch_id: order.mch_id.clone(),
        sub_mch_id: order.sub_mch_id.clone(),
        device_info: order.device_info.clone(),
        transaction_id: refund.transaction_id.clone(),
        out_trade_no: order.out_trade_no.clone(),
        openid: order.openid.clone(),
        trade_type: order.trade_type(),
        trade_state: "REFUND",
        bank_type: BANK_TYPE,
        order_fen: 0,
        coupon_fen: 0,
        refund_id: Some(refund.refund_id.clone()),
        out_refund_no: Some(refund.out_refund_no.clone()),
        refund_fen: refund.refund_fee,
        refund_coupon_fen: refund.coupon_fee,
        refund_state,
        succeeded_at_ms: refund.succeeded_at_ms.filter(|_| ended),
        body: order.body.clone(),
        attach: order.attach.clone(),
        fee_fen: refund.fee_fen,
        fee_rate: order.fee_rate,
    }
}

impl Row {
    /// The merchant's number of the movement that the row is about. A reversal goes by its order, whose payment has the
    /// same number and comes first.
    fn number(&self) -> Option<&str> {
        match self.kind {
            Kind::Payment => Some(&self.out_trade_no),
            Kind::Refund => self.out_refund_no.as_deref(),
            Kind::Reversal => None,
        }
    }
}

/// Makes the rows lie as the fault script wants. Sums are made afterwards, so that the file agrees with itself.
pub(super) fn distort(rows: &mut Vec<Row>, effects: &[Effect], scope: &Scope) {
    for effect in effects {
        match effect {
            Effect::BillEmpty => rows.clear(),
            Effect::BillDoubled => *rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect(),
            Effect::BillRowMissing { order_no } => rows.retain(|row| row.number() != Some(order_no)),
            Effect::BillRowExtra { order_no, fen } => rows.push(never_was(scope, order_no, *fen)),
            Effect::BillLong { rows: more } => rows.extend(fillers(*more).map(|no| never_was(scope, &no, 1))),
            Effect::BillRowAmount { order_no, fen } => change(rows, order_no, |row| match row.kind {
                Kind::Payment => row.order_fen = *fen,
                Kind::Refund | Kind::Reversal => row.refund_fen = *fen,
            }),
            Effect::BillRowFee { order_no, fen } => change(rows, order_no, |row| row.fee_fen = *fen),
            Effect::BillRowState { order_no } => change(rows, order_no, |row| match row.kind {
                Kind::Payment => row.trade_state = "REVOKED",
                Kind::Refund | Kind::Reversal if row.refund_state == "FAIL" => row.refund_state = "SUCCESS",
                Kind::Refund | Kind::Reversal => row.refund_state = "FAIL",
            }),
            _ => {}
        }
    }
}

fn change(rows: &mut [Row], order_no: &str, act: impl Fn(&mut Row)) {
    rows.iter_mut()
        .filter(|row| row.number() == Some(order_no))
        .for_each(act);
}

/// The row of a payment that nobody made.
fn never_was(scope: &Scope, order_no: &str, fen: u64) -> Row {
    Row {
        kind: Kind::Payment,
        at_ms: scope.from_ms,
        appid: "wx0000000000000000".to_owned(),
        mch_id: scope.mch_id.clone(),
        sub_mch_id: scope.sub_mch_id.clone(),
        device_info: None,
        transaction_id: format!("4200009999{}9999999999", super::number::day(scope.from_ms)),
        out_trade_no: order_no.to_owned(),
        openid: "o000000000000000000000000000".to_owned(),
        trade_type: "PAP",
        trade_state: "SUCCESS",
        bank_type: BANK_TYPE,
        order_fen: fen,
        coupon_fen: 0,
        refund_id: None,
        out_refund_no: None,
        refund_fen: 0,
        refund_coupon_fen: 0,
        refund_state: "",
        succeeded_at_ms: None,
        body: "消费".to_owned(),
        attach: None,
        fee_fen: 0,
        fee_rate: 60,
    }
}
