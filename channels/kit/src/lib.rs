//! What a payment channel must be, as a suite that plays it.
//!
//! The author of a channel supplies a [`Gateway`]: a simulator of the other side, or a recording of it. [`conformance`] builds
//! the adapter, stands between the two, breaks every request of every act in every way, and tells in a [`Report`] which
//! properties hold, which do not and what was seen instead, and what could not be tried. Each duty that the contract in
//! `metropay-core` imposes ([`duty::DUTIES`]) is held by properties of the suite.
//!
//! [`simulated`] is the glue for the three simulated gateways; [`stub`] is a gateway's memory for authors who write their own.

pub mod duty;
mod fault;
mod gateway;
mod report;
pub mod simulated;
mod stage;
pub mod stub;
mod suite;
pub mod template;

pub use fault::{Act, BillFault, Fault};
pub use gateway::{Entry, Gateway, Way};
pub use report::{Report, Row, Verdict};
pub use suite::{Property, conformance, properties};
