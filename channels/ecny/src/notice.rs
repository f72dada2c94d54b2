//! Notifications: verified over their raw bytes before anything else is read.

use metropay_core::channel::{ContractKey, News, NoticeAnswer, NoticeRefused, RawNotice, RefundStanding, Standing};
use metropay_core::id::{ContractNo, PayNo, RefundNo};
use metropay_core::money::Fen;

use crate::Ecny;
use crate::answer::{Order, Refund, Said};
use crate::call::signed_text;

impl Ecny {
    pub(crate) fn news(&self, notice: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
        let header = |name: &str| {
            let known = notice.headers.iter().find(|(known, _)| known == name);
            known.map_or("", |(_, value)| value.as_str())
        };
        let (time, nonce) = (header("x-ecny-timestamp"), header("x-ecny-nonce"));
        let text = signed_text("NOTICE", "", time, nonce, &notice.body);
        if !self.gate.account.keys.verify(&text, header("x-ecny-signature")) {
            return Err(NoticeRefused::NotGenuine("the signature does not fit".to_owned()));
        }
        let said: Said = serde_json::from_slice(&notice.body)
            .map_err(|_| NoticeRefused::NotGenuine("it cannot be read".to_owned()))?;
        if said.merchant_no != self.gate.account.merchant_no {
            return Err(mismatch("it is for another merchant"));
        }
        told(&said)
    }
}

/// The news in a notification that is genuine and ours.
pub(crate) fn told(said: &Said) -> Result<Vec<News>, NoticeRefused> {
    let mut news = Vec::new();
    if let Some(order) = &said.order {
        news.push(payment(order)?);
    }
    if let Some(told) = &said.refund {
        news.push(refund(told)?);
    }
    if let Some(contract) = &said.contract {
        news.push(News::Contract {
            contract: ContractKey::No(ContractNo(contract.no.clone())),
            standing: contract.standing(),
        });
    }
    Ok(if news.is_empty() { vec![News::Nothing] } else { news })
}

fn payment(order: &Order) -> Result<News, NoticeRefused> {
    if order.currency != "CNY" {
        return Err(mismatch("it is not in yuan"));
    }
    let paid = order.paid().filter(|_| order.state == "PAID");
    Ok(News::Payment {
        no: PayNo(order.no.clone()),
        standing: paid.map(Standing::Paid),
    })
}

fn refund(told: &Refund) -> Result<News, NoticeRefused> {
    if told.currency != "CNY" {
        return Err(mismatch("it is not in yuan"));
    }
    let amount = Fen::new(told.amount_fen).ok().filter(|_| told.state == "DONE");
    Ok(News::Refund {
        no: RefundNo(told.no.clone()),
        standing: amount.map(|amount| RefundStanding::Refunded(told.refunded(amount))),
    })
}

fn mismatch(what: &str) -> NoticeRefused {
    NoticeRefused::Mismatch(what.to_owned())
}

/// What the channel expects.
pub(crate) fn answer(taken: bool) -> NoticeAnswer {
    let (status, body) = if taken { (200, "ok") } else { (500, "refused") };
    NoticeAnswer {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    }
}
