//! `alipay.trade.pay` with `agreement_params`: the deduction (alipay reference, 3.8, 4.1 and 4.2).

use super::agreement::{self, Agreement, Standing};
use super::answer::{Failure, Node};
use super::call::Call;
use super::desk::Desk;
use super::discount::{fund_lines, voucher_lines};
use super::order::{self, Order};
use super::parts::{Parts, Voucher, split};
use super::trade::{self, Ending, Status, Trade, moment};
use super::user;
use crate::fault::Effect;

/// What failed answers carry as zero.
const ZEROS: [&str; 4] = ["buyer_pay_amount", "invoice_amount", "point_amount", "receipt_amount"];

/// How long a trade can be paid when the call does not say: fifteen days.
const EXPIRY_DEFAULT_MS: i64 = 15 * 24 * 3600 * 1000;

/// Takes the money, or says why not.
pub(super) fn pay(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let order = order::read(call, desk.now_ms)?;
    let account = &call.account;
    if let Some(trade) = trade::by_number(desk, &account.seller_id, &order.out_trade_no) {
        return repeated(call, &order, &trade);
    }
    if trade::is_refused_number(desk, &account.seller_id, &order.out_trade_no) {
        return Err(Failure::acq("TRADE_HAS_CLOSE"));
    }
    if order.expires_ms.is_some_and(|expires_ms| expires_ms <= desk.now_ms) {
        return Err(Failure::acq("NOW_TIME_AFTER_EXPIRE_TIME_ERROR"));
    }
    let agreement = agreement_for(desk, call, &order)?;
    if order.total_fen > account.single_max_fen {
        return Err(Failure::acq("PRODUCT_AMOUNT_LIMIT_ERROR"));
    }
    let mut trade = create(desk, call, order, &agreement);
    trade::add(desk, &trade);
    run(desk, call, &mut trade);
    Ok(answer(call, &trade))
}

/// The node of a payment that failed: it carries zeros, and the number if it was one.
pub(super) fn failed(call: &Call, failure: &Failure) -> Node {
    failure
        .node()
        .maybe("out_trade_no", call.text("out_trade_no").as_deref())
        .zeros(&ZEROS)
}

/// The same number again: the result as it stands now, if everything else is the same too (section 10).
fn repeated(call: &Call, order: &Order, trade: &Trade) -> Result<Node, Failure> {
    let same = trade.total_fen() == order.total_fen
        && trade.subject == order.subject
        && trade.product_code == order.product_code
        && trade.agreement_no.as_ref() == Some(&order.agreement_no);
    if !same {
        return Err(Failure::acq("CONTEXT_INCONSISTENT"));
    }
    match trade.status {
        Status::TradeClosed => Err(Failure::acq("TRADE_HAS_CLOSE")),
        Status::TradeSuccess | Status::TradeFinished if call.account.repeat_says_has_success => {
            Err(Failure::acq("TRADE_HAS_SUCCESS"))
        }
        _ => Ok(answer(call, trade)),
    }
}

fn agreement_for(desk: &Desk<'_>, call: &Call, order: &Order) -> Result<Agreement, Failure> {
    let agreement = agreement::by_number(desk, &call.account.seller_id, &order.agreement_no)
        .ok_or_else(|| Failure::acq("AGREEMENT_NOT_EXIST"))?;
    match agreement.standing(desk.now_ms) {
        Standing::Normal => {}
        Standing::Stop => return Err(Failure::acq("AGREEMENT_STATUS_NOT_NORMAL")),
        Standing::Unsigned => return Err(Failure::acq("AGREEMENT_NOT_EXIST")),
        Standing::Expired => return Err(Failure::acq("AGREEMENT_INVALID")),
    }
    if agreement.product_code != order.product_code {
        return Err(Failure::acq("AGREEMENT_ERROR"));
    }
    Ok(agreement)
}

fn create(desk: &mut Desk<'_>, call: &Call, order: Order, agreement: &Agreement) -> Trade {
    let account = &call.account;
    let parts = split(account, order.total_fen);
    Trade {
        app_id: account.app_id.clone(),
        seller_id: account.seller_id.clone(),
        trade_no: trade::new_number(desk),
        vouchers: vouchers(desk, parts),
        out_trade_no: order.out_trade_no,
        subject: order.subject,
        body: call.text("body"),
        product_code: order.product_code,
        agreement_no: Some(agreement.agreement_no.clone()),
        external_agreement_no: agreement.external_agreement_no.clone(),
        store_id: call.text("store_id"),
        store_name: account.store_name.clone(),
        terminal_id: call.text("terminal_id"),
        passback_params: call.text("passback_params"),
        notify_url: call.notify_url.clone(),
        buyer_user_id: agreement.user_id.clone(),
        buyer_logon_id: user::logon_id(&agreement.user_id),
        parts,
        status: Status::WaitBuyerPay,
        created_ms: desk.now_ms,
        expires_ms: order.expires_ms.unwrap_or(desk.now_ms + EXPIRY_DEFAULT_MS),
        refund_window_s: account.refund_window_s,
        paid_ms: None,
        closed_ms: None,
        pending: None,
        async_mode: order.async_mode.map(str::to_owned),
        unpaid_reason: None,
        cancel_action: None,
        paid_after_cancel_ms: None,
        refunded: Parts::default(),
        refunding_fen: 0,
    }
}

