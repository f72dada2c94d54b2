//! Pages of the server itself: health, the platform's public keys, and where to look.

use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use metropay_core::people::PublicKey;
use metropay_payment_api::Doors;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

/// The paths.
pub(super) fn router() -> Router<Doors> {
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

/// The process can do its work: the database answers, and it is not about to stop.
async fn readyz(State(doors): State<Doors>) -> (StatusCode, Json<Value>) {
    if doors.leaving.is_cancelled() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "not ready", "reason": "stopping" })),
        );
    }
    match doors.engine.ping().await {
        Ok(()) => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Err(problem) => {
            tracing::error!(error = %problem, "not ready: {problem}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(json!({ "status": "not ready", "reason": "database" })),
            )
        }
    }
}

/// The keys with which answers to merchants are signed.
async fn platform_keys(State(doors): State<Doors>) -> Json<Vec<PublicKey>> {
    Json(doors.keys.public().to_vec())
}

/// Where to look.
async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}
