//! `webhook/rotate`: an endpoint gets new keys.

use std::time::Duration;

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::once::Memory;
use metropay_core::problem::Code;
use metropay_core::webhook;
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{EndpointMade, NAMED};
use crate::Doors;
use crate::till::signed::{Asked, SignatureHeader, Signed};

/// How long old keys sign beside new ones where nothing is said: a day.
const OVERLAP_S: u64 = 24 * 3_600;

/// 更换密钥 (which endpoint, and for how long both sign).
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::till) struct EndpointRotate {
    /// 通知地址编号 (its number)
    endpoint_id: String,
    /// 新旧密钥同时签名的秒数，0–604800，默认 86400 (for how long both sign)
    #[schema(maximum = 604_800, example = 86_400)]
    overlap_s: Option<u64>,
}

impl Asked for EndpointRotate {
    const MEMORY: Memory = Memory::Lasting;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for EndpointRotate {
    const CODES: &'static [&'static [Code]] = NAMED;
}

/// 更换通知地址的密钥 (give an endpoint new keys)
///
/// 更换期间每条通知同时携带新旧签名，任一验证通过即可；新密钥仅此一次返回。
///
/// While both sign, a notice carries the signatures of both, and one that fits is enough.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/rotate",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointRotate,
    responses((status = 200, description = "新密钥 (the new keys)", body = Envelope<EndpointMade>), Refused::<EndpointRotate>)
)]
pub(in crate::till) async fn rotate(State(doors): State<Doors>, asked: Signed<EndpointRotate>) -> Answer<EndpointMade> {
    let Signed { call, till, body } = asked;
    let overlap = Duration::from_secs(body.overlap_s.unwrap_or(OVERLAP_S));
    let made = webhook::rotate(&doors.queries, &till.mch_id, &body.endpoint_id, overlap).await;
    call.answer(made.map(Into::into))
}
