//! Notifications: contracts, deductions and refunds, with their schedules (wechat reference, 3.4, 3.8, 5.4, 9).

use std::sync::Arc;

use super::account::{self, Account};
use super::contract::Contract;
use super::order::{BANK_TYPE, Order, State};
use super::refund::{RECEIVED_BY, Refund};
use super::sign::SignType;
use super::xml::{self, Fields};
use super::{answer, number, sign, texts};
use crate::fault::Effect;
use crate::frame::{Frame, Gateway};
use crate::notice::{self, Notice};

/// Waits between the tries for contracts: 30 tries in all.
const CONTRACT_SCHEDULE_S: &[u64] = &[
    10, 10, 10, 30, 30, 30, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300, 300,
    300, 300, 300, 300, 300,
];

/// Waits between the tries for deductions.
const DEDUCTION_SCHEDULE_S: &[u64] = &[15, 15, 30, 180, 1_800, 1_800, 1_800, 1_800, 3_600];

/// Waits between the tries for refunds.
const REFUND_SCHEDULE_S: &[u64] = &[
    15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600,
];

/// Tells that a user agreed, at the address of the signing call.
pub(super) fn contract_signed(frame: &Arc<Frame>, contract: &Contract) {
    let mut message = about_contract(contract, "ADD", contract.signed_at_ms);
    message.put("contract_expired_time", number::spaced_time(contract.expires_at_ms));
    send_about_contract(frame, contract, contract.notify_url.clone(), message);
}

/// Tells that a contract ended, at the plan's 解约通知 URL.
pub(super) fn contract_ended(frame: &Arc<Frame>, contract: &Contract) {
    let plan = account::find_plan(&frame.store.begin(), &contract.mch_id, &contract.plan_id);
    let (Some(url), Some(ended)) = (plan.and_then(|plan| plan.termination_url), &contract.ended) else {
        return;
    };
    let mut message = about_contract(contract, "DELETE", ended.at_ms);
    message.put("contract_termination_mode", ended.by.mode());
    send_about_contract(frame, contract, url, message);
}

