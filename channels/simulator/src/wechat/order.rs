//! Deductions: applying, asking, closing (wechat reference, 3.7, 3.9, 3.10).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::contract::{self, Contract};
use super::operation::{Carrier, Family, Form, Operation, Rule, Signing, may, must};
use super::request::Call;
use super::settle::{self, Due};
use super::sign::SignType;
use super::xml::Fields;
use super::{number, quota, sign};
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

const ORDERS: &str = "wechat_order";
const BY_TRANSACTION: &str = "wechat_order_of_transaction";

/// `paporderquery` does not know orders older than a month.
const PAP_QUERY_AGE_MS_MAX: i64 = 31 * 86_400_000;

/// An order that waits for its cancelling call (`PaidAfterReverse`) waits at most so long.
const UNCANCELLED_WAIT_MS: u64 = 86_400_000;

/// `/pay/pappayapply`.
pub(super) static PAPPAYAPPLY: Operation = Operation {
    name: "pappayapply",
    family: Family::Deduction,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        must("body", Form::Text(127)),
        may("detail", Form::Text(8_192)),
        may("attach", Form::Text(127)),
        must("out_trade_no", Form::TradeNo),
        must("total_fee", Form::Amount),
        may("fee_type", Form::OneOf(&["CNY"])),
        must("spbill_create_ip", Form::Ip4),
        may("goods_tag", Form::Text(32)),
        must("notify_url", Form::NotifyUrl),
        must("trade_type", Form::OneOf(&["PAP"])),
        must("contract_id", Form::Id(32)),
        may("receipt", Form::OneOf(&["Y"])),
    ],
    act: apply,
};

/// `/pay/paporderquery`.
pub(super) static PAPORDERQUERY: Operation = query("paporderquery", |frame, call| {
    let order = named(&frame.store.begin(), call)?;
    if order.state == State::Closed {
        return Err(Failure::new("INVALID_REQUEST", "订单不是委托代扣场景"));
    }
    if call.now_ms.saturating_sub(order.created_at_ms) > PAP_QUERY_AGE_MS_MAX {
        return Err(Failure::of("ORDERNOTEXIST"));
    }
    Ok(told(&order, "PAY_FAIL"))
});

/// `/pay/orderquery`.
pub(super) static ORDERQUERY: Operation = query("orderquery", |frame, call| {
    Ok(told(&named(&frame.store.begin(), call)?, "PAYERROR"))
});

/// `/pay/closeorder`.
pub(super) static CLOSEORDER: Operation = Operation {
    name: "closeorder",
    family: Family::Close,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: true,
    is_closed: false,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[must("out_trade_no", Form::TradeNo)],
    act: close,
};

const ORDER_NAMES: &[Rule] = &[may("transaction_id", Form::Id(32)), may("out_trade_no", Form::TradeNo)];

const fn query(name: &'static str, act: fn(&Arc<Frame>, &Call) -> Result<Fields, Failure>) -> Operation {
    Operation {
        name,
        family: Family::OrderQuery,
        carrier: Carrier::Post,
        signing: Signing::Md5,
        has_nonce: true,
        is_closed: false,
        is_certified: false,
        bad_field_code: "PARAM_ERROR",
        rules: ORDER_NAMES,
        act,
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Accepted; the deduction runs.
    NotPay,
    Paid,
    /// Paid, and at least one refund was filed.
    Refund,
    PayFail,
    Closed,
}

/// A deduction.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Order {
    pub mch_id: String,
    pub sub_mch_id: Option<String>,
    pub appid: String,
    pub sub_appid: Option<String>,
    pub out_trade_no: String,
    pub attach: Option<String>,
    pub total_fee: u64,
    /// The part of `total_fee` that a coupon pays.
    pub coupon_fee: u64,
    pub contract_id: String,
    pub openid: String,
    pub sub_openid: Option<String>,
    pub notify_url: String,
    pub sign_type: SignType,
    /// Stands for all business fields of the request; a repeat must carry the same.
    fingerprint: String,
    pub quota_key: String,
    pub state: State,
    pub created_at_ms: i64,
    /// When it settles; moves when the settling is put off, so that only the last appointment counts.
    pub settle_at_ms: i64,
    /// The reason for which it is going to fail.
    pub will_fail: Option<String>,
    /// How long after closing it is paid all the same.
    pub paid_after_close_ms: Option<u64>,
    pub transaction_id: Option<String>,
    pub paid_at_ms: Option<i64>,
    pub err_code: Option<String>,
    /// Refunds filed and not failed, together.
    pub refunded_fen: u64,
    pub refunded_coupon_fen: u64,
    /// Numbers of all refunds, oldest first.
    pub refunds: Vec<String>,
    pub last_refund_at_ms: Option<i64>,
}

impl Order {
    /// The row under which it stands.
    pub(super) fn key(&self) -> String {
        key(&self.mch_id, &self.out_trade_no)
    }

    /// Whether the background has still to settle it.
    pub(super) fn awaits_settlement(&self) -> bool {
        self.state == State::NotPay || (self.state == State::Closed && self.paid_after_close_ms.is_some())
    }

