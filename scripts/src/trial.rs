//! A script's own tests: `*.test.luau` returns a list of cases, which are asked like any payment's question.
//!
//! `{ name = "…", question = { what differs from the example }, answer = { what must be in the answer } }`, or `error = "…"` in
//! place of `answer` where the rule must fail with such a text. Kinds with two functions say which with `entry`.

use std::time::{Duration, Instant};

use metropay_core::rules::check::{Refusal, RefusalWord, TestRun};
use metropay_core::rules::{Kind, Script, Wrong};
use mlua::Value;
use serde_json::Value as Json;

use crate::answer::{field, table, text, wrong};
use crate::compile::{self, refusal};
use crate::vm::{self, Machine};
use crate::{LuauRules, json};

mod examples;

/// Cases of a file, at most.
const CASES_MAX: usize = 512;
/// What the cases of a file may hold together, in bytes.
const CASES_SIZE_MAX: usize = 256 * 1024;
/// How long a case may take.
const CASE_TIME_MAX: Duration = Duration::from_millis(1);
/// How often a case that took longer is asked again: it may have been the machine's fault.
const AGAIN_MAX: usize = 5;

/// A case as its file has it.
struct Case {
    name: String,
    entry: &'static str,
    question: Json,
    wanted: Wanted,
}

enum Wanted {
    Answer(Json),
    Error(String),
}

/// Runs a script's tests.
pub(crate) fn run(rules: &LuauRules, script: &Script, tests: &str) -> Result<Vec<TestRun>, Vec<Refusal>> {
    // What cannot be compiled has no tests that could pass; its own reasons say more.
    compile::check(script.kind, &script.source)?;
    let cases = cases(script.kind, tests)?;
    Ok(cases.iter().map(|case| ran(rules, script, case)).collect())
}

fn refused(kind: Kind, zh: impl Into<String>, en: impl Into<String>) -> Vec<Refusal> {
    vec![refusal(kind, RefusalWord::Tests, zh, en)]
}

/// Reads a file of cases.
fn cases(kind: Kind, tests: &str) -> Result<Vec<Case>, Vec<Refusal>> {
    let bytecode = compile::prepared(kind, tests).map_err(|refusals| {
        let words = |refusal| Refusal {
            word: RefusalWord::Tests,
            ..refusal
        };
        refusals.into_iter().map(words).collect::<Vec<_>>()
    })?;
    let unread = |wrong: &Wrong| {
        let line = match wrong {
            Wrong::Raised(text) => vm::line_of(text),
            _ => None,
        };
        let mut refusals = refused(
            kind,
            format!("测试无法读取：{wrong}"),
            format!("the tests cannot be read: {wrong}"),
        );
        refusals.iter_mut().for_each(|refusal| refusal.line = line);
        refusals
    };
    let machine = Machine::load(kind, &bytecode).map_err(|wrong| unread(&wrong))?;
    let returned = machine.with_document_memory();
    let returned = returned.run_main().map_err(|wrong| unread(&wrong))?;
    let Value::Table(list) = &returned else {
        return Err(refused(
            kind,
            "测试文件必须返回一个列表",
            "a file of tests returns a list of cases",
        ));
    };
    let length = list.raw_len();
    if length == 0 || length > CASES_MAX {
        let en = format!("a file of tests has 1 to {CASES_MAX} cases, not {length}");
        return Err(refused(
            kind,
            format!("测试应有 1 至 {CASES_MAX} 例，实有 {length} 例"),
            en,
        ));
    }
    let mut room = CASES_SIZE_MAX;
    let mut cases = Vec::with_capacity(length);
    for (place, item) in list.sequence_values::<Value>().enumerate() {
        let at = format!("cases[{}]", place.saturating_add(1));
        let item = item.map_err(|error| unread(&vm::raised(&error)))?;
        cases.push(case(kind, &item, &at, &mut room).map_err(|wrong| unread(&wrong))?);
    }
    Ok(cases)
}

