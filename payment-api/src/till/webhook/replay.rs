//! `webhook/replay`: an endpoint is told again.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::clock::Time;
use metropay_core::engine::Engine;
use metropay_core::id::MchId;
use metropay_core::once::Memory;
use metropay_core::problem::{Code, Problem};
use metropay_core::webhook;
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::EndpointNamed;
use crate::Doors;
use crate::till::EVERYWHERE;
use crate::till::signed::{Asked, SignatureHeader, Signed};

/// 重发通知：一条，或某时间以来已放弃的全部 (one, or all that were given up since then).
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::till) struct Replay {
    #[serde(flatten)]
    endpoint: EndpointNamed,
    /// 通知编号；与 since 二选一 (which one; this or `since`)
    event_id: Option<String>,
    /// 自该时间（YYYYMMDDhhmmss）以来已放弃的全部 (all that were given up and are owed since then)
    #[schema(example = "20260801000000")]
    since: Option<String>,
}

/// 重发的条数 (how many are told again).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::till) struct Replayed {
    /// 重发的条数 (how many)
    count: u64,
}

impl Asked for Replay {
    const MEMORY: Memory = Memory::Lasting;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for Replay {
    const CODES: &'static [&'static [Code]] = &[
        EVERYWHERE,
        &[Code::EndpointNotFound, Code::EventNotFound, Code::ParamEitherOr],
    ];
}

/// 重发通知 (tell an endpoint again)
///
/// 重发的通知编号不变，接收方应按编号去重。
///
/// A notice keeps its number; receivers know it again by that.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/replay",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = Replay,
    responses((status = 200, description = "重发的条数 (how many)", body = Envelope<Replayed>), Refused::<Replay>)
)]
pub(in crate::till) async fn replay(State(doors): State<Doors>, asked: Signed<Replay>) -> Answer<Replayed> {
    let Signed { call, till, body } = asked;
    let count = replayed(&doors.queries, &till.mch_id, &body).await;
    call.answer(count.map(|count| Replayed { count }))
}

async fn replayed(engine: &Engine, mch_id: &MchId, body: &Replay) -> Result<u64, Problem> {
    let endpoint = &body.endpoint.endpoint_id;
    match (&body.event_id, &body.since) {
        (Some(event_id), None) => webhook::replay_one(engine, mch_id, endpoint, event_id).await,
        (None, Some(since)) => {
            let since = Time::parse_china(since, "%Y%m%d%H%M%S");
            let since = since.ok_or_else(|| Problem::invalid("since", "YYYYMMDDhhmmss 格式的时间"))?;
            webhook::replay_dead(engine, mch_id, endpoint, since).await
        }
        _ => Err(Problem::new(Code::ParamEitherOr).fact("either", ["event_id", "since"].as_slice())),
    }
}
