//! The Alipay adapter and the simulated gateway on the two ends of a real wire. They share no code, so what one of them
//! misunderstands shows here.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it must be"
)]

mod contracts;
mod notices;
mod payments;
mod refunds;
mod reversals;
mod sealed;
mod shop;
