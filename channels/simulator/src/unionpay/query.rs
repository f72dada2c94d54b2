//! Asking for the state of an order (unionpay reference, 5.2).

use super::code;
use super::order::{self, State};
use super::reply::Reply;
use super::request::Request;
use crate::fault::Effect;
use crate::frame::Frame;

/// How often an order was asked for in its last minute.
const TABLE: &str = "unionpay_query_count";

/// 00/00: tells how the order of the same orderId and txnTime stands.
pub(super) fn query(frame: &Frame, request: &Request, effects: &[Effect]) -> Reply {
    if too_often(frame, request) {
        return Reply::new(&request.fields, "37");
    }
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

/// Counts the questions about an order, where the merchant may ask only so often.
fn too_often(frame: &Frame, request: &Request) -> bool {
    let Some(allowed) = request.account.conduct.queries_per_minute else {
        return false;
    };
    let minute = frame.clock.now_ms().div_euclid(60_000);
    let mut tx = frame.store.begin();
    let (last, asked): (i64, u32) = tx.get(TABLE, &request.key()).unwrap_or_default();
    let asked = if last == minute { asked.saturating_add(1) } else { 1 };
    tx.put(TABLE, &request.key(), &(minute, asked));
    tx.commit();
    asked > allowed
}
