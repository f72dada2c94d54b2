//! `GET /app/v1/merchants/{mch_id}/channels`: by which channels the user can pay at a merchant.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::id::{ChannelId, MandateId, MchId, Uid};
use metropay_core::mandate::{self, MandateState, Offer};
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Doors;
use crate::app::named::Named;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// 商户与其支付渠道 (a merchant and its channels).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct MerchantChannels {
    /// 商户号 (its number).
    #[schema(value_type = String, example = "M10001")]
    mch_id: MchId,
    /// 商户名称 (its name).
    merchant_name: String,
    /// 可用的支付渠道 (its channels).
    channels: Vec<ChannelOffered>,
}

/// 商户的一个支付渠道，及用户在此的签约情况 (a channel of a merchant, and how the user stands with it).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct ChannelOffered {
    /// 渠道 (its id).
    #[schema(value_type = String, example = "wechat")]
    channel: ChannelId,
    /// 渠道名称 (its name).
    #[schema(example = "微信支付")]
    channel_name: String,
    /// 用户的免密授权编号，未签约则无 (the user's mandate, if he has one).
    #[schema(value_type = Option<String>)]
    mandate_id: Option<MandateId>,
    /// 授权状态：PENDING 签约中，ACTIVE 已生效，SUSPENDED 已暂停 (its state).
    #[schema(value_type = Option<String>, example = "ACTIVE")]
    mandate_state: Option<MandateState>,
    /// 是否为用户在本商户的首选 (whether the user prefers it here).
    preferred: bool,
}

impl MerchantChannels {
    /// The merchant of this number, as it stands for this user.
    ///
    /// # Errors
    /// `MERCHANT_NOT_FOUND`.
    pub(in crate::app) async fn of(engine: &Engine, uid: &Uid, mch_id: &MchId) -> Result<Self, Problem> {
        let (merchant_name, offers) = mandate::offers(engine, uid, mch_id).await?;
        let mut channels: Vec<ChannelOffered> = Vec::new();
        for offer in offers {
            // A merchant may have several accounts with one channel; the user signs with the channel.
            if channels.iter().all(|known| known.channel != offer.channel) {
                channels.push(ChannelOffered::of(engine, offer));
            }
        }
        Ok(Self {
            mch_id: mch_id.clone(),
            merchant_name,
            channels,
        })
    }

    /// Whether the user has a usable mandate: for this channel, or for any.
    pub(in crate::app) fn can_pay(&self, method: Option<&ChannelId>) -> bool {
        self.channels.iter().any(|offered| {
            offered.mandate_state == Some(MandateState::Active)
                && method.is_none_or(|method| offered.channel == *method)
        })
    }
}

impl ChannelOffered {
    fn of(engine: &Engine, offer: Offer) -> Self {
        Self {
            channel_name: channel_name(engine, &offer.channel),
            channel: offer.channel,
            mandate_state: offer.mandate.as_ref().map(|mandate| mandate.state),
            mandate_id: offer.mandate.map(|mandate| mandate.mandate_id),
            preferred: offer.preferred,
        }
    }
}

/// The channel's name for people; its id where it is not linked any more.
pub(in crate::app) fn channel_name(engine: &Engine, channel: &ChannelId) -> String {
    let linked = engine.channel(channel);
    linked.map_or_else(|| channel.0.clone(), |linked| linked.name.to_owned())
}

pub(in crate::app) struct MerchantChannelsAsk;

impl Refuses for MerchantChannelsAsk {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::MerchantNotFound]];
}

/// 查询商户支持的支付渠道及用户的签约情况，用于授权页。
///
/// The channels of a merchant and how the user stands with each: what the page needs on which he signs.
#[utoipa::path(
    get, path = "/app/v1/merchants/{mch_id}/channels", tag = "App 免密授权", security(("app_token" = [])),
    params(("mch_id" = String, Path, description = "商户号")),
    responses((status = 200, body = Envelope<MerchantChannels>), Refused::<MerchantChannelsAsk>)
)]
pub(in crate::app) async fn channels(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    mch_id: Named,
) -> Answer<MerchantChannels> {
    call.answer(found(&doors.queries, &rider, mch_id).await)
}

async fn found(engine: &Engine, rider: &Rider, mch_id: Named) -> Result<MerchantChannels, Problem> {
    let mch_id = MchId(mch_id.or(Code::MerchantNotFound)?);
    MerchantChannels::of(engine, &rider.uid, &mch_id).await
}
