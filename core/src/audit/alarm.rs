//! Alarms: what a person must look at. Written in the transaction of what raised them.

use metrics::counter;

use crate::clock::Time;
use crate::engine::Engine;
use crate::metric;
use crate::problem::Problem;
pub use crate::store::alarm::Model as Alarm;
use crate::store::{self, Tx};

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    /// Money came for a payment that had ended without it; it is being given back.
    Compensation,
    /// Late money cannot be given back by the channel.
    CompensationStuck,
    /// A channel speaks of another amount than ours.
    AmountMismatch,
    /// A channel contradicts what it said before.
    Contradiction,
    /// A notification was not genuine.
    NoticeForged,
    /// A genuine notification does not fit our books.
    NoticeMismatch,
    /// A rule failed again and again, and refuses whoever it stands for.
    RuleSuspended,
}

impl AlarmKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Compensation,
        Self::CompensationStuck,
        Self::AmountMismatch,
        Self::Contradiction,
        Self::NoticeForged,
        Self::NoticeMismatch,
        Self::RuleSuspended,
    ];

    /// The word under which it is stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Compensation => "compensation",
            Self::CompensationStuck => "compensation_stuck",
            Self::AmountMismatch => "amount_mismatch",
            Self::Contradiction => "contradiction",
            Self::NoticeForged => "notice_forged",
            Self::NoticeMismatch => "notice_mismatch",
            Self::RuleSuspended => "rule_suspended",
        }
    }
}

/// Raises an alarm.
pub(crate) async fn raise(tx: &Tx, kind: AlarmKind, subject: &str, text: String, now: Time) -> Result<(), Problem> {
    tracing::error!(alarm = kind.word(), subject, "{subject}: {text}");
    tx.after_commit(move || counter!(metric::ALARMS, "kind" => kind.word()).increment(1));
    Ok(store::alarm::insert(tx, kind.word(), subject, text, now).await?)
}

/// All alarms, the newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn all(engine: &Engine) -> Result<Vec<Alarm>, Problem> {
    Ok(store::alarm::all(engine.db.read()).await?)
}
