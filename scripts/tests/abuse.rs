//! Scripts that misbehave: each is refused at once or stopped within its budget, and nobody else notices.
//!
//! Each file says on its first line what is to be expected of it: `refused WORD` (when it is compiled), `budget`, `memory`,
//! `raised`, `answer`, `unfit`, or `ok` where it is merely slow; `|` parts what may be, because it depends on the machine which
//! bound is met first.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use metropay_core::rules::check::{Refusal, RefusalWord};
use metropay_core::rules::{Kind, Rules, SOURCE_MAX, Script, Wrong};
use metropay_scripts::budget::TIME_MAX;
use metropay_scripts::{LuauRules, text_of};

mod shared;

/// Far above the budget, for slow machines; counted is what this thread has computed, since others may have the core meanwhile.
const GENEROUS: u32 = 100;
const HONEST: &str = "return { fee = function(q) return fen.percent(q.amount, '0.6%') end }";

fn corpus(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abuse");
    let entries = fs::read_dir(folder).expect("the corpus").flatten();
    let files = entries.map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == ending))
        .collect();
    files.sort();
    files
}

fn word(word: RefusalWord) -> String {
    let word = serde_json::to_value(word).expect("a word");
    word.as_str().unwrap_or_default().to_owned()
}

/// What became of a script, in the words of the corpus, and how long it took.
fn became(rules: &LuauRules, source: &str) -> (String, Duration) {
    let begun = shared::computed();
    let ended = match rules.compile(Kind::Fee, source) {
        Err(refusals) => {
            let told = |refusal: &Refusal| !refusal.zh.is_empty() && !refusal.en.is_empty();
            assert!(refusals.iter().all(told), "{refusals:?}");
            format!(
                "refused {}",
                refusals.first().map_or_else(String::new, |refusal| word(refusal.word))
            )
        }
        Ok(_) => match rules.fee(&Script::new(Kind::Fee, source), &shared::fee_question(1_000, 60)) {
            Ok(_) => "ok".to_owned(),
            Err(error) => match error.wrong {
                Wrong::Unfit(_) => "unfit".to_owned(),
                Wrong::Raised(text) => {
                    assert!(text.chars().count() <= 400, "{text}");
                    "raised".to_owned()
                }
                Wrong::Budget => "budget".to_owned(),
                Wrong::Memory => "memory".to_owned(),
                Wrong::Answer { .. } => "answer".to_owned(),
            },
        },
    };
    (ended, shared::computed().saturating_sub(begun))
}

