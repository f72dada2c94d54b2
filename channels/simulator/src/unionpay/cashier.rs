//! The gateway's own cashier, where a user pays an order with a card (unionpay reference, 3.2.4).
//!
//! The merchant sends the user's browser to `frontTransReq.do` with a signed payment. The page sends the user's decision to
//! `POST sim/front/pay` with `id` (stands in the page), `agree` (1 or 0) and `card` (last four digits); the answer posts the
//! browser on to the merchant's `frontUrl`. Of a payment at the cashier, only success is notified.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{self, Account};
use super::form::Fields;
use super::front;
use super::message::Message;
use super::order::{self, Order, State};
use super::page;
use super::reply::Reply;
use super::request::{Request, text};
use super::script::{self, Course};
use super::seal::Signature;
use super::{card, settle};
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

const TABLE: &str = "unionpay_cashier";
const IDS: &str = "unionpay_cashier_id";

/// A user's visit. No `Debug`: it holds what only the merchant and the gateway should know.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Visit {
    id: String,
    request: Fields,
    /// How the payment goes on once the user has agreed.
    course: Course,
    declined: bool,
    /// The token that was made of the card afterwards.
    pub(super) token: Option<String>,
}

impl Visit {
    /// Writes the visit down.
    pub(super) fn keep(&self, tx: &mut Tx<'_>) {
        tx.put(TABLE, &super::request::key(&self.request), self);
    }
}

/// The visit for the order of this identity.
pub(super) fn find(tx: &Tx<'_>, key: &str) -> Option<Visit> {
    tx.get(TABLE, key)
}

/// 01/01 at the front door: shows the page. The same request again shows the same visit.
pub(super) fn show(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> String {
    if front::too_late(frame, &request.fields) {
        return page::refused("69");
    }
    let over = |limit_fen| request.amount_fen() > limit_fen;
    if request.account.conduct.limit_fen.is_some_and(over) {
        return page::refused("33");
    }
    let mut tx = frame.store.begin();
    if let Some(visit) = find(&tx, &request.key()) {
        drop(tx);
        return shown(frame, &request.account, &visit, "");
    }
    if order::find(&tx, &request.key()).is_some() {
        return page::refused("12");
    }
    let visit = Visit {
        id: hex::encode(rand::random::<[u8; 16]>()),
        request: request.kept(),
        course: script::course(effects, 0),
        declined: false,
        token: None,
    };
    visit.keep(&mut tx);
    tx.put(IDS, &visit.id, &request.key());
    tx.commit();
    shown(frame, &request.account, &visit, "")
}

fn shown(frame: &Frame, account: &Account, visit: &Visit, complaint: &str) -> String {
    if visit.declined {
        return page::declined("您已取消付款", text(&visit.request, "frontFailUrl"));
    }
    let order = order::find(&frame.store.begin(), &super::request::key(&visit.request));
    match order {
        Some(order) => returning(frame, account, &order),
        None => page::pay(
            &account.shop_name,
            &visit.id,
            text(&visit.request, "txnAmt").parse().unwrap_or(0),
            complaint,
        ),
    }
}

/// The user's decision. A decision that was made stands; sending another changes nothing.
pub(super) fn decide(frame: &Arc<Frame>, decision: &Fields) -> String {
    let mut tx = frame.store.begin();
    let key: Option<String> = tx.get(IDS, text(decision, "id"));
    let Some(mut visit) = key.and_then(|key| find(&tx, &key)) else {
        return page::refused("34");
    };
    let Some(account) = account::find(&tx, text(&visit.request, "merId")) else {
        return page::refused("10");
    };
    let request = Request {
        message: Message::PayAtCashier,
        fields: visit.request.clone(),
        account: account.clone(),
    };
    if visit.declined || order::find(&tx, &request.key()).is_some() {
        drop(tx);
        return shown(frame, &account, &visit, "");
    }
    if text(decision, "agree") != "1" {
        visit.declined = true;
        visit.keep(&mut tx);
        tx.commit();
        return shown(frame, &account, &visit, "");
    }
    if front::too_late(frame, &visit.request) {
        return page::refused("69");
    }
    let Some(card) = card::by_tail(text(decision, "card")) else {
        drop(tx);
        return shown(frame, &account, &visit, page::CHOOSE_A_CARD);
    };
    let course = visit.course.paid_with(card.number);
    let mut order = Order::accepted(&mut tx, &request, frame.clock.now_ms(), &course);
    order.paid_by(&account, card.number, card::masked(card.number));
    order.at_cashier = true;
    order.keep(&mut tx);
    tx.commit();
    if course.wait_ms == 0 {
        // The user waits before the page: he is not sent back before it is done.
        settle::decide(frame, &order.key(), 1);
    } else {
        settle::schedule(frame, &order);
    }
    shown(frame, &account, &visit, "")
}

fn returning(frame: &Frame, account: &Account, order: &Order) -> String {
    if order.state == State::Failed {
        return page::refused(&order.code);
    }
    let mut message = Reply::new(&order.request, &order.code).fields;
    if order.state == State::Success {
        message.insert("respMsg".to_owned(), "success".to_owned());
        message.append(&mut order.facts(account));
    }
    account.seal(frame).put_on(&mut message, Signature::True);
    page::returning("付款结果", text(&order.request, "frontUrl"), &message)
}
