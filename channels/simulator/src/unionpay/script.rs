//! What the fault script means at this gateway.

use serde::{Deserialize, Serialize};

use super::card;
use super::form::Fields;
use super::seal::Signature;
use crate::fault::Effect;

/// Whether an effect means something for this transaction type; others keep waiting for theirs.
pub(super) fn fits(effect: &Effect, txn_type: &str) -> bool {
    match effect {
        Effect::Pending { .. } | Effect::FailLater { .. } => matches!(txn_type, "01" | "31" | "04"),
        Effect::PaidAfterReverse { .. } => matches!(txn_type, "01" | "99"),
        Effect::Blind => matches!(txn_type, "00" | "78"),
        _ if effect.is_about_bills() => txn_type == "76",
        _ => !effect.is_about_notices(),
    }
}

/// The code that the script refuses with, before anything is done.
pub(super) fn refusal(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Refuse { code } => Some(code.as_str()),
        Effect::SystemErrorBefore => Some("03"),
        _ => None,
    })
}

/// How an accepted transaction goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Course {
    /// It is answered 05 at once, not 00.
    pub(super) hangs: bool,
    /// How long it takes to be decided.
    pub(super) wait_ms: u64,
    /// What it is decided to. A6 is a success with a defect.
    pub(super) code: String,
}

impl Course {
    /// What is answered at once.
    pub(super) fn answer(&self) -> &'static str {
        if self.hangs { "05" } else { "00" }
    }

    /// The same course, decided by the bank of this card where the script says nothing against it.
    pub(super) fn paid_with(&self, card_number: &str) -> Self {
        let mut course = self.clone();
        if course.code == "00" {
            card::pays(card_number).clone_into(&mut course.code);
        }
        course
    }
}

/// The course that the script wants, else success after the usual time.
pub(super) fn course(effects: &[Effect], settle_ms: u64) -> Course {
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Pending { ms } => Some(Course {
            hangs: true,
            wait_ms: *ms,
            code: "00".to_owned(),
        }),
        Effect::FailLater { ms, code } => Some(Course {
            hangs: false,
            wait_ms: *ms,
            code: code.clone(),
        }),
        _ => None,
    });
    told.unwrap_or_else(|| Course {
        hangs: false,
        wait_ms: settle_ms,
        code: "00".to_owned(),
    })
}

/// How long after a reversal that was answered "done" the payment succeeds all the same.
pub(super) fn paid_after_reverse_ms(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::PaidAfterReverse { ms } => Some(*ms),
        _ => None,
    })
}

/// Whether the effect makes a message tell the untruth under a valid signature.
pub(super) fn lies(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::WrongAmount { .. }
            | Effect::WrongOrder { .. }
            | Effect::WrongMerchant { .. }
            | Effect::WrongCurrency { .. }
    )
}

/// Puts the untruths into a message.
pub(super) fn twist(effects: &[Effect], fields: &mut Fields) {
    let mut lie = |names: &[&str], value: &str| {
        for name in names {
            if let Some(field) = fields.get_mut(*name) {
                value.clone_into(field);
            }
        }
    };
    for effect in effects {
        match effect {
            Effect::WrongAmount { fen } => lie(&["txnAmt", "settleAmt"], &fen.to_string()),
            Effect::WrongOrder { order_no } => lie(&["orderId"], order_no),
            Effect::WrongMerchant { account } => lie(&["merId"], account),
            Effect::WrongCurrency { currency } => lie(&["currencyCode", "settleCurrencyCode"], currency),
            _ => {}
        }
    }
}

/// How the answer is signed.
pub(super) fn signature(effects: &[Effect]) -> Signature {
    let told = effects.iter().find_map(|effect| match effect {
        Effect::WrongSignature => Some(Signature::Wrong),
        Effect::NoSignature => Some(Signature::Missing),
        _ => None,
    });
    told.unwrap_or(Signature::True)
}
