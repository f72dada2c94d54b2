//! 某某支付 (foochan).
//!
//! A file per act: contracts, deductions, queries, refunds, reversals, notifications. Beneath them lie one call (`call`),
//! signatures (`sign`) and the account's configuration (`config`).

mod call;
mod config;
mod contract;
mod deduct;
mod notice;
mod query;
mod refund;
mod reverse;
mod sign;

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
pub use crate::config::FoochanConfig;

/// Builds adapters of foochan.
#[derive(Debug, Clone)]
pub struct FoochanFactory {
    outbound: OutboundSettings,
}

impl FoochanFactory {
    /// A factory whose adapters connect within these bounds.
    pub fn new(outbound: OutboundSettings) -> Self {
        Self { outbound }
    }
}

impl ChannelFactory for FoochanFactory {
    type Config = FoochanConfig;

    const ID: &'static str = "foochan";
    // FILL IN: the channel's name for people, and what its payment codes look like, where it has such codes.
    const NAME: &'static str = "某某支付";
    const PAY_TYPE: &'static str = "CT_FOOCHAN";
    const PAYMENT_CODE: Option<Looks> = None;

    fn build(&self, config: FoochanConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        let account = config.check()?;
        Ok(Arc::new(Foochan {
            gate: Gate::new(account, &self.outbound, &setting)?,
            notify_url: setting.notify_url,
        }))
    }
}

/// The adapter of one account.
pub(crate) struct Foochan {
    pub(crate) gate: Gate,
    pub(crate) notify_url: String,
}

#[async_trait]
impl Channel for Foochan {
    fn contract_scope(&self) -> String {
        format!("foochan:{}", self.gate.account.merchant_no)
    }

    fn cadence(&self, _: Product) -> Cadence {
        let seconds = |waits: &[u64]| waits.iter().copied().map(Duration::from_secs).collect();
        // FILL IN: what the channel's documentation says about when to ask, and what its silence proves.
        Cadence {
            payment: seconds(&[1, 2, 3, 5, 10, 30]),
            refund: seconds(&[1, 5, 30, 300, 3_600]),
            absence_proves_after: Duration::from_secs(60),
            revoke_after: Duration::from_secs(45),
        }
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
        self.take(question).await
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        self.order_standing(payment).await
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        self.undo(question).await
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        self.give_back(question).await
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        self.refund_standing(question).await
    }

    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        self.news(notice)
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        notice::answer(taken)
    }
}
