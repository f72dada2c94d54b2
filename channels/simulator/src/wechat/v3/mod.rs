//! APIv3: JSON, RSA signatures both ways, sealed resources (wechat reference, 1.6 to 1.10, 4.6, 5.5, 6.3, 8.8).
//!
//! The signature of a request covers path and query as the client knows them. A client whose base is
//! `http://host/wechat` may sign `/wechat/v3/...` as well as `/v3/...`; both are believed.

mod answer;
mod authorization;
mod bill;
mod certificates;
mod cipher;
mod code;
mod codepay;
mod door;
pub(super) mod notice;
mod operation;
mod refund;
mod schema;
mod signer;
mod transaction;

#[cfg(test)]
mod vectors;

use std::sync::Arc;

use axum::Router;

pub(super) use door::not_found;

use super::operation::Side;
use crate::frame::Frame;
use operation::{At, Operation};

/// Every route, under `/wechat`.
pub(super) fn router() -> Router<Arc<Frame>> {
    let mut router = Router::new();
    for (path, operation) in [
        ("codepay", &codepay::CODEPAY),
        ("out-trade-no/{number}", &transaction::BY_OUT_TRADE_NO),
        ("id/{number}", &transaction::BY_ID),
        ("out-trade-no/{number}/reverse", &transaction::REVERSE),
        ("out-trade-no/{number}/close", &transaction::CLOSE),
    ] {
        let direct = format!("/v3/pay/transactions/{path}");
        let provider = format!("/v3/pay/partner/transactions/{path}");
        router = router.route(&direct, at(operation, Side::Direct));
        router = router.route(&provider, at(operation, Side::Provider));
    }
    for (path, operation) in [
        ("/v3/certificates", &certificates::CERTIFICATES),
        ("/v3/refund/domestic/refunds", &refund::REFUNDS),
        ("/v3/refund/domestic/refunds/{number}", &refund::QUERY),
        (
            "/v3/refund/domestic/refunds/{number}/apply-abnormal-refund",
            &refund::ABNORMAL,
        ),
        ("/v3/bill/tradebill", &bill::TRADEBILL),
        ("/v3/bill/fundflowbill", &bill::FUNDFLOWBILL),
        ("/v3/billdownload/file", &bill::DOWNLOAD),
    ] {
        router = router.route(path, at(operation, Side::Both));
    }
    router
}

fn at(operation: &'static Operation, side: Side) -> axum::routing::MethodRouter<Arc<Frame>> {
    door::at(At { operation, side })
}
