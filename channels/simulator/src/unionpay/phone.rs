//! The user's phone: it shows payment codes and asks for the password. People use the page at `/unionpay/phone`, scripts the
//! two calls beneath it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::form::{self, Fields};
use super::order::{self, Order};
use super::password::{self, Answered};
use super::qr_code::{self, QrCode};
use super::request::text;
use super::{account, card, page};
use crate::frame::Frame;

/// Who holds the phone when nobody says.
const SOMEBODY: &str = "体验用户";

pub(super) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/phone", get(home))
        .route("/phone/code", post(show))
        .route("/phone/password", post(enter))
}

#[derive(Deserialize)]
struct Holder {
    #[serde(default)]
    user: String,
    #[serde(default)]
    code: String,
}

/// The user's name: what was said, else somebody.
fn named(user: &str) -> &str {
    match user.trim() {
        "" => SOMEBODY,
        user => user,
    }
}

/// `GET phone`: the page for people, with the code that was just shown and the payments that wait.
async fn home(State(frame): State<Arc<Frame>>, Query(holder): Query<Holder>) -> Html<String> {
    let user = named(&holder.user);
    let tx = frame.store.begin();
    let shown = qr_code::find(&tx, &holder.code).filter(|code| code.user == user && code.order.is_none());
    let seconds_left = |code: &QrCode| (code.expires_at_ms - frame.clock.now_ms()).max(0) / 1_000;
    let shown = shown.map(|code| (code.code.clone(), seconds_left(&code)));
    let waiting: Vec<page::Waiting> = qr_code::used_by(&tx, user)
        .into_iter()
        .filter_map(|(code, key)| Some((code, order::find(&tx, &key)?)))
        .filter(|(_, order)| order.question.is_some())
        .map(|(code, order)| {
            let account = account::find(&tx, text(&order.request, "merId"));
            waiting(
                code,
                &order,
                account.map_or_else(String::new, |account| account.shop_name),
            )
        })
        .collect();
    Html(page::phone(user, shown.as_ref(), &waiting))
}

fn waiting(code: QrCode, order: &Order, shop: String) -> page::Waiting {
    page::Waiting {
        code: code.code,
        amount_fen: order.amount_fen,
        shop,
    }
}

fn fields(body: &[u8]) -> Fields {
    form::decode(body).unwrap_or_default()
}

/// `POST phone/code`: shows a fresh code of `user`, paid from his own card or from the sample card that ends with `card`.
async fn show(State(frame): State<Arc<Frame>>, body: Bytes) -> Response {
    let wishes = fields(&body);
    let user = named(text(&wishes, "user"));
    let card_number = match text(&wishes, "card") {
        "" => card::of_user(user),
        tail => match card::by_tail(tail) {
            Some(card) => card.number.to_owned(),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    let mut tx = frame.store.begin();
    let asks = text(&wishes, "needs_password") == "1";
    let code = QrCode::show(&mut tx, user, card_number, asks, frame.clock.now_ms());
    tx.commit();
    if text(&wishes, "page") == "1" {
        return back(user, &code.code);
    }
    Json(json!({ "code": code.code, "expires_at_ms": code.expires_at_ms })).into_response()
}

/// `POST phone/password`: the user's answer to the question for the password, by `code` and `agree` (1 or 0).
async fn enter(State(frame): State<Arc<Frame>>, body: Bytes) -> Response {
    let answer = fields(&body);
    let answered = password::answer(&frame, text(&answer, "code"), text(&answer, "agree") == "1");
    match answered {
        Answered::Taken | Answered::NothingWaits if text(&answer, "page") == "1" => {
            back(named(text(&answer, "user")), "")
        }
        Answered::Taken => StatusCode::NO_CONTENT.into_response(),
        Answered::NoSuchCode => StatusCode::NOT_FOUND.into_response(),
        Answered::NothingWaits => StatusCode::CONFLICT.into_response(),
    }
}

/// Sends the browser back to the page.
fn back(user: &str, code: &str) -> Response {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("user", user)
        .append_pair("code", code)
        .finish();
    Redirect::to(&format!("/unionpay/phone?{query}")).into_response()
}
