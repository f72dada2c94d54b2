//! The fault script: spoilt answers, bent courses, and callers that hang up.

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{CANCEL, PAY, QUERY, REFUND, Shop, order};

fn fault(shop: &Shop, operation: &str, order_no: &str, effect: &Value) {
    let mut line = json!({"gateway": "alipay", "operation": operation, "order_no": order_no});
    line.as_object_mut()
        .unwrap()
        .extend(effect.as_object().unwrap().clone());
    shop.fault(line);
}

#[tokio::test]
async fn the_fault_script_spoils_answers_but_not_the_books() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let pay = async |number: &str, effect: Value| {
        fault(&shop, PAY, number, &effect);
        shop.pay(number, &agreement_no, "1.00").await
    };
    let answer = pay("F1", json!({"effect": "wrong_signature"})).await;
    assert!(answer.says("code=10000").signed && !answer.fits);
    assert!(
        !pay("F2", json!({"effect": "no_signature"}))
            .await
            .says("code=10000")
            .signed
    );
    let answer = pay("F3", json!({"effect": "wrong_amount", "fen": 1})).await;
    assert!(answer.says("code=10000 total_amount=0.01").fits);
    let answer = pay("F4", json!({"effect": "wrong_order", "told": "X"})).await;
    assert!(answer.says("code=10000 out_trade_no=X").fits);
    let answer = pay("F5", json!({"effect": "system_error_after"})).await;
    assert!(answer.says("code=20000 sub_code=ACQ.SYSTEM_ERROR").fits);
    pay("F6", json!({"effect": "system_error_before"}))
        .await
        .says("code=20000 sub_code=ACQ.SYSTEM_ERROR");
    let answer = pay("F7", json!({"effect": "refuse", "code": "BUYER_BALANCE_NOT_ENOUGH"})).await;
    answer.says("code=40004 sub_code=ACQ.BUYER_BALANCE_NOT_ENOUGH out_trade_no=F7");
    pay("F8", json!({"effect": "refuse", "code": "isv.app-call-limited"}))
        .await
        .says("code=40005");
    let books = [
        "Debit F1 100",
        "Debit F2 100",
        "Debit F3 100",
        "Debit F4 100",
        "Debit F5 100",
    ];
    assert_eq!(shop.books(), books);
    fault(&shop, QUERY, "F1", &json!({"effect": "blind"}));
    assert_eq!(shop.status("F1").await, "ACQ.TRADE_NOT_EXIST");
    assert_eq!(shop.status("F1").await, "TRADE_SUCCESS");
    fault(&shop, REFUND, "R1", &json!({"effect": "system_error_after"}));
    let refund = json!({"out_trade_no": "F1", "out_request_no": "R1", "refund_amount": "1.00"});
    shop.call(REFUND, refund.clone()).await.says("code=20000");
    shop.call(REFUND, refund)
        .await
        .says("code=10000 fund_change=N refund_fee=1.00");
}

#[tokio::test]
async fn answers_are_lost_before_and_after_the_money_moved() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let effects = [
        ("L1", json!({"effect": "reset_before"}), "ACQ.TRADE_NOT_EXIST"),
        ("L2", json!({"effect": "reset_after"}), "TRADE_SUCCESS"),
        ("L3", json!({"effect": "half_body"}), "TRADE_SUCCESS"),
    ];
    for (number, effect, status) in effects {
        fault(&shop, PAY, number, &effect);
        let params = shop.params(PAY, &order(number, &agreement_no, "1.00"), &[]);
        assert!(shop.send(&params).await.is_err(), "{number}");
        assert_eq!(shop.status(number).await, status, "{number}");
    }
    fault(&shop, PAY, "L4", &json!({"effect": "http_error_after", "status": 502}));
    let params = shop.params(PAY, &order("L4", &agreement_no, "1.00"), &[]);
    assert!(shop.send(&params).await.unwrap().starts_with("<html>"));
    assert_eq!(shop.status("L4").await, "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_call_that_arrived_is_carried_out_though_the_caller_hung_up() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.fault(json!({"operation": PAY, "effect": "delay", "ms": 250}));
    let params = shop.params(PAY, &order("P1", &agreement_no, "1.00"), &[]);
    let impatient = tokio::time::timeout(Duration::from_millis(80), shop.send(&params)).await;
    assert!(impatient.is_err());
    assert_eq!(shop.status("P1").await, "ACQ.TRADE_NOT_EXIST", "still travelling");
    shop.wait_status("P1", "TRADE_SUCCESS").await;
    assert_eq!(shop.books(), ["Debit P1 100"]);
}

#[tokio::test]
async fn pending_trades_end_as_the_script_says() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    fault(&shop, PAY, "P1", &json!({"effect": "pending", "ms": 30}));
    shop.pay("P1", &agreement_no, "1.00").await.says("code=10003");
    shop.wait_status("P1", "TRADE_SUCCESS").await;
    fault(
        &shop,
        PAY,
        "P2",
        &json!({"effect": "fail_later", "ms": 30, "code": "PAYMENT_FAIL"}),
    );
    shop.pay("P2", &agreement_no, "1.00").await.says("code=10003");
    shop.wait_status("P2", "TRADE_CLOSED").await;
    assert_eq!(shop.books(), ["Debit P1 100"]);
}

#[tokio::test]
async fn a_cancelled_trade_can_be_paid_all_the_same() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    fault(&shop, PAY, "P1", &json!({"effect": "pending", "ms": 600_000}));
    shop.pay("P1", &agreement_no, "1.00").await.says("code=10003");
    fault(&shop, CANCEL, "P1", &json!({"effect": "paid_after_reverse", "ms": 60}));
    shop.cancel("P1").await.says("action=close retry_flag=N");
    assert_eq!(shop.status("P1").await, "TRADE_CLOSED");
    shop.wait_status("P1", "TRADE_SUCCESS").await;

    fault(&shop, PAY, "P2", &json!({"effect": "paid_after_reverse", "ms": 60}));
    shop.pay("P2", &agreement_no, "1.00").await.says("code=10003");
    fault(&shop, CANCEL, "P2", &json!({"effect": "pending", "ms": 0}));
    shop.cancel("P2").await.says("code=10000 retry_flag=Y action=");
    assert_eq!(shop.status("P2").await, "WAIT_BUYER_PAY");
    shop.cancel("P2").await.says("action=close retry_flag=N");
    shop.wait_status("P2", "TRADE_SUCCESS").await;
    shop.cancel("P2").await.says("action=refund");

    shop.pay("P3", &agreement_no, "1.00").await.says("code=10000");
    fault(&shop, CANCEL, "P3", &json!({"effect": "paid_after_reverse", "ms": 60}));
    shop.cancel("P3").await.says("action=close");
    shop.wait_status("P3", "TRADE_SUCCESS").await;
    let books = ["Debit P1 100", "Debit P2 100", "Reversal P2 100", "Debit P3 100"];
    assert_eq!(shop.books(), books, "nobody is debited twice");
}
