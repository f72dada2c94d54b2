//! The house is held to its plan: which crate may know which, where SQL may stand, and that the plan in the documentation is
//! the house as it is. A failing check says how to mend it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms that are no channels: folder, what it is, and which rooms of ours it may know (tests aside).
const ROOMS: &[(&str, &str, &[&str])] = &[
    ("core", "the engine: words, contracts, flows, tables", &[]),
    ("migrations", "the schema's history", &[]),
    ("channels/simulator", "the three gateways, code of their own", &[]),
    ("outbound", "the one way out by HTTP", &["core"]),
    ("redis", "what nodes share and may lose, on Redis", &["core"]),
    ("web", "fittings of our own doors", &["core"]),
    (
        "channels/kit",
        "what a channel must be: the suite, a gateway's memory",
        &["core"],
    ),
    (
        "channels/kit/template",
        "a channel that is not written yet",
        CHANNEL_KNOWS,
    ),
    (
        "scripts",
        "the host of rules written in Luau, the platform's own rules, examples",
        &["core"],
    ),
    (
        "plugins/member-builtin",
        "a membership that the platform keeps for a merchant",
        PLUGIN_KNOWS,
    ),
    (
        "plugins/member-http",
        "a merchant's own membership system, over HTTP",
        PLUGIN_KNOWS,
    ),
    ("payment-api", "HTTP: tills, the App, notifications", &["core", "web"]),
    (
        "server",
        "command line, configuration, registry, wiring, demo",
        &[
            "core",
            "migrations",
            "channels/simulator",
            "outbound",
            "redis",
            "scripts",
            "plugins/member-builtin",
            "plugins/member-http",
            "web",
            "payment-api",
        ],
    ),
    (
        "tests",
        "stories, faults, bad input, tidy",
        &["core", "server", "channels/simulator"],
    ),
    (
        "fuzz",
        "every parser of input from outside, and the inputs worth keeping",
        &["core", "outbound", "web"],
    ),
];

/// What an adapter may know. Each folder beneath `channels` that is not a room of its own is one: a new channel needs no line
/// here.
const CHANNEL_KNOWS: &[&str] = &["core", "outbound"];

/// What a membership system may know.
const PLUGIN_KNOWS: &[&str] = &["core", "outbound"];

struct Room {
    folder: String,
    what: String,
    knows: Vec<String>,
}

/// The house: the rooms above, and the channels where the first of them would stand.
fn house() -> Vec<Room> {
    let own = |all: &[&str]| all.iter().map(|room| (*room).to_owned()).collect::<Vec<String>>();
    let channels = channels();
    let mut house = Vec::new();
    for (folder, what, knows) in ROOMS {
        let mut knows = own(knows);
        if matches!(*folder, "server" | "fuzz") {
            knows.extend(channels.iter().cloned());
        }
        house.push(Room {
            folder: (*folder).to_owned(),
            what: (*what).to_owned(),
            knows,
        });
        if *folder == "channels/kit/template" {
            house.extend(channels.iter().map(|folder| Room {
                folder: folder.clone(),
                what: described(folder),
                knows: own(CHANNEL_KNOWS),
            }));
        }
    }
    house
}

/// The folders of the adapters.
fn channels() -> Vec<String> {
    let folders = fs::read_dir(root().join("channels")).expect("there are channels");
    let named = folders
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists());
    let mut named: Vec<String> = named
        .map(|entry| format!("channels/{}", entry.file_name().to_string_lossy()))
        .filter(|folder| !ROOMS.iter().any(|(room, ..)| room == folder))
        .collect();
    named.sort();
    named
}

/// What a crate's manifest says that it is.
fn described(folder: &str) -> String {
    let manifest = read(&root().join(folder).join("Cargo.toml"));
    let line = manifest.lines().find_map(|line| line.strip_prefix("description = "));
    line.unwrap_or_default()
        .trim_matches('"')
        .trim_end_matches('.')
        .to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
        .to_path_buf()
}

fn read(path: &Path) -> String {
    let text = fs::read_to_string(path);
    assert!(text.is_ok(), "{} cannot be read", path.display());
    text.unwrap_or_default()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Names of our crates in the ordinary dependencies of a manifest.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = read(&root().join(folder).join("Cargo.toml"));
    let ordinary = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let ordinary = ordinary.split("\n[").next().unwrap_or_default();
    let names = ordinary.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names
        .filter(|name| name.starts_with("metropay-"))
        .map(str::to_owned)
        .collect()
}

