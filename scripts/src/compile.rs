//! From a text to a machine, and every reason why a text is refused.

use std::collections::BTreeSet;

use metropay_core::rules::check::{Refusal, RefusalWord};
use metropay_core::rules::{Kind, Needs, SOURCE_MAX, Wrong};
use mlua::{Error, Table, Value};

use crate::budget::ATTEMPTS_MAX;
use crate::lexer::{self, Flaw, What};
use crate::vm::{self, Machine, Prepared};

/// The functions that a script of a kind returns.
pub(crate) const fn entries(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Routing => &["route"],
        Kind::Fee => &["fee"],
        Kind::Code => &["issue", "recognise"],
        Kind::Membership => &["request", "answer"],
    }
}

/// What a fee rule may name under `needs`.
const DAY_TOTALS: &str = "day_totals";

/// A refusal without a place.
pub(crate) fn refusal(kind: Kind, word: RefusalWord, zh: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal {
        kind,
        word,
        line: None,
        column: None,
        zh: zh.into(),
        en: en.into(),
    }
}

/// Reads bytes as a script's text.
///
/// # Errors
/// When they are compiled code, no UTF-8, or too long.
pub fn text_of(kind: Kind, bytes: &[u8]) -> Result<&str, Vec<Refusal>> {
    if bytes.len() > SOURCE_MAX {
        return Err(vec![too_long(kind, bytes.len())]);
    }
    if is_bytecode(bytes) {
        return Err(vec![bytecode(kind)]);
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default());
        let before = before.unwrap_or_default();
        let (line, column) = lexer::place(before, before.len());
        vec![Refusal {
            line: Some(line),
            column: Some(column),
            ..refusal(kind, RefusalWord::NotText, "不是 UTF-8 文本", "this is no UTF-8 text")
        }]
    })
}

fn too_long(kind: Kind, bytes: usize) -> Refusal {
    refusal(
        kind,
        RefusalWord::TooLong,
        format!("脚本有 {bytes} 字节，最多 {SOURCE_MAX} 字节"),
        format!("the script has {bytes} bytes; at most {SOURCE_MAX} are allowed"),
    )
}

fn bytecode(kind: Kind) -> Refusal {
    refusal(
        kind,
        RefusalWord::Bytecode,
        "这是编译后的代码；只接受文本脚本",
        "this is compiled code; only text is accepted",
    )
}

/// Luau's bytecode begins with its version, a small number; that of other Luas with an escape.
fn is_bytecode(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_some_and(|first| *first == 0x1B || *first < b'\t' || matches!(first, 0x0B | 0x0C | 0x0E..0x20))
}

/// The compiled code of a text that is fit to run.
///
/// # Errors
/// Every reason why it is not.
pub(crate) fn prepared(kind: Kind, source: &str) -> Result<Prepared, Vec<Refusal>> {
    text_of(kind, source.as_bytes())?;
    // First as it is written, so that errors of syntax are told in the author's own words and columns.
    if let Err(error) = vm::compiler().compile(source) {
        return Err(vec![syntax(kind, source, &error)]);
    }
    let guarded = lexer::guarded(source)
        .map_err(|flaws| flaws.iter().map(|flaw| flawed(kind, source, flaw)).collect::<Vec<_>>())?;
    let bytecode = vm::compiler()
        .compile(&guarded)
        .map_err(|error| vec![syntax(kind, source, &error)])?;
    // A name that does not stand in the text cannot be reached by it.
    let names: BTreeSet<&str> = lexer::tokens(source).iter().map(|token| token.text).collect();
    let libraries = vm::optional_libraries().filter(|library| names.contains(library));
    Ok(Prepared {
        bytecode,
        libraries: libraries.collect(),
    })
}

/// The machine of a text.
pub(crate) fn machine(kind: Kind, source: &str) -> Result<Machine, Wrong> {
    let prepared = prepared(kind, source).map_err(|refusals| {
        let first = refusals.first().map(ToString::to_string);
        Wrong::Unfit(first.unwrap_or_default())
    })?;
    let (machine, shape) = loaded(kind, &prepared)?;
    shaped(kind, &shape).map_err(|refusals| {
        let first = refusals.first().map(|refusal| refusal.en.clone());
        Wrong::Unfit(first.unwrap_or_default())
    })?;
    // What the check left behind is not carried through the machine's life.
    drop(shape);
    machine.clear()?;
    Ok(machine)
}

/// Checks a text without asking it anything.
pub(crate) fn check(kind: Kind, source: &str) -> Result<Needs, Vec<Refusal>> {
    let prepared = prepared(kind, source)?;
    let (_machine, shape) = loaded(kind, &prepared).map_err(|wrong| vec![stopped(kind, &wrong)])?;
    shaped(kind, &shape)
}

/// A machine, and what its script's main part returned.
fn loaded(kind: Kind, prepared: &Prepared) -> Result<(Machine, Value), Wrong> {
    let mut attempt = 1;
    loop {
        let machine = Machine::load(kind, prepared)?;
        match machine.run_main() {
            Err(Wrong::Budget) if machine.was_starved() && attempt < ATTEMPTS_MAX => attempt += 1,
            shape => return shape.map(|shape| (machine, shape)),
        }
    }
}

/// A refusal for what happened while a script was loaded.
pub(crate) fn stopped(kind: Kind, wrong: &Wrong) -> Refusal {
    match wrong {
        Wrong::Raised(text) => Refusal {
            line: vm::line_of(text),
            ..refusal(
                kind,
                RefusalWord::Raised,
                format!("加载时出错：{text}"),
                format!("it raised an error while it was loaded: {text}"),
            )
        },
        Wrong::Budget => refusal(
            kind,
            RefusalWord::Budget,
            "加载时超出时间预算",
            "loading it took too long",
        ),
        Wrong::Memory => refusal(
            kind,
            RefusalWord::Budget,
            "加载时超出内存预算或调用过深",
            "loading it took too much memory, or called too deep",
        ),
        other => refusal(kind, RefusalWord::Entry, format!("不可用：{other}"), other.to_string()),
    }
}

