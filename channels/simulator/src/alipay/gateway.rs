//! The gateway's door: checks in the order of the alipay reference, 11.2, then the method, then the signed answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{NaiveDateTime, TimeZone};

use super::account::{self, Account};
use super::answer::{self, ERROR_ROOT, Failure, Node};
use super::call::{self, Call, Method, Params};
use super::desk::Desk;
use super::money::yuan;
use super::{agreement, agreement_call, cancel, pay, phone, refund, sign, trade, trade_query};
use crate::clock;
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway};

/// A call that was turned away at the door.
struct TurnedAway {
    failure: Failure,
    /// The caller, once known: then the answer is signed.
    account: Option<Box<Account>>,
}

/// `GET /gateway.do`
pub(super) async fn by_query(State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery) -> Response {
    serve(frame, Params::read(query.as_deref().unwrap_or_default(), &[])).await
}

/// `POST /gateway.do`
pub(super) async fn by_form(State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    serve(frame, Params::read(query.as_deref().unwrap_or_default(), &body)).await
}

/// A call that has arrived is carried out even when the caller hangs up: it runs apart from the connection.
async fn serve(frame: Arc<Frame>, params: Params) -> Response {
    let work = tokio::spawn(async move {
        let order_no = order_no(&frame, &params);
        let effects = frame
            .faults
            .take(Gateway::Alipay, params.method(), &order_no, |effect| {
                !effect.is_about_notices()
            });
        if let Some(answer) = fault::before(&effects).await {
            return answer;
        }
        let answer = respond(&frame, &params, &effects);
        fault::after(&effects, answer).await
    });
    work.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The merchant's number that faults match on. Where a call names only the gateway's number, it is looked up.
fn order_no(frame: &Frame, params: &Params) -> String {
    let (Some(method), Some(biz)) = (Method::named(params.method()), params.biz()) else {
        return String::new();
    };
    let text = |name: &str| call::text(&biz, name);
    let desk = Desk::open(frame);
    let seller_id = params
        .get("app_id")
        .and_then(|app_id| account::find(&desk.tx, app_id))
        .map(|a| a.seller_id);
    let by_trade_no = || trade::number_of(&desk.tx, seller_id.as_deref()?, &text("trade_no")?);
    let by_agreement_no = || {
        let agreement = agreement::by_number(&desk, seller_id.as_deref()?, &text("agreement_no")?)?;
        Some(agreement.order_no().to_owned())
    };
    let out_trade_no = || text("out_trade_no").or_else(by_trade_no);
    let number = match method {
        Method::TradeRefund | Method::RefundQuery => text("out_request_no").or_else(out_trade_no),
        _ if method.is_about_trades() => out_trade_no(),
        _ => text("external_agreement_no").or_else(by_agreement_no),
    };
    number.unwrap_or_default()
}

fn respond(frame: &Arc<Frame>, params: &Params, effects: &[Effect]) -> Response {
    let admitted = admit(frame, params, effects);
    match admitted {
        Ok(call) if call.method == Method::PageSign => phone::consent(frame, &call),
        Ok(call) => {
            let node = run(frame, &call);
            let root = root(params);
            answer::respond(signed(&root, &node, &call.account, effects))
        }
        Err(refused) if Method::named(params.method()) == Some(Method::PageSign) => phone::refusal(&refused.failure),
        Err(refused) => {
            let node = refused.failure.node();
            let body = match &refused.account {
                Some(account) => signed(&root(params), &node, account, effects),
                None => answer::envelope(&root(params), &node.to_json(), None),
            };
            answer::respond(body)
        }
    }
}

fn root(params: &Params) -> String {
    match Method::named(params.method()) {
        Some(_) => format!("{}_response", params.method().replace('.', "_")),
        None => ERROR_ROOT.to_owned(),
    }
}

fn signed(root: &str, node: &Node, account: &Account, effects: &[Effect]) -> String {
    let text = node.to_json();
    if effects.contains(&Effect::NoSignature) {
        return answer::envelope(root, &text, None);
    }
    let covered = if effects.contains(&Effect::WrongSignature) {
        format!("{text} ")
    } else {
        text.clone()
    };
    let signature = sign::sign(&account.alipay_private_key, &covered);
    answer::envelope(root, &text, signature.as_deref())
}

/// The checks before the business, in their order.
fn admit(frame: &Frame, params: &Params, effects: &[Effect]) -> Result<Call, TurnedAway> {
    let unknown = |sub_code: &str| TurnedAway {
        failure: Failure::gateway(sub_code),
        account: None,
    };
    let required = [
        ("method", "isv.missing-method"),
        ("app_id", "isv.missing-app-id"),
        ("sign_type", "isv.missing-signature-type"),
        ("timestamp", "isv.missing-timestamp"),
        ("version", "isv.missing-version"),
        ("sign", "isv.missing-signature"),
    ];
    for (name, sub_code) in required {
        params.get(name).ok_or_else(|| unknown(sub_code))?;
    }
    let app_id = params.get("app_id").unwrap_or_default();
    let account = account::find(&frame.store.begin(), app_id).ok_or_else(|| unknown("isv.invalid-app-id"))?;
    match known(frame, params, &account) {
        Ok((method, biz)) => Ok(Call {
            account,
            method,
            biz,
            notify_url: params.get("notify_url").map(str::to_owned),
            return_url: params.get("return_url").map(str::to_owned),
            effects: effects.to_vec(),
        }),
        Err(failure) => Err(TurnedAway {
            failure,
            account: Some(Box::new(account)),
        }),
    }
}

type Business = (Method, serde_json::Map<String, serde_json::Value>);

/// The checks once the caller is known.
fn known(frame: &Frame, params: &Params, account: &Account) -> Result<Business, Failure> {
    check_form(frame, params, account)?;
    let method = Method::named(params.method()).ok_or_else(|| Failure::gateway("isv.invalid-method"))?;
    let text = sign::request_string(&params.0);
    if !sign::verify(&account.app_public_key, &text, params.get("sign").unwrap_or_default()) {
        let shown = text.replace('&', "&amp;");
        let why = format!("验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，网关生成的验签字符串为：{shown}");
        return Err(Failure::gateway("isv.invalid-signature").because(&why));
    }
    // No account here has a key for content encryption, and no app authorised another.
    if params.get("encrypt_type").is_some() {
        return Err(Failure::gateway("isv.decryption-error-not-valid-encrypt-key"));
    }
    if params.get("app_auth_token").is_some() {
        return Err(Failure::gateway("aop.invalid-app-auth-token"));
    }
    let biz = params.biz().ok_or_else(|| Failure::gateway("isv.illegal-json"))?;
    Ok((method, biz))
}

fn check_form(frame: &Frame, params: &Params, account: &Account) -> Result<(), Failure> {
    let refuse = |sub_code: &str| Err(Failure::gateway(sub_code));
    if !params
        .get("charset")
        .is_some_and(|charset| charset.eq_ignore_ascii_case("utf-8"))
    {
        return refuse("isv.invalid-charset");
    }
    if params
        .get("format")
        .is_some_and(|format| !format.eq_ignore_ascii_case("json"))
    {
        return refuse("isv.invalid-format");
    }
    if params.get("version") != Some("1.0") {
        return Err(Failure::gateway("isv.invalid-parameter").because("version只能是1.0"));
    }
    if params.get("sign_type") != Some("RSA2") {
        return refuse("isv.invalid-signature-type");
    }
    let written = params.get("timestamp").unwrap_or_default();
    let Ok(time) = NaiveDateTime::parse_from_str(written, "%Y-%m-%d %H:%M:%S") else {
        return refuse("isv.invalid-timestamp");
    };
    let time_ms = clock::china()
        .from_local_datetime(&time)
        .single()
        .map(|time| time.timestamp_millis());
    let away_ms = time_ms.map_or(u64::MAX, |time_ms| time_ms.abs_diff(frame.clock.now_ms()));
    if away_ms > account.timestamp_window_s.saturating_mul(1_000) {
        return refuse("isv.invalid-timestamp");
    }
    Ok(())
}

/// Carries out the method, as the fault script wants it; the node of the answer.
fn run(frame: &Arc<Frame>, call: &Call) -> Node {
    if let Some(failure) = refused(call) {
        return failed(call, &failure);
    }
    let mut desk = Desk::open(frame);
    let done = match call.method {
        Method::TradePay => pay::pay(&mut desk, call),
        Method::TradeQuery => trade_query::query(&mut desk, call),
        Method::TradeCancel => cancel::cancel(&mut desk, call),
        Method::TradeClose => cancel::close(&mut desk, call),
        Method::TradeRefund => refund::refund(&mut desk, call),
        Method::RefundQuery => refund::query(&mut desk, call),
        Method::AgreementQuery => agreement_call::query(&mut desk, call),
        Method::AgreementUnsign => agreement_call::unsign(&mut desk, call),
        Method::PageSign => Err(Failure::gateway("isv.invalid-method")),
    };
    desk.close(frame);
    if call.effects.contains(&Effect::SystemErrorAfter) {
        return failed(call, &system_error(call));
    }
    let mut node = done.unwrap_or_else(|failure| failed(call, &failure));
    for effect in &call.effects {
        twist(&mut node, effect);
    }
    node
}

/// The refusal that the fault script wants instead of any action.
pub(super) fn refused(call: &Call) -> Option<Failure> {
    call.effects.iter().find_map(|effect| match effect {
        Effect::SystemErrorBefore => Some(system_error(call)),
        Effect::Refuse { code } if code.contains('.') && !code.starts_with("ACQ.") && !code.starts_with("AQC.") => {
            Some(Failure::gateway(code))
        }
        Effect::Refuse { code } if call.method.is_about_trades() && !code.contains('.') => Some(Failure::acq(code)),
        Effect::Refuse { code } => Some(Failure::business(code)),
        _ => None,
    })
}

/// The service failed inside: 20000.
pub(super) fn system_error(call: &Call) -> Failure {
    Failure::system(if call.method.is_about_trades() {
        "ACQ.SYSTEM_ERROR"
    } else {
        "SYSTEM_ERROR"
    })
}

fn failed(call: &Call, failure: &Failure) -> Node {
    match call.method {
        Method::TradePay => pay::failed(call, failure),
        Method::TradeQuery => trade_query::failed(call, failure),
        Method::TradeRefund => refund::failed(failure),
        _ => failure.node(),
    }
}

/// Makes the answer say something else; it is signed as it then stands.
fn twist(node: &mut Node, effect: &Effect) {
    match effect {
        Effect::WrongAmount { fen } => {
            let replaced = node.replace("refund_fee", &yuan(*fen)) || node.replace("refund_amount", &yuan(*fen));
            if !replaced {
                node.replace("total_amount", &yuan(*fen));
            }
        }
        Effect::WrongOrder { order_no } => {
            for name in ["out_trade_no", "out_request_no", "external_agreement_no"] {
                node.replace(name, order_no);
            }
        }
        _ => {}
    }
}
