//! The merchant API over HTTP: the real router in its layers, on the real engine with a database of its own, against a
//! gateway that does what a test tells it.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod bad_input;
mod description;
mod foreign;
mod gateway;
mod health;
mod orders;
mod races;
mod rates;
mod refunds;
mod shop;
mod signatures;
