//! `paporderquery` and `orderquery` (wechat reference, 3.9).

use std::sync::Arc;

use super::answer::Failure;
use super::operation::{Carrier, Family, Form, Operation, Rule, Signing, may};
use super::order::{BANK_TYPE, Order, Product, State, named};
use super::request::Call;
use super::xml::Fields;
use super::{number, texts};
use crate::frame::Frame;

/// `paporderquery` does not know orders older than a month.
const PAP_QUERY_AGE_MS_MAX: i64 = 31 * 86_400_000;

/// `/pay/paporderquery`.
pub(super) static PAPORDERQUERY: Operation = query("paporderquery", |frame, call| {
    let order = named(&frame.store.begin(), call)?;
    if order.state == State::Closed || order.product != Product::Papay {
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

/// `trade_state` and the text beside it.
pub(super) fn state_words(state: State, failed: &'static str) -> (&'static str, &'static str) {
    match state {
        State::NotPay => ("NOTPAY", "订单未支付"),
        State::UserPaying => ("USERPAYING", "需要用户输入支付密码"),
        State::Paid => ("SUCCESS", "支付成功"),
        State::Refund => ("REFUND", "转入退款"),
        State::PayFail => (failed, "支付失败"),
        State::Closed => ("CLOSED", "已关闭"),
        State::Revoked => ("REVOKED", "已撤销"),
    }
}

/// The answer of a query; `failed` is how this query spells a failed deduction.
fn told(order: &Order, failed: &'static str) -> Fields {
    let (state, text) = state_words(order.state, failed);
    let mut answer = Fields::new()
        .with("trade_type", order.trade_type())
        .with("trade_state", state);
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
    answer.put_some("device_info", order.device_info.as_deref());
    if let Some(code) = order.err_code.as_deref().filter(|_| order.state == State::PayFail) {
        answer.put("err_code", code);
        answer.put("err_code_des", texts::of(code));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::sign::{SignType, sign};
    use super::super::{vectors, xml};
    use super::*;

    #[test]
    fn a_running_deduction_is_told_as_in_c10() {
        let running = Order {
            state: State::NotPay,
            transaction_id: None,
            paid_at_ms: None,
            attach: None,
            ..vectors::order()
        };
        let mut answer = told(&running, "PAY_FAIL");
        let given = xml::read(vectors::wire("C10"), "xml").unwrap();
        for name in [
            "return_code",
            "return_msg",
            "result_code",
            "appid",
            "mch_id",
            "sub_mch_id",
            "nonce_str",
        ] {
            answer.put_some(name, given.get(name));
        }
        assert_eq!(
            given.get("sign"),
            Some(sign(&answer, vectors::KEY, SignType::Md5).as_str())
        );
    }
}
