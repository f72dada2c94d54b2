//! Tokens: what a user's card becomes when he opens password-free payment (unionpay reference, 3.2).

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::front;
use super::reply::Reply;
use super::request::{Request, TIME_FORMAT};
use crate::clock;
use crate::fault::Effect;
use crate::frame::Frame;
use crate::store::Tx;

const TABLE: &str = "unionpay_token";

/// How long a token lives.
const LIFETIME_MS: i64 = 5 * 365 * 24 * 3_600 * 1_000;

/// A card of the sample wallet. None of these numbers was ever issued.
pub(super) struct Card {
    pub(super) number: &'static str,
    pub(super) bank: &'static str,
}

impl Card {
    /// The last four digits: all that the user sees.
    pub(super) fn tail(&self) -> &'static str {
        &self.number[self.number.len() - 4..]
    }
}

/// The cards in every sample wallet.
pub(super) const CARDS: [Card; 3] = [
    Card {
        number: "6216261000000000018",
        bank: "示例银行 借记卡",
    },
    Card {
        number: "6216261000000000026",
        bank: "示例银行 信用卡",
    },
    Card {
        number: "6216261000000000034",
        bank: "样本商业银行 借记卡",
    },
];

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
            end_ms: now_ms + LIFETIME_MS,
            deleted: false,
        }
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

/// Puts a token of a chosen number into a new account, as if it had been opened a day ago.
pub(super) fn seed(tx: &mut Tx<'_>, account: &Account, number: &str, now_ms: i64) {
    let opened_ms = now_ms - 24 * 3_600 * 1_000;
    let mut token = Token::make(tx, account, CARDS[0].number, "13800138000", opened_ms);
    number.clone_into(&mut token.token);
    token.keep(tx);
}

/// Why the token of a request cannot be used: wrong requester 10, unknown or deleted 40, expired 80.
pub(super) fn objection(tx: &Tx<'_>, request: &Request, now_ms: i64) -> Option<&'static str> {
    if request.token_part("trId") != request.account.tr_id {
        return Some("10");
    }
    match find(tx, &request.account.mer_id, &request.token_part("token")) {
        None => Some("40"),
        Some(token) if token.deleted => Some("40"),
        Some(token) if now_ms >= token.end_ms => Some("80"),
        Some(_) => None,
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

/// 78/02: what became of the opening of the same orderId and txnTime.
pub(super) fn open_query(frame: &Frame, request: &Request, effects: &[Effect]) -> Reply {
    let tx = frame.store.begin();
    let opening = front::find(&tx, &request.key()).filter(|_| !effects.contains(&Effect::Blind));
    let Some(opening) = opening else {
        return Reply::new(&request.fields, "34");
    };
    let number = match &opening.state {
        front::State::Asked => return Reply::new(&request.fields, "70"),
        front::State::Declined => return Reply::new(&request.fields, "01"),
        front::State::Opened { token } => token,
    };
    match find(&tx, &request.account.mer_id, number) {
        Some(token) if token.deleted => Reply::new(&request.fields, "40"),
        Some(token) if frame.clock.now_ms() >= token.end_ms => Reply::new(&request.fields, "80"),
        Some(token) => Reply::new(&request.fields, "00")
            .with("tokenPayData", token.pay_data())
            .with("customerInfo", front::customer_info(&request.account, &token.phone)),
        None => Reply::new(&request.fields, "40"),
    }
}
