//! A node that is asked to stop while it tells a merchant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use metropay_tests::Till;
use metropay_tests::store::Store;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::ground::{Ground, STOP_MAX};

/// The merchant's server is on this machine.
const NETWORKS: (&str, &str) = ("METROPAY_MERCHANT_CALLS__ALLOWED_NETWORKS", r#"["127.0.0.0/8"]"#);
/// How long the merchant's server thinks about each notice.
const THINKS: Duration = Duration::from_millis(1_500);
/// Shorter than the time for which a node that died keeps an endpoint.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_writes_down_what_it_is_telling() {
    if !Store::asked().is_there().await {
        return;
    }
    told_once_across_a_stop().await.expect("it is written down");
}

async fn told_once_across_a_stop() -> Result<()> {
    let ground = Ground::new("wechat", &[]).await?;
    let server = ground.launch.serve(&[NETWORKS]).await?;
    let heard = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let app = Router::new().route("/", post(hear)).with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let made = done(
        &ground.till,
        "create",
        json!({ "url": url, "kinds": ["endpoint.ping"] }),
    )
    .await?;
    let endpoint = made["endpoint"]["endpoint_id"].as_str().context("a number")?.to_owned();
    let name = json!({ "endpoint_id": endpoint });
    done(&ground.till, "prove", name.clone()).await?;

    done(&ground.till, "ping", name.clone()).await?;
    until(|| heard.load(Ordering::Relaxed) == 1).await?;
    server.stop(STOP_MAX).await?;

    let server = ground.launch.serve(&[NETWORKS]).await?;
    let told = json!({ "endpoint_id": endpoint, "state": "DELIVERED" });
    let told = done(&ground.till, "deliveries", told).await?;
    ensure!(
        told["deliveries"].as_array().is_some_and(|told| told.len() == 1),
        "it is not written down: {told}"
    );
    // Nor is the endpoint kept by the node that is gone.
    done(&ground.till, "ping", name).await?;
    until(|| heard.load(Ordering::Relaxed) == 2).await?;
    ground.close(server).await
}

async fn hear(State(heard): State<Arc<AtomicUsize>>, body: Bytes) -> Response {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    if said["type"] == "endpoint.challenge" {
        return Json(json!({ "challenge": said["data"]["challenge"] })).into_response();
    }
    heard.fetch_add(1, Ordering::Relaxed);
    sleep(THINKS).await;
    StatusCode::NO_CONTENT.into_response()
}

async fn done(till: &Till, operation: &str, body: Value) -> Result<Value> {
    let reply = till.call(&format!("webhook/{operation}"), &body).await?;
    ensure!(reply.status == 200, "{operation}: {}", reply.body);
    Ok(reply.body["data"].clone())
}

async fn until(holds: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !holds() {
        ensure!(begun.elapsed() < SOON, "it was not told in time");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
