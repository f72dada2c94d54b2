//! Rules in the database: their life, act by act.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use metropay_core::id::{MchId, RuleNo};
use metropay_core::rule::{self, NewRule, Place, Refused};
use metropay_core::rules::Kind;

use super::file::{self, Read};
use super::{Act, Desk, FileArguments, Whom, print};

/// Writes a draft.
pub(super) async fn draft(
    desk: &Desk<'_>,
    (path, arguments): (&Path, &FileArguments),
    whom: &Whom,
    (note, author): (String, String),
) -> Result<ExitCode> {
    let Read { script, tests } = file::read(path, arguments)?;
    let engine = desk.engine().await?;
    let place = whom.place(script.kind);
    let new = NewRule {
        kind: script.kind,
        level: place.level,
        scope: place.scope,
        source: script.source.to_string(),
        tests,
        note,
        author,
    };
    let rule = rule::draft(&engine, new).await?;
    print::rule(desk, &rule)
}

/// Checks a draft.
pub(super) async fn check(desk: &Desk<'_>, rule_no: &str, by: &str) -> Result<ExitCode> {
    let engine = desk.engine().await?;
    match rule::check(&engine, &rule_no.into(), by).await {
        Ok((_, report)) => print::check(desk, rule_no, &report),
        Err(Refused::Script(refusals)) => print::refusals(desk, rule_no, &refusals),
        Err(error) => Err(error.into()),
    }
}

/// Runs a checked rule on past payments.
pub(super) async fn shadow(desk: &Desk<'_>, rule_no: &str, last: u64, by: &str) -> Result<ExitCode> {
    let engine = desk.engine().await?;
    let (_, report) = rule::shadow(&engine, &rule_no.into(), last, by).await?;
    print::shadow(desk, &report)
}

/// Agrees to a rule.
pub(super) async fn approve(desk: &Desk<'_>, act: Act) -> Result<ExitCode> {
    let rule = rule::approve(&*desk.engine().await?, &RuleNo(act.rule_no), &act.by).await?;
    print::rule(desk, &rule)
}

/// Puts a rule in force.
pub(super) async fn activate(desk: &Desk<'_>, act: Act) -> Result<ExitCode> {
    let rule = rule::activate(&*desk.engine().await?, &RuleNo(act.rule_no), &act.by).await?;
    print::rule(desk, &rule)
}

/// Puts a suspended rule in force again.
pub(super) async fn resume(desk: &Desk<'_>, act: Act) -> Result<ExitCode> {
    let rule = rule::resume(&*desk.engine().await?, &RuleNo(act.rule_no), &act.by).await?;
    print::rule(desk, &rule)
}

/// Ends a rule.
pub(super) async fn archive(desk: &Desk<'_>, act: Act) -> Result<ExitCode> {
    let rule = rule::archive(&*desk.engine().await?, &RuleNo(act.rule_no), &act.by).await?;
    print::rule(desk, &rule)
}

/// Goes back to what stood before.
pub(super) async fn roll_back(desk: &Desk<'_>, place: &Place, by: &str) -> Result<ExitCode> {
    let engine = desk.engine().await?;
    match rule::roll_back(&engine, place, by).await? {
        Some(rule) => print::rule(desk, &rule),
        None => {
            println!("此处不再有规则，由上一级决定 / no rule stands here any more; the next level decides");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Says which rule decides.
pub(super) async fn explain(desk: &Desk<'_>, kind: Kind, merchant: Option<String>) -> Result<ExitCode> {
    let engine = desk.engine().await?;
    let mch_id = merchant.map(MchId);
    let explained = rule::explain(&engine, mch_id.as_ref(), kind).await?;
    print::explained(desk, &explained)
}

/// Lists rules.
pub(super) async fn list(desk: &Desk<'_>, kind: Option<Kind>, whom: &Whom) -> Result<ExitCode> {
    let engine = desk.engine().await?;
    let place = whom.place(Kind::Fee);
    let (level, scope) = match whom.is_named() {
        true => (Some(place.level), Some(place.scope.as_str())),
        false => (None, None),
    };
    let rules = rule::list(&engine, kind, level, scope).await?;
    print::list(desk, &rules)
}

/// Prints a rule with everything about it.
pub(super) async fn show(desk: &Desk<'_>, rule_no: &str) -> Result<ExitCode> {
    let engine = desk.engine().await?;
    let (rule, script) = rule::find(&engine, &rule_no.into()).await?;
    let acts = rule::acts(&engine, &rule.rule_no).await?;
    print::whole(desk, &rule, &script, &acts)
}
