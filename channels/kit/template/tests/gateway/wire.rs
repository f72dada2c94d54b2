//! What the gateway says on the wire.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use metropay_channel_kit::stub::Stub;

pub(crate) fn router(stub: Arc<Stub>) -> Router {
    let mut router = Router::new();
    for path in [
        "/v1/deduct",
        "/v1/query",
        "/v1/reverse",
        "/v1/refund",
        "/v1/refund/query",
        "/v1/contract/sign",
        "/v1/contract/query",
        "/v1/contract/close",
    ] {
        router = router.route(path, post(unwritten));
    }
    router.with_state(stub)
}

/// FILL IN: verify the request, take `stub.strikes` of its act and number, act on the stub, and sign the answer.
async fn unwritten(State(_stub): State<Arc<Stub>>) -> (StatusCode, &'static str) {
    (StatusCode::NOT_IMPLEMENTED, "not written yet: the gateway")
}
