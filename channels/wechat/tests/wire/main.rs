//! The adapter against a scripted gateway: requests byte for byte, and what is believed of answers and notifications.

mod answers;
mod config;
mod contracts;
mod notices;
mod refunds;
mod requests;
mod reversals;
mod support;
