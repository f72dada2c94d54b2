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
//! `out_request_no`, for agreements on `external_agreement_no`; on what notifications say, on `notify`. Two effects have a
//! meaning of their own here: `pending` on `alipay.trade.cancel` does nothing and answers `retry_flag=Y`;
//! `paid_after_reverse` on `alipay.trade.pay` leaves the trade waiting until it is cancelled, and then it is paid.

mod account;
mod agreement;
mod agreement_call;
mod answer;
mod call;
mod cancel;
mod desk;
mod discount;
mod gateway;
mod money;
mod notify;
mod order;
mod parts;
mod pay;
mod phone;
mod refund;
mod sign;
mod sign_page;
mod trade;
mod trade_query;
mod user;
#[cfg(test)]
mod vectors;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;

use crate::frame::{Frame, Refused};

/// Everything the gateway answers, under `/alipay`.
pub(crate) fn router() -> Router<Arc<Frame>> {
    Router::new()
        .route("/gateway.do", get(gateway::by_query).post(gateway::by_form))
        .route("/phone/sign", post(phone::sign))
        .route("/phone/agreements", get(phone::agreements))
        .route("/phone/agreement", post(phone::change))
}

/// Takes up again what was pending when the simulator stopped.
pub(crate) fn resume(frame: &Arc<Frame>) {
    desk::resume(frame);
}

/// Opens a merchant account, or changes the settings of one. What may stand in `spec` is described at [`account::Spec`].
pub(crate) fn open_account(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    account::open(frame, spec)
}
