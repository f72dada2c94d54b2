//! A deduction: a consume by token.
//!
//! UnionPay reference, 3.2.7 and 5.5. A synchronous 00 means accepted, never paid.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::channel::{CallError, Called, DeductQuestion, Hint, Outcome, Paid, Refusal};
use metropay_core::money::Fen;

use crate::Unionpay;
use crate::call::{BACK, OrderKey};
use crate::codes::{Verdict, verdict};
use crate::config::plain;
use crate::query::{Found, Move, Order, Words};

/// Amounts have twelve digits at most (UnionPay reference, 10).
pub(crate) const AMOUNT_MAX: u64 = 999_999_999_999;

impl Unionpay {
    pub(crate) async fn consume(&self, question: &DeductQuestion) -> Called<Paid> {
        if let Some(reason) = unfit(question) {
            return Ok(Outcome::Refused(Refusal {
                code: "UNFIT".to_owned(),
                text: reason.to_owned(),
                hint: Hint::Setup,
            }));
        }
        let order = Order {
            key: OrderKey {
                order_id: question.no.as_str(),
                at: question.at,
            },
            moves: Move::Consume,
            amount: question.amount,
            words: Words::TOKEN,
        };
        let token = format!("{{trId={}&token={}}}", self.account.tr_id, question.contract_handle);
        let mut fields = self.message(order.words.consume(), order.key);
        for (name, value) in [
            ("channelType", order.words.channel_type.to_owned()),
            ("txnAmt", question.amount.to_string()),
            ("currencyCode", "156".to_owned()),
            ("backUrl", self.setting.notify_url.clone()),
            ("tokenPayData", token),
        ] {
            fields.insert(name.to_owned(), value);
        }
        if !question.store.is_empty() {
            let shop = BASE64.encode(format!("shop={}", question.store));
            fields.insert("reqReserved".to_owned(), shop);
        }
        let answer = self.ask(BACK, fields, self.account.patience.consume).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Accepted | Verdict::Unknown => Ok(Outcome::Pending),
            Verdict::Unlisted => Err(answer.useless()),
            Verdict::Refused(why) if why.hint == Hint::Setup => self.confirm(order, why).await,
            Verdict::Refused(why) => Ok(Outcome::Refused(why)),
        }
    }

    /// The gateway judges form, key and permission before it looks whether it has the order already (UnionPay reference,
    /// 5.3): refused for one of these, a repeat proves nothing about its first sending. So the order itself is asked for.
    pub(crate) async fn confirm(&self, order: Order<'_>, why: Refusal) -> Called<Paid> {
        match self.find(order).await {
            Ok(Found::Done(_) | Found::Running | Found::Unclear(_)) => Ok(Outcome::Pending),
            Ok(Found::Absent | Found::Failed(_)) => Ok(Outcome::Refused(why)),
            // Whether the order is there nobody knows now.
            Err(CallError::NotSent(lack) | CallError::MaybeDone(lack)) => Err(CallError::MaybeDone(format!(
                "refused with {} and not found out: {lack}",
                why.code
            ))),
        }
    }
}

/// Why a question cannot be asked at all: nothing was sent, and nothing ever can be.
fn unfit(question: &DeductQuestion) -> Option<&'static str> {
    if question.amount == Fen::ZERO || question.amount.get() > AMOUNT_MAX {
        Some("the amount must lie between 1 fen and twelve digits")
    } else if !plain(&question.contract_handle, 1..=64) {
        Some("the contract has no token of letters and digits")
    } else if !plain(question.no.as_str(), 8..=32) {
        Some("the number must be 8 to 32 letters or digits")
    } else {
        None
    }
}
