//! What `applypay` and `orderquery` answer about an order.

use metropay_core::engine::Engine;
use metropay_core::id::ChannelId;
use metropay_core::payment::{Payment, PaymentState, ReversalMark};
use metropay_core::problem::Problem;
use metropay_web::Language;
use serde::Serialize;
use utoipa::ToSchema;

use super::err_desc;

/// 支付状态：`PS_SUCCESS` 支付成功；`PS_PAYING` 支付中，请调用 `orderquery` 确认；`PS_FAILED` 支付失败；`PS_CLOSED` 订单已
/// 关闭（仅 `orderquery` 返回）。(How an order stands.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) enum PayStatus {
    /// Paid.
    #[serde(rename = "PS_SUCCESS")]
    Success,
    /// Not known yet: query.
    #[serde(rename = "PS_PAYING")]
    Paying,
    /// Not paid, and never will be.
    #[serde(rename = "PS_FAILED")]
    Failed,
    /// Closed without money, or reversed.
    #[serde(rename = "PS_CLOSED")]
    Closed,
}

impl PayStatus {
    /// How an order stands, in the words of `orderquery`: a reversal that is done closes a paid order.
    pub(super) fn of(payment: &Payment) -> Self {
        match (payment.state, payment.reversal) {
            (PaymentState::Closed, _) | (PaymentState::Success, ReversalMark::Done) => Self::Closed,
            (PaymentState::Success, _) => Self::Success,
            (PaymentState::Paying, _) => Self::Paying,
            (PaymentState::Failed, _) => Self::Failed,
        }
    }

    /// The same in the three words of `applypay`. Whatever was closed or reversed is not paid and never will be, so the
    /// till must not hand anything out: `PS_FAILED`, now and at every repeat of the number.
    pub(super) const fn at_the_till(self) -> Self {
        match self {
            Self::Closed => Self::Failed,
            other => other,
        }
    }
}

/// 订单信息 (an order as it stands).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderData {
    /// 支付状态 (how it stands)
    #[schema(example = "PS_SUCCESS")]
    pub pay_status: PayStatus,
    /// 支付日期，北京时间，YYYYMMDD；未支付时为订单结束或创建的日期 (China day of the payment, else of its end or beginning)
    #[schema(example = "20260801")]
    pub pay_date: String,
    /// 支付完成时间，北京时间，YYYYMMDDhhmmss；未支付时为订单结束或创建的时间 (China time of the same)
    #[schema(example = "20260801060549")]
    pub pay_time: String,
    /// 订单金额，分 (amount in fen)
    #[schema(example = 600)]
    pub total_fee: u64,
    /// 优惠金额，分，已包含在订单金额内 (the part of it that coupons paid, in fen)
    #[schema(example = 0)]
    pub pay_coupon_fee: u64,
    /// App 支付单号 (the platform's number of the order)
    #[schema(example = "P20260801060548123A1B2C3D4E5F6")]
    pub pay_out_trade_no: String,
    /// 失败描述，仅在 PS_FAILED 时返回 (why not and what to do now; only with PS_FAILED)
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub pay_err_desc: Option<&'static str>,
    /// App 唯一 ID；顾客出示的是支付渠道自己的付款码时不返回 (the user; absent where the channel's own payment code was scanned)
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "10000001")]
    pub uid: Option<String>,
    /// 支付方式：CT_WECHAT 微信，CT_ALIPAY 支付宝，CT_UNION 银联 (the channel)
    #[schema(value_type = String, example = "CT_WECHAT")]
    pub pay_type: &'static str,
    /// 支付机构单号，支付中时为空 (the channel's number; empty while PS_PAYING)
    #[schema(example = "4200000737202608010388099629")]
    pub pay_type_trade_no: String,
}

impl OrderData {
    /// An order under this status.
    ///
    /// # Errors
    /// A fault when its channel is not linked any more.
    pub(super) fn new(
        engine: &Engine,
        payment: Payment,
        pay_status: PayStatus,
        language: Language,
    ) -> Result<Self, Problem> {
        let at = payment.paid_at.or(payment.ended_at).unwrap_or(payment.created_at);
        let failed = pay_status == PayStatus::Failed;
        let known = pay_status != PayStatus::Paying;
        Ok(Self {
            pay_status,
            pay_date: at.day().to_string(),
            pay_time: at.stamp(),
            total_fee: payment.amount.get(),
            pay_coupon_fee: payment.coupon.get(),
            pay_err_desc: failed.then(|| err_desc::of(&payment, language)),
            pay_type: pay_type(engine, &payment.channel)?,
            pay_out_trade_no: payment.pay_no.0,
            uid: payment.uid.map(|uid| uid.0),
            pay_type_trade_no: payment.channel_no.filter(|_| known).unwrap_or_default(),
        })
    }
}

/// The channel's name in this API.
///
/// # Errors
/// A fault when the channel is not linked any more.
pub(super) fn pay_type(engine: &Engine, channel: &ChannelId) -> Result<&'static str, Problem> {
    let summary = engine.channel(channel);
    let summary = summary.ok_or_else(|| Problem::fault(format!("channel {channel} is not linked any more")))?;
    Ok(summary.pay_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_orders_state_are_those_of_the_interface() {
        let words = [
            (PayStatus::Success, "PS_SUCCESS"),
            (PayStatus::Paying, "PS_PAYING"),
            (PayStatus::Failed, "PS_FAILED"),
            (PayStatus::Closed, "PS_CLOSED"),
        ];
        for (status, word) in words {
            assert_eq!(serde_json::to_value(status).unwrap(), word);
        }
    }

    #[test]
    fn applypay_speaks_three_words_and_never_calls_closed_paid() {
        assert_eq!(PayStatus::Closed.at_the_till(), PayStatus::Failed);
        for same in [PayStatus::Success, PayStatus::Paying, PayStatus::Failed] {
            assert_eq!(same.at_the_till(), same);
        }
    }
}
