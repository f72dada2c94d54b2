//! Refunds over APIv3 (wechat reference, 5.5).

use metropay_core::channel::{CallError, Hint, RefundStanding, Refunded, Refusal};
use metropay_core::money::Fen;
use metropay_outbound::{Answer, Request};
use percent_encoding::utf8_percent_encode;
use serde::Serialize;

use super::{Asked, Json, Reply};
use crate::Wechat;
use crate::call::maybe;
use crate::codes::Class;
use crate::contract::UNRESERVED;
use crate::refund::{Back, Filed};

const PATH: &str = "/v3/refund/domestic/refunds";

#[derive(Serialize)]
struct RefundBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    out_trade_no: &'a str,
    out_refund_no: &'a str,
    reason: &'a str,
    notify_url: &'a str,
    amount: Amount,
}

#[derive(Serialize)]
struct Amount {
    refund: Fen,
    total: Fen,
    currency: &'static str,
}

impl Wechat {
    fn refund_body<'a>(&'a self, back: &Back<'a>) -> RefundBody<'a> {
        RefundBody {
            sub_mchid: self.account.sub_mch_id.as_deref(),
            out_trade_no: back.payment.no.as_str(),
            out_refund_no: back.no,
            reason: back.reason,
            notify_url: &self.notify_url,
            amount: Amount {
                refund: back.amount,
                total: back.payment.amount,
                currency: "CNY",
            },
        }
    }

    /// The request that files a refund, signed, for the benchmark.
    pub(crate) fn v3_refund_request(&self, back: &Back<'_>) -> Result<Request, CallError> {
        self.v3()?
            .written(PATH, &self.refund_body(back), self.account.refund_timeout)
    }

    /// What an answer to a refund says once it is verified, for the benchmark.
    pub(crate) async fn v3_refund_answer(&self, back: &Back<'_>, answer: Answer) -> Result<RefundStanding, CallError> {
        match self.v3()?.judge(answer).await? {
            Reply::Taken(answer) => read_refund(back, &answer),
            Reply::Failed(failure) => Err(maybe(failure.line())),
        }
    }

    pub(crate) async fn v3_file(&self, back: &Back<'_>) -> Result<Filed, CallError> {
        let body = self.refund_body(back);
        match self.v3()?.post(PATH, &body, self.account.refund_timeout).await? {
            Reply::Taken(answer) => Ok(Filed::Stands(read_refund(back, &answer)?)),
            Reply::Failed(failure) => {
                let class = failure.class(Asked::Refund);
                Ok(Filed::Failed(failure.told, class))
            }
        }
    }

    pub(crate) async fn v3_back_standing(&self, back: &Back<'_>) -> Result<RefundStanding, CallError> {
        let shop = self.account.sub_mch_id.as_deref();
        let query = shop.map_or(String::new(), |shop| format!("?sub_mchid={shop}"));
        let path = format!("{PATH}/{}{query}", utf8_percent_encode(back.no, UNRESERVED));
        match self.v3()?.get(&path, self.account.query_timeout).await? {
            Reply::Taken(answer) => read_refund(back, &answer),
            Reply::Failed(failure) => match failure.class(Asked::QueryRefund) {
                Some((Class::Done, _)) => Ok(RefundStanding::Absent),
                _ => Err(maybe(failure.line())),
            },
        }
    }
}

fn read_refund(back: &Back<'_>, answer: &Json) -> Result<RefundStanding, CallError> {
    if answer.text("/out_refund_no") != Some(back.no) || answer.other("/out_trade_no", back.payment.no.as_str()) {
        return Err(maybe("the answer is about another refund"));
    }
    if answer.fen("/amount/refund") != Some(back.amount)
        || answer.fen("/amount/total") != Some(back.payment.amount)
        || answer.other("/amount/currency", "CNY")
    {
        return Err(maybe("the answer tells another amount"));
    }
    match answer.text("/status") {
        Some(state) => standing(state, answer, back.no),
        None => Err(maybe("an answer without status")),
    }
}

/// How a refund stands by the word for it, in an answer or in a notification.
pub(super) fn standing(state: &str, told: &Json, no: &str) -> Result<RefundStanding, CallError> {
    match state {
        "SUCCESS" => {
            let refunded = refunded(told).map(RefundStanding::Refunded);
            refunded.ok_or_else(|| maybe("a refund that is done, without its amounts or its time"))
        }
        "CLOSED" => Ok(RefundStanding::NotRefunded(Refusal {
            code: "CLOSED".to_owned(),
            text: "退款关闭".to_owned(),
            hint: Hint::None,
        })),
        "PROCESSING" => Ok(RefundStanding::Pending),
        state => {
            tracing::warn!(state, refund = no, "a refund at WeChat needs a person");
            Ok(RefundStanding::Pending)
        }
    }
}

fn refunded(told: &Json) -> Option<Refunded> {
    let amount = told.fen("/amount/refund")?;
    let payer = if told.has("/amount/payer_refund") {
        told.fen("/amount/payer_refund")?
    } else {
        amount
    };
    Some(Refunded {
        channel_no: told.text("/refund_id").map(str::to_owned),
        amount,
        coupon: amount.minus(payer).ok()?,
        refunded_at: told.time("/success_time")?,
    })
}
