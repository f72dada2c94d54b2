//! The ability to be paid by the channel's own payment code: the one in the user's WeChat, Alipay or UnionPay App.
//!
//! Duties beside those of every adapter:
//!
//! 1. MUST send the code unchanged, and MUST NOT keep it, log it or show it in an error.
//! 2. MUST answer [`Outcome::Pending`](super::Outcome::Pending) while the user types his password: the engine asks on by
//!    [`Cadence`](super::Cadence) and revokes in the end.
//! 3. MUST, for a repeat of the same question, find out what became of the first rather than pay twice.

use async_trait::async_trait;

use super::{Called, Paid};
use crate::clock::Time;
use crate::id::PayNo;
use crate::money::Fen;
use crate::secret::Secret;

/// The wish to be paid by a scanned payment code of the channel.
#[derive(Debug, Clone)]
pub struct CodePayQuestion {
    /// Our number: the idempotency key at the channel.
    pub no: PayNo,
    /// When the payment was written down; part of the key at some channels. Equal on every repeat.
    pub at: Time,
    /// How much.
    pub amount: Fen,
    /// What is bought, as the merchant words it.
    pub body: String,
    /// The store, for channels that take one.
    pub store: String,
    /// The digits as they were scanned. Confidential for the minute that they live.
    pub code: Secret,
}

/// Being paid by the channel's own payment code. The order is asked about, undone and refunded like any other of the
/// channel, with [`Product::PaymentCode`](super::Product::PaymentCode) in the reference.
#[async_trait]
pub trait CodePay: Send + Sync {
    /// Takes the money from whoever shows this code.
    ///
    /// # Errors
    /// [`CallError`](super::CallError) when there was no understood answer.
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid>;
}
