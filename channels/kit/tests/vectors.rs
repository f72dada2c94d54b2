//! The vectors of the channels' references: each has its tests, and the page that tells which is true.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The vectors of each reference.
fn ids() -> Vec<String> {
    let numbered = |name: &str, letter: &str, last: u8| -> Vec<String> {
        (1..=last).map(|number| format!("{name} {letter}{number}")).collect()
    };
    let mut ids = numbered("WeChat", "P", 12);
    ids.extend(numbered("WeChat", "C", 32));
    ids.extend(numbered("Alipay", "T", 10));
    let lettered = ["T2b", "T4b", "T5b", "T7e", "T8u", "T9b", "T9c", "R1"];
    ids.extend(lettered.map(|id| format!("Alipay {id}")));
    ids.extend(numbered("UnionPay", "V", 13));
    ids.extend(["V3b", "V3c"].map(|id| format!("UnionPay {id}")));
    ids.sort();
    ids
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

/// The tests of each vector, as the page tells them: file and function.
fn told() -> BTreeMap<String, Vec<(String, String)>> {
    let page = fs::read_to_string(root().join("docs/channel-duties.md")).unwrap();
    let (_, table) = page.split_once("| vector | adapter | simulator |").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| {
        let (id, cells) = row.split_once(" | ").unwrap();
        let words: Vec<String> = cells.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let tests = words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        (id.to_owned(), tests.collect())
    })
    .collect()
}

#[test]
fn every_vector_of_the_references_has_a_test() {
    let told = told();
    assert_eq!(told.keys().cloned().collect::<Vec<_>>(), ids());
    for (id, tests) in &told {
        assert!(!tests.is_empty(), "{id} has no test");
    }
}

#[test]
fn every_test_that_is_told_is_there() {
    for (id, tests) in told() {
        for (file, test) in tests {
            let text = fs::read_to_string(root().join("channels").join(&file)).unwrap_or_default();
            let (before, _) = text
                .split_once(&format!("fn {test}("))
                .unwrap_or_else(|| panic!("{id}: there is no {test} in {file}"));
            let attributes = before.rsplit("\n\n").next().unwrap();
            assert!(attributes.contains("test"), "{id}: {test} in {file} is no test");
        }
    }
}
