//! The contract of rules: what a script of each kind is asked, what it answers, and what runs it.
//!
//! A rule is a pure function from a table to a table: time and chance are inputs, nothing has an effect. Its answer is pinned on
//! the payment together with the question and the version that gave it, so that a decision can be repeated and explained years
//! later (INV-25).
//!
//! What runs the scripts:
//! 1. MUST answer the same for the same script and the same question, on every machine and after any other call.
//! 2. MUST stop a call that is over its budget of time or memory, whatever the script does, and answer [`Wrong::Budget`].
//! 3. MUST check what a script returned before anybody sees it: whole numbers only, nothing that was not among the question's
//!    accounts, no fee above the amount.
//! 4. MUST keep scripts apart: nothing that one did is seen by another, nor by its own next call.
//! 5. MUST NOT panic, whatever the script does.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use sea_orm::sea_query::StringLen;
use sea_orm::{DeriveActiveEnum, DeriveValueType, EnumIter, TryFromU64};
use serde::{Deserialize, Serialize};

pub mod check;
pub mod code;
pub mod fee;
pub mod membership;
pub mod route;

use check::{Refusal, TestRun};
use code::{CodeQuestion, ScanQuestion};
use fee::{FeeAnswer, FeeQuestion};
use membership::{MembershipAnswer, MembershipCall, MembershipQuestion, MembershipReply};
use route::{Choice, RouteQuestion};

use crate::code::form::{CodeForm, Recognised};

/// The number of the contract by which questions and answers are written; every question carries it as `contract`.
pub const CONTRACT: u32 = 1;
/// A script's source, at most, in bytes.
pub const SOURCE_MAX: usize = 64 * 1024;

/// What a rule decides.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter, DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Which of a merchant's channel accounts a payment goes through.
    Routing,
    /// The platform's fee.
    Fee,
    /// What a code looks like, and whose a scanned one is.
    Code,
    /// How a merchant's own membership system is spoken to.
    Membership,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Routing, Self::Fee, Self::Code, Self::Membership];

    /// Its word, as files, the command line and pins write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Routing => "routing",
            Self::Fee => "fee",
            Self::Code => "code",
            Self::Membership => "membership",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A version of a script, made from its content: the kind, a dash, and the SHA-256 of kind and source in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
#[serde(transparent)]
pub struct RuleVersion(pub String);

impl RuleVersion {
    /// The version of this content.
    pub fn of(kind: Kind, source: &str) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(kind.word().as_bytes());
        hash.update(b"\n");
        hash.update(source.as_bytes());
        Self(format!("{kind}-{}", hex::encode(hash.finish())))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFromU64 for RuleVersion {
    fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
        Err(sea_orm::DbErr::ConvertFromU64("RuleVersion"))
    }
}

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A script of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its version.
    pub version: RuleVersion,
    /// What it decides.
    pub kind: Kind,
    /// Its text.
    pub source: Arc<str>,
}

impl Script {
    /// The script of this text.
    pub fn new(kind: Kind, source: &str) -> Self {
        Self {
            version: RuleVersion::of(kind, source),
            kind,
            source: source.into(),
        }
    }
}

/// What a script wants to know beyond what is at hand, read from its own text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The merchant's totals of the China day, for fees that fall with the turnover.
    pub day_totals: bool,
}

/// A rule that gave no usable answer; the payment is refused before any money moves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {version}: {wrong}")]
pub struct RuleError {
    /// The rule's version.
    pub version: RuleVersion,
    /// What was wrong.
    pub wrong: Wrong,
}

/// What was wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It cannot be compiled, or has no such function.
    #[error("not a rule of this kind: {0}")]
    Unfit(String),
    /// It raised an error (its text, with the line).
    #[error("stopped with an error: {0}")]
    Raised(String),
    /// It took too long.
    #[error("stopped: over its time")]
    Budget,
    /// It took too much memory, or called too deep.
    #[error("stopped: over its memory")]
    Memory,
    /// It returned what the kind's schema does not allow (where, and what is wrong there).
    #[error("returned a wrong answer at {at}: {reason}")]
    Answer {
        /// The path inside the answer, such as `choices[2].account`.
        at: String,
        /// What is wrong there.
        reason: String,
    },
}

/// What runs scripts.
pub trait Rules: Send + Sync + 'static {
    /// The platform's own script of a kind, as it comes with this release.
    fn default_script(&self, kind: Kind) -> Arc<Script>;

    /// Compiles a text without running it on anything.
    ///
    /// # Errors
    /// Every reason why it is no script of this kind, with line and column where there is one.
    fn compile(&self, kind: Kind, source: &str) -> Result<Needs, Vec<Refusal>>;

    /// Runs a script's tests.
    ///
    /// # Errors
    /// Why the text of the tests cannot be used.
    fn test(&self, script: &Script, tests: &str) -> Result<Vec<TestRun>, Vec<Refusal>>;

    /// The form of codes under this rule.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails or names a form that could be taken for something else.
    fn form(&self, script: &Script, question: &CodeQuestion) -> Result<CodeForm, RuleError>;

    /// What a till scanned.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails or names digits that were not scanned.
    fn recognise(&self, script: &Script, question: &ScanQuestion) -> Result<Recognised, RuleError>;

    /// The accounts to try, the best first; none when no way is what the user wants.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails or names an account that is none of the ways.
    fn route(&self, script: &Script, question: &RouteQuestion) -> Result<Vec<Choice>, RuleError>;

    /// The platform's fee, between nothing and the whole amount.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails or names an impossible fee.
    fn fee(&self, script: &Script, question: &FeeQuestion) -> Result<FeeAnswer, RuleError>;

    /// How the merchant's membership system is asked.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails or shapes an impossible call.
    fn membership_call(&self, script: &Script, question: &MembershipQuestion) -> Result<MembershipCall, RuleError>;

    /// What the merchant's membership system has answered.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails or answers with another word.
    fn membership_answer(&self, script: &Script, reply: &MembershipReply) -> Result<MembershipAnswer, RuleError>;
}
