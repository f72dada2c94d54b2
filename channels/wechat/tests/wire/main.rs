//! The adapter against a scripted gateway: requests byte for byte, and what is believed of answers and notifications.

mod answers;
mod bill_rows;
mod bills;
mod code_pays;
mod code_reversals;
mod config;
mod contracts;
mod identity;
mod keys;
mod notices;
mod refunds;
mod requests;
mod reversals;
mod sealed;
mod support;
mod v3_code_pays;
mod v3_notices;
mod v3_refunds;
