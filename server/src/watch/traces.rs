//! Traces by OpenTelemetry's protocol over HTTP: where each payment spends its time. Off unless an endpoint is configured.
//!
//! Spans are batched by a thread of their own and dropped when its queue is full: a collector that hangs costs spans, never
//! a payment. Log lines are not part of traces, and no attribute holds a user, a code, a phone number or a secret.
//!
//! A caller's `traceparent` is a *link* of the request's span, never its parent. Callers are others' machines: as parents
//! they would decide how many of our traces are kept, and could weave requests of strangers into one trace. Whoever has
//! both traces finds ours from his by the link.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http::HeaderMap;
use metrics::counter;
use metropay_core::metric;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span as OwnSpan, SpanData, SpanExporter,
    SpanProcessor,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context as LayerContext, Filter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::config::TracesConfig;

/// Spans that wait for their batch; beyond them they are dropped.
const QUEUE_MAX: usize = 8_192;
/// Spans of a batch at most.
const BATCH_MAX: usize = 512;
/// How long a batch waits to become full.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// How long the collector may take to take a batch.
const EXPORT_WAIT: Duration = Duration::from_secs(3);
/// How long a stopping server gives the last batch.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Spans on their way to a collector.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Begins to trace; nothing where no endpoint is configured. Called within the runtime that will send the spans.
    ///
    /// # Errors
    /// When the section of the configuration cannot work.
    pub fn start(config: &TracesConfig) -> Result<Option<Self>> {
        let Some(target) = config.target()? else {
            return Ok(None);
        };
        let client = reqwest::Client::builder()
            .timeout(EXPORT_WAIT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("the client of traces.endpoint")?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(target.as_str())
            .with_timeout(EXPORT_WAIT)
            .build()
            .context("traces.endpoint")?;
        let exporter = OnRuntime {
            inner: Arc::new(exporter),
            runtime: Handle::current(),
        };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(BATCH_WAIT)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let resource = Resource::builder_empty()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                config.sample_ratio,
            ))))
            .with_resource(resource)
            .with_span_processor(Worthwhile(processor))
            .build();
        Ok(Some(Self { provider }))
    }

    /// The layer that turns our own spans into theirs.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("metropay"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(OurSpans)
            .boxed()
    }

    /// Sends what is left, for two seconds at most; what the collector does not take by then is lost.
    pub async fn stop(self) {
        let (done, ended) = oneshot::channel();
        // A thread and no task: a runtime that ends would wait for its blocking tasks, however long they take.
        std::thread::spawn(move || {
            let _ = done.send(self.provider.shutdown_with_timeout(STOP_WAIT));
        });
        match tokio::time::timeout(STOP_WAIT, ended).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans were not sent: {error}"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last spans were not sent in time"),
        }
    }
}

/// Links a request's span to the caller's, where the caller names one.
pub fn link(span: &Span, headers: &HeaderMap) {
    if !headers.contains_key(TRACEPARENT) {
        return;
    }
    let callers = TraceContextPropagator::new().extract_with_context(&Context::new(), &Caller(headers));
    let callers = callers.span().span_context().clone();
    if callers.is_valid() {
        span.add_link(callers);
    }
}

const TRACEPARENT: &str = "traceparent";

/// The one header that is taken from a caller. His `tracestate` is for others.
struct Caller<'a>(&'a HeaderMap);

impl Extractor for Caller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(TRACEPARENT).iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        (key == TRACEPARENT).then(|| only.to_str().ok()).flatten()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// Our own spans and nothing else: no lines of the log, nothing of libraries.
struct OurSpans;

impl OurSpans {
    fn is_ours(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && *metadata.level() <= Level::DEBUG && metadata.target().starts_with("metropay")
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for OurSpans {
    fn enabled(&self, metadata: &Metadata<'_>, _: &LayerContext<'_, S>) -> bool {
        Self::is_ours(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::is_ours(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
}

/// Exports on the runtime: the thread of batches has none, and the client needs one.
#[derive(Debug)]
struct OnRuntime {
    inner: Arc<opentelemetry_otlp::SpanExporter>,
    runtime: Handle,
}

impl SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let inner = Arc::clone(&self.inner);
        let sending = self.runtime.spawn(async move { inner.export(batch).await });
        let sent = match sending.await {
            Ok(sent) => sent,
            Err(stopped) => Err(OTelSdkError::InternalFailure(stopped.to_string())),
        };
        let outcome = if sent.is_ok() { "done" } else { "failed" };
        counter!(metric::TRACE_EXPORTS, "outcome" => outcome).increment(1);
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Told once, before the first batch.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

/// Leaves out turns of jobs that had nothing to do: they come several times a second and tell nothing.
#[derive(Debug)]
struct Worthwhile(BatchSpanProcessor);

impl SpanProcessor for Worthwhile {
    fn on_start(&self, span: &mut OwnSpan, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let did_something = || span.attributes.iter().any(|attribute| attribute.key.as_str() == "done");
        if span.name != "job.turn" || did_something() {
            self.0.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
