//! The ability to hand out the channel's daily bill, row by row.
//!
//! Duties beside those of every adapter:
//!
//! 1. MUST check what the file offers as a proof of itself (hash, signature, totals) and end the rows with
//!    [`BillError::Unreadable`] where it fails: a file that was cut off must never pass for a short one.
//! 2. MUST NOT hold a file in memory: a day may have millions of rows.
//! 3. MUST tell "not made yet" apart from "nothing happened on that day".
//! 4. MUST read amounts as decimal text into whole units, never through floating point.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

use super::CallError;
use crate::clock::{Day, Time};
use crate::money::Fen;

/// What a row tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BillRowKind {
    /// The payer paid.
    Payment,
    /// Money went back: a refund, or the undoing of a whole order.
    Refund,
    /// Something else that the channel lists (chargebacks, corrections by hand): for a person to look at.
    Other,
}

/// How what the row tells of stood when the file was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BillRowState {
    /// Money moved.
    Done,
    /// In progress: a refund that was filed on that day.
    Pending,
    /// It came to nothing.
    Failed,
}

/// One row of a channel's bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRow {
    /// What it tells of.
    pub kind: BillRowKind,
    /// How it stood.
    pub state: BillRowState,
    /// The merchant-side number of this very movement, where the file names one: ours of the payment, refund or reversal.
    pub no: Option<String>,
    /// The merchant-side number of the payment that it belongs to; equal to `no` for a payment.
    pub payment_no: String,
    /// The channel's number of the payment.
    pub channel_no: String,
    /// The channel's number of this very movement, where it has one of its own.
    pub movement_no: Option<String>,
    /// How much moved: the order amount of a payment, the amount that was asked back of a refund.
    pub amount: Fen,
    /// The part of it that coupons paid (or got back), as far as the file tells.
    pub coupon: Fen,
    /// What the channel charged for it, in thousandths of a fen (10⁻⁵ yuan, the finest that channels count in); negative
    /// where a fee was given back.
    pub fee_milli_fen: i64,
    /// When, as the file dates it.
    pub at: Time,
}

/// A movement on the account that the channel keeps for the merchant: a row of its account statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundRow {
    /// The channel's number of the movement.
    pub no: String,
    /// The merchant-side number of what caused it, where named.
    pub cause_no: Option<String>,
    /// What it was, in the channel's words.
    pub what: String,
    /// Into the account (positive) or out of it, in fen.
    pub amount_fen: i64,
    /// What is on the account afterwards, in fen, where told.
    pub balance_fen: Option<i64>,
    /// When.
    pub at: Time,
}

/// Why there are no (further) rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// The channel has not made it yet: ask again later.
    #[error("the bill is not made yet")]
    NotReady,
    /// The channel will not hand it out: the set-up is wrong, or the day is too long ago.
    #[error("the bill was refused: {0}")]
    Refused(String),
    /// The file is not what it should be: nothing of it may be used.
    #[error("the bill cannot be read: {0}")]
    Unreadable(String),
    /// There was no understood answer: asking again is safe.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Rows as they are read. An error ends the stream, and then none of its rows may be used.
pub type Rows<T> = BoxStream<'static, Result<T, BillError>>;

/// Rows that are read but not yet taken.
const AHEAD: usize = 256;

/// Rows that a reader on a thread of its own hands over one by one, no faster than they are taken: files are unpacked and
/// parsed without `async`. The reader's `hand_over` answers `false` when nobody takes rows any more.
pub fn read_rows<T, F>(read: F) -> Rows<T>
where
    T: Send + 'static,
    F: FnOnce(&mut dyn FnMut(T) -> bool) -> Result<(), BillError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(AHEAD);
    let reader = tokio::task::spawn_blocking(move || {
        let ended = read(&mut |row| sender.blocking_send(Ok(row)).is_ok());
        if let Err(error) = ended {
            // Nobody waits for the error any more: then nobody used the rows either.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let rows = futures::stream::unfold((receiver, Some(reader)), async |(mut receiver, mut reader)| {
        if let Some(row) = receiver.recv().await {
            return Some((row, (receiver, reader)));
        }
        // A reader that broke off must not look like one that came to the end.
        let broke = reader.take()?.await.is_err();
        let error = BillError::Unreadable("the reader broke off".to_owned());
        broke.then_some((Err(error), (receiver, reader)))
    });
    rows.boxed()
}

/// Handing out daily bills. A day without any movement is a stream without rows.
#[async_trait]
pub trait Bills: Send + Sync {
    /// What was paid and given back on a China day.
    ///
    /// # Errors
    /// [`BillError`] when there is no file.
    async fn trades(&self, day: Day) -> Result<Rows<BillRow>, BillError>;

    /// What moved on the merchant's account at the channel on a China day; `None` where the channel hands out no such file.
    ///
    /// # Errors
    /// [`BillError`] when there is no file.
    async fn funds(&self, day: Day) -> Result<Option<Rows<FundRow>>, BillError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_come_in_order_and_an_error_ends_them() {
        let rows = read_rows(|hand_over| {
            for row in 0..1_000 {
                assert!(hand_over(row));
            }
            Err(BillError::NotReady)
        });
        let all: Vec<Result<i32, BillError>> = rows.collect().await;
        assert_eq!(all.len(), 1_001);
        assert_eq!(all[999], Ok(999));
        assert_eq!(all[1_000], Err(BillError::NotReady));
    }

    #[tokio::test]
    async fn a_reader_that_breaks_off_is_an_error_and_one_that_nobody_hears_stops() {
        let broken = read_rows::<i32, _>(|hand_over| {
            hand_over(1);
            panic!("a reader of a test breaks off");
        });
        let all: Vec<Result<i32, BillError>> = broken.collect().await;
        assert!(matches!(all[..], [Ok(1), Err(BillError::Unreadable(_))]), "{all:?}");

        let (told, stopped) = std::sync::mpsc::channel();
        let mut rows = read_rows(move |hand_over| {
            while hand_over(1) {}
            told.send(()).map_err(|error| BillError::Unreadable(error.to_string()))
        });
        assert_eq!(rows.next().await, Some(Ok(1)));
        drop(rows);
        stopped
            .recv_timeout(std::time::Duration::from_secs(5))
            .expect("the reader stops");
    }
}
