//! The gateway's own page on which a user opens password-free payment with a card (unionpay reference, 3.2.1).
//!
//! The merchant sends the user's browser to `frontTransReq.do` with a signed form. The page sends the user's decision to
//! `POST sim/front/open` with `id` (stands in the page), `agree` (1 or 0), `card` (last four digits) and, if wanted,
//! `phone`; the answer posts the browser on to the merchant's `frontUrl`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{self, Account};
use super::card::{self, Card};
use super::form::Fields;
use super::notify;
use super::page;
use super::reply::Reply;
use super::request::{Request, text, time};
use super::seal::Signature;
use super::sensitive::{customer_info, encrypted};
use super::token::Token;
use crate::clock;
use crate::frame::Frame;
use crate::store::Tx;

const TABLE: &str = "unionpay_opening";
const IDS: &str = "unionpay_opening_id";

/// What became of an opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// The page was shown.
    Asked,
    /// The user agreed.
    Opened { token: String },
    /// The user declined.
    Declined,
}

/// An opening. No `Debug`: it holds what only the merchant and the gateway should know.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Opening {
    id: String,
    request: Fields,
    pub(super) state: State,
}

/// The opening of this identity.
pub(super) fn find(tx: &Tx<'_>, key: &str) -> Option<Opening> {
    tx.get(TABLE, key)
}

/// 79/00: shows the page. The same request again shows the same opening.
pub(super) fn show(frame: &Arc<Frame>, request: &Request) -> String {
    if request.token_part("trId") != request.account.tr_id {
        return page::refused("10");
    }
    if too_late(frame, &request.fields) {
        return page::refused("69");
    }
    let mut tx = frame.store.begin();
    if let Some(opening) = find(&tx, &request.key()) {
        drop(tx);
        return shown(frame, &request.account, &opening, "");
    }
    let opening = Opening {
        id: hex::encode(rand::random::<[u8; 16]>()),
        request: request.kept(),
        state: State::Asked,
    };
    tx.put(TABLE, &request.key(), &opening);
    tx.put(IDS, &opening.id, &request.key());
    tx.commit();
    shown(frame, &request.account, &opening, "")
}

fn shown(frame: &Frame, account: &Account, opening: &Opening, complaint: &str) -> String {
    match &opening.state {
        State::Asked => page::ask(&account.shop_name, &opening.id, card::PHONE, complaint),
        State::Declined => page::declined("您已取消开通", text(&opening.request, "frontFailUrl")),
        State::Opened { token } => {
            let token = super::token::find(&frame.store.begin(), &account.mer_id, token);
            token.map_or_else(
                || page::refused("40"),
                |token| returning(frame, account, &opening.request, &token),
            )
        }
    }
}

/// Whether the time in which the user can decide is over.
pub(super) fn too_late(frame: &Frame, request: &Fields) -> bool {
    time(text(request, "payTimeout")).is_some_and(|end| clock::at(frame.clock.now_ms()) > end)
}

/// The user's decision. A decision that was made stands; sending another changes nothing.
pub(super) fn decide(frame: &Arc<Frame>, decision: &Fields) -> String {
    let mut tx = frame.store.begin();
    let key: Option<String> = tx.get(IDS, text(decision, "id"));
    let Some((key, mut opening)) = key.and_then(|key| find(&tx, &key).map(|opening| (key, opening))) else {
        return page::refused("34");
    };
    let Some(account) = account::find(&tx, text(&opening.request, "merId")) else {
        return page::refused("10");
    };
    if opening.state != State::Asked {
        drop(tx);
        return shown(frame, &account, &opening, "");
    }
    if text(decision, "agree") != "1" {
        opening.state = State::Declined;
        tx.put(TABLE, &key, &opening);
        tx.commit();
        return shown(frame, &account, &opening, "");
    }
    if too_late(frame, &opening.request) {
        return page::refused("69");
    }
    let (card, phone) = match choice(decision) {
        Ok(choice) => choice,
        Err(complaint) => {
            drop(tx);
            return shown(frame, &account, &opening, complaint);
        }
    };
    let token = Token::make(&tx, &account, card.number, &phone, frame.clock.now_ms());
    token.keep(&mut tx);
    opening.state = State::Opened {
        token: token.token.clone(),
    };
    tx.put(TABLE, &key, &opening);
    tx.commit();
    let told = told(&account, &opening.request, &token).with("respMsg", "Success!");
    notify::send(frame, &account, &opening.request, told.fields);
    returning(frame, &account, &opening.request, &token)
}

fn choice(decision: &Fields) -> Result<(&'static Card, String), &'static str> {
    let card = card::by_tail(text(decision, "card")).ok_or(page::CHOOSE_A_CARD)?;
    let phone = decision.get("phone").map_or(card::PHONE, |phone| phone.trim());
    if phone.len() != 11 || !phone.starts_with('1') || !phone.bytes().all(|b| b.is_ascii_digit()) {
        return Err("请输入11位手机号");
    }
    Ok((card, phone.to_owned()))
}

/// What the merchant is told of an opening, in the notification and in the browser alike (vector V13).
pub(super) fn told(account: &Account, request: &Fields, token: &Token) -> Reply {
    Reply::new(request, "00")
        .with("accNo", encrypted(account, &token.card_number))
        .with("activateStatus", "1")
        .with("customerInfo", customer_info(account, &token.phone))
        .with("tokenPayData", token.pay_data())
}

fn returning(frame: &Frame, account: &Account, request: &Fields, token: &Token) -> String {
    let mut message = told(account, request, token).with("respMsg", "success").fields;
    account.seal(frame).put_on(&mut message, Signature::True);
    page::returning("开通成功", text(request, "frontUrl"), &message)
}
