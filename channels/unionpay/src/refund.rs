//! Money back: refunds by amount, and the sending of undos and refunds in general.
//!
//! UnionPay reference, 5.1 to 5.3.

use metropay_core::channel::{CallError, Called, Hint, Outcome, RefundQuestion, RefundStanding, Refunded};

use crate::Unionpay;
use crate::call::{BACK, Kind, OrderKey, behind_a_call};
use crate::codes::{Verdict, verdict};
use crate::consume::{unfit, unfit_refusal};
use crate::query::{Found, Move, Moved, Order};

impl<'a> Order<'a> {
    /// The order of a refund.
    pub(crate) fn back(question: &'a RefundQuestion) -> Self {
        Self {
            key: OrderKey {
                order_id: question.no.as_str(),
                at: question.at,
            },
            moves: Move::Refund,
            amount: question.amount,
            product: question.payment.product,
        }
    }
}

impl From<Moved> for Refunded {
    fn from(moved: Moved) -> Self {
        Self {
            channel_no: Some(moved.channel_no),
            amount: moved.amount,
            // How a partial refund apportions a discount is told only where the gateway tells it (reference, 7).
            coupon: moved.coupon,
            refunded_at: moved.at,
        }
    }
}

impl Unionpay {
    pub(crate) async fn give(&self, question: &RefundQuestion) -> Called<Refunded> {
        if let Some(reason) = unfit(Order::back(question)) {
            return Ok(Outcome::Refused(unfit_refusal(reason, Hint::Setup)));
        }
        let original = match &question.payment.channel_no {
            Some(channel_no) => channel_no.clone(),
            None => match self.find(Order::of(&question.payment)).await? {
                Found::Done(paid) => paid.channel_no,
                Found::Failed(why) => return Ok(Outcome::Refused(why)),
                // Nothing to give back yet; nothing was sent.
                Found::Running | Found::Unclear(_) | Found::Absent => return Ok(Outcome::Pending),
            },
        };
        match self.send_back(Order::back(question), &original, None).await? {
            Verdict::Refused(why) => Ok(Outcome::Refused(why)),
            _ => Ok(Outcome::Pending),
        }
    }

    pub(crate) async fn refund_standing(&self, question: &RefundQuestion) -> Result<RefundStanding, CallError> {
        Ok(match self.find(Order::back(question)).await? {
            Found::Absent => RefundStanding::Absent,
            Found::Running | Found::Unclear(_) => RefundStanding::Pending,
            Found::Done(moved) => RefundStanding::Refunded(moved.into()),
            Found::Failed(why) => RefundStanding::NotRefunded(why),
        })
    }

    /// Sends an undo or a refund of the order whose `queryId` is `original`. `echo` comes back in its notification.
    ///
    /// The gateway judges the original's state and amount before it looks whether it has this very order already
    /// (UnionPay reference, 5.3): a repeat of a refund that succeeded may be refused as "too much". So a refusal counts
    /// only when the order itself is absent or failed.
    ///
    /// # Errors
    /// [`CallError`] without a usable answer; sending the same again is safe.
    pub(crate) async fn send_back(
        &self,
        order: Order<'_>,
        original: &str,
        echo: Option<&str>,
    ) -> Result<Verdict, CallError> {
        let words = self.words(order.product);
        let kind = Kind {
            txn_type: order.moves.txn_type(),
            txn_sub_type: "00",
            biz_type: words.biz_type_back,
        };
        let mut fields = self.message(kind, order.key);
        for (name, value) in [
            ("channelType", words.channel_type.to_owned()),
            ("origQryId", original.to_owned()),
            ("txnAmt", order.amount.to_string()),
            ("backUrl", self.setting.notify_url.clone()),
        ] {
            fields.insert(name.to_owned(), value);
        }
        if let Some(echo) = echo {
            fields.insert("reqReserved".to_owned(), echo.to_owned());
        }
        let answer = self.ask(BACK, fields, self.account.patience.back).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Unlisted => Err(answer.useless()),
            Verdict::Refused(why) => match self.find(order).await.map_err(behind_a_call)? {
                Found::Absent | Found::Failed(_) => Ok(Verdict::Refused(why)),
                Found::Done(_) | Found::Running | Found::Unclear(_) => Ok(Verdict::Accepted),
            },
            taken => Ok(taken),
        }
    }
}
