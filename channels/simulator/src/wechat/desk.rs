//! The gateway's own staff: `POST /wechat/desk/rotate` puts a new platform certificate into use. The form may say with
//! `overlap_s` how long the old ones stay valid; otherwise it is ten days. Answers `{"serial_no", "old_until_ms"}`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use super::authority;
use super::phone::form;
use crate::frame::Frame;

/// How long an old certificate stays valid when nobody says, in seconds.
const USUAL_OVERLAP_S: i64 = 10 * 86_400;

pub(super) fn router() -> Router<Arc<Frame>> {
    Router::new().route("/desk/rotate", post(rotate))
}

async fn rotate(State(frame): State<Arc<Frame>>, body: String) -> Response {
    let wish = form(&body);
    let Ok(overlap_s) = wish.get("overlap_s").map_or(Ok(USUAL_OVERLAP_S), str::parse::<i64>) else {
        return (StatusCode::BAD_REQUEST, "overlap_s must be a number of seconds").into_response();
    };
    let old_until_ms = frame.clock.now_ms().saturating_add(overlap_s.saturating_mul(1_000));
    // Making a key takes a while; it must not hold up the gateways.
    let made = tokio::task::spawn_blocking(move || authority::rotate(&frame, old_until_ms)).await;
    match made {
        Ok(Ok(platform)) => {
            Json(json!({"serial_no": platform.leaf.serial, "old_until_ms": old_until_ms})).into_response()
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "the certificate could not be made").into_response(),
    }
}
