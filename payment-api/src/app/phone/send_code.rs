//! `POST /app/v1/phone/code`: a code goes to the number that the user wants to have.

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
use crate::app::moment::Moment;
use crate::app::refusal::{BODY, RIDER};
use crate::app::rider::Rider;

/// 新手机号 (the number that the user wants to have).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct PhoneWanted {
    /// 新手机号，11 位数字 (11 digits of the mainland).
    #[schema(value_type = String, example = "13900139000")]
    phone: Secret,
}

/// 验证码已发送 (a code is under way).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct PhoneCode {
    /// 验证码失效的时间 (until when it counts).
    expires_at: Moment,
    /// 可再次获取的时间 (from when on another may be asked for).
    resend_at: Moment,
}

pub(in crate::app) struct PhoneSendCode;

impl Refuses for PhoneSendCode {
    const CODES: &'static [&'static [Code]] =
        &[RIDER, BODY, &[Code::CodeNotOpened, Code::UserFrozen, Code::SmsNotSent]];
}

/// 更换手机号第一步：向新手机号发送 6 位验证码，5 分钟内有效；每 60 秒一次，每日 10 次。
///
/// The first step to another phone number: six digits go to it, which count for five minutes.
#[utoipa::path(
    post, path = "/app/v1/phone/code", tag = "App 手机号", security(("app_token" = [])), request_body = PhoneWanted,
    responses((status = 200, body = Envelope<PhoneCode>), Refused::<PhoneSendCode>)
)]
pub(in crate::app) async fn send_code(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<PhoneCode> {
    call.answer(sent(&doors, &rider, &headers, &body).await)
}

async fn sent(doors: &Doors, rider: &Rider, headers: &HeaderMap, body: &Bytes) -> Result<PhoneCode, Problem> {
    let wish: PhoneWanted = read_json(headers, body)?;
    let sent = user::send_phone_code(&doors.queries, &rider.uid, &wish.phone).await?;
    Ok(PhoneCode {
        expires_at: sent.expires_at.into(),
        resend_at: sent.resend_at.into(),
    })
}
