//! The UnionPay gateway: ACP messages 5.1.0 with tokens (无跳转支付 token 版) and with payment codes (C2B).
//!
//! [`serve`] leads a request through [`request`] (is it well formed, signed, permitted) to the file that is named after
//! what it asks for, and back as a [`reply`]. Accepted orders are decided in [`settle`] and told by [`notify`].
//!
//! # Doors
//! `gateway/api/{backTransReq,frontTransReq,queryTrans}.do` take messages, `filedownload/` fetches files.
//! [`message`] lists what is carried out; whatever else is known is not permitted (32).
//!
//! # People
//! `sim/front/open` and `sim/front/pay` take what a user decides on the gateway's pages. `phone` is the user's phone: the
//! page shows payment codes and asks for passwords. Scripts call `POST phone/code` (`user`, optional `needs_password=1`,
//! optional `card`, the last four digits of a sample card) for `{"code", "expires_at_ms"}`, and `POST phone/password`
//! (`code`, `agree` 1 or 0) for 204; 404 knows no such code, 409 has no payment that waits for it.
//!
//! # Things that happen at UnionPay
//! `POST sim/encryption/renew` puts a new certificate to encrypt with in the place of the old one, which stays good for a
//! month. `POST sim/chargeback` (`query_id`, `amount` in fen, optional `reason`) takes a payment back; it stands in the
//! error file of the day.
//!
//! # Cards
//! Every user has a card of his own, and may choose sample cards. Those that end with 0042, 0059 and 0067 do not pay (64,
//! 63, 73), the one that ends with 0075 does not take undos (62).
//!
//! # Conventions of this gateway where the reference knows none
//! A payment code that is unknown or used is no card number (61), one that is gone timed out (69); a password that is
//! refused is missing (84), one that nobody enters times out (69). A discount goes back with refunds in proportion.

mod account;
mod bill;
mod card;
mod cashier;
mod certificates;
mod chain;
mod chargeback;
mod clearing;
mod code;
mod conduct;
mod consume;
mod encryption;
mod field;
mod form;
mod front;
mod limit;
mod message;
mod notify;
mod open_query;
mod order;
mod page;
mod password;
mod phone;
mod qr_code;
mod qr_consume;
mod query;
mod reply;
mod request;
mod script;
mod seal;
mod sensitive;
mod serve;
mod settle;
mod sign;
mod sms;
mod token;
mod token_change;
mod undo;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use self::form::Fields;
use self::message::Door;
use self::serve::{plain, posted, serve};
use crate::frame::{Frame, Refused, SignedBefore};

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
        .route(
            "/filedownload",
            any(|frame, headers, body| serve(Door::File, frame, headers, body)),
        )
        .route(
            "/filedownload/",
            any(|frame, headers, body| serve(Door::File, frame, headers, body)),
        )
        .route(
            "/sim/front/open",
            post(|frame, headers, body| decide(front::decide, frame, headers, body)),
        )
        .route(
            "/sim/front/pay",
            post(|frame, headers, body| decide(cashier::decide, frame, headers, body)),
        )
        .route("/sim/encryption/renew", post(renew))
        .route("/sim/chargeback", post(charge_back))
        .merge(phone::router())
}

/// Takes up again what was pending when the simulator stopped.
pub(crate) fn resume(frame: &Arc<Frame>) {
    settle::resume(frame);
}

/// Opens a merchant account, or changes the one of the same `mer_id`.
///
/// Wishes, all optional: `mer_id` (15 letters and digits), `cert_pem` (else the gateway issues a certificate with a key),
/// `tr_id`, `shop_name`, `tokens` (numbers of tokens that are open from the start), and how the gateway behaves; amounts
/// are in fen:
/// - signing: `sign_method` (`01`, `11`, `12`), `secure_key`; `signer` (`gateway`, `merchant_cert`, `wrong_cn`, `other_ca`,
///   `expired`), `cn_name_check`, `chain` (`usual`, `sha1`, `wrong_cn`, `foreign_root`, `expired`, `expired_middle`). With
///   `sha1` and `expired_middle` the account is given the root and the middle certificate of that chain;
/// - standing: `disabled`, `blacklisted`, `no_permission` (transaction types), `not_opened` (businesses),
///   `merchant_opening`, `sms_required`, `queries_per_minute`;
/// - money: `limit_fen`, `month_limit_fen`, `discount_fen`, `fee_rate` (ten-thousandths), `password_free_fen`;
/// - time: `clearing_cut` and `bill_ready` (`HH:MM`), `token_days`, `password_wait_s`;
/// - files: `old_bill_layout`.
///
/// # Errors
/// When a wish is unknown or of wrong form.
pub(crate) fn open_account(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    account::open(frame, spec)
}

/// Contracts that users signed before.
pub(crate) fn sign_before(frame: &Frame, wish: &SignedBefore) -> Result<Vec<String>, Refused> {
    token::sign_before(frame, wish)
}

/// A user's decision on one of the gateway's pages.
async fn decide(
    take: fn(&Arc<Frame>, &Fields) -> String,
    State(frame): State<Arc<Frame>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(decision) = posted(&headers, &body) else {
        return plain("Invalid request.".to_owned());
    };
    let page = tokio::task::spawn_blocking(move || take(&frame, &decision)).await;
    page.map_or_else(
        |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |page| Html(page).into_response(),
    )
}

/// `POST sim/encryption/renew`: a new certificate to encrypt with.
async fn renew(State(frame): State<Arc<Frame>>) -> Response {
    done(tokio::task::spawn_blocking(move || encryption::renew(&frame)).await)
}

/// `POST sim/chargeback`: takes a payment back.
async fn charge_back(State(frame): State<Arc<Frame>>, body: Bytes) -> Response {
    let wishes = form::decode(&body).unwrap_or_default();
    done(tokio::task::spawn_blocking(move || chargeback::take_back(&frame, &wishes)).await)
}

fn done(made: Result<Result<Value, Refused>, tokio::task::JoinError>) -> Response {
    match made {
        Ok(Ok(told)) => Json(told).into_response(),
        Ok(Err(refused)) => (StatusCode::BAD_REQUEST, Json(json!({ "error": refused.0 }))).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
