//! Undoing a payment wholly (alipay reference, 4.4 and 4.5): query, cancel, query; close where cancelling is refused. Nothing is remembered between calls; each goes
//! on where the gateway stands.

use metropay_core::channel::{Called, Outcome, Paid, Refusal, ReverseQuestion, Reversed};
use serde::Serialize;

use crate::Alipay;
use crate::codes::{Class, Method};
use crate::query::{self, Trade};
use crate::refund::{self, Wish};
use crate::said::{Said, after};

#[derive(Serialize)]
struct Biz<'a> {
    out_trade_no: &'a str,
}

/// Undoes a payment.
pub(crate) async fn reverse(alipay: &Alipay, question: &ReverseQuestion) -> Called<Reversed> {
    let before = match query::trade(alipay, &question.payment).await? {
        Trade::Closed(_) => return Ok(Outcome::Done(Reversed::NeverPaid)),
        Trade::Paid { paid, undone: true } => return Ok(money_back(Some(paid))),
        Trade::Paid { paid, undone: false } => Some(paid),
        Trade::Waiting | Trade::Absent => None,
    };
    let no = question.payment.no.as_str();
    let biz = Biz { out_trade_no: no };
    // A cancellation that was not sent after a query is still one that was not sent: the query moved nothing.
    let said = alipay
        .gateway
        .call(Method::Cancel, &biz, None, alipay.timeouts.refund)
        .await?;
    said.tells("out_trade_no", no, said.code == "10000")?;
    if said.code == "10000" {
        return cancelled(alipay, question, &said, before).await;
    }
    let (class, hint) = said.class();
    match class {
        Class::Final if said.plain_code() == "TRADE_CANCEL_TIME_OUT" && before.is_some() => {
            refund_all(alipay, question, before).await
        }
        Class::Final | Class::Setup | Class::State => not_cancelled(alipay, question, before, said.refusal(hint)).await,
        Class::Retry => {
            tracing::warn!(
                code = said.plain_code(),
                "alipay will not cancel now: {}",
                said.plain_code()
            );
            Ok(Outcome::Pending)
        }
        Class::Unknown => Err(said.doubt()),
    }
}

/// A cancellation may cross with a payment that was still running, so the trade is asked for once more.
async fn cancelled(alipay: &Alipay, question: &ReverseQuestion, said: &Said, before: Option<Paid>) -> Called<Reversed> {
    if said.node.text("retry_flag").as_deref() != Some("N") {
        return Ok(Outcome::Pending);
    }
    let gave_back = said.node.text("action").as_deref() == Some("refund");
    let trade = query::trade(alipay, &question.payment).await.map_err(after)?;
    Ok(match trade {
        Trade::Paid { paid, undone: true } => money_back(Some(paid)),
        // Paid after all, or not closed yet: cancel again.
        Trade::Paid { undone: false, .. } | Trade::Waiting => Outcome::Pending,
        Trade::Closed(_) if gave_back || before.is_some() => money_back(before),
        Trade::Closed(_) => Outcome::Done(Reversed::NeverPaid),
        // Never there, and the number is cancelled now.
        Trade::Absent if !gave_back && before.is_none() => Outcome::Done(Reversed::NeverPaid),
        Trade::Absent => Outcome::Pending,
    })
}

/// The time for cancelling is over: all of it goes back as a refund, under the reversal's own number, so that a repeat
/// is the same refund.
async fn refund_all(alipay: &Alipay, question: &ReverseQuestion, paid: Option<Paid>) -> Called<Reversed> {
    let wish = Wish {
        payment: &question.payment,
        no: question.no.as_str(),
        at: question.at,
        amount: question.payment.amount,
    };
    Ok(match refund::refund(alipay, wish).await.map_err(after)? {
        Outcome::Done(_) => money_back(paid),
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
        Outcome::Pending => Outcome::Pending,
    })
}

/// The gateway refused to cancel. It counts only while the trade is not undone already.
async fn not_cancelled(
    alipay: &Alipay,
    question: &ReverseQuestion,
    before: Option<Paid>,
    refusal: Refusal,
) -> Called<Reversed> {
    let trade = query::trade(alipay, &question.payment).await.map_err(after)?;
    Ok(match trade {
        Trade::Paid { paid, undone: true } => money_back(Some(paid)),
        Trade::Closed(_) if before.is_some() => money_back(before),
        Trade::Closed(_) => Outcome::Done(Reversed::NeverPaid),
        Trade::Paid { undone: false, .. } => Outcome::Refused(refusal),
        Trade::Waiting => return close(alipay, question).await,
        // Nothing was paid, so there is nothing to use a refund for: it is found absent in the end.
        Trade::Absent => Outcome::Pending,
    })
}

/// Closes a trade that waits for its payer and will not be cancelled. Closing fails on a paid trade, so whatever is answered,
/// a query says what it came to; what is not closed then is tried again.
async fn close(alipay: &Alipay, question: &ReverseQuestion) -> Called<Reversed> {
    let no = question.payment.no.as_str();
    let biz = Biz { out_trade_no: no };
    let said = alipay
        .gateway
        .call(Method::Close, &biz, None, alipay.timeouts.refund)
        .await
        .map_err(after)?;
    said.tells("out_trade_no", no, said.code == "10000")?;
    match (said.code.as_str(), said.class().0) {
        ("10000", _) | (_, Class::State) => {}
        (_, Class::Unknown) => return Err(said.doubt()),
        _ => return Ok(Outcome::Pending),
    }
    Ok(match query::trade(alipay, &question.payment).await.map_err(after)? {
        Trade::Closed(_) => Outcome::Done(Reversed::NeverPaid),
        Trade::Paid { paid, undone: true } => money_back(Some(paid)),
        Trade::Paid { undone: false, .. } | Trade::Waiting | Trade::Absent => Outcome::Pending,
    })
}

fn money_back(paid: Option<Paid>) -> Outcome<Reversed> {
    Outcome::Done(Reversed::MoneyBack { paid, channel_no: None })
}
