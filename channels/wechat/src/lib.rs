//! WeChat Pay: automatic deduction (委托代扣), payment by code (付款码支付), refunds, bills and users, for merchants and for
//! service providers.
//!
//! A file per act: contracts, deductions, payments by code, queries, refunds, reversals, notifications, bills, users. Beneath
//! them lie one APIv2 call (`call`), the messages (`xml`), their signatures (`sign`) and the tables of error codes (`codes`);
//! APIv3 has all this for itself in `v3`.

mod account;
mod bill;
mod cadence;
mod call;
mod code_pay;
mod code_reverse;
mod codes;
mod config;
mod contract;
mod deduct;
#[doc(hidden)]
pub mod fuzz;
#[doc(hidden)]
pub mod measure;
mod notice;
mod oauth;
mod query;
mod refund;
mod reverse;
mod sign;
mod text;
mod v3;
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

use crate::account::{Account, check_notify_url};
use crate::call::Gate;
pub use crate::config::{Api, Mode, SignEntry, UserInfo, WechatConfig};
use crate::refund::Back;
pub use crate::sign::SignType;
use crate::v3::Client;
pub use crate::v3::{Unsealable, seal};

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
        Ok(Arc::new(Wechat::new(&self.outbound, config, setting)?))
    }
}

/// The adapter of one account.
struct Wechat {
    account: Account,
    gate: Arc<Gate>,
    /// Where the account speaks APIv3.
    v3: Option<Client>,
    notify_url: String,
}

impl Wechat {
    fn new(outbound: &OutboundSettings, config: WechatConfig, setting: Setting) -> Result<Self, ConfigError> {
        let mut account = config.check()?;
        check_notify_url(&setting.notify_url)?;
        let gate = Arc::new(Gate::new(&account, outbound, &setting)?);
        let v3 = account.v3.take();
        let v3 = v3.map(|credentials| Client::new(credentials, &account, Arc::clone(&gate)));
        Ok(Self {
            account,
            gate,
            v3: v3.transpose()?,
            notify_url: setting.notify_url,
        })
    }

    fn v3(&self) -> Result<&Client, CallError> {
        let none = || CallError::NotSent("this account does not speak APIv3".to_owned());
        self.v3.as_ref().ok_or_else(none)
    }
}

#[async_trait]
impl Channel for Wechat {
    fn contract_scope(&self) -> String {
        format!("wechat:{}:{}", self.account.mch_id, self.account.plan_id)
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        self.account.payment_code.then_some(self)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    fn identity(&self) -> Option<&dyn Identity> {
        self.account.user_info.is_some().then_some(self)
    }

    fn cadence(&self, product: Product) -> Cadence {
        cadence::of(product)
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
        self.read_news(notice).await
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        notice::answer(taken)
    }
}
