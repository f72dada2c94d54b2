//! `GET /app/v1/memberships`: the user's memberships.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::problem::{Code, Problem};
use metropay_core::{membership, user};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};
use serde::Serialize;
use utoipa::ToSchema;

use super::MembershipShown;
use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// 用户的会员列表 (all memberships of the user).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct Memberships {
    /// 会员 (by merchant; those that ended too).
    memberships: Vec<MembershipShown>,
}

pub(in crate::app) struct MembershipList;

impl Refuses for MembershipList {
    const CODES: &'static [&'static [Code]] = &[RIDER];
}

/// 查询用户在各商户的会员，含办理中与已解绑的。
///
/// The user's memberships, those that are wished or ended too.
#[utoipa::path(
    get, path = "/app/v1/memberships", tag = "App 会员", security(("app_token" = [])),
    responses((status = 200, body = Envelope<Memberships>), Refused::<MembershipList>)
)]
pub(in crate::app) async fn list(call: Call, State(doors): State<Doors>, rider: Rider) -> Answer<Memberships> {
    call.answer(all(&doors.queries, &rider).await)
}

async fn all(engine: &Engine, rider: &Rider) -> Result<Memberships, Problem> {
    let phone_version = user::find(engine, &rider.uid)
        .await?
        .map_or(0, |user| user.phone_version);
    let memberships = membership::list(engine, &rider.uid).await?;
    let shown = memberships
        .into_iter()
        .map(|(membership, name)| MembershipShown::of(membership, name, phone_version));
    Ok(Memberships {
        memberships: shown.collect(),
    })
}
