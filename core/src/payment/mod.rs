//! Payments: one deduction each.
//!
//! What must hold: a merchant's number and a code are each debited at most once, for ever (INV-05, INV-06); a payment is
//! written down before its channel is called (INV-07); SUCCESS, FAILED and CLOSED are final (INV-09), the latter two by
//! proof; only [`settle`] changes a payment's state, whoever learned the news.

pub mod complete;
mod count;
mod decide;
pub mod find;
mod foreign;
mod open;
pub mod pay;
pub mod query;
pub mod records;
mod send;
pub mod settle;
mod state;

use crate::id::{OutRequestNo, PayNo, StoreId, Uid};
use crate::money::Fen;
pub use crate::store::payment::{Model as Payment, PaymentState, ReversalMark};
pub(crate) use send::reference;
pub use state::News;

/// What a till asks for.
#[derive(Debug, Clone)]
pub struct PayAsk {
    /// The merchant's number.
    pub out_request_no: OutRequestNo,
    /// What was scanned.
    pub qrcode: String,
    /// What is bought.
    pub body: String,
    /// How much.
    pub total_fee: Fen,
    /// A remark.
    pub extra_data: Option<String>,
    /// At which store.
    pub store_id: StoreId,
}

/// Where those wait who want to know how a payment ends: at its user, or at the payment itself where no user of ours pays.
pub(crate) fn topic(payment: &Payment) -> Uid {
    let itself = || Uid(format!("!{}", payment.pay_no));
    payment.uid.clone().unwrap_or_else(itself)
}

/// How a merchant names an order: by its own number, by ours, or by both (which must agree).
#[derive(Debug, Clone)]
pub struct OrderKey {
    /// The merchant's number.
    pub out_request_no: Option<OutRequestNo>,
    /// Our number.
    pub pay_no: Option<PayNo>,
}
