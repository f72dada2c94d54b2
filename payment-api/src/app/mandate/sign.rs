//! `POST /app/v1/mandates`: the user wants to sign with a merchant and a channel.

use std::collections::BTreeMap;

use axum::extract::State;
use bytes::Bytes;
use http::HeaderMap;
use metropay_core::channel::SignPage;
use metropay_core::engine::Engine;
use metropay_core::id::{ChannelId, MandateId, MchId};
use metropay_core::mandate::{self, MandateState, SignStart, Signing};
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, read_json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Doors;
use crate::app::refusal::{BODY, RIDER};
use crate::app::rider::Rider;

/// 发起签约 (the wish to sign).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct MandateWish {
    /// 商户号 (who may deduct).
    #[schema(value_type = String, example = "M10001")]
    mch_id: MchId,
    /// 渠道 (through which channel).
    #[schema(value_type = String, example = "wechat")]
    channel: ChannelId,
}

/// 签约的开始 (the beginning of a mandate).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct MandateBegun {
    /// 授权编号 (its id).
    #[schema(value_type = String)]
    mandate_id: MandateId,
    /// 状态 (its state).
    #[schema(value_type = String, example = "PENDING")]
    state: MandateState,
    /// 签约页；为 null 时无需签约，授权已就绪 (where to sign; null where no signing is needed).
    page: Option<MandatePage>,
}

/// 签约页 (where the user signs).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct MandatePage {
    /// 用浏览器或 WebView 打开的地址，可能是唤起渠道 App 的链接 (to open in a browser; may wake the channel's App).
    url: String,
    /// 渠道 SDK 的参数；App 集成了 SDK 时使用 (parameters for the channel's SDK, where there are any).
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk: Option<BTreeMap<String, String>>,
}

pub(in crate::app) struct MandateSign;

impl Refuses for MandateSign {
    const CODES: &'static [&'static [Code]] = &[
        RIDER,
        BODY,
        &[
            Code::CodeNotOpened,
            Code::UserFrozen,
            Code::MerchantNotFound,
            Code::ChannelNotConfigured,
            Code::ChannelUnavailable,
            Code::ChannelRefused,
        ],
    ];
}

/// 发起免密签约。重复调用返回同一授权；同一渠道下已有可用协议时立即生效，无需再签。
///
/// Begins a mandate. Asked again, the same one answers; where the channel's contract stands already, it is usable at once.
#[utoipa::path(
    post, path = "/app/v1/mandates", tag = "App 免密授权", security(("app_token" = [])), request_body = MandateWish,
    responses((status = 200, body = Envelope<MandateBegun>), Refused::<MandateSign>)
)]
pub(in crate::app) async fn sign(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<MandateBegun> {
    call.answer(begun(&call, &doors.queries, &rider, &headers, &body).await)
}

async fn begun(
    call: &Call,
    engine: &Engine,
    rider: &Rider,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<MandateBegun, Problem> {
    let wish: MandateWish = read_json(headers, body)?;
    rider.budgets.channel_asks.take(&rider.uid)?;
    let signing = Signing {
        uid: rider.uid.clone(),
        mch_id: wish.mch_id,
        channel: wish.channel,
        user_ip: call.client.map(|address| address.to_string()),
    };
    let start = mandate::sign(engine, signing).await?;
    Ok(MandateBegun {
        page: page(engine, &start),
        mandate_id: start.mandate.mandate_id,
        state: start.mandate.state,
    })
}

fn page(engine: &Engine, start: &SignStart) -> Option<MandatePage> {
    let sdk = match start.page.as_ref()? {
        SignPage::Redirect { sdk, .. } if !sdk.is_empty() => Some(sdk.clone()),
        SignPage::Redirect { .. } | SignPage::Form { .. } => None,
    };
    start.url(engine).map(|url| MandatePage { url, sdk })
}
