//! Undoing a payment. For deductions the channel has no such call: it is built of query, closing and a full refund (wechat
//! reference, 3.11).

use metropay_core::channel::{
    CallError, Called, Outcome, Paid, Product, RefundStanding, Refunded, ReverseQuestion, Reversed, Standing,
};

use crate::Wechat;
use crate::call::{Call, worsened};
use crate::query::Order;
use crate::refund::Back;
use crate::{ABSENCE_PROVES_AFTER, codes};

impl Wechat {
    pub(crate) async fn undo(&self, question: &ReverseQuestion) -> Called<Reversed> {
        match question.payment.product {
            Product::Mandate => self.undo_deduction(question).await,
            Product::PaymentCode => self.undo_code_payment(question).await,
        }
    }

    async fn undo_deduction(&self, question: &ReverseQuestion) -> Called<Reversed> {
        match self.order_standing(&question.payment).await? {
            Standing::Paid(paid) => self.undo_paid(question, paid).await.map_err(worsened),
            Standing::NotPaid(_) => Ok(Outcome::Done(Reversed::NeverPaid)),
            Standing::Pending => self.close(question).await.map_err(worsened),
            Standing::Absent => self.absent(question).await.map_err(worsened),
        }
    }

    /// Gives everything back by one refund whose number is the reversal's, so that every repeat means the same refund.
    pub(crate) async fn undo_paid(&self, question: &ReverseQuestion, paid: Paid) -> Called<Reversed> {
        let back = Back {
            payment: &question.payment,
            no: question.no.as_str(),
            amount: question.payment.amount,
            reason: "交易撤销",
        };
        let undone = |refunded: Refunded| {
            Outcome::Done(Reversed::MoneyBack {
                paid: Some(paid),
                channel_no: refunded.channel_no,
            })
        };
        match self.back_standing(&back).await? {
            RefundStanding::Refunded(refunded) => Ok(undone(refunded)),
            RefundStanding::Pending => Ok(Outcome::Pending),
            RefundStanding::NotRefunded(refusal) => Ok(Outcome::Refused(refusal)),
            RefundStanding::Absent => Ok(match self.give_back(&back).await? {
                Outcome::Done(refunded) => undone(refunded),
                Outcome::Refused(refusal) => Outcome::Refused(refusal),
                Outcome::Pending => Outcome::Pending,
            }),
        }
    }

    /// Closes an order that hangs, once it is old enough to be closed. Whatever the answer, the order itself tells what
    /// came of it: it may have been paid at the last moment.
    async fn close(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let payment = &question.payment;
        if self.gate.clock.now().since(payment.at) < self.account.close_after {
            return Ok(Outcome::Pending);
        }
        let mut call = Call::new(&self.account, &self.gate, "/pay/closeorder").nonce();
        call.message.text("out_trade_no", payment.no.as_str());
        if let Err((failure, _)) = call.send().await?.signed()?
            && failure.row(codes::Asked::CloseOrder).is_none()
        {
            tracing::warn!(code = %failure.code, payment = %payment.no, "WeChat answered closeorder with an unlisted code");
        }
        match self.order_standing(payment).await? {
            Standing::Paid(paid) => self.undo_paid(question, paid).await,
            Standing::NotPaid(_) => Ok(Outcome::Done(Reversed::NeverPaid)),
            Standing::Pending | Standing::Absent => Ok(Outcome::Pending),
        }
    }

    /// No deduction is sent any more once its reversal was written down, so from then on the time runs after which an
    /// order that is still unknown will never come. Both queries must say so: they are two looks at the channel's books.
    async fn absent(&self, question: &ReverseQuestion) -> Called<Reversed> {
        if !self.would_have_arrived(question) {
            return Ok(Outcome::Pending);
        }
        let order: Result<Order, CallError> = self.general_order(&question.payment).await;
        Ok(match order?.standing {
            Standing::Absent | Standing::NotPaid(_) => Outcome::Done(Reversed::NeverPaid),
            Standing::Paid(_) | Standing::Pending => Outcome::Pending,
        })
    }
    /// Whether a request that was on its way when the reversal was written down must have arrived by now.
    pub(crate) fn would_have_arrived(&self, question: &ReverseQuestion) -> bool {
        let last_sent = question.at.max(question.payment.at);
        self.gate.clock.now().since(last_sent) >= ABSENCE_PROVES_AFTER
    }
}
