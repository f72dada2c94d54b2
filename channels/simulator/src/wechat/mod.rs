//! The WeChat Pay gateway for direct merchants and service providers: 委托代扣 (papay) of APIv2, 付款码支付 (payments by
//! code) of both versions, refunds, bills, notifications, user information, and the user's phone. The wire truth is the
//! wechat reference; section numbers are given in comments.
//!
//! * APIv2 stands under `/wechat/papay`, `/wechat/pay`, `/wechat/secapi` and `/wechat/tools`; [`door`] lets requests in,
//!   each call is an [`operation::Operation`].
//! * APIv3 stands under `/wechat/v3`; see [`v3`]. Signatures may cover the path with `/wechat` or without.
//! * User information stands under `/wechat/connect` and `/wechat/sns`; see [`oauth_page`] and [`sns`].
//! * An account that is opened gets, beside its numbers and the key of APIv2, `api_v3_key`, `api_cert_pem`, `api_key_pem`,
//!   `api_cert_serial` (issued by `ca_pem`), `public_key_id`, `public_key_pem` and `app_secret`; [`terms::Terms`] says
//!   what else can be wished.
//! * The listener is plain HTTP, so no client certificate is demanded of the calls that need one in reality, unless the
//!   account says `needs_certificate`: then they are refused. A TLS listener beside it demands it; see [`tls`].
//!
//! There is no WeChat App here. The page on which a user agrees to a contract stands at
//! `{public_url}/wechat/phone/sign?id={pre_entrustweb_id}`; a script agrees with one
//! `POST /wechat/phone/sign` of the form `id=...&agree=1&user=...`. Codes, passwords and wallets are in [`phone_pay`],
//! logins in [`oauth_page`]; the gateway's own staff rotates the platform certificate in [`desk`].

mod account;
mod answer;
mod authority;
mod bill;
mod bill_file;
mod bill_row;
mod code_payment;
mod contract;
mod credentials;
mod desk;
mod door;
mod fee;
mod flow;
mod login;
mod micropay;
mod money;
mod notification;
mod notify;
mod number;
mod oauth_page;
mod operation;
mod order;
mod order_apply;
mod order_close;
mod order_query;
mod page;
mod pay_code;
mod phone;
mod phone_pay;
mod presign;
mod quota;
mod refund;
mod refund_file;
mod refund_judge;
mod refund_query;
mod request;
mod reverse;
mod settle;
mod sign;
mod signing;
mod sns;
mod terms;
mod texts;
mod tls;
mod v3;
mod wallet;
mod xml;

#[cfg(test)]
mod vectors;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use serde_json::Value;

use crate::frame::{Frame, Refused, SignedBefore};
use operation::Side;
pub use tls::WechatTls;

/// Everything the gateway answers, under `/wechat`.
pub(crate) fn router() -> Router<Arc<Frame>> {
    let mut router = Router::new();
    for (base, name, operation) in [
        ("/papay", "preentrustweb", &signing::PREENTRUSTWEB),
        ("/papay", "entrustweb", &signing::ENTRUSTWEB),
        ("/papay", "h5entrustweb", &signing::H5ENTRUSTWEB),
        ("/papay", "querycontract", &contract::QUERYCONTRACT),
        ("/pay", "pappayapply", &order_apply::PAPPAYAPPLY),
        ("/pay", "paporderquery", &order_query::PAPORDERQUERY),
    ] {
        let direct = format!("{base}/{name}");
        let provider = format!("{base}/partner/{name}");
        router = router.route(&direct, door::at(operation, Side::Direct));
        router = router.route(&provider, door::at(operation, Side::Provider));
    }
    router
        .route("/papay/deletecontract", door::at(&contract::DELETECONTRACT, Side::Both))
        .route(
            "/papay/partner/deletecontract",
            door::at(&contract::DELETECONTRACT, Side::Provider),
        )
        .route("/pay/micropay", door::at(&micropay::MICROPAY, Side::Both))
        .route(
            "/tools/authcodetoopenid",
            door::at(&micropay::AUTHCODETOOPENID, Side::Both),
        )
        .route("/secapi/pay/reverse", door::at(&reverse::REVERSE, Side::Both))
        .route("/pay/orderquery", door::at(&order_query::ORDERQUERY, Side::Both))
        .route("/pay/closeorder", door::at(&order_close::CLOSEORDER, Side::Both))
        .route("/secapi/pay/refund", door::at(&refund_file::REFUND, Side::Both))
        .route("/pay/downloadbill", door::at(&bill::DOWNLOADBILL, Side::Both))
        .route("/pay/downloadfundflow", door::at(&bill::DOWNLOADFUNDFLOW, Side::Both))
        .route("/pay/refundquery", door::at(&refund_query::REFUNDQUERY, Side::Both))
        .merge(phone::router())
        .merge(phone_pay::router())
        .merge(v3::router())
        .merge(desk::router())
        .merge(oauth_page::router())
        .merge(sns::router())
        .fallback(door::unknown)
}

/// Serves the gateway over TLS too; see [`WechatTls`].
pub(crate) async fn listen_tls(frame: &Arc<Frame>, listen: SocketAddr) -> std::io::Result<WechatTls> {
    tls::start(frame, listen).await
}

/// Takes up again what was pending when the simulator stopped.
pub(crate) fn resume(frame: &Arc<Frame>) {
    settle::resume(frame);
}

/// Opens a merchant account, or changes one; see [`account::open`] and [`terms::Terms`] for the wishes.
pub(crate) fn open_account(frame: &Frame, spec: &Value) -> Result<Value, Refused> {
    account::open(frame, spec)
}

/// Contracts that users signed before.
pub(crate) fn sign_before(frame: &Frame, wish: &SignedBefore) -> Result<Vec<String>, Refused> {
    presign::sign_before(frame, wish)
}
