//! Refunds, known by `out_refund_no` (wechat reference, 5).

use metropay_core::channel::{
    CallError, Called, Hint, Outcome, PaymentRef, RefundQuestion, RefundStanding, Refunded, Refusal,
};
use metropay_core::money::Fen;

use crate::Wechat;
use crate::call::{Call, maybe, other, other_shop, worsened};
use crate::codes::{Asked, Class, Failure};
use crate::config::Api;
use crate::xml::Message;

/// A movement back: a refund, or the refund by which a payment is undone.
pub(crate) struct Back<'a> {
    pub(crate) payment: &'a PaymentRef,
    /// `out_refund_no`.
    pub(crate) no: &'a str,
    pub(crate) amount: Fen,
    /// What the payer reads.
    pub(crate) reason: &'static str,
}

/// What became of a filing.
pub(crate) enum Filed {
    /// It was taken, and so the movement stands.
    Stands(RefundStanding),
    /// It was not, and what that proves, if anything.
    Failed(Failure, Option<(Class, Hint)>),
}

impl<'a> From<&'a RefundQuestion> for Back<'a> {
    fn from(question: &'a RefundQuestion) -> Self {
        Self {
            payment: &question.payment,
            no: question.no.as_str(),
            amount: question.amount,
            reason: "商品退货",
        }
    }
}

impl Wechat {
    /// Files a movement back. The order is always named by our number, so that every repeat is the same message.
    pub(crate) async fn give_back(&self, back: &Back<'_>) -> Called<Refunded> {
        let filed = match self.account.refund_api {
            Api::V2 => self.file(back).await?,
            Api::V3 => self.v3_file(back).await?,
        };
        let (failure, class) = match filed {
            Filed::Stands(RefundStanding::Refunded(refunded)) => return Ok(Outcome::Done(refunded)),
            Filed::Stands(RefundStanding::NotRefunded(refusal)) => return Ok(Outcome::Refused(refusal)),
            Filed::Stands(RefundStanding::Pending | RefundStanding::Absent) => return Ok(Outcome::Pending),
            Filed::Failed(failure, class) => (failure, class),
        };
        match class {
            Some((Class::Final | Class::Config | Class::Confirm, hint)) => {
                self.confirm_refusal(back, failure, hint).await
            }
            Some((Class::Repeat | Class::Query | Class::Done, _)) => {
                tracing::warn!(code = %failure.code, refund = back.no, "WeChat did not take the refund for now");
                Err(maybe(failure.line()))
            }
            None => {
                tracing::warn!(code = %failure.code, refund = back.no, "WeChat answered a refund with an unlisted code");
                Err(maybe(failure.line()))
            }
        }
    }

    async fn file(&self, back: &Back<'_>) -> Result<Filed, CallError> {
        let mut call = Call::new(&self.account, &self.gate, "/secapi/pay/refund")
            .nonce()
            .timeout(self.account.refund_timeout)
            .certified();
        call.message
            .text("out_trade_no", back.payment.no.as_str())
            .text("out_refund_no", back.no)
            .fen("total_fee", back.payment.amount)
            .fen("refund_fee", back.amount)
            .text("refund_fee_type", "CNY")
            .text("refund_desc", back.reason)
            .text("notify_url", self.notify_url.as_str());
        match call.send().await?.signed()? {
            Ok(message) if self.fits(back, &message) => Ok(Filed::Stands(RefundStanding::Pending)),
            Ok(_) => Err(maybe("the answer is about another refund")),
            Err((failure, _)) => {
                let class = failure.row(Asked::Refund).map(|row| (row.class, row.hint));
                Ok(Filed::Failed(failure, class))
            }
        }
    }

    /// Whether the answer to a filing tells of this movement.
    fn fits(&self, back: &Back<'_>, message: &Message) -> bool {
        message.get("out_refund_no") == Some(back.no)
            && message.get("out_trade_no") == Some(back.payment.no.as_str())
            && message.amount("refund_fee") == Some(back.amount)
            && message.amount("total_fee") == Some(back.payment.amount)
            && !foreign(message)
            && !other_shop(&self.account, message)
    }

