//! Refunds that take their time, fail, or lack a number.

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{REFUND, REFUND_QUERY, Shop};

fn refund(number: &str) -> Value {
    json!({"out_trade_no": "P1", "out_request_no": number, "refund_amount": "1.00"})
}

fn ask(number: &str) -> Value {
    json!({"out_trade_no": "P1", "out_request_no": number})
}

#[tokio::test]
async fn a_refund_can_stay_pending_or_fail_and_be_asked_again() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.pay("P1", &agreement_no, "3.00").await;
    shop.fault(json!({"operation": REFUND, "order_no": "R1", "effect": "pending", "ms": 200}));
    shop.call(REFUND, refund("R1"))
        .await
        .says("code=10000 fund_change=N refund_fee=0.00");
    shop.call(REFUND_QUERY, ask("R1"))
        .await
        .says("code=10000 refund_status=");
    shop.call(REFUND, refund("R1")).await.says("fund_change=N");
    shop.cancel("P1").await.says("sub_code=ACQ.CANCEL_NOT_ALLOWED");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(shop.books(), ["Debit P1 300", "Refund R1 100"], "its timer settles it");
    shop.call(REFUND_QUERY, ask("R1"))
        .await
        .says("refund_status=REFUND_SUCCESS refund_amount=1.00");

    let fails =
        json!({"operation": REFUND, "order_no": "R2", "effect": "fail_later", "ms": 10, "code": "REFUND_CHARGE_ERROR"});
    shop.fault(fails);
    shop.call(REFUND, refund("R2")).await.says("fund_change=N");
    tokio::time::sleep(Duration::from_millis(60)).await;
    shop.call(REFUND_QUERY, ask("R2"))
        .await
        .says("code=10000 refund_status=");
    shop.call(REFUND, refund("R2"))
        .await
        .says("fund_change=Y refund_fee=2.00");
    assert_eq!(shop.books(), ["Debit P1 300", "Refund R1 100", "Refund R2 100"]);
}

#[tokio::test]
async fn only_a_full_refund_can_do_without_a_number() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.pay("P1", &agreement_no, "3.00").await;
    let without = |yuan: &str| json!({"out_trade_no": "P1", "refund_amount": yuan});
    shop.call(REFUND, without("1.00"))
        .await
        .says("sub_code=ACQ.INVALID_PARAMETER");
    shop.call(REFUND, without("3.00"))
        .await
        .says("fund_change=Y refund_fee=3.00");
    shop.call(REFUND, without("3.00"))
        .await
        .says("fund_change=N refund_fee=3.00");
    shop.call(REFUND_QUERY, ask("P1"))
        .await
        .says("refund_status=REFUND_SUCCESS");
    assert_eq!(shop.books(), ["Debit P1 300", "Refund P1 300"]);
    let unknown = json!({"out_trade_no": "P9", "refund_amount": "1.00", "out_request_no": "R9"});
    shop.call(REFUND, unknown)
        .await
        .says("sub_code=ACQ.TRADE_NOT_EXIST refund_fee=0.00");
}

#[tokio::test]
async fn two_refunds_at_once_never_give_back_more_than_was_paid() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.pay("P1", &agreement_no, "1.50").await;
    let (one, two) = tokio::join!(shop.call(REFUND, refund("R1")), shop.call(REFUND, refund("R2")));
    let codes = [one.text("code"), two.text("code")];
    assert!(codes.contains(&"10000") && codes.contains(&"40004"), "{codes:?}");
    assert_eq!(shop.books().len(), 2);
}
