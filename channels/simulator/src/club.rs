//! A merchant's own membership system, of another shape than the platform's: one address asked by GET, the parameters signed
//! together, states as digits. It keeps its members in memory, and has moods.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;

use crate::frame::Frame;

/// What callers and the system share; for trials alone.
pub const CLUB_SECRET: &str = "trial-club-secret-0001";

/// What it does with questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClubMood {
    /// As asked.
    #[default]
    Willing,
    /// It has not decided.
    Undecided,
    /// It says no.
    Unwilling,
    /// It answers with a fault.
    Broken,
    /// It does as asked, and tells nobody.
    Mute,
    /// It does not answer for 30 seconds.
    Hanging,
    /// It sends callers elsewhere.
    Redirecting,
    /// It answers with a page.
    Page,
}

/// Its books.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClubBooks {
    /// What it does with questions.
    pub mood: ClubMood,
    /// Members by user, with the number that it knows.
    pub members: BTreeMap<String, Option<String>>,
    /// Questions: service and number, the oldest first; the last thousand.
    pub asked: Vec<(String, String)>,
}

/// The system.
#[derive(Debug, Default)]
pub(crate) struct Club(Mutex<ClubBooks>);

impl Club {
    fn books(&self) -> MutexGuard<'_, ClubBooks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's address, and its page of control.
pub(crate) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/club/gateway", get(serve))
        .route("/control/club", get(show).post(set))
}

async fn show(State(frame): State<Arc<Frame>>) -> Json<ClubBooks> {
    Json(frame.club.books().clone())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    mood: ClubMood,
}

async fn set(State(frame): State<Arc<Frame>>, Json(wish): Json<Wish>) -> Json<ClubBooks> {
    let mut books = frame.club.books();
    books.mood = wish.mood;
    Json(books.clone())
}

async fn serve(State(frame): State<Arc<Frame>>, Query(mut fields): Query<BTreeMap<String, String>>) -> Response {
    let sign = fields.remove("sign").unwrap_or_default();
    if !is_signed(&fields, &sign) {
        return (StatusCode::OK, Json(json!({ "code": 40_001, "msg": "签名错误" }))).into_response();
    }
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let (service, user, mobile) = (field("service"), field("user"), fields.get("mobile").cloned());
    let mood = frame.club.books().mood;
    match mood {
        ClubMood::Hanging => tokio::time::sleep(Duration::from_secs(30)).await,
        ClubMood::Broken => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        ClubMood::Redirecting => {
            return (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response();
        }
        ClubMood::Page => return axum::response::Html("<html>welcome</html>").into_response(),
        _ => {}
    }
    let mut books = frame.club.books();
    if books.asked.len() >= 1_000 {
        books.asked.remove(0);
    }
    books.asked.push((service.clone(), field("nonce")));
    if matches!(mood, ClubMood::Willing | ClubMood::Mute) {
        match service.as_str() {
            "member.open" => drop(books.members.insert(user.clone(), mobile)),
            "member.close" => drop(books.members.remove(&user)),
            "member.mobile" => {
                if let Some(known) = books.members.get_mut(&user) {
                    *known = mobile;
                }
            }
            "member.get" => {}
            _ => return Json(json!({ "code": 40_004, "msg": "服务不存在" })).into_response(),
        }
    }
    let state = match (mood, books.members.contains_key(&user)) {
        (ClubMood::Mute, _) => return StatusCode::BAD_GATEWAY.into_response(),
        (ClubMood::Undecided, _) => 3,
        (_, true) => 1,
        (_, false) => 2,
    };
    let card = (state == 1).then(|| format!("CLUB{user}"));
    Json(json!({ "code": 0, "msg": "ok", "data": { "state": state, "card_no": card } })).into_response()
}

/// HMAC-SHA256 in lower-case hex over the parameters, sorted by name.
fn is_signed(fields: &BTreeMap<String, String>, sign: &str) -> bool {
    let text = fields.iter().map(|(name, value)| format!("{name}={value}"));
    let text = text.collect::<Vec<_>>().join("&");
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(CLUB_SECRET.as_bytes()) else {
        return false;
    };
    mac.update(text.as_bytes());
    hex::decode(sign).is_ok_and(|sign| mac.verify_slice(&sign).is_ok())
}
