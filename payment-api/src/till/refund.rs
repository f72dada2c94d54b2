//! `refund`: money back, partly and repeatedly.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::id::{MchId, OutRefundNo};
use metropay_core::once::Memory;
use metropay_core::payment::Payment;
use metropay_core::problem::{Code, Problem};
use metropay_core::refund::{self, Refund as Made, RefundAsk, RefundState};
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signed::{Asked, SignatureHeader, Signed};
use super::{BY_NUMBER, EVERYWHERE, form};
use crate::Doors;

/// 退款申请，订单的两个单号二选一 (a refund to make, of an order by either of its numbers).
#[derive(Deserialize, ToSchema)]
pub(super) struct Refund {
    /// 订单请求流水号 (the merchant's number of the order)
    #[schema(example = "SZTX001-20260801-000001", max_length = 64)]
    out_request_no: Option<String>,
    /// App 支付单号 (the platform's number of the order)
    #[schema(example = "P20260801060548123A1B2C3D4E5F6", max_length = 64)]
    pay_out_trade_no: Option<String>,
    /// 退款单号，商户内唯一；1–64 位字母、数字、下划线或连字符 (the merchant's number of the refund)
    #[schema(
        example = "SZTX001-R-000001",
        min_length = 1,
        max_length = 64,
        pattern = "^[0-9A-Za-z_-]{1,64}$"
    )]
    out_refund_no: String,
    /// 退款金额，整数分 (amount in whole fen)
    #[schema(example = 200, minimum = 1)]
    refund_fee: u64,
}

/// 退款状态：`RS_SUCCESS` 退款成功；`RS_PROCESSING` 退款中，请用原退款单号重复请求以确认；`RS_FAILED` 退款失败。(How a refund
/// stands.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) enum RefundStatus {
    /// The money went back.
    #[serde(rename = "RS_SUCCESS")]
    Success,
    /// Not known yet: ask again with the same number.
    #[serde(rename = "RS_PROCESSING")]
    Processing,
    /// It did not and will not.
    #[serde(rename = "RS_FAILED")]
    Failed,
}

impl From<RefundState> for RefundStatus {
    fn from(state: RefundState) -> Self {
        match state {
            RefundState::Done => Self::Success,
            RefundState::Requested => Self::Processing,
            RefundState::Failed => Self::Failed,
        }
    }
}

/// 退款信息 (a refund as it stands).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefundData {
    /// 订单请求流水号 (the merchant's number of the order)
    #[schema(example = "SZTX001-20260801-000001")]
    out_request_no: String,
    /// App 支付单号 (the platform's number of the order)
    #[schema(example = "P20260801060548123A1B2C3D4E5F6")]
    pay_out_trade_no: String,
    /// 退款单号 (the merchant's number of the refund)
    #[schema(example = "SZTX001-R-000001")]
    out_refund_no: String,
    /// App 退款单号 (the platform's number of the refund)
    #[schema(example = "R20260801070001123A1B2C3D4E5F6")]
    pay_refund_id: String,
    /// 退款金额，分 (amount in fen)
    #[schema(example = 200)]
    pay_refund_fee: u64,
    /// 退款状态 (how it stands)
    #[schema(example = "RS_SUCCESS")]
    pay_refund_status: RefundStatus,
    /// 退款优惠金额，分，已包含在退款金额内 (the part that went back to sponsors of coupons, in fen)
    #[schema(example = 0)]
    pay_refund_coupon_fee: u64,
    /// 订单金额，分 (the order's amount in fen)
    #[schema(example = 600)]
    total_fee: u64,
    /// 退款日期，北京时间，YYYYMMDD；尚未完成时为申请日期 (China day of its end, else of its beginning)
    #[schema(example = "20260801")]
    refund_date: String,
    /// 退款完成时间，北京时间，YYYYMMDDhhmmss；尚未完成时为申请时间 (China time of the same)
    #[schema(example = "20260801070003")]
    refund_time: String,
}

impl RefundData {
    fn new(payment: Payment, refund: Made) -> Self {
        let at = refund.ended_at.unwrap_or(refund.created_at);
        Self {
            out_request_no: payment.out_request_no.0,
            pay_out_trade_no: payment.pay_no.0,
            out_refund_no: refund.out_refund_no.0,
            pay_refund_id: refund.refund_no.0,
            pay_refund_fee: refund.amount.get(),
            pay_refund_status: refund.state.into(),
            pay_refund_coupon_fee: refund.coupon.get(),
            total_fee: payment.amount.get(),
            refund_date: at.day().to_string(),
            refund_time: at.stamp(),
        }
    }
}

impl Asked for Refund {
    const MEMORY: Memory = Memory::Lasting;
    const LANE: Lane = Lane::Payments;
}

impl Refuses for Refund {
    const CODES: &'static [&'static [Code]] = &[
        EVERYWHERE,
        BY_NUMBER,
        &[
            Code::OutRefundNoConflict,
            Code::OrderNotPaid,
            Code::OrderReversed,
            Code::RefundExceeds,
            Code::RefundExpired,
        ],
    ];
}

/// 二维码订单退款 (give money back)
///
/// 可多次部分退款，合计不超过订单金额。同一退款单号、同样的参数重复请求，返回同一笔退款的当前状态，绝不重复退款；参数不同则返回
/// `OUT_REFUND_NO_CONFLICT`。退款失败后请更换退款单号。
///
/// Partly and repeatedly, together never more than the order. The same refund number with the same parameters answers the
/// same refund as it stands and drives it on; with others it is a conflict. After a failed refund take a new number.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/qrcode/refund",
    tag = "商户收款",
    params(SignatureHeader),
    request_body = Refund,
    responses((status = 200, description = "退款当前状态 (the refund as it stands)", body = Envelope<RefundData>), Refused::<Refund>)
)]
pub(super) async fn refund(State(doors): State<Doors>, asked: Signed<Refund>) -> Answer<RefundData> {
    let Signed { call, till, body } = asked;
    let result = given_back(&doors, &till.mch_id, body).await;
    call.answer(result)
}

async fn given_back(doors: &Doors, mch_id: &MchId, body: Refund) -> Result<RefundData, Problem> {
    let ask = body.read()?;
    let (payment, refund) = refund::ask::refund(&doors.engine, mch_id, ask).await?;
    Ok(RefundData::new(payment, refund))
}

impl Refund {
    fn read(self) -> Result<RefundAsk, Problem> {
        Ok(RefundAsk {
            order: form::order_key(self.out_request_no, self.pay_out_trade_no)?,
            out_refund_no: OutRefundNo(form::out_no("out_refund_no", self.out_refund_no)?),
            refund_fee: form::refund_fee(self.refund_fee)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_refunds_state_are_those_of_the_interface() {
        let words = [
            (RefundState::Done, "RS_SUCCESS"),
            (RefundState::Requested, "RS_PROCESSING"),
            (RefundState::Failed, "RS_FAILED"),
        ];
        for (state, word) in words {
            assert_eq!(serde_json::to_value(RefundStatus::from(state)).unwrap(), word);
        }
    }
}
