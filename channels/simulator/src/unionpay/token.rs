//! Tokens: what a user's card becomes when he opens password-free payment (unionpay reference, 3.2).

use serde::{Deserialize, Serialize};

use super::account::{self, Account};
use super::card;
use super::reply::Reply;
use super::request::{Request, TIME_FORMAT};
use crate::clock;
use crate::frame::{Frame, Refused, SignedBefore};
use crate::store::Tx;

const TABLE: &str = "unionpay_token";

/// How long a day is.
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// A token of one merchant. No `Debug`: it holds what only the merchant and the gateway should know.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) token: String,
    pub(super) mer_id: String,
    pub(super) tr_id: String,
    pub(super) card_number: String,
    pub(super) phone: String,
    begin_ms: i64,
    end_ms: i64,
    deleted: bool,
}

impl Token {
    /// Makes a token for a card; the number is new each time.
    pub(super) fn make(tx: &Tx<'_>, account: &Account, card_number: &str, phone: &str, now_ms: i64) -> Self {
        let mut number = String::new();
        while number.is_empty() || find(tx, &account.mer_id, &number).is_some() {
            number = format!("623524{:013}", rand::random::<u64>() % 10_000_000_000_000);
        }
        Self {
            token: number,
            mer_id: account.mer_id.clone(),
            tr_id: account.tr_id.clone(),
            card_number: card_number.to_owned(),
            phone: phone.to_owned(),
            begin_ms: now_ms,
            end_ms: now_ms + i64::from(account.conduct.token_days) * DAY_MS,
            deleted: false,
        }
    }

    /// Why the token is no good any more: deleted 40, expired 80.
    pub(super) fn over(&self, now_ms: i64) -> Option<&'static str> {
        if self.deleted {
            return Some("40");
        }
        (now_ms >= self.end_ms).then_some("80")
    }

    /// Writes the token down.
    pub(super) fn keep(&self, tx: &mut Tx<'_>) {
        tx.put(TABLE, &key(&self.mer_id, &self.token), self);
    }

    /// The token domain as results carry it (unionpay reference, 3.2.1).
    pub(super) fn pay_data(&self) -> String {
        let time = |ms| clock::at(ms).format(TIME_FORMAT);
        format!(
            "{{token={}&trId={}&tokenLevel=40&tokenBegin={}&tokenEnd={}&tokenType=01}}",
            self.token,
            self.tr_id,
            time(self.begin_ms),
            time(self.end_ms)
        )
    }
}

fn key(mer_id: &str, token: &str) -> String {
    format!("{mer_id}/{token}")
}

pub(super) fn find(tx: &Tx<'_>, mer_id: &str, token: &str) -> Option<Token> {
    tx.get(TABLE, &key(mer_id, token))
}

/// A good token that the merchant has for this card.
pub(super) fn of_card(tx: &Tx<'_>, mer_id: &str, card_number: &str, now_ms: i64) -> Option<Token> {
    tx.scan::<Token>(TABLE)
        .into_iter()
        .find(|token| token.mer_id == mer_id && token.card_number == card_number && token.over(now_ms).is_none())
}

/// Puts a token of a chosen number into a new account, as if it had been opened a day ago.
pub(super) fn seed(tx: &mut Tx<'_>, account: &Account, number: &str, now_ms: i64) {
    let opened_ms = now_ms - DAY_MS;
    let mut token = Token::make(tx, account, card::CARDS[0].number, card::PHONE, opened_ms);
    number.clone_into(&mut token.token);
    token.keep(tx);
}

/// Tokens that users opened before, each with a card of his own.
pub(super) fn sign_before(frame: &Frame, wish: &SignedBefore) -> Result<Vec<String>, Refused> {
    let mut tx = frame.store.begin();
    let account = account::find(&tx, &wish.account);
    let account = account.ok_or_else(|| Refused(format!("there is no merchant number {}", wish.account)))?;
    let mut handles = Vec::with_capacity(wish.contracts.len());
    for signer in &wish.contracts {
        let number = card::of_user(&signer.user);
        let token = Token::make(&tx, &account, &number, card::PHONE, frame.clock.now_ms());
        token.keep(&mut tx);
        handles.push(token.token);
    }
    tx.commit();
    Ok(handles)
}

/// Why the token of a request cannot be used: wrong requester 10, unknown or deleted 40, expired 80.
pub(super) fn objection(tx: &Tx<'_>, request: &Request, now_ms: i64) -> Option<&'static str> {
    if request.token_part("trId") != request.account.tr_id {
        return Some("10");
    }
    match find(tx, &request.account.mer_id, &request.token_part("token")) {
        None => Some("40"),
        Some(token) => token.over(now_ms),
    }
}

/// 74/01: deletes a token. The answer is final; a token that is gone already is not bound (40). An expired one can
/// still be deleted.
pub(super) fn delete(frame: &Frame, request: &Request) -> Reply {
    let mut tx = frame.store.begin();
    match objection(&tx, request, frame.clock.now_ms()) {
        None | Some("80") => {}
        Some(code) => return Reply::new(&request.fields, code),
    }
    if let Some(mut token) = find(&tx, &request.account.mer_id, &request.token_part("token")) {
        token.deleted = true;
        token.keep(&mut tx);
        tx.commit();
    }
    Reply::new(&request.fields, "00")
}
