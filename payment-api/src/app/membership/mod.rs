//! Memberships with merchants, as the App sees them.

pub(super) mod join;
pub(super) mod leave;
pub(super) mod list;
pub(super) mod show;

use metropay_core::id::MchId;
use metropay_core::membership::{Membership, Wish};
use metropay_core::rules::membership::VipStatus;
use serde::Serialize;
use utoipa::ToSchema;

use super::moment::Moment;

/// 商户会员 (a membership with a merchant).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MembershipShown {
    /// 商户号 (the merchant).
    #[schema(value_type = String, example = "M10001")]
    mch_id: MchId,
    /// 商户名称 (its name).
    merchant_name: String,
    /// 会员状态：UNACTIVE 非会员，ACTIVE 会员，CLOSED 已解绑，PENDING 办理中 (how it stands; PENDING until the merchant has answered).
    #[schema(value_type = String, example = "ACTIVE")]
    vip_status: VipStatus,
    /// 办理中的事项：OPEN 开通，CLOSE 解绑；无则不在办理 (what is wished and not answered yet).
    #[schema(value_type = Option<String>)]
    wish: Option<Wish>,
    /// 商户的会员号 (the merchant's number of the member).
    member_no: Option<String>,
    /// 积分，仅平台内置会员 (points, where the platform keeps the membership).
    points: i64,
    /// 会员等级 (the level that goes with them).
    level: Option<String>,
    /// 商户的说明，如拒绝的原因 (what the merchant said, for example why not).
    reason: Option<String>,
    /// 商户是否已得知当前手机号 (whether the merchant knows the present phone number).
    phone_up_to_date: bool,
    /// 下一次询问商户的时间，仅在尚未办妥时有 (when the merchant is asked next, while something is owed to it).
    next_try_at: Option<Moment>,
    /// 最近变动的时间 (when anything of it changed last).
    updated_at: Moment,
}

impl MembershipShown {
    fn of(membership: Membership, merchant_name: String, phone_version: i32) -> Self {
        let pending = membership.wish.is_some();
        Self {
            phone_up_to_date: membership.wish.is_none()
                && (membership.standing != VipStatus::Active || membership.phone_told >= phone_version),
            mch_id: membership.mch_id,
            merchant_name,
            vip_status: if pending {
                VipStatus::Pending
            } else {
                membership.standing
            },
            wish: membership.wish,
            member_no: membership.member_no,
            points: membership.points,
            level: membership.level,
            reason: membership.reason,
            next_try_at: membership.next_at.map(Into::into),
            updated_at: membership.updated_at.into(),
        }
    }
}
