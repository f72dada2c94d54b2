//! Undoing a payment, whatever its state. Nothing is remembered between two calls: each looks where the channel stands.

use metropay_core::channel::{Called, ReverseQuestion, Reversed};
use serde::Serialize;

use crate::Foochan;
use crate::call::unwritten;

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
    payment_no: &'a str,
}

impl Foochan {
    pub(crate) async fn undo(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let wish = Wish {
            no: question.no.as_str(),
            payment_no: question.payment.no.as_str(),
        };
        let _said = self.gate.ask("/v1/reverse", &wish).await?;
        // FILL IN: where the channel has one call that undoes, read its answer; where it has none, build it of query, closing
        // and a full refund under the reversal's own number. From the second request on, an error is never `NotSent`.
        unwritten("reverse")
    }
}
