//! What endpoints can rely on that take nothing for a while: it ends, it is as slow as they ask, and it stops when they say so (INV-17,
//! FLT-43).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use metropay_server::demo::client::Reply;
use metropay_tests::{World, story};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

/// How long anything may take that needs nobody's time but the machine's.
const SOON: Duration = Duration::from_secs(20);
/// Longer than a turn of the job that tells.
const TURN: Duration = Duration::from_millis(700);

/// A server of the story's own.
#[derive(Default)]
struct Server {
    /// What it answers; 0 is 204.
    status: AtomicU64,
    /// How long it wants to be left alone, in seconds; 0 says nothing of it.
    retry_after: AtomicU64,
    /// How long it takes, in milliseconds.
    takes: AtomicU64,
    heard: Mutex<Vec<String>>,
}

impl Server {
    async fn listen(self: &Arc<Self>) -> Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let app = Router::new().route("/", post(hear)).with_state(Arc::clone(self));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(addr)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn until_heard(&self, least: usize) -> Result<()> {
        let begun = Instant::now();
        while self.heard().len() < least {
            ensure!(begun.elapsed() < SOON, "heard {:?}, not {least}", self.heard());
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

async fn hear(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    if said["type"] == "endpoint.challenge" {
        return Json(json!({ "challenge": said["data"]["challenge"] })).into_response();
    }
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let id = id.unwrap_or_default().to_owned();
    server.heard.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    sleep(Duration::from_millis(server.takes.load(Ordering::Relaxed))).await;
    let status = u16::try_from(server.status.load(Ordering::Relaxed)).unwrap_or_default();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT);
    match server.retry_after.load(Ordering::Relaxed) {
        0 => status.into_response(),
        seconds => (status, [(header::RETRY_AFTER, seconds.to_string())]).into_response(),
    }
}

async fn done(world: &World, operation: &str, body: Value) -> Result<Reply> {
    let reply = world.till().call(&format!("webhook/{operation}"), &body).await?;
    ensure!(reply.status == 200, "{operation}: {}", reply.body);
    Ok(reply)
}

/// An endpoint at this server, proven, by its number. It wants to hear of payments alone.
async fn endpoint(world: &World, server: &Arc<Server>) -> Result<String> {
    let url = format!("http://{}/", server.listen().await?);
    let made = done(world, "create", json!({ "url": url, "kinds": ["payment.succeeded"] })).await?;
    let id = made.body["data"]["endpoint"]["endpoint_id"]
        .as_str()
        .context("a number")?;
    done(world, "prove", json!({ "endpoint_id": id })).await?;
    Ok(id.to_owned())
}

/// How many notices stand so.
async fn standing(world: &World, endpoint: &str, state: &str) -> Result<usize> {
    let told = done(world, "deliveries", json!({ "endpoint_id": endpoint, "state": state })).await?;
    Ok(told.body["data"]["deliveries"].as_array().context("a page")?.len())
}

async fn until_standing(world: &World, endpoint: &str, state: &str, count: usize) -> Result<()> {
    let begun = Instant::now();
    while standing(world, endpoint, state).await? != count {
        let there = standing(world, endpoint, state).await?;
        ensure!(begun.elapsed() < SOON, "{there} are {state}, not {count}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn whatever_waits_for_a_server_that_stays_down_is_given_up_after_three_days() {
    story(async |world| {
        let server = Arc::new(Server::default());
        server.status.store(500, Ordering::Relaxed);
        let endpoint = endpoint(&world, &server).await?;
        let app = world.rider("wechat").await?;
        for at in 0..7 {
            world.pay(&app, &format!("WD-{at}"), 100).await?;
        }
        server.until_heard(3).await?;
        // Three and a half days.
        for _ in 0..42 {
            world.advance(Duration::from_secs(2 * 3_600));
            sleep(TURN).await;
        }
        // Whoever looks finds all of them, and not one that nobody will ever tell or give up.
        until_standing(&world, &endpoint, "DEAD", 7).await?;
        ensure!(standing(&world, &endpoint, "WAITING").await? == 0);
        server.status.store(0, Ordering::Relaxed);
        let since = json!({ "endpoint_id": endpoint, "since": "20200101000000" });
        let again = done(&world, "replay", since).await?;
        ensure!(again.body["data"]["count"] == 7, "{}", again.body);
        until_standing(&world, &endpoint, "DELIVERED", 7).await
    })
    .await;
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is_left_alone() {
    story(async |world| {
        let server = Arc::new(Server::default());
        server.status.store(503, Ordering::Relaxed);
        server.retry_after.store(3_600, Ordering::Relaxed);
        let endpoint = endpoint(&world, &server).await?;
        let app = world.rider("wechat").await?;
        for at in 0..4 {
            world.pay(&app, &format!("WR-{at}"), 100).await?;
        }
        server.until_heard(1).await?;
        for _ in 0..12 {
            world.advance(Duration::from_secs(240));
            sleep(TURN).await;
        }
        // 48 minutes later, and whatever else came.
        let heard = server.heard();
        ensure!(heard.len() == 1, "it asked for an hour and heard {heard:?}");
        server.status.store(0, Ordering::Relaxed);
        server.retry_after.store(0, Ordering::Relaxed);
        world.advance(Duration::from_secs(900));
        until_standing(&world, &endpoint, "DELIVERED", 4).await
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_switched_off_hears_nothing_more_at_once() {
    story(async |world| {
        let server = Arc::new(Server::default());
        let endpoint = endpoint(&world, &server).await?;
        let name = json!({ "endpoint_id": endpoint });
        done(&world, "disable", name.clone()).await?;
        let app = world.rider("wechat").await?;
        for at in 0..7 {
            world.pay(&app, &format!("WO-{at}"), 100).await?;
        }
        until_standing(&world, &endpoint, "WAITING", 7).await?;
        ensure!(server.heard().is_empty());
        server.takes.store(500, Ordering::Relaxed);
        done(&world, "prove", name.clone()).await?;
        server.until_heard(2).await?;
        done(&world, "disable", name.clone()).await?;
        let by_then = server.heard().len();
        sleep(Duration::from_secs(4)).await;
        let heard = server.heard();
        // The one that was on its way, if any.
        ensure!(
            heard.len() <= by_then + 1,
            "switched off after {by_then}, it heard {heard:?}"
        );
        server.takes.store(0, Ordering::Relaxed);
        done(&world, "prove", name).await?;
        until_standing(&world, &endpoint, "DELIVERED", 7).await
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_server_that_its_merchant_switched_off_alarms_no_operator() {
    story(async |world| {
        let server = Arc::new(Server::default());
        let endpoint = endpoint(&world, &server).await?;
        done(&world, "disable", json!({ "endpoint_id": endpoint })).await?;
        let app = world.rider("wechat").await?;
        world.pay(&app, "WG-1", 100).await?;
        until_standing(&world, &endpoint, "WAITING", 1).await?;
        world.advance(Duration::from_secs(600));
        let metrics = format!(
            "{}/metrics",
            world.server.ops_url().context("operators have a listener")?
        );
        let page = reqwest::get(metrics).await?.text().await?;
        let oldest = page
            .lines()
            .find(|line| line.starts_with("metropay_work_oldest_due_seconds{") && line.contains("\"webhook\""))
            .context("the gauge is there")?;
        ensure!(oldest.ends_with(" 0"), "{oldest}");
        done(&world, "prove", json!({ "endpoint_id": endpoint })).await?;
        until_standing(&world, &endpoint, "DELIVERED", 1).await
    })
    .await;
}
