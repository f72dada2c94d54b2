//! `webhooks`: how soon endpoints are told what they are owed, without and with some of them hanging.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::{StreamExt, TryStreamExt, stream};
use metropay_core::engine::Engine;
use metropay_core::id::MchId;
use metropay_core::webhook::{self, NewEndpoint};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::super::drive::drive;
use super::super::ground::Ground;
use super::super::measure::Outcome;
use super::super::report::Phase;
use super::super::settings::{PaceSettings, TimeSettings};
use super::memory_kib;

/// How it is played.
#[derive(Debug, Clone, clap::Args)]
pub struct WebhooksSettings {
    #[command(flatten)]
    pub(super) pace: PaceSettings,
    #[command(flatten)]
    pub(super) time: TimeSettings,
    /// Endpoints, sixteen of each merchant.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub(super) endpoints: u32,
    /// How many of a hundred hang in the second phase.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub(super) hanging: u32,
}

/// Endpoints that are made at a time.
const MADE_AT_ONCE: usize = 16;
/// How long one that hangs does.
const HANGS: Duration = Duration::from_secs(30);
/// How long a notice is waited for.
const HEARD_MAX: Duration = Duration::from_secs(25);

/// What the endpoints hear, all of them in this process.
#[derive(Default)]
struct Ears {
    /// How many of a hundred hang.
    hanging: AtomicU32,
    /// Notices that were heard before anybody waited for them, and those that are waited for.
    notices: Mutex<HashMap<String, Option<oneshot::Sender<()>>>>,
}

impl Ears {
    fn hangs(&self, number: u32) -> bool {
        number % 100 < self.hanging.load(Ordering::Relaxed)
    }

    fn notices(&self) -> MutexGuard<'_, HashMap<String, Option<oneshot::Sender<()>>>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A notice came.
    fn hear(&self, id: &str) {
        let mut notices = self.notices();
        match notices.remove(id) {
            // Nobody waits any more where this fails.
            Some(Some(waiting)) => drop(waiting.send(())),
            Some(None) => {}
            None => drop(notices.insert(id.to_owned(), None)),
        }
    }

    /// Waits for a notice.
    async fn heard(&self, id: String) -> Outcome {
        let waiting = {
            let mut notices = self.notices();
            if notices.remove(&id).is_some() {
                return Outcome::wanted("told");
            }
            let (tell, waiting) = oneshot::channel();
            notices.insert(id, Some(tell));
            waiting
        };
        match timeout(HEARD_MAX, waiting).await {
            Ok(Ok(())) => Outcome::wanted("told"),
            _ => Outcome::lost("not told in time"),
        }
    }
}

/// Plays both phases in one run.
pub(super) async fn play(own: &WebhooksSettings, ground: &Ground, tell: &impl Fn(&str)) -> Result<Vec<Phase>> {
    let server = ground
        .own
        .as_ref()
        .context("webhooks are measured on a server of our own")?;
    let engine = &server.engine;
    let ears = Arc::new(Ears::default());
    let url = listen(Arc::clone(&ears)).await?;
    tell("making and proving endpoints");
    let endpoints = Arc::new(made(engine, &url, own.endpoints).await?);
    let pace = own.pace.pace();
    let mut phases = Vec::new();
    for (name, hanging) in [("webhooks, none hanging", 0), ("webhooks, some hanging", own.hanging)] {
        tell(name);
        ears.hanging.store(hanging, Ordering::Relaxed);
        let (engine, ears, endpoints) = (Arc::clone(engine), Arc::clone(&ears), Arc::clone(&endpoints));
        let job = move |number: u64| {
            let (engine, ears, endpoints) = (Arc::clone(&engine), Arc::clone(&ears), Arc::clone(&endpoints));
            async move { told(&engine, &ears, &endpoints, number).await }
        };
        let driven = drive(pace, &own.time, &ground.probe(), job).await?;
        phases.push(Phase::of(name, pace, driven, memory_kib(ground)));
    }
    Ok(phases)
}

/// Owes an endpoint that is well a notice, and waits until it has it; one that hangs is owed its share beside.
async fn told(engine: &Engine, ears: &Ears, endpoints: &[Made], number: u64) -> Outcome {
    // A prime step, so that neighbours in time are not neighbours in number.
    let at = usize::try_from(number.wrapping_mul(7_919)).unwrap_or_default() % endpoints.len();
    let Some(endpoint) = endpoints.get(at) else {
        return Outcome::lost("driver: no endpoint");
    };
    let pinged = webhook::ping(engine, &endpoint.mch_id, &endpoint.endpoint_id).await;
    match pinged {
        // What it is told is not measured: it never has it.
        Ok(_) if ears.hangs(endpoint.number) => Outcome::lost("hangs"),
        Ok(event_id) => ears.heard(event_id).await,
        Err(problem) => Outcome::lost(problem.code.word()),
    }
}

/// An endpoint.
struct Made {
    mch_id: MchId,
    endpoint_id: String,
    number: u32,
}

async fn made(engine: &Engine, url: &str, count: u32) -> Result<Vec<Made>> {
    let make = |number: u32| async move {
        let mch_id = MchId(format!("W{:05}", number / 16));
        let new = NewEndpoint {
            url: format!("{url}/hook/{number}"),
            description: String::new(),
            kinds: Vec::new(),
        };
        let endpoint_id = webhook::create(engine, &mch_id, new).await?.endpoint.endpoint_id;
        webhook::prove(engine, &mch_id, &endpoint_id).await?;
        anyhow::Ok(Made {
            mch_id,
            endpoint_id,
            number,
        })
    };
    stream::iter(0..count)
        .map(make)
        .buffer_unordered(MADE_AT_ONCE)
        .try_collect()
        .await
}

/// All endpoints, on one listener; it ends with the process.
async fn listen(ears: Arc<Ears>) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/hook/{number}", post(hook)).with_state(ears);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

async fn hook(State(ears): State<Arc<Ears>>, Path(number): Path<u32>, headers: HeaderMap, body: Bytes) -> Response {
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    if said["type"] == "endpoint.challenge" {
        return Json(json!({ "challenge": said["data"]["challenge"] })).into_response();
    }
    if ears.hangs(number) {
        sleep(HANGS).await;
    } else if let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) {
        ears.hear(id);
    }
    StatusCode::NO_CONTENT.into_response()
}
