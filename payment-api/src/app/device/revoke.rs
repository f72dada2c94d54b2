//! `POST /app/v1/devices/revoke`: signing off, or the end of a device.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::problem::{Code, Problem};
use metropay_core::user;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Doors;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// 注销结果 (what was revoked).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct DeviceRevoked {
    /// 是否连同设备密钥一起注销；令牌未绑定设备时为 false (whether a device key was revoked with the token).
    device: bool,
}

pub(in crate::app) struct DeviceRevoke;

impl Refuses for DeviceRevoke {
    const CODES: &'static [&'static [Code]] = &[RIDER];
}

/// 注销本令牌及其绑定的设备：立即失效，未使用的消费码随之作废，事件流断开。
///
/// Ends this token and the device it is bound to, at once: codes end, streams close.
#[utoipa::path(
    post, path = "/app/v1/devices/revoke", tag = "App 设备", security(("app_token" = [])),
    responses((status = 200, body = Envelope<DeviceRevoked>), Refused::<DeviceRevoke>)
)]
pub(in crate::app) async fn revoke(call: Call, State(doors): State<Doors>, rider: Rider) -> Answer<DeviceRevoked> {
    call.answer(revoked(&doors.queries, &rider).await)
}

async fn revoked(engine: &Engine, rider: &Rider) -> Result<DeviceRevoked, Problem> {
    user::revoke(engine, &rider.uid, &rider.subjects()).await?;
    // Streams look whether they may stay.
    engine.live.wake(&rider.uid);
    Ok(DeviceRevoked {
        device: rider.claims.jkt.is_some(),
    })
}
