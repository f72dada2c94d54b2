//! Checking a rule: whether its script may be tried on anything at all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::draft::person;
use super::explain::find;
use super::life::{Act, advance, record};
use super::{Level, Refused, Rule};
use crate::code::foreign::{self, FOREIGN};
use crate::code::form::{CodeForm, Recognised};
use crate::engine::Engine;
use crate::id::RuleNo;
use crate::problem::Problem;
use crate::random::{Random, SystemRandom};
use crate::rules::check::{Refusal, RefusalWord, TestRun};
use crate::rules::code::{CodeQuestion, ScanQuestion};
use crate::rules::{Kind, Needs, Rules, Script};

/// Codes of a rule's form that are held against everybody else's forms.
pub const CODES_TRIED: u64 = 1_000_000;
/// Codes that are shown to the rule's own recognition, and as many of others.
const SCANS_TRIED: usize = 1_000;
/// A test may take so long, in microseconds.
const TEST_MAX_US: u64 = 1_000;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Why the script is refused; none where it is not.
    pub refusals: Vec<Refusal>,
    /// How its own tests went.
    pub tests: Vec<TestRun>,
    /// How its codes were tried; nothing where it makes none.
    pub codes: Option<CodesTried>,
}

/// How a rule's codes were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesTried {
    /// Codes that were made and held against the forms of everybody else.
    pub made: u64,
    /// Scans that its recognition was shown.
    pub scanned: u64,
}

/// Checks a rule, and writes down what was found. One that is refused stays a draft.
///
/// # Errors
/// [`Refused::State`]; [`Refused::Script`] with every finding.
pub async fn check(engine: &Engine, rule_no: &RuleNo, by: &str) -> Result<(Rule, CheckReport), Refused> {
    person(by)?;
    let (mut rule, script) = find(engine, rule_no).await?;
    let seen = advance(&mut rule, Act::Check)?;
    let (rules, question, tests) = (Arc::clone(&engine.rules), engine.code.clone(), rule.tests.clone());
    let also = other_form(engine, &rule)?;
    // A million codes take a while: not on a thread that serves.
    let examined = tokio::task::spawn_blocking(move || examine(&*rules, &script, &tests, &question, also.as_ref()));
    let (report, needs) = examined.await.map_err(Problem::fault)?;

    rule.check_report = Some(serde_json::to_string(&report).map_err(Problem::fault)?);
    rule.shadow_report = None;
    rule.approver = None;
    rule.day_totals = needs.day_totals;
    let passed = report.refusals.is_empty();
    if !passed {
        (rule.state, rule.place) = (super::RuleState::Draft, None);
    }
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let act = if passed { "check" } else { "check_failed" };
    let found = report.refusals.iter().map(ToString::to_string).collect::<Vec<_>>();
    record(&tx, (&rule, seen), act, (by, found.join("\n")), now).await?;
    tx.commit().await?;
    if passed {
        Ok((rule, report))
    } else {
        Err(Refused::Script(report.refusals))
    }
}

/// The form of the platform's own codes, which a nearer rule must recognise too.
fn other_form(engine: &Engine, rule: &Rule) -> Result<Option<CodeForm>, Refused> {
    if rule.kind != Kind::Code || rule.level == Level::Platform {
        return Ok(None);
    }
    let script = engine.rules.default_script(Kind::Code);
    let form = engine.rules.form(&script, &engine.code).map_err(Problem::fault)?;
    Ok(Some(form))
}

/// Looks at a script and its tests. `also` is a form of codes that it must recognise beside its own.
pub fn examine(
    rules: &dyn Rules,
    script: &Script,
    tests: &str,
    question: &CodeQuestion,
    also: Option<&CodeForm>,
) -> (CheckReport, Needs) {
    let mut report = CheckReport {
        refusals: Vec::new(),
        tests: Vec::new(),
        codes: None,
    };
    let needs = match rules.compile(script.kind, &script.source) {
        Ok(needs) => needs,
        Err(refusals) => {
            report.refusals = refusals;
            return (report, Needs::default());
        }
    };
    match rules.test(script, tests) {
        Ok(runs) => {
            report
                .refusals
                .extend(runs.iter().filter_map(|run| failed(script.kind, run)));
            report.tests = runs;
        }
        Err(refusals) => report.refusals.extend(refusals),
    }
    if script.kind == Kind::Code && report.refusals.is_empty() {
        match try_codes(rules, script, question, also) {
            Ok(tried) => report.codes = Some(tried),
            Err(refusal) => report.refusals.push(refusal),
        }
    }
    (report, needs)
}

