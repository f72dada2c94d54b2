//! WeChat Pay: automatic deduction (委托代扣) over APIv2, for merchants and for service providers.
//!
//! A file per act: contracts, deductions, queries, refunds, reversals, notifications. Beneath them lie one call
//! (`call`), the messages (`xml`), their signatures (`sign`) and the tables of error codes (`codes`).

mod call;
mod codes;
mod config;
mod contract;
mod deduct;
mod notice;
mod query;
mod refund;
mod reverse;
mod sign;
mod text;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{
    Bills, Cadence, CallError, Called, Channel, ChannelFactory, CodePay, ConfigError, ContractRef, ContractStanding,
    DeductQuestion, Identity, News, NoticeAnswer, NoticeRefused, Paid, PaymentRef, Product, RawNotice, RefundQuestion,
    RefundStanding, Refunded, ReverseQuestion, Reversed, Setting, SignPage, SignQuestion, Standing,
};
use metropay_core::code::foreign::Looks;
use metropay_outbound::OutboundSettings;

use crate::call::Gate;
use crate::config::{Account, check_notify_url};
pub use crate::config::{Mode, SignEntry, WechatConfig};
use crate::refund::Back;
pub use crate::sign::SignType;

/// From when on "no such order" proves that there will be none (wechat reference, 3.9).
const ABSENCE_PROVES_AFTER: Duration = Duration::from_secs(60);

/// Builds adapters for accounts with WeChat Pay.
#[derive(Debug, Clone)]
pub struct WechatFactory {
    outbound: OutboundSettings,
}

impl WechatFactory {
    /// A factory whose adapters connect within these bounds.
    pub fn new(outbound: OutboundSettings) -> Self {
        Self { outbound }
    }
}

impl ChannelFactory for WechatFactory {
    type Config = WechatConfig;

    const ID: &'static str = "wechat";
    const NAME: &'static str = "微信支付";
    const PAY_TYPE: &'static str = "CT_WECHAT";
    const PAYMENT_CODE: Option<Looks> = Some(Looks::Wechat);

    fn build(&self, config: WechatConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        let account = config.check()?;
        check_notify_url(&setting.notify_url)?;
        let gate = Gate::new(&account, &self.outbound, &setting)?;
        Ok(Arc::new(Wechat {
            account,
            gate,
            notify_url: setting.notify_url,
        }))
    }
}

/// The adapter of one account.
struct Wechat {
    account: Account,
    gate: Gate,
    notify_url: String,
}

#[async_trait]
impl Channel for Wechat {
    fn contract_scope(&self) -> String {
        format!("wechat:{}:{}", self.account.mch_id, self.account.plan_id)
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        None
    }

    fn bills(&self) -> Option<&dyn Bills> {
        None
    }

    fn identity(&self) -> Option<&dyn Identity> {
        None
    }

    fn cadence(&self, _: Product) -> Cadence {
        let millis = |all: &[u64]| all.iter().map(|ms| Duration::from_millis(*ms)).collect();
        const SECOND: u64 = 1_000;
        const MINUTE: u64 = 60 * SECOND;
        const HOUR: u64 = 60 * MINUTE;
        let payment = [
            SECOND,
            2 * SECOND,
            3 * SECOND,
            5 * SECOND,
            5 * SECOND,
            5 * SECOND,
            5 * SECOND,
            30 * SECOND,
            MINUTE,
            2 * MINUTE,
            5 * MINUTE,
            10 * MINUTE,
            30 * MINUTE,
            HOUR,
        ];
        let refund = [
            500,
            SECOND,
            2 * SECOND,
            5 * SECOND,
            15 * SECOND,
            MINUTE,
            5 * MINUTE,
            30 * MINUTE,
            4 * HOUR,
        ];
        Cadence {
            payment: millis(&payment),
            refund: millis(&refund),
            absence_proves_after: ABSENCE_PROVES_AFTER,
            revoke_after: Duration::from_secs(45),
        }
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        self.sign(question).await
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        self.contract_standing(contract).await
    }

    async fn close_contract(&self, contract: &ContractRef) -> Called<()> {
        self.end_contract(contract).await
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        self.apply(question).await
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        self.order_standing(payment).await
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        self.undo(question).await
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        self.give_back(&Back::from(question)).await
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        self.back_standing(&Back::from(question)).await
    }

    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        self.read_news(notice)
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        notice::answer(taken)
    }
}