fn vouchers(desk: &mut Desk<'_>, parts: Parts) -> Vec<Voucher> {
    let mut vouchers = Vec::new();
    for (amount_fen, by_merchant) in [(parts.coupon_fen, false), (parts.merchant_fen, true)] {
        if amount_fen > 0 {
            let id = format!("{}000730029976{:08}", trade::day(desk.now_ms), desk.next("voucher"));
            vouchers.push(Voucher {
                id,
                amount_fen,
                by_merchant,
            });
        }
    }
    vouchers
}

/// Lets the new trade be paid: at once, or later where the call or the fault script wants it so.
fn run(desk: &mut Desk<'_>, call: &Call, trade: &mut Trade) {
    for effect in &call.effects {
        match effect {
            Effect::Pending { ms } => return trade::pend(desk, trade, *ms, Ending::Done),
            Effect::FailLater { ms, code } => return trade::pend(desk, trade, *ms, Ending::Failed(code.clone())),
            Effect::PaidAfterReverse { ms } => {
                trade.paid_after_cancel_ms = Some(*ms);
                return trade::save(desk, trade);
            }
            _ => {}
        }
    }
    if trade.async_mode.is_some() {
        let after_ms = desk.settle_ms;
        return trade::pend(desk, trade, after_ms, Ending::Done);
    }
    trade::pay(desk, trade);
}

/// The node of a payment that was accepted.
fn answer(call: &Call, trade: &Trade) -> Node {
    match (trade.status, &trade.async_mode) {
        (Status::WaitBuyerPay, None) => waiting(Node::new("10003"), trade),
        (Status::WaitBuyerPay, Some(mode)) => {
            let applied = call.asks("async_pay_info").then_some("S");
            waiting(Node::success(), trade)
                .text("async_payment_mode", mode)
                .maybe("async_pay_apply_status", applied)
        }
        _ => paid(trade, &|option| call.asks(option)),
    }
}

fn waiting(node: Node, trade: &Trade) -> Node {
    node.text("buyer_logon_id", &trade.buyer_logon_id)
        .yuan("buyer_pay_amount", 0)
        .text("buyer_user_id", &trade.buyer_user_id)
        .yuan("invoice_amount", 0)
        .text("out_trade_no", &trade.out_trade_no)
        .yuan("point_amount", 0)
        .yuan("receipt_amount", 0)
        .yuan("total_amount", trade.total_fen())
        .text("trade_no", &trade.trade_no)
}

/// Members in the order of vector T3.
fn paid(trade: &Trade, asks: &dyn Fn(&str) -> bool) -> Node {
    let mut node = Node::success()
        .text("trade_no", &trade.trade_no)
        .text("out_trade_no", &trade.out_trade_no)
        .text("buyer_logon_id", &trade.buyer_logon_id)
        .yuan("total_amount", trade.total_fen())
        .yuan("receipt_amount", trade.total_fen() - trade.parts.merchant_fen)
        .yuan("buyer_pay_amount", trade.parts.own_fen)
        .yuan("point_amount", 0)
        .yuan("invoice_amount", trade.parts.own_fen)
        .maybe("gmt_payment", trade.paid_ms.map(moment).as_deref());
    if asks("fund_bill_list") {
        node = node.json("fund_bill_list", &fund_lines(trade.parts));
    }
    node = node.maybe("store_name", trade.store_name.as_deref());
    node = discounts(node, trade, asks);
    node.text(
        "async_payment_mode",
        trade.async_mode.as_deref().unwrap_or("SYNC_DIRECT_PAY"),
    )
    .text("buyer_user_id", &trade.buyer_user_id)
}

fn discounts(mut node: Node, trade: &Trade, asks: &dyn Fn(&str) -> bool) -> Node {
    if asks("voucher_detail_list") && !trade.vouchers.is_empty() {
        node = node.json("voucher_detail_list", &voucher_lines(&trade.vouchers));
    }
    if asks("discount_amount") {
        node = node.yuan("discount_amount", trade.parts.coupon_fen);
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
        let node = paid(&paid_trade(), &|option| {
            option == "fund_bill_list" || option == "voucher_detail_list"
        })
        .to_json();
        let signature = sign::sign(vector("alipay private key"), &node);
        assert_eq!(
            envelope("alipay_trade_pay_response", &node, signature.as_deref()),
            vector("T3")
        );
    }
}
