//! The same gateway behind the v3 envelope: paths for methods, headers for the rest (alipay reference, 1.9).
//!
//! Signed is the target of the request line; here the gateway stands under `/alipay`, which clients that were given a base
//! address leave out, so the target is taken with and without it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method as Verb, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::account::{self, Account};
use super::call::{self, Call, Method};
use super::charset::Charset;
use super::desk::Desk;
use super::failure::Failure;
use super::v3_answer::{self, Answer};
use super::v3_auth::Authorization;
use super::{door, gateway, rate, run, sign};
use crate::fault::{self, Effect};
use crate::frame::Frame;

/// Where the gateway stands.
const PREFIX: &str = "/alipay";

/// A request as it arrived.
struct Request {
    verb: Verb,
    /// Path and raw query, as from `/v3/`.
    target: String,
    headers: HeaderMap,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?.to_str().ok()?;
        Some(value).filter(|value| !value.trim().is_empty())
    }

    /// The method's name: the path after `/v3/` with dots for slashes.
    fn method(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        path.trim_start_matches("/v3/").replace('/', ".")
    }

    /// Two methods are read with GET, their parameters in the query; all others are posted.
    fn verb_fits(&self, method: Method) -> bool {
        let wanted = match method {
            Method::AgreementQuery | Method::BillUrl => Verb::GET,
            _ => Verb::POST,
        };
        self.verb == wanted
    }
}

/// `/v3/…`
pub(super) async fn serve(
    State(frame): State<Arc<Frame>>,
    verb: Verb,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let request = Request {
        verb,
        target: target.strip_prefix(PREFIX).unwrap_or(&target).to_owned(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    // A call that has arrived is carried out even when the caller hangs up.
    let work = tokio::spawn(async move {
        let effects = effects(&frame, &request);
        if let Some(answer) = fault::before(&effects).await {
            return answer;
        }
        let answer = respond(&frame, &request, &effects);
        fault::after(&effects, answer).await
    });
    work.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn effects(frame: &Frame, request: &Request) -> Vec<Effect> {
    let name = request.method();
    let number = Method::named(&name).map(|method| {
        let desk = Desk::open(frame);
        let caller = request
            .header("authorization")
            .and_then(Authorization::read)
            .and_then(|authorization| account::find(&desk.tx, authorization.get("app_id")?));
        let biz = caller
            .as_ref()
            .and_then(|caller| content(request, caller).ok())
            .unwrap_or_default();
        let merchant = door::merchant(&desk.tx, caller, request.header("alipay-app-auth-token"));
        gateway::number_in(
            &desk,
            merchant.map(|merchant| merchant.seller_id).as_deref(),
            method,
            &biz,
        )
    });
    gateway::effects(frame, &name, &number.unwrap_or_default())
}

fn respond(frame: &Arc<Frame>, request: &Request, effects: &[Effect]) -> Response {
    let caller = match caller(frame, request) {
        Ok(caller) => caller,
        Err(failure) => return v3_answer::respond(frame, &Answer::failed(&failure), None, effects),
    };
    let sealed = request.header("alipay-encrypt-type").is_some();
    let answer = match admit(frame, request, &caller, effects) {
        Ok(call) => Answer::of(&run::run(frame, &call)),
        Err(failure) => Answer::failed(&failure),
    };
    v3_answer::respond(frame, &answer, Some((&caller, sealed)), effects)
}

fn authorization(request: &Request) -> Result<Authorization<'_>, Failure> {
    request
        .header("authorization")
        .and_then(Authorization::read)
        .ok_or_else(|| Failure::gateway("isv.missing-signature"))
}

/// Who calls; what is refused here is refused unsigned.
fn caller(frame: &Frame, request: &Request) -> Result<Account, Failure> {
    let authorization = authorization(request)?;
    for (name, sub_code) in [("app_id", "isv.missing-app-id"), ("timestamp", "isv.missing-timestamp")] {
        authorization.get(name).ok_or_else(|| Failure::gateway(sub_code))?;
    }
    account::find(&frame.store.begin(), authorization.get("app_id").unwrap_or_default())
        .ok_or_else(|| Failure::gateway("isv.invalid-app-id"))
}

fn admit(frame: &Frame, request: &Request, caller: &Account, effects: &[Effect]) -> Result<Call, Failure> {
    let authorization = authorization(request)?;
    if !caller.terms.online {
        return Err(Failure::gateway("not-online-app"));
    }
    check_time(frame, caller, &authorization)?;
    let method = Method::named(&request.method())
        .filter(|method| *method != Method::PageSign && request.verb_fits(*method))
        .ok_or_else(|| Failure::gateway("isv.invalid-method"))?;
    if let Some(certificates) = &caller.certificates {
        let sent = (authorization.get("app_cert_sn"), request.header("alipay-root-cert-sn"));
        door::check_certificates(frame, certificates, sent)?;
    }
    let token = request.header("alipay-app-auth-token");
    let fits = |target: &str| {
        let signed = authorization.content(request.verb.as_str(), target, &request.body, token);
        sign::verify(&caller.app_public_key, signed, authorization.sign)
    };
    if !fits(&request.target) && !fits(&format!("{PREFIX}{}", request.target)) {
        return Err(Failure::gateway("isv.invalid-signature"));
    }
    let account = door::for_whom(frame, method, caller, token)?;
    rate::count(frame, caller, method)?;
    let biz = content(request, caller)?;
    Ok(Call {
        account,
        caller: caller.clone(),
        method,
        charset: Charset::Utf8,
        notify_url: call::text(&biz, "notify_url"),
        return_url: None,
        biz,
        effects: effects.to_vec(),
    })
}

/// The time is in milliseconds; the caller can shorten the request's life.
fn check_time(frame: &Frame, caller: &Account, authorization: &Authorization<'_>) -> Result<(), Failure> {
    let invalid = || Failure::gateway("isv.invalid-timestamp");
    let sent_ms: i64 = authorization
        .get("timestamp")
        .and_then(|text| text.parse().ok())
        .ok_or_else(invalid)?;
    let window_s = match authorization.get("expired_seconds") {
        Some(seconds) => seconds
            .parse::<u64>()
            .map_err(|_| invalid())?
            .min(caller.terms.timestamp_window_s),
        None => caller.terms.timestamp_window_s,
    };
    if sent_ms.abs_diff(frame.clock.now_ms()) > window_s.saturating_mul(1_000) {
        return Err(invalid());
    }
    Ok(())
}

/// The business parameters: from the query, from the body, or from the sealed body.
fn content(request: &Request, caller: &Account) -> Result<Map<String, Value>, Failure> {
    if request.verb == Verb::GET {
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        return Ok(pairs.map(|(name, value)| (name, Value::String(value))).collect());
    }
    let text = match request.header("alipay-encrypt-type") {
        None => request.body.clone(),
        Some("AES") => {
            let key = caller
                .content_key()
                .ok_or_else(|| Failure::gateway("isv.decryption-error-not-valid-encrypt-key"))?;
            let opened = key.open(&request.body).and_then(|bytes| String::from_utf8(bytes).ok());
            opened.ok_or_else(|| Failure::gateway("isv.decryption-error-unknown"))?
        }
        Some(_) => return Err(Failure::gateway("isv.decryption-error-not-valid-encrypt-type")),
    };
    serde_json::from_str(&text).map_err(|_| Failure::gateway("isv.illegal-json"))
}
