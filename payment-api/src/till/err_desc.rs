//! `pay_err_desc`: why an order was not paid, and what the cashier does now. Made of the stable reason and the hint; the
//! channel's own words are for operators.

use metropay_core::channel::Hint;
use metropay_core::payment::{Payment, PaymentState};
use metropay_web::Language;

/// The text for an order that is not paid, or not any more.
pub(super) fn of(payment: &Payment, language: Language) -> &'static str {
    let (zh, en) = texts(payment.state, payment.reason.as_deref(), payment.hint);
    match language {
        Language::Chinese => zh,
        Language::English => en,
    }
}

const fn hinted(hint: Option<Hint>) -> (&'static str, &'static str) {
    match hint {
        Some(Hint::ContractGone) => (
            "顾客的免密支付已失效，请顾客在 App 中重新授权，刷新消费码后更换单号重新收款",
            "The customer's authorisation is no longer valid: ask for it anew in the App, then charge under a new number.",
        ),
        Some(Hint::Funds) => (
            "顾客账户余额不足或超出支付渠道限额，请更换其他支付方式",
            "Not enough funds, or a limit of the channel was met: ask for another way to pay.",
        ),
        Some(Hint::User) => (
            "请顾客先在支付渠道的 App 中完成验证，再刷新消费码，更换单号重新收款",
            "The customer must act in the channel's own App first; then charge under a new number.",
        ),
        Some(Hint::Setup) => (
            "商户在支付渠道的参数有误，本次未扣款，请联系平台",
            "The merchant's set-up with the channel is wrong; nothing was debited. Contact the platform.",
        ),
        Some(Hint::None) | None => (
            "支付渠道未完成扣款，请更换其他支付方式，或更换单号重新收款",
            "The channel did not debit: ask for another way to pay, or charge under a new number.",
        ),
    }
}

fn texts(state: PaymentState, reason: Option<&str>, hint: Option<Hint>) -> (&'static str, &'static str) {
    match (state, reason) {
        // Only a reversal makes a paid order one that is not.
        (PaymentState::Success, _) => (
            "订单已撤销，款项已原路退回，如需收款请更换单号",
            "The order was reversed and the money returned: charge under a new number if you must.",
        ),
        (_, Some("REVERSED")) => (
            "订单已撤销，未扣款，如需收款请更换单号",
            "The order was reversed before it was paid: charge under a new number if you must.",
        ),
        (_, Some("NEVER_ARRIVED")) => (
            "支付渠道未收到扣款请求，订单已关闭，请顾客刷新消费码后更换单号重新收款",
            "The channel never received the order, and it was closed: charge a fresh code under a new number.",
        ),
        (_, Some("CHANNEL_UNREACHABLE")) => (
            "支付渠道暂时无法访问，未扣款，请更换其他支付方式，或稍后更换单号重新收款",
            "The channel cannot be reached; nothing was debited: ask for another way to pay, or try later.",
        ),
        _ => hinted(hint),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_text_of_its_own_in_both_languages() {
        let failed = PaymentState::Failed;
        let all = [
            texts(PaymentState::Success, None, None),
            texts(PaymentState::Closed, Some("REVERSED"), Some(Hint::None)),
            texts(PaymentState::Closed, Some("NEVER_ARRIVED"), Some(Hint::None)),
            texts(failed, Some("CHANNEL_UNREACHABLE"), Some(Hint::None)),
            texts(failed, Some("NOTENOUGH"), Some(Hint::Funds)),
            texts(failed, Some("X"), Some(Hint::ContractGone)),
            texts(failed, Some("X"), Some(Hint::User)),
            texts(failed, Some("X"), Some(Hint::Setup)),
            texts(failed, Some("X"), Some(Hint::None)),
        ];
        let distinct: BTreeSet<_> = all.iter().flat_map(|(zh, en)| [zh, en]).collect();
        assert_eq!(distinct.len(), 2 * all.len());
        for (zh, en) in all {
            assert!(!zh.is_ascii() && en.is_ascii() && en.ends_with('.'), "{zh} {en}");
        }
        assert_eq!(texts(failed, None, None), texts(failed, Some("X"), Some(Hint::None)));
    }
}
