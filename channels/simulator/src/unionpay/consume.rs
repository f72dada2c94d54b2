//! Paying with a token, and reversing a payment whose outcome the merchant does not know
//! (unionpay reference, 3.2.7 and 5.2).

use std::sync::Arc;

use super::order::{self, Due, Order, State};
use super::reply::Reply;
use super::request::Request;
use super::script;
use super::settle;
use super::token;
use crate::books::{self, MovementKind};
use crate::fault::Effect;
use crate::frame::Frame;

/// The SMS code that the test environment accepts.
const SMS_CODE: &str = "{smsCode=111111}";

/// 01/01: accepts a payment. "00" means accepted, not paid.
pub(super) fn consume(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> Reply {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    if order::find(&tx, &request.key()).is_some() {
        return Reply::new(&request.fields, "12");
    }
    if let Some(code) = token::objection(&tx, request, now_ms).or_else(|| limits(request)) {
        return order::refuse(tx, request, now_ms, code);
    }
    let course = script::course(effects, frame.settings.settle_ms);
    let mut order = Order::accepted(&mut tx, request, now_ms, &course);
    order.discount_fen = request.account.conduct.discount_fen.min(order.amount_fen);
    order.paid_after_reverse_ms = script::paid_after_reverse_ms(effects);
    let reply = order::accept(frame, tx, request, &order, &course);
    reply.echo(&request.fields, &["currencyCode", "tokenPayData", "txnAmt"])
}

fn limits(request: &Request) -> Option<&'static str> {
    use base64::Engine as _;
    let conduct = &request.account.conduct;
    if conduct
        .limit_fen
        .is_some_and(|limit_fen| request.amount_fen() > limit_fen)
    {
        return Some("33");
    }
    if !conduct.sms_required {
        return None;
    }
    match base64::engine::general_purpose::STANDARD
        .decode(request.text("customerInfo"))
        .as_deref()
    {
        Ok(b"") | Err(_) => Some("82"),
        Ok(info) if info == SMS_CODE.as_bytes() => None,
        Ok(_) => Some("71"),
    }
}

/// 99/01: reverses a payment of the same clearing day, decided or not.
pub(super) fn reverse(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> Reply {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let Some(mut order) = order::find(&tx, &request.key()) else {
        return Reply::new(&request.fields, "35");
    };
    if let Some(code) = objection_to_reversal(&order, request, now_ms) {
        return Reply::new(&request.fields, code);
    }
    let trick_ms = script::paid_after_reverse_ms(effects).or(order.paid_after_reverse_ms);
    if trick_ms.is_none() && order.moved {
        books::record(
            &mut tx,
            order.movement(MovementKind::Reversal, request.text("orderId"), now_ms),
        );
    }
    let ticket = order.due.as_ref().map_or(1, |due| due.ticket) + 1;
    order.due = trick_ms.map(|wait_ms| Due {
        ticket,
        wait_ms,
        code: "00".to_owned(),
    });
    order.state = State::Reversed;
    // Which code a reversed order shows is a convention of this simulator (unionpay reference, 5.2).
    "01".clone_into(&mut order.code);
    order.keep(&mut tx);
    tx.commit();
    settle::schedule(frame, &order);
    Reply::new(&request.fields, "00")
}

fn objection_to_reversal(order: &Order, request: &Request, now_ms: i64) -> Option<&'static str> {
    let partly_refunded = order.refunded_fen > 0 && order.refunded_fen < order.amount_fen;
    if !order.is_payment() || order.state == State::Failed || partly_refunded {
        return Some("35");
    }
    if request.account.clearing_day(order.accepted_at_ms) != request.account.clearing_day(now_ms) {
        return Some("39");
    }
    let gone = order.state == State::Reversed || order.undone || order.refunded_fen == order.amount_fen;
    gone.then_some("45")
}
