//! Counting the lines of the log that somebody should read.

use metrics::counter;
use metropay_core::metric;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Counts what is logged at level error or warn, whatever of it the log's filter lets through.
pub struct CountLines;

impl<S: Subscriber> Layer<S> for CountLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            _ => return,
        };
        counter!(metric::LOG_EVENTS, "level" => level).increment(1);
    }
}
