//! Paying: under an agreement, or by the payment code in the user's Alipay (alipay reference, 3.8, 4.1 and 4.2).

use async_trait::async_trait;
use metropay_core::channel::{
    CallError, Called, CodePay, CodePayQuestion, DeductQuestion, Outcome, Paid, PaymentRef, Product, Refusal,
};
use metropay_core::clock::Time;
use metropay_core::id::PayNo;
use metropay_core::money::Fen;
use serde::Serialize;

use crate::Alipay;
use crate::codes::{Class, Method};
use crate::query::{self, OPTIONS, Trade};
use crate::said::{Said, unknown};

/// How long a deduction that somehow waits for its payer may still be paid. Part of what repeats must not change.
const DEDUCTION_LIFE: &str = "5m";

/// How long a user may take over his password: somewhat longer than we wait before we revoke.
const CODE_LIFE: &str = "2m";

/// How long a subject may be, in characters: half of what is allowed, since older texts count bytes.
const SUBJECT_MAX: usize = 120;

/// The content of a payment.
#[derive(Serialize)]
pub(crate) struct Biz<'a> {
    out_trade_no: &'a str,
    #[serde(flatten)]
    by: By<'a>,
    product_code: &'a str,
    subject: String,
    total_amount: String,
    query_options: [&'a str; 4],
    timeout_express: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extend_params: Option<Extend<'a>>,
}

/// What makes the user the payer.
#[derive(Serialize)]
#[serde(untagged)]
enum By<'a> {
    Agreement { agreement_params: Agreement<'a> },
    Code { scene: &'a str, auth_code: &'a str },
}

#[derive(Serialize)]
struct Agreement<'a> {
    agreement_no: &'a str,
}

#[derive(Serialize)]
struct Extend<'a> {
    sys_service_provider_id: &'a str,
}

/// What both products are asked for in the same words.
pub(crate) struct Order<'a> {
    product: Product,
    no: &'a PayNo,
    at: Time,
    amount: Fen,
    body: &'a str,
    store: &'a str,
}

/// A deduction as it is asked for.
pub(crate) fn deduction<'a>(alipay: &'a Alipay, question: &'a DeductQuestion) -> (Order<'a>, Biz<'a>) {
    let order = Order {
        product: Product::Mandate,
        no: &question.no,
        at: question.at,
        amount: question.amount,
        body: &question.body,
        store: &question.store,
    };
    let agreement_params = Agreement {
        agreement_no: &question.contract_handle,
    };
    let biz = biz(
        alipay,
        &order,
        By::Agreement { agreement_params },
        &alipay.terms.product_code,
    );
    (order, biz)
}

/// Deducts once.
pub(crate) async fn deduct(alipay: &Alipay, question: &DeductQuestion) -> Called<Paid> {
    let (order, biz) = deduction(alipay, question);
    pay(alipay, &order, &biz).await
}

/// A repeat in the same words finds out what became of the first: the gateway answers with the existing result (4.2).
#[async_trait]
impl CodePay for Alipay {
    async fn pay_by_code(&self, question: &CodePayQuestion) -> Called<Paid> {
        let Some(product_code) = &self.terms.payment_code else {
            return Err(CallError::NotSent("this account takes no payment codes".to_owned()));
        };
        let order = Order {
            product: Product::PaymentCode,
            no: &question.no,
            at: question.at,
            amount: question.amount,
            body: &question.body,
            store: &question.store,
        };
        let by = By::Code {
            scene: "bar_code",
            auth_code: question.code.expose(),
        };
        pay(self, &order, &biz(self, &order, by, product_code)).await
    }
}

fn biz<'a>(alipay: &'a Alipay, order: &Order<'a>, by: By<'a>, product_code: &'a str) -> Biz<'a> {
    let pid = alipay
        .terms
        .provider
        .as_ref()
        .and_then(|provider| provider.pid.as_deref());
    Biz {
        out_trade_no: order.no.as_str(),
        by,
        product_code,
        subject: subject(order.body),
        total_amount: order.amount.yuan(),
        query_options: OPTIONS,
        timeout_express: match order.product {
            Product::Mandate => DEDUCTION_LIFE,
            Product::PaymentCode => CODE_LIFE,
        },
        store_id: Some(order.store).filter(|store| is_store(store)),
        extend_params: pid.map(|sys_service_provider_id| Extend {
            sys_service_provider_id,
        }),
    }
}

async fn pay(alipay: &Alipay, order: &Order<'_>, biz: &Biz<'_>) -> Called<Paid> {
    let notify_url = Some(alipay.notify_url.as_str());
    let said = alipay
        .gateway
        .call(Method::Pay, biz, notify_url, alipay.timeouts.pay)
        .await?;
    match said.code.as_str() {
        "10000" => executed(&said, order),
        "10003" => {
            said.tells("out_trade_no", order.no.as_str(), false)?;
            Ok(Outcome::Pending)
        }
        _ => not_executed(alipay, &said, order).await,
    }
}

/// Executed means paid only where the deduction was synchronous.
pub(crate) fn executed(said: &Said, order: &Order<'_>) -> Called<Paid> {
    said.tells("out_trade_no", order.no.as_str(), true)?;
    let mode = said.node.text("async_payment_mode");
    let applied = said.node.text("async_pay_apply_status");
    if mode.is_some_and(|mode| mode != "SYNC_DIRECT_PAY") || applied.is_some() {
        return Ok(Outcome::Pending);
    }
    query::paid(&said.node, order.amount, order.at).map(Outcome::Done)
}

async fn not_executed(alipay: &Alipay, said: &Said, order: &Order<'_>) -> Called<Paid> {
    said.tells("out_trade_no", order.no.as_str(), false)?;
    let (class, hint) = said.class();
    let named = said.node.text("out_trade_no").is_some();
    // A code that was used up may have been used by our own first call, and a trade that has another payer already may be paid.
    let of_earlier = ["PAYMENT_AUTH_CODE_INVALID", "TRADE_BUYER_NOT_MATCH"].contains(&said.plain_code().as_str());
    match class {
        Class::Final if named && !of_earlier => Ok(Outcome::Refused(said.refusal(hint))),
        Class::Final | Class::Setup | Class::State => by_query(alipay, order, class, said.refusal(hint)).await,
        Class::Retry => Ok(Outcome::Pending),
        Class::Unknown => Err(said.doubt()),
    }
}

/// Lets one query confirm a refusal that does not name our number, that may speak of an earlier call, that is about the
/// set-up, or that tells of a state.
async fn by_query(alipay: &Alipay, order: &Order<'_>, class: Class, refusal: Refusal) -> Called<Paid> {
    let payment = PaymentRef {
        product: order.product,
        no: order.no.clone(),
        at: order.at,
        amount: order.amount,
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
