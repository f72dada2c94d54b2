//! UnionPay (银联云闪付): ACP 5.1.0, the token product without redirection.
//!
//! A contract is a token opened on UnionPay's page (`contract`), a deduction a consume by token (`consume`). What became
//! of an order, its own query says (`query`); money goes back by `reverse` and `refund`; `notice` reads what UnionPay
//! tells by itself. Beneath them: the grammar of messages (`form`), signatures (`sign`, `certificate`), the one way a
//! message is sent and its answer believed (`call`), and the table of response codes (`codes`).
//!
//! The wire is described in the UnionPay reference, to whose sections the comments refer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{
    Bills, Cadence, CallError, Called, Channel, ChannelFactory, CodePay, CodePayQuestion, ConfigError, ContractRef,
    ContractStanding, DeductQuestion, Identity, News, NoticeAnswer, NoticeRefused, Paid, PaymentRef, Product,
    RawNotice, RefundQuestion, RefundStanding, Refunded, ReverseQuestion, Reversed, Setting, SignPage, SignQuestion,
    Standing,
};
use metropay_core::code::foreign::Looks;
use metropay_outbound::{Outbound, OutboundSettings};

mod bill;
mod call;
mod certificate;
mod code_pay;
mod codes;
mod config;
mod consume;
mod contract;
mod form;
mod notice;
mod query;
mod refund;
mod reverse;
mod sign;

pub use config::{SignMethod, UnionpayConfig};

#[async_trait]
impl CodePay for Unionpay {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        self.consume_code(question).await
    }
}

/// Builds UnionPay adapters.
#[derive(Debug, Clone, Default)]
pub struct UnionpayFactory {
    outbound: OutboundSettings,
}

impl UnionpayFactory {
    /// A factory whose adapters go out with these bounds.
    pub fn new(outbound: OutboundSettings) -> Self {
        Self { outbound }
    }
}

impl ChannelFactory for UnionpayFactory {
    type Config = UnionpayConfig;

    const ID: &'static str = "unionpay";
    const NAME: &'static str = "银联云闪付";
    const PAY_TYPE: &'static str = "CT_UNION";
    const PAYMENT_CODE: Option<Looks> = Some(Looks::Unionpay);

    fn build(&self, config: UnionpayConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        let wrong = |field: &str, reason: String| ConfigError {
            field: field.to_owned(),
            reason,
        };
        // Parameters in the address would come back mixed with the signed fields (UnionPay reference, 1.9).
        if setting.notify_url.contains('?') || setting.notify_url.len() > 256 {
            let reason = "must have no query and 256 letters at most".to_owned();
            return Err(wrong("notify_url", reason));
        }
        let outbound = Outbound::new(&self.outbound).map_err(|error| wrong("outbound", error.to_string()))?;
        Ok(Arc::new(Unionpay {
            account: config.check()?,
            setting,
            outbound,
        }))
    }
}

/// The adapter of one account.
struct Unionpay {
    account: config::Account,
    setting: Setting,
    outbound: Outbound,
}

impl fmt::Debug for Unionpay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unionpay")
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Channel for Unionpay {
    fn contract_scope(&self) -> String {
        format!("unionpay:{}:{}", self.account.mer_id, self.account.tr_id)
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        self.account.payment_code.then_some(self as &dyn CodePay)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    /// The reference knows no way in which UnionPay says who a user is.
    fn identity(&self) -> Option<&dyn Identity> {
        None
    }

    /// UnionPay's own cadence (reference, 5.4) behind two quick looks, because an accepted consume settles within a
    /// second; then a slow tail. A payer may type his password for as long as an unknown outcome is waited for.
    fn cadence(&self, _: Product) -> Cadence {
        let millis = [300, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000];
        let tail = [120, 300, 600, 1_800].map(Duration::from_secs);
        Cadence {
            payment: millis.map(Duration::from_millis).into_iter().chain(tail).collect(),
            refund: [1, 2, 4, 8, 16, 32, 300, 1_800, 3_600]
                .map(Duration::from_secs)
                .to_vec(),
            absence_proves_after: Duration::from_secs(60),
            revoke_after: Duration::from_secs(45),
        }
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        self.opening(question)
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        self.contract_standing(contract).await
    }

    async fn close_contract(&self, contract: &ContractRef) -> Called<()> {
        self.delete(contract).await
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        self.consume(question).await
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        self.standing(payment).await
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        self.undo_whatever(question).await
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        self.give(question).await
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
