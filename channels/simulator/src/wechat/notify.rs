//! Sending notifications by the documented schedules, as the fault script wants them (wechat reference, 9).

use std::sync::Arc;

use super::answer::FOREIGN_KEY;
use super::contract::Contract;
use super::order::{Order, Product, State};
use super::refund::{Refund, Version};
use super::sign::SignType;
use super::xml::{self, Fields};
use super::{account, answer, notification, sign, v3};
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

/// Waits between the tries for refunds, and for everything of APIv3.
pub(super) const REFUND_SCHEDULE_S: &[u64] = &[
    15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600,
];

/// Tells that a user agreed, at the address of the signing call.
pub(super) fn contract_signed(frame: &Arc<Frame>, contract: &Contract) {
    let message = notification::signed(contract);
    send_about_contract(frame, contract, contract.notify_url.clone(), message);
}

/// Tells that a contract ended, at the plan's 解约通知 URL.
pub(super) fn contract_ended(frame: &Arc<Frame>, contract: &Contract) {
    let plan = account::find_plan(&frame.store.begin(), &contract.mch_id, &contract.plan_id);
    let url = plan.and_then(|plan| plan.termination_url);
    if let (Some(url), Some(message)) = (url, notification::ended(contract)) {
        send_about_contract(frame, contract, url, message);
    }
}

fn send_about_contract(frame: &Arc<Frame>, contract: &Contract, url: String, message: Fields) {
    let Some(account) = account::find(&frame.store.begin(), &contract.mch_id) else {
        return;
    };
    let about = About {
        order_no: &contract.contract_code,
        api_key: account.api_key,
        sign_type: contract.sign_type,
    };
    send_signed(frame, about, url, message, CONTRACT_SCHEDULE_S);
}

/// Tells how a deduction ended, success and failure alike.
pub(super) fn deducted(frame: &Arc<Frame>, order: &Order) {
    if order.product == Product::PaymentCode {
        return paid_by_code(frame, order);
    }
    let Some(account) = account::find(&frame.store.begin(), &order.mch_id) else {
        return;
    };
    let message = notification::deducted(order, &account.terms.failure_notice_result);
    let about = About {
        order_no: &order.out_trade_no,
        api_key: account.api_key,
        sign_type: order.sign_type,
    };
    send_signed(frame, about, order.notify_url.clone(), message, DEDUCTION_SCHEDULE_S);
}

/// Payments by code are told of only where the account asked for it.
pub(super) fn paid_by_code(frame: &Arc<Frame>, order: &Order) {
    if order.state == State::Paid {
        v3::notice::paid(frame, order);
    }
}

/// Tells how a refund ended, where the merchant gave an address.
pub(super) fn refunded(frame: &Arc<Frame>, refund: &Refund) {
    if refund.version == Version::V3 {
        return v3::notice::refunded(frame, refund);
    }
    let Some(url) = refund.notify_url.clone() else { return };
    let Some(account) = account::find(&frame.store.begin(), &refund.mch_id) else {
        return;
    };
    let effects = wrong_content(frame, &refund.out_refund_no);
    let (about_merchant, about_refund): (Vec<Effect>, Vec<Effect>) = effects
        .into_iter()
        .partition(|effect| matches!(effect, Effect::WrongMerchant { .. }));
    let mut inner = notification::refunded(refund);
    answer::distort(&mut inner, &about_refund);
    let inner = xml::write(&inner, "root");
    let mut outer = notification::refund_heads(refund);
    answer::distort(&mut outer, &about_merchant);
    let body = move |forged: bool| {
        // There is no signature: only who has the key can encrypt.
        let key = if forged { FOREIGN_KEY } else { account.api_key.as_str() };
        let sealed = outer.clone().with("req_info", sign::seal(&inner, key));
        xml::write(&sealed, "xml").into_bytes()
    };
    send(frame, &refund.out_refund_no, url, Box::new(body), REFUND_SCHEDULE_S);
}

struct About<'a> {
    order_no: &'a str,
    api_key: String,
    sign_type: SignType,
}

fn send_signed(frame: &Arc<Frame>, about: About<'_>, url: String, mut message: Fields, schedule_s: &'static [u64]) {
    answer::sprinkle(&mut message, about.order_no);
    answer::distort(&mut message, &wrong_content(frame, about.order_no));
    let (api_key, sign_type) = (about.api_key, about.sign_type);
    let body = move |forged: bool| {
        let mut signed = message.clone();
        answer::seal(&mut signed, &api_key, sign_type, forged);
        xml::write(&signed, "xml").into_bytes()
    };
    send(frame, about.order_no, url, Box::new(body), schedule_s);
}

/// The effects that falsify what a notification says. Those about its delivery are the post office's.
pub(super) fn wrong_content(frame: &Frame, order_no: &str) -> Vec<Effect> {
    let falsifies = |effect: &Effect| {
        matches!(
            effect,
            Effect::WrongAmount { .. }
                | Effect::WrongOrder { .. }
                | Effect::WrongMerchant { .. }
                | Effect::WrongCurrency { .. }
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
