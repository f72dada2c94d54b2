//! Refunds, and how they stand.

use metropay_core::channel::{CallError, Called, RefundQuestion, RefundStanding, Refunded};
use serde::Serialize;

use crate::Foochan;
use crate::call::unwritten;

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
    payment_no: &'a str,
    amount_fen: u64,
    notify_url: &'a str,
}

#[derive(Serialize)]
struct Query<'a> {
    no: &'a str,
    payment_no: &'a str,
}

impl Foochan {
    pub(crate) async fn give_back(&self, question: &RefundQuestion) -> Called<Refunded> {
        let wish = Wish {
            no: question.no.as_str(),
            payment_no: question.payment.no.as_str(),
            amount_fen: question.amount.get(),
            notify_url: &self.notify_url,
        };
        let _said = self.gate.ask("/v1/refund", &wish).await?;
        // FILL IN: as for deductions.
        unwritten("refund")
    }

    pub(crate) async fn refund_standing(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        let wish = Query {
            no: question.no.as_str(),
            payment_no: question.payment.no.as_str(),
        };
        let _said = self.gate.ask("/v1/refund/query", &wish).await?;
        // FILL IN: as for queries.
        unwritten("refund query")
    }
}
