//! `PUT /app/v1/merchants/{mch_id}/preferred-channel`: the channel that pays at a merchant.

use axum::extract::State;
use bytes::Bytes;
use http::HeaderMap;
use metropay_core::id::{ChannelId, MchId};
use metropay_core::mandate;
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, read_json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Doors;
use crate::app::named::Named;
use crate::app::refusal::{BODY, RIDER};
use crate::app::rider::Rider;

/// 选择首选渠道 (the choice).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct ChannelChoice {
    /// 渠道 (the channel).
    #[schema(value_type = String, example = "alipay")]
    channel: ChannelId,
}

/// 首选渠道 (what is preferred now).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct ChannelPreferred {
    /// 商户号 (the merchant).
    #[schema(value_type = String, example = "M10001")]
    mch_id: MchId,
    /// 渠道 (the channel).
    #[schema(value_type = String, example = "alipay")]
    channel: ChannelId,
}

pub(in crate::app) struct ChannelPrefer;

impl Refuses for ChannelPrefer {
    const CODES: &'static [&'static [Code]] = &[RIDER, BODY, &[Code::MerchantNotFound, Code::NeedMandate]];
}

/// 选择在该商户首选的支付渠道；须已签约且生效。
///
/// Chooses the channel that pays at this merchant; the user has a usable mandate for it.
#[utoipa::path(
    put, path = "/app/v1/merchants/{mch_id}/preferred-channel", tag = "App 免密授权", security(("app_token" = [])),
    params(("mch_id" = String, Path, description = "商户号")), request_body = ChannelChoice,
    responses((status = 200, body = Envelope<ChannelPreferred>), Refused::<ChannelPrefer>)
)]
pub(in crate::app) async fn prefer(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    mch_id: Named,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<ChannelPreferred> {
    call.answer(chosen(&doors, &rider, mch_id, &headers, &body).await)
}

async fn chosen(
    doors: &Doors,
    rider: &Rider,
    mch_id: Named,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<ChannelPreferred, Problem> {
    let mch_id = MchId(mch_id.or(Code::MerchantNotFound)?);
    let ChannelChoice { channel } = read_json(headers, body)?;
    mandate::choose(&doors.queries, &rider.uid, &mch_id, &channel).await?;
    Ok(ChannelPreferred { mch_id, channel })
}
