//! A channel that answers at once, in this process and without books: what is measured with it is the platform alone. It is
//! linked only where `[bench] instant = true`, which production refuses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metropay_core::channel::{
    Bills, Cadence, CallError, Called, Channel, ChannelFactory, CodePay, ConfigError, ContractRef, ContractStanding,
    DeductQuestion, Hint, Identity, News, NoticeAnswer, NoticeRefused, Outcome, Paid, PaymentRef, Product, RawNotice,
    RefundQuestion, RefundStanding, Refunded, Refusal, ReverseQuestion, Reversed, Setting, SignPage, SignQuestion,
    SignedContract, Standing,
};
use metropay_core::clock::Clock;
use metropay_core::code::foreign::Looks;
use metropay_core::money::Fen;
use schemars::JsonSchema;
use serde::Deserialize;

/// Builds it.
#[derive(Debug, Clone, Copy)]
pub struct InstantFactory;

/// It has nothing to set up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstantConfig {}

impl ChannelFactory for InstantFactory {
    type Config = InstantConfig;

    const ID: &'static str = "instant";
    const NAME: &'static str = "压测通道";
    const PAY_TYPE: &'static str = "CT_INSTANT";
    const PAYMENT_CODE: Option<Looks> = None;

    fn build(&self, _: InstantConfig, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        Ok(Arc::new(Instant {
            account: setting.account.0,
            clock: setting.clock,
        }))
    }
}

/// The channel of one account. It keeps nothing: whatever it is asked about, it has done.
struct Instant {
    account: String,
    clock: Arc<dyn Clock>,
}

impl Instant {
    fn paid(&self, no: &str, amount: Fen) -> Paid {
        Paid {
            channel_no: format!("I{no}"),
            amount,
            coupon: Fen::default(),
            paid_at: self.clock.now(),
        }
    }

    fn refunded(&self, question: &RefundQuestion) -> Refunded {
        Refunded {
            channel_no: Some(format!("I{}", question.no)),
            amount: question.amount,
            coupon: Fen::default(),
            refunded_at: self.clock.now(),
        }
    }
}

#[async_trait]
impl Channel for Instant {
    fn contract_scope(&self) -> String {
        format!("instant:{}", self.account)
    }

    fn cadence(&self, _: Product) -> Cadence {
        let second = vec![Duration::from_secs(1)];
        Cadence {
            payment: second.clone(),
            refund: second,
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

    async fn sign_contract(&self, _: &SignQuestion) -> Called<SignPage> {
        Ok(Outcome::Refused(Refusal {
            code: "NO_PAGE".to_owned(),
            text: "contracts of this channel are taken over, never signed".to_owned(),
            hint: Hint::Setup,
        }))
    }

    async fn query_contract(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        let handle = contract.handle.clone();
        Ok(ContractStanding::Active(SignedContract {
            handle: handle.unwrap_or_else(|| contract.no.0.clone()),
            payer: None,
            display: None,
            signed_at: Some(contract.asked_at),
            expires_at: None,
        }))
    }

    async fn close_contract(&self, _: &ContractRef) -> Called<()> {
        Ok(Outcome::Done(()))
    }

    async fn deduct(&self, question: &DeductQuestion) -> Called<Paid> {
        Ok(Outcome::Done(self.paid(question.no.as_str(), question.amount)))
    }

    async fn query_payment(&self, payment: &PaymentRef) -> Result<Standing, CallError> {
        Ok(Standing::Paid(self.paid(payment.no.as_str(), payment.amount)))
    }

    async fn reverse(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let payment = &question.payment;
        Ok(Outcome::Done(Reversed::MoneyBack {
            paid: Some(self.paid(payment.no.as_str(), payment.amount)),
            channel_no: Some(format!("I{}", question.no)),
        }))
    }

    async fn refund(&self, question: &RefundQuestion) -> Called<Refunded> {
        Ok(Outcome::Done(self.refunded(question)))
    }

    async fn query_refund(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        Ok(RefundStanding::Refunded(self.refunded(question)))
    }

    async fn read_notice(&self, _: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        Err(NoticeRefused::NotGenuine("this channel sends none".to_owned()))
    }

    fn answer_notice(&self, taken: bool) -> NoticeAnswer {
        NoticeAnswer {
            status: if taken { 200 } else { 403 },
            content_type: "text/plain; charset=utf-8",
            body: String::new(),
        }
    }
}
