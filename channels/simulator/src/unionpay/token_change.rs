//! Tokens that come to be and change without a page: opened with card data, made of an order at the cashier, updated
//! (unionpay reference, 3.2.3 to 3.2.5).

use std::sync::Arc;

use super::order::{self, State};
use super::reply::Reply;
use super::request::Request;
use super::sensitive::{self, Holder, customer_info, encrypted};
use super::token::{self, Token};
use super::{card, cashier, front, notify, sms};
use crate::frame::Frame;
use crate::store::Tx;

/// 79/00 at the back door: opens with card data and an SMS code. A refusal repeats the card number, encrypted for the
/// merchant.
pub(super) fn open(frame: &Arc<Frame>, request: &Request) -> Reply {
    let Some(holder) = sensitive::read(frame, request) else {
        return Reply::new(&request.fields, "10");
    };
    let account = &request.account;
    let mut tx = frame.store.begin();
    if let Some(code) = objection(&tx, request, &holder) {
        return Reply::new(&request.fields, code).with("accNo", encrypted(account, &holder.card_number));
    }
    let token = Token::make(&tx, account, &holder.card_number, &holder.phone, frame.clock.now_ms());
    token.keep(&mut tx);
    tx.commit();
    let told = front::told(account, &request.fields, &token);
    let letter = front::told(account, &request.fields, &token).with("respMsg", "Success!");
    notify::send(frame, account, &request.fields, letter.fields);
    told
}

fn objection(tx: &Tx<'_>, request: &Request, holder: &Holder) -> Option<&'static str> {
    if !request.account.conduct.merchant_opening {
        return Some("32");
    }
    if request.token_part("trId") != request.account.tr_id {
        return Some("10");
    }
    if card::find(&holder.card_number).is_none() {
        return Some("61");
    }
    if holder.phone != card::PHONE {
        return Some("66");
    }
    if !holder.cvn2.is_empty() && holder.cvn2 != card::CVN2 {
        return Some("65");
    }
    (!sms::fits(tx, request, &holder.card_number, &holder.sms_code)).then_some("71")
}

/// 79/03: tells the gateway another phone for a token.
pub(super) fn update(frame: &Frame, request: &Request) -> Reply {
    let Some(holder) = sensitive::read(frame, request) else {
        return Reply::new(&request.fields, "10");
    };
    let mut tx = frame.store.begin();
    if let Some(code) = token::objection(&tx, request, frame.clock.now_ms()) {
        return Reply::new(&request.fields, code);
    }
    let Some(mut token) = token::find(&tx, &request.account.mer_id, &request.token_part("token")) else {
        return Reply::new(&request.fields, "40");
    };
    if !holder.phone.is_empty() {
        token.phone = holder.phone;
    }
    token.keep(&mut tx);
    tx.commit();
    told(request, &token)
}

/// 79/05: makes a token of the card that paid the order of the same orderId and txnTime at the cashier. Asking again gives
/// the same token.
pub(super) fn apply(frame: &Frame, request: &Request) -> Reply {
    let mut tx = frame.store.begin();
    if request.token_part("trId") != request.account.tr_id {
        return Reply::new(&request.fields, "10");
    }
    let Some(order) = order::find(&tx, &request.key()) else {
        return Reply::new(&request.fields, "34");
    };
    let Some(mut visit) = cashier::find(&tx, &request.key()).filter(|_| order.state == State::Success) else {
        return Reply::new(&request.fields, "35");
    };
    let now_ms = frame.clock.now_ms();
    let known = visit
        .token
        .as_ref()
        .and_then(|number| token::find(&tx, &request.account.mer_id, number));
    let token = known.unwrap_or_else(|| Token::make(&tx, &request.account, &order.card_number, card::PHONE, now_ms));
    if let Some(code) = token.over(now_ms) {
        return Reply::new(&request.fields, code);
    }
    visit.token = Some(token.token.clone());
    visit.keep(&mut tx);
    token.keep(&mut tx);
    tx.commit();
    told(request, &token)
}

fn told(request: &Request, token: &Token) -> Reply {
    Reply::new(&request.fields, "00")
        .with("customerInfo", customer_info(&request.account, &token.phone))
        .with("tokenPayData", token.pay_data())
}
