//! Refunds: filing and asking (wechat reference, 5.1 to 5.3).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::operation::{Carrier, Family, Form, Operation, Signing, may, must};
use super::order::{self, Order, State};
use super::request::Call;
use super::settle::{self, Due};
use super::xml::Fields;
use super::{account, number};
use crate::frame::Frame;
use crate::store::Tx;

const REFUNDS: &str = "wechat_refund";
const BY_ID: &str = "wechat_refund_of_id";

/// A payment can be refunded so long.
const AGE_MS_MAX: i64 = 365 * 86_400_000;

/// Refunds of one payment.
const COUNT_MAX: usize = 50;

/// Refunds in one answer of `refundquery`.
const PAGE_LEN: usize = 10;

/// `/secapi/pay/refund`.
pub(super) static REFUND: Operation = Operation {
    name: "refund",
    family: Family::Refund,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: true,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        may("transaction_id", Form::Id(32)),
        may("out_trade_no", Form::TradeNo),
        must("out_refund_no", Form::RefundNo),
        must("total_fee", Form::Amount),
        must("refund_fee", Form::Amount),
        may("refund_fee_type", Form::OneOf(&["CNY"])),
        may("refund_desc", Form::Text(80)),
        may(
            "refund_account",
            Form::OneOf(&["REFUND_SOURCE_UNSETTLED_FUNDS", "REFUND_SOURCE_RECHARGE_FUNDS"]),
        ),
        may("notify_url", Form::NotifyUrl),
    ],
    act: file,
};

/// `/pay/refundquery`.
pub(super) static REFUNDQUERY: Operation = Operation {
    name: "refundquery",
    family: Family::RefundQuery,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        may("refund_id", Form::Id(32)),
        may("out_refund_no", Form::RefundNo),
        may("transaction_id", Form::Id(32)),
        may("out_trade_no", Form::TradeNo),
        may("offset", Form::Digits(4)),
    ],
    act: ask,
};

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Processing,
    Success,
    /// Nothing was given back; the merchant may file again.
    Closed,
    /// The card cannot take it; a person must look after it.
    Change,
}

impl Status {
    /// `refund_status`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Closed => "REFUNDCLOSE",
            Self::Change => "CHANGE",
        }
    }
}

/// A refund.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Refund {
    pub mch_id: String,
    pub sub_mch_id: Option<String>,
    pub appid: String,
    pub sub_appid: Option<String>,
    pub out_refund_no: String,
    pub refund_id: String,
    pub out_trade_no: String,
    pub transaction_id: String,
    pub openid: String,
    pub total_fee: u64,
    pub refund_fee: u64,
    /// The part of `refund_fee` that goes back to the coupon.
    pub coupon_fee: u64,
    pub account: String,
    pub notify_url: Option<String>,
    pub status: Status,
    /// How it is going to end.
    pub will_end: Status,
    pub settle_at_ms: i64,
    pub succeeded_at_ms: Option<i64>,
}

impl Refund {
    /// The row under which it stands.
    pub(super) fn key(&self) -> String {
        key(&self.mch_id, &self.out_refund_no)
    }

    /// What goes back to the user himself.
    pub(super) fn cash_fee(&self) -> u64 {
        self.refund_fee - self.coupon_fee
    }
}

fn key(mch_id: &str, out_refund_no: &str) -> String {
    format!("{mch_id}/{out_refund_no}")
}

/// The refund in a row.
pub(super) fn find(tx: &Tx<'_>, key: &str) -> Option<Refund> {
    tx.get(REFUNDS, key)
}

/// Writes a refund down.
pub(super) fn keep(tx: &mut Tx<'_>, refund: &Refund) {
    tx.put(REFUNDS, &refund.key(), refund);
    tx.put(BY_ID, &refund.refund_id, &refund.key());
}

/// All refunds that are processing.
pub(super) fn pending(tx: &Tx<'_>) -> Vec<Refund> {
    tx.scan(REFUNDS)
        .into_iter()
        .filter(|refund: &Refund| refund.status == Status::Processing)
        .collect()
}

/// Takes a refund that was closed out of the sums, so that it can be filed again.
pub(super) fn undo(tx: &mut Tx<'_>, refund: &Refund) {
    if let Some(mut order) = order::find(tx, &order::key(&refund.mch_id, &refund.out_trade_no)) {
        order.refunded_fen -= refund.refund_fee;
        order.refunded_coupon_fen -= refund.coupon_fee;
        order::keep(tx, &order);
    }
    if let Some(mut account) = account::find(tx, &refund.mch_id)
        && let Some(funds) = account.terms.refund_funds_fen
    {
        account.terms.refund_funds_fen = Some(funds.saturating_add(refund.refund_fee));
        account::keep(tx, &account);
    }
}

