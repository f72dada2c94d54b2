//! The platform's own rules and the worked examples pass their own tests, in time; and tests can fail.

use std::fs;
use std::path::{Path, PathBuf};

use metropay_core::rules::check::{RefusalWord, TestRun};
use metropay_core::rules::{Kind, Needs, Rules, Script};
use metropay_scripts::LuauRules;

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    let text = fs::read_to_string(path);
    assert!(text.is_ok(), "{} cannot be read", path.display());
    text.unwrap_or_default()
}

/// Every rule that stands in the repository, with its kind and its tests.
fn rules() -> Vec<(PathBuf, Kind, String, String)> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let mut files = vec![at("defaults").join(format!("{kind}.luau"))];
        let examples = fs::read_dir(at("examples").join(kind.word()))
            .expect("examples of every kind")
            .flatten();
        files.extend(examples.map(|entry| entry.path()));
        for file in files
            .iter()
            .filter(|file| !file.to_string_lossy().ends_with(".test.luau"))
        {
            found.push((file.clone(), kind, read(file), read(&file.with_extension("test.luau"))));
        }
    }
    found
}

#[test]
fn every_rule_in_the_repository_compiles_and_passes_its_own_tests() {
    let host = LuauRules::new();
    let found = rules();
    assert!(found.len() >= 12, "rules are gone");
    for (path, kind, source, tests) in found {
        let name = path.display();
        let needs = host.compile(kind, &source);
        let day_totals = source.contains("needs = ");
        assert_eq!(needs, Ok(Needs { day_totals }), "{name}");
        let runs = host.test(&Script::new(kind, &source), &tests).unwrap_or_default();
        assert!(
            runs.len() >= 4,
            "{name} has no tests that run: {:?}",
            host.test(&Script::new(kind, &source), &tests)
        );
        let failed: Vec<&TestRun> = runs.iter().filter(|run| run.failed.is_some()).collect();
        assert!(failed.is_empty(), "{name}: {failed:#?}");
        // A machine that is busy with other tests is slow; one that computes is slower by far.
        let slow: Vec<&TestRun> = runs.iter().filter(|run| run.took_us > 20_000).collect();
        assert!(slow.is_empty(), "{name}: {slow:#?}");
    }
}

const FEE: &str =
    "return { fee = function(q) if q.amount == 13 then error('thirteen') end return q.amount // 100 end }";

fn run(tests: &str) -> Vec<Option<String>> {
    let runs = LuauRules::new()
        .test(&Script::new(Kind::Fee, FEE), tests)
        .expect("tests that can be read");
    runs.into_iter().map(|run| run.failed).collect()
}

#[test]
fn a_test_fails_when_the_rule_does_something_else_and_says_what() {
    let failed = run("return {
            { name = 'right', question = { amount = 500 }, answer = { fee = 5 } },
            { name = 'a bare number', question = { amount = 500 }, answer = 5 },
            { name = 'wrong', question = { amount = 500 }, answer = { fee = 6 } },
            { name = 'wrong reason', question = { amount = 500 }, answer = { fee = 5, reason = 'x' } },
            { name = 'a field that is not there', question = { amount = 500 }, answer = { tip = 5 } },
            { name = 'an error', question = { amount = 13 }, error = 'thirteen' },
            { name = 'another error', question = { amount = 13 }, error = 'fourteen' },
            { name = 'no error', question = { amount = 500 }, error = 'thirteen' },
            { name = 'an unwanted error', question = { amount = 13 }, answer = { fee = 0 } },
            { name = 'a misspelt field', question = { amout = 13 }, answer = { fee = 0 } },
            { name = 'a wrong type', question = { amount = 'x' }, answer = { fee = 0 } },
            { name = 'no moment', question = { at = 'today' }, answer = { fee = 0 } },
        }");
    let said: Vec<&str> = failed
        .iter()
        .map(|failed| failed.as_deref().unwrap_or("passed"))
        .collect();
    assert_eq!(said[..2], ["passed", "passed"]);
    assert_eq!(said[2], "answer.fee is 5, wanted 6");
    assert_eq!(said[3], "answer.reason is \"\", wanted \"x\"");
    assert_eq!(said[4], "answer.tip is null, wanted 5");
    assert_eq!(said[5], "passed");
    assert!(
        said[6].contains("thirteen") && said[6].contains("fourteen"),
        "{}",
        said[6]
    );
    assert!(said[7].starts_with("answered"), "{}", said[7]);
    assert!(said[8].contains("rule:1: thirteen"), "{}", said[8]);
    assert!(said[9].contains("question.amout is not known"), "{}", said[9]);
    assert!(said[10].contains("the question"), "{}", said[10]);
    assert!(said[11].contains("question.at"), "{}", said[11]);
}

#[test]
fn a_file_of_tests_that_cannot_be_used_is_refused() {
    let host = LuauRules::new();
    let script = Script::new(Kind::Code, &host.default_script(Kind::Code).source);
    for tests in [
        "",
        "return 5",
        "return {}",
        "return { 5 }",
        "return { { name = 'x', entry = 'issue' } }",
        "return { { entry = 'issue', answer = {} } }",
        "return { { name = 'x', answer = {} } }",
        "return { { name = 'x', entry = 'fee', answer = {} } }",
        "return { { name = 'x', entry = 'issue', answer = {}, error = '' } }",
        "return { { name = 'x', entry = 'issue', answer = {}, colour = 1 } }",
        "return { { name = 'x', entry = 'issue', answer = { f = function() end } } }",
        "return { { name = 'x', entry = 'issue', answer = { x = 0 / 0 } } }",
        "local t = { name = 'x', entry = 'issue', answer = {} } t.answer.t = t return { t }",
        "error('no')",
        "while true do end",
        "return table.create(513, { name = 'x', entry = 'issue', answer = {} })",
        "return {",
    ] {
        let refusals = host.test(&script, tests).expect_err(tests);
        assert_eq!(refusals[0].word, RefusalWord::Tests, "{tests}: {}", refusals[0]);
    }
    // A script that cannot be compiled says so, not its tests.
    let broken = Script::new(Kind::Code, "return {");
    let refusals = host.test(&broken, "return {}").expect_err("it is broken");
    assert_eq!(refusals[0].word, RefusalWord::Syntax);
}
