//! Paying by the code in the user's Alipay.

use std::time::Duration;

use metropay_core::channel::{
    CallError, Called, Channel, CodePayQuestion, Hint, Outcome, Paid, PaymentRef, Product, ReverseQuestion, Reversed,
};
use metropay_core::secret::Secret;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::ground::*;

const CODE: &str = "281234567890123456";

fn question() -> CodePayQuestion {
    CodePayQuestion {
        no: pay_no(),
        at: at("2026-03-01 08:30:05"),
        amount: fen(450),
        body: "地铁便利店".to_owned(),
        store: "S031".to_owned(),
        code: Secret::from(CODE),
    }
}

async fn ground() -> Ground {
    Ground::with(json!({ "payment_code": true })).await
}

async fn pay(channel: &dyn Channel) -> Called<Paid> {
    channel.code_pay().unwrap().pay_by_code(&question()).await
}

fn paid_node() -> Value {
    let body: Value = serde_json::from_str(&vector("t3.json")).unwrap();
    let mut node = body["alipay_trade_pay_response"].clone();
    node.as_object_mut().unwrap().remove("async_payment_mode");
    node
}

#[tokio::test]
async fn the_code_is_sent_as_it_was_scanned_and_pays() {
    let ground = ground().await;
    ground.says(PAY, &paid_node());
    let answer = pay(&*ground.channel).await;
    assert!(
        matches!(&answer, Ok(Outcome::Done(paid)) if (paid.amount, paid.coupon) == (fen(450), fen(100))),
        "{answer:?}"
    );
    let expected = json!({
        "out_trade_no": "MT202603010830050001", "scene": "bar_code", "auth_code": CODE,
        "product_code": "FACE_TO_FACE_PAYMENT", "subject": "地铁便利店", "total_amount": "4.50", "store_id": "S031",
        "timeout_express": "2m",
        "query_options": ["fund_bill_list", "voucher_detail_list", "discount_amount", "mdiscount_amount"],
    });
    let call = &ground.calls()[0];
    assert_eq!(call.biz, expected);
    assert_eq!(call.parameters["notify_url"], NOTIFY_URL);
    assert!(!call.query.contains(CODE), "the code is no part of an address");
}

#[tokio::test]
async fn only_where_the_account_has_the_product() {
    let ground = Ground::new().await;
    assert!(ground.channel.code_pay().is_none());
}

#[tokio::test]
async fn while_the_user_types_his_password_it_is_pending_and_a_query_ends_it() {
    let ground = ground().await;
    let waiting = json!({"code": "10003", "msg": "order success pay inprocess", "buyer_logon_id": "159****5620",
        "buyer_pay_amount": "0.00", "out_trade_no": pay_no().0, "total_amount": "4.50", "trade_no": TRADE_NO});
    ground.says(PAY, &waiting);
    assert_eq!(pay(&*ground.channel).await, Ok(Outcome::Pending));
    let payment = PaymentRef {
        product: Product::PaymentCode,
        ..payment()
    };
    ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    let standing = ground.channel.query_payment(&payment).await;
    assert_eq!(standing, Ok(metropay_core::channel::Standing::Pending));
    let standing = ground.channel.query_payment(&payment).await;
    assert!(
        matches!(standing, Ok(metropay_core::channel::Standing::Paid(_))),
        "{standing:?}"
    );
}

