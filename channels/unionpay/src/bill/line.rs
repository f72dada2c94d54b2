//! The rows of a file: columns of fixed width in bytes, one blank between them.
//!
//! UnionPay reference, 6.3 and 6.4. All that we read of a row is ASCII; the other columns are GBK and only counted. A row
//! whose blanks stand elsewhere was converted or shifted, and nothing in it would be what it seems.

use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState};
use metropay_core::clock::Time;
use metropay_core::money::Fen;

use super::{Sheet, unreadable};
use crate::account::plain;
use crate::query::{fen, nearest};
use crate::reverse::own_number;

/// The columns of an ordinary transaction. The last holds two in newer files: the original order's number, 32 wide, a blank,
/// and 98 reserved.
const TRADE: [usize; 41] = [
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13,
    13, 8, 32, 13, 13, 12, 2, 1, 131,
];
/// The columns of a chargeback or correction.
const ERROR: [usize; 22] = [
    3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135,
];

/// A column: where it begins, how wide it is, and how it is called in errors.
#[derive(Clone, Copy)]
struct Column {
    at: usize,
    width: usize,
    name: &'static str,
}

/// The column of this number, counted from 1.
const fn column<const N: usize>(widths: &[usize; N], number: usize, name: &'static str) -> Column {
    let (mut at, mut index) = (0, 0);
    while index + 1 < number {
        at += widths[index] + 1;
        index += 1;
    }
    Column {
        at,
        width: widths[index],
        name,
    }
}

const SENT_AT: Column = column(&TRADE, 5, "time");
const AMOUNT: Column = column(&TRADE, 7, "amount");
const QUERY_ID: Column = column(&TRADE, 10, "queryId");
const ORDER_ID: Column = column(&TRADE, 12, "orderId");
const CARD_TYPE: Column = column(&TRADE, 13, "card type");
const FEE: Column = column(&TRADE, 16, "fee");
const SETTLED: Column = column(&TRADE, 17, "settled amount");
const TXN_TYPE: Column = column(&TRADE, 20, "txnType");
const ORIGINAL_QUERY_ID: Column = column(&TRADE, 27, "origQryId");
const MER_ID: Column = column(&TRADE, 28, "merId");
const ECHO: Column = column(&TRADE, 35, "reqReserved");
const COUPON: Column = column(&TRADE, 36, "discount");
const ORIGINAL_ORDER_ID: Column = Column {
    width: 32,
    ..column(&TRADE, 41, "original orderId")
};

const ERROR_TRACE: Column = column(&ERROR, 4, "traceNo");
const ERROR_SENT_AT: Column = column(&ERROR, 5, "time");
const ERROR_AMOUNT: Column = column(&ERROR, 7, "amount");
const ERROR_FEE: Column = column(&ERROR, 15, "fee");

/// An ordinary transaction, and what its file's totals are made of.
pub(crate) struct Trade {
    pub(crate) row: BillRow,
    pub(crate) txn_type: [u8; 2],
    pub(crate) card_type: [u8; 2],
    /// Charged by UnionPay, in fen; negative where given back.
    pub(crate) fee_fen: i64,
    /// To the merchant, in fen; negative from him.
    pub(crate) settled_fen: i64,
}

/// Reads an ordinary transaction.
///
/// # Errors
/// [`BillError::Unreadable`] naming the column that is none, or another merchant's row.
pub(crate) fn trade(line: &[u8], sheet: &Sheet) -> Result<Trade, BillError> {
    shape(line, &TRADE)?;
    if text(line, MER_ID)? != sheet.mer_id {
        return Err(unreadable("a row is another merchant's"));
    }
    let amount = fen(text(line, AMOUNT)?).ok_or_else(|| bad(AMOUNT))?;
    // Whichever way it points: a discount is never more than what was paid.
    let coupon = Fen::new(signed(line, COUPON)?.unsigned_abs()).map_err(|_| bad(COUPON))?;
    if coupon > amount {
        return Err(bad(COUPON));
    }
    let kind = match text(line, TXN_TYPE)? {
        "01" => BillRowKind::Payment,
        "04" | "31" => BillRowKind::Refund,
        _ => BillRowKind::Other,
    };
    let no = own_number(required(line, ORDER_ID)?);
    let query_id = required(line, QUERY_ID)?.to_owned();
    let (payment_no, channel_no, movement_no) = match kind {
        BillRowKind::Payment => (no.clone(), query_id, None),
        BillRowKind::Refund | BillRowKind::Other => {
            let original = text(line, ORIGINAL_QUERY_ID)?.to_owned();
            (original_no(line), original, Some(query_id))
        }
    };
    // Minus: what UnionPay charges it debits.
    let fee_fen = signed(line, FEE)?.saturating_neg();
    Ok(Trade {
        txn_type: letters(line, TXN_TYPE)?,
        card_type: letters(line, CARD_TYPE)?,
        fee_fen,
        settled_fen: signed(line, SETTLED)?,
        row: BillRow {
            kind,
            state: BillRowState::Done,
            no: Some(no),
            payment_no,
            channel_no,
            movement_no,
            amount,
            coupon,
            fee_milli_fen: fee_fen.checked_mul(1_000).ok_or_else(|| bad(FEE))?,
            at: time(line, SENT_AT, sheet)?,
        },
    })
}

