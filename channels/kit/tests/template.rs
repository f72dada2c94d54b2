//! The template as a new author finds it: it compiles, can be copied, and fails the suite only where something is to be written.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metropay_channel_foochan::FoochanFactory;
use metropay_channel_kit::template::new_channel;
use metropay_channel_kit::{Verdict, conformance};
use metropay_outbound::OutboundSettings;

#[path = "../template/tests/gateway/mod.rs"]
mod gateway;

/// Properties that need nothing from the author.
const HOLD_FROM_THE_START: [&str; 5] = [
    "notice.junk",
    "config.described",
    "config.refused",
    "config.built-twice",
    "secret.errors",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_unwritten_channel_fails_only_where_something_is_to_be_written() {
    let gateway = gateway::Foochan::start().await.unwrap();
    let report = conformance(Arc::new(gateway), FoochanFactory::new(OutboundSettings::default())).await;
    assert!(report.broken().len() > 30, "{report}");
    for row in &report.rows {
        if let Verdict::Broken(seen) = &row.verdict {
            let honest = seen.iter().any(|seen| seen.contains("not written yet"));
            assert!(honest, "{} fails for another reason: {seen:?}", row.id);
        }
    }
    for id in HOLD_FROM_THE_START {
        let row = report.rows.iter().find(|row| row.id == id).unwrap();
        assert!(matches!(row.verdict, Verdict::Holds(_)), "{id}: {:?}", row.verdict);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A workspace of its own: the manifest and the template.
fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(
        &root().join("channels/kit/template"),
        &folder.path().join("channels/kit/template"),
    );
    fs::copy(root().join("Cargo.toml"), folder.path().join("Cargo.toml")).unwrap();
    folder
}

#[test]
fn a_new_channel_is_the_template_under_its_own_name_and_one_more_member() {
    let folder = workspace();
    let before = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
    let made = new_channel(folder.path(), "trial7").unwrap();
    assert!(made.files.len() >= 14, "{:?}", made.files);
    for file in &made.files {
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(!text.to_lowercase().contains("foochan"), "{}", file.display());
        if file.ends_with("lib.rs") {
            assert!(text.contains("const ID: &'static str = \"trial7\";"), "{text}");
            assert!(
                text.contains("CT_TRIAL7") && text.contains("impl Channel for Trial7"),
                "{text}"
            );
        }
        if file.ends_with("Cargo.toml") {
            assert!(!text.contains("test = false"), "a new channel is tested: {text}");
        }
    }
    let after = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) = (before.lines().collect(), after.lines().collect());
    let more: Vec<&str> = after.difference(&before).copied().collect();
    assert_eq!(
        more,
        [
            "    \"channels/trial7\",",
            "metropay-channel-trial7 = { path = \"channels/trial7\" }"
        ]
    );
    assert!(before.is_subset(&after));
    assert!(made.registration.contains("metropay_channel_trial7::Trial7Factory"));
}

#[test]
fn a_name_that_is_taken_or_none_is_refused_and_nothing_is_written() {
    let folder = workspace();
    new_channel(folder.path(), "trial").unwrap();
    let before = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
    for bad in [
        "trial",
        "kit",
        "",
        "a",
        "Foo",
        "../x",
        "1st",
        "a-b",
        "averyveryverylongname",
    ] {
        assert!(new_channel(folder.path(), bad).is_err(), "{bad}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("Cargo.toml")).unwrap(), before);
}

#[test]
fn whatever_is_to_be_written_is_marked() {
    let mut marked = 0;
    for file in [
        "lib", "config", "sign", "call", "deduct", "query", "refund", "reverse", "contract", "notice",
    ] {
        let text = fs::read_to_string(root().join(format!("channels/kit/template/src/{file}.rs"))).unwrap();
        let marks = text.matches("FILL IN:").count();
        assert!(marks > 0, "{file}.rs has nothing to be filled in");
        marked += marks;
    }
    assert!(marked >= 15, "{marked}");
}
