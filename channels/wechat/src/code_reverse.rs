//! Undoing an order that was paid by code: the channel's own reversal, which closes an unpaid order and gives a paid one back
//! (wechat reference, 4.4 and 4.6). It is called again until the order itself says that it is undone.

use std::time::Duration;

use metropay_core::channel::{CallError, Called, Outcome, Paid, PaymentRef, ReverseQuestion, Reversed, Standing};

use crate::Wechat;
use crate::call::{Call, maybe, other, other_shop, worsened};
use crate::codes::{Asked, Class};
use crate::config::Api;
use crate::query::Order;

/// How old an order may be that the channel reverses; older ones are refunded.
const REVERSIBLE_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The state of an order that was reversed.
const REVOKED: &str = "REVOKED";

/// What the channel said to a reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// It says that it is settled.
    Settled,
    /// Not settled: the same again.
    Again,
    /// It will not reverse this order: what it is now decides.
    Barred,
}

impl Wechat {
    pub(crate) async fn undo_code_payment(&self, question: &ReverseQuestion) -> Called<Reversed> {
        let payment = &question.payment;
        let order = self.code_order(payment).await?;
        let age = self.gate.clock.now().since(payment.at);
        match order.standing {
            Standing::NotPaid(_) => Ok(Outcome::Done(undone(payment, &order))),
            Standing::Absent => self.absent_code(question).await.map_err(worsened),
            Standing::Paid(_) | Standing::Pending if age < self.account.reverse_after => Ok(Outcome::Pending),
            Standing::Paid(paid) if age >= REVERSIBLE_FOR => self.undo_paid(question, paid).await.map_err(worsened),
            Standing::Paid(paid) => self.revoke(question, Some(paid)).await.map_err(worsened),
            Standing::Pending => self.revoke(question, None).await.map_err(worsened),
        }
    }

    /// Reverses, and looks what came of it: the answer to a reversal names no order, so only the order's own word counts.
    async fn revoke(&self, question: &ReverseQuestion, before: Option<Paid>) -> Called<Reversed> {
        let payment = &question.payment;
        let answer = match self.account.payment_code_api {
            Api::V2 => self.send_reverse(payment).await?,
            Api::V3 => self.send_v3_reverse(payment).await?,
        };
        if answer == Revoked::Again {
            return Ok(Outcome::Pending);
        }
        let order = self.code_order(payment).await?;
        match (&order.standing, answer) {
            (Standing::NotPaid(_), _) if before.is_none() => Ok(Outcome::Done(undone(payment, &order))),
            (Standing::NotPaid(_), _) if order.state == REVOKED => Ok(Outcome::Done(Reversed::MoneyBack {
                paid: before,
                channel_no: None,
            })),
            (Standing::Paid(paid), Revoked::Settled) if order.state == "REFUND" => {
                Ok(Outcome::Done(Reversed::MoneyBack {
                    paid: Some(paid.clone()),
                    channel_no: None,
                }))
            }
            (Standing::Paid(paid), Revoked::Barred) => self.undo_paid(question, paid.clone()).await,
            (Standing::Paid(_) | Standing::NotPaid(_) | Standing::Pending | Standing::Absent, _) => {
                Ok(Outcome::Pending)
            }
        }
    }

    async fn send_reverse(&self, payment: &PaymentRef) -> Result<Revoked, CallError> {
        let mut call = Call::new(&self.account, &self.gate, "/secapi/pay/reverse")
            .nonce()
            .timeout(self.account.refund_timeout)
            .certified();
        call.message.text("out_trade_no", payment.no.as_str());
        let (failure, message) = match call.send().await?.signed()? {
            Ok(message)
                if other_shop(&self.account, &message) || other(&message, "out_trade_no", payment.no.as_str()) =>
            {
                return Err(maybe("the answer is about another order"));
            }
            Ok(message) if message.get("recall") == Some("Y") => return Ok(Revoked::Again),
            Ok(_) => return Ok(Revoked::Settled),
            Err(failed) => failed,
        };
        if message.get("recall") == Some("Y") {
            return Ok(Revoked::Again);
        }
        let class = failure.row(Asked::Reverse).map(|row| row.class);
        if class.is_none() {
            tracing::warn!(code = %failure.code, payment = %payment.no, "WeChat answered a reversal with an unlisted code");
        }
        Ok(said(class))
    }

    /// No payment by code is sent any more once its reversal was written down, so from then on the time runs after which an
    /// order that is still unknown will never come. It must be said twice.
    async fn absent_code(&self, question: &ReverseQuestion) -> Called<Reversed> {
        if !self.would_have_arrived(question) {
            return Ok(Outcome::Pending);
        }
        let again = self.code_order(&question.payment).await?;
        Ok(match again.standing {
            Standing::Absent | Standing::NotPaid(_) => Outcome::Done(undone(&question.payment, &again)),
            Standing::Paid(_) | Standing::Pending => Outcome::Pending,
        })
    }
}

/// What a failed reversal means for the next step.
pub(crate) fn said(class: Option<Class>) -> Revoked {
    match class {
        Some(Class::Done) => Revoked::Settled,
        Some(Class::Final | Class::Confirm | Class::Config) => Revoked::Barred,
        Some(Class::Query | Class::Repeat) | None => Revoked::Again,
    }
}

/// What it means that an order is closed: nothing was paid. Only of a revoked one the money may have gone back: where it had
/// been paid, as the channel or, earlier, we ourselves were told.
fn undone(payment: &PaymentRef, order: &Order) -> Reversed {
    if order.state == REVOKED && (order.was_paid || payment.channel_no.is_some()) {
        Reversed::MoneyBack {
            paid: None,
            channel_no: None,
        }
    } else {
        Reversed::NeverPaid
    }
}
