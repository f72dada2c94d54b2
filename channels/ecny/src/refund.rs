//! Refunds, and how they stand.

use metropay_core::channel::{CallError, Called, Hint, Outcome, RefundQuestion, RefundStanding, Refunded, Refusal};
use serde::Serialize;

use crate::Ecny;
use crate::answer::Said;
use crate::call::{maybe, worsened};

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
    payment_no: &'a str,
    amount_fen: u64,
    currency: &'a str,
    notify_url: &'a str,
}

#[derive(Serialize)]
struct Query<'a> {
    no: &'a str,
    payment_no: &'a str,
}

impl Ecny {
    pub(crate) async fn give_back(&self, question: &RefundQuestion) -> Called<Refunded> {
        let wish = Wish {
            no: question.no.as_str(),
            payment_no: question.payment.no.as_str(),
            amount_fen: question.amount.get(),
            currency: "CNY",
            notify_url: &self.notify_url,
        };
        let said = self.gate.ask("/v1/refund", &wish).await?;
        if said.code == "OK" {
            return Ok(outcome(standing(question, &said)?));
        }
        let refusal = said.refusal().ok_or_else(|| said.doubt())?;
        // As for deductions: an earlier request with this number may have been taken.
        Ok(match self.refund_standing(question).await.map_err(worsened)? {
            RefundStanding::Absent | RefundStanding::NotRefunded(_) => Outcome::Refused(refusal),
            other => outcome(other),
        })
    }

    pub(crate) async fn refund_standing(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        let wish = Query {
            no: question.no.as_str(),
            payment_no: question.payment.no.as_str(),
        };
        let said = self.gate.ask("/v1/refund/query", &wish).await?;
        match said.code.as_str() {
            "OK" => standing(question, &said),
            "NO_REFUND" => Ok(RefundStanding::Absent),
            _ => Err(said.doubt()),
        }
    }
}

fn standing(question: &RefundQuestion, said: &Said) -> Result<RefundStanding, CallError> {
    let refund = said.refund.as_ref().ok_or_else(|| maybe("an answer without refund"))?;
    if !refund.is(question.no.as_str(), question.payment.no.as_str(), question.amount) {
        return Err(maybe("the answer is about another refund, amount or currency"));
    }
    match refund.state.as_str() {
        "DONE" => Ok(RefundStanding::Refunded(refund.refunded(question.amount))),
        "WAITING" => Ok(RefundStanding::Pending),
        "FAILED" => Ok(RefundStanding::NotRefunded(Refusal {
            code: refund.state.clone(),
            text: String::new(),
            hint: Hint::None,
        })),
        _ => Err(maybe("a refund in a state that is not documented")),
    }
}

fn outcome(standing: RefundStanding) -> Outcome<Refunded> {
    match standing {
        RefundStanding::Refunded(refunded) => Outcome::Done(refunded),
        RefundStanding::NotRefunded(refusal) => Outcome::Refused(refusal),
        RefundStanding::Pending | RefundStanding::Absent => Outcome::Pending,
    }
}
