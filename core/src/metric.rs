//! What is measured: every metric once, with its kind, its labels and what it means. Code names metrics by these constants
//! only; the descriptions of `/metrics` and the page for operators (`docs/metrics.md`) are held to this list.
//!
//! Labels are of few values (a channel, a state, an outcome, a route's template): never a user, a merchant, a number or a
//! code. What tells of a change in the books is counted when its transaction is committed ([`Tx::after_commit`]).
//!
//! [`Tx::after_commit`]: crate::store::Tx::after_commit

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// By which constant code names it.
    pub constant: &'static str,
    /// Under which it is scraped; its unit is its ending.
    pub name: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// By what it is told apart.
    pub labels: &'static [&'static str],
    /// What it means.
    pub means: &'static str,
    /// Upper edges of a histogram's buckets, in the metric's unit.
    pub buckets: &'static [f64],
}

/// Edges for what a person waits for: from one millisecond to a till's whole time and beyond.
const WAITS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 10.0, 30.0,
];
/// Edges for what may take until its channel knows: from the till's time to a day.
const ENDS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0, 1_800.0, 86_400.0,
];
/// Edges for work of our own.
const TURNS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Declares the metrics, so that one without a description does not exist.
macro_rules! metrics {
    ($($constant:ident = $kind:ident($name:literal, [$($label:literal),*] $(, $buckets:ident)?), $means:literal;)*) => {
        $(#[doc = $means] pub const $constant: &str = $name;)*

        /// All of them, in the order of the page for operators.
        pub static METRICS: &[Metric] = &[$(Metric {
            constant: stringify!($constant),
            name: $name,
            kind: MetricKind::$kind,
            labels: &[$($label),*],
            means: $means,
            buckets: metrics!(@buckets $($buckets)?),
        },)*];
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

metrics! {
    // Payments.
    PAYMENTS_PLACED = Counter("metropay_payments_placed_total", ["channel", "product"]),
        "Payments written down as PAYING, before their channel is called.";
    PAYMENTS = Counter("metropay_payments_total", ["channel", "product", "state"]),
        "Payments that reached their end: success, failed or closed.";
    PAYMENTS_REFUSED = Counter("metropay_payments_refused_total", ["code"]),
        "Wishes to pay that were refused before anything was written down, by the code of the answer.";
    PAYMENT_DURATION = Histogram("metropay_payment_duration_seconds", ["channel", "state"], ENDS),
        "Time from writing a payment down to its end.";
    REFUNDS = Counter("metropay_refunds_total", ["channel", "kind", "state"]),
        "Refunds that reached their end: done or failed; kind tells the merchant's from compensations.";
    REVERSALS = Counter("metropay_reversals_total", ["channel", "origin", "result"]),
        "Reversals that reached their end: never_paid, money_back or refused; origin tells the till's from the platform's own.";
    MANDATES = Counter("metropay_mandate_transitions_total", ["channel", "state"]),
        "Mandates that came into a state: pending, active, suspended or closed.";
    NOTICES = Counter("metropay_notices_total", ["channel", "outcome"]),
        "Notifications of channels: applied, deferred (to be applied again), quarantined or refused (not genuine).";
    MEMBER_QUESTIONS = Counter("metropay_member_questions_total", ["system", "outcome"]),
        "Questions to merchants' membership systems: answered, or what went wrong, by its word.";
    WEBHOOKS = Counter("metropay_webhooks_total", ["outcome"]),
        "Attempts to tell merchants' endpoints: delivered, not_taken (told again later) or dead (given up after three days).";
    ALARMS = Counter("metropay_alarms_total", ["kind"]),
        "Alarms raised for a person to look at.";

    // Doors.
    REQUEST_DURATION = Histogram("metropay_http_request_duration_seconds", ["route", "class"], WAITS),
        "Time from a request's arrival to the beginning of its answer, by route template and status class.";
    TURNED_AWAY = Counter("metropay_requests_turned_away_total", ["lane"]),
        "Requests that were told to come again before anything was done, because the lane's connections were all in use.";
    EVENT_CONNECTIONS = Gauge("metropay_event_connections", ["kind"]),
        "Apps that wait for events now, by stream or by long-poll.";
    WAKE_UPS = Counter("metropay_wake_ups_total", []),
        "Wake-ups sent to whoever waits for a user's events.";

    // Channels.
    CHANNEL_CALLS = Counter("metropay_channel_calls_total", ["channel", "operation", "outcome"]),
        "Calls of channels: done, refused, pending, not_sent (nothing left this machine) or maybe_done (no understood answer).";
    CHANNEL_CALL_DURATION = Histogram("metropay_channel_call_duration_seconds", ["channel", "operation"], WAITS),
        "Time that calls of channels took.";
    BREAKERS = Gauge("metropay_channel_breakers", ["channel", "state"]),
        "Channel accounts by the state of their breaker, as this process sees them: closed, open or trying.";
    OUTBOUND = Counter("metropay_outbound_requests_total", ["peer", "outcome"]),
        "Requests that left by HTTP: the answer's status class, or not_sent or maybe_done without an answer.";
    OUTBOUND_DURATION = Histogram("metropay_outbound_request_duration_seconds", ["peer"], WAITS),
        "Time from sending a request by HTTP to the head of its answer.";

    // Work.
    WORK_DUE = Gauge("metropay_work_due", ["kind"]),
        "Rows whose time to be looked at has come: payments in PAYING, refunds, reversals, notices, contracts.";
    WORK_OLDEST_DUE = Gauge("metropay_work_oldest_due_seconds", ["kind"]),
        "For how long the oldest of them has been due; 0 where none is.";
    PAYMENTS_OPEN = Gauge("metropay_payments_open", []),
        "Payments in PAYING, due or not.";
    ENDPOINTS = Gauge("metropay_webhook_endpoints", ["state"]),
        "Merchants' endpoints: active, resting (active, and too many failures in a row), unproven, disabled (by the merchant) or gone (410).";
    ENTRIES_UNSEALED = Gauge("metropay_ledger_unsealed_entries", []),
        "Entries of the ledger behind the last sealed block.";
    JOB_TURNS = Counter("metropay_job_turns_total", ["job", "outcome"]),
        "Turns of jobs: worked, idle (nothing to do), elsewhere (another node has the lease) or failed.";
    JOB_DURATION = Histogram("metropay_job_turn_duration_seconds", ["job"], TURNS),
        "Time that turns of jobs took on this node, where it had the lease.";
    JOB_LAST_SUCCESS = Gauge("metropay_job_last_success_timestamp_seconds", ["job"]),
        "When a job's last turn on this node went well, in Unix seconds.";
    JOB_LEASE = Gauge("metropay_job_lease_held", ["job"]),
        "1 while this node has the job's lease, 0 while another has it.";

    // The database.
    DATABASE_CONNECTIONS = Gauge("metropay_database_connections", ["pool", "state"]),
        "Connections of a pool to the database: idle or used.";
    DATABASE_CONNECTIONS_MAX = Gauge("metropay_database_connections_max", ["pool"]),
        "Connections that a pool may have.";
    PHASES_TORN = Counter("metropay_database_conflicts_total", ["then"]),
        "Transactions that the database took back for another's sake (deadlock, serialization failure): repeated or given_up.";
    GAUGES_UNREAD = Counter("metropay_gauges_unread_total", []),
        "Scrapes for which the database did not tell in time what is due; those gauges are NaN then.";

    // The process.
    CLOCK_OFFSET = Gauge("metropay_clock_offset_seconds", []),
        "How far this machine's clock is ahead of the database's; 0 where the database is embedded.";
    BUILD_INFO = Gauge("metropay_build_info", ["version"]),
        "Always 1; the version is the label.";
    LOG_EVENTS = Counter("metropay_log_events_total", ["level"]),
        "Lines logged at level error or warn.";
    TRACE_EXPORTS = Counter("metropay_trace_exports_total", ["outcome"]),
        "Batches of spans handed to the collector of traces: done or failed.";
    PROCESS_START = Gauge("metropay_process_start_time_seconds", []),
        "When the process began, in Unix seconds.";
    PROCESS_CPU = Gauge("metropay_process_cpu_seconds", []),
        "Processor time that the process has used, user and system together; only grows.";
    PROCESS_MEMORY = Gauge("metropay_process_resident_memory_bytes", []),
        "Memory of the process that is resident.";
    PROCESS_FDS = Gauge("metropay_process_open_fds", []),
        "Open file descriptors.";
    PROCESS_FDS_MAX = Gauge("metropay_process_max_fds", []),
        "File descriptors that may be open.";
}

/// A number as gauges take it.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is read by people; above 2^53 the last digits do not matter"
)]
pub fn level<N: TryInto<i64>>(number: N) -> f64 {
    number.try_into().unwrap_or(i64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_convention_and_are_told_once() {
        let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        for metric in METRICS {
            let name = metric.name;
            assert!(name.starts_with("metropay_"), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == MetricKind::Counter,
                "{name}: counters, and only they, end in _total"
            );
            let histogram = metric.kind == MetricKind::Histogram;
            assert_eq!(histogram, !metric.buckets.is_empty(), "{name}");
            assert!(!histogram || name.ends_with("_seconds"), "{name} has no unit");
            assert!(metric.buckets.is_sorted(), "{name}");
            for ending in ["ms", "millis", "fen", "kb"] {
                assert!(!name.ends_with(ending), "{name} is not in a base unit");
            }
        }
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
