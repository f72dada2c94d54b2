//! Undoing a payment whole on its clearing day, and refunding it whole or in parts later (unionpay reference, 5).

use std::sync::Arc;

use super::card;
use super::clearing;
use super::message::Message;
use super::order::{self, Order, State};
use super::reply::Reply;
use super::request::Request;
use super::script;
use crate::clock;
use crate::fault::Effect;
use crate::frame::Frame;

/// 31/00 and 04/00: accepts an undo or a refund. Each is an order of its own.
pub(super) fn undo(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> Reply {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let original = order::find_by_query_id(&tx, request.text("origQryId")).filter(|original| {
        original.is_payment()
            && original
                .request
                .get("merId")
                .is_some_and(|mer_id| *mer_id == request.account.mer_id)
    });
    let Some(mut original) = original else {
        return Reply::new(&request.fields, "35");
    };
    if let Some(code) = objection(&original, request, now_ms) {
        return order::refuse(tx, request, now_ms, code);
    }
    if order::find(&tx, &request.key()).is_some() {
        return Reply::new(&request.fields, "12");
    }
    let course = script::course(effects, frame.settings.settle_ms);
    let mut order = Order::accepted(&mut tx, request, now_ms, &course);
    order.original = Some(original.key());
    order.payer.clone_from(&original.payer);
    order.card_number.clone_from(&original.card_number);
    match request.message {
        Message::Undo => {
            original.undone = true;
            order.discount_fen = original.discount_fen;
        }
        _ => {
            original.refunded_fen += order.amount_fen;
            order.discount_fen = discount_going_back(&original);
            original.discount_returned_fen += order.discount_fen;
        }
    }
    original.keep(&mut tx);
    order::accept(frame, tx, request, &order, &course)
}

/// What goes back to UnionPay of a discount with the latest refund: its share of all refunds so far, less what went back
/// before. With the last fen of the payment the last fen of the discount is back. How the real gateway divides a discount
/// is not known (unionpay reference, 7).
fn discount_going_back(original: &Order) -> u64 {
    let whole = u128::from(original.amount_fen).max(1);
    let share = u128::from(original.discount_fen) * u128::from(original.refunded_fen) / whole;
    let share = u64::try_from(share).unwrap_or(original.discount_fen);
    share.saturating_sub(original.discount_returned_fen)
}

/// In the order in which the gateway was seen to check: state, agreement with the original, time, done already.
fn objection(original: &Order, request: &Request, now_ms: i64) -> Option<&'static str> {
    let amount_fen = request.amount_fen();
    let left_fen = original.amount_fen - original.refunded_fen;
    let undoing = request.message == Message::Undo;
    let partly_refunded = original.refunded_fen > 0 && left_fen > 0;
    if original.state != State::Success || (undoing && partly_refunded) {
        return Some("35");
    }
    if if undoing {
        amount_fen != original.amount_fen
    } else {
        amount_fen > left_fen
    } {
        return Some("36");
    }
    let in_time = if undoing {
        request.account.clearing_day(original.accepted_at_ms) == request.account.clearing_day(now_ms)
    } else {
        clearing::refundable(clock::at(original.accepted_at_ms), clock::at(now_ms))
    };
    if !in_time {
        return Some("39");
    }
    if original.undone || left_fen == 0 {
        return Some("45");
    }
    (undoing && card::refuses_undo(&original.card_number)).then_some("62")
}
