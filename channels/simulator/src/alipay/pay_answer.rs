//! The answers of `alipay.trade.pay` (alipay reference, 4.1, 5 and appendix A).

use super::answer::Node;
use super::call::Call;
use super::discount::{fund_lines, voucher_lines};
use super::failure::Failure;
use super::trade::{Status, Trade, moment};

/// What failed answers carry as zero.
const ZEROS: [&str; 4] = ["buyer_pay_amount", "invoice_amount", "point_amount", "receipt_amount"];

/// The payer in an answer: the member's name, and his name in this app.
type Buyer<'a> = (&'static str, &'a str);

/// The node of a payment that failed: it carries zeros, and the number if it was one.
pub(super) fn failed(call: &Call, failure: &Failure) -> Node {
    failure
        .node()
        .maybe("out_trade_no", call.text("out_trade_no").as_deref())
        .zeros(&ZEROS)
}

/// The node of a payment that was accepted.
pub(super) fn accepted(call: &Call, trade: &Trade) -> Node {
    let name = call.caller.name_of(&trade.buyer_user_id);
    let buyer = (call.caller.user_field("buyer_user_id", "buyer_open_id"), name.as_str());
    match (trade.status, &trade.async_mode) {
        (Status::WaitBuyerPay, None) => waiting(Node::new("10003"), trade, buyer),
        (Status::WaitBuyerPay, Some(mode)) => {
            let applied = call.asks("async_pay_info").then_some("S");
            waiting(Node::success(), trade, buyer)
                .text("async_payment_mode", mode)
                .maybe("async_pay_apply_status", applied)
        }
        _ => paid(trade, buyer, &|option| call.asks(option)),
    }
}

fn waiting(node: Node, trade: &Trade, buyer: Buyer<'_>) -> Node {
    node.text("buyer_logon_id", &trade.buyer_logon_id)
        .yuan("buyer_pay_amount", 0)
        .text(buyer.0, buyer.1)
        .yuan("invoice_amount", 0)
        .text("out_trade_no", &trade.out_trade_no)
        .yuan("point_amount", 0)
        .yuan("receipt_amount", 0)
        .yuan("total_amount", trade.total_fen())
        .text("trade_no", &trade.trade_no)
}

/// Members in the order of vector T3. How it was deducted is said of deductions alone.
fn paid(trade: &Trade, buyer: Buyer<'_>, asks: &dyn Fn(&str) -> bool) -> Node {
    let mut node = Node::success()
        .text("trade_no", &trade.trade_no)
        .text("out_trade_no", &trade.out_trade_no)
        .text("buyer_logon_id", &trade.buyer_logon_id)
        .yuan("total_amount", trade.total_fen())
        .yuan("receipt_amount", trade.parts.receipt_fen())
        .yuan("buyer_pay_amount", trade.parts.own_fen)
        .yuan("point_amount", trade.parts.point_fen)
        .yuan("invoice_amount", trade.parts.own_fen)
        .maybe("gmt_payment", trade.paid_ms.map(moment).as_deref());
    if asks("fund_bill_list") {
        node = node.json("fund_bill_list", &fund_lines(trade.parts, &trade.fund_channel));
    }
    node = node.maybe("store_name", trade.store_name.as_deref());
    node = discounts(node, trade, asks);
    if trade.auth_code.is_none() {
        let mode = trade.async_mode.as_deref().unwrap_or("SYNC_DIRECT_PAY");
        node = node.text("async_payment_mode", mode);
    }
    node.text(buyer.0, buyer.1)
}

fn discounts(mut node: Node, trade: &Trade, asks: &dyn Fn(&str) -> bool) -> Node {
    if asks("voucher_detail_list") && !trade.vouchers.is_empty() {
        node = node.json("voucher_detail_list", &voucher_lines(&trade.vouchers));
    }
    if asks("discount_amount") {
        node = node.yuan("discount_amount", trade.parts.platform_fen());
    }
    if asks("mdiscount_amount") {
        node = node.yuan("mdiscount_amount", trade.parts.merchant_fen);
    }
    node
}

#[cfg(test)]
mod tests {
    use super::super::answer::envelope;
    use super::super::sign;
    use super::super::vectors::{paid_trade, vector};
    use super::*;

    #[test]
    fn a_paid_trade_is_answered_as_in_vector_t3() {
        let asks = |option: &str| option == "fund_bill_list" || option == "voucher_detail_list";
        let node = paid(&paid_trade(), ("buyer_user_id", "2088000000000099"), &asks).to_json();
        let signature = sign::sign(vector("alipay private key"), &node);
        assert_eq!(
            envelope("alipay_trade_pay_response", &node, None, signature.as_deref()),
            vector("T3")
        );
    }
}