fn file(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let mut tx = frame.store.begin();
    let order = order::named(&tx, call)?;
    if !matches!(order.state, State::Paid | State::Refund) {
        return Err(Failure::new("ORDERNOTEXIST", "订单未支付"));
    }
    let known = find(&tx, &key(&call.account.mch_id, call.field("out_refund_no")));
    if let Some(known) = &known {
        check_repeat(known, &order, call)?;
        if known.status != Status::Closed {
            return Ok(filed(known, &order));
        }
    }
    check_order(&order, call)?;
    take_funds(&mut tx, call)?;
    let (order, refund) = made(frame, &mut tx, call, order, known);
    keep(&mut tx, &refund);
    order::keep(&mut tx, &order);
    tx.commit();
    settle::later(frame, Due::Refund(refund.key()), refund.settle_at_ms);
    Ok(filed(&refund, &order))
}

/// The same number is the same refund; it must carry the same fields.
fn check_repeat(known: &Refund, order: &Order, call: &Call) -> Result<(), Failure> {
    if known.out_trade_no != order.out_trade_no {
        return Err(Failure::new("INVALID_REQUEST", "商户退款单号已用于其他订单"));
    }
    if known.refund_fee != call.amount("refund_fee") || known.total_fee != call.amount("total_fee") {
        return Err(Failure::of("REFUND_FEE_MISMATCH"));
    }
    Ok(())
}

fn check_order(order: &Order, call: &Call) -> Result<(), Failure> {
    let terms = &call.account.terms;
    if order.total_fee != call.amount("total_fee") {
        return Err(Failure::new("INVALID_REQUEST", "total_fee与原订单金额不一致"));
    }
    if call.now_ms.saturating_sub(order.paid_at_ms.unwrap_or_default()) > AGE_MS_MAX {
        return Err(Failure::of("TRADE_OVERDUE"));
    }
    if order.refunds.len() >= COUNT_MAX {
        return Err(Failure::new("INVALID_REQUEST", "一笔订单最多退款50次"));
    }
    if order.refunded_fen.saturating_add(call.amount("refund_fee")) > order.total_fee {
        return Err(Failure::new("REFUND_FEE_MISMATCH", "累计退款金额大于支付金额"));
    }
    let spacing_ms = i64::from(terms.refund_spacing_s) * 1_000;
    if order
        .last_refund_at_ms
        .is_some_and(|last_ms| call.now_ms.saturating_sub(last_ms) < spacing_ms)
    {
        return Err(Failure::of(&terms.refund_spacing_code));
    }
    Ok(())
}

fn take_funds(tx: &mut Tx<'_>, call: &Call) -> Result<(), Failure> {
    // Read anew: another refund may have taken from the funds since the request passed the door.
    let Some(mut account) = account::find(tx, &call.account.mch_id) else {
        return Ok(());
    };
    let Some(funds) = account.terms.refund_funds_fen else {
        return Ok(());
    };
    let left = funds.checked_sub(call.amount("refund_fee"));
    account.terms.refund_funds_fen = Some(left.ok_or_else(|| Failure::new("NOTENOUGH", "商户可用退款余额不足"))?);
    account::keep(tx, &account);
    Ok(())
}

/// The order with its new refund. A refund that was closed and is filed again keeps its `refund_id`.
fn made(frame: &Frame, tx: &mut Tx<'_>, call: &Call, mut order: Order, known: Option<Refund>) -> (Order, Refund) {
    let refund_fee = call.amount("refund_fee");
    let out_refund_no = call.field("out_refund_no").to_owned();
    let fate = settle::fate(frame, &call.effects);
    let coupon_fee = coupon_part(&order, refund_fee);
    let is_new = known.is_none();
    let refund = Refund {
        mch_id: order.mch_id.clone(),
        sub_mch_id: order.sub_mch_id.clone(),
        appid: order.appid.clone(),
        sub_appid: call.sub_appid().map(str::to_owned),
        refund_id: known.map_or_else(|| number::refund_id(tx, call.now_ms), |known| known.refund_id),
        out_refund_no: out_refund_no.clone(),
        out_trade_no: order.out_trade_no.clone(),
        transaction_id: order.transaction_id.clone().unwrap_or_default(),
        openid: order.openid.clone(),
        total_fee: order.total_fee,
        refund_fee,
        coupon_fee,
        account: call
            .text("refund_account")
            .unwrap_or_else(|| "REFUND_SOURCE_UNSETTLED_FUNDS".to_owned()),
        notify_url: call
            .text("notify_url")
            .or_else(|| call.account.terms.refund_notify_url.clone()),
        status: Status::Processing,
        will_end: match fate.fails_with.as_deref() {
            None => Status::Success,
            Some("CHANGE") => Status::Change,
            Some(_) => Status::Closed,
        },
        settle_at_ms: settle::after(call.now_ms, fate.wait_ms),
        succeeded_at_ms: None,
    };
    order.state = State::Refund;
    order.refunded_fen += refund_fee;
    order.refunded_coupon_fen += coupon_fee;
    order.last_refund_at_ms = Some(call.now_ms);
    if is_new {
        order.refunds.push(out_refund_no);
    }
    (order, refund)
}

