//! The payment code that WeChat shows: 18 digits that begin with 10 to 15, one minute, one order (wechat reference, 4.1).

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::answer::Failure;
use crate::frame::Frame;
use crate::store::Tx;

const CODES: &str = "wechat_pay_code";

/// How long a code is good for.
const LIFE_MS: i64 = 60_000;

/// A code that a user shows.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PayCode {
    pub code: String,
    pub user: String,
    pub expires_at_ms: i64,
    /// The user must type the password whatever the amount.
    pub needs_password: bool,
    /// The user's bank answers so late that the gateway gives up on it, and the money moves all the same.
    pub bank_ms: Option<u64>,
    /// The only merchant number that may use it, once one has asked whose it is.
    pub bound_to: Option<String>,
    /// The row of the order that used it.
    pub used_by: Option<String>,
}

/// Whether the text has the form of a payment code.
pub(super) fn is_code(text: &str) -> bool {
    let prefix_fits = matches!(text.get(..2), Some("10" | "11" | "12" | "13" | "14" | "15"));
    text.len() == 18 && prefix_fits && text.bytes().all(|b| b.is_ascii_digit())
}

/// Shows a fresh code of a user.
pub(super) fn show(frame: &Frame, user: &str, needs_password: bool, bank_ms: Option<u64>) -> PayCode {
    let mut tx = frame.store.begin();
    let code = loop {
        let (prefix, rest) = {
            let mut random = rand::thread_rng();
            (random.gen_range(10..=15), random.gen_range(0..10_u64.pow(16)))
        };
        let code = format!("{prefix}{rest:016}");
        if find(&tx, &code).is_none() {
            break code;
        }
    };
    let shown = PayCode {
        code,
        user: user.to_owned(),
        expires_at_ms: frame.clock.now_ms().saturating_add(LIFE_MS),
        needs_password,
        bank_ms,
        bound_to: None,
        used_by: None,
    };
    keep(&mut tx, &shown);
    tx.commit();
    shown
}

/// The code as it was shown.
pub(super) fn find(tx: &Tx<'_>, code: &str) -> Option<PayCode> {
    tx.get(CODES, code)
}

/// Writes down what became of a code.
pub(super) fn keep(tx: &mut Tx<'_>, code: &PayCode) {
    tx.put(CODES, &code.code, code);
}

/// A code that this merchant number may use now, or the reason why not.
pub(super) fn good(tx: &Tx<'_>, code: &str, mch_id: &str, now_ms: i64) -> Result<PayCode, Failure> {
    if !is_code(code) {
        return Err(Failure::of("AUTH_CODE_ERROR"));
    }
    let shown = find(tx, code).ok_or_else(|| Failure::of("AUTH_CODE_INVALID"))?;
    if shown.bound_to.as_deref().is_some_and(|bound_to| bound_to != mch_id) {
        return Err(Failure::new("AUTH_CODE_INVALID", "授权码已被其他商户使用"));
    }
    if shown.used_by.is_some() || now_ms >= shown.expires_at_ms {
        return Err(Failure::of("AUTHCODEEXPIRE"));
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_code_is_known_by_its_form() {
        for good in ["100000000000000000", "134567890123456789", "159999999999999999"] {
            assert!(is_code(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "164567890123456789",
            "094567890123456789",
            "13456789012345678",
            "1345678901234567890",
            "13456789012345678x",
            "７7112345678901234",
        ] {
            assert!(!is_code(bad), "{bad}");
        }
    }
}
