//! `POST /app/v1/code-account`: the user opens the consumption code, for the first time or again.

use axum::extract::State;
use bytes::Bytes;
use http::HeaderMap;
use metropay_core::problem::{Code, Problem};
use metropay_core::user;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, read_json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::CodeAccount;
use crate::Doors;
use crate::app::refusal::{BODY, RIDER};
use crate::app::rider::Rider;

/// The rule of a phone number.
const PHONE: &str = "11 位数字的手机号";

/// 开通消费码 (the wish to open the consumption code).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct CodeAccountOpening {
    /// 用户在 App 中确认的手机号，须与令牌中已验证的手机号一致；可不传 (must be the phone that the token says is verified).
    #[schema(value_type = Option<String>, example = "13800138000")]
    phone: Option<metropay_core::secret::Secret>,
}

pub(in crate::app) struct CodeAccountOpen;

impl Refuses for CodeAccountOpen {
    const CODES: &'static [&'static [Code]] = &[RIDER, BODY, &[Code::PhoneUnverified, Code::UserFrozen]];
}

/// 开通消费码：首次开通，或关闭后重新开通。请求体可为空。
///
/// Opens the consumption code, for the first time or again. The body may be left out.
#[utoipa::path(
    post, path = "/app/v1/code-account", tag = "App 消费码", security(("app_token" = [])),
    request_body = Option<CodeAccountOpening>,
    responses((status = 200, body = Envelope<CodeAccount>), Refused::<CodeAccountOpen>)
)]
pub(in crate::app) async fn open(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<CodeAccount> {
    call.answer(opened(&doors, &rider, &headers, &body).await)
}

async fn opened(doors: &Doors, rider: &Rider, headers: &HeaderMap, body: &Bytes) -> Result<CodeAccount, Problem> {
    let wish: CodeAccountOpening = if body.is_empty() {
        CodeAccountOpening::default()
    } else {
        read_json(headers, body)?
    };
    let verified = rider.claims.verified_phone();
    if let Some(phone) = &wish.phone {
        check(phone.expose(), verified)?;
    }
    let user = user::open(&doors.queries, &rider.uid, verified).await?;
    Ok(CodeAccount::of(Some(user)))
}

fn check(phone: &str, verified: Option<&str>) -> Result<(), Problem> {
    if phone.len() != 11 || !phone.starts_with('1') || !phone.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::invalid("phone", PHONE));
    }
    if verified != Some(phone) {
        return Err(Problem::new(Code::PhoneUnverified).at("phone"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_has_eleven_digits_and_is_the_verified_one() {
        let verified = Some("13800138000");
        assert!(check("13800138000", verified).is_ok());
        for phone in [
            "",
            "1380013800",
            "138001380000",
            "23800138000",
            "1380013800x",
            "１３８００１３８０００",
            "+8613800138000",
        ] {
            assert_eq!(check(phone, verified).unwrap_err().code, Code::ParamInvalid, "{phone}");
        }
        for verified in [None, Some("13900139000")] {
            assert_eq!(check("13800138000", verified).unwrap_err().code, Code::PhoneUnverified);
        }
    }
}
