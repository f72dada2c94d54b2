//! `GET /app/v1/code-account`: how the user's consumption code stands.

use axum::extract::State;
use metropay_core::problem::Code;
use metropay_core::user;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};

use super::CodeAccount;
use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

pub(in crate::app) struct CodeAccountShow;

impl Refuses for CodeAccountShow {
    const CODES: &'static [&'static [Code]] = &[RIDER];
}

/// 查询消费码账户状态。
///
/// How the consumption code stands; `NOT_OPENED` for one who never opened it.
#[utoipa::path(
    get, path = "/app/v1/code-account", tag = "App 消费码", security(("app_token" = [])),
    responses((status = 200, body = Envelope<CodeAccount>), Refused::<CodeAccountShow>)
)]
pub(in crate::app) async fn show(call: Call, State(doors): State<Doors>, rider: Rider) -> Answer<CodeAccount> {
    call.answer(user::find(&doors.queries, &rider.uid).await.map(CodeAccount::of))
}