/// Reads a chargeback or correction: something for a person to look at. It names no order; what it has instead is UnionPay's
/// trace, number and time, which stand as the number of the movement.
///
/// # Errors
/// [`BillError::Unreadable`] naming the column that is none.
pub(crate) fn error_row(line: &[u8], sheet: &Sheet) -> Result<BillRow, BillError> {
    shape(line, &ERROR)?;
    let amount = fen(text(line, ERROR_AMOUNT)?).ok_or_else(|| bad(ERROR_AMOUNT))?;
    let fee_fen = signed(line, ERROR_FEE)?.saturating_neg();
    let (trace, sent_at) = (text(line, ERROR_TRACE)?, text(line, ERROR_SENT_AT)?);
    Ok(BillRow {
        kind: BillRowKind::Other,
        state: BillRowState::Done,
        no: None,
        payment_no: String::new(),
        channel_no: String::new(),
        movement_no: Some(format!("{trace}{sent_at}")),
        amount,
        coupon: Fen::ZERO,
        fee_milli_fen: fee_fen.checked_mul(1_000).ok_or_else(|| bad(ERROR_FEE))?,
        at: time(line, ERROR_SENT_AT, sheet)?,
    })
}

/// Our number of the payment behind a movement back: named by newer files, else what we sent along with it; or nothing.
fn original_no(line: &[u8]) -> String {
    [ORIGINAL_ORDER_ID, ECHO]
        .into_iter()
        .filter_map(|column| text(line, column).ok())
        .find(|no| plain(no, 8..=32))
        .unwrap_or_default()
        .to_owned()
}

/// Checks that a row is as long as its columns and that a blank stands between them.
fn shape<const N: usize>(line: &[u8], widths: &[usize; N]) -> Result<(), BillError> {
    let (mut at, last) = (0_usize, N.saturating_sub(1));
    for (index, width) in widths.iter().enumerate() {
        at = at.saturating_add(*width);
        if index == last {
            break;
        }
        if line.get(at) != Some(&b' ') {
            return Err(unreadable(format!(
                "a row has no blank behind its column {}",
                index.saturating_add(1)
            )));
        }
        at = at.saturating_add(1);
    }
    if line.len() < at {
        return Err(unreadable(format!("a row has {} bytes of {at}", line.len())));
    }
    Ok(())
}

fn bytes(line: &[u8], column: Column) -> Result<&[u8], BillError> {
    line.get(column.at..column.at.saturating_add(column.width))
        .ok_or_else(|| bad(column))
}

/// A column without the blanks around it.
fn text(line: &[u8], column: Column) -> Result<&str, BillError> {
    let bytes = bytes(line, column)?;
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii());
    Ok(text.ok_or_else(|| bad(column))?.trim_matches(' '))
}

fn required(line: &[u8], column: Column) -> Result<&str, BillError> {
    let text = text(line, column)?;
    if plain(text, 1..=column.width) {
        Ok(text)
    } else {
        Err(bad(column))
    }
}

fn letters(line: &[u8], column: Column) -> Result<[u8; 2], BillError> {
    let bytes = bytes(line, column)?;
    let letters = <[u8; 2]>::try_from(bytes).map_err(|_| bad(column))?;
    if letters.is_ascii() {
        Ok(letters)
    } else {
        Err(bad(column))
    }
}

/// An amount with a sign: `C` to the merchant, `D` from him, a blank where it is nothing.
fn signed(line: &[u8], column: Column) -> Result<i64, BillError> {
    let bytes = bytes(line, column)?;
    let (sign, digits) = bytes.split_first().ok_or_else(|| bad(column))?;
    let amount = std::str::from_utf8(digits)
        .ok()
        .and_then(fen)
        .ok_or_else(|| bad(column))?;
    match sign {
        b'C' => Ok(amount.signed()),
        b'D' => Ok(amount.signed().saturating_neg()),
        b' ' if amount.is_zero() => Ok(0),
        _ => Err(bad(column)),
    }
}

/// A moment without a year: that of the clearing day, give or take a turn of the year.
fn time(line: &[u8], column: Column, sheet: &Sheet) -> Result<Time, BillError> {
    nearest(text(line, column)?, sheet.day.start()).ok_or_else(|| bad(column))
}

fn bad(column: Column) -> BillError {
    unreadable(format!("a row has no readable {}", column.name))
}

#[cfg(test)]
mod tests;
