//! Reversals of orders that were paid by code: called again until the order itself says that it is undone.

use metropay_core::channel::{CallError, Outcome, Paid, Reversed};
use metropay_core::clock::Clock;
use serde_json::json;

use crate::support::{
    ORDER, PAID, REFUND, Scene, SetUp, code_reversal, failed, failed_with, order, paid_but, taken, vector,
};

const QUERY: &str = "/pay/orderquery";
const REVERSE: &str = "/secapi/pay/reverse";
const FILE: &str = "/secapi/pay/refund";
const REFUND_QUERY: &str = "/pay/refundquery";

/// A shop whose order is old enough to be reversed.
async fn shop() -> Scene {
    let scene = Scene::new(SetUp {
        config: json!({"payment_code": true}),
        ..SetUp::default()
    })
    .await;
    scene.clock.advance(45);
    scene
}

fn reversed() -> String {
    taken(&[("recall", "N")])
}

fn money_back(outcome: &Outcome<Reversed>) -> Option<&Option<Paid>> {
    match outcome {
        Outcome::Done(Reversed::MoneyBack { paid, .. }) => Some(paid),
        _ => None,
    }
}

const NEVER: Result<Outcome<Reversed>, CallError> = Ok(Outcome::Done(Reversed::NeverPaid));

#[tokio::test]
async fn an_order_whose_user_is_still_typing_is_revoked_and_was_never_paid() {
    let scene = shop().await;
    scene.answers_once(QUERY, order("USERPAYING")).await;
    scene.answers(QUERY, order("REVOKED")).await;
    scene.answers(REVERSE, reversed()).await;
    assert_eq!(scene.channel.reverse(&code_reversal()).await, NEVER);
    // Asked again, it needs no further call.
    assert_eq!(scene.channel.reverse(&code_reversal()).await, NEVER);
    let sent = scene.sent(REVERSE).await;
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].contains(&format!("<out_trade_no><![CDATA[{ORDER}]]>")),
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_paid_order_is_given_back_whether_it_ends_as_revoked_or_as_refunded() {
    for end in [order("REVOKED"), paid_but("trade_state", "REFUND")] {
        let scene = shop().await;
        scene.answers_once(QUERY, taken(PAID)).await;
        scene.answers(QUERY, end).await;
        scene.answers(REVERSE, reversed()).await;
        let outcome = scene.channel.reverse(&code_reversal()).await.unwrap();
        let paid = money_back(&outcome).and_then(Option::as_ref);
        assert_eq!(
            paid.map(|paid| paid.channel_no.as_str()),
            Some("4200000000202503010000000001")
        );
        assert!(scene.sent(FILE).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_that_is_paid_at_the_moment_of_its_reversal_is_given_back() {
    let scene = shop().await;
    scene.answers_once(QUERY, order("USERPAYING")).await;
    scene.answers(QUERY, paid_but("trade_state", "REFUND")).await;
    scene.answers(REVERSE, reversed()).await;
    let outcome = scene.channel.reverse(&code_reversal()).await.unwrap();
    assert!(money_back(&outcome).is_some_and(Option::is_some), "{outcome:?}");
}

#[tokio::test]
async fn a_lost_answer_to_the_reversal_of_a_paid_order_still_ends_with_the_money_back() {
    let scene = shop().await;
    scene.answers_once(QUERY, taken(PAID)).await;
    scene.answers(QUERY, order("REVOKED")).await;
    scene.answers(REVERSE, "").await;
    let lost = scene.channel.reverse(&code_reversal()).await;
    assert!(matches!(lost, Err(CallError::MaybeDone(_))), "{lost:?}");
    // The order tells no amount any more; that it had been paid is known from before.
    let mut question = code_reversal();
    question.payment.channel_no = Some("4200000000202503010000000001".to_owned());
    let outcome = scene.channel.reverse(&question).await.unwrap();
    assert!(money_back(&outcome).is_some(), "{outcome:?}");
    // A closed order is not a revoked one: whoever said that it was paid, no money went back by closing it.
    let closed = shop().await;
    closed.answers(QUERY, order("CLOSED")).await;
    assert_eq!(closed.channel.reverse(&question).await, NEVER);
}

#[tokio::test]
async fn a_paid_order_that_is_closed_afterwards_contradicts_itself_and_proves_nothing() {
    for state in ["CLOSED", "PAYERROR"] {
        let scene = shop().await;
        scene.answers_once(QUERY, taken(PAID)).await;
        scene.answers(QUERY, order(state)).await;
        scene.answers(REVERSE, reversed()).await;
        assert_eq!(
            scene.channel.reverse(&code_reversal()).await,
            Ok(Outcome::Pending),
            "{state}"
        );
    }
}

#[tokio::test]
async fn what_is_not_settled_is_called_again() {
    for answer in [
        vector("C28", "wire").to_owned(),
        failed_with("TRADE_ERROR", "recall", "Y"),
        failed_with("SYSTEMERROR", "recall", "N"),
        failed("USERPAYING", "撤销中用户支付中"),
        failed("NEW_CODE_OF_2031", ""),
        taken(&[("recall", "Y")]),
        // It says that it is settled, and the order does not say so yet.
        reversed(),
    ] {
        let scene = shop().await;
        scene.answers(QUERY, order("USERPAYING")).await;
        scene.answers(REVERSE, answer).await;
        for _ in 0..2 {
            assert_eq!(scene.channel.reverse(&code_reversal()).await, Ok(Outcome::Pending));
        }
        let sent = scene.sent(REVERSE).await;
        assert_eq!(sent[0], sent[1], "the same request again");
        assert!(scene.sent(FILE).await.is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_believed_leaves_the_reversal_unknown() {
    let foreign = taken(&[("recall", "N"), ("sub_mch_id", "1900000002")]);
    let elsewhere = taken(&[("recall", "N"), ("out_trade_no", "MC2")]);
    for answer in [
        String::new(),
        "<html></html>".to_owned(),
        reversed().replace("<recall><![CDATA[N", "<recall><![CDATA[Y"),
        vector("C29.1", "wire").to_owned(),
        foreign,
        elsewhere,
    ] {
        let scene = shop().await;
        scene.answers(QUERY, order("USERPAYING")).await;
        scene.answers(REVERSE, answer.clone()).await;
        let outcome = scene.channel.reverse(&code_reversal()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{answer}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_order_is_not_reversed_in_its_first_fifteen_seconds() {
    let scene = Scene::new(SetUp {
        config: json!({"payment_code": true}),
        ..SetUp::default()
    })
    .await;
    scene.answers(QUERY, order("USERPAYING")).await;
    scene.answers(REVERSE, reversed()).await;
    scene.clock.advance(14);
    assert_eq!(scene.channel.reverse(&code_reversal()).await, Ok(Outcome::Pending));
    assert!(scene.sent(REVERSE).await.is_empty());
    scene.clock.advance(1);
    assert_eq!(scene.channel.reverse(&code_reversal()).await, Ok(Outcome::Pending));
    assert_eq!(scene.sent(REVERSE).await.len(), 1);
}

#[tokio::test]
async fn what_the_channel_will_not_reverse_is_refunded() {
    let filed = [
        ("out_trade_no", ORDER),
        ("out_refund_no", REFUND),
        ("refund_fee", "1280"),
        ("total_fee", "1280"),
    ];
    for (code, days) in [
        ("REVERSE_EXPIRE", 0),
        ("TRADE_ERROR", 0),
        ("INVALID_REQUEST", 0),
        ("", 7),
    ] {
        let scene = shop().await;
        scene.clock.advance(days * 24 * 3_600);
        scene.answers(QUERY, taken(PAID)).await;
        scene.answers(REVERSE, failed_with(code, "recall", "N")).await;
        scene.answers(REFUND_QUERY, failed("REFUNDNOTEXIST", "")).await;
        scene.answers(FILE, taken(&filed)).await;
        assert_eq!(
            scene.channel.reverse(&code_reversal()).await,
            Ok(Outcome::Pending),
            "{code}"
        );
        assert_eq!(scene.sent(FILE).await.len(), 1, "{code}");
        assert_eq!(scene.sent(REVERSE).await.len(), usize::from(days == 0));
    }
}

#[tokio::test]
async fn an_unknown_order_was_never_paid_only_after_its_time_and_said_twice() {
    let scene = shop().await;
    scene.answers_once(QUERY, failed("ORDERNOTEXIST", "")).await;
    scene.answers_once(QUERY, failed("ORDERNOTEXIST", "")).await;
    scene.answers_once(QUERY, order("USERPAYING")).await;
    scene.answers(QUERY, failed("ORDERNOTEXIST", "")).await;
    let mut question = code_reversal();
    question.at = scene.clock.now();
    scene.clock.advance(59);
    assert_eq!(scene.channel.reverse(&question).await, Ok(Outcome::Pending));
    scene.clock.advance(1);
    assert_eq!(scene.channel.reverse(&question).await, Ok(Outcome::Pending));
    assert_eq!(scene.channel.reverse(&question).await, NEVER);
    assert!(scene.sent(REVERSE).await.is_empty());
}
