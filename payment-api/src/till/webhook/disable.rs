//! `webhook/disable`: an endpoint is told nothing more.

use axum::extract::State;
use metropay_core::problem::Code;
use metropay_core::webhook;
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};

use super::{EndpointNamed, EndpointShown, NAMED};
use crate::Doors;
use crate::till::signed::{SignatureHeader, Signed};

pub(in crate::till) struct EndpointDisable;

impl Refuses for EndpointDisable {
    const CODES: &'static [&'static [Code]] = NAMED;
}

/// 停用通知地址 (switch an endpoint off)
///
/// 停用期间的通知保留；以 `webhook/prove` 重新启用。
///
/// What is owed meanwhile waits until it is proven again.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/disable",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointNamed,
    responses((status = 200, description = "通知地址 (the endpoint)", body = Envelope<EndpointShown>), Refused::<EndpointDisable>)
)]
pub(in crate::till) async fn disable(
    State(doors): State<Doors>,
    asked: Signed<EndpointNamed>,
) -> Answer<EndpointShown> {
    let Signed { call, till, body } = asked;
    let done = webhook::disable(&doors.queries, &till.mch_id, &body.endpoint_id).await;
    call.answer(done.map(Into::into))
}
