//! The stories: what people do with the product, told end to end over HTTP. When a story ends, the harness proves the books
//! and compares them with the gateways' own.

mod compensation;
mod notification;
mod payment;
mod refund;
mod repeat;
mod reversal;
mod silence;
