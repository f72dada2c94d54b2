//! `/metrics`, read.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use metropay_tests::World;

/// A line: a name, its labels, and how much.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// What was scraped.
#[derive(Debug, Clone)]
pub(crate) struct Scrape {
    pub(crate) text: String,
    pub(crate) lines: Vec<Line>,
}

impl Scrape {
    /// Scrapes a world's server.
    pub(crate) async fn of(world: &World) -> Result<Self> {
        let ops = world.server.ops_url().context("a world has an operators' listener")?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let answer = http.get(format!("{ops}/metrics")).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let kind = answer.headers().get("content-type").context("it says what it is")?;
        ensure!(kind.to_str()?.starts_with("text/plain; version=0.0.4"), "{kind:?}");
        Self::read(answer.text().await?)
    }

    fn read(text: String) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let lines = lines
            .map(|line| read(line).with_context(|| line.to_owned()))
            .collect::<Result<_>>()?;
        Ok(Self { text, lines })
    }

    /// The sum of all lines of this name that have these labels; 0 where there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |line: &&Line| {
            let has = |(key, value): &(&str, &str)| line.labels.get(*key).is_some_and(|label| label == value);
            line.name == name && labels.iter().all(has)
        };
        self.lines.iter().filter(fits).map(|line| line.value).sum()
    }
}

fn read(line: &str) -> Result<Line> {
    let (head, value) = line.rsplit_once(' ').context("a line has a value")?;
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let mut labels = labels.strip_suffix('}').context("labels end")?;
    let mut read = BTreeMap::new();
    // No label of ours holds a quotation mark, so that none is escaped.
    while let Some((key, rest)) = labels.split_once("=\"") {
        let (value, rest) = rest.split_once('"').context("a label's value ends")?;
        read.insert(key.to_owned(), value.to_owned());
        labels = rest.trim_start_matches(',');
    }
    Ok(Line {
        name: name.to_owned(),
        labels: read,
        value: value.parse()?,
    })
}
