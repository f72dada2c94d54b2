//! The Alipay open gateway under `/alipay`: v2 (`/gateway.do`, RSA2, UTF-8 and GBK) and v3 (`/v3/…`) over the same books.
//!
//! Everything follows the alipay reference: sections 1 (envelopes, certificate mode, content encryption), 3 (agreements,
//! service providers), 4 (trades), 5 (discounts), 6 (bills), 7 (OAuth), 8 (failures), 9 (notifications), 10 (idempotency)
//! and 11 (what a simulator owes). A call walks `gateway` (faults, answer) → `door` (checks) → `run` → the method's own file.
//!
//! **Accounts** are opened, and changed by opening them again, with [`account_open::Spec`] and [`account::Terms`]:
//! `mode: "certificate"`, `encrypt_key`, `third_party`, `open_id`, `products`, `fee_rate` (ten-thousandths), `balance_fen`
//! and so on; `rotate_alipay_cert: true` changes Alipay's certificate and key, and the old one can still be downloaded.
//!
//! **The user's side**, operable by hand or by one scripted request each. `user` is an Alipay user id (16 digits from 2088), a
//! mobile number, or any name:
//! - `GET /alipay/gateway.do?…method=alipay.user.agreement.page.sign…` shows the consent page; the hidden field `id` names it.
//!   `POST /alipay/phone/sign` with `id=…&agree=1&user=…` (or `agree=0`) answers it.
//! - `GET /alipay/phone/agreements?user=…` lists a user's agreements; `POST /alipay/phone/agreement` with
//!   `user=…&agreement_no=…&act=unsign` (or `stop`, `resume`) changes one.
//! - `POST /alipay/phone/code` with `user=…` and perhaps `needs_password=1` shows a payment code, as JSON
//!   `{"code":"28…","expires_at_ms":…}`: 18 digits, good for one payment within 60 s. A payment that needs the password
//!   (wished here, or above `password_free_max_fen`) waits for `POST /alipay/phone/password` with `code=…&agree=1` (or
//!   `agree=0`, which closes it): 204; 404 for an unknown code, 409 when nothing waits.
//! - `POST /alipay/phone/wallet` with `user=…` and any of `balance_fen` (or `none`), `packet_fen`, `point_fen`, `coupon_fen`,
//!   `channel`, `blocked`, `code_off` gives the user something or takes it from him; the answer is the wallet as JSON.
//! - `GET /alipay/phone?user=…` is all of it for people.
//! - `GET /alipay/oauth2/publicAppAuthorize.htm?…` and `…/appToAppAuth.htm?…` ask a user or a merchant to authorise an app;
//!   `POST /alipay/phone/authorize` (`app_id`, `scope`, `redirect_uri`, `state`, `user`, `agree`) and
//!   `POST /alipay/phone/authorize-app` (`app_id`, `redirect_uri`, `state`, `merchant`, `agree`) answer.
//!
//! **Faults** match on the method (`alipay.trade.pay`, in v3 too) and on `out_trade_no`, for refunds and refund queries on
//! `out_request_no`, for agreements on `external_agreement_no`, for bills on `bill_date`; on what notifications say, on
//! `notify`; on the download of a bill, on `downloadBillFile.resource`. Effects with a meaning of their own here: `pending` on
//! `alipay.trade.cancel` does nothing and answers `retry_flag=Y`; `paid_after_reverse` on `alipay.trade.pay` leaves the trade
//! waiting until it is cancelled, and then it is paid; `wrong_merchant` shows in notifications only, because answers name no
//! merchant; `bill_row_state` turns a payment's row into a refund's and the other way round; totals in a spoilt bill are those of
//! its rows. A code to `refuse` with is named without `ACQ.`; one of the gateway's own is named in full
//! (`isv.app-call-limited`).
//!
//! **Where the reference is open** (its section 12), this gateway decides: a refused payment leaves no trade and does not use a
//! code up; `buyer_pay_amount` holds no points; fees are rounded half up and come back with refunds in proportion; money at
//! a service provider's call is booked on the merchant's app; a bill is there from 09:00 on.

mod account;
mod account_open;
mod agreement;
mod agreement_call;
mod answer;
mod app_auth;
mod authority;
mod authorize;
mod bill;
mod bill_file;
mod bill_period;
mod bill_row;
mod bill_statement;
mod bill_trade;
mod call;
mod cancel;
mod certificate;
mod charset;
mod cipher;
mod desk;
mod discount;
mod door;
mod failure;
mod failure_text;
mod gateway;
mod message;
mod money;
mod notice_pairs;
mod notify;
mod oauth;
mod order;
mod page;
mod parts;
mod pay;
mod pay_answer;
mod paycode;
mod phone;
mod phone_code;
mod postings;
mod rate;
mod refund;
mod refund_answer;
mod rotation;
mod run;
mod sign;
mod sign_page;
mod trade;
mod trade_life;
mod trade_query;
mod user;
mod user_info;
mod v3;
mod v3_answer;
mod v3_auth;
#[cfg(test)]
mod vectors;
mod wallet;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use serde_json::Value;

use crate::frame::{Frame, Refused, SignedBefore};

/// Everything the gateway answers, under `/alipay`.
pub(crate) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/gateway.do", get(gateway::by_query).post(gateway::by_form))
        .route("/v3/{*path}", any(v3::serve))
        .route("/downloadBillFile.resource", get(bill::download))
        .route("/oauth2/publicAppAuthorize.htm", get(authorize::ask_user))
        .route("/oauth2/appToAppAuth.htm", get(authorize::ask_merchant))
        .route("/phone", get(phone_code::home))
        .route("/phone/authorize", post(authorize::user_answers))
        .route("/phone/authorize-app", post(authorize::merchant_answers))
        .route("/phone/code", post(phone_code::show))
        .route("/phone/password", post(phone_code::password))
        .route("/phone/wallet", post(phone_code::give))
        .route("/phone/sign", post(phone::sign))
        .route("/phone/agreements", get(phone::agreements))
        .route("/phone/agreement", post(phone::change))
}

/// Takes up again what was pending when the simulator stopped.
pub(crate) fn resume(frame: &Arc<Frame>) {
    desk::resume(frame);
}

/// Opens a merchant account, or changes the settings of one. What may stand in `spec` is described at [`account_open::Spec`].
pub(crate) fn open_account(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    account_open::open(frame, spec)
}

/// Contracts that users signed before.
pub(crate) fn sign_before(frame: &Frame, wish: &SignedBefore) -> Result<Vec<String>, Refused> {
    agreement::sign_before(frame, wish)
}
