//! Giving money back, and asking what became of it (alipay reference, 4.6 and 4.7).

use std::time::Duration;

use metropay_core::channel::{
    CallError, Called, Outcome, PaymentRef, RefundQuestion, RefundStanding, Refunded, Refusal,
};
use metropay_core::clock::Time;
use metropay_core::money::Fen;
use serde::Serialize;

use crate::Alipay;
use crate::codes::{Class, Method};
use crate::coupon;
use crate::query::{self, time};
use crate::said::{Said, after, unknown};

/// For how long an empty answer to a refund query may mean "still running".
const RUNNING_MAX: Duration = Duration::from_secs(120);

/// One refund in a question: by its own number, so that reversals can use the same words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The trade.
    pub(crate) payment: &'a PaymentRef,
    /// `out_request_no`
    pub(crate) no: &'a str,
    /// When it was written down.
    pub(crate) at: Time,
    /// How much.
    pub(crate) amount: Fen,
}

impl<'a> From<&'a RefundQuestion> for Wish<'a> {
    fn from(question: &'a RefundQuestion) -> Self {
        Self {
            payment: &question.payment,
            no: question.no.as_str(),
            at: question.at,
            amount: question.amount,
        }
    }
}

#[derive(Serialize)]
struct Biz<'a> {
    out_trade_no: &'a str,
    refund_amount: String,
    out_request_no: &'a str,
    query_options: [&'a str; 1],
}

#[derive(Serialize)]
struct QueryBiz<'a> {
    out_trade_no: &'a str,
    out_request_no: &'a str,
    query_options: [&'a str; 2],
}

/// Gives money back.
pub(crate) async fn refund(alipay: &Alipay, wish: Wish<'_>) -> Called<Refunded> {
    let biz = Biz {
        out_trade_no: wish.payment.no.as_str(),
        refund_amount: wish.amount.yuan(),
        out_request_no: wish.no,
        query_options: ["refund_detail_item_list"],
    };
    let said = alipay
        .gateway
        .call(Method::Refund, &biz, None, alipay.timeouts.refund)
        .await?;
    if said.code == "10000" {
        said.tells("out_trade_no", wish.payment.no.as_str(), true)?;
        return match said.node.text("fund_change").as_deref() {
            Some("Y") => moved(alipay, &said, wish).await,
            // Nothing moved by this call: a repeat of one that did, or not executed yet.
            _ => Ok(match query(alipay, wish).await.map_err(after)? {
                RefundStanding::Refunded(refunded) => Outcome::Done(refunded),
                RefundStanding::NotRefunded(refusal) => Outcome::Refused(refusal),
                RefundStanding::Pending | RefundStanding::Absent => Outcome::Pending,
            }),
        };
    }
    said.tells("out_trade_no", wish.payment.no.as_str(), false)?;
    let (class, hint) = said.class();
    match class {
        Class::Final | Class::Setup | Class::State => confirmed(alipay, wish, class, said.refusal(hint)).await,
        Class::Retry => {
            tracing::warn!(
                code = said.plain_code(),
                "alipay will not refund now: {}",
                said.plain_code()
            );
            Ok(Outcome::Pending)
        }
        Class::Unknown => Err(said.doubt()),
    }
}

/// `refund_fee` is what went back on the trade in all, so it only bounds this refund.
async fn moved(alipay: &Alipay, said: &Said, wish: Wish<'_>) -> Called<Refunded> {
    let so_far = said.node.fen("refund_fee");
    if !so_far.is_some_and(|sum| (wish.amount..=wish.payment.amount).contains(&sum)) {
        tracing::error!(
            ours = wish.amount.get(),
            so_far = so_far.map(Fen::get),
            "a signed answer of alipay tells of a sum of refunds that cannot be"
        );
        return Err(unknown("the answer tells of another amount"));
    }
    Ok(Outcome::Done(refunded(alipay, said, wish).await))
}

