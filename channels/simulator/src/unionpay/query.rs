//! Asking for the state of an order (unionpay reference, 5.2).

use super::code;
use super::order::{self, State};
use super::reply::Reply;
use super::request::Request;
use crate::fault::Effect;
use crate::frame::Frame;

/// 00/00: tells how the order of the same orderId and txnTime stands.
pub(super) fn query(frame: &Frame, request: &Request, effects: &[Effect]) -> Reply {
    let blind = effects.contains(&Effect::Blind);
    let found = order::find(&frame.store.begin(), &request.key()).filter(|_| !blind);
    let Some(order) = found else {
        return Reply::new(&request.fields, "34");
    };
    let mut reply = Reply::new(&request.fields, "00")
        .echo(&order.request, &["reqReserved", "txnSubType", "txnType"])
        .with("origRespCode", &order.code)
        .with("origRespMsg", code::text(&order.code));
    if order.state == State::Pending {
        return reply
            .with("settleAmt", "0")
            .with("txnAmt", order.amount_fen.to_string());
    }
    reply.fields.append(&mut order.facts(&request.account));
    reply.with("issuerIdentifyMode", "0")
}
