//! The fittings of our own HTTP doors, so that every API answers in the same way: the envelope, refusals as answers with
//! their texts in two languages, the strict reader of JSON bodies, the layers around a router, and the glue to OpenAPI.
//!
//! A request passes [`layers::fit`] first, which gives it a [`Call`] and reads its body under a limit. A handler takes
//! the [`Call`], reads its body with [`read_json`], runs a flow of the engine, and ends with [`Call::answer`].

pub mod answer;
pub mod call;
pub mod client;
pub mod json;
pub mod language;
pub mod layers;
pub mod openapi;
pub mod query;
pub mod rule;
pub mod seal;
pub mod text;
mod timing;

pub use answer::{Answer, Envelope};
pub use call::Call;
pub use json::read_json;
pub use language::Language;
pub use query::read_query;
pub use seal::Seal;
