//! The lines of the files: columns of fixed width in bytes, one blank between them.
//!
//! UnionPay reference, 6.3 and 6.4. Only offsets count; texts are GBK and are not read.

use metropay_core::channel::{BillError, BillRow, BillRowKind, BillRowState};
use metropay_core::clock::{Day, Time};
use metropay_core::money::Fen;

use super::unreadable;
use crate::query::nearest;

/// Bytes of a ZM line at least.
const ZM_LENGTH: usize = 607;
/// Bytes of a ZME line at least: up to its amount.
const ZME_LENGTH: usize = 88;

/// Which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Normal transactions.
    Zm,
    /// Chargebacks and adjustments: every line is for a person to look at.
    Zme,
}

impl Layout {
    /// By the name of a file in the archive; nothing for summaries and the like (UnionPay reference, 6.2).
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let name = name.rsplit(|byte| *byte == b'/').next()?;
        if !name.starts_with(b"INN") {
            return None;
        }
        let kind = name.get(11..)?;
        if kind.starts_with(b"ZM_") {
            Some(Self::Zm)
        } else if kind.starts_with(b"ZME_") {
            Some(Self::Zme)
        } else {
            None
        }
    }

    /// A line of it.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] for one that is too short or has no number where one must be.
    pub(super) fn read(self, line: &[u8], day: Day) -> Result<BillRow, BillError> {
        let length = match self {
            Self::Zm => ZM_LENGTH,
            Self::Zme => ZME_LENGTH,
        };
        if line.len() < length {
            return Err(unreadable("a line is too short"));
        }
        let line = Line { line, day };
        match self {
            Self::Zm => line.transaction(),
            Self::Zme => line.adjustment(),
        }
    }
}

#[derive(Clone, Copy)]
struct Line<'a> {
    line: &'a [u8],
    day: Day,
}

impl Line<'_> {
    fn transaction(&self) -> Result<BillRow, BillError> {
        let (no, query_id) = (self.text(112, 32)?, self.text(87, 21)?);
        let kind = match self.text(215, 2)?.as_str() {
            "01" => BillRowKind::Payment,
            "04" | "31" => BillRowKind::Refund,
            _ => BillRowKind::Other,
        };
        let (payment_no, channel_no) = match kind {
            BillRowKind::Payment => (no.clone(), query_id.clone()),
            // Older layouts leave the original's number out; its queryId is always there.
            BillRowKind::Refund | BillRowKind::Other => (self.text(476, 32)?, self.text(271, 21)?),
        };
        Ok(BillRow {
            kind,
            state: BillRowState::Done,
            no: Some(no).filter(|no| !no.is_empty()),
            payment_no,
            channel_no,
            movement_no: Some(query_id).filter(|id| !id.is_empty()),
            amount: self.amount(66, 12)?,
            coupon: self.amount(431, 12)?,
            fee_milli_fen: self.charged(166)?,
            at: self.time(35)?,
        })
    }

    fn adjustment(&self) -> Result<BillRow, BillError> {
        Ok(BillRow {
            kind: BillRowKind::Other,
            state: BillRowState::Done,
            no: None,
            payment_no: String::new(),
            channel_no: String::new(),
            movement_no: Some(self.text(28, 6)?).filter(|trace| !trace.is_empty()),
            amount: self.amount(66, 12)?,
            coupon: Fen::ZERO,
            fee_milli_fen: 0,
            at: self.time(35)?,
        })
    }

    fn bytes(&self, offset: usize, width: usize) -> Result<&[u8], BillError> {
        self.line
            .get(offset..offset.saturating_add(width))
            .ok_or_else(|| unreadable("a line is too short"))
    }

    /// A text of letters and digits, without its padding.
    fn text(&self, offset: usize, width: usize) -> Result<String, BillError> {
        let text = self.bytes(offset, width)?.trim_ascii();
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err(unreadable(format!("the column at {offset} is no number")));
        }
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// An amount: zero-padded fen, or blank for nothing.
    fn amount(&self, offset: usize, width: usize) -> Result<Fen, BillError> {
        let text = self.text(offset, width)?;
        if text.is_empty() {
            return Ok(Fen::ZERO);
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| text.parse().ok().and_then(|fen| Fen::new(fen).ok()))
            .flatten()
            .ok_or_else(|| unreadable(format!("the column at {offset} is no amount")))
    }

    /// A fee, as charged: `D` takes it from the merchant, `C` gives it back; in thousandths of a fen.
    fn charged(&self, offset: usize) -> Result<i64, BillError> {
        let sign = self.bytes(offset, 1)?;
        let fen = self.amount(offset.saturating_add(1), 12)?.signed();
        let milli = fen.saturating_mul(1_000);
        match sign {
            b"D" => Ok(milli),
            b"C" => Ok(milli.saturating_neg()),
            b" " | b"0" if fen == 0 => Ok(0),
            _ => Err(unreadable("a fee is neither credit nor debit")),
        }
    }

    /// A moment without a year: in the year in which it lies nearest to the day that was asked for.
    fn time(&self, offset: usize) -> Result<Time, BillError> {
        let text = self.text(offset, 10)?;
        nearest(&text, self.day.start()).ok_or_else(|| unreadable("a line has no time"))
    }
}
