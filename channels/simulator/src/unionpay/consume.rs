//! Paying with a token, and reversing a payment whose outcome the merchant does not know
//! (unionpay reference, 3.2.7 and 5.2).

use std::sync::Arc;

use super::order::{self, Due, Order, State};
use super::reply::Reply;
use super::request::Request;
use super::script;
use super::{limit, sensitive, settle, sms, token};
use crate::books::{self, MovementKind};
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

/// 01/01: accepts a payment. "00" means accepted, not paid.
pub(super) fn consume(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> Reply {
    let now_ms = frame.clock.now_ms();
    let Some(holder) = sensitive::read(frame, request) else {
        return Reply::new(&request.fields, "10");
    };
    let mut tx = frame.store.begin();
    if order::find(&tx, &request.key()).is_some() {
        return Reply::new(&request.fields, "12");
    }
    if let Some(code) = token::objection(&tx, request, now_ms) {
        return order::refuse(tx, request, now_ms, code);
    }
    let Some(token) = token::find(&tx, &request.account.mer_id, &request.token_part("token")) else {
        return order::refuse(tx, request, now_ms, "40");
    };
    let objection = limit::objection(&tx, request, &token.card_number, now_ms)
        .or_else(|| without_sms(&tx, request, &token.card_number, &holder.sms_code));
    if let Some(code) = objection {
        return order::refuse(tx, request, now_ms, code);
    }
    let course = script::course(effects, frame.settings.settle_ms).paid_with(&token.card_number);
    let mut order = Order::accepted(&mut tx, request, now_ms, &course);
    order.paid_by(&request.account, &token.card_number, token.token);
    order.paid_after_reverse_ms = script::paid_after_reverse_ms(effects);
    let reply = order::accept(frame, tx, request, &order, &course);
    reply.echo(&request.fields, &["currencyCode", "tokenPayData", "txnAmt"])
}

/// A merchant that must have an SMS code asked for sends none (82), or not the one that was sent for this order (71).
fn without_sms(tx: &Tx<'_>, request: &Request, card_number: &str, code: &str) -> Option<&'static str> {
    if !request.account.conduct.sms_required {
        return None;
    }
    if code.is_empty() {
        return Some("82");
    }
    (!sms::fits(tx, request, card_number, code)).then_some("71")
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
    order.question = None;
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
