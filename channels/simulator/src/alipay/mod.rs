//! The Alipay open gateway (v2 envelope, RSA2, public-key mode, utf-8), under `/alipay`.
//!
//! Everything follows the alipay reference: sections 1 (envelope), 3 (agreements), 4 (trades), 5 (discounts),
//! 9 (notifications), 10 (idempotency) and 11 (what a simulator owes).
//!
//! The user's side, operable by hand or by one scripted request each:
//! - `GET /alipay/gateway.do?…method=alipay.user.agreement.page.sign…` shows the consent page; the hidden field `id` names it.
//! - `POST /alipay/phone/sign` with `id=…&agree=1&user=…` (or `agree=0`) answers it. `user` is an Alipay user id (16 digits
//!   from 2088), a mobile number, or any name.
//! - `GET /alipay/phone/agreements?user=…` lists a user's agreements; `POST /alipay/phone/agreement` with
//!   `user=…&agreement_no=…&act=unsign` (or `stop`, `resume`) changes one.
//!
//! Faults match on the method (`alipay.trade.pay`) and on `out_trade_no`, for refunds and refund queries on
//! `out_request_no`, for agreements on `external_agreement_no`; on what notifications say, on `notify`. Effects with a
//! meaning of their own here: `pending` on `alipay.trade.cancel` does nothing and answers `retry_flag=Y`;
//! `paid_after_reverse` on `alipay.trade.pay` leaves the trade waiting until it is cancelled, and then it is paid;
//! `wrong_merchant` shows in notifications only, because answers name no merchant. A code to `refuse` with is named
//! without `ACQ.`; one of the gateway's own is named in full (`isv.app-call-limited`).

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

use crate::frame::{Frame, Refused};

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
