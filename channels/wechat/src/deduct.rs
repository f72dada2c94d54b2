//! Deductions: accepted is not paid (wechat reference, 3.7).

use metropay_core::channel::{Called, DeductQuestion, Hint, Outcome, Paid, PaymentRef, Product, Standing};

use crate::Wechat;
use crate::call::{Call, by_mode, maybe, other, other_shop, worsened};
use crate::code_pay::subject;
use crate::codes::{Asked, Class, Failure};
use crate::text::fitting;

impl Wechat {
    /// The call that deducts, before it is signed.
    pub(crate) fn application(&self, question: &DeductQuestion) -> Call<'_> {
        let mut call = Call::new(&self.account, &self.gate, by_mode(&self.account, "pay", "pappayapply"))
            .nonce()
            .timeout(self.account.deduct_timeout);
        let attach = fitting(&format!("store={}", question.store), 127);
        call.message
            .text("body", subject(&question.body))
            .text_if("attach", Some(attach.as_str()).filter(|_| !question.store.is_empty()))
            .text("out_trade_no", question.no.as_str())
            .fen("total_fee", question.amount)
            .text("fee_type", "CNY")
            .text("spbill_create_ip", self.account.spbill_create_ip.as_str())
            .text("notify_url", self.notify_url.as_str())
            .text("trade_type", "PAP")
            .text("contract_id", question.contract_handle.as_str());
        call
    }

    pub(crate) async fn apply(&self, question: &DeductQuestion) -> Called<Paid> {
        match self.application(question).send().await?.signed()? {
            Ok(message)
                if other_shop(&self.account, &message) || other(&message, "out_trade_no", question.no.as_str()) =>
            {
                Err(maybe("the answer is about another order"))
            }
            Ok(_) => Ok(Outcome::Pending),
            Err((failure, _)) => self.not_applied(question, failure).await,
        }
    }

    async fn not_applied(&self, question: &DeductQuestion, failure: Failure) -> Called<Paid> {
        match failure.row(Asked::Deduct).map(|row| (row.class, row.hint)) {
            Some((Class::Query, _)) if failure.code == "ORDERACCEPTED" => Ok(Outcome::Pending),
            Some((Class::Query, _)) => self.confirm(question, failure, None).await,
            Some((Class::Final | Class::Config | Class::Confirm, hint)) => {
                self.confirm(question, failure, Some(hint)).await
            }
            Some((Class::Repeat | Class::Done, _)) => Err(maybe(failure.line())),
            None => {
                tracing::warn!(code = %failure.code, payment = %question.no, "WeChat answered a deduction with an unlisted code");
                Err(maybe(failure.line()))
            }
        }
    }

    /// A refusal proves something about the request that it answers, not about an earlier one with the same number, and
    /// here nobody knows whether there was one: the order itself is asked (wechat reference, 8.1, rule 3).
    async fn confirm(&self, question: &DeductQuestion, failure: Failure, refused: Option<Hint>) -> Called<Paid> {
        let payment = PaymentRef {
            product: Product::Mandate,
            no: question.no.clone(),
            at: question.at,
            amount: question.amount,
            channel_no: None,
        };
        match self.order_standing(&payment).await.map_err(worsened)? {
            Standing::Paid(paid) => Ok(Outcome::Done(paid)),
            Standing::Pending => Ok(Outcome::Pending),
            Standing::NotPaid(refusal) => Ok(Outcome::Refused(match refused {
                Some(hint) => failure.refusal(hint),
                None => refusal,
            })),
            Standing::Absent => match refused {
                Some(hint) => Ok(Outcome::Refused(failure.refusal(hint))),
                None => Err(maybe(failure.line())),
            },
        }
    }
}
