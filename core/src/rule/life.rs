//! From which state to which an act leads.

use super::{Refused, Rule, RuleState};
use crate::clock::Time;
use crate::store::{self, Tx};

/// What is done with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Check,
    Shadow,
    Approve,
    Activate,
    Suspend,
    Resume,
    /// Put in force again what was replaced.
    Restore,
    Archive,
}

impl Act {
    /// Its word, in Chinese, and as an English participle.
    pub(super) const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Check => ("check", "检查", "checked"),
            Self::Shadow => ("shadow", "影子运行", "run on past payments"),
            Self::Approve => ("approve", "批准", "approved"),
            Self::Activate => ("activate", "生效", "activated"),
            Self::Suspend => ("suspend", "暂停", "suspended"),
            Self::Resume => ("resume", "恢复", "resumed"),
            Self::Restore => ("restore", "重新生效", "restored"),
            Self::Archive => ("archive", "归档", "archived"),
        }
    }

    /// The state that it leads to, where it may be done.
    pub(super) const fn leads(self, from: RuleState) -> Option<RuleState> {
        use RuleState::{Active, Approved, Archived, Checked, Draft, Shadowed, Suspended};
        match (self, from) {
            // What was checked may be checked again, and begins anew.
            (Self::Check, Draft | Checked | Shadowed | Approved) => Some(Checked),
            (Self::Shadow, Checked | Shadowed) => Some(Shadowed),
            (Self::Approve, Shadowed) => Some(Approved),
            (Self::Activate, Approved) | (Self::Resume, Suspended) | (Self::Restore, Archived) => Some(Active),
            (Self::Suspend, Active) => Some(Suspended),
            (Self::Archive, Draft | Checked | Shadowed | Approved | Active | Suspended) => Some(Archived),
            _ => None,
        }
    }
}

/// Moves a rule on. Answers how it stood.
///
/// # Errors
/// [`Refused::State`] when the act does not begin there.
pub(super) fn advance(rule: &mut Rule, act: Act) -> Result<RuleState, Refused> {
    let before = rule.state;
    // Only what was in force may be so again without the steps between.
    let barred = act == Act::Restore && rule.activated_at.is_none();
    let after = act.leads(before).filter(|_| !barred).ok_or_else(|| {
        let (_, zh, en) = act.words();
        Refused::State { is: before, zh, en }
    })?;
    rule.state = after;
    rule.place = rule.is_in_force().then(|| rule.stands_at().to_string());
    Ok(before)
}

/// Writes down how a rule stands now, and what was done with it.
///
/// # Errors
/// [`Refused::Busy`] when it does not stand as it was `seen` any more.
pub(super) async fn record(
    tx: &Tx,
    (rule, seen): (&Rule, RuleState),
    act: &str,
    (by, detail): (&str, String),
    now: Time,
) -> Result<(), Refused> {
    if !store::rule::change(tx, rule, seen).await? {
        return Err(Refused::Busy);
    }
    Ok(store::rule_act::note(tx, (&rule.rule_no, act), (by, detail), now).await?)
}

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;

    use super::*;

    const ALL: [Act; 8] = [
        Act::Check,
        Act::Shadow,
        Act::Approve,
        Act::Activate,
        Act::Suspend,
        Act::Resume,
        Act::Restore,
        Act::Archive,
    ];

    #[test]
    fn nothing_comes_into_force_past_check_shadow_and_approval() {
        let mut reached = vec![RuleState::Draft];
        // Without the approval nothing that begins as a draft is ever in force.
        loop {
            let next = reached.iter().flat_map(|from| {
                ALL.into_iter()
                    .filter(|act| !matches!(act, Act::Approve | Act::Restore))
                    .filter_map(|act| act.leads(*from))
            });
            let next: Vec<_> = next.filter(|state| !reached.contains(state)).collect();
            if next.is_empty() {
                break;
            }
            reached.extend(next);
        }
        assert!(!reached.contains(&RuleState::Active), "{reached:?}");
        for (act, only_from) in [
            (Act::Shadow, vec![RuleState::Checked, RuleState::Shadowed]),
            (Act::Approve, vec![RuleState::Shadowed]),
            (Act::Activate, vec![RuleState::Approved]),
            (Act::Resume, vec![RuleState::Suspended]),
            (Act::Suspend, vec![RuleState::Active]),
        ] {
            let from: Vec<_> = RuleState::iter().filter(|from| act.leads(*from).is_some()).collect();
            assert_eq!(from, only_from, "{act:?}");
        }
    }

    #[test]
    fn what_is_in_force_is_not_checked_or_approved_again() {
        for act in [Act::Check, Act::Shadow, Act::Approve, Act::Activate] {
            for state in [RuleState::Active, RuleState::Suspended, RuleState::Archived] {
                assert_eq!(act.leads(state), None, "{act:?} {state:?}");
            }
        }
    }
}
