//! How much may be paid: at once, and with one card in a month.

use chrono::{DateTime, Datelike as _, FixedOffset};

use super::order::{self, State};
use super::request::{Request, text};
use crate::clock;
use crate::store::Tx;

/// Why a payment of this card is too high: the payment itself 33, the month 81.
pub(super) fn objection(tx: &Tx<'_>, request: &Request, card_number: &str, now_ms: i64) -> Option<&'static str> {
    let (conduct, amount_fen) = (&request.account.conduct, request.amount_fen());
    if conduct.limit_fen.is_some_and(|limit_fen| amount_fen > limit_fen) {
        return Some("33");
    }
    let limit_fen = conduct.month_limit_fen?;
    let used_fen = used_in_month(tx, &request.account.mer_id, card_number, clock::at(now_ms));
    (used_fen.saturating_add(amount_fen) > limit_fen).then_some("81")
}

fn used_in_month(tx: &Tx<'_>, mer_id: &str, card_number: &str, now: DateTime<FixedOffset>) -> u64 {
    let counts = |order: &order::Order| {
        let at = clock::at(order.accepted_at_ms);
        order.is_payment()
            && text(&order.request, "merId") == mer_id
            && order.card_number == card_number
            && (at.year(), at.month()) == (now.year(), now.month())
            && matches!(order.state, State::Pending | State::Success)
            && !order.undone
    };
    order::all(tx)
        .iter()
        .filter(|order| counts(order))
        .fold(0, |sum, order| sum.saturating_add(order.amount_fen))
}
