//! Deducting under an agreement (alipay reference, 3.8, 4.1 and 4.2).

use metropay_core::channel::{CallError, Called, DeductQuestion, Outcome, Paid, PaymentRef, Product, Refusal};
use serde::Serialize;

use crate::Alipay;
use crate::call::{Said, unknown};
use crate::codes::{Class, Method};
use crate::query::{self, OPTIONS, Trade};

/// How long an order that somehow waits for its payer may still be paid. Part of what repeats must not change.
const TIMEOUT_EXPRESS: &str = "5m";

/// How long a subject may be, in characters: half of what is allowed, since older texts count bytes.
const SUBJECT_MAX: usize = 120;

#[derive(Serialize)]
struct Biz<'a> {
    out_trade_no: &'a str,
    total_amount: String,
    subject: String,
    product_code: &'a str,
    agreement_params: Agreement<'a>,
    query_options: [&'a str; 4],
    timeout_express: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Agreement<'a> {
    agreement_no: &'a str,
}

/// Deducts once.
pub(crate) async fn deduct(alipay: &Alipay, question: &DeductQuestion) -> Called<Paid> {
    let biz = Biz {
        out_trade_no: question.no.as_str(),
        total_amount: question.amount.yuan(),
        subject: subject(&question.body),
        product_code: &alipay.terms.product_code,
        agreement_params: Agreement {
            agreement_no: &question.contract_handle,
        },
        query_options: OPTIONS,
        timeout_express: TIMEOUT_EXPRESS,
        store_id: Some(question.store.as_str()).filter(|store| is_store(store)),
    };
    let notify_url = Some(alipay.notify_url.as_str());
    let said = alipay
        .gateway
        .call(Method::Pay, &biz, notify_url, alipay.timeouts.pay)
        .await?;
    match said.code.as_str() {
        "10000" => executed(&said, question),
        "10003" => {
            said.tells("out_trade_no", question.no.as_str(), false)?;
            Ok(Outcome::Pending)
        }
        _ => not_executed(alipay, &said, question).await,
    }
}

/// Executed means paid only where the deduction was synchronous.
fn executed(said: &Said, question: &DeductQuestion) -> Called<Paid> {
    said.tells("out_trade_no", question.no.as_str(), true)?;
    let mode = said.node.text("async_payment_mode");
    let applied = said.node.text("async_pay_apply_status");
    if mode.is_some_and(|mode| mode != "SYNC_DIRECT_PAY") || applied.is_some() {
        return Ok(Outcome::Pending);
    }
    query::paid(&said.node, question.amount, question.at).map(Outcome::Done)
}

async fn not_executed(alipay: &Alipay, said: &Said, question: &DeductQuestion) -> Called<Paid> {
    said.tells("out_trade_no", question.no.as_str(), false)?;
    let (class, hint) = said.class();
    let named = said.node.text("out_trade_no").is_some();
    match class {
        Class::Final if named => Ok(Outcome::Refused(said.refusal(hint))),
        Class::Final | Class::Setup | Class::State => by_query(alipay, question, class, said.refusal(hint)).await,
        Class::Retry => Ok(Outcome::Pending),
        Class::Unknown => Err(said.doubt()),
    }
}

/// Lets one query confirm a refusal that does not name our number, that is about the set-up, or that tells of a state.
async fn by_query(alipay: &Alipay, question: &DeductQuestion, class: Class, refusal: Refusal) -> Called<Paid> {
    let payment = PaymentRef {
        product: Product::Mandate,
        no: question.no.clone(),
        at: question.at,
        amount: question.amount,
        channel_no: None,
    };
    let trade = query::trade(alipay, &payment).await.map_err(|error| {
        let error = match error {
            CallError::NotSent(reason) | CallError::MaybeDone(reason) => reason,
        };
        unknown(format!("refused with {}, and the query gave: {error}", refusal.code))
    })?;
    Ok(match trade {
        Trade::Paid { paid, .. } => Outcome::Done(paid),
        Trade::Closed(_) => Outcome::Refused(refusal),
        Trade::Absent if class != Class::State => Outcome::Refused(refusal),
        Trade::Absent | Trade::Waiting => Outcome::Pending,
    })
}

/// The merchant's words without what the gateway refuses or its filter takes for an attack (alipay reference, 4.1 and 10).
fn subject(body: &str) -> String {
    let allowed = |c: char| match c {
        '/' | '=' | '&' | '<' | '>' | '"' | '\'' | '`' | '\\' => false,
        // Clocks, symbols and dingbats; joiners, directions and variants; private use; everything outside the plane.
        '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{20e3}' => false,
        '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{10ffff}' => false,
        c => !c.is_control(),
    };
    let clean: String = body.chars().map(|c| if allowed(c) { c } else { ' ' }).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(SUBJECT_MAX).collect();
    let trimmed = short.trim();
    if trimmed.is_empty() {
        "消费".to_owned()
    } else {
        trimmed.to_owned()
    }
}

fn is_store(store: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=32).contains(&store.len()) && store.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subjects_keep_the_merchants_words() {
        assert_eq!(subject("地铁便利店 消费码"), "地铁便利店 消费码");
        assert_eq!(subject("矿泉水 ×2（大）"), "矿泉水 ×2（大）");
        assert_eq!(subject("a/b=c&d\r\ne🚇⌚✈"), "a b c d e");
        assert_eq!(subject("👨‍👩‍👧"), "消费");
        assert_eq!(subject(""), "消费");
    }

    proptest! {
        #[test]
        fn subjects_hold_nothing_that_the_gateway_refuses(body in r"\PC{0,200}|[\x00-\x7f]{0,300}") {
            let subject = subject(&body);
            prop_assert!(!subject.contains(['/', '=', '&']));
            prop_assert!(subject.chars().all(|c| !c.is_control() && (c as u32) < 0xffff));
            prop_assert!((1..=SUBJECT_MAX).contains(&subject.chars().count()));
        }
    }
}
