//! Paying with the payment code that a user shows (unionpay reference, 4.1).

use std::sync::Arc;

use super::card;
use super::limit;
use super::order::{self, Due, Order, Question};
use super::password;
use super::qr_code;
use super::reply::Reply;
use super::request::Request;
use super::script;
use crate::fault::Effect;
use crate::frame::Frame;

/// 01/06: accepts a payment. "00" means accepted, not paid; "05" may mean that the user is asked for his password.
pub(super) fn consume(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> Reply {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    if order::find(&tx, &request.key()).is_some() {
        return Reply::new(&request.fields, "12");
    }
    let Some(mut code) = qr_code::find(&tx, request.text("qrNo")) else {
        return order::refuse(tx, request, now_ms, "61");
    };
    let objection = code
        .objection(now_ms)
        .or_else(|| limit::objection(&tx, request, &code.card_number, now_ms));
    if let Some(objection) = objection {
        return order::refuse(tx, request, now_ms, objection);
    }
    let conduct = &request.account.conduct;
    let mut course = script::course(effects, frame.settings.settle_ms).paid_with(&code.card_number);
    let asks = code.needs_password || request.amount_fen() > conduct.password_free_fen;
    let mut order = Order::accepted(&mut tx, request, now_ms, &course);
    if asks {
        order.due = None::<Due>;
        order.question = Some(Question {
            until_ms: now_ms + i64::from(conduct.password_wait_s) * 1_000,
            course: course.clone(),
        });
        course.hangs = true;
    }
    order.paid_by(&request.account, &code.card_number, card::masked(&code.card_number));
    order.paid_after_reverse_ms = script::paid_after_reverse_ms(effects);
    code.order = Some(order.key());
    code.keep(&mut tx);
    let reply = order::accept(frame, tx, request, &order, &course);
    password::watch(frame, &order);
    reply.echo(&request.fields, &["currencyCode", "qrNo", "txnAmt"])
}