    /// An earlier request with this number may have been filed: only if the channel does not know the number, its refusal
    /// counts (wechat reference, 8.1, rule 3).
    async fn confirm_refusal(&self, back: &Back<'_>, failure: Failure, hint: Hint) -> Called<Refunded> {
        match self.back_standing(back).await.map_err(worsened)? {
            RefundStanding::Refunded(refunded) => Ok(Outcome::Done(refunded)),
            RefundStanding::Pending => Ok(Outcome::Pending),
            RefundStanding::NotRefunded(refusal) => Ok(Outcome::Refused(refusal)),
            RefundStanding::Absent => Ok(Outcome::Refused(failure.refusal(hint))),
        }
    }

    pub(crate) async fn back_standing(&self, back: &Back<'_>) -> Result<RefundStanding, CallError> {
        match self.account.refund_api {
            Api::V2 => self.v2_back_standing(back).await,
            Api::V3 => self.v3_back_standing(back).await,
        }
    }

    async fn v2_back_standing(&self, back: &Back<'_>) -> Result<RefundStanding, CallError> {
        let mut call = Call::new(&self.account, &self.gate, "/pay/refundquery").nonce();
        call.message.text("out_refund_no", back.no);
        match call.send().await?.signed()? {
            Ok(message) => self.read_back(back, &message),
            Err((failure, _)) => match failure.row(Asked::QueryRefund).map(|row| row.class) {
                Some(Class::Done) => Ok(RefundStanding::Absent),
                _ => Err(maybe(failure.line())),
            },
        }
    }

    fn read_back(&self, back: &Back<'_>, message: &Message) -> Result<RefundStanding, CallError> {
        if other(message, "out_trade_no", back.payment.no.as_str()) || other_shop(&self.account, message) {
            return Err(maybe("the answer is about another order"));
        }
        if foreign(message) {
            return Err(maybe("the answer tells another currency"));
        }
        let index = message.pairs().find_map(|(name, value)| {
            let index = name.strip_prefix("out_refund_no_")?;
            Some(index).filter(|_| value.trim() == back.no)
        });
        let Some(index) = index else {
            return Err(maybe("the answer is about another refund"));
        };
        let field = |name: &str| format!("{name}_{index}");
        if message.amount(&field("refund_fee")) != Some(back.amount) {
            return Err(maybe("the answer tells another amount"));
        }
        match message.get(&field("refund_status")) {
            Some("SUCCESS") => {
                let coupon = field("coupon_refund_fee");
                let coupon = match message.get(&coupon) {
                    Some(_) => message.amount(&coupon).filter(|coupon| *coupon <= back.amount),
                    None => Some(Fen::ZERO),
                };
                Ok(RefundStanding::Refunded(Refunded {
                    channel_no: message.get(&field("refund_id")).map(str::to_owned),
                    amount: back.amount,
                    coupon: coupon.ok_or_else(|| maybe("an unreadable coupon amount"))?,
                    refunded_at: message
                        .time(&field("refund_success_time"))
                        .unwrap_or_else(|| self.gate.clock.now()),
                }))
            }
            Some("REFUNDCLOSE") => Ok(RefundStanding::NotRefunded(Refusal {
                code: "REFUNDCLOSE".to_owned(),
                text: "退款关闭".to_owned(),
                hint: Hint::None,
            })),
            Some(state) => {
                if state != "PROCESSING" {
                    tracing::warn!(state, refund = back.no, "a refund at WeChat needs a person");
                }
                Ok(RefundStanding::Pending)
            }
            None => Err(maybe("an answer without refund_status")),
        }
    }
}

/// Whether a message names another currency than yuan; one that names none means yuan.
fn foreign(message: &Message) -> bool {
    ["fee_type", "refund_fee_type"]
        .into_iter()
        .any(|name| other(message, name, "CNY"))
}