/// Coupons go back in proportion; the last refund takes what rounding left.
fn coupon_part(order: &Order, refund_fee: u64) -> u64 {
    if order.refunded_fen + refund_fee == order.total_fee {
        return order.coupon_fee - order.refunded_coupon_fen;
    }
    let part = u128::from(order.coupon_fee) * u128::from(refund_fee) / u128::from(order.total_fee);
    u64::try_from(part).unwrap_or(order.coupon_fee)
}

/// The answer to filing: filed, not refunded.
fn filed(refund: &Refund, order: &Order) -> Fields {
    let mut answer = Fields::new();
    answer.put("transaction_id", &refund.transaction_id);
    answer.put("out_trade_no", &refund.out_trade_no);
    answer.put("out_refund_no", &refund.out_refund_no);
    answer.put("refund_id", &refund.refund_id);
    answer.put("refund_fee", refund.refund_fee.to_string());
    answer.put("total_fee", refund.total_fee.to_string());
    answer.put("cash_fee", order.cash_fee().to_string());
    answer.put("cash_refund_fee", refund.cash_fee().to_string());
    answer.put("coupon_refund_fee", refund.coupon_fee.to_string());
    answer.put("coupon_refund_count", if refund.coupon_fee > 0 { "1" } else { "0" });
    for (name, value) in coupon(refund, "") {
        answer.put(name, value);
    }
    answer
}

/// The coupon that a refund gives back; `prefix` is the refund's own place in the answer.
fn coupon(refund: &Refund, prefix: &str) -> Vec<(String, String)> {
    if refund.coupon_fee == 0 {
        return Vec::new();
    }
    vec![
        (format!("coupon_type{prefix}_0"), "CASH".to_owned()),
        (format!("coupon_refund_id{prefix}_0"), "10001".to_owned()),
        (format!("coupon_refund_fee{prefix}_0"), refund.coupon_fee.to_string()),
    ]
}

fn ask(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let tx = frame.store.begin();
    let fields = &call.fields;
    let by_id = fields
        .get("refund_id")
        .map(|id| tx.get::<String>(BY_ID, id).and_then(|key| find(&tx, &key)));
    let by_number = || {
        fields
            .get("out_refund_no")
            .map(|number| find(&tx, &key(&call.account.mch_id, number)))
    };
    let missing = || Failure::of("REFUNDNOTEXIST");
    let (order, refunds) = match by_id.or_else(by_number) {
        Some(found) => {
            let refund = found
                .filter(|refund| refund.mch_id == call.account.mch_id)
                .ok_or_else(missing)?;
            let order = order::find(&tx, &order::key(&refund.mch_id, &refund.out_trade_no)).ok_or_else(missing)?;
            (order, vec![refund])
        }
        None => {
            let order = order::named(&tx, call).map_err(|failure| match failure.code.as_str() {
                "ORDERNOTEXIST" => missing(),
                _ => failure,
            })?;
            let refunds = order
                .refunds
                .iter()
                .filter_map(|number| find(&tx, &key(&order.mch_id, number)))
                .collect();
            (order, refunds)
        }
    };
    if refunds.is_empty() || order.sub_mch_id.as_deref() != call.sub_mch_id() {
        return Err(missing());
    }
    let offset = fields.get("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0);
    Ok(told(&order, &refunds, offset))
}

fn told(order: &Order, refunds: &[Refund], offset: usize) -> Fields {
    let page = refunds.iter().skip(offset).take(PAGE_LEN);
    let mut answer = Fields::new();
    answer.put_some("transaction_id", order.transaction_id.as_deref());
    answer.put("out_trade_no", &order.out_trade_no);
    answer.put("total_fee", order.total_fee.to_string());
    answer.put("fee_type", "CNY");
    answer.put("cash_fee", order.cash_fee().to_string());
    answer.put("refund_count", page.len().to_string());
    if refunds.len() > PAGE_LEN {
        answer.put("total_refund_count", refunds.len().to_string());
    }
    for (n, refund) in page.enumerate() {
        answer.put(format!("out_refund_no_{n}"), &refund.out_refund_no);
        answer.put(format!("refund_id_{n}"), &refund.refund_id);
        answer.put(format!("refund_channel_{n}"), "ORIGINAL");
        answer.put(format!("refund_fee_{n}"), refund.refund_fee.to_string());
        if refund.coupon_fee > 0 {
            answer.put(format!("coupon_refund_fee_{n}"), refund.coupon_fee.to_string());
            answer.put(format!("coupon_refund_count_{n}"), "1");
        }
        for (name, value) in coupon(refund, &format!("_{n}")) {
            answer.put(name, value);
        }
        answer.put(format!("refund_status_{n}"), refund.status.word());
        answer.put(format!("refund_account_{n}"), &refund.account);
        answer.put(format!("refund_recv_accout_{n}"), RECEIVED_BY);
        if let Some(at_ms) = refund.succeeded_at_ms {
            answer.put(format!("refund_success_time_{n}"), number::spaced_time(at_ms));
        }
    }
    answer
}

/// `refund_recv_accout` (sic): where the money goes back to.
pub(super) const RECEIVED_BY: &str = "支付用户的零钱";
