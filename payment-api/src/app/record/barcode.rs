//! `GET /app/v1/records/{pay_out_trade_no}/barcode.svg`: the number of an order as a picture, to show for a refund.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use metropay_core::engine::Engine;
use metropay_core::id::PayNo;
use metropay_core::payment::records;
use metropay_core::problem::{Code, Problem};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Call, Language};

use crate::Doors;
use crate::app::named::Named;
use crate::app::picture;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// Pixels of the narrowest bar.
const BAR_PX: u32 = 2;
/// A picture runs nothing and loads nothing, should somebody open it as a page.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

pub(in crate::app) struct RecordBarcode;

impl Refuses for RecordBarcode {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::RecordNotFound]];
}

/// 订单号的一维码 Code 128，SVG，退款时向收银员出示。
///
/// The number of an order as Code 128, to show at the till for a refund.
#[utoipa::path(
    get, path = "/app/v1/records/{pay_out_trade_no}/barcode.svg", tag = "App 消费记录", security(("app_token" = [])),
    params(("pay_out_trade_no" = String, Path, description = "订单号")),
    responses((status = 200, body = String, content_type = "image/svg+xml"), Refused::<RecordBarcode>)
)]
pub(in crate::app) async fn barcode(call: Call, State(doors): State<Doors>, rider: Rider, pay_no: Named) -> Response {
    match drawn(&call, &doors.queries, &rider, pay_no).await {
        Ok(svg) => (
            [(CONTENT_TYPE, "image/svg+xml"), (CONTENT_SECURITY_POLICY, POLICY)],
            svg,
        )
            .into_response(),
        Err(problem) => call.refuse(problem).into_response(),
    }
}

async fn drawn(call: &Call, engine: &Engine, rider: &Rider, pay_no: Named) -> Result<String, Problem> {
    let pay_no = PayNo(pay_no.or(Code::RecordNotFound)?);
    let (payment, _) = records::detail(engine, &rider.uid, &pay_no).await?;
    draw(&payment.pay_no, call.language)
}

/// The number as Code 128.
///
/// # Errors
/// A fault, when a number of ours cannot be drawn.
pub(super) fn draw(pay_no: &PayNo, language: Language) -> Result<String, Problem> {
    let title = match language {
        Language::Chinese => "订单号",
        Language::English => "Order number",
    };
    picture::bars(pay_no.as_str(), title, BAR_PX).map_err(Problem::fault)
}
