//! `DELETE /app/v1/merchants/{mch_id}/membership`: the user wants to be a member no longer.

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

pub(in crate::app) struct MembershipLeave;

impl Refuses for MembershipLeave {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::MembershipNotOffered]];
}

/// 解绑该商户的会员；消费码关闭后仍可解绑。商户系统应答前为 PENDING。非会员再次解绑亦成功。
///
/// Ends the membership, also after the consumption code was closed. No member counts as done.
#[utoipa::path(
    delete, path = "/app/v1/merchants/{mch_id}/membership", tag = "App 会员", security(("app_token" = [])),
    params(("mch_id" = String, Path, description = "商户号")),
    responses((status = 200, body = Envelope<MembershipShown>), Refused::<MembershipLeave>)
)]
pub(in crate::app) async fn leave(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    mch_id: Named,
) -> Answer<MembershipShown> {
    call.answer(left(&doors.queries, &rider, mch_id).await)
}

async fn left(engine: &Engine, rider: &Rider, mch_id: Named) -> Result<MembershipShown, Problem> {
    let mch_id = MchId(mch_id.or(Code::MembershipNotOffered)?);
    membership::leave(engine, &rider.uid, &mch_id).await?;
    shown(engine, rider, &mch_id).await
}