fn failed(kind: Kind, run: &TestRun) -> Option<Refusal> {
    if let Some(what) = &run.failed {
        let zh = format!("测试“{}”未通过：{what}", run.name);
        let en = format!("the test \"{}\" failed: {what}", run.name);
        return Some(refusal(kind, RefusalWord::TestFailed, zh, en));
    }
    (run.took_us > TEST_MAX_US).then(|| {
        let zh = format!("测试“{}”用时 {} 微秒，上限 1000", run.name, run.took_us);
        let en = format!("the test \"{}\" took {} µs; 1,000 at most", run.name, run.took_us);
        refusal(kind, RefusalWord::TooSlow, zh, en)
    })
}

/// Holds the rule's codes against everybody's forms, and its recognition against its own codes and everybody's.
fn try_codes(
    rules: &dyn Rules,
    script: &Script,
    question: &CodeQuestion,
    also: Option<&CodeForm>,
) -> Result<CodesTried, Refusal> {
    let form = rules.form(script, question).map_err(|error| {
        let (zh, en) = (format!("码的形式不可用：{}", error.wrong), error.wrong.to_string());
        refusal(Kind::Code, RefusalWord::Collides, zh, en)
    })?;
    for _ in 0..CODES_TRIED {
        let digits = form.issue(&SystemRandom);
        if let Some(looks) = foreign::looks_like(&digits) {
            let zh = format!("有些码会被认作{}", looks.zh());
            let en = format!("some of its codes look like: {}", looks.en());
            return Err(refusal(Kind::Code, RefusalWord::Collides, zh, en));
        }
    }
    let mut scanned: u64 = 0;
    let mut scan = |text: &str, ours: bool| {
        scanned = scanned.saturating_add(1);
        recognises(rules, script, question, (text, ours))
    };
    for place in 0..SCANS_TRIED {
        scan(&form.issue(&SystemRandom), true)?;
        if let Some(also) = also {
            scan(&also.issue(&SystemRandom), true)?;
        }
        scan(&foreign_code(place), false)?;
    }
    Ok(CodesTried {
        made: CODES_TRIED,
        scanned,
    })
}

/// A text that has one of the foreign forms; each has its turn.
fn foreign_code(place: usize) -> String {
    let at = place.checked_rem(FOREIGN.len()).unwrap_or(0);
    let Some(other) = FOREIGN.get(at) else {
        return String::new();
    };
    let spread = other
        .lengths
        .end()
        .saturating_sub(*other.lengths.start())
        .saturating_add(1);
    let length = other
        .lengths
        .start()
        .saturating_add(place.checked_rem(spread).unwrap_or(0));
    format!(
        "{:02}{}",
        other.starts.start(),
        SystemRandom.digits(length.saturating_sub(2))
    )
}

fn recognises(
    rules: &dyn Rules,
    script: &Script,
    question: &CodeQuestion,
    (text, ours): (&str, bool),
) -> Result<(), Refusal> {
    let question = ScanQuestion {
        code: question.clone(),
        scanned: text.to_owned(),
    };
    let told = rules.recognise(script, &question).map_err(|error| {
        let (zh, en) = (format!("识别扫码内容时出错：{}", error.wrong), error.wrong.to_string());
        refusal(Kind::Code, RefusalWord::Recognition, zh, en)
    })?;
    let holds = if ours {
        told == Recognised::Ours(text.to_owned())
    } else {
        !matches!(told, Recognised::Ours(_))
    };
    if holds {
        return Ok(());
    }
    let (zh, en) = if ours {
        (
            format!("不识别平台发出的码 {text}"),
            format!("it does not recognise a code that the platform issues: {text}"),
        )
    } else {
        (
            format!("把他人的码 {text} 认作平台的码"),
            format!("it takes somebody else's code for ours: {text}"),
        )
    };
    Err(refusal(Kind::Code, RefusalWord::Recognition, zh, en))
}

fn refusal(kind: Kind, word: RefusalWord, zh: String, en: String) -> Refusal {
    Refusal {
        kind,
        word,
        line: None,
        column: None,
        zh,
        en,
    }
}
