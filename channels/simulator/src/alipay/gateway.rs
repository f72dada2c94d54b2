//! The gateway's counter: takes a call, lets the fault script have its say, and sends the signed answer back.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::account::{self, Account};
use super::answer::{self, ERROR_ROOT, Node};
use super::call::{self, Method, Params};
use super::desk::Desk;
use super::door::{self, Admitted, TurnedAway};
use super::{agreement, phone, run, sign, trade};
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway};

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
        let effects = effects(&frame, params.method(), &order_no(&frame, &params));
        if let Some(answer) = fault::before(&effects).await {
            return answer;
        }
        let answer = respond(&frame, &params, &effects);
        fault::after(&effects, answer).await
    });
    work.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// What the fault script wants of this call. Lines about bills strike only the call that asks for one.
pub(super) fn effects(frame: &Frame, method: &str, order_no: &str) -> Vec<Effect> {
    let is_bill = Method::named(method) == Some(Method::BillUrl);
    frame.faults.take(Gateway::Alipay, method, order_no, |effect| {
        !effect.is_about_notices() && (is_bill || !effect.is_about_bills())
    })
}

/// The merchant's number that faults match on. Where a call names only the gateway's number, it is looked up.
fn order_no(frame: &Frame, params: &Params) -> String {
    let Some(method) = Method::named(params.method()) else {
        return String::new();
    };
    let desk = Desk::open(frame);
    let caller = params.get("app_id").and_then(|app_id| account::find(&desk.tx, app_id));
    let sealed = || {
        let opened = caller.as_ref()?.content_key()?.open(params.get("biz_content")?)?;
        serde_json::from_slice(&opened).ok()
    };
    let biz = params.biz().or_else(sealed).unwrap_or_default();
    let merchant = door::merchant(&desk.tx, caller, params.get("app_auth_token"));
    number_in(
        &desk,
        merchant.map(|merchant| merchant.seller_id).as_deref(),
        method,
        &biz,
    )
}

/// The number in the content of a call of this seller.
pub(super) fn number_in(
    desk: &Desk<'_>,
    seller_id: Option<&str>,
    method: Method,
    biz: &serde_json::Map<String, serde_json::Value>,
) -> String {
    let text = |name: &str| call::text(biz, name);
    let by_trade_no = || trade::number_of(&desk.tx, seller_id?, &text("trade_no")?);
    let by_agreement_no = || {
        let agreement = agreement::by_number(desk, seller_id?, &text("agreement_no")?)?;
        Some(agreement.order_no().to_owned())
    };
    let out_trade_no = || text("out_trade_no").or_else(by_trade_no);
    let number = match method {
        Method::TradeRefund | Method::RefundQuery => text("out_request_no").or_else(out_trade_no),
        Method::BillUrl => text("bill_date"),
        _ if method.is_about_trades() => out_trade_no(),
        _ => text("external_agreement_no").or_else(by_agreement_no),
    };
    number.unwrap_or_default()
}

fn respond(frame: &Arc<Frame>, params: &Params, effects: &[Effect]) -> Response {
    let root = root(params);
    let body = match door::admit(frame, params, effects) {
        Ok(Admitted { call, .. }) if call.method == Method::PageSign => return phone::consent(frame, &call),
        Ok(Admitted { call, sealed }) => {
            let node = run::run(frame, &call);
            // Failures of the token exchange come under the root of errors (section 7).
            let is_error = call.method == Method::OauthToken && node.has("sub_code");
            let root = if is_error { ERROR_ROOT } else { &root };
            signed(root, &node, &call.caller, params, effects, sealed)
        }
        Err(TurnedAway { failure, .. }) if Method::named(params.method()) == Some(Method::PageSign) => {
            return phone::refusal(&failure);
        }
        Err(TurnedAway {
            failure,
            account: Some(account),
            sealed,
        }) => signed(&root, &failure.node(), &account, params, effects, sealed),
        Err(TurnedAway { failure, .. }) => answer::envelope(&root, &failure.node().to_json(), None, None),
    };
    answer::respond(&body, params.charset)
}

fn root(params: &Params) -> String {
    match Method::named(params.method()) {
        Some(_) => format!("{}_response", params.method().replace('.', "_")),
        None => ERROR_ROOT.to_owned(),
    }
}

/// The body with everything the app is owed: escapes, sealing, the certificate's name, the signature.
fn signed(root: &str, node: &Node, account: &Account, params: &Params, effects: &[Effect], sealed: bool) -> String {
    let plain = answer::escaped(
        &node.to_json(),
        account.terms.escape_slashes,
        account.terms.escape_unicode,
    );
    let text = match account.content_key().filter(|_| sealed) {
        Some(key) => format!("\"{}\"", key.seal(&params.charset.bytes(&plain))),
        None => plain,
    };
    let cert_sn = account
        .certificates
        .as_ref()
        .map(|certificates| certificates.alipay_sn.as_str());
    if effects.contains(&Effect::NoSignature) {
        return answer::envelope(root, &text, cert_sn, None);
    }
    let covered = if effects.contains(&Effect::WrongSignature) {
        format!("{text} ")
    } else {
        text.clone()
    };
    let signature = sign::sign(&account.alipay_private_key, params.charset.bytes(&covered));
    answer::envelope(root, &text, cert_sn, signature.as_deref())
}
