//! Agreeing to a rule: four eyes.

use super::draft::person;
use super::life::{Act, advance, record};
use super::{Refused, Rule, ShadowReport};
use crate::engine::Engine;
use crate::id::RuleNo;
use crate::problem::Problem;
use crate::store;

/// Agrees to a rule that was run on past payments.
///
/// # Errors
/// [`Refused::SamePerson`] for its author, [`Refused::ShadowFailed`] where it failed on a past payment, [`Refused::State`].
pub async fn approve(engine: &Engine, rule_no: &RuleNo, by: &str) -> Result<Rule, Refused> {
    person(by)?;
    let rule = store::rule::find(engine.db.write(), rule_no).await?;
    let mut rule = rule.ok_or(Refused::NotFound)?;
    let seen = advance(&mut rule, Act::Approve)?;
    if same_name(by, &rule.author) {
        return Err(Refused::SamePerson);
    }
    let report: ShadowReport =
        serde_json::from_str(rule.shadow_report.as_deref().unwrap_or_default()).map_err(Problem::fault)?;
    if report.failed > 0 {
        return Err(Refused::ShadowFailed(report.failed));
    }
    rule.approver = Some(by.to_owned());
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    record(&tx, (&rule, seen), "approve", (by, String::new()), now).await?;
    tx.commit().await?;
    Ok(rule)
}

/// Whether two names are one person's, however they are spelt.
fn same_name(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}
