//! Putting a rule in force, and going back: one action each, atomic, and every node follows within a second.

use super::draft::person;
use super::life::{Act, advance, record};
use super::{Place, Refused, Rule};
use crate::engine::Engine;
use crate::id::RuleNo;
use crate::store::{self, Tx};

/// Puts an approved rule in force; what was in force there is archived.
///
/// # Errors
/// [`Refused::State`], [`Refused::Busy`].
pub async fn activate(engine: &Engine, rule_no: &RuleNo, by: &str) -> Result<Rule, Refused> {
    person(by)?;
    let tx = engine.db.begin().await?;
    let rule = store::rule::find(&tx, rule_no).await?.ok_or(Refused::NotFound)?;
    let before = in_force(&tx, &rule.stands_at()).await?;
    if let Some(before) = &before {
        end(engine, &tx, before.clone(), "replace", by).await?;
    }
    let rule = begin(
        engine,
        &tx,
        rule,
        Act::Activate,
        (before.map(|before| before.rule_no), by),
    )
    .await?;
    done(engine, tx, &rule).await?;
    Ok(rule)
}

/// Goes back to what stood at a place before: the rule that was replaced, or none. Answers what is in force now.
///
/// # Errors
/// [`Refused::NothingInForce`], [`Refused::Busy`].
pub async fn roll_back(engine: &Engine, place: &Place, by: &str) -> Result<Option<Rule>, Refused> {
    person(by)?;
    let tx = engine.db.begin().await?;
    let failed = in_force(&tx, place).await?.ok_or(Refused::NothingInForce)?;
    let former = match &failed.replaces {
        Some(former) => store::rule::find(&tx, former).await?,
        None => None,
    };
    end(engine, &tx, failed.clone(), "roll_back", by).await?;
    let restored = match former {
        Some(former) => {
            let replaces = former.replaces.clone();
            Some(begin(engine, &tx, former, Act::Restore, (replaces, by)).await?)
        }
        None => None,
    };
    done(engine, tx, restored.as_ref().unwrap_or(&failed)).await?;
    Ok(restored)
}

/// Puts a suspended rule in force again as it is: a person has decided that it was not the rule.
///
/// # Errors
/// [`Refused::State`], [`Refused::Busy`].
pub async fn resume(engine: &Engine, rule_no: &RuleNo, by: &str) -> Result<Rule, Refused> {
    person(by)?;
    let tx = engine.db.begin().await?;
    let rule = store::rule::find(&tx, rule_no).await?.ok_or(Refused::NotFound)?;
    let replaces = rule.replaces.clone();
    let rule = begin(engine, &tx, rule, Act::Resume, (replaces, by)).await?;
    done(engine, tx, &rule).await?;
    Ok(rule)
}

/// Ends a rule: a draft is withdrawn; where one in force ends, the next level decides.
///
/// # Errors
/// [`Refused::State`], [`Refused::Busy`].
pub async fn archive(engine: &Engine, rule_no: &RuleNo, by: &str) -> Result<Rule, Refused> {
    person(by)?;
    let tx = engine.db.begin().await?;
    let rule = store::rule::find(&tx, rule_no).await?.ok_or(Refused::NotFound)?;
    let rule = end(engine, &tx, rule, "archive", by).await?;
    done(engine, tx, &rule).await?;
    Ok(rule)
}

async fn in_force(tx: &Tx, place: &Place) -> Result<Option<Rule>, Refused> {
    Ok(store::rule::at(tx, vec![place.to_string()]).await?.pop())
}

async fn begin(
    engine: &Engine,
    tx: &Tx,
    mut rule: Rule,
    act: Act,
    (replaces, by): (Option<RuleNo>, &str),
) -> Result<Rule, Refused> {
    let now = engine.clock.now();
    let seen = advance(&mut rule, act)?;
    rule.replaces = replaces;
    rule.activated_at = Some(now);
    rule.ended_at = None;
    record(tx, (&rule, seen), act.words().0, (by, String::new()), now).await?;
    Ok(rule)
}

async fn end(engine: &Engine, tx: &Tx, mut rule: Rule, act: &str, by: &str) -> Result<Rule, Refused> {
    let now = engine.clock.now();
    let seen = advance(&mut rule, Act::Archive)?;
    rule.ended_at = Some(now);
    record(tx, (&rule, seen), act, (by, String::new()), now).await?;
    Ok(rule)
}

/// Ends an act on what is in force: every node learns of it by the directory's version.
pub(super) async fn done(engine: &Engine, tx: Tx, rule: &Rule) -> Result<(), Refused> {
    store::directory_version::raise(&tx).await?;
    tx.commit().await?;
    engine.directory.forget().await;
    tracing::info!(rule = %rule.rule_no, version = %rule.version, state = rule.state.word(),
        "rule {} at {} is {}", rule.rule_no, rule.stands_at(), rule.state.word());
    Ok(())
}
