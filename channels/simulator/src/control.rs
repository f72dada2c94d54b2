//! The control interface under `/control`: accounts, contracts, books, faults, clock, notices. Never part of a gateway's namespace.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::books::Movement;
use crate::fault::Fault;
use crate::frame::{Frame, Gateway, SignedBefore};
use crate::notice::NoticeAttempt;

pub(crate) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/", get(index))
        .route("/control/accounts/{gateway}", post(open_account))
        .route("/control/contracts/{gateway}", post(sign_before))
        .route("/control/books", get(books))
        .route("/control/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/control/faults/{id}", delete(remove_fault))
        .route("/control/clock", get(clock).post(set_clock))
        .route("/control/notices", get(notices))
}

async fn open_account(
    State(frame): State<Arc<Frame>>,
    Path(gateway): Path<Gateway>,
    Json(spec): Json<Value>,
) -> (StatusCode, Json<Value>) {
    // Making RSA keys takes a while; it must not hold up the gateways.
    let made = tokio::task::spawn_blocking(move || frame.open_account(gateway, &spec)).await;
    match made {
        Ok(Ok(account)) => (StatusCode::OK, Json(account)),
        Ok(Err(refused)) => (StatusCode::BAD_REQUEST, Json(json!({"error": refused.0}))),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({"error": "the account could not be made"})),
        ),
    }
}

async fn sign_before(
    State(frame): State<Arc<Frame>>,
    Path(gateway): Path<Gateway>,
    Json(wish): Json<SignedBefore>,
) -> (StatusCode, Json<Value>) {
    match frame.sign_before(gateway, &wish) {
        Ok(handles) => (StatusCode::OK, Json(json!({ "handles": handles }))),
        Err(refused) => (StatusCode::BAD_REQUEST, Json(json!({"error": refused.0}))),
    }
}

/// Which movements or notifications are wanted; what is left out matches everything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    gateway: Option<Gateway>,
    /// A merchant-side number: of the movement itself or of the payment that it belongs to.
    order_no: Option<String>,
}

impl Wanted {
    fn fits(&self, gateway: Gateway, numbers: &[&str]) -> bool {
        self.gateway.is_none_or(|wanted| wanted == gateway)
            && self.order_no.as_deref().is_none_or(|wanted| numbers.contains(&wanted))
    }
}

async fn books(State(frame): State<Arc<Frame>>, Query(wanted): Query<Wanted>) -> Json<Vec<Movement>> {
    let mut books = frame.books();
    books.retain(|movement| wanted.fits(movement.gateway, &[&movement.order_no, &movement.payment_no]));
    Json(books)
}

async fn list_faults(State(frame): State<Arc<Frame>>) -> Json<Vec<Fault>> {
    Json(frame.faults.list())
}

async fn add_fault(State(frame): State<Arc<Frame>>, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({ "id": frame.faults.add(fault) }))
}

async fn remove_fault(State(frame): State<Arc<Frame>>, Path(id): Path<u64>) -> StatusCode {
    if frame.faults.remove(id) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn clear_faults(State(frame): State<Arc<Frame>>) -> StatusCode {
    frame.faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Serialize, Deserialize)]
struct ClockOffset {
    offset_ms: i64,
}

async fn clock(State(frame): State<Arc<Frame>>) -> Json<Value> {
    Json(json!({ "now": frame.clock.now().to_rfc3339(), "offset_ms": frame.clock.offset_ms() }))
}

async fn set_clock(State(frame): State<Arc<Frame>>, Json(wish): Json<ClockOffset>) -> Json<Value> {
    frame.clock.set_offset_ms(wish.offset_ms);
    clock(State(frame)).await
}

async fn notices(State(frame): State<Arc<Frame>>, Query(wanted): Query<Wanted>) -> Json<Vec<NoticeAttempt>> {
    let mut attempts = frame.notices.attempts();
    attempts.retain(|attempt| wanted.fits(attempt.gateway, &[&attempt.order_no]));
    Json(attempts)
}

/// Where to look.
async fn index() -> Html<&'static str> {
    Html(include_str!("index.html"))
}
