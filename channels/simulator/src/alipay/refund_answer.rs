//! The answers of `alipay.trade.refund` and `alipay.trade.fastpay.refund.query` (alipay reference, 4.6 and 4.7).

use serde::Serialize;

use super::answer::Node;
use super::call::Call;
use super::desk::Desk;
use super::discount::{fund_lines, returned_vouchers, voucher_lines};
use super::failure::Failure;
use super::money::yuan;
use super::refund::{self, Progress, Refund};
use super::trade::{self, Trade, moment};
use crate::fault::Effect;

/// How the card's part of a refund fares; the bank here takes it at once.
#[derive(Serialize)]
struct DepositBack {
    has_deposit_back: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dback_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dback_amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_ack_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    est_bank_receipt_time: Option<String>,
}

impl DepositBack {
    fn of(trade: &Trade, refund: &Refund) -> Self {
        let to_card = trade.goes_to_a_card(refund.parts);
        let time = || refund.done_ms.filter(|_| to_card).map(moment);
        Self {
            has_deposit_back: if to_card { "true" } else { "false" },
            dback_status: to_card.then_some("S"),
            dback_amount: to_card.then(|| yuan(refund.parts.own_fen)),
            bank_ack_time: time(),
            est_bank_receipt_time: time(),
        }
    }
}

/// The node of a refund that failed.
pub(super) fn failed(failure: &Failure) -> Node {
    failure.node().zeros(&["refund_fee", "send_back_fee"])
}

/// `refund_fee` is all that went back on the trade so far, not this refund's amount.
pub(super) fn answer(call: &Call, trade: &Trade, refund: &Refund, moved: bool) -> Node {
    let is_done = refund.progress == Progress::Done;
    let mut node = Node::success()
        .text("buyer_logon_id", &trade.buyer_logon_id)
        .text(
            call.caller.user_field("buyer_user_id", "buyer_open_id"),
            &call.caller.name_of(&trade.buyer_user_id),
        )
        .text("fund_change", if moved { "Y" } else { "N" })
        .maybe("gmt_refund_pay", refund.done_ms.map(moment).as_deref())
        .text("out_trade_no", &trade.out_trade_no);
    if is_done && call.caller.terms.tells_refund_parts {
        let parts = refund.parts;
        node = node
            .yuan("present_refund_buyer_amount", parts.own_fen + parts.point_fen)
            .yuan("present_refund_discount_amount", parts.platform_fen())
            .yuan("present_refund_mdiscount_amount", parts.merchant_fen);
    }
    node = details(node, call, trade, refund);
    node = node.yuan("refund_fee", trade.refunded.total_fen());
    node = vouchers(node, call, trade, refund);
    if is_done && call.asks("refund_detail_item_list") {
        node = node.yuan("send_back_fee", refund.send_back_fen());
    }
    node.maybe("store_name", trade.store_name.as_deref())
        .text("trade_no", &trade.trade_no)
}

fn details(node: Node, call: &Call, trade: &Trade, refund: &Refund) -> Node {
    if refund.progress != Progress::Done || !call.asks("refund_detail_item_list") {
        return node;
    }
    node.json(
        "refund_detail_item_list",
        &fund_lines(refund.parts, &trade.fund_channel),
    )
}

fn vouchers(node: Node, call: &Call, trade: &Trade, refund: &Refund) -> Node {
    let returned = returned_vouchers(&trade.vouchers, refund.parts);
    if returned.is_empty() || !call.asks("refund_voucher_detail_list") {
        return node;
    }
    node.json("refund_voucher_detail_list", &voucher_lines(&returned))
}

/// `alipay.trade.fastpay.refund.query`: tells of a refund that is done, and nothing of any other (4.7).
pub(super) fn query(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let number = call
        .text("out_request_no")
        .ok_or_else(|| Failure::acq("INVALID_PARAMETER").because("out_request_no不能为空"))?;
    let mut trade = trade::named(desk, call)?;
    let found = refund::by_number(desk, &mut trade, &number).filter(|refund| refund.progress == Progress::Done);
    let Some(refund) = found.filter(|_| !call.effects.contains(&Effect::Blind)) else {
        return Ok(Node::success());
    };
    let mut node = Node::success();
    if call.asks("deposit_back_info") {
        node = node.json("deposit_back_info", &DepositBack::of(&trade, &refund));
    }
    if call.asks("gmt_refund_pay") {
        node = node.maybe("gmt_refund_pay", refund.done_ms.map(moment).as_deref());
    }
    node = node
        .text("out_request_no", &refund.number)
        .text("out_trade_no", &trade.out_trade_no)
        .yuan("refund_amount", refund.amount_fen);
    node = details(node, call, &trade, &refund)
        .maybe("refund_reason", refund.reason.as_deref())
        .text("refund_status", "REFUND_SUCCESS");
    node = vouchers(node, call, &trade, &refund);
    if call.asks("refund_detail_item_list") || call.asks("send_back_fee") {
        node = node.yuan("send_back_fee", refund.send_back_fen());
    }
    Ok(node
        .yuan("total_amount", trade.total_fen())
        .text("trade_no", &trade.trade_no))
}
