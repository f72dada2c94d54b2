//! Asking what became of an opening, by order or by card (unionpay reference, 3.2.2).

use super::account::Account;
use super::front;
use super::reply::Reply;
use super::request::Request;
use super::sensitive::{self, customer_info};
use super::token::{self, Token};
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

/// 78/02: what became of the opening of the same orderId and txnTime, with the token.
pub(super) fn by_order(frame: &Frame, request: &Request, effects: &[Effect]) -> Reply {
    let tx = frame.store.begin();
    match opened(&tx, request, effects, frame.clock.now_ms()) {
        Err(code) => Reply::new(&request.fields, code),
        Ok(token) => known(request, &token).with("tokenPayData", token.pay_data()),
    }
}

/// 78/00: whether a card is open for the merchant; without a card, what became of the opening of the same order, without
/// the token. A card that is not open is not enrolled (77).
pub(super) fn by_card(frame: &Frame, request: &Request, effects: &[Effect]) -> Reply {
    let Some(holder) = sensitive::read(frame, request) else {
        return Reply::new(&request.fields, "10");
    };
    let now_ms = frame.clock.now_ms();
    let tx = frame.store.begin();
    let token = if holder.card_number.is_empty() || effects.contains(&Effect::Blind) {
        opened(&tx, request, effects, now_ms)
    } else {
        token::of_card(&tx, &request.account.mer_id, &holder.card_number, now_ms).ok_or("77")
    };
    match token {
        Err(code) => Reply::new(&request.fields, code),
        Ok(token) => known(request, &token)
            .with("activateStatus", "1")
            .with("payCardType", "01"),
    }
}

fn known(request: &Request, token: &Token) -> Reply {
    let account: &Account = &request.account;
    Reply::new(&request.fields, "00").with("customerInfo", customer_info(account, &token.phone))
}

/// The good token of an opening, or the code that says why there is none.
fn opened(tx: &Tx<'_>, request: &Request, effects: &[Effect], now_ms: i64) -> Result<Token, &'static str> {
    let opening = front::find(tx, &request.key()).filter(|_| !effects.contains(&Effect::Blind));
    let number = match opening.ok_or("34")?.state {
        front::State::Asked => return Err("70"),
        front::State::Declined => return Err("01"),
        front::State::Opened { token } => token,
    };
    let token = token::find(tx, &request.account.mer_id, &number).ok_or("40")?;
    token.over(now_ms).map_or(Ok(token), Err)
}
