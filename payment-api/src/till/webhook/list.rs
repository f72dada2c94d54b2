//! `webhook/list`: a merchant's endpoints.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::once::Memory;
use metropay_core::problem::Code;
use metropay_core::webhook;
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::EndpointShown;
use crate::Doors;
use crate::till::EVERYWHERE;
use crate::till::signed::{Asked, SignatureHeader, Signed};

/// 无参数 (nothing is asked).
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::till) struct EndpointList {}

/// 通知地址列表 (all endpoints).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::till) struct Endpoints {
    /// 通知地址，先建的在前 (the oldest first)
    endpoints: Vec<EndpointShown>,
}

impl Asked for EndpointList {
    const MEMORY: Memory = Memory::MayBeLost;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for EndpointList {
    const CODES: &'static [&'static [Code]] = &[EVERYWHERE];
}

/// 查询通知地址 (the merchant's endpoints)
///
/// 不含密钥；密钥仅在创建与更换时返回。
///
/// Without their keys, which are shown only when they are made.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/list",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointList,
    responses((status = 200, description = "通知地址 (the endpoints)", body = Envelope<Endpoints>), Refused::<EndpointList>)
)]
pub(in crate::till) async fn list(State(doors): State<Doors>, asked: Signed<EndpointList>) -> Answer<Endpoints> {
    let Signed { call, till, .. } = asked;
    let found = webhook::list(&doors.queries, &till.mch_id).await;
    call.answer(found.map(|found| Endpoints {
        endpoints: found.into_iter().map(Into::into).collect(),
    }))
}
