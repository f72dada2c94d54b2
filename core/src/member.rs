//! The contract between the engine and a membership system: the merchant's own, or one that the platform keeps for it.
//!
//! An adapter turns these questions into calls and their answers back. How a membership stands is the engine's to keep: it writes
//! the wish down first, asks, and asks again until there is an answer. So a merchant whose system is down delays a membership,
//! and never a payment.
//!
//! Duties of every adapter:
//!
//! 1. MUST pass on the question's number with every call that leaves the platform, unchanged on every repeat, wherever the other
//!    side can take one.
//! 2. MUST bear every question being asked again, also after it was answered: the end is the same.
//! 3. MUST answer a status only on an answer that it has read whole and understood. A redirect, a page, a word that is none of
//!    the four, half an answer and silence are [`MemberFailure`]s, each with its own word.
//! 4. MUST return [`CallError::NotSent`] only when no byte of the question can have left. That judgement is made by `outbound`;
//!    an adapter may worsen it, never better it.
//! 5. MUST answer within [`MEMBER_CALL_MAX`] and in bounded memory, whatever the other side sends.
//! 6. MUST NOT repeat a call by itself, follow redirects, or keep anything about a member.
//! 7. MUST NOT put a secret, a phone number or the other side's raw answer into a log, an error or a text for people.
//! 8. MUST NOT panic, whatever the other side or a rule says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::channel::{CallError, ConfigError};
use crate::clock::{Clock, Time};
use crate::id::{MchId, PayNo, RefundNo, Serial, Uid};
use crate::money::Fen;
use crate::problem::Problem;
use crate::random::Random;
pub use crate::rules::membership::VipStatus;
use crate::rules::{Rules, Script};
use crate::secret::Secret;
use crate::signing::Algorithm;

mod failure;
mod registry;

pub use failure::{MemberFailure, MemberTrouble};
pub use registry::{MemberRegistry, MemberRegistryError, MemberSummary};

/// How long a question may take.
pub const MEMBER_CALL_MAX: Duration = Duration::from_secs(10);
/// Letters of a member's number at most.
pub const MEMBER_NO_MAX: usize = 128;
/// Letters of a merchant's reason at most; what is longer is cut.
pub const MEMBER_REASON_MAX: usize = 200;

/// A question about a user's membership.
#[derive(Debug, Clone)]
pub struct MemberQuestion {
    /// The user.
    pub uid: Uid,
    /// His phone number, where he gave one.
    pub phone: Option<Secret>,
    /// The merchant's number of the member, once known.
    pub member_no: Option<String>,
    /// The number of this question: the same on every repeat.
    pub request_no: String,
    /// When it was written down. Equal on every repeat.
    pub at: Time,
}

/// How a membership stands, as the membership system says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStanding {
    /// Its word. [`VipStatus::Pending`] means: ask again later.
    pub status: VipStatus,
    /// The merchant's number of the member, where it gave one; [`MEMBER_NO_MAX`] letters at most.
    pub member_no: Option<String>,
    /// The merchant's own words, for people; [`MEMBER_REASON_MAX`] letters at most, one line, nothing secret.
    pub reason: String,
}

/// The answer to a question about a membership.
pub type MemberAnswered = Result<MemberStanding, MemberFailure>;

/// A membership system, built for one merchant.
#[async_trait]
pub trait Member: Send + Sync + 'static {
    /// Makes the user a member. A member already counts as done.
    ///
    /// # Errors
    /// [`MemberFailure`] when there was no understood answer; asking again is safe.
    async fn open(&self, question: &MemberQuestion) -> MemberAnswered;

    /// Ends the membership. No member counts as done.
    ///
    /// # Errors
    /// [`MemberFailure`] when there was no understood answer; asking again is safe.
    async fn close(&self, question: &MemberQuestion) -> MemberAnswered;

    /// Tells the new phone number, which the question carries.
    ///
    /// # Errors
    /// [`MemberFailure`] when there was no understood answer; asking again is safe.
    async fn change_phone(&self, question: &MemberQuestion) -> MemberAnswered;

    /// Being asked how a membership stands, where the system answers that.
    fn query(&self) -> Option<&dyn MemberQuery>;

    /// Collecting points, where the system does.
    fn points(&self) -> Option<&dyn MemberPoints>;
}

