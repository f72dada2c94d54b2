//! Rules and their life: draft, checked, shadowed, approved, active, archived.
//!
//! A rule is one version of a script at one level: for the platform, for a category, for a merchant. At a place — a kind, a level
//! and whom it is for there — one rule is in force at most, and the nearest place wins. Where none is, the script that comes with
//! the release decides. Each act is one transaction that raises the directory's version, so that every node follows within a
//! second; payments keep what they pinned (INV-25).

mod activate;
mod approve;
mod check;
mod draft;
mod explain;
mod in_force;
mod life;
pub(crate) mod repeat;
mod ruling;
mod shadow;
mod suspend;

use std::fmt;

pub use activate::{activate, archive, resume, roll_back};
pub use approve::approve;
pub use check::{CODES_TRIED, CheckReport, CodesTried, check, examine};
pub use draft::{NewRule, draft};
pub use explain::{Explained, acts, asked_of, explain, find, list};
pub(crate) use in_force::load;
pub use in_force::{InForce, RuleScope, RuleSet};
pub(crate) use ruling::{MembershipRule, Ruling, membership_rule, noted};
pub use shadow::{Difference, SHADOW_DEFAULT, SHADOW_MAX, ShadowReport, shadow, try_on_past};
pub(crate) use suspend::Failures;

pub use crate::store::rule::{Level, Model as Rule, RuleState};
pub use crate::store::rule_act::Model as RuleAct;

use crate::engine::Engine;
use crate::problem::Problem;
use crate::rules::Kind;
use crate::rules::check::Refusal;
use crate::store;

/// Where a rule stands: its kind, its level, and for whom there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// What it decides.
    pub kind: Kind,
    /// At which level.
    pub level: Level,
    /// A category, a merchant's number, or nothing for the platform.
    pub scope: String,
}

impl Place {
    /// The platform's.
    pub const fn platform(kind: Kind) -> Self {
        Self {
            kind,
            level: Level::Platform,
            scope: String::new(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.level.word(), self.scope)
    }
}

impl Rule {
    /// Whether it is in force, suspended or not.
    pub fn is_in_force(&self) -> bool {
        matches!(self.state, RuleState::Active | RuleState::Suspended)
    }

    /// Where it stands.
    pub fn stands_at(&self) -> Place {
        Place {
            kind: self.kind,
            level: self.level,
            scope: self.scope.clone(),
        }
    }
}

/// Why an act on a rule is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such rule.
    #[error("没有这条规则 / there is no such rule")]
    NotFound,
    /// The rule does not stand where the act begins.
    #[error("规则目前为 {is} 状态，不能{zh} / the rule is {is}: it cannot be {en}", is = .is.word())]
    State {
        /// How it stands.
        is: RuleState,
        /// What was asked, in Chinese.
        zh: &'static str,
        /// What was asked, in English, as a participle.
        en: &'static str,
    },
    /// A field of the request is not taken.
    #[error("{field}：{zh} / {field}: {en}")]
    Field {
        /// The field.
        field: &'static str,
        /// The rule that it breaks, in Chinese.
        zh: &'static str,
        /// The same in English.
        en: &'static str,
    },
    /// The script is refused.
    #[error("脚本未通过检查（{} 处） / the script did not pass the check ({} findings)", .0.len(), .0.len())]
    Script(Vec<Refusal>),
    /// Who wrote it cannot agree to it.
    #[error("须由作者以外的人批准 / somebody else than the author must approve it")]
    SamePerson,
    /// It failed on past payments.
    #[error("影子运行有 {0} 笔出错，不能批准 / it failed on {0} past payments and cannot be approved")]
    ShadowFailed(u64),
    /// There is nothing to go back to.
    #[error("此处没有正在生效的规则 / no rule is in force there")]
    NothingInForce,
    /// Somebody else was faster.
    #[error("刚被他人修改，请重试 / it was changed at the same time; try again")]
    Busy,
    /// Something of ours is wrong.
    #[error("{0}")]
    Fault(#[from] Problem),
}

impl From<sea_orm::DbErr> for Refused {
    fn from(error: sea_orm::DbErr) -> Self {
        if store::is_unique_violation(&error) {
            Self::Busy
        } else {
            Self::Fault(error.into())
        }
    }
}

/// Keeps the scripts that come with this release, so that what payments pin of them can be run again after the next.
///
/// # Errors
/// When the database does not answer.
pub async fn keep_defaults(engine: &Engine) -> Result<(), Problem> {
    let scripts = Kind::ALL.map(|kind| engine.rules.default_script(kind));
    let scripts = scripts.iter().map(|script| &**script);
    Ok(store::rule_source::keep(engine.db.write(), scripts, engine.clock.now()).await?)
}
