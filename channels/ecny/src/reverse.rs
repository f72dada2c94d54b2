//! Undoing a payment, whatever its state. The channel has one call for that, and takes it as often as it is sent: nothing is
//! remembered here.

use metropay_core::channel::{Called, Outcome, ReverseQuestion, Reversed, Standing};
use serde::Serialize;

use crate::Ecny;
use crate::call::maybe;

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
    payment_no: &'a str,
}

impl Ecny {
    pub(crate) async fn undo(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let payment = &question.payment;
        let wish = Wish {
            no: question.no.as_str(),
            payment_no: payment.no.as_str(),
        };
        let said = self.gate.ask("/v1/reverse", &wish).await?;
        if said.code != "OK" {
            return Err(said.doubt());
        }
        let order = said.order.as_ref().ok_or_else(|| maybe("an answer without order"))?;
        Ok(match order.standing(payment.no.as_str(), payment.amount)? {
            Standing::NotPaid(_) => Outcome::Done(Reversed::NeverPaid),
            Standing::Paid(paid) if order.undone_by.is_some() => Outcome::Done(Reversed::MoneyBack {
                paid: Some(paid),
                channel_no: order.undone_by.clone(),
            }),
            Standing::Paid(_) | Standing::Pending | Standing::Absent => Outcome::Pending,
        })
    }
}
