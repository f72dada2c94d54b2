//! Refunds: money back, asked by amount, partly and repeatedly.
//!
//! What must hold: refunds done and in progress never exceed what was paid, under any concurrency, because each reserves
//! its part in the database before the channel is called (INV-11); one number of the merchant is at most one refund at the
//! channel (INV-12); a reversal and refunds exclude each other (INV-13). Only [`settle`] changes a refund's state.

pub mod ask;
pub(crate) mod compensate;
pub mod complete;
pub mod settle;

use crate::channel::RefundQuestion;
use crate::id::OutRefundNo;
use crate::money::Fen;
use crate::payment::{OrderKey, Payment};
pub use crate::store::refund::{Model as Refund, RefundKind, RefundState};

/// What a merchant asks for.
#[derive(Debug, Clone)]
pub struct RefundAsk {
    /// Of which order.
    pub order: OrderKey,
    /// The merchant's number of the refund.
    pub out_refund_no: OutRefundNo,
    /// How much.
    pub refund_fee: Fen,
}

/// How a channel is asked for, or about, a refund.
pub(crate) fn question(payment: &Payment, refund: &Refund) -> RefundQuestion {
    RefundQuestion {
        payment: crate::payment::reference(payment),
        no: refund.refund_no.clone(),
        at: refund.created_at,
        amount: refund.amount,
    }
}