#[tokio::test]
async fn the_last_query_is_followed_by_a_cancellation() {
    let ground = ground().await;
    ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
    ground.says(CANCEL, &success(json!({"out_trade_no": pay_no().0, "retry_flag": "Y"})));
    ground.says(
        CANCEL,
        &success(json!({"out_trade_no": pay_no().0, "retry_flag": "N", "action": "close"})),
    );
    ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
    ground.says(QUERY, &unpaid_trade("TRADE_CLOSED"));
    ground.says(REFUND_QUERY, &success(json!({})));
    let question = ReverseQuestion {
        payment: PaymentRef {
            product: Product::PaymentCode,
            ..payment()
        },
        ..reversal()
    };
    assert_eq!(ground.channel.reverse(&question).await, Ok(Outcome::Pending));
    assert_eq!(
        ground.channel.reverse(&question).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    let cadence = ground.channel.cadence(Product::PaymentCode);
    let until_last: Duration = cadence.payment.iter().sum();
    assert!(until_last < cadence.revoke_after && cadence.revoke_after < Duration::from_secs(120));
}

#[tokio::test]
async fn a_used_code_may_have_been_used_by_our_own_first_call() {
    let used = failure("40004", "ACQ.PAYMENT_AUTH_CODE_INVALID");
    let answer = |query: &Value| {
        let (used, query) = (used.clone(), query.clone());
        async move {
            let ground = ground().await;
            ground.says(PAY, &used);
            ground.says(QUERY, &query);
            pay(&*ground.channel).await
        }
    };
    let absent = answer(&failure("40004", "ACQ.TRADE_NOT_EXIST")).await;
    assert!(
        matches!(&absent, Ok(Outcome::Refused(refusal)) if refusal.hint == Hint::User),
        "{absent:?}"
    );
    assert!(matches!(
        answer(&paid_trade("TRADE_SUCCESS")).await,
        Ok(Outcome::Done(_))
    ));
    assert_eq!(answer(&unpaid_trade("WAIT_BUYER_PAY")).await, Ok(Outcome::Pending));
    let unknown = answer(&failure("20000", "isp.unknow-error")).await;
    assert!(matches!(unknown, Err(CallError::MaybeDone(_))), "{unknown:?}");
}

#[tokio::test]
async fn a_trade_that_has_another_payer_may_be_paid() {
    let ground = ground().await;
    ground.says(PAY, &failure("40004", "ACQ.TRADE_BUYER_NOT_MATCH"));
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    assert!(matches!(pay(&*ground.channel).await, Ok(Outcome::Done(_))));
}

#[tokio::test]
async fn a_repeat_says_the_same_words() {
    let ground = ground().await;
    ground.answers(PAY, ResponseTemplate::new(502));
    ground.says(PAY, &paid_node());
    assert!(matches!(pay(&*ground.channel).await, Err(CallError::MaybeDone(_))));
    ground.clock.advance(Duration::from_secs(5));
    assert!(matches!(pay(&*ground.channel).await, Ok(Outcome::Done(_))));
    let calls = ground.calls();
    assert_eq!(calls[0].parameters["biz_content"], calls[1].parameters["biz_content"]);
}

#[tokio::test]
async fn refusals_are_final_only_where_the_reference_says_so() {
    for (code, sub_code, hint) in [
        ("40004", "ACQ.BUYER_BALANCE_NOT_ENOUGH", Hint::Funds),
        ("40004", "ACQ.USER_FACE_PAYMENT_SWITCH_OFF", Hint::User),
        ("40004", "ACQ.PAYMENT_REQUEST_HAS_RISK", Hint::None),
        ("40004", "ACQ.PULL_MOBILE_CASHIER_FAIL", Hint::None),
    ] {
        let ground = ground().await;
        ground.says(PAY, &failure(code, sub_code));
        let answer = pay(&*ground.channel).await;
        assert!(
            matches!(&answer, Ok(Outcome::Refused(refusal)) if refusal.hint == hint && refusal.code == sub_code),
            "{sub_code}: {answer:?}"
        );
    }
    for (code, sub_code) in [
        ("20000", "isp.unknow-error"),
        ("40004", "ACQ.SYSTEM_ERROR"),
        ("40004", "ACQ.SOMETHING_NEW"),
    ] {
        let ground = ground().await;
        ground.says(PAY, &failure(code, sub_code));
        let answer = pay(&*ground.channel).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{sub_code}: {answer:?}");
    }
    let ground = ground().await;
    ground.says(PAY, &failure("40005", "isv.app-call-limited"));
    assert_eq!(pay(&*ground.channel).await, Ok(Outcome::Pending));
}

#[tokio::test]
async fn no_error_shows_the_code() {
    let ground = ground().await;
    let echo = json!({"code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.invalid-signature",
        "sub_msg": format!("验签字符串为：app_id=1&amp;biz_content={{\"auth_code\":\"{CODE}\"}}")});
    ground.says(PAY, &echo);
    ground.says(QUERY, &echo);
    let answer = format!("{:?} {:?}", pay(&*ground.channel).await, question());
    assert!(!answer.contains(CODE), "{answer}");
}