/// Checks what the main part returned.
fn shaped(kind: Kind, shape: &Value) -> Result<Needs, Vec<Refusal>> {
    let wanted = entries(kind).iter().map(|entry| format!("{entry} = function(q) … end"));
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    let entry = |zh: String, en: String| refusal(kind, RefusalWord::Entry, zh, en);
    let Value::Table(table) = shape else {
        return Err(vec![entry(
            format!("脚本必须返回一个表：{{ {wanted} }}"),
            format!("the script must return a table: {{ {wanted} }}"),
        )]);
    };
    let mut refusals = Vec::new();
    let mut needs = Needs::default();
    for name in entries(kind) {
        if !matches!(table.raw_get::<Value>(*name), Ok(Value::Function(_))) {
            refusals.push(entry(
                format!("缺少函数 `{name}`"),
                format!("there is no function `{name}`"),
            ));
        }
    }
    for pair in table.pairs::<Value, Value>() {
        let Ok((key, value)) = pair else {
            refusals.push(entry(
                "返回的表无法读取".to_owned(),
                "the returned table cannot be read".to_owned(),
            ));
            continue;
        };
        let key = match &key {
            Value::String(text) => text.to_string_lossy(),
            other => crate::host::described(other).to_owned(),
        };
        let (key, known) = (vm::bounded(&key), entries(kind).contains(&key.as_str()));
        match (kind, key.as_str()) {
            _ if known => {}
            (Kind::Fee, "needs") => match needed(&value) {
                Ok(found) => needs = found,
                Err(()) => refusals.push(entry(
                    format!("`needs` 必须是列表，且只能有 \"{DAY_TOTALS}\""),
                    format!("`needs` must be a list in which only \"{DAY_TOTALS}\" stands"),
                )),
            },
            _ => refusals.push(entry(
                format!("这类规则没有 `{key}`；应为 {{ {wanted} }}"),
                format!("a rule of this kind has no `{key}`; it is {{ {wanted} }}"),
            )),
        }
    }
    if refusals.is_empty() { Ok(needs) } else { Err(refusals) }
}

fn needed(value: &Value) -> Result<Needs, ()> {
    let Value::Table(list) = value else {
        return Err(());
    };
    let mut needs = Needs::default();
    for pair in Table::pairs::<Value, Value>(list) {
        match pair {
            Ok((Value::Integer(_), Value::String(word))) if word == DAY_TOTALS => needs.day_totals = true,
            _ => return Err(()),
        }
    }
    Ok(needs)
}

/// A refusal for an error of Luau's compiler, whose text is `line: message`.
fn syntax(kind: Kind, source: &str, error: &Error) -> Refusal {
    let text = match error {
        Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    let (line, message) = match text.trim_start_matches(':').split_once(':') {
        Some((line, message)) if line.bytes().all(|byte| byte.is_ascii_digit()) => (line.parse().ok(), message.trim()),
        _ => (None, text.trim()),
    };
    let message = vm::bounded(message);
    Refusal {
        line,
        column: line.and_then(|line| column(source, line, &message)),
        ..refusal(
            kind,
            RefusalWord::Syntax,
            format!("语法错误：{message}"),
            format!("syntax error: {message}"),
        )
    }
}

/// The column of the word that a message names last, where its line has it once.
fn column(source: &str, line: u32, message: &str) -> Option<u32> {
    let mut quoted = message.rsplit('\'');
    let named = quoted.nth(1)?;
    let mut found = lexer::tokens(source)
        .into_iter()
        .filter(|token| token.text == named && (token.what != What::Text))
        .map(|token| lexer::place(source, token.at))
        .filter(|(at, _)| *at == line);
    match (found.next(), found.next()) {
        (Some((_, column)), None) => Some(column),
        _ => None,
    }
}

/// A refusal for what the host's own reading found.
fn flawed(kind: Kind, source: &str, flaw: &Flaw) -> Refusal {
    let (word, at, zh, en) = match flaw {
        Flaw::Control(at) => (
            RefusalWord::NotText,
            Some(*at),
            "文本中有控制字符".to_owned(),
            "there is a control character in the text".to_owned(),
        ),
        Flaw::Power(at) => (
            RefusalWord::Syntax,
            Some(*at),
            "不可使用 `^`：不同机器上的乘方结果可能不同；请用乘法".to_owned(),
            "`^` is not allowed: machines differ in its last digit; multiply instead".to_owned(),
        ),
        Flaw::Reserved(at) => (
            RefusalWord::Syntax,
            Some(*at),
            format!("`{}` 是保留名称", lexer::EACH),
            format!("the name `{}` is reserved", lexer::EACH),
        ),
        Flaw::BareFunction(at) => (
            RefusalWord::Syntax,
            Some(*at),
            "`in` 与 `do` 之间的函数请先赋给局部变量".to_owned(),
            "give the function between `in` and `do` to a local first".to_owned(),
        ),
        Flaw::Operators(count) => (
            RefusalWord::TooLong,
            None,
            format!("脚本有 {count} 个运算符，最多 {} 个", lexer::OPERATORS_MAX),
            format!(
                "the script has {count} operators; at most {} are allowed",
                lexer::OPERATORS_MAX
            ),
        ),
    };
    let place = at.map(|at| lexer::place(source, at));
    Refusal {
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        ..refusal(kind, word, zh, en)
    }
}
