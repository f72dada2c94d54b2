//! Codes by SMS, for openings by the merchant and for payments of merchants that must ask for one
//! (unionpay reference, 3.2.3 and 3.2.7).

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::reply::Reply;
use super::request::Request;
use super::sensitive::{self, Holder};
use super::{card, token};
use crate::frame::Frame;
use crate::store::Tx;

const TABLE: &str = "unionpay_sms";

/// The code that the test environment sends. Every other is wrong.
const CODE: &str = "111111";

/// What a code was sent for.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    amount_fen: u64,
    card_number: String,
}

/// 77/00 and 77/02: sends a code to the phone of the card or the token.
pub(super) fn send(frame: &Frame, request: &Request) -> Reply {
    let Some(holder) = sensitive::read(frame, request) else {
        return Reply::new(&request.fields, "10");
    };
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let addressed = if request.message == Message::SmsForConsumption {
        to_token(&tx, request, now_ms)
    } else {
        to_card(&holder)
    };
    let (card_number, phone) = match addressed {
        Ok(addressed) => addressed,
        Err(code) => return Reply::new(&request.fields, code),
    };
    if holder.phone != phone {
        return Reply::new(&request.fields, "66");
    }
    let sent = Sent {
        amount_fen: request.amount_fen(),
        card_number,
    };
    tx.put(TABLE, &request.key(), &sent);
    tx.commit();
    Reply::new(&request.fields, "00").echo(&request.fields, &["currencyCode", "txnAmt"])
}

fn to_token(tx: &Tx<'_>, request: &Request, now_ms: i64) -> Result<(String, String), &'static str> {
    if let Some(code) = token::objection(tx, request, now_ms) {
        return Err(code);
    }
    let token = token::find(tx, &request.account.mer_id, &request.token_part("token")).ok_or("40")?;
    Ok((token.card_number, token.phone))
}

fn to_card(holder: &Holder) -> Result<(String, String), &'static str> {
    let card = card::find(&holder.card_number).ok_or("61")?;
    Ok((card.number.to_owned(), card::PHONE.to_owned()))
}

/// Whether a code is the one that was sent for the same order, amount and card.
pub(super) fn fits(tx: &Tx<'_>, request: &Request, card_number: &str, code: &str) -> bool {
    let asked = Sent {
        amount_fen: request.amount_fen(),
        card_number: card_number.to_owned(),
    };
    code == CODE && tx.get::<Sent>(TABLE, &request.key()).is_some_and(|sent| sent == asked)
}
