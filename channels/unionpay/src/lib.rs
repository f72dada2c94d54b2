//! UnionPay (银联云闪付): ACP 5.1.0, the token product without redirection, and payment codes.
//!
//! A contract is a token opened on UnionPay's page (`contract`, later `token`), a deduction a consume by token (`consume`) or by
//! the code that a till scanned (`code_pay`), each in its `product`'s words. What became of an order, its own query says (`query`,
//! `coupon`); money goes back by `reverse` and `refund`; `notice` reads what UnionPay tells by itself, `bill` its files. Beneath
//! them: the grammar of messages (`form`), signatures (`sign`, `trust`, `certificate`), what is sealed to UnionPay (`cardholder`,
//! `encryption`), the one way a message is sent and its answer believed (`call`), and the table of response codes (`codes`).
//!
//! The wire is described in the UnionPay reference, to whose sections the comments refer.
//!
//! Beside the contract of every channel an account can do what its product has of its own: [`Unionpay::sign_contract_of`] and
//! [`Unionpay::change_token`]. Both send what a cardholder tells about himself. The engine calls neither, because the platform
//! collects no such data (reference, 1.12); they are for programs that link the adapter and may. The certificate to which they
//! seal is fetched and, once a day, renewed by themselves.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{
    Bills, Cadence, CallError, Called, Channel, ChannelFactory, CodePay, ConfigError, ContractRef, ContractStanding,
    DeductQuestion, Identity, News, NoticeAnswer, NoticeRefused, Paid, PaymentRef, Product, RawNotice, RefundQuestion,
    RefundStanding, Refunded, ReverseQuestion, Reversed, Setting, SignPage, SignQuestion, Standing,
};
use metropay_core::code::foreign::Looks;
use metropay_outbound::{Outbound, OutboundSettings};

mod account;
#[doc(hidden)]
pub mod bench;
mod bill;
mod call;
mod cardholder;
mod certificate;
mod code_pay;
mod codes;
mod config;
mod consume;
mod contract;
mod coupon;
mod encryption;
mod form;
#[doc(hidden)]
pub mod fuzz;
mod notice;
mod pfx;
mod product;
mod query;
mod refund;
mod reverse;
mod sign;
mod token;
mod trust;

pub use cardholder::Cardholder;
pub use config::{SignMethod, UnionpayConfig};
pub use encryption::Renewal;

/// How long an answer with a file may be: a million letters of file, their signature and the other fields (UnionPay
/// reference, 6.1).
const FILE_ANSWER_MAX: usize = 4 << 20;

/// Builds UnionPay adapters, which share its connections.
#[derive(Debug, Clone, Default)]
pub struct UnionpayFactory {
    outbound: OutboundSettings,
    pools: OnceLock<Pools>,
}

/// The ways out: to the gateway, and to the host of the files.
#[derive(Debug, Clone)]
struct Pools {
    gateway: Outbound,
    files: Outbound,
}

impl UnionpayFactory {
    /// A factory whose adapters go out with these bounds.
    pub fn new(outbound: OutboundSettings) -> Self {
        Self {
            outbound,
            pools: OnceLock::new(),
        }
    }

    /// Builds the adapter of an account, with what it can do beyond the contract of every channel.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is wrong.
    pub fn adapter(&self, config: UnionpayConfig, setting: Setting) -> Result<Unionpay, ConfigError> {
        // Parameters in the address would come back mixed with the signed fields (UnionPay reference, 1.9).
        if setting.notify_url.contains('?') || setting.notify_url.len() > contract::URL_MAX {
            let reason = "must have no query and 256 letters at most";
            return Err(account::wrong("notify_url", reason));
        }
        let Pools { gateway, files } = self.pools()?;
        Ok(Unionpay {
            account: config.check(setting.clock.now())?,
            setting,
            outbound: gateway,
            files,
        })
    }

    fn pools(&self) -> Result<Pools, ConfigError> {
        if let Some(pools) = self.pools.get() {
            return Ok(pools.clone());
        }
        let pool = |settings: &OutboundSettings| {
            Outbound::new(settings).map_err(|error| account::wrong("outbound", &error.to_string()))
        };
        let pools = Pools {
            gateway: pool(&self.outbound)?,
            files: pool(&OutboundSettings {
                answer_max: FILE_ANSWER_MAX,
                ..self.outbound.clone()
            })?,
        };
        Ok(self.pools.get_or_init(|| pools).clone())
    }
}

impl ChannelFactory for UnionpayFactory {
    type Config = UnionpayConfig;

    const ID: &'static str = "unionpay";
    const NAME: &'static str = "银联云闪付";
    const PAY_TYPE: &'static str = "CT_UNION";
    const PAYMENT_CODE: Option<Looks> = Some(Looks::Unionpay);

    fn build(&self, config: UnionpayConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        Ok(Arc::new(self.adapter(config, setting)?))
    }
}

/// The adapter of one account.
pub struct Unionpay {
    account: account::Account,
    setting: Setting,
    outbound: Outbound,
    files: Outbound,
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
        self.account.terminal.as_ref().map(|_| self as &dyn CodePay)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    fn identity(&self) -> Option<&dyn Identity> {
        None
    }

    /// UnionPay's own cadence (reference, 5.4) behind two quick looks, because an accepted consume settles within a
    /// second; then a slow tail. Whoever shows a code may have to type his password first: he is asked about every five
    /// seconds, five times, and then it is undone (4.1).
    fn cadence(&self, product: Product) -> Cadence {
        let (millis, revoke_after) = match product {
            Product::Mandate => (&[300, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000][..], 45),
            Product::PaymentCode => (&[300, 1_000, 3_700, 5_000, 5_000, 5_000, 5_000][..], 30),
        };
        let tail = [120, 300, 600, 1_800].map(Duration::from_secs);
        Cadence {
            payment: millis.iter().copied().map(Duration::from_millis).chain(tail).collect(),
            refund: [1, 2, 4, 8, 16, 32, 300, 1_800, 3_600]
                .map(Duration::from_secs)
                .to_vec(),
            absence_proves_after: Duration::from_secs(60),
            revoke_after: Duration::from_secs(revoke_after),
        }
    }

    async fn sign_contract(&self, question: &SignQuestion) -> Called<SignPage> {
        self.opening(question, form::Fields::new())
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