    /// What the user pays himself.
    pub(super) fn cash_fee(&self) -> u64 {
        self.total_fee - self.coupon_fee
    }

    /// The amounts of a paid order as queries and notifications tell them.
    pub(super) fn amounts(&self) -> Fields {
        let mut fields = Fields::new().with("total_fee", self.total_fee.to_string());
        fields.put("fee_type", "CNY");
        fields.put("cash_fee", self.cash_fee().to_string());
        if self.coupon_fee > 0 {
            fields.put("coupon_fee", self.coupon_fee.to_string());
            fields.put("coupon_count", "1");
            fields.put("coupon_id_0", "10001");
            fields.put("coupon_fee_0", self.coupon_fee.to_string());
        }
        fields
    }
}

/// The row of an order number: one table for all shops of a provider, for ever.
pub(super) fn key(mch_id: &str, out_trade_no: &str) -> String {
    format!("{mch_id}/{out_trade_no}")
}

/// The order in a row.
pub(super) fn find(tx: &Tx<'_>, key: &str) -> Option<Order> {
    tx.get(ORDERS, key)
}

/// The order that a payment's number belongs to.
pub(super) fn find_paid(tx: &Tx<'_>, transaction_id: &str) -> Option<Order> {
    let key: String = tx.get(BY_TRANSACTION, transaction_id)?;
    find(tx, &key)
}

/// Writes an order down.
pub(super) fn keep(tx: &mut Tx<'_>, order: &Order) {
    tx.put(ORDERS, &order.key(), order);
    if let Some(transaction_id) = &order.transaction_id {
        tx.put(BY_TRANSACTION, transaction_id, &order.key());
    }
}

/// All orders that the background has still to settle.
pub(super) fn pending(tx: &Tx<'_>) -> Vec<Order> {
    tx.scan(ORDERS).into_iter().filter(Order::awaits_settlement).collect()
}

/// The order that a request names; `transaction_id` wins. Shops do not see each other's orders.
pub(super) fn named(tx: &Tx<'_>, call: &Call) -> Result<Order, Failure> {
    let found = match (call.fields.get("transaction_id"), call.fields.get("out_trade_no")) {
        (Some(transaction_id), _) => find_paid(tx, transaction_id),
        (None, Some(out_trade_no)) => find(tx, &key(&call.account.mch_id, out_trade_no)),
        (None, None) => return Err(Failure::bad_field("缺少参数:transaction_id或out_trade_no")),
    };
    found
        .filter(|order| order.mch_id == call.account.mch_id && order.sub_mch_id.as_deref() == call.sub_mch_id())
        .ok_or_else(|| Failure::of("ORDERNOTEXIST"))
}

fn apply(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let mut tx = frame.store.begin();
    let accepted = accept(&mut tx, frame, call);
    // The call counts against the day's quota even when it is refused.
    tx.commit();
    let order = accepted?;
    settle::later(frame, Due::Order(order.key()), order.settle_at_ms);
    Ok(Fields::new())
}

fn accept(tx: &mut Tx<'_>, frame: &Frame, call: &Call) -> Result<Order, Failure> {
    let terms = &call.account.terms;
    let contract = contract::find(tx, call.field("contract_id"));
    let contract = contract.filter(|contract| contract.mch_id == call.account.mch_id && contract.ended.is_none());
    let quota_key = contract
        .as_ref()
        .map(|known| quota::key(&known.mch_id, &known.plan_id, &known.user, call.now_ms));
    let within = quota_key.as_ref().is_none_or(|key| quota::count_call(tx, key, terms));
    if !within {
        return Err(Failure::new("RULELIMIT", "当日扣款请求次数超出限制"));
    }
    if let Some(known) = find(tx, &key(&call.account.mch_id, call.field("out_trade_no"))) {
        return Err(repeated(&known, call));
    }
    let (Some(contract), Some(quota_key)) = (contract, quota_key) else {
        return Err(Failure::of("CONTRACT_NOT_EXIST"));
    };
    if !contract.is_live(call.now_ms) {
        return Err(Failure::of("CONTRACTERROR"));
    }
    quota::hold(tx, &quota_key, terms, call.amount("total_fee"), call.now_ms)
        .map_err(|text| Failure::new("RULELIMIT", text))?;
    let order = accepted(frame, call, contract, quota_key);
    keep(tx, &order);
    Ok(order)
}

/// What a number that is in use answers.
fn repeated(known: &Order, call: &Call) -> Failure {
    if known.fingerprint != fingerprint(&call.fields) {
        return Failure::new("INVALID_REQUEST", "商户订单号重复，且请求参数不一致");
    }
    match known.state {
        State::NotPay => Failure::of("ORDER_ACCEPTED"),
        State::Paid | State::Refund => Failure::of("ORDERPAID"),
        State::Closed => Failure::of("ORDERCLOSED"),
        State::PayFail => Failure::of(&call.account.terms.reapply_failed_code),
    }
}

