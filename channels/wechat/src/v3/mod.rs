//! APIv3: JSON, signed by RSA in both directions (wechat reference, 1.6 to 1.10).
//!
//! A file per thing: what an account needs (`credentials`), the signature of requests (`sign`) and of answers and
//! notifications (`verify`), the keys that verify (`certificates`), what is encrypted with the APIv3 key (`aead`), reading of
//! bodies (`json`), one call (`call`), what its codes prove (`codes`), and then the acts.

mod aead;
mod call;
mod certificates;
mod code_pay;
mod codes;
mod credentials;
mod json;
mod notice;
mod platform_key;
mod refund;
mod sensitive;
mod sign;
mod verify;

pub(crate) use aead::Aead;
pub(crate) use call::{Client, Reply};
pub(crate) use certificates::listed;
pub(crate) use codes::Asked;
pub(crate) use credentials::Credentials;
pub(crate) use json::Json;
pub(crate) use notice::Envelope;
pub use sensitive::{Unsealable, seal};

#[cfg(test)]
mod testing;
