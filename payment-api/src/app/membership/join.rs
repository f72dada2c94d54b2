//! `PUT /app/v1/merchants/{mch_id}/membership`: the user wants to be a member.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::id::MchId;
use metropay_core::membership;
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};

use super::MembershipShown;
use super::show::shown;
use crate::Doors;
use crate::app::named::Named;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

pub(in crate::app) struct MembershipJoin;

impl Refuses for MembershipJoin {
    const CODES: &'static [&'static [Code]] = &[
        RIDER,
        &[Code::MembershipNotOffered, Code::CodeNotOpened, Code::UserFrozen],
    ];
}

/// 申请成为该商户的会员。商户系统应答前为 PENDING；商户系统故障时会一直重试，结果以事件通知。
///
/// Asks to be a member. `PENDING` until the merchant's system has answered, which is asked as often as it takes; an event tells.
#[utoipa::path(
    put, path = "/app/v1/merchants/{mch_id}/membership", tag = "App 会员", security(("app_token" = [])),
    params(("mch_id" = String, Path, description = "商户号")),
    responses((status = 200, body = Envelope<MembershipShown>), Refused::<MembershipJoin>)
)]
pub(in crate::app) async fn join(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    mch_id: Named,
) -> Answer<MembershipShown> {
    call.answer(joined(&doors.queries, &rider, mch_id).await)
}

async fn joined(engine: &Engine, rider: &Rider, mch_id: Named) -> Result<MembershipShown, Problem> {
    let mch_id = MchId(mch_id.or(Code::MembershipNotOffered)?);
    membership::join(engine, &rider.uid, &mch_id).await?;
    shown(engine, rider, &mch_id).await
}
