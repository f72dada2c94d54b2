//! `GET /app/v1/merchants/{mch_id}/membership`: how the user stands with a merchant.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::id::MchId;
use metropay_core::problem::{Code, Problem};
use metropay_core::{membership, user};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};

use super::MembershipShown;
use crate::Doors;
use crate::app::named::Named;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

pub(in crate::app) struct MembershipShow;

impl Refuses for MembershipShow {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::MembershipNotOffered]];
}

/// 查询用户在该商户的会员状态；从未办理时为 UNACTIVE。
///
/// How the user stands with the merchant; `UNACTIVE` for one who never asked.
#[utoipa::path(
    get, path = "/app/v1/merchants/{mch_id}/membership", tag = "App 会员", security(("app_token" = [])),
    params(("mch_id" = String, Path, description = "商户号")),
    responses((status = 200, body = Envelope<MembershipShown>), Refused::<MembershipShow>)
)]
pub(in crate::app) async fn show(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    mch_id: Named,
) -> Answer<MembershipShown> {
    call.answer(found(&doors.queries, &rider, mch_id).await)
}

async fn found(engine: &Engine, rider: &Rider, mch_id: Named) -> Result<MembershipShown, Problem> {
    let mch_id = MchId(mch_id.or(Code::MembershipNotOffered)?);
    shown(engine, rider, &mch_id).await
}

/// How it stands now.
pub(super) async fn shown(engine: &Engine, rider: &Rider, mch_id: &MchId) -> Result<MembershipShown, Problem> {
    let (membership, offer) = membership::find(engine, &rider.uid, mch_id).await?;
    let phone_version = user::find(engine, &rider.uid)
        .await?
        .map_or(0, |user| user.phone_version);
    Ok(MembershipShown::of(membership, offer.merchant_name, phone_version))
}
