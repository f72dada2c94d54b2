//! A collector of traces on loopback that keeps what arrives, and this process's subscriber that sends to it.
//!
//! Subscriber and collector are of the whole process and have a thread of their own: spans are closed by threads of the
//! database too, which know no other subscriber, and a story that is busy must not hold the sending up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use metropay_server::config::TracesConfig;
use metropay_server::watch::log::CountLines;
use metropay_server::watch::traces::Traces;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Under which name this process traces.
const SERVICE: &str = "metropay-story";

static ARRIVED: Mutex<Vec<Span>> = Mutex::new(Vec::new());
static HANGS: AtomicBool = AtomicBool::new(false);
static STARTED: OnceLock<()> = OnceLock::new();

/// Has this process's spans arrive here from now on, and its lines counted.
pub(crate) fn listen() {
    STARTED.get_or_init(|| {
        let (started, waiting) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime starts");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let url = format!("http://{}", listener.local_addr().expect("an address"));
                let traces = Traces::start(&to(&url))
                    .expect("it begins")
                    .expect("there is an endpoint");
                tracing_subscriber::registry()
                    .with(traces.layer())
                    .with(CountLines.with_filter(LevelFilter::WARN))
                    .init();
                started.send(()).expect("somebody waits");
                axum::serve(listener, Router::new().route("/v1/traces", post(take)))
                    .await
                    .expect("it serves for ever");
            });
        });
        waiting.recv().expect("the collector starts");
    });
}

/// Lets the collector hang, or go on.
pub(crate) fn hang(hangs: bool) {
    HANGS.store(hangs, Ordering::SeqCst);
}

/// What is traced, and where to: everything.
pub(crate) fn to(endpoint: &str) -> TracesConfig {
    TracesConfig {
        endpoint: endpoint.to_owned(),
        sample_ratio: 1.0,
        service_name: SERVICE.to_owned(),
    }
}

async fn take(body: Bytes) -> Vec<u8> {
    while HANGS.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let batch = ExportTraceServiceRequest::decode(body).expect("the protocol's own form");
    let mut arrived = ARRIVED.lock().unwrap_or_else(PoisonError::into_inner);
    for resource in batch.resource_spans {
        let attributes = resource.resource.unwrap_or_default().attributes;
        assert_eq!(text(&attributes, "service.name"), SERVICE);
        arrived.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    Vec::new()
}

/// The text of an attribute; empty where there is none.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}

/// Everything that has arrived.
pub(crate) fn arrived() -> Vec<Span> {
    ARRIVED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Forgets what has arrived.
pub(crate) fn forget() {
    ARRIVED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Everything that has arrived, once such a span is among it.
pub(crate) async fn arrived_with(what: &str, such: impl Fn(&Span) -> bool) -> Result<Vec<Span>> {
    for _ in 0..200 {
        let all = arrived();
        if all.iter().any(&such) {
            return Ok(all);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut names: Vec<String> = arrived().into_iter().map(|span| span.name).collect();
    names.sort();
    names.dedup();
    bail!("{what} does not arrive; there are {names:?}")
}
