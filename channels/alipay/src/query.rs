//! How a trade stands (alipay reference, 4.3).

use metropay_core::channel::{CallError, Hint, Paid, PaymentRef, Refusal, Standing};
use metropay_core::clock::Time;
use metropay_core::money::Fen;
use serde::Serialize;

use crate::Alipay;
use crate::codes::{Class, Method};
use crate::coupon::Discounts;
use crate::node::Node;
use crate::said::{Said, after, unknown};

/// What is asked for beside the plain fields, so that coupons can be told.
pub(crate) const OPTIONS: [&str; 4] = [
    "fund_bill_list",
    "voucher_detail_list",
    "discount_amount",
    "mdiscount_amount",
];

/// A trade as the gateway knows it.
#[derive(Debug)]
pub(crate) enum Trade {
    /// It knows none of this number now.
    Absent,
    /// Created, not paid.
    Waiting,
    /// Never paid, and closed.
    Closed(Refusal),
    /// Paid.
    Paid {
        /// The payment.
        paid: Paid,
        /// Whether all of it went back since.
        undone: bool,
    },
}

#[derive(Serialize)]
struct Biz<'a> {
    out_trade_no: &'a str,
    query_options: [&'a str; 4],
}

/// How a payment stands.
pub(crate) async fn standing(alipay: &Alipay, payment: &PaymentRef) -> Result<Standing, CallError> {
    Ok(match trade(alipay, payment).await? {
        Trade::Absent => Standing::Absent,
        Trade::Waiting => Standing::Pending,
        Trade::Closed(refusal) => Standing::NotPaid(refusal),
        Trade::Paid { paid, .. } => Standing::Paid(paid),
    })
}

/// The part of a payment that coupons paid, by what the trade tells of itself, open or closed.
pub(crate) async fn coupon(alipay: &Alipay, payment: &PaymentRef) -> Result<Fen, CallError> {
    let said = ask(alipay, payment).await?;
    if said.code != "10000" {
        return Err(said.doubt());
    }
    said.tells("out_trade_no", payment.no.as_str(), true)?;
    paid(&said.node, payment.amount, payment.at).map(|paid| paid.coupon)
}

async fn ask(alipay: &Alipay, payment: &PaymentRef) -> Result<Said, CallError> {
    let biz = Biz {
        out_trade_no: payment.no.as_str(),
        query_options: OPTIONS,
    };
    alipay
        .gateway
        .call(Method::Query, &biz, None, alipay.timeouts.query)
        .await
}

/// Asks for a trade by our number.
pub(crate) async fn trade(alipay: &Alipay, payment: &PaymentRef) -> Result<Trade, CallError> {
    let said = ask(alipay, payment).await?;
    if said.code == "10000" {
        said.tells("out_trade_no", payment.no.as_str(), true)?;
        return read(alipay, payment, &said).await;
    }
    match said.class() {
        (Class::State, _) => {
            said.tells("out_trade_no", payment.no.as_str(), false)?;
            Ok(Trade::Absent)
        }
        _ => Err(said.doubt()),
    }
}

async fn read(alipay: &Alipay, payment: &PaymentRef, said: &Said) -> Result<Trade, CallError> {
    let status = said.node.text("trade_status").unwrap_or_default();
    match status.as_str() {
        "WAIT_BUYER_PAY" => Ok(Trade::Waiting),
        "TRADE_SUCCESS" | "TRADE_FINISHED" => Ok(Trade::Paid {
            paid: paid(&said.node, payment.amount, payment.at)?,
            undone: false,
        }),
        "TRADE_CLOSED" => closed(alipay, payment, said).await,
        other => Err(unknown(format!("a trade status that is not documented: {other}"))),
    }
}

/// `TRADE_CLOSED` stands for two things: never paid, or paid and wholly given back. Only paid trades have a date of
/// payment; where there is none, a refund under the trade's own number (a cancelled payment) tells.
async fn closed(alipay: &Alipay, payment: &PaymentRef, said: &Said) -> Result<Trade, CallError> {
    let was_paid = said.node.text("send_pay_date").is_some()
        || crate::refund::cancelled_after_payment(alipay, payment)
            .await
            .map_err(after)?;
    if was_paid {
        let paid = paid(&said.node, payment.amount, payment.at)?;
        return Ok(Trade::Paid { paid, undone: true });
    }
    Ok(Trade::Closed(Refusal {
        code: "TRADE_CLOSED".to_owned(),
        text: said.node.text("unpaid_reason").unwrap_or_default(),
        hint: Hint::None,
    }))
}

/// A payment out of the answer to a deduction or a query. The date is read from either's name for it; `at` stands in for
/// one that is missing, since the money is certain all the same.
///
/// # Errors
/// [`CallError::MaybeDone`] when it tells of another amount than ours, or has no number.
pub(crate) fn paid(node: &Node, ours: Fen, at: Time) -> Result<Paid, CallError> {
    let amount = node.fen("total_amount");
    if amount != Some(ours) {
        tracing::error!(
            ours = ours.get(),
            theirs = amount.map(Fen::get),
            "a signed answer of alipay tells of another amount than ours"
        );
        return Err(unknown("the answer tells of another amount"));
    }
    let date = node.text("gmt_payment").or_else(|| node.text("send_pay_date"));
    Ok(Paid {
        channel_no: node
            .text("trade_no")
            .ok_or_else(|| unknown("the answer has no trade_no"))?,
        amount: ours,
        coupon: Discounts::of(node).share_of(ours),
        paid_at: date.and_then(|date| time(&date)).unwrap_or(at),
    })
}

/// A time as Alipay writes it: Beijing, with or without milliseconds.
pub(crate) fn time(text: &str) -> Option<Time> {
    Time::parse_china(text, "%Y-%m-%d %H:%M:%S%.f")
}