/// Saying how a membership stands.
#[async_trait]
pub trait MemberQuery: Send + Sync {
    /// How it stands at present.
    ///
    /// # Errors
    /// [`MemberFailure`] when there was no understood answer; then nothing is known.
    async fn standing(&self, question: &MemberQuestion) -> MemberAnswered;
}

/// A member's payment, as it stood just before what is told of it.
#[derive(Debug, Clone)]
pub struct MemberPayment {
    /// The user.
    pub uid: Uid,
    /// Which one.
    pub no: PayNo,
    /// What was paid.
    pub paid: Fen,
    /// What of it had been given back before.
    pub refunded_before: Fen,
    /// The member's points before.
    pub points_before: u64,
}

/// What a payment or refund does to a member's points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointsChange {
    /// So many more or fewer.
    pub change: i64,
    /// The member's points afterwards: never below nothing.
    pub points: u64,
    /// The level afterwards, where there are levels.
    pub level: Option<String>,
}

/// Hearing of payments and refunds.
#[async_trait]
pub trait MemberPoints: Send + Sync {
    /// A member has paid; told once for each payment.
    ///
    /// # Errors
    /// [`MemberFailure`] when there was no understood answer; asking again is safe.
    async fn paid(&self, payment: &MemberPayment) -> Result<PointsChange, MemberFailure>;

    /// A part of a member's payment went back; told once for each refund. All parts together undo the payment.
    ///
    /// # Errors
    /// [`MemberFailure`] when there was no understood answer; asking again is safe.
    async fn refunded(
        &self,
        payment: &MemberPayment,
        no: &RefundNo,
        amount: Fen,
    ) -> Result<PointsChange, MemberFailure>;
}

/// Signs what leaves the platform with a key of the platform's own.
pub trait PlatformSigner: Send + Sync + 'static {
    /// The serial of the platform's key of this algorithm, and its signature of the text: Base64 with padding.
    ///
    /// # Errors
    /// A fault, or an algorithm of which the platform has no key of its own.
    fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Result<(Serial, String), Problem>;
}

/// What an adapter is given when it is built for a merchant.
#[derive(Clone)]
pub struct MemberSetting {
    /// The merchant.
    pub mch_id: MchId,
    /// What runs scripts.
    pub rules: Arc<dyn Rules>,
    /// The merchant's `membership` rule: its own, or the nearest above it.
    pub script: Arc<Script>,
    /// Signs with the platform's keys.
    pub signer: Arc<dyn PlatformSigner>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub random: Arc<dyn Random>,
}

impl fmt::Debug for MemberSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberSetting")
            .field("mch_id", &self.mch_id)
            .field("script", &self.script.version)
            .finish_non_exhaustive()
    }
}

/// Builds adapters of one kind from a merchant's configuration.
pub trait MemberFactory: Send + Sync + 'static {
    /// The merchant's configuration; unknown fields are refused.
    type Config: DeserializeOwned + JsonSchema;

    /// The kind's id, lower case: `http`.
    const ID: &'static str;

    /// Its name for people: 商户自有会员系统.
    const NAME: &'static str;

    /// Builds the adapter. Keys are parsed and addresses judged here, once.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is wrong.
    fn build(&self, config: Self::Config, setting: MemberSetting) -> Result<Arc<dyn Member>, ConfigError>;
}

/// A factory whose configuration is any JSON.
trait AnyMemberFactory: Send + Sync + 'static {
    fn summary(&self) -> MemberSummary;
    fn schema(&self) -> Schema;
    fn build(&self, config: Value, setting: MemberSetting) -> Result<Arc<dyn Member>, ConfigError>;
}
