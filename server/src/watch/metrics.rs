//! `/metrics`: the figures of this process in Prometheus's text form, rendered when they are asked for.
//!
//! Figures belong to the process. Where several servers live in one, as in tests, they share them; what is looked up at a
//! scrape (pools, backlog) is that of the server which is asked.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Recorder, counter, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metropay_core::audit::alarm::AlarmKind;
use metropay_core::audit::gauge as gauges;
use metropay_core::engine::Engine;
use metropay_core::metric::{self, METRICS, MetricKind};
use tokio::sync::Mutex;

use super::process;

/// How often what was observed is summed up, so that a process which nobody scrapes does not grow.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long the database may take to tell what is due.
const DATABASE_WAIT: Duration = Duration::from_secs(2);

/// The content type of the text form.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The figures of this process.
#[derive(Clone)]
pub struct Figures {
    handle: PrometheusHandle,
}

static FIGURES: OnceLock<Option<Figures>> = OnceLock::new();
/// Scrapes of several servers in one process must not mix what each looks up.
static SCRAPE: Mutex<()> = Mutex::const_new(());

impl Figures {
    /// The figures of this process, which are kept from the first call on. Nothing where another library keeps them.
    pub fn keep() -> Option<Self> {
        FIGURES.get_or_init(Self::install).clone()
    }

    fn install() -> Option<Self> {
        let mut builder = PrometheusBuilder::new();
        for metric in METRICS.iter().filter(|metric| metric.kind == MetricKind::Histogram) {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), metric.buckets)
                .ok()?;
        }
        let recorder = builder.build_recorder();
        for metric in METRICS {
            let (name, means) = (metric.name.into(), metric.means.into());
            match metric.kind {
                MetricKind::Counter => recorder.describe_counter(name, None, means),
                MetricKind::Gauge => recorder.describe_gauge(name, None, means),
                MetricKind::Histogram => recorder.describe_histogram(name, None, means),
            }
        }
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        begin_at_zero();
        Some(Self { handle })
    }

    /// Sums up, again and again.
    pub async fn upkeep(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.handle.run_upkeep();
        }
    }

    /// Looks up what is looked up at a scrape, and renders everything.
    pub async fn scrape(&self, engine: &Engine) -> String {
        let _alone = SCRAPE.lock().await;
        process::look();
        gauges::at_hand(engine);
        let read = tokio::time::timeout(DATABASE_WAIT, gauges::from_database(engine)).await;
        if let Err(why) = read
            .map_err(|late| late.to_string())
            .and_then(|read| read.map_err(|p| p.to_string()))
        {
            tracing::warn!("what is due cannot be told: {why}");
            counter!(metric::GAUGES_UNREAD).increment(1);
            gauges::unknown();
        }
        self.handle.render()
    }
}

/// What has not happened yet is 0, so that its first time is seen as a rise.
fn begin_at_zero() {
    for kind in AlarmKind::ALL {
        counter!(metric::ALARMS, "kind" => kind.word()).increment(0);
    }
    for level in ["error", "warn"] {
        counter!(metric::LOG_EVENTS, "level" => level).increment(0);
    }
    for kind in ["stream", "poll"] {
        gauge!(metric::EVENT_CONNECTIONS, "kind" => kind).increment(0.0);
    }
    counter!(metric::WAKE_UPS).increment(0);
    counter!(metric::GAUGES_UNREAD).increment(0);
    gauge!(metric::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
