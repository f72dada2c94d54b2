//! `DELETE /app/v1/code-account`: the user closes the consumption code.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::problem::{Code, Problem};
use metropay_core::user;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};

use super::CodeAccount;
use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

pub(in crate::app) struct CodeAccountClose;

impl Refuses for CodeAccountClose {
    const CODES: &'static [&'static [Code]] = &[RIDER];
}

/// 关闭消费码：未使用的消费码立即作废；支付中的订单照常走到终态；之后可重新开通。
///
/// Closes the consumption code: codes end at once, payments in progress end by themselves. It may be opened again.
#[utoipa::path(
    delete, path = "/app/v1/code-account", tag = "App 消费码", security(("app_token" = [])),
    responses((status = 200, body = Envelope<CodeAccount>), Refused::<CodeAccountClose>)
)]
pub(in crate::app) async fn close(call: Call, State(doors): State<Doors>, rider: Rider) -> Answer<CodeAccount> {
    call.answer(closed(&doors.queries, &rider).await)
}

async fn closed(engine: &Engine, rider: &Rider) -> Result<CodeAccount, Problem> {
    user::close(engine, &rider.uid).await?;
    Ok(CodeAccount::of(user::find(engine, &rider.uid).await?))
}
