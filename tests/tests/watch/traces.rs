//! The spans of a payment arrive at a collector, and a collector that hangs hurts nobody.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use metropay_server::watch::traces::{Traces, link};
use metropay_tests::{World, story};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tracing_subscriber::layer::SubscriberExt;

use crate::collector::{arrived, arrived_with, forget, hang, listen, text, to};
use crate::{ALONE, collector};

const APPLYPAY: &str = "/metro/payment/v1/api/qrcode/applypay";

fn named<'a>(trace: &'a [Span], name: &str) -> Result<&'a Span> {
    let found = trace.iter().find(|span| span.name == name);
    found.with_context(|| format!("{name} is not among {trace:?}"))
}

#[tokio::test]
async fn the_spans_of_a_payment_arrive_as_one_trace_that_tells_of_nobody() {
    let _alone = ALONE.lock().await;
    listen();
    story(async |world| {
        let app = world.rider("wechat").await?;
        forget();
        let (digits, _) = world.code(&app).await?;
        let order = World::order("S1", &digits, 600);
        let paid = world.till().call("applypay", &order).await?;
        ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
        // A parent ends last: when it is here, so is the whole trace.
        let all = arrived_with("the request", |span| text(&span.attributes, "route") == APPLYPAY).await?;
        one_trace(&all)?;
        // A notification may have brought the news first, as a request of its own; the sealer has work within seconds.
        arrived_with("payment.settle", |span| span.name == "payment.settle").await?;
        let all = arrived_with("job.turn", |span| span.name == "job.turn").await?;
        let done = |span: &Span| span.attributes.iter().any(|attribute| attribute.key == "done");
        let turns = || all.iter().filter(|span| span.name == "job.turn");
        ensure!(
            turns().all(done),
            "idle turns are left out: {:?}",
            turns().collect::<Vec<_>>()
        );
        let told = format!("{all:?}");
        let merchant = world.credentials.merchants[0].mch_id.as_str();
        for private in [&digits, "U10001", merchant, "SZTX001", "METROPAY-", "signature"] {
            ensure!(!told.contains(private), "a span tells of {private}");
        }
        Ok(())
    })
    .await;
}

/// The payment's spans hang together as its story does.
fn one_trace(all: &[Span]) -> Result<()> {
    let request = all.iter().find(|span| text(&span.attributes, "route") == APPLYPAY);
    let request = request.context("the request")?;
    ensure!(request.parent_span_id.is_empty(), "a request begins a trace");
    let same = all.iter().filter(|span| span.trace_id == request.trace_id);
    let trace: Vec<Span> = same.cloned().collect();
    let pay = named(&trace, "payment.pay")?;
    ensure!(pay.parent_span_id == request.span_id);
    for name in ["payment.open", "payment.send"] {
        ensure!(named(&trace, name)?.parent_span_id == pay.span_id, "{name}");
    }
    let call = named(&trace, "channel.call")?;
    ensure!(call.parent_span_id == named(&trace, "payment.send")?.span_id);
    let told = ["channel", "operation", "outcome"].map(|key| text(&call.attributes, key));
    ensure!(
        told[0] == "wechat" && told[1] == "deduct" && !told[2].is_empty(),
        "{told:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_callers_trace_is_linked_and_decides_nothing() {
    let _alone = ALONE.lock().await;
    listen();
    let callers = "0af7651916cd43dd8448eb211c80319c";
    let cases = [
        // Not sampled by the caller: ours is kept all the same.
        ("linked", format!("00-{callers}-b7ad6b7169203331-00")),
        ("unlinked", "00-not-a-traceparent".to_owned()),
    ];
    for (route, traceparent) in cases {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("traceparent", traceparent.parse().expect("a header"));
        let span = tracing::info_span!(target: "metropay", "request", route);
        link(&span, &headers);
    }
    let is = |span: &Span, route: &str| text(&span.attributes, "route") == route;
    let all = arrived_with("a request", |span| is(span, "unlinked"))
        .await
        .expect("both arrive");
    let find = |route| all.iter().find(|span| is(span, route)).expect("both arrive");
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let linked = find("linked");
    let links: Vec<String> = linked.links.iter().map(|link| hex(&link.trace_id)).collect();
    assert_eq!(links, [callers]);
    assert!(linked.parent_span_id.is_empty());
    assert_ne!(hex(&linked.trace_id), callers);
    assert!(find("unlinked").links.is_empty());
}

#[tokio::test]
async fn a_collector_that_hangs_slows_no_payment() {
    let _alone = ALONE.lock().await;
    listen();
    story(async |world| {
        let app = world.rider("wechat").await?;
        hang(true);
        // More than the queue holds: the rest is dropped at once.
        let begun = Instant::now();
        for _ in 0..30_000 {
            drop(tracing::info_span!(target: "metropay", "filler"));
        }
        ensure!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
        for n in 0..3 {
            let begun = Instant::now();
            let paid = world.pay(&app, &format!("S{n}"), 100).await?;
            ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
            ensure!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
        }
        hang(false);
        // What waits goes out again, and then what comes after it.
        for _ in 0..100 {
            drop(tracing::info_span!(target: "metropay", "after"));
            if arrived().iter().any(|span| span.name == "after") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("a collector that goes on is sent nothing")
    })
    .await;
    collector::forget();
}

#[tokio::test]
async fn a_collector_that_hangs_holds_no_stop_up() {
    // It takes the connection and answers nothing.
    let hanging = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", hanging.local_addr().expect("an address"));
    let traces = Traces::start(&to(&url))
        .expect("it begins")
        .expect("there is an endpoint");
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, || drop(tracing::info_span!(target: "metropay", "last")));
    let begun = Instant::now();
    traces.stop().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_400), "{took:?}");
    // It was there to be sent: without it the stop ends at once.
    assert!(took > Duration::from_millis(1_500), "{took:?}");
}