fn package(folder: &str) -> String {
    let manifest = read(&root().join(folder).join("Cargo.toml"));
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = "));
    name.expect("a package has a name").trim_matches('"').to_owned()
}

#[test]
fn every_room_knows_only_the_rooms_beneath_it() {
    let house = house();
    let packages: BTreeMap<String, &String> = house.iter().map(|room| (package(&room.folder), &room.folder)).collect();
    for Room { folder, knows, .. } in &house {
        for name in dependencies(folder) {
            let room = packages
                .get(&name)
                .unwrap_or_else(|| panic!("{name} is not in the plan of the house"));
            assert!(
                knows.contains(room),
                "{folder} must not know {room}. Move what it needs down, or ask through a contract in core."
            );
        }
    }
}

#[test]
fn every_crate_of_the_workspace_is_in_the_plan() {
    let manifest = read(&root().join("Cargo.toml"));
    let members = manifest
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap_or_default();
    let house = house();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(
            house.iter().any(|room| room.folder == member),
            "{member} has no place in tests/tests/tidy.rs"
        );
    }
}

#[test]
fn sql_stands_in_the_tables_room_and_in_the_migrations_only() {
    for Room { folder, .. } in house() {
        for path in sources(&root().join(&folder).join("src")) {
            let shown = path
                .strip_prefix(root())
                .expect("a source of ours")
                .display()
                .to_string();
            // The harness makes and drops whole databases; it knows no table.
            let makes_databases = shown == "tests/src/store.rs";
            if shown.starts_with("core/src/store/") || shown.starts_with("migrations/") || makes_databases {
                continue;
            }
            let text = read(&path);
            for word in [
                "sea_query::Query",
                "EntityTrait",
                "execute_unprepared",
                "from_sql",
                "Statement::",
            ] {
                assert!(
                    !text.contains(word),
                    "{shown} writes SQL ({word}). Give the statement a name in core/src/store and call that."
                );
            }
        }
    }
}

