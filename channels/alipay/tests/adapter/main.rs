//! The adapter through its public face: against scripted answers, notices of the reference's vectors, and wrong set-ups.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it must be"
)]

mod agreements;
mod authority;
mod bills;
mod certificates;
mod code_pay;
mod deductions;
mod faults;
mod ground;
mod identity;
mod notices;
mod paper;
mod provider;
mod queries;
mod refunds;
mod reversals;
mod sealed;
mod settings;
