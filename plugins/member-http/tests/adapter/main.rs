//! The adapter against a merchant's server: what it sends, and what it makes of whatever comes back.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

mod hostile;
mod secrecy;
mod shape;
mod world;
