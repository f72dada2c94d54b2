//! A deduction: a consume by token; and what it shares with a consume by code.
//!
//! UnionPay reference, 3.2.7 and 5.5. A synchronous 00 means accepted, never paid.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::channel::{CallError, Called, DeductQuestion, Hint, Outcome, Paid, Product, Refusal};
use metropay_core::clock::Time;
use metropay_core::id::PayNo;
use metropay_core::money::Fen;

use crate::Unionpay;
use crate::account::plain;
use crate::call::{BACK, Kind, OrderKey, behind_a_call};
use crate::codes::{Class, Verdict, find, verdict};
use crate::form::Fields;
use crate::query::{Found, Looked, Move, Order};

/// Amounts have twelve digits at most (UnionPay reference, 10).
const AMOUNT_MAX: u64 = 999_999_999_999;

impl Unionpay {
    pub(crate) async fn consume(&self, question: &DeductQuestion) -> Called<Paid> {
        let order = order(&question.no, question.at, question.amount, Product::Mandate);
        let handle = &question.contract_handle;
        if let Some(reason) = unfit(order).or_else(|| no_token(handle)) {
            return Ok(Outcome::Refused(unfit_refusal(reason, Hint::Setup)));
        }
        let fields = self.deduction(question);
        let answer = self.ask(BACK, fields, self.account.patience.consume).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Accepted | Verdict::Unknown => Ok(Outcome::Pending),
            Verdict::Unlisted => Err(answer.useless()),
            Verdict::Refused(why) if why.hint == Hint::Setup => self.confirm(order, why).await,
            Verdict::Refused(why) => Ok(Outcome::Refused(why)),
        }
    }

    /// The fields of a deduction, before they are signed.
    pub(crate) fn deduction(&self, question: &DeductQuestion) -> Fields {
        let order = order(&question.no, question.at, question.amount, Product::Mandate);
        let mut fields = self.consumption(order, &question.store);
        let token = format!("{{trId={}&token={}}}", self.account.tr_id, question.contract_handle);
        fields.insert("tokenPayData".to_owned(), token);
        fields
    }

    /// The fields that every consume has.
    pub(crate) fn consumption(&self, order: Order<'_>, store: &str) -> Fields {
        let words = self.words(order.product);
        let kind = Kind {
            txn_type: Move::Consume.txn_type(),
            txn_sub_type: words.consume,
            biz_type: words.biz_type,
        };
        let mut fields = self.message(kind, order.key);
        for (name, value) in [
            ("channelType", words.channel_type.to_owned()),
            ("txnAmt", order.amount.to_string()),
            ("currencyCode", "156".to_owned()),
            ("backUrl", self.setting.notify_url.clone()),
        ] {
            fields.insert(name.to_owned(), value);
        }
        if !store.is_empty() {
            let shop = BASE64.encode(format!("shop={store}"));
            fields.insert("reqReserved".to_owned(), shop);
        }
        fields
    }

    /// The gateway judges form, key and permission before it looks whether it has the order already (UnionPay reference,
    /// 5.3): refused for one of these, a repeat proves nothing about its first sending. So the order itself is asked for.
    /// Only where that question too is refused for the set-up, the refusal counts: nothing of this account can pass then.
    pub(crate) async fn confirm(&self, order: Order<'_>, why: Refusal) -> Called<Paid> {
        match self.look(order).await.map_err(behind_a_call)? {
            Looked::Order(Found::Done(_) | Found::Running | Found::Unclear(_)) => Ok(Outcome::Pending),
            Looked::Order(Found::Absent | Found::Failed(_)) => Ok(Outcome::Refused(why)),
            Looked::Declined(answer) => match find(answer.code()) {
                Some(code) if code.class == Class::Setup && why.hint == Hint::Setup => Ok(Outcome::Refused(why)),
                _ => Err(CallError::MaybeDone(format!(
                    "refused with {}, but the order cannot be asked for: {} {}",
                    why.code,
                    answer.code(),
                    answer.text()
                ))),
            },
        }
    }
}

/// The order of a consume.
pub(crate) fn order(no: &PayNo, at: Time, amount: Fen, product: Product) -> Order<'_> {
    Order {
        key: OrderKey {
            order_id: no.as_str(),
            at,
        },
        moves: Move::Consume,
        amount,
        product,
    }
}

/// Why an order cannot be sent at all: nothing was sent, and nothing ever can be.
pub(crate) fn unfit(order: Order<'_>) -> Option<&'static str> {
    if order.amount == Fen::ZERO || order.amount.get() > AMOUNT_MAX {
        Some("the amount must lie between 1 fen and twelve digits")
    } else if !plain(order.key.order_id, 8..=32) {
        Some("the number must be 8 to 32 letters or digits")
    } else {
        None
    }
}

fn no_token(handle: &str) -> Option<&'static str> {
    (!plain(handle, 1..=64)).then_some("the contract has no token of letters and digits")
}

/// The refusal of what was not sent.
pub(crate) fn unfit_refusal(reason: &str, hint: Hint) -> Refusal {
    Refusal {
        code: "UNFIT".to_owned(),
        text: reason.to_owned(),
        hint,
    }
}
