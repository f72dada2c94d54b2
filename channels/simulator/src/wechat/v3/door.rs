//! One way in for all calls of APIv3: the fault script is asked once, the caller is known by his signature, the fields are
//! checked, the call acts, the answer is signed (wechat reference, 11.3).

use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequestParts, OriginalUri, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use serde_json::{Map, Value, json};

use super::super::account::{self, Account, Mode};
use super::super::answer::Failure as V2Failure;
use super::super::credentials::{self, Credentials};
use super::super::operation::{Family, Side};
use super::answer::{Answer, Envelope, Failure};
use super::authorization::{Authorization, WINDOW_S};
use super::operation::{At, Call};
use super::schema::{self, Objection};
use super::signer::Signer;
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway};

/// The longest request, in bytes.
const BODY_LEN_MAX: usize = 1 << 20;

const NONCES: &str = "wechat_v3_nonce";

/// The route of a call.
pub(super) fn at(at: At) -> MethodRouter<Arc<Frame>> {
    any(move |State(frame): State<Arc<Frame>>, request: Request| serve(frame, at, request))
}

/// What is not there.
pub(in super::super) fn not_found(frame: &Frame, parts: &Parts) -> Response {
    let envelope = Envelope {
        signer: Signer::of_answer(frame, header(parts, "wechatpay-serial")),
        effects: Vec::new(),
        now_ms: frame.clock.now_ms(),
    };
    envelope.send(Err(Failure::of("NOT_FOUND")))
}

/// What came in, before anything of it is believed.
struct Received {
    parts: Parts,
    /// Path and query as sent.
    target: String,
    body: Bytes,
    number: String,
}

async fn serve(frame: Arc<Frame>, at: At, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let number = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .ok()
        .and_then(|params| params.iter().next().map(|(_, value)| value.to_owned()));
    let sent_to = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
    let target = sent_to
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let signer = Signer::of_answer(&frame, header(&parts, "wechatpay-serial"));
    let body = to_bytes(body, BODY_LEN_MAX).await;
    let too_long = body.is_err();
    let received = Received {
        parts,
        target,
        body: body.unwrap_or_default(),
        number: number.unwrap_or_default(),
    };
    let input = read(at, &received);
    let subject = subject(
        at.operation.family,
        &received.number,
        input.as_ref().unwrap_or(&Value::Null),
    );
    let plays = |effect: &Effect| plays(at.operation.family, effect);
    let effects = frame.faults.take(Gateway::Wechat, at.operation.name, &subject, plays);
    if let Some(cut) = fault::before(&effects).await {
        return cut;
    }
    let envelope = Envelope {
        signer,
        effects: effects.clone(),
        now_ms: frame.clock.now_ms(),
    };
    let outcome = if too_long {
        Err(Failure::new("PARAM_ERROR", "请求体过长"))
    } else {
        admit(&frame, at, received, input, effects.clone()).and_then(|call| act(&frame, at, &call))
    };
    fault::after(&effects, envelope.send(outcome)).await
}

/// As in APIv2, but refunds are told without the merchant's number here, and a closing without anything.
fn plays(family: Family, effect: &Effect) -> bool {
    let is_silent = matches!(family, Family::Refund | Family::RefundQuery | Family::Close);
    family.plays(effect) && !(is_silent && matches!(effect, Effect::WrongMerchant { .. }))
}

fn act(frame: &Arc<Frame>, at: At, call: &Call) -> Result<Answer, Failure> {
    for effect in &call.effects {
        match effect {
            Effect::SystemErrorBefore => return Err(Failure::of("SYSTEM_ERROR")),
            Effect::Refuse { code } => return Err(V2Failure::of(code).into()),
            Effect::Blind if at.operation.family == Family::RefundQuery => {
                return Err(Failure::new("RESOURCE_NOT_EXISTS", "退款单不存在"));
            }
            Effect::Blind => return Err(Failure::of("ORDER_NOT_EXIST")),
            _ => {}
        }
    }
    let outcome = (at.operation.act)(frame, call);
    if call.effects.contains(&Effect::SystemErrorAfter) {
        return Err(Failure::of("SYSTEM_ERROR"));
    }
    outcome
}

