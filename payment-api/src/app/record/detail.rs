//! `GET /app/v1/records/{pay_out_trade_no}`: one payment with everything that its payer may know.

use axum::extract::State;
use metropay_core::engine::Engine;
use metropay_core::id::{PayNo, RefundNo};
use metropay_core::money::Fen;
use metropay_core::payment::records;
use metropay_core::problem::{Code, Problem};
use metropay_core::refund::{Refund, RefundState};
use metropay_web::openapi::{Refused, Refuses};
use metropay_web::{Answer, Call, Envelope};
use serde::Serialize;
use utoipa::ToSchema;

use super::{RecordSummary, barcode};
use crate::Doors;
use crate::app::moment::Moment;
use crate::app::named::Named;
use crate::app::refusal::RIDER;
use crate::app::rider::Rider;

/// 消费记录详情 (a record in full).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct RecordDetail {
    #[serde(flatten)]
    summary: RecordSummary,
    /// 渠道的交易单号 (the channel's number).
    channel_no: Option<String>,
    /// 未支付成功的原因代码，供客服查询 (why it was not paid: a word for the service desk).
    reason: Option<String>,
    /// 订单号的一维码 Code 128，SVG，退款时出示 (the number as Code 128, to show for a refund).
    barcode_svg: String,
    /// 退款 (its refunds).
    refunds: Vec<RecordRefund>,
}

/// 退款 (a refund of a payment).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::app) struct RecordRefund {
    /// 退款单号 (its number).
    #[schema(value_type = String, example = "R20260801120000000ABCDEFGHJKLM")]
    pay_refund_id: RefundNo,
    /// 退款金额，分 (how much).
    #[schema(value_type = u64, example = 300)]
    refund_fee: Fen,
    /// 状态：REQUESTED 退款中，DONE 已退款，FAILED 未退成 (how it stands).
    #[schema(value_type = String, example = "DONE")]
    status: RefundState,
    /// 申请时间 (when it was asked for).
    created_at: Moment,
    /// 完成时间 (when it ended).
    ended_at: Option<Moment>,
}

impl From<Refund> for RecordRefund {
    fn from(refund: Refund) -> Self {
        Self {
            pay_refund_id: refund.refund_no,
            refund_fee: refund.amount,
            status: refund.state,
            created_at: refund.created_at.into(),
            ended_at: refund.ended_at.map(Into::into),
        }
    }
}

pub(in crate::app) struct RecordDetailAsk;

impl Refuses for RecordDetailAsk {
    const CODES: &'static [&'static [Code]] = &[RIDER, &[Code::RecordNotFound]];
}

/// 查询消费记录详情，含订单号条形码与退款。
///
/// One payment with its refunds and its number as a bar code.
#[utoipa::path(
    get, path = "/app/v1/records/{pay_out_trade_no}", tag = "App 消费记录", security(("app_token" = [])),
    params(("pay_out_trade_no" = String, Path, description = "订单号")),
    responses((status = 200, body = Envelope<RecordDetail>), Refused::<RecordDetailAsk>)
)]
pub(in crate::app) async fn detail(
    call: Call,
    State(doors): State<Doors>,
    rider: Rider,
    pay_no: Named,
) -> Answer<RecordDetail> {
    call.answer(found(&call, &doors.queries, &rider, pay_no).await)
}

async fn found(call: &Call, engine: &Engine, rider: &Rider, pay_no: Named) -> Result<RecordDetail, Problem> {
    let pay_no = PayNo(pay_no.or(Code::RecordNotFound)?);
    let (payment, refunds) = records::detail(engine, &rider.uid, &pay_no).await?;
    Ok(RecordDetail {
        summary: RecordSummary::of(engine, &payment).await?,
        barcode_svg: barcode::draw(&payment.pay_no, call.language)?,
        channel_no: payment.channel_no,
        reason: payment.reason,
        refunds: refunds.into_iter().map(Into::into).collect(),
    })
}
