//! The contract of couriers: who brings notices to addresses that merchants gave.
//!
//! Duties of every courier:
//!
//! 1. MUST refuse addresses inside the platform's own networks, by their text and at the moment of connecting.
//! 2. MUST answer within [`COURIER_MAX`] and in bounded memory, whatever the other side sends.
//! 3. MUST NOT follow redirects, repeat a call by itself, or put the answer's content into a log or an error.

use std::time::Duration;

use async_trait::async_trait;

pub use crate::channel::CallError;

/// How long bringing one may take.
pub const COURIER_MAX: Duration = Duration::from_secs(10);

/// A notice to be brought: always by `POST`, always JSON.
#[derive(Debug, Clone)]
pub struct CourierCall {
    /// Where to.
    pub url: String,
    /// The headers that are ours: number, time and signatures.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// An answer that arrived whole.
#[derive(Debug, Clone)]
pub struct CourierAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body, 64 KiB at most.
    pub body: Vec<u8>,
    /// How long the other side wants to be left alone, where it said so.
    pub retry_after: Option<Duration>,
}

/// A call without an answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{word}: {error}")]
pub struct CourierFailure {
    /// What went wrong, by its stable word (at most 32 letters).
    pub word: &'static str,
    /// Whether the other side may have heard of it.
    pub error: CallError,
}

/// Brings notices.
#[async_trait]
pub trait Courier: Send + Sync + 'static {
    /// Whether an address may be called, by its text.
    ///
    /// # Errors
    /// The stable word of what is wrong.
    fn judge(&self, url: &str) -> Result<(), &'static str>;

    /// Brings one.
    ///
    /// # Errors
    /// [`CourierFailure`].
    async fn bring(&self, call: CourierCall) -> Result<CourierAnswer, CourierFailure>;
}

/// Where nobody is linked who brings notices: every address is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCourier;

#[async_trait]
impl Courier for NoCourier {
    fn judge(&self, _: &str) -> Result<(), &'static str> {
        Err("NOBODY_BRINGS")
    }

    async fn bring(&self, _: CourierCall) -> Result<CourierAnswer, CourierFailure> {
        Err(CourierFailure {
            word: "NOBODY_BRINGS",
            error: CallError::NotSent("nobody is linked who brings notices".to_owned()),
        })
    }
}
