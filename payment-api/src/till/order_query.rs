//! `orderquery`: how an order stands.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::id::MchId;
use metropay_core::once::Memory;
use metropay_core::payment;
use metropay_core::problem::{Code, Problem};
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Language};
use serde::Deserialize;
use utoipa::ToSchema;

use super::order::{OrderData, PayStatus};
use super::signed::{Asked, SignatureHeader, Signed};
use super::{BY_NUMBER, EVERYWHERE, form};
use crate::Doors;

/// 待查询的订单，两个单号二选一 (an order, by either of its numbers).
#[derive(Deserialize, ToSchema)]
pub(super) struct OrderQuery {
    /// 订单请求流水号 (the merchant's number)
    #[schema(example = "SZTX001-20260801-000001", max_length = 64)]
    out_request_no: Option<String>,
    /// App 支付单号 (the platform's number)
    #[schema(example = "P20260801060548123A1B2C3D4E5F6", max_length = 64)]
    pay_out_trade_no: Option<String>,
}

impl Asked for OrderQuery {
    const MEMORY: Memory = Memory::MayBeLost;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for OrderQuery {
    const CODES: &'static [&'static [Code]] = &[EVERYWHERE, BY_NUMBER];
}

/// 二维码订单查询 (how an order stands)
///
/// 两个单号至少填写一个；都填写时必须属于同一笔订单。结果未知的订单会先向支付渠道查询。`PS_SUCCESS`、`PS_FAILED`、`PS_CLOSED`
/// 为终态；已支付的订单撤销后为 `PS_CLOSED`。
///
/// One of the numbers is enough; both must belong to the same order. An order whose outcome is not known is asked about at
/// its channel first. An order that was paid and then reversed is `PS_CLOSED`.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/qrcode/orderquery",
    tag = "商户收款",
    params(SignatureHeader),
    request_body = OrderQuery,
    responses((status = 200, description = "订单当前状态 (the order as it stands)", body = Envelope<OrderData>), Refused::<OrderQuery>)
)]
pub(super) async fn order_query(State(doors): State<Doors>, asked: Signed<OrderQuery>) -> Answer<OrderData> {
    let Signed { call, till, body } = asked;
    let result = standing(&doors, &till.mch_id, body, call.language).await;
    call.answer(result)
}

async fn standing(doors: &Doors, mch_id: &MchId, body: OrderQuery, language: Language) -> Result<OrderData, Problem> {
    let key = form::order_key(body.out_request_no, body.pay_out_trade_no)?;
    let payment = payment::query::query(&doors.queries, mch_id, &key).await?;
    let status = PayStatus::of(&payment);
    OrderData::new(&doors.queries, payment, status, language)
}
