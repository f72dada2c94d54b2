//! Deductions on a contract.

use metropay_core::channel::{CallError, Called, DeductQuestion, Outcome, Paid, PaymentRef, Product, Standing};
use serde::Serialize;

use crate::Ecny;
use crate::answer::{Said, outcome};
use crate::call::{maybe, worsened};

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
    amount_fen: u64,
    currency: &'a str,
    contract: &'a str,
    body: &'a str,
    store: &'a str,
    notify_url: &'a str,
}

impl Ecny {
    pub(crate) async fn take(&self, question: &DeductQuestion) -> Called<Paid> {
        let wish = Wish {
            no: question.no.as_str(),
            amount_fen: question.amount.get(),
            currency: "CNY",
            contract: &question.contract_handle,
            body: &question.body,
            store: &question.store,
            notify_url: &self.notify_url,
        };
        let said = self.gate.ask("/v1/deduct", &wish).await?;
        let payment = PaymentRef {
            product: Product::Mandate,
            no: question.no.clone(),
            at: question.at,
            amount: question.amount,
            channel_no: None,
        };
        self.taken(&payment, &said).await
    }

    /// What the answer to a new order says about it.
    pub(crate) async fn taken(&self, payment: &PaymentRef, said: &Said) -> Called<Paid> {
        if said.code == "OK" {
            let order = said.order.as_ref().ok_or_else(|| maybe("an answer without order"))?;
            return Ok(outcome(order.standing(payment.no.as_str(), payment.amount)?));
        }
        let refusal = said.refusal().ok_or_else(|| said.doubt())?;
        // A refusal speaks of the request that it answers; an earlier one with this number may have been paid.
        let standing: Result<Standing, CallError> = self.order_standing(payment).await.map_err(worsened);
        Ok(match standing? {
            Standing::Absent | Standing::NotPaid(_) => Outcome::Refused(refusal),
            other => outcome(other),
        })
    }
}
