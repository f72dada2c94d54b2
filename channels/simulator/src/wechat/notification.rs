//! What notifications say (wechat reference, 3.4, 3.8, 5.4). How they travel is [`super::notify`]'s.

use super::contract::Contract;
use super::order::{BANK_TYPE, Order, State};
use super::refund::{RECEIVED_BY, Refund};
use super::sign::SignType;
use super::xml::Fields;
use super::{number, texts};

/// A user agreed.
pub(super) fn signed(contract: &Contract) -> Fields {
    about_contract(contract, "ADD", contract.signed_at_ms)
        .with("contract_expired_time", number::spaced_time(contract.expires_at_ms))
}

/// A contract ended; nothing to say of one that lives.
pub(super) fn ended(contract: &Contract) -> Option<Fields> {
    let ended = contract.ended.as_ref()?;
    let message = about_contract(contract, "DELETE", ended.at_ms);
    Some(message.with("contract_termination_mode", ended.by.mode()))
}

fn about_contract(contract: &Contract, change: &str, at_ms: i64) -> Fields {
    let mut message = Fields::new().with("return_code", "SUCCESS");
    message.put("result_code", "SUCCESS");
    message.put("mch_id", &contract.mch_id);
    message.put_some("sub_mch_id", contract.sub_mch_id.as_deref());
    message.put("contract_code", &contract.contract_code);
    message.put("openid", &contract.openid);
    message.put_some("sub_openid", contract.sub_openid.as_deref());
    message.put("plan_id", &contract.plan_id);
    message.put("change_type", change);
    message.put("operate_time", number::spaced_time(at_ms));
    message.put("contract_id", &contract.contract_id);
    message.put("request_serial", &contract.request_serial);
    message
}

/// A deduction came to its end. `failure_result` is the `result_code` of a failure.
pub(super) fn deducted(order: &Order, failure_result: &str) -> Fields {
    let mut message = Fields::new().with("return_code", "SUCCESS").with("return_msg", "OK");
    if order.state == State::PayFail {
        put_failure(&mut message, order, failure_result);
    } else {
        put_success(&mut message, order);
    }
    message.put("out_trade_no", &order.out_trade_no);
    message.put_some("attach", order.attach.as_deref());
    message.put("contract_id", &order.contract_id);
    if order.sign_type == SignType::HmacSha256 {
        message.put("sign_type", "HMAC-SHA256");
    }
    message
}

fn put_heads(message: &mut Fields, order: &Order) {
    message.put("appid", &order.appid);
    message.put("mch_id", &order.mch_id);
    message.put_some("sub_appid", order.sub_appid.as_deref());
    message.put_some("sub_mch_id", order.sub_mch_id.as_deref());
    message.put("nonce_str", number::token());
    message.put("openid", &order.openid);
    message.put_some("sub_openid", order.sub_openid.as_deref());
}

fn put_success(message: &mut Fields, order: &Order) {
    message.put("result_code", "SUCCESS");
    put_heads(message, order);
    message.put("is_subscribe", "N");
    message.put("bank_type", BANK_TYPE);
    message.append(order.amounts());
    message.put("trade_state", "SUCCESS");
    message.put_some("transaction_id", order.transaction_id.as_deref());
    message.put("time_end", number::compact_time(order.paid_at_ms.unwrap_or_default()));
}

/// A failure has no `transaction_id`; the official sample even says `SUCCESS` and leaves the amount out.
fn put_failure(message: &mut Fields, order: &Order, result: &str) {
    let code = order.err_code.as_deref().unwrap_or("TRADE_ERROR");
    message.put("result_code", result);
    message.put("err_code", code);
    message.put("err_code_des", texts::of(code));
    put_heads(message, order);
    if result == "FAIL" {
        message.put("total_fee", order.total_fee.to_string());
        message.put("fee_type", "CNY");
        message.put("trade_state", "PAY_FAIL");
    }
}

/// The outer message about a refund, without `req_info`.
pub(super) fn refund_heads(refund: &Refund) -> Fields {
    let mut message = Fields::new().with("return_code", "SUCCESS");
    message.put("appid", &refund.appid);
    message.put("mch_id", &refund.mch_id);
    message.put_some("sub_appid", refund.sub_appid.as_deref());
    message.put_some("sub_mch_id", refund.sub_mch_id.as_deref());
    message.put("nonce_str", number::token());
    message
}

/// A refund came to its end: the message inside `req_info`.
pub(super) fn refunded(refund: &Refund) -> Fields {
    let mut message = Fields::new();
    message.put("out_refund_no", &refund.out_refund_no);
    message.put("out_trade_no", &refund.out_trade_no);
    message.put("refund_account", &refund.account);
    message.put("refund_fee", refund.refund_fee.to_string());
    message.put("refund_id", &refund.refund_id);
    message.put("refund_recv_accout", RECEIVED_BY);
    message.put("refund_request_source", "API");
    message.put("refund_status", refund.status.word());
    message.put("settlement_refund_fee", refund.refund_fee.to_string());
    message.put("settlement_total_fee", refund.total_fee.to_string());
    if refund.coupon_fee > 0 {
        message.put("cash_refund_fee", refund.cash_fee().to_string());
    }
    if let Some(at_ms) = refund.succeeded_at_ms {
        message.put("success_time", number::spaced_time(at_ms));
    }
    message.put("total_fee", refund.total_fee.to_string());
    message.put("transaction_id", &refund.transaction_id);
    message
}

#[cfg(test)]
mod tests {
    use super::super::contract::{Ended, EndedBy};
    use super::super::vectors::{self, contract, order, refund};
    use super::super::{sign, xml};
    use super::*;

    /// Signs a message and compares with the vector, whose own nonce is taken.
    fn assert_is(message: Fields, id: &str) {
        let given = xml::read(vectors::wire(id), "xml").unwrap();
        let message = match given.get("nonce_str") {
            Some(nonce) => message.with("nonce_str", nonce),
            None => message,
        };
        let sign = sign::sign(&message, vectors::KEY, SignType::Md5);
        assert_eq!(given.get("sign"), Some(sign.as_str()), "{id}: {message:?}");
    }

    #[test]
    fn contract_notifications_are_those_of_c3_and_c11() {
        assert_is(signed(&contract()), "C3");
        assert_eq!(ended(&contract()), None);
        let by_user = Ended {
            at_ms: 1_740_873_600_000,
            by: EndedBy::User,
            remark: None,
        };
        let contract = Contract {
            ended: Some(by_user),
            ..contract()
        };
        assert_is(ended(&contract).unwrap(), "C11");
    }

    #[test]
    fn deduction_notifications_are_those_of_c7_and_c8() {
        assert_is(deducted(&order(), "FAIL").with("future_field", "keep me"), "C7");
        let failed = Order {
            state: State::PayFail,
            err_code: Some("NOTENOUGH".to_owned()),
            out_trade_no: "MC20250301123456000000000000002".to_owned(),
            attach: None,
            ..order()
        };
        assert_is(deducted(&failed, "FAIL"), "C8");
    }

    #[test]
    fn refund_notifications_are_those_of_c12() {
        let message = refunded(&refund()).with("refund_recv_accout", "招商银行借记卡0403");
        assert_eq!(xml::write(&message, "root"), vectors::wire("C12-plain"));
        let given = xml::read(vectors::wire("C12"), "xml").unwrap();
        for (name, value) in refund_heads(&refund()).iter().filter(|(name, _)| *name != "nonce_str") {
            assert_eq!(given.get(name), Some(value), "{name}");
        }
    }
}