fn case(kind: Kind, item: &Value, at: &str, room: &mut usize) -> Result<Case, Wrong> {
    let given = table(item, at, &["name", "entry", "question", "answer", "error"])?;
    let name = text(&field(given, at, "name")?, &format!("{at}.name"), 200)?;
    let mut document = |name: &str| {
        let value = field(given, at, name)?;
        let path = format!("{at}.{name}");
        let read = (!value.is_nil()).then(|| json::from_lua(&value, &path, room));
        read.transpose().map_err(|(at, reason)| wrong(at, reason))
    };
    let question = document("question")?.unwrap_or_else(|| Json::Object(serde_json::Map::new()));
    let answer = document("answer")?;
    let error = match field(given, at, "error")? {
        Value::Nil => None,
        value => Some(text(&value, &format!("{at}.error"), 500)?),
    };
    let wanted = match (answer, error) {
        (Some(answer), None) => Wanted::Answer(answer),
        (None, Some(error)) => Wanted::Error(error),
        _ => return Err(wrong(at, "must have one of answer and error")),
    };
    let entry = match field(given, at, "entry")? {
        Value::Nil => None,
        value => Some(text(&value, &format!("{at}.entry"), 32)?),
    };
    Ok(Case {
        name,
        entry: self::entry(kind, entry.as_deref(), at)?,
        question,
        wanted,
    })
}

/// The function of this name; where a kind has but one it need not be named.
fn entry(kind: Kind, name: Option<&str>, at: &str) -> Result<&'static str, Wrong> {
    let entries = compile::entries(kind);
    let found = match (name, entries) {
        (None, [only]) => Some(*only),
        (name, entries) => entries.iter().copied().find(|entry| Some(*entry) == name),
    };
    found.ok_or_else(|| wrong(format!("{at}.entry"), format!("must be one of {}", entries.join(", "))))
}

/// Asks a case's question and compares.
fn ran(rules: &LuauRules, script: &Script, case: &Case) -> TestRun {
    let mut took = Duration::MAX;
    let mut failed = None;
    for _ in 0..AGAIN_MAX {
        let begun = Instant::now();
        let answer = examples::ask(rules, script, case.entry, &case.question);
        took = took.min(begun.elapsed());
        failed = differs(&case.wanted, answer);
        if took < CASE_TIME_MAX || failed.is_some() {
            break;
        }
    }
    TestRun {
        name: case.name.clone(),
        failed,
        took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    }
}

/// What differs between what was wanted and what came.
fn differs(wanted: &Wanted, answer: Result<Json, String>) -> Option<String> {
    match (wanted, answer) {
        (Wanted::Answer(wanted), Ok(answer)) => within(wanted, &answer, "answer"),
        (Wanted::Answer(_), Err(error)) => Some(format!("failed: {error}")),
        (Wanted::Error(wanted), Err(error)) if error.contains(wanted) => None,
        (Wanted::Error(wanted), Err(error)) => Some(format!("failed with `{error}`, wanted `{wanted}`")),
        (Wanted::Error(wanted), Ok(answer)) => Some(format!("answered {answer}, wanted the error `{wanted}`")),
    }
}

/// Whether everything that is wanted is there. Lists must be as long; `{}` wants an empty list or any object; an account may
/// stand for a choice, and a number for a fee.
fn within(wanted: &Json, answer: &Json, at: &str) -> Option<String> {
    match (wanted, answer) {
        (Json::Object(wanted), Json::Object(answer)) => wanted.iter().find_map(|(name, wanted)| {
            within(wanted, answer.get(name).unwrap_or(&Json::Null), &format!("{at}.{name}"))
        }),
        (Json::Object(wanted), Json::Array(answer)) if wanted.is_empty() && answer.is_empty() => None,
        (Json::Array(wanted), Json::Array(answer)) if wanted.len() == answer.len() => {
            let pairs = wanted.iter().zip(answer).enumerate();
            pairs.into_iter().find_map(|(place, (wanted, answer))| {
                within(wanted, answer, &format!("{at}[{}]", place.saturating_add(1)))
            })
        }
        (Json::String(_), Json::Object(choice)) if choice.get("account") == Some(wanted) => None,
        (Json::Number(_), Json::Object(fee)) if fee.get("fee") == Some(wanted) => None,
        _ if wanted == answer => None,
        _ => Some(format!("{at} is {answer}, wanted {wanted}")),
    }
}
