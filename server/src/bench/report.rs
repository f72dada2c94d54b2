//! The figures: as a table for people, and as JSON.
#![expect(
    clippy::float_arithmetic,
    reason = "measurements in other units, and no money among them"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::drive::Driven;
use super::measure::Summary;
use super::settings::Pace;

/// Everything that a measurement found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which scenario.
    pub scenario: &'static str,
    /// On what machine, with what settings.
    pub environment: Value,
    /// What was measured, in order.
    pub phases: Vec<Phase>,
    /// What was found beside requests: times from record to App, memory of connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// Whether the books hold afterwards: `sound`, the invariants that are broken, or `not checked`.
    pub books: String,
}

/// A stretch of measured requests.
#[derive(Debug, Serialize)]
pub struct Phase {
    /// What was asked: `applypay`, `orderquery`, …
    pub name: &'static str,
    /// How requests came.
    pub pace: Pace,
    /// How long it was measured.
    pub seconds: u64,
    /// Requests that were due in that time.
    pub asked: u64,
    /// Answers as wanted that came in that time: payments, where payments were asked for.
    pub done: u64,
    /// Those in a second.
    pub per_second: f64,
    /// From when a request was due to its answer.
    pub(super) latency: Summary,
    /// How much later than due the driver began its requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) driver_late: Option<Summary>,
    /// How many requests ended how.
    pub answers: BTreeMap<String, u64>,
    /// Those among them that were not wanted.
    pub errors: BTreeMap<String, u64>,
    /// CPU time of the server for each answer as wanted, user and kernel, in milliseconds; nothing where it is not known.
    pub server_cpu_ms_each: Option<f64>,
    /// The part of it in the kernel.
    pub server_cpu_kernel_ms_each: Option<f64>,
    /// CPU time of the simulated gateways, likewise.
    pub gateways_cpu_ms_each: Option<f64>,
    /// CPU time of the driver, likewise.
    pub driver_cpu_ms_each: Option<f64>,
    /// Resident memory of the server's processes at the end, in KiB.
    pub server_rss_kib: u64,
    /// Statements on the database for each answer as wanted, those of jobs in the background among them.
    pub statements_each: Option<f64>,
}

/// What was found of event streams.
#[derive(Debug, Serialize)]
pub struct Events {
    /// Streams that were open.
    pub streams: u64,
    /// How long it took to open them all, in milliseconds.
    pub opened_in_ms: u64,
    /// Streams that were refused, by the reason.
    pub refused: BTreeMap<String, u64>,
    /// Streams that broke off while they should have stood.
    pub broken: u64,
    /// Memory of the server per stream, in bytes.
    pub bytes_per_stream: Option<u64>,
    /// `payment.succeeded` that came within the measured time.
    pub told: u64,
    /// From `at` of the event to its arrival: `at` is the server's clock when it began to write the event down, cut to the
    /// millisecond, so this holds the transaction, too, and up to a millisecond that is not there.
    pub(super) recorded_to_app: Summary,
    /// From when the payment was due at the till to the arrival of its event.
    pub(super) due_to_app: Summary,
}

impl Phase {
    pub(super) fn of(name: &'static str, pace: Pace, driven: Driven, server_rss_kib: u64) -> Self {
        let Driven {
            seconds,
            counts,
            latency,
            late,
            usage,
        } = driven;
        let each = |ms: u64| (counts.done > 0 && ms > 0).then(|| ratio(ms, counts.done));
        Self {
            name,
            pace,
            seconds,
            asked: counts.asked,
            done: counts.done,
            per_second: ratio(counts.done, seconds),
            latency,
            driver_late: late,
            answers: counts.words,
            errors: counts.errors,
            server_cpu_ms_each: each(usage.server.total_ms()),
            server_cpu_kernel_ms_each: each(usage.server.system_ms),
            gateways_cpu_ms_each: each(usage.gateways.total_ms()),
            driver_cpu_ms_each: each(usage.driver.total_ms()),
            server_rss_kib,
            statements_each: usage.statements.and_then(each),
        }
    }
}

/// A ratio, to a thousandth.
fn ratio(of: u64, to: u64) -> f64 {
    let (of, to) = (as_f64(of), as_f64(to.max(1)));
    (of / to * 1_000.0).round() / 1_000.0
}

fn as_f64(number: u64) -> f64 {
    // Counts and milliseconds of a measurement are far below 2^32.
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

impl Report {
    /// Answers that were not as wanted, over all phases.
    pub fn errors(&self) -> u64 {
        self.phases.iter().flat_map(|phase| phase.errors.values()).sum()
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{name:<34}{value}");
        };
        for phase in &self.phases {
            phase.lines(&mut line);
        }
        if let Some(events) = &self.events {
            events.lines(&mut line);
        }
        line("books", self.books.clone());
        text
    }
}

impl Phase {
    fn lines(&self, line: &mut impl FnMut(&str, String)) {
        let pace = match self.pace {
            Pace::Open { per_second, arrivals } => format!("{per_second}/s due ({arrivals:?} arrivals)"),
            Pace::Closed { in_flight } => format!("{in_flight} at a time"),
        };
        line(self.name, format!("{pace}, {} s", self.seconds));
        line("  as wanted", format!("{} = {:.1}/s", self.done, self.per_second));
        line("  latency, ms", times(&self.latency));
        if let Some(late) = &self.driver_late {
            line("  of it the driver's own, ms", times(late));
        }
        let told = |words: &BTreeMap<String, u64>| {
            let all: Vec<String> = words.iter().map(|(word, count)| format!("{word} {count}")).collect();
            if all.is_empty() {
                "none".to_owned()
            } else {
                all.join(", ")
            }
        };
        line("  errors", told(&self.errors));
        let each = |cost: Option<f64>| cost.map_or_else(|| "not known".to_owned(), |ms| format!("{ms:.3}"));
        line(
            "  server's CPU, ms each",
            format!(
                "{} (kernel {})",
                each(self.server_cpu_ms_each),
                each(self.server_cpu_kernel_ms_each)
            ),
        );
        if self.gateways_cpu_ms_each.is_some() {
            line("  gateways' CPU, ms each", each(self.gateways_cpu_ms_each));
        }
        line("  driver's CPU, ms each", each(self.driver_cpu_ms_each));
        line(
            "  server's memory, MiB",
            format!("{:.1}", as_f64(self.server_rss_kib) / 1_024.0),
        );
        if self.statements_each.is_some() {
            line("  statements each", each(self.statements_each));
        }
    }
}

impl Events {
    fn lines(&self, line: &mut impl FnMut(&str, String)) {
        line("event streams", format!("{} in {} ms", self.streams, self.opened_in_ms));
        line("  refused, broken off", format!("{:?}, {}", self.refused, self.broken));
        if let Some(bytes) = self.bytes_per_stream {
            line("  server's memory each, KiB", format!("{:.1}", as_f64(bytes) / 1_024.0));
        }
        line("  events", self.told.to_string());
        line("  recorded to App, ms", times(&self.recorded_to_app));
        line("  due at the till to App, ms", times(&self.due_to_app));
    }
}

fn times(times: &Summary) -> String {
    let ms = |us: u64| as_f64(us) / 1_000.0;
    format!(
        "p50 {:.2}  p90 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2}",
        ms(times.p50_us),
        ms(times.p90_us),
        ms(times.p99_us),
        ms(times.p999_us),
        ms(times.max_us)
    )
}
