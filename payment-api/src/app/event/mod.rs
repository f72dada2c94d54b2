//! Events about the user's code, payments and mandates: as a stream, or by long-poll.

mod feed;
pub(super) mod poll;
pub(super) mod stream;

use metropay_core::event::Event;
use metropay_core::id::CodeId;
use metropay_core::problem::Problem;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::moment::Moment;

/// 事件 (an event).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventTold {
    /// 位置，即续传用的 Last-Event-ID (its position).
    #[schema(example = 42)]
    seq: i64,
    /// 类型：payment.placed 已下单，payment.succeeded 已支付，payment.failed 支付失败，payment.closed 已关闭，
    /// payment.reversed 已撤销，payment.refunded 已退款，mandate.needed 需先签约，mandate.active 授权生效，
    /// mandate.suspended 授权暂停，mandate.closed 授权终止 (what happened).
    #[schema(example = "payment.succeeded")]
    kind: String,
    /// 相关的消费码 (the code that it is about).
    #[schema(value_type = Option<String>)]
    code_id: Option<CodeId>,
    /// 发生时间 (when).
    at: Moment,
    /// 内容，随类型而异 (the facts, by kind).
    #[schema(value_type = Object, example = json!({
        "pay_out_trade_no": "P20260801120000000ABCDEFGHJKLM", "mch_id": "M10001", "store_id": "SZTX001",
        "channel": "wechat", "total_fee": 600, "body": "矿泉水 2 瓶", "pay_coupon_fee": 0
    }))]
    data: Value,
}

impl EventTold {
    fn of(event: Event) -> Result<Self, Problem> {
        Ok(Self {
            data: serde_json::from_str(&event.payload).map_err(Problem::fault)?,
            seq: event.seq,
            kind: event.kind,
            code_id: event.code_id,
            at: event.created_at.into(),
        })
    }
}
