//! `webhook/deliveries`: what an endpoint was owed, and every attempt to tell it.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::once::Memory;
use metropay_core::problem::Code;
use metropay_core::webhook::{self, DeliveryState, Told};
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NAMED;
use crate::Doors;
use crate::till::signed::{Asked, SignatureHeader, Signed};

/// 查询通知记录 (which notices).
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::till) struct DeliveryList {
    /// 通知地址编号 (whose)
    endpoint_id: String,
    /// 状态：WAITING 待送达，DELIVERED 已送达，DEAD 已放弃；不传为全部 (how they stand)
    #[schema(value_type = Option<String>)]
    state: Option<DeliveryState>,
    /// 上一页最后一条的 seq (the last place of the page before)
    before: Option<i64>,
}

/// 通知记录 (a page of them).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::till) struct Deliveries {
    /// 通知记录，新的在前，至多 100 条 (the newest first, 100 at most)
    deliveries: Vec<DeliveryShown>,
}

/// 一条通知 (a notice).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::till) struct DeliveryShown {
    /// 通知编号，即 `webhook-id` (its number)
    #[schema(example = "P20260801120000000ABCDEFGHJKLM-succeeded")]
    event_id: String,
    /// 类型 (what happened)
    #[schema(example = "payment.succeeded")]
    kind: String,
    /// 位置，用于翻页 (its place)
    seq: i64,
    /// 状态 (how it stands)
    #[schema(value_type = String, example = "DELIVERED")]
    state: DeliveryState,
    /// 产生时间 (when it was owed)
    created_at: String,
    /// 下次发送的时间，仅待送达时有 (when it is told next, while it waits)
    next_at: Option<String>,
    /// 每次发送的记录，近 30 天 (every attempt of the last 30 days)
    attempts: Vec<AttemptShown>,
}

/// 一次发送 (an attempt).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::till) struct AttemptShown {
    /// 时间 (when)
    at: String,
    /// 耗时，毫秒 (how long it took, in milliseconds)
    took_ms: i64,
    /// 应答的 HTTP 状态 (what was answered)
    status: Option<i32>,
    /// 失败原因 (what went wrong, by its word)
    #[schema(example = "TIMEOUT")]
    trouble: Option<String>,
}

impl From<Told> for DeliveryShown {
    fn from(told: Told) -> Self {
        let delivery = told.delivery;
        let attempts = told.attempts.into_iter().map(|attempt| AttemptShown {
            at: attempt.at.stamp(),
            took_ms: attempt.took_ms,
            status: attempt.status,
            trouble: attempt.trouble,
        });
        Self {
            event_id: delivery.event_id,
            kind: delivery.kind,
            seq: delivery.seq,
            state: delivery.state,
            created_at: delivery.created_at.stamp(),
            next_at: (delivery.state == DeliveryState::Waiting).then(|| delivery.next_at.stamp()),
            attempts: attempts.collect(),
        }
    }
}

impl Asked for DeliveryList {
    const MEMORY: Memory = Memory::MayBeLost;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for DeliveryList {
    const CODES: &'static [&'static [Code]] = NAMED;
}

/// 查询通知记录 (what an endpoint was owed)
///
/// 每条通知及其每次发送的结果，保留 30 天。
///
/// Every notice with every attempt; kept for 30 days.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/deliveries",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = DeliveryList,
    responses((status = 200, description = "通知记录 (the notices)", body = Envelope<Deliveries>), Refused::<DeliveryList>)
)]
pub(in crate::till) async fn deliveries(State(doors): State<Doors>, asked: Signed<DeliveryList>) -> Answer<Deliveries> {
    let Signed { call, till, body } = asked;
    let which = (body.state, body.before);
    let found = webhook::deliveries(&doors.queries, &till.mch_id, &body.endpoint_id, which).await;
    call.answer(found.map(|found| Deliveries {
        deliveries: found.into_iter().map(Into::into).collect(),
    }))
}
