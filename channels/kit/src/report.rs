//! What the suite found, as a table.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What became of one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, in so many cases.
    Holds(u32),
    /// It does not: what was seen instead.
    Broken(Vec<String>),
    /// There was nothing to try it on, and why.
    NotApplicable(String),
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The property's name.
    pub id: &'static str,
    /// What it demands.
    pub says: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// What the gateway could not play.
    pub not_played: Vec<String>,
}

/// What the suite found out about a channel.
#[derive(Debug, Clone)]
pub struct Report {
    /// The channel.
    pub channel: &'static str,
    /// A line for each property.
    pub rows: Vec<Row>,
}

impl Report {
    /// The properties that do not hold.
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Broken(_)));
        broken.map(|row| row.id).collect()
    }

    /// The properties that there was nothing to try on.
    pub fn not_applicable(&self) -> Vec<&'static str> {
        let idle = self.rows.iter();
        let idle = idle.filter(|row| matches!(row.verdict, Verdict::NotApplicable(_)));
        idle.map(|row| row.id).collect()
    }

    /// For tests: shows the table, and ends the test unless everything holds.
    ///
    /// # Panics
    /// When a property does not hold.
    pub fn assert_holds(&self) {
        println!("{self}");
        let broken = self.broken();
        assert!(
            broken.is_empty(),
            "{} is not as a channel must be: {}",
            self.channel,
            broken.join(", ")
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
        writeln!(f, "channel {}", self.channel)?;
        for row in &self.rows {
            let (mark, cases) = match &row.verdict {
                Verdict::Holds(cases) => ("✓", format!(" ({cases})")),
                Verdict::Broken(_) => ("✗", String::new()),
                Verdict::NotApplicable(_) => ("–", String::new()),
            };
            writeln!(f, "{mark} {:<width$}  {}{cases}", row.id, row.says)?;
            match &row.verdict {
                Verdict::Broken(seen) => seen
                    .iter()
                    .try_for_each(|seen| writeln!(f, "  {:<width$}  seen: {seen}", ""))?,
                Verdict::NotApplicable(why) => writeln!(f, "  {:<width$}  not applicable: {why}", "")?,
                Verdict::Holds(_) => {}
            }
            if !row.not_played.is_empty() {
                writeln!(f, "  {:<width$}  not played: {}", "", row.not_played.join(", "))?;
            }
        }
        let count = |fits: fn(&Verdict) -> bool| self.rows.iter().filter(|row| fits(&row.verdict)).count();
        write!(
            f,
            "{} hold, {} do not, {} not applicable",
            count(|verdict| matches!(verdict, Verdict::Holds(_))),
            count(|verdict| matches!(verdict, Verdict::Broken(_))),
            count(|verdict| matches!(verdict, Verdict::NotApplicable(_))),
        )
    }
}

/// How many observations of one property are shown; the rest are like them.
const SEEN_MAX: usize = 6;

/// What a property sees while it is tried.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    cases: u32,
    broken: Vec<String>,
    not_played: Vec<String>,
    why_not: Option<String>,
}

impl Findings {
    fn with<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A case: `what` must be so.
    pub(crate) fn must(&self, so: bool, what: impl FnOnce() -> String) {
        self.with(|seen| {
            seen.cases = seen.cases.saturating_add(1);
            if !so {
                seen.broken.push(what());
            }
        });
    }

    /// Something went wrong that leaves nothing to judge.
    pub(crate) fn broke(&self, what: String) {
        self.with(|seen| seen.broken.push(what));
    }

    /// The gateway cannot play this.
    pub(crate) fn not_played(&self, what: String) {
        self.with(|seen| {
            if !seen.not_played.contains(&what) {
                seen.not_played.push(what);
            }
        });
    }

    /// There is nothing to try the property on.
    pub(crate) fn skip(&self, why: &str) {
        self.with(|seen| seen.why_not = Some(why.to_owned()));
    }

    /// The line of the table.
    pub(crate) fn row(&self, id: &'static str, says: &'static str) -> Row {
        self.with(|seen| Row {
            id,
            says,
            verdict: seen.verdict(),
            not_played: seen.not_played.clone(),
        })
    }
}

impl Seen {
    fn verdict(&self) -> Verdict {
        if !self.broken.is_empty() {
            let mut shown: Vec<String> = self.broken.iter().take(SEEN_MAX).cloned().collect();
            let rest = self.broken.len().saturating_sub(SEEN_MAX);
            if rest > 0 {
                shown.push(format!("and {rest} more"));
            }
            return Verdict::Broken(shown);
        }
        if self.cases > 0 {
            return Verdict::Holds(self.cases);
        }
        let why = self.why_not.clone();
        Verdict::NotApplicable(why.unwrap_or_else(|| "the gateway plays none of its cases".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_what_holds_what_does_not_and_what_was_not_played() {
        let holds = Findings::default();
        holds.must(true, String::new);
        holds.not_played("blind query".to_owned());
        let broken = Findings::default();
        broken.must(true, String::new);
        broken.must(false, || "two debits".to_owned());
        let idle = Findings::default();
        idle.skip("no codes");
        let report = Report {
            channel: "foo",
            rows: vec![holds.row("a", "A"), broken.row("bb", "B"), idle.row("c", "C")],
        };
        assert_eq!(
            report.to_string(),
            "channel foo\n✓ a   A (1)\n      not played: blind query\n✗ bb  B\n      seen: two debits\n– c   C\n      \
             not applicable: no codes\n1 hold, 1 do not, 1 not applicable"
        );
        assert_eq!((report.broken(), report.not_applicable()), (vec!["bb"], vec!["c"]));
    }

    #[test]
    #[should_panic(expected = "foo is not as a channel must be: bb")]
    fn what_does_not_hold_ends_a_test() {
        let broken = Findings::default();
        broken.broke("nothing worked".to_owned());
        let rows = vec![broken.row("bb", "B")];
        Report { channel: "foo", rows }.assert_holds();
    }
}
