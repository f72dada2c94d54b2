//! 数字人民币 (e-CNY), in a SAMPLE protocol of our own: the real interface is given under contract, and this is not it.
//!
//! A file per act: contracts, deductions, payment codes, queries, refunds, reversals, bills, identities, notifications. Beneath them lie
//! one call (`call`), what its answers say (`answer`), signatures (`sign`) and the account's configuration (`config`). The
//! protocol is told in the README of this crate.

mod answer;
mod bill;
mod call;
mod code;
mod config;
mod contract;
mod deduct;
#[doc(hidden)]
pub mod fuzz;
mod identity;
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
pub use crate::config::EcnyConfig;

/// Builds adapters of ecny.
#[derive(Debug, Clone)]
pub struct EcnyFactory {
    outbound: OutboundSettings,
}

impl EcnyFactory {
    /// A factory whose adapters connect within these bounds.
    pub fn new(outbound: OutboundSettings) -> Self {
        Self { outbound }
    }
}

impl ChannelFactory for EcnyFactory {
    type Config = EcnyConfig;

    const ID: &'static str = "ecny";
    const NAME: &'static str = "数字人民币（样例协议）";
    const PAY_TYPE: &'static str = "CT_ECNY";
    const PAYMENT_CODE: Option<Looks> = Some(Looks::Ecny);

    fn build(&self, config: EcnyConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        let account = config.check()?;
        Ok(Arc::new(Ecny {
            gate: Gate::new(account, &self.outbound, &setting)?,
            notify_url: setting.notify_url,
        }))
    }
}

/// The adapter of one account.
pub(crate) struct Ecny {
    pub(crate) gate: Gate,
    pub(crate) notify_url: String,
}

#[async_trait]
impl Channel for Ecny {
    fn contract_scope(&self) -> String {
        format!("ecny:{}", self.gate.account.merchant_no)
    }

    fn cadence(&self, _: Product) -> Cadence {
        let seconds = |waits: &[u64]| waits.iter().copied().map(Duration::from_secs).collect();
        // README, "Asking again".
        Cadence {
            payment: seconds(&[1, 2, 3, 5, 10, 30]),
            refund: seconds(&[1, 5, 30, 300, 3_600]),
            absence_proves_after: Duration::from_secs(60),
            revoke_after: Duration::from_secs(45),
        }
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        Some(self)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    fn identity(&self) -> Option<&dyn Identity> {
        Some(self)
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
