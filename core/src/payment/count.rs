//! What is counted of payments, once it is in the books.

use metrics::{counter, histogram};

use super::{Payment, PaymentState};
use crate::clock::Time;
use crate::metric;
use crate::store::Tx;

/// A payment was written down.
pub(super) fn placed(tx: &Tx, payment: &Payment) {
    let (channel, product) = (payment.channel.0.clone(), payment.product.word());
    tx.after_commit(move || {
        counter!(metric::PAYMENTS_PLACED, "channel" => channel, "product" => product).increment(1);
    });
}

/// A payment reached its end.
pub(super) fn ended(tx: &Tx, payment: &Payment, state: PaymentState, now: Time) {
    let (channel, product) = (payment.channel.0.clone(), payment.product.word());
    let took = now.since(payment.created_at);
    tx.after_commit(move || {
        let state = state.word();
        histogram!(metric::PAYMENT_DURATION, "channel" => channel.clone(), "state" => state).record(took);
        counter!(metric::PAYMENTS, "channel" => channel, "product" => product, "state" => state).increment(1);
    });
}