fn about_contract(contract: &Contract, change: &str, at_ms: i64) -> Fields {
    let mut message = Fields::new()
        .with("return_code", "SUCCESS")
        .with("result_code", "SUCCESS");
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

fn send_about_contract(frame: &Arc<Frame>, contract: &Contract, url: String, message: Fields) {
    let about = About {
        order_no: &contract.contract_code,
        mch_id: &contract.mch_id,
        sign_type: contract.sign_type,
    };
    send_signed(frame, &about, url, message, CONTRACT_SCHEDULE_S);
}

/// Tells how a deduction ended, success and failure alike.
pub(super) fn deducted(frame: &Arc<Frame>, order: &Order) {
    let Some(account) = account::find(&frame.store.begin(), &order.mch_id) else {
        return;
    };
    let mut message = Fields::new().with("return_code", "SUCCESS").with("return_msg", "OK");
    match order.state {
        State::PayFail => put_failure(&mut message, order, &account),
        State::Paid | State::Refund | State::NotPay | State::Closed => put_success(&mut message, order),
    }
    message.put("out_trade_no", &order.out_trade_no);
    message.put_some("attach", order.attach.as_deref());
    message.put("contract_id", &order.contract_id);
    if order.sign_type == SignType::HmacSha256 {
        message.put("sign_type", "HMAC-SHA256");
    }
    let about = About {
        order_no: &order.out_trade_no,
        mch_id: &order.mch_id,
        sign_type: order.sign_type,
    };
    send_signed(frame, &about, order.notify_url.clone(), message, DEDUCTION_SCHEDULE_S);
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
fn put_failure(message: &mut Fields, order: &Order, account: &Account) {
    let code = order.err_code.as_deref().unwrap_or("TRADE_ERROR");
    let result = account.terms.failure_notice_result.as_str();
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

/// Tells how a refund ended, where the merchant gave an address.
pub(super) fn refunded(frame: &Arc<Frame>, refund: &Refund) {
    let Some(url) = refund.notify_url.clone() else { return };
    let Some(account) = account::find(&frame.store.begin(), &refund.mch_id) else {
        return;
    };
    let effects = wrong_content(frame, &refund.out_refund_no);
    let (is_about_merchant, is_about_refund): (Vec<Effect>, Vec<Effect>) = effects
        .into_iter()
        .partition(|effect| matches!(effect, Effect::WrongMerchant { .. }));
    let mut inner = about_refund(refund);
    answer::distort(&mut inner, &is_about_refund);
    let inner = xml::write(&inner, "root");
    let mut outer = Fields::new().with("return_code", "SUCCESS");
    outer.put("appid", &refund.appid);
    outer.put("mch_id", &refund.mch_id);
    outer.put_some("sub_appid", refund.sub_appid.as_deref());
    outer.put_some("sub_mch_id", refund.sub_mch_id.as_deref());
    outer.put("nonce_str", number::token());
    answer::distort(&mut outer, &is_about_merchant);
    let body = move |forged: bool| {
        // There is no signature: only who has the key can encrypt.
        let key = if forged {
            "not the key of this account"
        } else {
            account.api_key.as_str()
        };
        let sealed = outer.clone().with("req_info", sign::seal(&inner, key));
        xml::write(&sealed, "xml").into_bytes()
    };
    send(frame, &refund.out_refund_no, url, Box::new(body), REFUND_SCHEDULE_S);
}

fn about_refund(refund: &Refund) -> Fields {
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

struct About<'a> {
    order_no: &'a str,
    mch_id: &'a str,
    sign_type: SignType,
}

fn send_signed(frame: &Arc<Frame>, about: &About<'_>, url: String, mut message: Fields, schedule_s: &'static [u64]) {
    let Some(account) = account::find(&frame.store.begin(), about.mch_id) else {
        return;
    };
    answer::sprinkle(&mut message, about.order_no);
    answer::distort(&mut message, &wrong_content(frame, about.order_no));
    let sign_type = about.sign_type;
    let body = move |forged: bool| {
        let mut signed = message.clone();
        answer::seal(&mut signed, &account.api_key, sign_type, forged);
        xml::write(&signed, "xml").into_bytes()
    };
    send(frame, about.order_no, url, Box::new(body), schedule_s);
}

/// The effects that falsify what a notification says. Those about its delivery are the post office's.
fn wrong_content(frame: &Frame, order_no: &str) -> Vec<Effect> {
    let falsifies = |effect: &Effect| {
        matches!(
            effect,
            Effect::WrongAmount { .. } | Effect::WrongOrder { .. } | Effect::WrongMerchant { .. }
        )
    };
    frame.faults.take(Gateway::Wechat, "notify", order_no, falsifies)
}

fn send(
    frame: &Arc<Frame>,
    order_no: &str,
    url: String,
    body: Box<dyn Fn(bool) -> Vec<u8> + Send + Sync>,
    schedule_s: &'static [u64],
) {
    let notice = Notice {
        gateway: Gateway::Wechat,
        order_no: order_no.to_owned(),
        url,
        content_type: "text/xml",
        body,
        acknowledged,
        schedule_s,
    };
    notice::send(frame, notice);
}

/// Only XML with `return_code` SUCCESS counts, on one line with nothing before or after (wechat reference, 9.2).
fn acknowledged(status: u16, answer: &[u8]) -> bool {
    let text = std::str::from_utf8(answer).unwrap_or_default();
    status == 200
        && text == text.trim()
        && xml::read(text, "xml").is_ok_and(|answer| answer.get("return_code") == Some("SUCCESS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_answer_acknowledges() {
        let good = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";
        assert!(acknowledged(200, good.as_bytes()));
        assert!(!acknowledged(500, good.as_bytes()));
        assert!(!acknowledged(204, b""));
        for bad in [
            "success",
            "SUCCESS",
            "",
            "{\"code\":\"SUCCESS\"}",
            &format!("{good}\n"),
            &good.replace("SUCCESS", "FAIL"),
        ] {
            assert!(!acknowledged(200, bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn the_schedules_have_as_many_tries_as_documented() {
        assert_eq!(CONTRACT_SCHEDULE_S.len() + 1, 30);
        assert_eq!(CONTRACT_SCHEDULE_S.iter().filter(|wait_s| **wait_s == 300).count(), 23);
        assert_eq!(DEDUCTION_SCHEDULE_S.len() + 1, 10);
        assert_eq!(REFUND_SCHEDULE_S.len(), 15);
        assert_eq!(REFUND_SCHEDULE_S.iter().sum::<u64>(), 24 * 3_600 + 4 * 60);
    }
}
