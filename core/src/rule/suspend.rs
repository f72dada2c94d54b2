//! A rule that fails again and again is suspended: whoever it stands for is refused before any money moves, and a person decides
//! whether to go back to what stood before (FLT-27).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Refused;
use super::activate::done;
use super::life::{Act, advance, record};
use crate::audit::alarm::{self, AlarmKind};
use crate::engine::Engine;
use crate::id::RuleNo;
use crate::store;

/// So many failures in a row are too many.
const FAILURES_MAX: u32 = 5;

/// Failures in a row of each rule, on this node.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<RuleNo, u32>>);

impl Failures {
    /// Counts a failure; answers whether there were too many in a row.
    pub(super) fn one_more(&self, rule_no: &RuleNo) -> bool {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(rule_no.clone()).or_default();
        *count = count.saturating_add(1);
        *count >= FAILURES_MAX
    }

    /// It did well: the row is broken.
    pub(super) fn none(&self, rule_no: &RuleNo) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(rule_no);
    }
}

/// Suspends a rule that is in force, and tells the operators.
pub(super) async fn suspend(engine: &Engine, rule_no: &RuleNo, why: String) -> Result<(), Refused> {
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let mut rule = store::rule::find(&tx, rule_no).await?.ok_or(Refused::NotFound)?;
    // Somebody was faster: another node, or a person.
    let Ok(seen) = advance(&mut rule, Act::Suspend) else {
        return Ok(());
    };
    match record(&tx, (&rule, seen), "suspend", ("metropay", why.clone()), now).await {
        Err(Refused::Busy) => return Ok(()),
        recorded => recorded?,
    }
    let text = format!(
        "the rule at {} failed {FAILURES_MAX} times in a row and is suspended ({why}); go back with: metropay rules rollback",
        rule.stands_at()
    );
    alarm::raise(&tx, AlarmKind::RuleSuspended, rule_no.as_str(), text, now).await?;
    done(engine, tx, &rule).await?;
    engine.rule_failures().none(rule_no);
    Ok(())
}
