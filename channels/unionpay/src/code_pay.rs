//! A payment by UnionPay's own payment code (C2B, 62 and 19 digits).
//!
//! UnionPay reference, 4.1. The gateway may answer at once or take its time; while the user types his password the order
//! is queried like any other. A repeat under the same number and time is a duplicate (12), never a second debit.

use metropay_core::channel::{Called, CodePayQuestion, Hint, Outcome, Paid, Refusal};
use metropay_core::money::Fen;

use crate::Unionpay;
use crate::call::{BACK, OrderKey};
use crate::codes::{Verdict, verdict};
use crate::config::plain;
use crate::consume::AMOUNT_MAX;
use crate::query::{Move, Order, Words};

impl Unionpay {
    pub(crate) async fn consume_code(&self, question: &CodePayQuestion) -> Called<Paid> {
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
            words: Words::CODE,
        };
        let mut fields = self.message(order.words.consume(), order.key);
        for (name, value) in [
            ("channelType", order.words.channel_type.to_owned()),
            ("txnAmt", question.amount.to_string()),
            ("currencyCode", "156".to_owned()),
            ("backUrl", self.setting.notify_url.clone()),
            ("qrNo", question.code.expose().to_owned()),
            ("termId", self.account.term_id.clone()),
        ] {
            fields.insert(name.to_owned(), value);
        }
        if let Some(info) = &self.account.term_info {
            fields.insert("termInfo".to_owned(), info.clone());
        }
        let answer = self.ask(BACK, fields, self.account.patience.consume).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Accepted | Verdict::Unknown => Ok(Outcome::Pending),
            Verdict::Unlisted => Err(answer.useless()),
            Verdict::Refused(why) if why.hint == Hint::Setup => self.confirm(order, why).await,
            Verdict::Refused(why) => Ok(Outcome::Refused(of_a_code(why))),
        }
    }
}

/// There is no contract beneath a payment code: what reads as "gone" is about the card or the code.
fn of_a_code(why: Refusal) -> Refusal {
    let hint = match why.hint {
        Hint::ContractGone => Hint::User,
        other => other,
    };
    Refusal { hint, ..why }
}

/// Why a question cannot be asked at all: nothing was sent, and nothing ever can be.
fn unfit(question: &CodePayQuestion) -> Option<&'static str> {
    let code = question.code.expose();
    if question.amount == Fen::ZERO || question.amount.get() > AMOUNT_MAX {
        Some("the amount must lie between 1 fen and twelve digits")
    } else if code.len() != 19 || !code.starts_with("62") || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        Some("a payment code of UnionPay has 19 digits and begins with 62")
    } else if !plain(question.no.as_str(), 8..=32) {
        Some("the number must be 8 to 32 letters or digits")
    } else {
        None
    }
}
