//! `pappayapply`: a deduction is asked for, judged and accepted (wechat reference, 3.7).

use std::sync::Arc;

use super::answer::Failure;
use super::contract::{self, Contract};
use super::operation::{Carrier, Family, Form, Operation, Signing, may, must};
use super::order::{self, Order, Product, State};
use super::request::Call;
use super::settle::{self, Due};
use super::sign::SignType;
use super::xml::Fields;
use super::{number, quota, sign};
use crate::frame::Frame;
use crate::store::Tx;

/// An order that waits for its cancelling call (`PaidAfterReverse`) waits at most so long.
pub(super) const UNCANCELLED_WAIT_MS: u64 = 86_400_000;

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
    if let Some(known) = order::find(tx, &order::key(&call.account.mch_id, call.field("out_trade_no"))) {
        return Err(repeated(&known, call));
    }
    let (Some(contract), Some(quota_key)) = (contract, quota_key) else {
        return Err(Failure::of("CONTRACT_NOT_EXIST"));
    };
    if !contract.is_live(call.now_ms) {
        return Err(Failure::of("CONTRACTERROR"));
    }
    quota::take(tx, &quota_key, terms, call.amount("total_fee"), call.now_ms)
        .map_err(|text| Failure::new("RULELIMIT", text))?;
    let order = accepted(frame, call, contract, quota_key);
    order::keep(tx, &order);
    Ok(order)
}

/// What a number that is in use answers.
fn repeated(known: &Order, call: &Call) -> Failure {
    if known.fingerprint != fingerprint(&call.fields) {
        return Failure::new("INVALID_REQUEST", "商户订单号重复，且请求参数不一致");
    }
    match known.state {
        State::NotPay | State::UserPaying => Failure::of("ORDER_ACCEPTED"),
        State::Paid | State::Refund => Failure::of("ORDERPAID"),
        State::Closed | State::Revoked => Failure::of("ORDERCLOSED"),
        State::PayFail => Failure::of(&call.account.terms.reapply_failed_code),
    }
}

/// Stands for the business fields of a request: a repeat may differ in `nonce_str` and `sign` only (wechat reference,
/// 10.4). The code of a payment by code is compared apart.
pub(super) fn fingerprint(fields: &Fields) -> String {
    let mut business = Fields::new();
    for (name, value) in fields
        .iter()
        .filter(|(name, _)| !matches!(*name, "nonce_str" | "sign" | "sign_type" | "auth_code"))
    {
        business.put(name, value);
    }
    sign::sign(&business, "", SignType::HmacSha256)
}

fn accepted(frame: &Frame, call: &Call, contract: Contract, quota_key: String) -> Order {
    let total_fee = call.amount("total_fee");
    let fate = settle::fate(frame, &call.effects);
    let paid_after_close_ms = order::paid_after_close(&call.effects);
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
        product: Product::Papay,
        user: contract.user,
        body: call.field("body").to_owned(),
        device_info: call.text("device_info"),
        auth_code: None,
        awaits_password: false,
        fee_fen: 0,
        fee_rate: 0,
        reversal: None,
    }
}
