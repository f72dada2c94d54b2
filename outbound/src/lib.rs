//! The one way out by HTTP, and the one judgement of [`CallError::NotSent`] and [`CallError::MaybeDone`].
//!
//! Adapters and plug-ins never hold an HTTP client of their own. Whatever goes wrong on the wire is judged here: before a
//! connection stood, nothing was sent; from then on the other side may have acted.

mod client;

pub use client::{Answer, Download, Outbound, OutboundSettings, Request, Unusable};
pub use metropay_core::channel::CallError;