async fn refunded(alipay: &Alipay, said: &Said, wish: Wish<'_>) -> Refunded {
    let coupon = match coupon::of_refund(wish.amount, &said.node) {
        Some(coupon) => coupon,
        None if wish.amount == wish.payment.amount => coupon_of_all(alipay, wish.payment).await,
        None => Fen::ZERO,
    };
    let date = said.node.text("gmt_refund_pay");
    Refunded {
        channel_no: None,
        amount: wish.amount,
        coupon,
        refunded_at: date.and_then(|date| time(&date)).unwrap_or(wish.at),
    }
}

/// Where a refund of everything does not tell which part was coupons, it is the payment's. Nothing, if that cannot be learnt:
/// a refund that is done does not fail over it.
async fn coupon_of_all(alipay: &Alipay, payment: &PaymentRef) -> Fen {
    match query::coupon(alipay, payment).await {
        Ok(coupon) => coupon,
        Err(error) => {
            tracing::warn!(%error, "the coupons of a refunded payment are not known: {error}");
            Fen::ZERO
        }
    }
}

/// A refusal counts only when the gateway does not know this refund as done: an earlier call of the same number may have
/// given the money back, and what is left of the trade is refused then.
async fn confirmed(alipay: &Alipay, wish: Wish<'_>, class: Class, refusal: Refusal) -> Called<Refunded> {
    Ok(match query(alipay, wish).await.map_err(after)? {
        RefundStanding::Refunded(refunded) => Outcome::Done(refunded),
        RefundStanding::Pending if class == Class::State => Outcome::Pending,
        RefundStanding::NotRefunded(_) | RefundStanding::Pending | RefundStanding::Absent => Outcome::Refused(refusal),
    })
}

/// How a refund stands.
pub(crate) async fn query(alipay: &Alipay, wish: Wish<'_>) -> Result<RefundStanding, CallError> {
    let said = ask(alipay, wish.payment, wish.no).await?;
    if said.code != "10000" {
        return match said.class() {
            (Class::State, _) => {
                said.tells("out_trade_no", wish.payment.no.as_str(), false)?;
                Ok(RefundStanding::Absent)
            }
            _ => Err(said.doubt()),
        };
    }
    if !has_refund(&said, wish.payment, wish.no)? {
        let young = alipay.gateway.clock.now().since(wish.at) < RUNNING_MAX;
        return Ok(if young {
            RefundStanding::Pending
        } else {
            RefundStanding::Absent
        });
    }
    if said.node.fen("refund_amount") != Some(wish.amount) {
        tracing::error!(no = wish.no, "alipay knows this refund with another amount than ours");
        return Err(unknown("the answer tells of another amount"));
    }
    Ok(RefundStanding::Refunded(refunded(alipay, &said, wish).await))
}

/// Whether the trade was cancelled after it was paid: the money went back under the trade's own number.
pub(crate) async fn cancelled_after_payment(alipay: &Alipay, payment: &PaymentRef) -> Result<bool, CallError> {
    let said = ask(alipay, payment, payment.no.as_str()).await?;
    match (said.code.as_str(), said.class()) {
        ("10000", _) => has_refund(&said, payment, payment.no.as_str()),
        (_, (Class::State, _)) => Ok(false),
        _ => Err(said.doubt()),
    }
}

async fn ask(alipay: &Alipay, payment: &PaymentRef, no: &str) -> Result<Said, CallError> {
    let biz = QueryBiz {
        out_trade_no: payment.no.as_str(),
        out_request_no: no,
        query_options: ["gmt_refund_pay", "refund_detail_item_list"],
    };
    alipay
        .gateway
        .call(Method::RefundQuery, &biz, None, alipay.timeouts.query)
        .await
}

/// Whether the answer tells of a refund that is done. Older answers have no status but an amount, and count only with our
/// number beside it; an answer without any of it knows no such refund.
fn has_refund(said: &Said, payment: &PaymentRef, no: &str) -> Result<bool, CallError> {
    let status = said.node.text("refund_status");
    let found = status.as_deref() == Some("REFUND_SUCCESS")
        || (status.is_none() && said.node.fen("refund_amount").is_some_and(|amount| !amount.is_zero()));
    said.tells("out_trade_no", payment.no.as_str(), found)?;
    said.tells("out_request_no", no, found)?;
    Ok(found)
}