/// The merchant's number that a request is about, as the fault script names it.
fn subject(family: Family, number: &str, input: &Value) -> String {
    let names: &[&str] = match family {
        Family::Refund => &["/out_refund_no"],
        Family::CodePayment => &["/out_trade_no"],
        Family::BillLink => &["/bill_date"],
        _ => &[],
    };
    let named = names.iter().find_map(|name| input.pointer(name)?.as_str());
    named.unwrap_or(number).to_owned()
}

/// The body of a request as JSON, or its query as an object of texts.
fn read(at: At, received: &Received) -> Result<Value, Failure> {
    if at.operation.method == "GET" {
        let query = received.parts.uri.query().unwrap_or_default();
        let mut fields = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            fields.insert(name.into_owned(), json!(value));
        }
        return Ok(Value::Object(fields));
    }
    serde_json::from_slice(&received.body).map_err(|_| Failure::new("PARAM_ERROR", "请求体不是有效的JSON"))
}

/// Lets a request in, or says why not.
fn admit(
    frame: &Frame,
    at: At,
    received: Received,
    input: Result<Value, Failure>,
    effects: Vec<Effect>,
) -> Result<Call, Failure> {
    let now_ms = frame.clock.now_ms();
    let parts = &received.parts;
    if parts.method.as_str() != at.operation.method {
        return Err(Failure::new("METHOD_NOT_ALLOWED", "请求方法不支持"));
    }
    check_headers(at, parts)?;
    let (account, credentials, authorization) = known(frame, &received, now_ms)?;
    spend_nonce(frame, &account, &authorization)?;
    let input = input?;
    let (location, extra) = match account.mode {
        Mode::Direct => (location(at), at.operation.direct),
        Mode::Provider => (location(at), at.operation.provider),
    };
    let fits = match at.side {
        Side::Direct => account.mode == Mode::Direct,
        Side::Provider => account.mode == Mode::Provider,
        Side::Both => true,
    };
    if !fits {
        return Err(Failure::new("NO_AUTH", "商户号类型与接口不符"));
    }
    schema::check(&input, &[at.operation.rules, extra], now_ms / 1_000)
        .map_err(|objection| Failure::field(location, &objection))?;
    let mut call = Call {
        sealed_for: header(parts, "wechatpay-serial").map(str::to_owned),
        account,
        credentials,
        shop: None,
        input,
        number: received.number,
        effects,
        now_ms,
    };
    identify(frame, location, &mut call)?;
    Ok(call)
}

fn location(at: At) -> &'static str {
    if at.operation.method == "GET" { "query" } else { "body" }
}

