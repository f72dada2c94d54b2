//! The stories: what people do with the product, told end to end over HTTP. When a story ends, the harness proves the books
//! and compares them with the gateways' own.

#![recursion_limit = "256"]

mod bill;
mod code;
mod compensation;
mod crowd;
mod foreign;
mod health;
mod limit;
mod mandate;
mod membership;
mod notification;
mod payment;
mod refund;
mod repeat;
mod reversal;
mod rule;
mod silence;
mod wall;
mod webhook;
mod webhook_patience;
