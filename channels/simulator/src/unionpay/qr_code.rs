//! The payment codes that users show: 19 digits beginning with 62, soon gone, good for one payment
//! (unionpay reference, 4).

use serde::{Deserialize, Serialize};

use crate::store::Tx;

const TABLE: &str = "unionpay_qr_code";

/// How long a code is good for.
const LIFETIME_MS: i64 = 60_000;

/// A payment code. No `Debug`: it holds a card number.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct QrCode {
    pub(super) code: String,
    pub(super) user: String,
    pub(super) card_number: String,
    pub(super) expires_at_ms: i64,
    /// The user's wallet asks for the password whatever the amount.
    pub(super) needs_password: bool,
    /// The order that it paid.
    pub(super) order: Option<String>,
}

impl QrCode {
    /// Shows a code that was never shown before.
    pub(super) fn show(tx: &mut Tx<'_>, user: &str, card_number: String, needs_password: bool, now_ms: i64) -> Self {
        let mut number = String::new();
        while number.is_empty() || find(tx, &number).is_some() {
            number = format!("62{:017}", rand::random::<u64>() % 100_000_000_000_000_000);
        }
        let code = Self {
            code: number,
            user: user.to_owned(),
            card_number,
            expires_at_ms: now_ms + LIFETIME_MS,
            needs_password,
            order: None,
        };
        code.keep(tx);
        code
    }

    /// Writes the code down.
    pub(super) fn keep(&self, tx: &mut Tx<'_>) {
        tx.put(TABLE, &self.code, self);
    }

    /// Why the code cannot pay: it was used before (61), it is gone (69). Which codes the real gateway answers is not known.
    pub(super) fn objection(&self, now_ms: i64) -> Option<&'static str> {
        if self.order.is_some() {
            return Some("61");
        }
        (now_ms >= self.expires_at_ms).then_some("69")
    }
}

/// The code of this number.
pub(super) fn find(tx: &Tx<'_>, code: &str) -> Option<QrCode> {
    tx.get(TABLE, code)
}

/// The codes that this user has shown and that paid something, with the orders.
pub(super) fn used_by(tx: &Tx<'_>, user: &str) -> Vec<(QrCode, String)> {
    tx.scan::<QrCode>(TABLE)
        .into_iter()
        .filter(|code| code.user == user)
        .filter_map(|code| code.order.clone().map(|order| (code, order)))
        .collect()
}
