//! The user's consumption records.

pub(super) mod barcode;
mod cursor;
pub(super) mod detail;
pub(super) mod list;

use metropay_core::channel::Hint;
use metropay_core::engine::Engine;
use metropay_core::id::{ChannelId, MchId, PayNo, StoreId};
use metropay_core::money::Fen;
use metropay_core::payment::{Payment, PaymentState, ReversalMark};
use metropay_core::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::merchant::channels::channel_name;
use super::moment::Moment;

/// 支付状态：PAYING 支付中，PAID 已支付，FAILED 支付失败，CLOSED 已关闭（未扣款），REVERSED 已撤销（款项已退回）.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum PayStatus {
    /// The outcome is not known yet.
    Paying,
    /// Paid. What went back since is told beside.
    Paid,
    /// Refused or failed at the channel.
    Failed,
    /// Ended without a debit.
    Closed,
    /// Paid and wholly undone.
    Reversed,
}

impl PayStatus {
    /// How a payment stands for the one who pays.
    pub(super) fn of(payment: &Payment) -> Self {
        match (payment.state, payment.reversal) {
            (PaymentState::Success, ReversalMark::Done) => Self::Reversed,
            (PaymentState::Success, _) => Self::Paid,
            (PaymentState::Paying, _) => Self::Paying,
            (PaymentState::Failed, _) => Self::Failed,
            (PaymentState::Closed, _) => Self::Closed,
        }
    }
}

/// 消费记录 (a payment as its payer sees it).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordSummary {
    /// 订单号 (its number).
    #[schema(value_type = String, example = "P20260801120000000ABCDEFGHJKLM")]
    pay_out_trade_no: PayNo,
    /// 状态 (how it stands).
    status: PayStatus,
    /// 订单金额，分 (the amount).
    #[schema(value_type = u64, example = 600)]
    total_fee: Fen,
    /// 其中优惠金额，分 (the part that coupons paid).
    #[schema(value_type = u64, example = 0)]
    pay_coupon_fee: Fen,
    /// 已退款金额，分 (what went back by refunds).
    #[schema(value_type = u64, example = 0)]
    refunded_fee: Fen,
    /// 商品描述 (what was bought).
    #[schema(example = "矿泉水 2 瓶")]
    body: String,
    /// 商户号 (the merchant).
    #[schema(value_type = String, example = "M10001")]
    mch_id: MchId,
    /// 商户名称 (its name).
    merchant_name: String,
    /// 门店编号 (the store).
    #[schema(value_type = String, example = "SZTX001")]
    store_id: StoreId,
    /// 门店名称 (its name).
    store_name: Option<String>,
    /// 支付渠道 (the channel).
    #[schema(value_type = String, example = "wechat")]
    channel: ChannelId,
    /// 支付渠道名称 (its name).
    #[schema(example = "微信支付")]
    channel_name: String,
    /// 未支付成功时用户可以做什么：funds 余额或限额不足，user 需在渠道 App 内处理，contract_gone 需重新签约，setup 商户配置问题，
    /// none 无特别提示 (what an unpaid one asks of the user).
    #[schema(value_type = Option<String>, example = "funds")]
    hint: Option<Hint>,
    /// 下单时间 (when it was placed).
    created_at: Moment,
    /// 支付时间 (when it was paid).
    paid_at: Option<Moment>,
}

impl RecordSummary {
    /// The payment with the names that belong to it.
    pub(super) async fn of(engine: &Engine, payment: &Payment) -> Result<Self, Problem> {
        let shop = engine.directory.merchant(&payment.mch_id).await?;
        let store = shop.as_ref().and_then(|shop| shop.stores.get(&payment.store_id));
        Ok(Self {
            pay_out_trade_no: payment.pay_no.clone(),
            status: PayStatus::of(payment),
            total_fee: payment.amount,
            pay_coupon_fee: payment.coupon,
            refunded_fee: payment.refunded,
            body: payment.body.clone(),
            mch_id: payment.mch_id.clone(),
            merchant_name: shop
                .as_ref()
                .map_or_else(|| payment.mch_id.0.clone(), |shop| shop.merchant.name.clone()),
            store_id: payment.store_id.clone(),
            store_name: store.map(|store| store.name.clone()),
            channel: payment.channel.clone(),
            channel_name: channel_name(engine, &payment.channel),
            hint: payment.hint,
            created_at: payment.created_at.into(),
            paid_at: payment.paid_at.map(Into::into),
        })
    }
}
