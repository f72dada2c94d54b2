//! The UnionPay gateway: ACP messages 5.1.0 with tokens (无跳转支付 token 版), signed by method 01.
//!
//! A request goes through [`request`] (is it well formed, signed, permitted), then to the file that is named after what
//! it asks for, and comes back as a [`reply`]. Accepted orders are decided in [`settle`] and told by [`notify`].

mod account;
mod certificates;
mod clearing;
mod code;
mod consume;
mod field;
mod form;
mod front;
mod notify;
mod order;
mod page;
mod query;
mod reply;
mod request;
mod script;
mod settle;
mod sign;
mod token;
mod undo;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{any, post};
use serde_json::Value;

use self::form::Fields;
use self::reply::Reply;
use self::request::{Door, Message, Request, Stop, text};
use crate::clock;
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway, Refused};

/// Everything the gateway answers, under `/unionpay`.
pub(crate) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route(
            "/gateway/api/backTransReq.do",
            any(|frame, headers, body| serve(Door::Back, frame, headers, body)),
        )
        .route(
            "/gateway/api/frontTransReq.do",
            any(|frame, headers, body| serve(Door::Front, frame, headers, body)),
        )
        .route(
            "/gateway/api/queryTrans.do",
            any(|frame, headers, body| serve(Door::Query, frame, headers, body)),
        )
        .route("/sim/front/open", post(decide))
}

/// Takes up again what was pending when the simulator stopped.
pub(crate) fn resume(frame: &Arc<Frame>) {
    settle::resume(frame);
}

/// Opens a merchant account, or changes the one of the same `mer_id`.
///
/// Wishes, all optional: `mer_id` (15 letters and digits), `cert_pem` (else the gateway issues a certificate with a key),
/// `tr_id`, `shop_name`, `tokens` (numbers of tokens that are open from the start), and how the gateway behaves:
/// `signer` (`gateway`, `merchant_cert`, `wrong_cn`, `other_ca`, `expired`), `cn_name_check`, `discount_fen`,
/// `clearing_cut` (`HH:MM`), `disabled`, `blacklisted`, `no_permission` (transaction types), `not_opened` (businesses),
/// `limit_fen`, `sms_required`.
///
/// # Errors
/// When a wish is unknown or of wrong form.
pub(crate) fn open_account(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    account::open(frame, spec)
}

async fn serve(door: Door, State(frame): State<Arc<Frame>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(fields) = posted(&headers, &body) else {
        return plain("Invalid request.".to_owned());
    };
    let txn_type = text(&fields, "txnType");
    let fits = |effect: &Effect| script::fits(effect, txn_type);
    let effects = frame
        .faults
        .take(Gateway::Unionpay, txn_type, text(&fields, "orderId"), fits);
    if let Some(answer) = fault::before(&effects).await {
        return answer;
    }
    let played = effects.clone();
    // RSA and synced writes would hold up the other gateways' requests.
    let answer = tokio::task::spawn_blocking(move || answer(&frame, door, fields, &played)).await;
    match answer {
        Ok(answer) => fault::after(&effects, answer).await,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn posted(headers: &HeaderMap, body: &[u8]) -> Option<Fields> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    content_type
        .starts_with("application/x-www-form-urlencoded")
        .then(|| form::decode(body))?
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/html;charset=UTF-8")], text).into_response()
}

fn answer(frame: &Arc<Frame>, door: Door, fields: Fields, effects: &[Effect]) -> Response {
    let account = account::find(&frame.store.begin(), text(&fields, "merId"));
    let hierarchy = certificates::Hierarchy::of(frame);
    let conduct = account
        .as_ref()
        .map(|account| account.conduct.clone())
        .unwrap_or_default();
    let leaf = hierarchy.signer(conduct.signer, conduct.cn_name_check);
    let cert_id = certificates::read(&leaf.cert_pem)
        .map(|cert| cert.cert_id)
        .unwrap_or_default();
    let now = clock::at(frame.clock.now_ms());
    let outcome = match request::check(door, fields, account, &cert_id, now) {
        Err(Stop::Text(text)) => return plain(text.to_owned()),
        Err(Stop::Reply(reply)) => Outcome::Reply(*reply),
        Ok(request) => act(frame, &request, effects),
    };
    let mut reply = match outcome {
        Outcome::Page(page) => return Html(page).into_response(),
        Outcome::Reply(reply) if door == Door::Front => return Html(complaint(&reply)).into_response(),
        Outcome::Reply(reply) => reply,
    };
    script::twist(effects, &mut reply.fields);
    let mut body = reply.write(leaf, script::signature(effects));
    if door == Door::Query {
        // The real gateway ends some answers with a line break that is no part of the signature.
        body.push('\n');
    }
    plain(body)
}

/// What came of a request.
enum Outcome {
    /// A page for the user's browser.
    Page(String),
    /// An answer to sign.
    Reply(Reply),
}

fn act(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> Outcome {
    if let Some(code) = script::refusal(effects) {
        return Outcome::Reply(order::refuse(frame.store.begin(), request, frame.clock.now_ms(), code));
    }
    let reply = match request.message {
        Message::Open => return Outcome::Page(front::show(frame, request)),
        Message::Consume => consume::consume(frame, request, effects),
        Message::Reverse => consume::reverse(frame, request, effects),
        Message::Undo | Message::Refund => undo::undo(frame, request, effects),
        Message::Query => query::query(frame, request, effects),
        Message::DeleteToken => token::delete(frame, request),
        Message::OpenQuery => token::open_query(frame, request, effects),
    };
    let failing = effects.contains(&Effect::SystemErrorAfter);
    Outcome::Reply(if failing {
        Reply::new(&request.fields, "04")
    } else {
        reply
    })
}

fn complaint(reply: &Reply) -> String {
    page::complaint(text(&reply.fields, "respCode"), text(&reply.fields, "respMsg"))
}

/// The user's decision on the page of [`front`].
async fn decide(State(frame): State<Arc<Frame>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(decision) = posted(&headers, &body) else {
        return plain("Invalid request.".to_owned());
    };
    let page = tokio::task::spawn_blocking(move || front::decide(&frame, &decision)).await;
    page.map_or_else(
        |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |page| Html(page).into_response(),
    )
}