#[test]
fn words_know_no_flow_and_contracts_know_no_flow() {
    let words = [
        "clock",
        "id",
        "invariant",
        "limit",
        "metric",
        "money",
        "random",
        "secret",
    ];
    for word in words {
        let text = read(&root().join(format!("core/src/{word}.rs")));
        for line in text.lines().filter(|line| line.trim_start().starts_with("use crate::")) {
            let known = line
                .trim_start()
                .trim_start_matches("use crate::")
                .split([':', ';', '{'])
                .next();
            let known = known.unwrap_or_default();
            assert!(
                words.contains(&known) || known.is_empty(),
                "core/src/{word}.rs is a word and must not know {known}"
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for Room { folder, .. } in house() {
        for path in sources(&root().join(&folder).join("src")) {
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = read(&path);
            assert!(
                text.starts_with("//!"),
                "{} begins without a sentence that says what it is",
                path.display()
            );
        }
    }
}

#[test]
fn every_decision_is_short_and_no_link_of_the_documentation_is_dead() {
    for entry in fs::read_dir(root().join("docs/adr"))
        .expect("there are decisions")
        .flatten()
    {
        let lines = read(&entry.path()).lines().count();
        assert!(
            lines <= 40,
            "{} has {lines} lines; a decision is told in forty",
            entry.path().display()
        );
    }
    for page in [
        "README.md",
        "README.zh-CN.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/add-a-channel.md",
        "docs/channel-duties.md",
        "docs/operations.md",
        "docs/reliability.md",
        "docs/performance.md",
    ] {
        let page = root().join(page);
        for link in read(&page)
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let local = !link.starts_with("http") && !link.starts_with('#');
            let target = page
                .parent()
                .expect("a page has a folder")
                .join(link.split('#').next().unwrap_or_default());
            assert!(
                !local || target.exists(),
                "{} links to {link}, which is not there",
                page.display()
            );
        }
    }
}

#[test]
fn every_test_that_the_page_on_reliability_names_exists() {
    let mut tests = String::new();
    for folder in ["tests/tests", "server/tests", "core/src", "payment-api/tests"] {
        for path in sources(&root().join(folder)) {
            tests.push_str(&read(&path));
        }
    }
    let page = read(&root().join("docs/reliability.md"));
    let proofs = page.lines().filter(|line| line.starts_with('|'));
    let named = proofs.flat_map(|line| {
        line.rsplit('|')
            .nth(1)
            .unwrap_or_default()
            .split('`')
            .skip(1)
            .step_by(2)
    });
    let missing: Vec<&str> = named.filter(|name| !tests.contains(&format!("fn {name}("))).collect();
    // Stories of all channels are made by a list of channels; their names are joined there.
    let channels = ["wechat", "alipay", "unionpay"];
    let missing: Vec<&str> = missing
        .into_iter()
        .filter(|name| {
            !channels
                .iter()
                .any(|channel| name.contains(channel) && tests.contains(name))
        })
        .collect();
    assert!(
        missing.is_empty(),
        "docs/reliability.md names tests that are not there: {missing:?}"
    );
}

#[test]
fn every_linked_channel_is_played_by_the_conformance_suite() {
    let registry = read(&root().join("server/src/registry.rs"));
    let linked = |folder: &String| registry.contains(&package(folder).replace('-', "_"));
    let all = channels();
    let linked: Vec<&String> = all.iter().filter(|folder| linked(folder)).collect();
    // Membership systems stand in a list of their own.
    let list = registry.split("pub fn members").next().unwrap_or_default();
    let lines = list.matches(".with(").count();
    assert_eq!(
        linked.len(),
        lines,
        "server/src/registry.rs links {lines} channels, of which {linked:?} stand beneath channels/"
    );
    for folder in linked {
        let test = root().join(folder).join("tests/conformance.rs");
        let text = fs::read_to_string(&test).unwrap_or_default();
        assert!(
            text.contains("conformance(") && text.contains("assert_holds()"),
            "{folder} is linked, and {} does not play it. See docs/add-a-channel.md.",
            test.display()
        );
        let marks = sources(&root().join(folder))
            .iter()
            .filter(|path| read(path).contains("FILL IN:"))
            .count();
        assert_eq!(
            marks, 0,
            "{folder} is linked, and {marks} of its files are still to be filled in"
        );
    }
}

/// Lines of a room's sources, without tests.
fn lines(folder: &str) -> usize {
    let count = |path: &PathBuf| {
        read(path)
            .split("\n#[cfg(test)]\nmod ")
            .next()
            .unwrap_or_default()
            .lines()
            .count()
    };
    let code = sources(&root().join(folder).join("src"));
    code.iter().filter(|path| !path.ends_with("tests.rs")).map(count).sum()
}

const BEGIN: &str = "<!-- house: written by `make regen` -->\n";
const END: &str = "<!-- /house -->";

#[test]
fn the_plan_in_the_documentation_is_the_house_as_it_is() {
    let page = root().join("docs/architecture.md");
    let text = read(&page);
    let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the house");
    let (shown, after) = rest.split_once(END).expect("the page has a place for the house");
    if std::env::var_os("METROPAY_REGEN").is_some() {
        let mut plan = String::from("| room | what it is | knows | lines |\n|---|---|---|---:|\n");
        for Room { folder, what, knows } in house() {
            let knows = if knows.is_empty() {
                "–".to_owned()
            } else {
                knows.join(", ")
            };
            plan.push_str(&format!("| `{folder}/` | {what} | {knows} | {} |\n", lines(&folder)));
        }
        fs::write(&page, format!("{before}{BEGIN}{plan}{END}{after}")).expect("the page can be written");
        return;
    }
    for Room { folder, .. } in house() {
        let row = shown.lines().find(|line| line.starts_with(&format!("| `{folder}/` |")));
        let row = row.unwrap_or_else(|| panic!("{folder} is missing in docs/architecture.md; mend with: make regen"));
        let said: usize = row
            .trim_end_matches(" |")
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let is = lines(&folder);
        // A page need not follow every commit; a tenth off is a lie.
        assert!(
            said.abs_diff(is) * 10 <= is,
            "{folder} has {is} lines, docs/architecture.md says {said}; mend with: make regen"
        );
    }
}
