//! `bill`: a day's totals, for reconciliation.

use axum::extract::State;
use metropay_core::Lane;
use metropay_core::bill::{self, ChannelDay};
use metropay_core::engine::Engine;
use metropay_core::id::MchId;
use metropay_core::once::Memory;
use metropay_core::problem::{Code, Problem};
use metropay_web::Answer;
use metropay_web::answer::Envelope;
use metropay_web::openapi::{Refused, Refuses};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::order::pay_type;
use super::signed::{Asked, SignatureHeader, Signed};
use super::{EVERYWHERE, form};
use crate::Doors;

/// 对账日期 (the day to reconcile).
#[derive(Deserialize, ToSchema)]
pub(super) struct Bill {
    /// 对账日期，北京时间，YYYYMMDD；昨天及以前，最早一年前 (China day, before today and within a year)
    #[schema(example = "20260801", pattern = "^[0-9]{8}$")]
    date: String,
}

/// 对账单 (a day's totals).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BillData {
    /// 对账日期 (the day)
    #[schema(example = "20260801")]
    date: String,
    /// 各支付方式的合计；当日没有发生的不列出 (one line for each channel on which anything happened)
    bill_infos: Vec<BillInfo>,
}

/// 一种支付方式的合计 (a channel's day).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BillInfo {
    /// 支付方式：CT_WECHAT 微信，CT_ALIPAY 支付宝，CT_UNION 银联 (the channel)
    #[schema(value_type = String, example = "CT_WECHAT")]
    pay_type: &'static str,
    /// 支付总笔数 (payments)
    #[schema(example = 120)]
    total_count: u64,
    /// 支付总金额，分 (their amount in fen)
    #[schema(example = 72_000)]
    total_amount: u64,
    /// 撤销总笔数，仅计已支付后撤销的订单 (reversals that gave money back)
    #[schema(example = 1)]
    reverse_count: u64,
    /// 撤销总金额，分 (their amount in fen)
    #[schema(example = 600)]
    reverse_amount: u64,
    /// 退款总笔数 (refunds)
    #[schema(example = 2)]
    refund_count: u64,
    /// 退款总金额，分 (their amount in fen)
    #[schema(example = 800)]
    refund_amount: u64,
}

impl BillInfo {
    fn new(engine: &Engine, day: &ChannelDay) -> Result<Self, Problem> {
        Ok(Self {
            pay_type: pay_type(engine, &day.channel)?,
            total_count: day.paid.0,
            total_amount: day.paid.1.get(),
            reverse_count: day.reversed.0,
            reverse_amount: day.reversed.1.get(),
            refund_count: day.refunded.0,
            refund_amount: day.refunded.1.get(),
        })
    }
}

impl Asked for Bill {
    const MEMORY: Memory = Memory::MayBeLost;
    const LANE: Lane = Lane::Queries;
}

impl Refuses for Bill {
    const CODES: &'static [&'static [Code]] = &[EVERYWHERE, &[Code::BillNotReady]];
}

/// 二维码对账 (a day's totals)
///
/// 按平台入账时间归入北京时间的自然日；已结束的一天此后不再变化，迟到的结果计入得知当日。当日账单在次日零点后生成，此前返回
/// `BILL_NOT_READY`，`ready_at` 为可取时间。
///
/// By the China day on which the platform booked it; a day that is over never changes. Until it is ready the answer is
/// `BILL_NOT_READY` with `ready_at`.
#[utoipa::path(
    post,
    path = "/metro/payment/v1/api/qrcode/bill",
    tag = "商户收款",
    params(SignatureHeader),
    request_body = Bill,
    responses((status = 200, description = "当日合计 (the day's totals)", body = Envelope<BillData>), Refused::<Bill>)
)]
pub(super) async fn bill(State(doors): State<Doors>, asked: Signed<Bill>) -> Answer<BillData> {
    let Signed { call, till, body } = asked;
    let result = totals(&doors.queries, &till.mch_id, &body).await;
    call.answer(result)
}

async fn totals(engine: &Engine, mch_id: &MchId, body: &Bill) -> Result<BillData, Problem> {
    let day = form::day(&body.date, engine.clock.now())?;
    let lines = bill::day(engine, mch_id, day).await?;
    let infos: Result<Vec<_>, _> = lines.iter().map(|line| BillInfo::new(engine, line)).collect();
    Ok(BillData {
        date: day.to_string(),
        bill_infos: infos?,
    })
}
