//! `webhook/update`: an endpoint is changed.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::once::Memory;
use metropay_core::problem::Code;
use metropay_core::webhook::{self, Changes};
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{EndpointShown, NAMED};
use crate::Doors;
use crate::till::signed::{Asked, SignatureHeader, Signed};

/// 修改通知地址；不传的不变 (what is to be different; what is left out stays).
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::till) struct EndpointUpdate {
    /// 通知地址编号 (its number)
    endpoint_id: String,
    /// 新地址；须重新验证 (a new address, which must be proven again)
    url: Option<String>,
    /// 说明 (what the merchant calls it)
    description: Option<String>,
    /// 订阅的通知类型；空为全部 (what it wants to be told; everything where none is named)
    kinds: Option<Vec<String>>,
}

impl Asked for EndpointUpdate {
    const MEMORY: Memory = Memory::Lasting;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for EndpointUpdate {
    const CODES: &'static [&'static [Code]] = NAMED;
}

/// 修改通知地址 (change an endpoint)
///
/// 地址变更后状态回到 UNPROVEN，须重新验证；期间的通知保留，验证通过后补发。
///
/// With another address it must be proven again; what is owed meanwhile waits.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/update",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointUpdate,
    responses((status = 200, description = "通知地址 (the endpoint)", body = Envelope<EndpointShown>), Refused::<EndpointUpdate>)
)]
pub(in crate::till) async fn update(
    State(doors): State<Doors>,
    asked: Signed<EndpointUpdate>,
) -> Answer<EndpointShown> {
    let Signed { call, till, body } = asked;
    let changes = Changes {
        url: body.url,
        description: body.description,
        kinds: body.kinds,
    };
    let changed = webhook::change(&doors.queries, &till.mch_id, &body.endpoint_id, changes).await;
    call.answer(changed.map(Into::into))
}
