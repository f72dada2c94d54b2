//! `alipay.trade.cancel` and `alipay.trade.close` (alipay reference, 4.4 and 4.5).

use super::answer::Node;
use super::call::{Call, is_number};
use super::desk::Desk;
use super::failure::Failure;
use super::trade::{self, CancelAction, Ending, Status, Trade};
use super::{refund, trade_life};
use crate::books::MovementKind;
use crate::fault::Effect;

/// Undoes a payment whose result the merchant does not know: closes it, or gives all money back.
pub(super) fn cancel(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    if call
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Pending { .. }))
    {
        return Ok(numbers(Node::success(), call, None).text("retry_flag", "Y"));
    }
    let mut trade = match trade::named(desk, call) {
        Ok(trade) => trade,
        Err(failure) if failure.sub_code == "ACQ.TRADE_NOT_EXIST" => return unknown(desk, call),
        Err(failure) => return Err(failure),
    };
    let can_lie = match trade.status {
        Status::WaitBuyerPay => true,
        Status::TradeSuccess => trade.is_untouched(),
        Status::TradeClosed | Status::TradeFinished => false,
    };
    let action = match lie(call).or(trade.paid_after_cancel_ms.take()).filter(|_| can_lie) {
        Some(after_ms) => pretend(desk, &mut trade, after_ms),
        None => undo(desk, call, &mut trade)?,
    };
    let node = match action {
        CancelAction::Close => Node::success().text("action", "close"),
        CancelAction::Refund => Node::success().text("action", "refund"),
    };
    Ok(numbers(node, call, Some(&trade)))
}

/// Closes an unpaid trade.
pub(super) fn close(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let mut trade = trade::named(desk, call)?;
    match trade.status {
        Status::WaitBuyerPay => trade_life::close(desk, &mut trade, None),
        Status::TradeClosed if trade.paid_ms.is_none() => {}
        Status::TradeClosed => return Err(Failure::acq("REASON_TRADE_STATUS_INVALID")),
        Status::TradeSuccess | Status::TradeFinished => return Err(Failure::acq("TRADE_STATUS_ERROR")),
    }
    Ok(Node::success()
        .text("out_trade_no", &trade.out_trade_no)
        .text("trade_no", &trade.trade_no))
}

/// No such trade: done without action, and a payment that comes late with this number is refused.
fn unknown(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    if let Some(number) = call.text("out_trade_no") {
        if !is_number(&number, 64, true) {
            return Err(Failure::acq("INVALID_PARAMETER").because("out_trade_no格式有误"));
        }
        if lie(call).is_none() {
            trade::refuse_number(desk, &call.account.seller_id, &number);
        }
    }
    Ok(numbers(Node::success(), call, None).text("retry_flag", "N"))
}

/// By the fault script: how much later the trade is paid although it was cancelled.
fn lie(call: &Call) -> Option<u64> {
    call.effects.iter().find_map(|effect| match effect {
        Effect::PaidAfterReverse { ms } => Some(*ms),
        _ => None,
    })
}

fn undo(desk: &mut Desk<'_>, call: &Call, trade: &mut Trade) -> Result<CancelAction, Failure> {
    let action = match trade.status {
        Status::WaitBuyerPay => {
            trade_life::close(desk, trade, None);
            CancelAction::Close
        }
        Status::TradeClosed => match trade.cancel_action {
            Some(action) => action,
            None if trade.paid_ms.is_none() => CancelAction::Close,
            None => return Err(Failure::acq("CANCEL_NOT_ALLOWED")),
        },
        Status::TradeFinished => return Err(Failure::acq("TRADE_HAS_FINISHED")),
        Status::TradeSuccess => {
            give_all_back(desk, call, trade)?;
            CancelAction::Refund
        }
    };
    trade.cancel_action = Some(action);
    trade::save(desk, trade);
    Ok(action)
}

fn give_all_back(desk: &mut Desk<'_>, call: &Call, trade: &mut Trade) -> Result<(), Failure> {
    if !trade.is_untouched() {
        return Err(Failure::acq("CANCEL_NOT_ALLOWED"));
    }
    let window_ms = i64::try_from(call.account.terms.cancel_window_s)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000);
    if desk.now_ms > trade.created_ms.saturating_add(window_ms) {
        return Err(Failure::acq("TRADE_CANCEL_TIME_OUT"));
    }
    refund::whole(desk, trade, MovementKind::Reversal)
}

/// By the fault script: says "closed", and the trade is paid all the same a little later.
fn pretend(desk: &mut Desk<'_>, trade: &mut Trade, after_ms: u64) -> CancelAction {
    trade.status = Status::TradeClosed;
    trade.closed_ms = Some(desk.now_ms);
    trade.cancel_action = Some(CancelAction::Close);
    trade_life::pend(desk, trade, after_ms, Ending::Done);
    CancelAction::Close
}

fn numbers(node: Node, call: &Call, trade: Option<&Trade>) -> Node {
    let given = call.text("out_trade_no");
    let node = node.maybe(
        "out_trade_no",
        trade.map(|trade| trade.out_trade_no.as_str()).or(given.as_deref()),
    );
    match trade {
        Some(trade) => node.text("retry_flag", "N").text("trade_no", &trade.trade_no),
        None => node,
    }
}
