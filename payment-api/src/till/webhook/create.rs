//! `webhook/create`: a merchant wants to be told.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::once::Memory;
use metropay_core::problem::Code;
use metropay_core::webhook::{self, NewEndpoint};
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::Deserialize;
use utoipa::ToSchema;

use super::EndpointMade;
use crate::Doors;
use crate::till::EVERYWHERE;
use crate::till::signed::{Asked, SignatureHeader, Signed};

/// 新的通知地址 (where to be told).
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::till) struct EndpointCreate {
    /// 地址：https，公网域名，端口 443 或 8443 (its address)
    #[schema(example = "https://shop.example.com/metropay/webhook", max_length = 1024)]
    url: String,
    /// 说明 (what the merchant calls it)
    #[serde(default)]
    #[schema(max_length = 64)]
    description: String,
    /// 订阅的通知类型；不传为全部 (what it wants to be told; everything where none is named)
    #[serde(default)]
    kinds: Vec<String>,
}

impl Asked for EndpointCreate {
    const MEMORY: Memory = Memory::Lasting;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for EndpointCreate {
    const CODES: &'static [&'static [Code]] = &[EVERYWHERE, &[Code::EndpointLimit]];
}

/// 新增通知地址 (make an endpoint)
///
/// 返回仅此一次显示的密钥；须随后调用 `webhook/prove` 验证地址归属，验证通过前不发送通知。每个商户至多 16 个。
///
/// Answers the keys, which are shown once. It is told nothing before `webhook/prove` has shown that it is the merchant's.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/webhook/create",
    tag = "商户通知",
    params(SignatureHeader),
    request_body = EndpointCreate,
    responses((status = 200, description = "通知地址与密钥 (the endpoint and its keys)", body = Envelope<EndpointMade>), Refused::<EndpointCreate>)
)]
pub(in crate::till) async fn create(State(doors): State<Doors>, asked: Signed<EndpointCreate>) -> Answer<EndpointMade> {
    let Signed { call, till, body } = asked;
    let new = NewEndpoint {
        url: body.url,
        description: body.description,
        kinds: body.kinds,
    };
    let made = webhook::create(&doors.queries, &till.mch_id, new).await;
    call.answer(made.map(Into::into))
}
