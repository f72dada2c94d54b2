//! Pages of the server itself: health, the platform's public keys, and where to look.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use metropay_core::Lane;
use metropay_core::node::DatabaseClock;
use metropay_core::people::PublicKey;
use metropay_payment_api::Doors;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

/// What the pages stand on.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) doors: Doors,
    pub(super) time: Arc<DatabaseClock>,
}

/// The paths.
pub(super) fn router() -> Router<Standing> {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metro/payment/v1/platform-keys", get(platform_keys))
}

/// Names the description.
pub(super) fn describe(mut description: OpenApi) -> OpenApi {
    description.info.title = "metropay".to_owned();
    description.info.version = env!("CARGO_PKG_VERSION").to_owned();
    description.info.description = Some(
        "消费码支付平台：商户支付接口与 App 接口。Consumption-code payments: the merchant API and the App API."
            .to_owned(),
    );
    description
}

/// The process lives.
async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can do its work: the database answers and has room, the machine's clock is right, and it is not about to stop.
async fn readyz(State(Standing { doors, time }): State<Standing>) -> (StatusCode, Json<Value>) {
    let not_ready = |reason: &str| {
        let body = json!({ "status": "not ready", "reason": reason });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    };
    if doors.leaving.is_cancelled() {
        return not_ready("stopping");
    }
    // On the lane of jobs: that all of a node's payments wait for one another is no reason to give it none.
    if let Err(problem) = doors.engine.on(Lane::Jobs).ping().await {
        tracing::error!(error = %problem, "not ready: {problem}");
        return not_ready("database");
    }
    // These two are said in the log when they become so.
    if doors.engine.db.is_full() {
        return not_ready("disk");
    }
    if time.is_machine_wrong() {
        return not_ready("clock");
    }
    (StatusCode::OK, Json(json!({ "status": "ready" })))
}

/// The keys with which answers to merchants are signed.
async fn platform_keys(State(Standing { doors, .. }): State<Standing>) -> Json<Vec<PublicKey>> {
    Json(doors.keys.public().to_vec())
}

/// Where to look.
async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}
