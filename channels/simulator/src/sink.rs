//! Merchants' servers that want to be told: any number of them, each under a name of its own. They keep what they are told, answer
//! challenges, and have moods.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::frame::Frame;

/// What a server does when it is told something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkMood {
    /// It takes it.
    #[default]
    Willing,
    /// It has a fault, and keeps nothing.
    Broken,
    /// It keeps it, and answers with a fault.
    Mute,
    /// It does not answer for 30 seconds, and keeps nothing.
    Hanging,
    /// It sends callers elsewhere.
    Redirecting,
    /// It is there no more (410).
    Gone,
    /// It takes it, and does not repeat challenges.
    Strange,
}

/// What a server was told.
#[derive(Debug, Clone, Serialize)]
pub struct Heard {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// The body as it came.
    pub body: String,
}

#[derive(Debug, Default)]
struct Server {
    mood: SinkMood,
    heard: Vec<Heard>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sinks(Mutex<BTreeMap<String, Server>>);

impl Sinks {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Server>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Their addresses, and their pages of control.
pub(crate) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/sink/{name}", post(tell))
        .route("/control/sinks/{name}", get(show).post(set))
}

async fn show(State(frame): State<Arc<Frame>>, Path(name): Path<String>) -> Json<Vec<Heard>> {
    let all = frame.sinks.all();
    Json(all.get(&name).map(|server| server.heard.clone()).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    mood: SinkMood,
}

async fn set(State(frame): State<Arc<Frame>>, Path(name): Path<String>, Json(wish): Json<Wish>) -> StatusCode {
    frame.sinks.all().entry(name).or_default().mood = wish.mood;
    StatusCode::NO_CONTENT
}

async fn tell(State(frame): State<Arc<Frame>>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let mood = frame
        .sinks
        .all()
        .get(&name)
        .map(|server| server.mood)
        .unwrap_or_default();
    match mood {
        SinkMood::Hanging => tokio::time::sleep(Duration::from_secs(30)).await,
        SinkMood::Broken => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        SinkMood::Gone => return StatusCode::GONE.into_response(),
        SinkMood::Redirecting => {
            return (
                StatusCode::TEMPORARY_REDIRECT,
                [(header::LOCATION, "http://127.0.0.1:1/")],
            )
                .into_response();
        }
        SinkMood::Willing | SinkMood::Mute | SinkMood::Strange => {}
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    if said["type"] == "endpoint.challenge" && mood != SinkMood::Strange {
        return Json(json!({ "challenge": said["data"]["challenge"] })).into_response();
    }
    if mood == SinkMood::Hanging {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let field = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let heard = Heard {
        id: field("webhook-id"),
        timestamp: field("webhook-timestamp"),
        signature: field("webhook-signature"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    frame.sinks.all().entry(name).or_default().heard.push(heard);
    match mood {
        SinkMood::Mute => StatusCode::BAD_GATEWAY.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}
