//! The adapter of Alipay: deductions without a password under an agreement that the user signed once (商户代扣).
//!
//! By payment codes too, where the merchant has that product; it reads Alipay's bills and asks who a user is.
//!
//! It speaks the open platform's v2 gateway with RSA2, with public keys or certificates. A payment walks `pay` → `call` (signed
//! by `sign`, sent by the outbound client) → `read` (verified over the raw text that `node` finds, by the key that `keys` or
//! `rotation` know) → `said` and `codes`, which say what an answer proves; what proves nothing is asked for by `query`.
//! `reverse`, `refund`, `agreement`, `identity` and `notice` go the same way. `bill` fetches files and reads them row by row.

mod agreement;
#[doc(hidden)]
pub mod bench;
mod bill;
mod call;
mod certificate;
mod codes;
mod config;
mod coupon;
mod crypt;
#[doc(hidden)]
pub mod fuzz;
mod identity;
mod keys;
mod node;
mod notice;
mod pay;
mod query;
mod read;
mod refund;
mod reverse;
mod rotation;
mod said;
mod sign;
#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{
    Bills, Cadence, CallError, Called, Channel, ChannelFactory, CodePay, ConfigError, ContractRef, ContractStanding,
    DeductQuestion, Identity, News, NoticeAnswer, NoticeRefused, Paid, PaymentRef, Product, RawNotice, RefundQuestion,
    RefundStanding, Refunded, ReverseQuestion, Reversed, Setting, SignPage, SignQuestion, Standing,
};
use metropay_core::code::foreign::Looks;
use metropay_outbound::{Outbound, OutboundSettings};

use call::Gateway;
pub use config::{AlipayConfig, IdentityScope, SignChannel};
use config::{Terms, Timeouts, wrong};
use crypt::ContentKey;
use keys::Keys;
use rotation::Gate;

/// Builds adapters of Alipay.
#[derive(Debug, Clone)]
pub struct AlipayFactory {
    outbound: OutboundSettings,
}

impl AlipayFactory {
    /// A factory whose adapters go out within these bounds.
    pub fn new(outbound: OutboundSettings) -> Self {
        Self { outbound }
    }
}

impl ChannelFactory for AlipayFactory {
    type Config = AlipayConfig;

    const ID: &'static str = "alipay";
    const NAME: &'static str = "支付宝";
    const PAY_TYPE: &'static str = "CT_ALIPAY";
    const PAYMENT_CODE: Option<Looks> = Some(Looks::Alipay);

    fn build(&self, config: AlipayConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        Ok(Arc::new(self.adapter(config, setting)?))
    }
}

impl AlipayFactory {
    fn adapter(&self, config: AlipayConfig, setting: Setting) -> Result<Alipay, ConfigError> {
        config.check()?;
        let gateway = Gateway {
            keys: Keys::parse(&config)?,
            content_key: config.encrypt_key.as_ref().map(ContentKey::parse).transpose()?,
            outbound: Outbound::new(&self.outbound).map_err(|error| wrong("outbound", error.to_string()))?,
            url: config.gateway_url.clone(),
            app_id: config.app_id.clone(),
            app_auth_token: config.app_auth_token.clone(),
            gate: Gate::default(),
            clock: setting.clock,
        };
        Ok(Alipay {
            gateway,
            timeouts: config.timeouts(),
            terms: Terms::from(config),
            notify_url: setting.notify_url,
        })
    }
}

/// The adapter of one account.
pub(crate) struct Alipay {
    gateway: Gateway,
    timeouts: Timeouts,
    terms: Terms,
    notify_url: String,
}

#[async_trait]
impl Channel for Alipay {
    fn contract_scope(&self) -> String {
        let Terms {
            app_id,
            provider,
            personal_product_code,
            sign_scene,
            ..
        } = &self.terms;
        // Agreements of a service provider's app are between the user and the merchant that it acts for.
        let merchant = provider.as_ref().map(|provider| format!("/{}", provider.auth_app_id));
        let merchant = merchant.unwrap_or_default();
        format!("alipay:{app_id}{merchant}:{personal_product_code}:{sign_scene}")
    }

    fn code_pay(&self) -> Option<&dyn CodePay> {
        self.terms.payment_code.as_ref().map(|_| self as &dyn CodePay)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    fn identity(&self) -> Option<&dyn Identity> {
        (self.terms.identity_scope != IdentityScope::Off).then_some(self as &dyn Identity)
    }

    fn cadence(&self, product: Product) -> Cadence {
        let seconds = |waits: &[u64]| waits.iter().copied().map(Duration::from_secs).collect();
        let (payment, revoke_after): (&[u64], u64) = match product {
            Product::Mandate => (&[1, 2, 3, 5, 5, 10, 10, 30], 45),
            // A user types his password meanwhile: every three seconds for half a minute, then every five; after a minute the
            // order is revoked at once (4.2).
            Product::PaymentCode => (&[3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 5], 60),
        };
        Cadence {
            payment: seconds(payment),
            // A refund query before ten seconds tells nothing (4.7).
            refund: seconds(&[10, 10, 30, 60, 300, 600, 3600]),
            absence_proves_after: Duration::from_secs(60),
            revoke_after: Duration::from_secs(revoke_after),
        }
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        agreement::page(self, question)
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        agreement::standing(self, contract).await
    }

    async fn close_contract(&self, contract: &ContractRef) -> Called<()> {
        agreement::close(self, contract).await
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        pay::deduct(self, question).await
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        query::standing(self, payment).await
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        reverse::reverse(self, question).await
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        refund::refund(self, question.into()).await
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        refund::query(self, question.into()).await
    }

    async fn read_notice(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        notice::read(self, notice).await
    }

    /// Exactly these words, without so much as a newline (alipay reference, 9.3).
    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        NoticeAnswer {
            status: 200,
            content_type: "text/plain; charset=utf-8",
            body: if taken { "success" } else { "fail" }.to_owned(),
        }
    }
}
