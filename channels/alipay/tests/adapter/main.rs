//! The adapter through its public face: against scripted answers, notices of the reference's vectors, and wrong set-ups.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it must be"
)]

mod agreements;
mod deductions;
mod ground;
mod notices;
mod queries;
mod refunds;
mod reversals;
mod settings;
