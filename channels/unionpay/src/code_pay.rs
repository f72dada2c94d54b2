//! Being paid by UnionPay's own payment code (C2B): a consume by the number that the user's App shows.
//!
//! UnionPay reference, 4.1. While the user types his password the order is pending; it is asked about, undone and refunded
//! like any other, in the words of its product.

use async_trait::async_trait;
use metropay_core::channel::{Called, CodePay, CodePayQuestion, Hint, Outcome, Paid, Product, Refusal};

use crate::Unionpay;
use crate::call::BACK;
use crate::codes::{Verdict, verdict};
use crate::consume::{order, unfit, unfit_refusal};

#[async_trait]
impl CodePay for Unionpay {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        let order = order(&question.no, question.at, question.amount, Product::PaymentCode);
        let Some(terminal) = &self.account.terminal else {
            let reason = "the account takes no payment codes";
            return Ok(Outcome::Refused(unfit_refusal(reason, Hint::Setup)));
        };
        if let Some(reason) = unfit(order) {
            return Ok(Outcome::Refused(unfit_refusal(reason, Hint::Setup)));
        }
        let code = question.code.expose();
        if !(code.len() == 19 && code.starts_with("62") && code.bytes().all(|byte| byte.is_ascii_digit())) {
            let reason = "a payment code has 19 digits and begins with 62";
            return Ok(Outcome::Refused(unfit_refusal(reason, Hint::User)));
        }
        let mut fields = self.consumption(order, &question.store);
        fields.insert("qrNo".to_owned(), code.to_owned());
        fields.insert("termId".to_owned(), terminal.term_id.clone());
        if let Some(info) = &terminal.term_info {
            fields.insert("termInfo".to_owned(), info.clone());
        }
        let answer = self.ask(BACK, fields, self.account.patience.consume).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Accepted | Verdict::Unknown => Ok(Outcome::Pending),
            Verdict::Unlisted => Err(answer.useless()),
            // By a repeat's time its code may be spent or over, and be refused for that, though the first sending was paid:
            // no refusal is believed before the order itself was asked for.
            Verdict::Refused(why) => self.confirm(order, without_contract(why)).await,
        }
    }
}

/// Behind a code there is no contract that could be gone: what speaks of the card's binding is the user's to mend.
fn without_contract(why: Refusal) -> Refusal {
    Refusal {
        hint: match why.hint {
            Hint::ContractGone => Hint::User,
            hint => hint,
        },
        ..why
    }
}
