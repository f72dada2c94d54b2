//! The one way out by HTTP, and the one judgement of [`CallError::NotSent`] and [`CallError::MaybeDone`].
//!
//! Adapters and plug-ins never hold an HTTP client of their own. Whatever goes wrong on the wire is judged here: before a
//! connection stood, nothing was sent; from then on the other side may have acted.

//!
//! Channels are called at addresses that the platform's operators have set ([`Outbound`]); merchants' servers at addresses that
//! merchants gave, behind the [`guard`].

mod address;
mod client;
pub mod guard;
mod guard_headers;
mod lookup;
mod merchant_url;
mod url_refused;

pub use client::{Answer, Download, Outbound, OutboundSettings, Request, Unusable};
pub use metropay_core::channel::CallError;
