//! The work on one message without the wire, for benchmarks. Not part of the interface.

use bytes::Bytes;
use metropay_core::channel::{CallError, ConfigError, DeductQuestion, RefundQuestion, RefundStanding, Setting};
use metropay_outbound::{Answer, OutboundSettings, Request};

use crate::call::{Reply, Signed, judge};
use crate::config::WechatConfig;
use crate::refund::Back;
use crate::{SignType, Wechat};

/// The adapter of one account at work.
pub struct Desk(Wechat);

impl Desk {
    /// For this account.
    ///
    /// # Errors
    /// [`ConfigError`] as the factory.
    pub fn new(config: WechatConfig, setting: Setting) -> Result<Self, ConfigError> {
        Wechat::new(&OutboundSettings::default(), config, setting).map(Self)
    }

    /// Builds, signs and writes one deduction of APIv2.
    pub fn deduction(&self, question: &DeductQuestion) -> Bytes {
        self.0.application(question).request().body
    }

    /// Reads and verifies the answer to it.
    pub fn accepted(&self, answer: &Answer, usual: SignType) -> bool {
        let reply = judge(&self.0.account, answer, usual, Signed::Always);
        matches!(reply, Ok(Reply::Taken(_)))
    }

    /// Builds, signs and writes one refund of APIv3.
    ///
    /// # Errors
    /// [`CallError`] when the account does not speak APIv3.
    pub fn refund(&self, question: &RefundQuestion) -> Result<Request, CallError> {
        self.0.v3_refund_request(&Back::from(question))
    }

    /// Verifies and reads the answer to it.
    ///
    /// # Errors
    /// [`CallError`] when it cannot be believed.
    pub async fn refunded(&self, question: &RefundQuestion, answer: Answer) -> Result<RefundStanding, CallError> {
        self.0.v3_refund_answer(&Back::from(question), answer).await
    }
}
