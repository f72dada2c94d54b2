//! A message from its door to its answer: faults, checks, the act itself, the seal.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use super::form::{self, Fields};
use super::message::{Door, Message};
use super::reply::Reply;
use super::request::{self, Request, Stop, text};
use super::seal::Seal;
use super::{
    account, bill, cashier, certificates, consume, encryption, front, open_query, order, page, qr_consume, query,
    script, sms, token, token_change, undo,
};
use crate::clock;
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway};

/// Takes a message at a door: plays the faults, checks, acts, answers.
pub(super) async fn serve(door: Door, State(frame): State<Arc<Frame>>, headers: HeaderMap, body: Bytes) -> Response {
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

/// The form in a request; `None` when there is none.
pub(super) fn posted(headers: &HeaderMap, body: &[u8]) -> Option<Fields> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    content_type
        .starts_with("application/x-www-form-urlencoded")
        .then(|| form::decode(body))?
}

/// An answer as it is, of the kind that the real gateway says its answers are.
pub(super) fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/html;charset=UTF-8")], text).into_response()
}

fn answer(frame: &Arc<Frame>, door: Door, fields: Fields, effects: &[Effect]) -> Response {
    let account = account::find(&frame.store.begin(), text(&fields, "merId"));
    let conduct = account
        .as_ref()
        .map(|account| account.conduct.clone())
        .unwrap_or_default();
    let seal = account::seal_of(frame, &conduct);
    let cert_id = match &seal {
        Seal::Certificate(leaf) => certificates::read(&leaf.cert_pem).map(|cert| cert.cert_id),
        Seal::Secret(..) => None,
    };
    let now = clock::at(frame.clock.now_ms());
    let outcome = match request::check(door, fields, account, cert_id.as_deref(), now) {
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
    let mut body = reply.write(&seal, script::signature(effects));
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
        Message::PayAtCashier => return Outcome::Page(cashier::show(frame, request, effects)),
        Message::Consume => consume::consume(frame, request, effects),
        Message::Reverse => consume::reverse(frame, request, effects),
        Message::Undo | Message::Refund => undo::undo(frame, request, effects),
        Message::Query => query::query(frame, request, effects),
        Message::ConsumeByCode => qr_consume::consume(frame, request, effects),
        Message::SmsForOpening | Message::SmsForConsumption => sms::send(frame, request),
        Message::CardQuery => open_query::by_card(frame, request, effects),
        Message::OpenQuery => open_query::by_order(frame, request, effects),
        Message::OpenByMerchant => token_change::open(frame, request),
        Message::UpdateToken => token_change::update(frame, request),
        Message::ApplyToken => token_change::apply(frame, request),
        Message::DeleteToken => token::delete(frame, request),
        Message::EncryptionCertificate => encryption::ask(frame, request),
        Message::File => bill::fetch(frame, request, effects),
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
