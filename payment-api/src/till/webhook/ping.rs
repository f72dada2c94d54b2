//! `webhook/ping`: an endpoint is tried.

use axum::extract::State;
use metropay_core::problem::Code;
use metropay_core::webhook;
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::Serialize;
use utoipa::ToSchema;

use super::EndpointNamed;
use crate::Doors;
use crate::till::EVERYWHERE;
use crate::till::signed::{SignatureHeader, Signed};

/// 测试通知 (a notice that tells nothing).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::till) struct EndpointPinged {
    /// 通知编号，即 `webhook-id` (its number)
    event_id: String,
}

pub(in crate::till) struct EndpointPing;

impl Refuses for EndpointPing {
    const CODES: &'static [&'static [Code]] = &[EVERYWHERE, &[Code::EndpointNotFound, Code::EndpointUnproven]];
}

/// 发送测试通知 (try an endpoint)
///
/// 发送一条 `endpoint.ping`，结果见 `webhook/deliveries`。
///
/// Owes the endpoint a notice that tells nothing; what became of it is told by `webhook/deliveries`.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/ping",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointNamed,
    responses((status = 200, description = "通知编号 (its number)", body = Envelope<EndpointPinged>), Refused::<EndpointPing>)
)]
pub(in crate::till) async fn ping(State(doors): State<Doors>, asked: Signed<EndpointNamed>) -> Answer<EndpointPinged> {
    let Signed { call, till, body } = asked;
    let pinged = webhook::ping(&doors.queries, &till.mch_id, &body.endpoint_id).await;
    call.answer(pinged.map(|event_id| EndpointPinged { event_id }))
}
