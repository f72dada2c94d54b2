//! `PUT /app/v1/phone`: the user has another number, which the code proves.

use axum::extract::State;
use bytes::Bytes;
use http::HeaderMap;
use metropay_core::problem::{Code, Problem};
use metropay_core::secret::Secret;
use metropay_core::user;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, read_json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Doors;
use crate::app::refusal::{BODY, RIDER};
use crate::app::rider::Rider;

/// 新手机号与收到的验证码 (the number, and the code that was sent to it).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct PhoneProven {
    /// 新手机号 (the number).
    #[schema(value_type = String, example = "13900139000")]
    phone: Secret,
    /// 收到的 6 位验证码 (the code).
    #[schema(value_type = String, example = "123456")]
    code: Secret,
}

/// 已更换 (it is changed).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct PhoneChanged {
    /// 新手机号，仅显示首三位与末四位 (the number, masked).
    #[schema(example = "139****9000")]
    phone: String,
}

pub(in crate::app) struct PhoneChange;

impl Refuses for PhoneChange {
    const CODES: &'static [&'static [Code]] = &[
        RIDER,
        BODY,
        &[Code::CodeNotOpened, Code::UserFrozen, Code::PhoneCodeInvalid],
    ];
}

/// 更换手机号第二步：凭验证码更换，并逐一通知用户是其会员的商户；各商户的进度见会员列表。
///
/// The second step: the number is changed, and every merchant is told with whom the user is a member, as often as it takes.
#[utoipa::path(
    put, path = "/app/v1/phone", tag = "App 手机号", security(("app_token" = [])), request_body = PhoneProven,
    responses((status = 200, body = Envelope<PhoneChanged>), Refused::<PhoneChange>)
)]
pub(in crate::app) async fn change(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<PhoneChanged> {
    call.answer(changed(&doors, &rider, &headers, &body).await)
}

async fn changed(doors: &Doors, rider: &Rider, headers: &HeaderMap, body: &Bytes) -> Result<PhoneChanged, Problem> {
    let PhoneProven { phone, code } = read_json(headers, body)?;
    user::change_phone(&doors.queries, &rider.uid, &phone, &code).await?;
    Ok(PhoneChanged {
        phone: masked(phone.expose()),
    })
}

fn masked(phone: &str) -> String {
    match (phone.get(..3), phone.get(phone.len().saturating_sub(4)..)) {
        (Some(first), Some(last)) => format!("{first}****{last}"),
        _ => "***".to_owned(),
    }
}
