//! What the command prints: for people, or as JSON.

use std::process::ExitCode;

use anyhow::Result;
use metropay_core::rule::{CheckReport, Explained, Rule, RuleAct, ShadowReport};
use metropay_core::rules::Script;
use metropay_core::rules::check::{Refusal, TestRun};
use serde::Serialize;
use serde_json::json;

use super::Desk;

/// Differences that are printed; the rest is counted.
const SHOWN_MAX: usize = 20;

fn as_json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

const fn code(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a check found.
pub(super) fn check(desk: &Desk<'_>, what: &str, report: &CheckReport) -> Result<ExitCode> {
    let well = report.refusals.is_empty();
    if desk.json {
        as_json(report)?;
        return Ok(code(well));
    }
    for run in &report.tests {
        test(run);
    }
    if let Some(codes) = report.codes {
        println!(
            "ok    {} 个码不与他码冲突，识别 {} 次 / {} codes collide with nobody's, {} scans",
            codes.made, codes.scanned, codes.made, codes.scanned
        );
    }
    findings(what, &report.refusals);
    if well {
        println!("{what}: 通过 / passed");
    }
    Ok(code(well))
}

/// How tests went.
pub(super) fn tests(desk: &Desk<'_>, what: &str, runs: Result<Vec<TestRun>, Vec<Refusal>>) -> Result<ExitCode> {
    match runs {
        Err(found) => refusals(desk, what, &found),
        Ok(runs) => {
            let well = runs.iter().all(|run| run.failed.is_none());
            if desk.json {
                as_json(&runs)?;
            } else {
                runs.iter().for_each(test);
            }
            Ok(code(well))
        }
    }
}

/// Why something is refused.
pub(super) fn refusals(desk: &Desk<'_>, what: &str, found: &[Refusal]) -> Result<ExitCode> {
    if desk.json {
        as_json(&found)?;
    } else {
        findings(what, found);
    }
    Ok(ExitCode::FAILURE)
}

fn test(run: &TestRun) {
    match &run.failed {
        None => println!("ok    {}  ({} µs)", run.name, run.took_us),
        Some(what) => println!("FAIL  {}: {what}", run.name),
    }
}

fn findings(what: &str, found: &[Refusal]) {
    for refusal in found {
        let place = match (refusal.line, refusal.column) {
            (Some(line), Some(column)) => format!("{what}:{line}:{column}"),
            (Some(line), None) => format!("{what}:{line}"),
            _ => what.to_owned(),
        };
        println!("{place}: {}\n    {}\n    {}", refusal.kind, refusal.zh, refusal.en);
    }
}

/// What came of a run on past payments.
pub(super) fn shadow(desk: &Desk<'_>, report: &ShadowReport) -> Result<ExitCode> {
    let well = report.failed == 0;
    if desk.json {
        as_json(report)?;
        return Ok(code(well));
    }
    println!(
        "{} payments, run on {}: {} the same, {} another account, {} another fee, {} failed",
        report.payments, report.run, report.same, report.moved, report.charged, report.failed
    );
    if report.fee_before != report.fee_after {
        println!(
            "fees  {} yuan before, {} yuan after",
            report.fee_before.yuan(),
            report.fee_after.yuan()
        );
    }
    for difference in report.differences.iter().take(SHOWN_MAX) {
        println!("  {}  {} -> {}", difference.pay_no, difference.before, difference.after);
    }
    if report.differences.len() > SHOWN_MAX {
        println!("  … and {} more", report.differences.len() - SHOWN_MAX);
    }
    Ok(code(well))
}

/// A rule, in a line.
pub(super) fn rule(desk: &Desk<'_>, rule: &Rule) -> Result<ExitCode> {
    list(desk, std::slice::from_ref(rule))
}

/// Rules, a line each.
pub(super) fn list(desk: &Desk<'_>, rules: &[Rule]) -> Result<ExitCode> {
    if desk.json {
        as_json(&rules)?;
        return Ok(ExitCode::SUCCESS);
    }
    for rule in rules {
        println!(
            "{}  {:<9}  {:<40}  {}  by {}{}",
            rule.rule_no,
            rule.state.word(),
            rule.stands_at().to_string(),
            short(rule.version.as_str()),
            rule.author,
            rule.approver
                .as_ref()
                .map(|approver| format!(", approved by {approver}"))
                .unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A version as people tell it from another: its kind and eight characters.
fn short(version: &str) -> &str {
    let end = version.find('-').map_or(version.len(), |dash| dash.saturating_add(9));
    version.get(..end).unwrap_or(version)
}

/// A rule with everything about it.
pub(super) fn whole(desk: &Desk<'_>, rule: &Rule, script: &Script, acts: &[RuleAct]) -> Result<ExitCode> {
    if desk.json {
        as_json(&json!({ "rule": rule, "source": &*script.source, "acts": acts }))?;
        return Ok(ExitCode::SUCCESS);
    }
    list(desk, std::slice::from_ref(rule))?;
    println!("version  {}", rule.version);
    if !rule.note.is_empty() {
        println!("note     {}", rule.note);
    }
    for act in acts {
        println!(
            "{}  {:<12} {}  {}",
            act.acted_at.text(),
            act.act,
            act.by_whom,
            act.detail
        );
    }
    println!("\n{}", script.source);
    Ok(ExitCode::SUCCESS)
}

/// Which rule decides, place by place.
pub(super) fn explained(desk: &Desk<'_>, explained: &[Explained]) -> Result<ExitCode> {
    if desk.json {
        as_json(&explained)?;
        return Ok(ExitCode::SUCCESS);
    }
    for place in explained {
        let mark = if place.decides { "=>" } else { "  " };
        let what = match (&place.rule, &place.version) {
            (Some(rule), _) => format!(
                "{}  {}  {}",
                rule.rule_no,
                rule.state.word(),
                short(rule.version.as_str())
            ),
            (None, Some(version)) => format!("随版本发布的默认规则 / the release's own  {}", short(version.as_str())),
            (None, None) => "-".to_owned(),
        };
        println!("{mark} {:<9} {:<24} {what}", place.level.word(), place.scope);
    }
    Ok(ExitCode::SUCCESS)
}
