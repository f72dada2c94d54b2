//! The demo: everything a first visitor needs, made fresh, under one folder; and a play through all of it over HTTP.

pub(crate) mod accounts;
pub mod client;
mod credentials;
mod folder;
pub(crate) mod http;
pub mod play;
pub mod seed;

pub use credentials::{Credentials, DemoCredential, DemoMerchant, DemoUser};
pub use folder::Folder;