fn check_headers(at: At, parts: &Parts) -> Result<(), Failure> {
    let accept = header(parts, "accept");
    if accept.is_none() || header(parts, "user-agent").is_none_or(|agent| agent.trim().is_empty()) {
        return Err(Failure::new("PARAM_ERROR", "Http头缺少Accept或User-Agent"));
    }
    // A bill is no JSON, and nobody is asked to want it so.
    let takes_json = accept.is_some_and(|accept| accept.contains("application/json") || accept.contains("*/*"));
    if !takes_json && at.operation.family != Family::BillFile {
        return Err(Failure::new("NOT_ACCEPTABLE", "Accept须为application/json"));
    }
    let has_body = at.operation.method != "GET";
    let is_json = header(parts, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if has_body && !is_json {
        return Err(Failure::new(
            "UNSUPPORTED_MEDIA_TYPE",
            "Content-Type须为application/json",
        ));
    }
    Ok(())
}

/// Who sent it, by the signature.
fn known(frame: &Frame, received: &Received, now_ms: i64) -> Result<(Account, Credentials, Authorization), Failure> {
    let parts = &received.parts;
    let refused = |field: &str, issue: &str| Failure {
        code: "SIGN_ERROR".to_owned(),
        message: "签名错误".to_owned(),
        detail: Some(json!({"field": field, "issue": issue, "location": "authorization"})),
    };
    let authorization = header(parts, "authorization").and_then(Authorization::read);
    let Some(authorization) = authorization else {
        return Err(refused("authorization", "Http头Authorization缺失或格式有误"));
    };
    let tx = frame.store.begin();
    let account = account::find(&tx, &authorization.mchid);
    let credentials = credentials::find(&tx, &authorization.mchid);
    drop(tx);
    let (Some(account), Some(credentials)) = (account, credentials) else {
        return Err(refused("mchid", "商户号不存在"));
    };
    if !credentials.cert_serial.eq_ignore_ascii_case(&authorization.serial) {
        return Err(refused("serial_no", "证书序列号不属于该商户"));
    }
    if !authorization.is_fresh(now_ms) {
        return Err(refused("timestamp", "时间戳与服务器时间相差超过5分钟"));
    }
    let (_, key) = credentials::read_certificate(&credentials.cert_pem).map_err(|_| Failure::of("SYSTEM_ERROR"))?;
    let method = parts.method.as_str();
    let short = received.target.strip_prefix("/wechat").unwrap_or(&received.target);
    if !authorization.verifies(&key, method, &[short, &received.target], &received.body) {
        let mut failure = refused("signature", "sign not match");
        if let Some(detail) = failure.detail.as_mut() {
            detail["sign_information"] = json!({
                "method": method,
                "url": short,
                "sign_message_length": authorization.message(method, short, &received.body).len(),
                "truncated_sign_message": format!("{method}\n{short}\n{}\n", authorization.timestamp),
            });
        }
        return Err(failure);
    }
    Ok((account, credentials, authorization))
}

/// Where the account says so, a nonce is good once within the window of its timestamp.
fn spend_nonce(frame: &Frame, account: &Account, authorization: &Authorization) -> Result<(), Failure> {
    if !account.terms.v3_nonce_once {
        return Ok(());
    }
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let key = format!("{}/{}", account.mch_id, authorization.nonce);
    let seen: Option<i64> = tx.get(NONCES, &key);
    if seen.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) <= 2 * WINDOW_S * 1_000) {
        return Err(Failure::new("SIGN_ERROR", "nonce_str重复"));
    }
    tx.put(NONCES, &key, &now_ms);
    tx.commit();
    Ok(())
}

/// The numbers within the request must be the caller's, and the shop must be one of his.
fn identify(frame: &Frame, location: &str, call: &mut Call) -> Result<(), Failure> {
    for at in ["/mchid", "/sp_mchid"] {
        if let Some(given) = call.text(at).filter(|given| *given != call.account.mch_id) {
            let objection = Objection {
                field: at.to_owned(),
                value: json!(given),
                issue: "商户号与签名的商户号不一致",
            };
            return Err(Failure::field(location, &objection));
        }
    }
    let foreign = ["/appid", "/sp_appid"]
        .into_iter()
        .any(|at| call.text(at).is_some_and(|appid| appid != call.account.appid));
    if foreign {
        return Err(Failure::of("APPID_MCHID_NOT_MATCH"));
    }
    if let Some(sub_mchid) = call.text("/sub_mchid") {
        let shop = account::find_shop(&frame.store.begin(), &call.account.mch_id, sub_mchid);
        call.shop = Some(shop.ok_or_else(|| Failure::new("NO_AUTH", "特约商户与服务商没有受理关系"))?);
    }
    Ok(())
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;

    #[test]
    fn a_refusal_may_be_written_in_the_spelling_of_either_version() {
        let failure: Failure = V2Failure::of("NOTENOUGH").into();
        assert_eq!(
            (failure.code.as_str(), code::status(&failure.code)),
            ("NOT_ENOUGH", 403)
        );
        let failure: Failure = V2Failure::of("NOT_ENOUGH").into();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("NOT_ENOUGH", "余额不足")
        );
    }
}
