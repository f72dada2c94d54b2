//! How an order stands at the gateway: the one question behind payments, undos and refunds.
//!
//! UnionPay reference, 5.2.

use chrono::Datelike;
use metropay_core::channel::{CallError, Paid, PaymentRef, Product, Refusal, Standing};
use metropay_core::clock::Time;
use metropay_core::money::Fen;

use crate::Unionpay;
use crate::call::{Answer, Kind, OrderKey, QUERY, get};
use crate::codes::{Progress, progress, refusal};
use crate::coupon::coupon;
use crate::form::Fields;

/// What an order moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// `01`: the payer's money to the merchant.
    Consume,
    /// `31`: a consume undone on its clearing day.
    Undo,
    /// `04`: money back by amount.
    Refund,
}

impl Move {
    /// Its `txnType`.
    pub(crate) fn txn_type(self) -> &'static str {
        match self {
            Self::Consume => "01",
            Self::Undo => "31",
            Self::Refund => "04",
        }
    }
}

/// An order as we know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) key: OrderKey<'a>,
    pub(crate) moves: Move,
    pub(crate) amount: Fen,
    pub(crate) product: Product,
}

impl<'a> Order<'a> {
    /// The order of a payment.
    pub(crate) fn of(payment: &'a PaymentRef) -> Self {
        Self {
            key: OrderKey {
                order_id: payment.no.as_str(),
                at: payment.at,
            },
            moves: Move::Consume,
            amount: payment.amount,
            product: payment.product,
        }
    }
}

/// Money that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// `queryId`.
    pub(crate) channel_no: String,
    pub(crate) amount: Fen,
    pub(crate) coupon: Fen,
    pub(crate) at: Time,
}

impl From<Moved> for Paid {
    fn from(moved: Moved) -> Self {
        Self {
            channel_no: moved.channel_no,
            amount: moved.amount,
            coupon: moved.coupon,
            paid_at: moved.at,
        }
    }
}

/// What became of a query.
pub(crate) enum Looked {
    /// The gateway looked.
    Order(Found),
    /// It did not: nothing is known of the order.
    Declined(Answer),
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// No such order now.
    Absent,
    /// In progress.
    Running,
    /// Done.
    Done(Moved),
    /// Failed, finally.
    Failed(Refusal),
    /// A code that proves nothing by itself.
    Unclear(Refusal),
}

impl Unionpay {
    /// Asks about an order.
    ///
    /// # Errors
    /// [`CallError`] without a believed and usable answer; then nothing is known.
    pub(crate) async fn find(&self, order: Order<'_>) -> Result<Found, CallError> {
        match self.look(order).await? {
            Looked::Order(found) => Ok(found),
            Looked::Declined(answer) => Err(answer.useless()),
        }
    }

    /// Asks about an order, and tells apart whether the gateway looked for it at all.
    ///
    /// # Errors
    /// As [`Unionpay::find`].
    pub(crate) async fn look(&self, order: Order<'_>) -> Result<Looked, CallError> {
        let kind = Kind {
            txn_type: "00",
            txn_sub_type: "00",
            biz_type: "000000",
        };
        let fields = self.message(kind, order.key);
        let answer = self.ask(QUERY, fields, self.account.patience.query).await?;
        match answer.code() {
            "00" => {}
            "34" => return Ok(Looked::Order(Found::Absent)),
            // 03, 04, 05, 06, 37: ask again. Others: the question itself is refused. Nothing is known either way.
            _ => return Ok(Looked::Declined(answer)),
        }
        let fields = answer.fields();
        if let Some(name) = strange(fields, order) {
            return Err(CallError::MaybeDone(format!("the order found has another {name}")));
        }
        let letters = get(fields, "origRespCode").ok_or_else(|| answer.useless())?;
        let why = refusal(letters, get(fields, "origRespMsg").unwrap_or_default());
        Ok(Looked::Order(match progress(letters) {
            Progress::Done => match Moved::read(fields, order.key.at) {
                Ok(moved) => Found::Done(moved),
                Err(lack) => return Err(CallError::MaybeDone(lack.to_string())),
            },
            Progress::Running => Found::Running,
            Progress::Failed => Found::Failed(why),
            Progress::Unclear => Found::Unclear(why),
        }))
    }