/// A repeat may differ in `nonce_str` and `sign` only (wechat reference, 10.4).
fn fingerprint(fields: &Fields) -> String {
    let mut business = Fields::new();
    for (name, value) in fields
        .iter()
        .filter(|(name, _)| !matches!(*name, "nonce_str" | "sign" | "sign_type"))
    {
        business.put(name, value);
    }
    sign::sign(&business, "", SignType::HmacSha256)
}

fn accepted(frame: &Frame, call: &Call, contract: Contract, quota_key: String) -> Order {
    let total_fee = call.amount("total_fee");
    let fate = settle::fate(frame, &call.effects);
    let paid_after_close_ms = paid_after_close(&call.effects);
    let wait_ms = if paid_after_close_ms.is_some() {
        UNCANCELLED_WAIT_MS
    } else {
        fate.wait_ms
    };
    Order {
        mch_id: call.account.mch_id.clone(),
        sub_mch_id: call.sub_mch_id().map(str::to_owned),
        appid: call.account.appid.clone(),
        sub_appid: call.sub_appid().map(str::to_owned),
        out_trade_no: call.field("out_trade_no").to_owned(),
        attach: call.text("attach"),
        total_fee,
        coupon_fee: call.account.terms.coupon_fen.min(total_fee - 1),
        contract_id: contract.contract_id,
        openid: contract.openid,
        sub_openid: call.sub_appid().map(|appid| number::openid(appid, &contract.user)),
        notify_url: call.field("notify_url").to_owned(),
        sign_type: call.sign_type,
        fingerprint: fingerprint(&call.fields),
        quota_key,
        state: State::NotPay,
        created_at_ms: call.now_ms,
        settle_at_ms: settle::after(call.now_ms, wait_ms),
        will_fail: fate.fails_with,
        paid_after_close_ms,
        transaction_id: None,
        paid_at_ms: None,
        err_code: None,
        refunded_fen: 0,
        refunded_coupon_fen: 0,
        refunds: Vec::new(),
        last_refund_at_ms: None,
    }
}

fn paid_after_close(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::PaidAfterReverse { ms } => Some(*ms),
        _ => None,
    })
}

/// The answer of a query; `failed` is how this query spells a failed deduction.
fn told(order: &Order, failed: &str) -> Fields {
    let (state, text) = match order.state {
        State::NotPay => ("NOTPAY", "订单未支付"),
        State::Paid => ("SUCCESS", "支付成功"),
        State::Refund => ("REFUND", "转入退款"),
        State::PayFail => (failed, "支付失败"),
        State::Closed => ("CLOSED", "已关闭"),
    };
    let mut answer = Fields::new().with("trade_type", "PAP").with("trade_state", state);
    if let (Some(transaction_id), Some(paid_at_ms)) = (&order.transaction_id, order.paid_at_ms) {
        answer.put("openid", &order.openid);
        answer.put_some("sub_openid", order.sub_openid.as_deref());
        answer.put("is_subscribe", "N");
        answer.put("bank_type", BANK_TYPE);
        answer.append(order.amounts());
        answer.put("transaction_id", transaction_id);
        answer.put("time_end", number::compact_time(paid_at_ms));
    } else {
        answer.put("total_fee", order.total_fee.to_string());
        answer.put("fee_type", "CNY");
    }
    answer.put("out_trade_no", &order.out_trade_no);
    answer.put_some("attach", order.attach.as_deref());
    answer.put("trade_state_desc", text);
    if let Some(code) = order.err_code.as_deref().filter(|_| order.state == State::PayFail) {
        answer.put("err_code", code);
        answer.put("err_code_des", super::texts::of(code));
    }
    answer
}

/// The way in which everybody pays here.
pub(super) const BANK_TYPE: &str = "CMB_DEBIT";

fn close(frame: &Arc<Frame>, call: &Call) -> Result<Fields, Failure> {
    let mut tx = frame.store.begin();
    let mut order = named(&tx, call)?;
    match order.state {
        State::Paid | State::Refund => return Err(Failure::of("ORDERPAID")),
        State::Closed => return Err(Failure::of("ORDERCLOSED")),
        State::NotPay | State::PayFail => {}
    }
    let terms = &call.account.terms;
    let open_at_ms = order
        .created_at_ms
        .saturating_add(i64::from(terms.close_after_s) * 1_000);
    if call.now_ms < open_at_ms {
        return Err(Failure::new(
            &terms.close_early_code,
            "订单生成后不能马上关单，最短调用时间间隔为5分钟",
        ));
    }
    if order.state == State::NotPay {
        quota::settle(&mut tx, &order.quota_key, order.total_fee, false);
        order.paid_after_close_ms = paid_after_close(&call.effects).or(order.paid_after_close_ms);
    } else {
        order.paid_after_close_ms = None;
    }
    order.state = State::Closed;
    if let Some(wait_ms) = order.paid_after_close_ms {
        order.settle_at_ms = settle::after(call.now_ms, wait_ms);
    }
    keep(&mut tx, &order);
    tx.commit();
    if order.awaits_settlement() {
        settle::later(frame, Due::Order(order.key()), order.settle_at_ms);
    }
    Ok(Fields::new())
}