#[test]
fn every_abuse_is_stopped_within_its_budget_and_nobody_else_notices() {
    let (rules, honest) = (LuauRules::new(), Script::new(Kind::Fee, HONEST));
    let question = shared::fee_question(1_000, 60);
    let mut wrong = Vec::new();
    let files = corpus("luau");
    assert!(files.len() > 150, "the corpus is gone");
    for path in &files {
        let source = fs::read_to_string(path).expect("a script");
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let expected = source
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("-- expect: "))
            .unwrap_or_default();
        for _ in 0..2 {
            let (ended, took) = became(&rules, &source);
            if !expected.split('|').any(|one| one == ended) {
                wrong.push(format!("{name}: {ended}, expected {expected}"));
            }
            // Compiling it twice, loading and calling it: three budgets, and what a test machine adds.
            if took > TIME_MAX * GENEROUS {
                wrong.push(format!("{name}: took {took:?}"));
            }
            let fee = rules.fee(&honest, &question).map(|answer| answer.fee.get());
            assert_eq!(fee, Ok(6), "after {name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_text_is_refused_before_it_is_read() {
    for path in corpus("bin") {
        let bytes = fs::read(&path).expect("a file");
        let refusals = text_of(Kind::Fee, &bytes).expect_err("it is no text");
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let expected = if name.starts_with("bytecode") {
            "BYTECODE"
        } else {
            "NOT_TEXT"
        };
        assert_eq!(word(refusals[0].word), expected, "{name}");
    }
    let not_text = text_of(Kind::Fee, b"-- ok\n-- \xb7").expect_err("it is no UTF-8");
    assert_eq!((not_text[0].line, not_text[0].column), (Some(2), Some(4)));
    let rules = LuauRules::new();
    for first in ['\u{1b}', '\u{0}', '\u{6}', '\u{9}'] {
        let source = format!("{first}{HONEST}");
        let refused = rules
            .compile(Kind::Fee, &source)
            .err()
            .map(|refusals| word(refusals[0].word));
        let expected = (first != '\t').then(|| "BYTECODE".to_owned());
        assert_eq!(refused, expected, "{first:?}");
    }
    for inside in ["\0", "\u{7f}", "\r", "\u{c}"] {
        let source = format!("{HONEST} -- {inside}x");
        let refused = rules.compile(Kind::Fee, &source).expect_err("a control character");
        assert!(
            matches!(refused[0].word, RefusalWord::NotText | RefusalWord::Syntax),
            "{refused:?}"
        );
    }
}

#[test]
fn a_script_is_at_most_64_kib_long() {
    let rules = LuauRules::new();
    let mut source = format!("{HONEST}\n--");
    source.push_str(&"x".repeat(SOURCE_MAX - source.len()));
    assert!(rules.compile(Kind::Fee, &source).is_ok());
    source.push('x');
    let refusals = rules.compile(Kind::Fee, &source).expect_err("it is too long");
    assert_eq!(word(refusals[0].word), "TOO_LONG");
    assert!(refusals[0].zh.contains("65537") && refusals[0].en.contains("65537"));
}

/// What 64 KiB can make the compiler do.
#[test]
fn compiling_ends_soon_whatever_the_text() {
    let rules = LuauRules::new();
    let fill = |piece: &str| piece.repeat((SOURCE_MAX - 100) / piece.len());
    for (name, source) in [
        ("calls", format!("local f\n{}", fill("f()\n"))),
        ("functions", format!("local t = {{}}\n{}", fill("t.a=function()end\n"))),
        ("tables", format!("local t = {{{}}}", fill("{1},"))),
        (
            "constants",
            format!(
                "local t = {{{}}}",
                (0..9_000).map(|n| format!("{n}.5,")).collect::<String>()
            ),
        ),
        (
            "strings",
            format!(
                "local t = {{{}}}",
                (0..7_000).map(|n| format!("\"{n}\",")).collect::<String>()
            ),
        ),
        ("concatenation", format!("local t = ''{}", fill("..''"))),
        ("conditions", format!("local a\nlocal t = a{}", fill(" and a or a"))),
        ("branches", format!("local a\n{}", fill("if a then end\n"))),
        ("loops", format!("local a\n{}", fill("for i in a do end\n"))),
        ("comments", fill("--[[]]")),
        ("interpolation", format!("local a = `{}`", fill("{1}"))),
        ("types", format!("type A = {}", fill("{a: ").trim_end())),
    ] {
        let begun = shared::computed();
        let _ = rules.compile(Kind::Fee, &source);
        let took = shared::computed().saturating_sub(begun);
        assert!(took < TIME_MAX * GENEROUS, "{name} took {took:?}");
    }
}

#[test]
fn a_refusal_names_line_and_column_in_both_languages() {
    let rules = LuauRules::new();
    let refused = |source: &str| rules.compile(Kind::Fee, source).expect_err("a refusal")[0].clone();
    let place = |refusal: &Refusal| (word(refusal.word), refusal.line, refusal.column);
    let syntax = |line, column| ("SYNTAX".to_owned(), Some(line), column);
    // Where the line has the word more than once, no column is better than a wrong one.
    assert_eq!(place(&refused("-- 费率\nlocal x = = 5\nreturn {}")), syntax(2, None));
    let missing = refused("local x = 1\nif x the return 1 end");
    assert_eq!(place(&missing), syntax(2, Some(6)), "{missing}");
    assert!(missing.to_string().starts_with("fee:2:6: 语法错误："), "{missing}");
    let power = refused("local x = 1\nlocal y = '费' .. x ^ 2\nreturn {}");
    assert_eq!(place(&power), syntax(2, Some(20)), "{power}");
    let raised = refused("local x = nil\n\nlocal y = x.z\nreturn {}");
    assert_eq!(
        (word(raised.word).as_str(), raised.line),
        ("RAISED", Some(3)),
        "{raised}"
    );
}
