//! Being paid by the payment code of the user's WeChat: over `micropay`, or over APIv3 where that is chosen (wechat
//! reference, 4). The number is the channel's idempotency key: it is charged at most once, whatever is sent again.

use async_trait::async_trait;
use metropay_core::channel::{
    CallError, Called, CodePay, CodePayQuestion, Hint, Outcome, Paid, PaymentRef, Product, Standing,
};

use crate::Wechat;
use crate::call::{Call, maybe, other, other_shop, worsened};
use crate::codes::{Asked, Class, Failure};
use crate::config::Api;
use crate::query::{Order, paid};
use crate::text::fitting;

/// What the channel said to a code.
pub(crate) enum Tried {
    /// How the order stands, verified to be ours.
    Told(Standing),
    /// It did not pay, and what that proves, if anything.
    Failed(Failure, Option<(Class, Hint)>),
}

/// What is told of the place of the sale (`scene_info`).
#[derive(serde::Serialize)]
struct Scene<'a> {
    store_info: StoreInfo<'a>,
}

#[derive(serde::Serialize)]
struct StoreInfo<'a> {
    id: &'a str,
}

#[async_trait]
impl CodePay for Wechat {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        let tried = match self.account.payment_code_api {
            Api::V2 => self.micropay(question).await?,
            Api::V3 => self.codepay(question).await?,
        };
        match tried {
            Tried::Told(Standing::Paid(paid)) => Ok(Outcome::Done(paid)),
            Tried::Told(Standing::NotPaid(refusal)) => Ok(Outcome::Refused(refusal)),
            Tried::Told(Standing::Pending | Standing::Absent) => Ok(Outcome::Pending),
            Tried::Failed(failure, class) => self.not_paid_by_code(question, failure, class).await,
        }
    }
}

/// What a payment is called on the user's receipt.
pub(crate) fn subject(body: &str) -> String {
    let fitting = fitting(body, 127);
    if fitting.is_empty() {
        "消费".to_owned()
    } else {
        fitting
    }
}

impl Wechat {
    async fn micropay(&self, question: &CodePayQuestion) -> Result<Tried, CallError> {
        let mut call = Call::new(&self.account, &self.gate, "/pay/micropay")
            .nonce()
            .timeout(self.account.code_pay_timeout);
        let store = fitting(&question.store, 32);
        let scene = Scene {
            store_info: StoreInfo { id: &store },
        };
        let scene = serde_json::to_string(&scene).ok().filter(|_| !store.is_empty());
        call.message
            .text("body", subject(&question.body))
            .text("out_trade_no", question.no.as_str())
            .fen("total_fee", question.amount)
            .text("spbill_create_ip", self.account.spbill_create_ip.as_str())
            .text("auth_code", question.code.expose())
            .text_if("scene_info", scene.as_deref());
        let (failure, _) = match call.send().await?.signed()? {
            Ok(message) => {
                let ours = message.get("out_trade_no") == Some(question.no.as_str())
                    && message.amount("total_fee") == Some(question.amount)
                    && !other_shop(&self.account, &message)
                    && !other(&message, "trade_type", "MICROPAY")
                    && !other(&message, "trade_state", "SUCCESS");
                let paid = paid(&message).filter(|_| ours);
                let paid = paid.ok_or_else(|| maybe("the answer is not about this payment"))?;
                return Ok(Tried::Told(Standing::Paid(paid)));
            }
            Err(failed) => failed,
        };
        let class = failure.row(Asked::PayByCode).map(|row| (row.class, row.hint));
        Ok(Tried::Failed(failure, class))
    }

    async fn not_paid_by_code(
        &self,
        question: &CodePayQuestion,
        failure: Failure,
        class: Option<(Class, Hint)>,
    ) -> Called<Paid> {
        match class {
            Some((Class::Query, _)) if failure.code == "USERPAYING" => Ok(Outcome::Pending),
            // The first query comes five seconds later: the engine makes it (wechat reference, 4.3).
            Some((Class::Query, _)) if matches!(failure.code.as_str(), "SYSTEMERROR" | "BANKERROR" | "ERROR") => {
                Err(maybe(failure.line()))
            }
            Some((Class::Query, _)) => self.confirm_code(question, failure, None).await,
            Some((class @ (Class::Final | Class::Config | Class::Confirm), hint)) => {
                let of_this_request = class != Class::Confirm && hint != Hint::None;
                let refused = Some((hint, of_this_request));
                self.confirm_code(question, failure, refused).await
            }
            Some((Class::Repeat | Class::Done, _)) => Err(maybe(failure.line())),
            None => {
                tracing::warn!(code = %failure.code, payment = %question.no, "WeChat answered a payment by code with an unlisted code");
                Err(maybe(failure.line()))
            }
        }
    }

    /// A refusal proves something about the request that it answers, not about an earlier one with the same number, and
    /// here nobody knows whether there was one: the order itself is asked (wechat reference, 8.1, rule 3). `refused` says
    /// why, and whether the code is about the payer or our set-up and so about this request alone: then an order that lies
    /// there unpaid, with nobody paying it, is the one that was refused.
    async fn confirm_code(
        &self,
        question: &CodePayQuestion,
        failure: Failure,
        refused: Option<(Hint, bool)>,
    ) -> Called<Paid> {
        let payment = PaymentRef {
            product: Product::PaymentCode,
            no: question.no.clone(),
            at: question.at,
            amount: question.amount,
            channel_no: None,
        };
        let order = self.code_order(&payment).await.map_err(worsened)?;
        match (order.standing, refused) {
            (Standing::Paid(paid), _) => Ok(Outcome::Done(paid)),
            (Standing::NotPaid(_) | Standing::Absent, Some((hint, _))) => Ok(Outcome::Refused(failure.refusal(hint))),
            (Standing::Pending, Some((hint, true))) if order.state == "NOTPAY" => {
                Ok(Outcome::Refused(failure.refusal(hint)))
            }
            (Standing::NotPaid(refusal), None) => Ok(Outcome::Refused(refusal)),
            (Standing::Pending, _) => Ok(Outcome::Pending),
            (Standing::Absent, None) => Err(maybe(failure.line())),
        }
    }

    /// How an order stands that was paid by code.
    pub(crate) async fn code_order(&self, payment: &PaymentRef) -> Result<Order, CallError> {
        match self.account.payment_code_api {
            Api::V2 => self.general_order(payment).await,
            Api::V3 => self.v3_order(payment).await,
        }
    }
}
