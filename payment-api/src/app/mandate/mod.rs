//! Mandates: what the user has signed.

pub(super) mod close;
pub(super) mod list;
pub(super) mod show;
pub(super) mod sign;

use metropay_core::engine::Engine;
use metropay_core::id::{ChannelId, MandateId, MchId};
use metropay_core::mandate::{Mandate, MandateState};
use metropay_core::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::merchant::channels::channel_name;
use super::moment::Moment;

/// 免密授权 (a mandate).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MandateShown {
    /// 授权编号 (its id).
    #[schema(value_type = String, example = "M20260801120000000ABCDEFGHJKLM")]
    mandate_id: MandateId,
    /// 商户号 (the merchant).
    #[schema(value_type = String, example = "M10001")]
    mch_id: MchId,
    /// 商户名称 (its name).
    merchant_name: String,
    /// 渠道 (the channel).
    #[schema(value_type = String, example = "wechat")]
    channel: ChannelId,
    /// 渠道名称 (its name).
    #[schema(example = "微信支付")]
    channel_name: String,
    /// 状态：PENDING 签约中，ACTIVE 已生效，SUSPENDED 已暂停，CLOSED 已终止 (its state).
    #[schema(value_type = String, example = "ACTIVE")]
    state: MandateState,
    /// 发起时间 (when it was asked for).
    created_at: Moment,
    /// 生效时间 (when it became usable).
    activated_at: Option<Moment>,
    /// 终止时间 (when it ended).
    ended_at: Option<Moment>,
    /// 终止方：user 用户，platform 平台，channel 渠道，expiry 到期 (who ended it).
    #[schema(example = "user")]
    ended_by: Option<String>,
}

impl MandateShown {
    async fn of(engine: &Engine, mandate: Mandate) -> Result<Self, Problem> {
        let shop = engine.directory.merchant(&mandate.mch_id).await?;
        let merchant_name = shop.map_or_else(|| mandate.mch_id.0.clone(), |shop| shop.merchant.name.clone());
        Ok(Self {
            merchant_name,
            channel_name: channel_name(engine, &mandate.channel),
            mandate_id: mandate.mandate_id,
            mch_id: mandate.mch_id,
            channel: mandate.channel,
            state: mandate.state,
            created_at: mandate.created_at.into(),
            activated_at: mandate.activated_at.map(Into::into),
            ended_at: mandate.ended_at.map(Into::into),
            ended_by: mandate.ended_by,
        })
    }
}
