//! Deciding accepted orders in the background: the money moves, the merchant is told.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::account;
use super::notify;
use super::order::{self, Order, State};
use super::password;
use super::request::text;
use crate::books::{self, MovementKind};
use crate::frame::Frame;
use crate::store::Tx;

/// Lets the time of an undecided order run. It stops with the simulator; the order stays undecided then.
pub(super) fn schedule(frame: &Arc<Frame>, order: &Order) {
    let Some(due) = order.due.clone() else { return };
    let (frame, key): (Weak<Frame>, String) = (Arc::downgrade(frame), order.key());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(due.wait_ms)).await;
        if let Some(frame) = frame.upgrade() {
            decide(&frame, &key, due.ticket);
        }
    });
}

/// Takes up again every order that was undecided when the simulator stopped.
pub(super) fn resume(frame: &Arc<Frame>) {
    let undecided = order::undecided(&frame.store.begin());
    for order in &undecided {
        schedule(frame, order);
        password::watch(frame, order);
    }
}

/// Decides an order now, unless another decision has taken the place of this one.
pub(super) fn decide(frame: &Arc<Frame>, key: &str, ticket: u64) {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let Some(mut order) = order::find(&tx, key) else { return };
    let Some(due) = order.due.take().filter(|due| due.ticket == ticket) else {
        return;
    };
    order.code = due.code;
    if matches!(order.code.as_str(), "00" | "A6") {
        order.state = State::Success;
        move_money(&mut tx, &mut order, now_ms);
    } else {
        order.state = State::Failed;
        release_original(&mut tx, &order);
    }
    order.keep(&mut tx);
    let account = account::find(&tx, text(&order.request, "merId"));
    tx.commit();
    if let Some(account) = account {
        notify::outcome(frame, &account, &order);
    }
}

fn move_money(tx: &mut Tx<'_>, order: &mut Order, now_ms: i64) {
    if order.moved {
        return;
    }
    order.moved = true;
    let kind = match text(&order.request, "txnType") {
        "31" => MovementKind::Reversal,
        "04" => MovementKind::Refund,
        _ => MovementKind::Debit,
    };
    let original = order.original.as_deref().and_then(|key| order::find(tx, key));
    let payment = original.as_ref().unwrap_or(order);
    let movement = order.movement(kind, text(&payment.request, "orderId"), now_ms);
    books::record(tx, movement);
}

/// A failed undo or refund leaves the payment as it was.
fn release_original(tx: &mut Tx<'_>, order: &Order) {
    let Some(mut original) = order.original.as_deref().and_then(|key| order::find(tx, key)) else {
        return;
    };
    match text(&order.request, "txnType") {
        "31" => original.undone = false,
        _ => {
            original.refunded_fen = original.refunded_fen.saturating_sub(order.amount_fen);
            original.discount_returned_fen = original.discount_returned_fen.saturating_sub(order.discount_fen);
        }
    }
    original.keep(tx);
}
