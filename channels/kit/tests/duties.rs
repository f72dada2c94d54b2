//! The duties that core imposes, the list of them here, the properties that hold them, and the page that tells of them: in step.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use metropay_channel_kit::duty::DUTIES;
use metropay_channel_kit::properties;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

/// The duties of a file of core: what stands in its first comment behind a number, or behind `Duty:`.
fn imposed(file: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let mut duties: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().take_while(|line| line.starts_with("//!")) {
        let line = line.trim_start_matches("//!").trim();
        let numbered = line.split_once(". ").filter(|(number, _)| number.parse::<u8>().is_ok());
        if let Some((_, duty)) = numbered {
            duties.push(duty.to_owned());
            open = true;
        } else if line.starts_with("Duty: ") {
            duties.push(line.to_owned());
            open = true;
        } else if line.is_empty() {
            open = false;
        } else if let (true, Some(duty)) = (open, duties.last_mut()) {
            duty.push(' ');
            duty.push_str(line);
        }
    }
    duties
}

fn by_file() -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for duty in DUTIES {
        all.entry(duty.file).or_insert_with(|| imposed(duty.file));
    }
    all
}

#[test]
fn every_duty_of_core_is_listed_in_its_order_and_in_its_words() {
    for (file, texts) in by_file() {
        let listed: Vec<&str> = DUTIES
            .iter()
            .filter(|duty| duty.file == file)
            .map(|duty| duty.begins)
            .collect();
        assert_eq!(texts.len(), listed.len(), "{file} imposes {texts:#?}");
        for (text, begins) in texts.iter().zip(listed) {
            assert!(
                text.starts_with(begins),
                "{file} imposes {text:?}, listed is {begins:?}"
            );
        }
    }
    // A file of abilities that is not looked at would impose what nobody holds.
    for entry in fs::read_dir(root().join("core/src/channel")).unwrap() {
        let path = entry.unwrap().path();
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        let imposes = fs::read_to_string(&path).unwrap().contains("//! 1. MUST");
        assert!(
            !imposes || DUTIES.iter().any(|duty| duty.file == shown),
            "{shown} imposes duties that src/duty.rs does not list"
        );
    }
}

#[test]
fn every_duty_is_held_by_a_property_and_every_property_holds_only_duties_that_are() {
    for duty in DUTIES {
        let held = properties().iter().any(|property| property.duties.contains(&duty.id));
        assert!(held, "{} ({}) is held by no property", duty.id, duty.begins);
    }
    let mut names = Vec::new();
    for property in properties() {
        for duty in property.duties {
            assert!(
                DUTIES.iter().any(|known| known.id == *duty),
                "{} holds {duty}",
                property.id
            );
        }
        assert!(
            !names.contains(&property.id),
            "two properties are called {}",
            property.id
        );
        names.push(property.id);
    }
}

const BEGIN: &str = "<!-- duties: written by `make regen` -->\n";
const END: &str = "<!-- /duties -->";

/// A text of a documentation comment without the links that only rustdoc follows.
fn plain(text: &str) -> String {
    let mut parts = text.split("](super::");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once(')').map_or("", |(_, rest)| rest));
    let whole: String = std::iter::once(first.as_str()).chain(rest).collect();
    whole.replace("[`", "`").replace("`]", "`")
}

fn table() -> String {
    let texts = by_file();
    let mut page = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for duty in DUTIES {
        let nth = counts.entry(duty.file).or_default();
        if *nth == 0 {
            page.push_str(&format!("\n### `{}`\n", duty.file));
        }
        page.push_str(&format!("\n**{}.** {}\n\n", duty.id, plain(&texts[duty.file][*nth])));
        *nth += 1;
        for property in properties()
            .iter()
            .filter(|property| property.duties.contains(&duty.id))
        {
            page.push_str(&format!("- `{}`: {}\n", property.id, property.says));
        }
    }
    page.push_str("\n### Beside the duties\n\n");
    for property in properties().iter().filter(|property| property.duties.is_empty()) {
        page.push_str(&format!("- `{}`: {}\n", property.id, property.says));
    }
    page
}

#[test]
fn the_page_of_duties_tells_what_the_suite_holds() {
    let page = root().join("docs/channel-duties.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the duties");
    let (shown, after) = rest.split_once(END).expect("the page has a place for the duties");
    if std::env::var_os("METROPAY_REGEN").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(shown, table(), "mend with: make regen");
}