    pub(crate) async fn standing(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        Ok(match self.find(Order::of(payment)).await? {
            Found::Absent => Standing::Absent,
            Found::Running | Found::Unclear(_) => Standing::Pending,
            Found::Done(moved) => Standing::Paid(moved.into()),
            Found::Failed(why) => Standing::NotPaid(why),
        })
    }
}

/// The first field in which the order that was found is not ours; its currency every answer was checked for.
fn strange(fields: &Fields, order: Order<'_>) -> Option<&'static str> {
    if get(fields, "txnType") != Some(order.moves.txn_type()) {
        return Some("type");
    }
    if get(fields, "txnAmt").and_then(fen) != Some(order.amount) {
        return Some("amount");
    }
    None
}

/// What a movement of money lacks to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lack {
    #[error("the order is done but has no queryId")]
    Number,
    #[error("the order is done but has no readable amount")]
    Amount,
    #[error("the order is done but not in yuan")]
    Currency,
    #[error("the order's discount is larger than its amount")]
    Discount,
}

impl Moved {
    /// Reads what an order moved; `asked_at` is its `txnTime`.
    ///
    /// # Errors
    /// [`Lack`] when a number, amount or currency is missing or cannot be.
    pub(crate) fn read(fields: &Fields, asked_at: Time) -> Result<Self, Lack> {
        let amount = get(fields, "txnAmt").and_then(fen).ok_or(Lack::Amount)?;
        let consume = get(fields, "txnType") == Some(Move::Consume.txn_type());
        match get(fields, "currencyCode") {
            Some("156") => {}
            // UnionPay leaves it out where money goes back by the original's number (UnionPay reference, 11.3).
            None if !consume => {}
            _ => return Err(Lack::Currency),
        }
        let coupon = coupon(fields);
        if coupon > amount {
            return Err(Lack::Discount);
        }
        let at = get(fields, "traceTime").and_then(|text| nearest(text, asked_at));
        Ok(Self {
            channel_no: get(fields, "queryId").ok_or(Lack::Number)?.to_owned(),
            amount,
            coupon,
            at: at.unwrap_or(asked_at),
        })
    }
}

/// An amount as the wire writes it: digits only.
pub(crate) fn fen(text: &str) -> Option<Fen> {
    let digits = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok().and_then(|fen| Fen::new(fen).ok()))
        .flatten()
}

/// A moment written `MMDDhhmmss`, in the year in which it lies nearest to `about`.
pub(crate) fn nearest(text: &str, about: Time) -> Option<Time> {
    if text.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year = about.in_china().year();
    [year.saturating_sub(1), year, year.saturating_add(1)]
        .into_iter()
        .filter_map(|year| Time::parse_china(&format!("{year:04}{text}"), "%Y%m%d%H%M%S"))
        .min_by_key(|time| time.0.abs_diff(about.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn china(text: &str) -> Time {
        Time::parse_china(text, "%Y%m%d%H%M%S").unwrap()
    }

    #[test]
    fn the_year_of_a_trace_time_is_the_one_nearest_to_the_order() {
        for (about, trace, expected) in [
            ("20250301123456", "0301123458", "20250301123458"),
            ("20251231235959", "0101000001", "20260101000001"),
            ("20260101000001", "1231235959", "20251231235959"),
            ("20240229120000", "0229120001", "20240229120001"),
        ] {
            assert_eq!(nearest(trace, china(about)), Some(china(expected)), "{trace}");
        }
        for bad in ["", "0301", "1399123456", "03011234567", "0301+23456"] {
            assert_eq!(nearest(bad, china("20250301123456")), None, "{bad}");
        }
    }

    #[test]
    fn amounts_are_digits_and_nothing_else() {
        assert_eq!(fen("1280"), Fen::new(1280).ok());
        assert_eq!(fen("000000001280"), Fen::new(1280).ok());
        for bad in ["", "+1", "-1", "1.0", " 1", "1e3", "1234567890123"] {
            assert_eq!(fen(bad), None, "{bad}");
        }
    }
}
