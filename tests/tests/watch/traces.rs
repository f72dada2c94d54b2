//! The spans of a payment arrive at a collector, and a collector that hangs hurts nobody.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use metropay_server::config::TracesConfig;
use metropay_server::watch::traces::{Traces, link};
use metropay_tests::story;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

use crate::{ALONE, told_to};

/// What arrived: the service's name, and its span.
type Arrived = Arc<Mutex<Vec<(String, Span)>>>;

/// A collector on loopback that keeps every span.
async fn collector() -> Result<(String, Arrived)> {
    let arrived = Arrived::default();
    let app = Router::new()
        .route("/v1/traces", post(take))
        .with_state(Arc::clone(&arrived));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok((url, arrived))
}

async fn take(State(arrived): State<Arrived>, body: Bytes) -> Vec<u8> {
    let batch = ExportTraceServiceRequest::decode(body).expect("the protocol's own form");
    let mut arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner);
    for resource in batch.resource_spans {
        let attributes = resource.resource.unwrap_or_default().attributes;
        let service = text(&attributes, "service.name");
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        arrived.extend(spans.map(|span| (service.clone(), span)));
    }
    Vec::new()
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}

fn to(endpoint: &str) -> TracesConfig {
    TracesConfig {
        endpoint: endpoint.to_owned(),
        sample_ratio: 1.0,
        service_name: "metropay-story".to_owned(),
    }
}

/// The trace in which a payment was made, once it has arrived.
async fn trace_of_payment(arrived: &Arrived) -> Result<Vec<Span>> {
    for _ in 0..100 {
        let all = arrived.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(
            all.iter().all(|(service, _)| service == "metropay-story"),
            "it names itself"
        );
        if let Some((_, pay)) = all.iter().find(|(_, span)| span.name == "payment.pay") {
            let same = all.iter().filter(|(_, span)| span.trace_id == pay.trace_id);
            let trace: Vec<Span> = same.map(|(_, span)| span.clone()).collect();
            if trace.iter().any(|span| span.name == "request") {
                return Ok(trace);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("no payment's trace arrives")
}

/// Everything that has arrived, once a span of this name is among it.
async fn arrived_with(arrived: &Arrived, name: &str) -> Result<Vec<Span>> {
    for _ in 0..100 {
        let all = arrived.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if all.iter().any(|(_, span)| span.name == name) {
            return Ok(all.into_iter().map(|(_, span)| span).collect());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("no span {name} arrives")
}

fn named<'a>(trace: &'a [Span], name: &str) -> Result<&'a Span> {
    let found = trace.iter().find(|span| span.name == name);
    found.with_context(|| {
        format!(
            "{name} is not among {:?}",
            trace.iter().map(|span| &span.name).collect::<Vec<_>>()
        )
    })
}

#[tokio::test]
async fn the_spans_of_a_payment_arrive_as_one_trace_that_tells_of_nobody() {
    let _alone = ALONE.lock().await;
    let (url, arrived) = collector().await.expect("a collector starts");
    let traces = Traces::start(&to(&url))
        .expect("it begins")
        .expect("there is an endpoint");
    let traced = told_to(traces.layer());
    story(async |world| {
        let app = world.rider("wechat").await?;
        let (digits, _) = world.code(&app).await?;
        let paid = world
            .till()
            .call("applypay", &metropay_tests::World::order("S1", &digits, 600))
            .await?;
        ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
        let trace = trace_of_payment(&arrived).await?;
        let request = named(&trace, "request")?;
        ensure!(text(&request.attributes, "route").ends_with("/applypay"), "{request:?}");
        ensure!(request.parent_span_id.is_empty(), "a request begins a trace");
        let pay = named(&trace, "payment.pay")?;
        ensure!(pay.parent_span_id == request.span_id);
        for name in ["payment.open", "payment.send"] {
            ensure!(named(&trace, name)?.parent_span_id == pay.span_id, "{name}");
        }
        let send = named(&trace, "payment.send")?;
        let call = named(&trace, "channel.call")?;
        ensure!(call.parent_span_id == send.span_id);
        ensure!(text(&call.attributes, "channel") == "wechat" && text(&call.attributes, "operation") == "deduct");
        ensure!(!text(&call.attributes, "outcome").is_empty(), "{call:?}");
        // A notification may have brought the news first, as a request of its own.
        arrived_with(&arrived, "payment.settle").await?;
        // The sealer had work, within seconds.
        let all = arrived_with(&arrived, "job.turn").await?;
        let done = |span: &Span| span.attributes.iter().any(|attribute| attribute.key == "done");
        let turns = || all.iter().filter(|span| span.name == "job.turn");
        ensure!(
            turns().all(done),
            "idle turns are left out: {:?}",
            turns().collect::<Vec<_>>()
        );
        let told = format!("{all:?}");
        let merchant = world.credentials.merchants[0].mch_id.as_str();
        for private in [digits.as_str(), "U10001", merchant, "SZTX001", "METROPAY-", "signature"] {
            ensure!(!told.contains(private), "a span tells of {private}");
        }
        Ok(())
    })
    .await;
    drop(traced);
    traces.stop().await;
}

#[tokio::test]
async fn a_callers_trace_is_linked_and_decides_nothing() {
    let _alone = ALONE.lock().await;
    let (url, arrived) = collector().await.expect("a collector starts");
    let traces = Traces::start(&to(&url))
        .expect("it begins")
        .expect("there is an endpoint");
    let traced = told_to(traces.layer());
    let callers = "0af7651916cd43dd8448eb211c80319c";
    for traceparent in [
        // Not sampled by the caller: ours is kept all the same.
        format!("00-{callers}-b7ad6b7169203331-00"),
        "00-not-a-traceparent".to_owned(),
    ] {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("traceparent", traceparent.parse().expect("a header"));
        let span = tracing::info_span!(target: "metropay", "request");
        link(&span, &headers);
    }
    drop(traced);
    traces.stop().await;
    let arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(arrived.len(), 2);
    let (_, linked) = &arrived[0];
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        linked.links.iter().map(|link| hex(&link.trace_id)).collect::<Vec<_>>(),
        [callers]
    );
    assert!(linked.parent_span_id.is_empty());
    assert_ne!(hex(&linked.trace_id), callers);
    assert!(arrived[1].1.links.is_empty());
}

#[tokio::test]
async fn a_collector_that_hangs_slows_no_payment_and_no_stop() {
    let _alone = ALONE.lock().await;
    // It accepts every connection and answers nothing.
    let hanging = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", hanging.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = hanging.accept().await {
            held.push(socket);
        }
    });
    let traces = Traces::start(&to(&url))
        .expect("it begins")
        .expect("there is an endpoint");
    let traced = told_to(traces.layer());
    story(async |world| {
        let app = world.rider("wechat").await?;
        // More than the queue holds: the rest is dropped at once.
        let begun = Instant::now();
        for _ in 0..30_000 {
            drop(tracing::info_span!(target: "metropay", "filler"));
        }
        ensure!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        for n in 0..3 {
            let begun = Instant::now();
            let paid = world.pay(&app, &format!("S{n}"), 100).await?;
            ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
            ensure!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
        }
        Ok(())
    })
    .await;
    drop(traced);
    let begun = Instant::now();
    traces.stop().await;
    assert!(begun.elapsed() < Duration::from_millis(2_300), "{:?}", begun.elapsed());
}
