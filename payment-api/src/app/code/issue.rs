//! `POST /app/v1/codes`: a fresh code to show at a till.

use std::time::Duration;

use axum::extract::State;
use bytes::Bytes;
use http::HeaderMap;
use metropay_core::code::form::Symbology;
use metropay_core::code::issue::{self, Issued};
use metropay_core::engine::Engine;
use metropay_core::id::{ChannelId, CodeId, MchId};
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope, Language, read_json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Doors;
use crate::app::moment::Moment;
use crate::app::picture;
use crate::app::refusal::{BODY, RIDER};
use crate::app::rider::Rider;

/// Pixels of a module of the QR code: 232 pixels wide.
const QR_PX: u32 = 8;
/// Pixels of the narrowest bar: 660 pixels wide.
const BAR_PX: u32 = 4;

/// 申请消费码 (the wish for a code).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct CodeWish {
    /// 用户为本次付款选定的支付渠道；不传则按商户偏好与平台规则 (the channel that must pay; by preference and rules without).
    #[schema(value_type = Option<String>, example = "wechat")]
    method: Option<ChannelId>,
    /// 仅限在该商户使用，并采用其码制；不传则各商户通用 (for this merchant alone, in the form of its codes; for all without).
    #[schema(value_type = Option<String>, example = "M10001")]
    mch_id: Option<MchId>,
}

/// 消费码 (a code). The digits are answered once and kept nowhere.
#[derive(Serialize, ToSchema)]
pub(in crate::app) struct CodeIssued {
    /// 支付 ID，用于查询状态 (the payment id under which its state is asked).
    #[schema(value_type = String, example = "Q20260801120000000ABCDEFGHJKLM")]
    code_id: CodeId,
    /// 消费码数字，平台码 20 位，商户码以其规则为准 (the digits: 20 of the platform's own, as the rule says of a merchant's).
    #[schema(example = "77112345678901234565")]
    digits: String,
    /// 二维码，SVG；须按整数倍缩放并保留白边 (QR code; scale by whole numbers, keep the white margin).
    qr_svg: String,
    /// 一维码 Code 128，SVG；须按整数倍缩放并保留白边 (Code 128; scale by whole numbers, keep the white margin).
    barcode_svg: String,
    /// 首先展示的形式 (what to show at first): `both`, `code128`, `qr`.
    #[schema(value_type = String, example = "both")]
    symbology: Symbology,
    /// 选定的支付渠道 (the chosen channel).
    #[schema(value_type = Option<String>)]
    method: Option<ChannelId>,
    /// 仅限使用的商户 (the one merchant where it may be used).
    #[schema(value_type = Option<String>)]
    mch_id: Option<MchId>,
    /// 签发时间 (when it was issued).
    issued_at: Moment,
    /// 失效时间 (when it ends).
    expires_at: Moment,
    /// 建议刷新时间 (when the App should fetch the next).
    refresh_at: Moment,
    /// 平台当前时间，用于校准倒计时 (our time, to set the countdown by).
    server_time: Moment,
}

pub(in crate::app) struct CodeIssue;

impl Refuses for CodeIssue {
    const CODES: &'static [&'static [Code]] = &[
        RIDER,
        BODY,
        &[
            Code::CodeNotOpened,
            Code::UserFrozen,
            Code::MerchantNotFound,
            Code::RuleError,
        ],
    ];
}

/// 申请消费码：60 秒有效，仅可使用一次；同时至多两个有效，再申请则最早的作废。每分钟至多 6 个。请求体可为空。
///
/// Issues a code: alive for 60 seconds, used once. At most two live at a time, at most six are issued a minute.
#[utoipa::path(
    post, path = "/app/v1/codes", tag = "App 消费码", security(("app_token" = [])),
    request_body = Option<CodeWish>,
    responses((status = 200, body = Envelope<CodeIssued>), Refused::<CodeIssue>)
)]
pub(in crate::app) async fn issue(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<CodeIssued> {
    call.answer(issued(&doors.queries, &rider, &headers, &body, call.language).await)
}

async fn issued(
    engine: &Engine,
    rider: &Rider,
    headers: &HeaderMap,
    body: &Bytes,
    language: Language,
) -> Result<CodeIssued, Problem> {
    let wish: CodeWish = if body.is_empty() {
        CodeWish::default()
    } else {
        read_json(headers, body)?
    };
    let issued = issue::issue(engine, &rider.uid, wish.method, wish.mch_id.as_ref()).await?;
    let Issued {
        code,
        digits,
        symbology,
    } = issued;
    let life = code.expires_at.since(code.issued_at);
    let title = match language {
        Language::Chinese => "消费码",
        Language::English => "Consumption code",
    };
    Ok(CodeIssued {
        qr_svg: picture::qr(&digits, title, QR_PX)?,
        barcode_svg: picture::bars(&digits, title, BAR_PX)?,
        digits,
        code_id: code.code_id,
        symbology,
        method: code.method,
        mch_id: code.mch_id,
        issued_at: code.issued_at.into(),
        expires_at: code.expires_at.into(),
        refresh_at: code.issued_at.plus(refresh_after(life)).into(),
        server_time: engine.clock.now().into(),
    })
}

/// A new code is fetched when a quarter of the old one's life is left.
fn refresh_after(life: Duration) -> Duration {
    life.saturating_sub(life / 4)
}
