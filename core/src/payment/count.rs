//! What is counted of payments, once it is in the books.

use metrics::{counter, histogram};

use super::{Payment, PaymentState};
use crate::clock::Time;
use crate::metric;
use crate::store::Tx;

/// A payment was written down.
pub(super) fn placed(payment: &Payment) {
    let (channel, product) = (payment.channel.0.clone(), payment.product.word());
    counter!(metric::PAYMENTS_PLACED, "channel" => channel, "product" => product).increment(1);
}

/// A payment reached its end, and that is in the books.
pub(super) fn ended(payment: &Payment, state: PaymentState, now: Time) {
    end_of(payment, state, now)();
}

/// A payment reaches its end in this transaction: counted when it is in the books.
pub(super) fn ended_by(tx: &Tx, payment: &Payment, state: PaymentState, now: Time) {
    tx.after_commit(end_of(payment, state, now));
}

fn end_of(payment: &Payment, state: PaymentState, now: Time) -> impl FnOnce() + Send + 'static {
    let (channel, product) = (payment.channel.0.clone(), payment.product.word());
    let took = now.since(payment.created_at);
    move || {
        let state = state.word();
        histogram!(metric::PAYMENT_DURATION, "channel" => channel.clone(), "state" => state).record(took);
        counter!(metric::PAYMENTS, "channel" => channel, "product" => product, "state" => state).increment(1);
    }
}
