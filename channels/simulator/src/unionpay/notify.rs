//! Notifications: URL-encoded, signed, repeated until the merchant answers 200 (unionpay reference, 9).

use std::sync::Arc;

use super::account::Account;
use super::form::{self, Fields};
use super::order::{Order, State};
use super::reply::Reply;
use super::request::text;
use super::script;
use super::seal::Signature;
use crate::frame::{Frame, Gateway};
use crate::notice::{self, Notice};

/// A merchant that gives this address wants no notification.
const NOWHERE: &str = "http://www.specialUrl.com";

/// The waits before each further try, in seconds.
const SCHEDULE_S: &[u64] = &[60, 120, 240, 300, 300];

/// Tells the merchant how an order was decided, success and failure alike; of what was paid at the gateway's own cashier,
/// only success.
pub(super) fn outcome(frame: &Arc<Frame>, account: &Account, order: &Order) {
    if order.at_cashier && order.state != State::Success {
        return;
    }
    let mut message = Reply::new(&order.request, &order.code).fields;
    message.append(&mut order.facts(account));
    send(frame, account, &order.request, message);
}

/// Sends a message to the `backUrl` of the request that it is about.
pub(super) fn send(frame: &Arc<Frame>, account: &Account, request: &Fields, mut message: Fields) {
    let (order_no, url) = (text(request, "orderId"), text(request, "backUrl"));
    if url.is_empty() || url == NOWHERE {
        return;
    }
    let lies = frame.faults.take(Gateway::Unionpay, "notify", order_no, script::lies);
    script::twist(&lies, &mut message);
    let seal = account.seal(frame);
    let body = move |forged: bool| {
        let mut sealed = message.clone();
        seal.put_on(&mut sealed, if forged { Signature::Wrong } else { Signature::True });
        form::encode(&sealed).into_bytes()
    };
    let notice = Notice {
        gateway: Gateway::Unionpay,
        order_no: order_no.to_owned(),
        url: url.strip_prefix("ZX|").unwrap_or(url).to_owned(),
        content_type: "application/x-www-form-urlencoded; charset=UTF-8",
        body: Box::new(body),
        acknowledged: |status, _| status == 200,
        schedule_s: SCHEDULE_S,
    };
    notice::send(frame, notice);
}
