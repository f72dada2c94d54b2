//! How a trade's state moves (alipay reference, 11.3).
//!
//! ```text
//! (none) -> WAIT_BUYER_PAY -> TRADE_SUCCESS -> TRADE_FINISHED    the refund period is over
//!           WAIT_BUYER_PAY -> TRADE_CLOSED                       time-out, close, cancel, refused by its payer, failed
//!           TRADE_SUCCESS  -> TRADE_CLOSED                       refunded in full, or cancelled
//! ```

use super::desk::{Desk, Due};
use super::parts::Parts;
use super::trade::{self, Ending, Pending, Status, Trade};
use super::{account, notify, wallet};
use crate::books::{self, MovementKind};
use crate::store::Tx;

/// Lets the trade be paid: debits the payer once, and tells the merchant.
pub(super) fn pay(desk: &mut Desk<'_>, trade: &mut Trade) {
    if trade.paid_ms.is_none() {
        trade.paid_ms = Some(desk.now_ms);
        let debit = trade.movement(desk.now_ms, MovementKind::Debit, &trade.out_trade_no, trade.total_fen());
        books::record(&mut desk.tx, debit);
        wallet::debit(&mut desk.tx, &trade.buyer_user_id, trade.parts);
    }
    trade.status = Status::TradeSuccess;
    trade.pending = None;
    trade.awaits_password = false;
    trade.closed_ms = None;
    trade.cancel_action = None;
    trade.unpaid_reason = None;
    trade::save(desk, trade);
    if let Some(account) = account::find(&desk.tx, &trade.app_id) {
        notify::payment(desk, &account, trade);
    }
}

/// Closes an unpaid trade. Nothing is debited for it any more.
pub(super) fn close(desk: &mut Desk<'_>, trade: &mut Trade, reason: Option<String>) {
    trade.status = Status::TradeClosed;
    trade.closed_ms = Some(desk.now_ms);
    trade.pending = None;
    trade.unpaid_reason = reason;
    trade::save(desk, trade);
}

/// Gives money back: `kind` says whether by refund or by cancelling. The trade is closed when nothing is left.
pub(super) fn give_back(desk: &mut Desk<'_>, trade: &mut Trade, kind: MovementKind, number: &str, fen: u64) -> Parts {
    let parts = trade.parts.without(trade.refunded).take(fen);
    trade.refunded = trade.refunded.with(parts);
    if trade.refunded == trade.parts {
        trade.status = Status::TradeClosed;
        trade.closed_ms = Some(desk.now_ms);
    }
    let movement = trade.movement(desk.now_ms, kind, number, parts.total_fen());
    books::record(&mut desk.tx, movement);
    wallet::credit(&mut desk.tx, &trade.buyer_user_id, parts);
    trade::save(desk, trade);
    parts
}

/// Settles what is under way, whatever the clock says: its timer rang.
pub(super) fn settle_due(desk: &mut Desk<'_>, key: &str) {
    let Some(mut trade) = trade::as_written(&desk.tx, key) else {
        return;
    };
    if trade.status == Status::WaitBuyerPay && desk.now_ms >= trade.expires_ms {
        close(desk, &mut trade, None);
    } else {
        settle(desk, &mut trade);
    }
}

/// Everything that is under way, with its time.
pub(super) fn waiting(tx: &Tx<'_>) -> Vec<(Due, i64)> {
    trade::all(tx)
        .into_iter()
        .filter_map(|trade| Some((Due::Trade(trade.key()), trade.pending?.due_ms)))
        .collect()
}

/// Lets happen what the passing of time brings: the end of what is under way, of the time to pay, of the refund period.
pub(super) fn catch_up(desk: &mut Desk<'_>, trade: &mut Trade) {
    let unpaid = trade.status == Status::WaitBuyerPay;
    let due = trade
        .pending
        .as_ref()
        .is_some_and(|pending| pending.due_ms <= desk.now_ms);
    let in_time = trade
        .pending
        .as_ref()
        .is_some_and(|pending| pending.due_ms < trade.expires_ms);
    if due && (in_time || !unpaid) {
        settle(desk, trade);
    } else if unpaid && desk.now_ms >= trade.expires_ms {
        close(desk, trade, None);
    }
    let refund_ms = i64::try_from(trade.refund_window_s)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000);
    let over = trade
        .paid_ms
        .is_some_and(|paid_ms| desk.now_ms >= paid_ms.saturating_add(refund_ms));
    if trade.status == Status::TradeSuccess && over {
        trade.status = Status::TradeFinished;
        trade::save(desk, trade);
    }
}

fn settle(desk: &mut Desk<'_>, trade: &mut Trade) {
    match trade.pending.take().map(|pending| pending.ending) {
        Some(Ending::Done) if trade.paid_ms.is_some() => pay(desk, trade),
        Some(Ending::Done) => match wallet::of(&desk.tx, &trade.buyer_user_id).covers(trade.parts) {
            Ok(()) => pay(desk, trade),
            Err(failure) => close(desk, trade, Some(failure.sub_msg)),
        },
        Some(Ending::Failed(code)) => close(desk, trade, Some(code)),
        None => {}
    }
}

/// Lets something end later: writes down how, and sets the timer.
pub(super) fn pend(desk: &mut Desk<'_>, trade: &mut Trade, after_ms: u64, ending: Ending) {
    let due_ms = desk.now_ms.saturating_add_unsigned(after_ms);
    trade.pending = Some(Pending { due_ms, ending });
    trade::save(desk, trade);
    desk.wake(Due::Trade(trade.key()), after_ms);
}
