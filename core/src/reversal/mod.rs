//! Reversals: a whole order undone, whatever its state.
//!
//! A reversal is a stored intent with a job behind it: it may take a channel minutes to undo an order, and the till is told
//! to call again until it is certain. Only [`settle`] changes a reversal's state. A reversal for a number that was never
//! used leaves a tombstone, so that a payment with it can never come (FLT-26).

pub mod complete;
pub mod reverse;
pub mod settle;

use crate::channel::ReverseQuestion;
use crate::clock::Time;
use crate::payment::Payment;
pub use crate::store::reversal::{Model as Reversal, ReversalOrigin, ReversalResult, ReversalState};

/// What the till is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recall {
    /// Whether the till must call again.
    pub again: bool,
    /// When it was certain, or the present moment.
    pub at: Time,
}

/// How a channel is asked to undo a payment.
pub(crate) fn question(payment: &Payment, reversal: &Reversal) -> ReverseQuestion {
    ReverseQuestion {
        payment: crate::payment::reference(payment),
        no: reversal.reversal_no.clone(),
        at: reversal.created_at,
    }
}
