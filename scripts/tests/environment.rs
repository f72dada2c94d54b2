//! What a script can reach is on a list, and the list is in the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use metropay_scripts::reachable;

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn everything_that_a_script_can_reach_is_on_the_list() {
    let found = reachable().expect("a machine").join("\n") + "\n";
    assert!(!found.contains("WRITABLE"), "a script can write to something:\n{found}");
    let list = at("tests/environment.txt");
    if std::env::var_os("METROPAY_REGEN").is_some() {
        fs::write(&list, &found).expect("the list can be written");
    }
    let wanted = fs::read_to_string(&list).unwrap_or_default();
    assert!(
        found == wanted,
        "scripts can reach something else than tests/environment.txt says; when that is meant, run with METROPAY_REGEN=1 and \
         have the difference reviewed:\n{}",
        difference(&wanted, &found)
    );
}

fn difference(before: &str, now: &str) -> String {
    let (before, now): (BTreeSet<&str>, BTreeSet<&str>) = (before.lines().collect(), now.lines().collect());
    let gone = before.difference(&now).map(|line| format!("- {line}"));
    let come = now.difference(&before).map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

/// The stubs from which an editor completes have exactly the helpers that there are.
#[test]
fn the_types_for_editors_name_every_helper_and_no_other() {
    let stubs = fs::read_to_string(at("types/metropay.d.luau")).expect("the stubs");
    let (mut library, mut declared) = (String::new(), BTreeSet::new());
    for line in stubs.lines() {
        if let Some(name) = line.strip_prefix("declare ").and_then(|rest| rest.strip_suffix(": {")) {
            name.clone_into(&mut library);
        } else if line == "}" {
            library.clear();
        } else if let Some((name, _)) = line.trim().split_once(':').filter(|_| !library.is_empty()) {
            declared.insert(format!("{library}.{name}"));
        }
    }
    let own = ["fen", "scan", "json", "list", "text", "pick"];
    let reached = reachable().expect("a machine").into_iter().filter_map(|line| {
        let (path, _) = line.split_once(": ")?;
        let (library, _) = path.split_once('.')?;
        own.contains(&library).then(|| path.to_owned())
    });
    assert_eq!(declared, reached.collect::<BTreeSet<_>>());
}
