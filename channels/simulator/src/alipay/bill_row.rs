//! The rows of a bill: the gateway's books of the period, as the fault script wants them.

use super::account::Account;
use super::bill_period::Period;
use super::parts::Parts;
use super::postings::{self, Posting};
use super::{trade, user};
use crate::fault::{Effect, fillers};
use crate::store::Tx;

/// One payment or refund of the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its place in the books.
    pub(super) seq: u64,
    /// Whether it is a payment; else a refund.
    pub(super) is_payment: bool,
    pub(super) trade_no: String,
    /// The merchant's number of the payment.
    pub(super) out_trade_no: String,
    /// The merchant's number of this very payment or refund.
    pub(super) number: String,
    pub(super) subject: String,
    /// Unix milliseconds.
    pub(super) created_ms: i64,
    /// Unix milliseconds.
    pub(super) done_ms: i64,
    pub(super) store_id: String,
    pub(super) store_name: String,
    pub(super) operator_id: String,
    pub(super) terminal_id: String,
    /// The other side, masked.
    pub(super) buyer: String,
    pub(super) parts: Parts,
    /// The fee that was taken with a payment or came back with a refund, in fen.
    pub(super) fee_fen: u64,
}

impl Row {
    fn of(posting: Posting) -> Self {
        let is_payment = posting.is_payment();
        let trade = posting.trade;
        Self {
            seq: posting.seq,
            is_payment,
            trade_no: trade.trade_no,
            out_trade_no: trade.out_trade_no,
            number: posting.number,
            subject: trade.subject,
            created_ms: posting.asked_ms,
            done_ms: posting.at_ms,
            store_id: trade.store_id.unwrap_or_default(),
            store_name: trade.store_name.unwrap_or_default(),
            operator_id: trade.operator_id.unwrap_or_default(),
            terminal_id: trade.terminal_id.unwrap_or_default(),
            buyer: user::masked_name(&trade.buyer_user_id),
            parts: posting.parts,
            fee_fen: posting.fee_fen,
        }
    }

    /// A payment that never was, in the middle of the period.
    fn invented(account: &Account, period: &Period, number: &str, fen: u64) -> Self {
        let at_ms = period.start_ms + (period.end_ms - period.start_ms) / 2;
        let receipt = u128::from(fen) * u128::from(account.terms.fee_rate);
        Self {
            seq: 99_999_999,
            is_payment: true,
            trade_no: format!("{}22001400001499999999", trade::day(at_ms)),
            out_trade_no: number.to_owned(),
            number: number.to_owned(),
            subject: account.terms.shop_name.clone(),
            created_ms: at_ms,
            done_ms: at_ms,
            store_id: String::new(),
            store_name: String::new(),
            operator_id: String::new(),
            terminal_id: String::new(),
            buyer: user::masked_name(user::DEFAULT_USER_ID),
            parts: whole(fen),
            fee_fen: u64::try_from((receipt + 5_000) / 10_000).unwrap_or(u64::MAX),
        }
    }
}

fn whole(own_fen: u64) -> Parts {
    Parts {
        own_fen,
        ..Parts::default()
    }
}

/// The rows of the account's seller in the period, in the order of the books.
pub(super) fn of(tx: &Tx<'_>, account: &Account, period: &Period, effects: &[Effect]) -> Vec<Row> {
    if effects.contains(&Effect::BillEmpty) {
        return Vec::new();
    }
    let mut rows: Vec<Row> = postings::of_seller(tx, &account.seller_id)
        .into_iter()
        .filter(|posting| period.has(posting.at_ms))
        .map(Row::of)
        .collect();
    for effect in effects {
        twist(&mut rows, account, period, effect);
    }
    rows
}

/// What lay on the account when the period began, in fen.
pub(super) fn opening_fen(tx: &Tx<'_>, account: &Account, period: &Period) -> i128 {
    let opening_fen = i128::from(account.terms.balance_fen.unwrap_or(0));
    postings::of_seller(tx, &account.seller_id)
        .iter()
        .filter(|posting| posting.at_ms < period.start_ms)
        .fold(opening_fen, |balance_fen, posting| balance_fen + posting.net_fen())
}

/// Makes the bill say something else than the books.
fn twist(rows: &mut Vec<Row>, account: &Account, period: &Period, effect: &Effect) {
    let place = |rows: &[Row], number: &str| rows.iter().position(|row| row.number == number);
    match effect {
        Effect::BillDoubled => {
            *rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        }
        Effect::BillRowMissing { order_no } => {
            if let Some(place) = place(rows, order_no) {
                rows.remove(place);
            }
        }
        Effect::BillRowExtra { order_no, fen } => rows.push(Row::invented(account, period, order_no, *fen)),
        Effect::BillLong { rows: more } => {
            rows.extend(fillers(*more).map(|no| Row::invented(account, period, &no, 1)));
        }
        Effect::BillRowAmount { order_no, fen } => {
            if let Some(place) = place(rows, order_no) {
                rows[place].parts = with_total(rows[place].parts, *fen);
            }
        }
        Effect::BillRowFee { order_no, fen } => {
            if let Some(place) = place(rows, order_no) {
                rows[place].fee_fen = *fen;
            }
        }
        Effect::BillRowState { order_no } => {
            if let Some(place) = place(rows, order_no) {
                rows[place].is_payment = !rows[place].is_payment;
            }
        }
        _ => {}
    }
}

/// Another total, borne by the payer as long as the discounts leave room for it.
fn with_total(parts: Parts, fen: u64) -> Parts {
    let others_fen = parts.total_fen() - parts.own_fen;
    match fen.checked_sub(others_fen) {
        Some(own_fen) => Parts { own_fen, ..parts },
        None => whole(fen),
    }
}
