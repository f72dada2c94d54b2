//! Payments by the payment code of the wallet.

use async_trait::async_trait;
use metropay_core::channel::{Called, CodePay, CodePayQuestion, Paid, PaymentRef, Product};
use serde::Serialize;

use crate::Ecny;

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
    amount_fen: u64,
    currency: &'a str,
    code: &'a str,
    body: &'a str,
    store: &'a str,
    notify_url: &'a str,
}

#[async_trait]
impl CodePay for Ecny {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        let wish = Wish {
            no: question.no.as_str(),
            amount_fen: question.amount.get(),
            currency: "CNY",
            code: question.code.expose(),
            body: &question.body,
            store: &question.store,
            notify_url: &self.notify_url,
        };
        let said = self.gate.ask("/v1/pay-by-code", &wish).await?;
        let payment = PaymentRef {
            product: Product::PaymentCode,
            no: question.no.clone(),
            at: question.at,
            amount: question.amount,
            channel_no: None,
        };
        self.taken(&payment, &said).await
    }
}
