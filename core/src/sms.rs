//! The contract of text messages: how a code reaches a phone.
//!
//! Duties of whoever sends:
//!
//! 1. MUST answer within [`SMS_SEND_MAX`].
//! 2. MUST NOT put the number or the message's content into a log or an error. What exists for demonstrations alone says so, and is
//!    refused in production.
//! 3. MUST NOT send a message twice by itself: whoever waits asks for another.

use std::time::Duration;

use async_trait::async_trait;

pub use crate::channel::CallError;
use crate::secret::Secret;

/// How long sending may take.
pub const SMS_SEND_MAX: Duration = Duration::from_secs(5);

/// A text message. What exactly it says is the sender's template.
#[derive(Debug, Clone)]
pub enum SmsMessage {
    /// The code that proves that a number is the user's.
    PhoneCode {
        /// Six digits.
        code: Secret,
        /// So many minutes it counts.
        minutes: u64,
    },
}

/// Sends text messages.
#[async_trait]
pub trait Sms: Send + Sync + 'static {
    /// Sends a message to a number: 11 digits of the mainland.
    ///
    /// # Errors
    /// [`CallError`]; the text tells nothing of the number and the message.
    async fn send(&self, phone: &Secret, message: &SmsMessage) -> Result<(), CallError>;
}

/// Where nobody is linked who sends: whoever needs a message is told so.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSms;

#[async_trait]
impl Sms for NoSms {
    async fn send(&self, _: &Secret, _: &SmsMessage) -> Result<(), CallError> {
        Err(CallError::NotSent(
            "nobody is linked who sends text messages".to_owned(),
        ))
    }
}
