//! `alipay.trade.query` (alipay reference, 4.3).

use super::answer::Node;
use super::call::Call;
use super::desk::Desk;
use super::discount::{fund_lines, voucher_lines};
use super::failure::Failure;
use super::trade::{self, Trade, moment};
use crate::fault::Effect;

/// Tells how a trade stands.
pub(super) fn query(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let trade = trade::named(desk, call)?;
    if call.effects.contains(&Effect::Blind) {
        return Err(Failure::acq("TRADE_NOT_EXIST"));
    }
    Ok(answer(call, &trade))
}

/// The node of a query that failed: zeros, and the number echoed.
pub(super) fn failed(call: &Call, failure: &Failure) -> Node {
    failure
        .node()
        .zeros(&["buyer_pay_amount", "invoice_amount"])
        .maybe("out_trade_no", call.text("out_trade_no").as_deref())
        .zeros(&["point_amount", "receipt_amount"])
}

fn answer(call: &Call, trade: &Trade) -> Node {
    let is_paid = trade.paid_ms.is_some();
    let shown = |fen: u64| if is_paid { fen } else { 0 };
    let own_fen = shown(trade.parts.own_fen);
    let mut node = Node::success()
        .text("buyer_logon_id", &trade.buyer_logon_id)
        .yuan("buyer_pay_amount", own_fen)
        .text(
            call.caller.user_field("buyer_user_id", "buyer_open_id"),
            &call.caller.name_of(&trade.buyer_user_id),
        )
        .text("buyer_user_type", "PRIVATE");
    let with_vouchers = is_paid && call.asks("voucher_detail_list");
    if is_paid && (with_vouchers || call.asks("discount_amount")) {
        node = node.yuan("discount_amount", trade.parts.platform_fen());
    }
    if is_paid && (with_vouchers || call.asks("mdiscount_amount")) {
        node = node.yuan("mdiscount_amount", trade.parts.merchant_fen);
    }
    if is_paid && call.asks("fund_bill_list") {
        node = node.json("fund_bill_list", &fund_lines(trade.parts, &trade.fund_channel));
    }
    node = node
        .yuan("invoice_amount", own_fen)
        .text("out_trade_no", &trade.out_trade_no)
        .maybe("passback_params", trade.passback_params.as_deref())
        .yuan("point_amount", shown(trade.parts.point_fen))
        .yuan("receipt_amount", shown(trade.parts.receipt_fen()))
        .maybe("send_pay_date", trade.paid_ms.map(moment).as_deref())
        .maybe("store_id", trade.store_id.as_deref())
        .maybe("store_name", trade.store_name.as_deref())
        .maybe("terminal_id", trade.terminal_id.as_deref())
        .yuan("total_amount", trade.total_fen())
        .text("trade_no", &trade.trade_no)
        .text("trade_status", trade.status.word())
        .maybe("unpaid_reason", trade.unpaid_reason.as_deref());
    if trade.async_mode.is_some() && call.asks("async_pay_info") {
        node = node.text("async_pay_apply_status", "S");
    }
    if with_vouchers && !trade.vouchers.is_empty() {
        node = node.json("voucher_detail_list", &voucher_lines(&trade.vouchers));
    }
    node
}
