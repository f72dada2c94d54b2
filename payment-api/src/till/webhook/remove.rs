//! `webhook/remove`: an endpoint is there no longer.

use axum::extract::State;
use metropay_core::problem::Code;
use metropay_core::webhook;
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::Serialize;
use utoipa::ToSchema;

use super::{EndpointNamed, NAMED};
use crate::Doors;
use crate::till::signed::{SignatureHeader, Signed};

/// 已删除 (it is removed).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::till) struct EndpointRemoved {
    /// 已删除的通知地址编号 (which)
    endpoint_id: String,
}

pub(in crate::till) struct EndpointRemove;

impl Refuses for EndpointRemove {
    const CODES: &'static [&'static [Code]] = NAMED;
}

/// 删除通知地址 (remove an endpoint)
///
/// 未送达的通知随之删除；不可恢复。
///
/// What it was owed is removed with it.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/remove",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointNamed,
    responses((status = 200, description = "已删除 (it is removed)", body = Envelope<EndpointRemoved>), Refused::<EndpointRemove>)
)]
pub(in crate::till) async fn remove(
    State(doors): State<Doors>,
    asked: Signed<EndpointNamed>,
) -> Answer<EndpointRemoved> {
    let Signed { call, till, body } = asked;
    let removed = webhook::remove(&doors.queries, &till.mch_id, &body.endpoint_id).await;
    call.answer(removed.map(|()| EndpointRemoved {
        endpoint_id: body.endpoint_id,
    }))
}
