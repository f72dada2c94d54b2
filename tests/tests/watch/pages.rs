//! The pages for operators name what there is, all of it, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use metropay_core::metric::{METRICS, Metric, MetricKind};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("the page is there")
}

/// The words of a text that look like names of our metrics.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("metropay_")).collect()
}

/// The metric that a name in an expression is about: a histogram is scraped under three.
fn metric_of(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| {
        let parts = ["_bucket", "_sum", "_count"];
        let part = || parts.iter().any(|part| name.strip_suffix(part) == Some(metric.name));
        metric.name == name || metric.kind == MetricKind::Histogram && part()
    })
}

#[test]
fn the_page_tells_of_every_metric_and_of_no_other() {
    let page = read("docs/metrics.md");
    for metric in METRICS {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", metric.name)));
        let row = row.unwrap_or_else(|| panic!("docs/metrics.md has no row for {}: {}", metric.name, metric.means));
        let cells: Vec<&str> = row.split(" | ").collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert_eq!(cells[1], kind, "{}", metric.name);
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() {
            "–".to_owned()
        } else {
            labels.join(", ")
        };
        assert_eq!(cells[2], labels, "{}", metric.name);
        assert!(
            cells.last().is_some_and(|worry| worry.len() > 10),
            "{}: when to worry?",
            metric.name
        );
    }
    for name in names(&page) {
        assert!(
            metric_of(name).is_some(),
            "docs/metrics.md tells of {name}, which is no metric"
        );
    }
}

#[test]
fn the_dashboard_shows_only_what_there_is_from_a_source_that_is_chosen() {
    let text = read("docs/grafana/metropay.json");
    let board: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let variable = &board["templating"]["list"][0];
    assert_eq!(
        (variable["type"].as_str(), variable["name"].as_str()),
        (Some("datasource"), Some("datasource"))
    );
    let panels = board["panels"].as_array().expect("it has panels");
    let mut shown = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a panel has a title");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"]
            .as_array()
            .unwrap_or_else(|| panic!("{title} asks for something"));
        for target in targets {
            let expr = target["expr"]
                .as_str()
                .unwrap_or_else(|| panic!("{title} has an expression"));
            assert!(!names(expr).is_empty(), "{title}: {expr}");
            for name in names(expr) {
                let metric = metric_of(name).unwrap_or_else(|| panic!("{title} shows {name}, which is no metric"));
                shown.insert(metric.name);
            }
        }
    }
    assert!(names(&text).into_iter().all(|name| metric_of(name).is_some()));
    assert!(shown.len() > METRICS.len() / 2, "the dashboard shows only {shown:?}");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_metric_is_measured_and_named_by_its_constant_alone() {
    let mut files = Vec::new();
    for room in ["core", "web", "outbound", "payment-api", "server", "channels"] {
        sources(&root().join(room), &mut files);
    }
    let texts: Vec<(PathBuf, String)> = files
        .into_iter()
        .filter(|path| !path.ends_with("core/src/metric.rs"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap_or_default()))
        .collect();
    assert!(texts.len() > 100, "the sources are there");
    for metric in METRICS {
        let constant = format!("metric::{}", metric.constant);
        let measured = |text: &str| {
            text.match_indices(&constant).any(|(at, _)| {
                let next = text[at + constant.len()..].chars().next();
                next.is_some_and(|letter| !letter.is_ascii_alphanumeric() && letter != '_')
            })
        };
        assert!(
            texts.iter().any(|(_, text)| measured(text)),
            "nothing measures {constant}"
        );
    }
    for (path, text) in &texts {
        for literal in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            assert!(
                !text.contains(literal),
                "{}: {literal}… names a metric by itself; give it a place in core/src/metric.rs",
                path.display()
            );
        }
    }
}
