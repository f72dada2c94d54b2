//! Payments that are repeated, refused, left waiting, cancelled and closed.

use serde_json::json;

use crate::merchant::Merchant;
use crate::shop::{CLOSE, PAY, REFUND, Shop, order, trade};

#[tokio::test]
async fn a_repeated_payment_is_debited_once_and_another_content_is_refused() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let first = shop.pay("P1", &agreement_no, "4.50").await;
    assert_eq!(shop.pay("P1", &agreement_no, "4.50").await.node, first.node);
    let other = shop.pay("P1", &agreement_no, "4.51").await;
    other.says("code=40004 sub_code=ACQ.CONTEXT_INCONSISTENT out_trade_no=P1 receipt_amount=0.00");
    let (one, two) = tokio::join!(
        shop.pay("P2", &agreement_no, "3.00"),
        shop.pay("P2", &agreement_no, "3.00")
    );
    assert_eq!(one.node, two.node);
    shop.change(json!({"repeat_says_has_success": true}));
    shop.pay("P1", &agreement_no, "4.50")
        .await
        .says("sub_code=ACQ.TRADE_HAS_SUCCESS");
    assert_eq!(shop.books(), ["Debit P1 450", "Debit P2 300"]);
}

#[tokio::test]
async fn wrong_orders_are_refused_and_leave_no_trade() {
    let shop = Shop::open(json!({"single_max_fen": 100})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let cases = [
        ("out_trade_no", json!("P-1"), "INVALID_PARAMETER"),
        ("total_amount", json!("0.005"), "INVALID_PARAMETER"),
        ("total_amount", json!("1.01"), "PRODUCT_AMOUNT_LIMIT_ERROR"),
        ("subject", json!("a=b"), "INVALID_PARAMETER"),
        ("timeout_express", json!("16d"), "INVALID_PARAMETER"),
        ("store_id", json!("三号店"), "INVALID_PARAMETER"),
        ("body", json!("长".repeat(129)), "INVALID_PARAMETER"),
        (
            "time_expire",
            json!("2020-01-01 00:00:00"),
            "NOW_TIME_AFTER_EXPIRE_TIME_ERROR",
        ),
        ("product_code", json!("CYCLE_PAY_AUTH"), "AGREEMENT_ERROR"),
        (
            "agreement_params",
            json!({"agreement_no": "20260000000000000000"}),
            "AGREEMENT_NOT_EXIST",
        ),
        ("agreement_params", json!(null), "INVALID_PARAMETER"),
    ];
    for (name, value, sub_code) in cases {
        let mut biz = order("P1", &agreement_no, "1.00");
        biz[name] = value;
        let answer = shop.call(PAY, biz).await;
        answer.says(&format!(
            "code=40004 sub_code=ACQ.{sub_code} total_amount= receipt_amount=0.00"
        ));
        assert!(answer.fits);
    }
    let by_code = json!({"out_trade_no": "P1", "total_amount": "1.00", "subject": "x", "scene": "bar_code",
        "auth_code": "281234567890123456"});
    shop.change(json!({"products": ["GENERAL_WITHHOLDING"]}));
    shop.call(PAY, by_code).await.says("sub_code=ACQ.ACCESS_FORBIDDEN");
    assert_eq!(shop.status("P1").await, "ACQ.TRADE_NOT_EXIST");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn an_unknown_number_is_cancelled_without_action_and_then_refused() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let node = json!({"code": "10000", "msg": "Success", "out_trade_no": "P1", "retry_flag": "N"});
    assert_eq!(shop.cancel("P1").await.node, node);
    shop.pay("P1", &agreement_no, "1.00")
        .await
        .says("sub_code=ACQ.TRADE_HAS_CLOSE");
    assert_eq!(shop.status("P1").await, "ACQ.TRADE_NOT_EXIST");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn an_unpaid_trade_can_be_closed_cancelled_or_left_to_time() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    for number in ["P1", "P2", "P3"] {
        shop.fault(json!({"order_no": number, "operation": PAY, "effect": "pending", "ms": 600_000}));
        let mut biz = order(number, &agreement_no, "1.00");
        biz["timeout_express"] = json!("5m");
        let answer = shop.call(PAY, biz).await;
        answer.says("code=10003 total_amount=1.00 buyer_pay_amount=0.00 gmt_payment=");
        assert_eq!(answer.text("msg"), "order success pay inprocess");
        assert_eq!(shop.status(number).await, "WAIT_BUYER_PAY");
    }
    shop.call(CLOSE, trade("P1")).await.says("code=10000 out_trade_no=P1");
    shop.call(CLOSE, trade("P1")).await.says("code=10000");
    shop.cancel("P2").await.says("action=close retry_flag=N");
    assert_eq!(shop.status("P1").await, "TRADE_CLOSED");
    assert_eq!(shop.status("P2").await, "TRADE_CLOSED");
    shop.advance(298);
    assert_eq!(shop.status("P3").await, "WAIT_BUYER_PAY");
    shop.advance(3);
    assert_eq!(shop.status("P3").await, "TRADE_CLOSED");
    shop.pay("P3", &agreement_no, "1.00")
        .await
        .says("sub_code=ACQ.TRADE_HAS_CLOSE");
    shop.call(CLOSE, trade("P4")).await.says("sub_code=ACQ.TRADE_NOT_EXIST");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn windows_for_cancelling_and_refunding_end() {
    let shop = Shop::open(json!({"cancel_window_s": 60, "refund_window_s": 3_600})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.pay("P1", &agreement_no, "1.00").await;
    shop.call(CLOSE, trade("P1"))
        .await
        .says("sub_code=ACQ.TRADE_STATUS_ERROR");
    shop.advance(61);
    shop.cancel("P1").await.says("sub_code=ACQ.TRADE_CANCEL_TIME_OUT");
    shop.advance(3_600);
    assert_eq!(shop.status("P1").await, "TRADE_FINISHED");
    shop.cancel("P1").await.says("sub_code=ACQ.TRADE_HAS_FINISHED");
    let late = json!({"out_trade_no": "P1", "refund_amount": "1.00", "out_request_no": "R1"});
    shop.call(REFUND, late).await.says("sub_code=ACQ.TRADE_HAS_FINISHED");
    assert_eq!(shop.books(), ["Debit P1 100"]);
}

#[tokio::test]
async fn asynchronous_deductions_are_accepted_first_and_paid_later() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let mut biz = order("P1", &agreement_no, "1.00");
    biz["is_async_pay"] = json!(true);
    biz["pay_params"] = json!({"async_type": "NORMAL_ASYNC", "retry_type": "NONE"});
    let answer = shop.call_with(PAY, biz, &[("notify_url", &merchant.at("paid"))]).await;
    answer.says("code=10000 async_payment_mode=NORMAL_ASYNC_PAY gmt_payment= buyer_pay_amount=0.00");
    merchant.wait("out_trade_no=P1 trade_status=TRADE_SUCCESS").await;
    assert_eq!(shop.status("P1").await, "TRADE_SUCCESS");
    assert_eq!(shop.books(), ["Debit P1 100"]);
}

#[tokio::test]
async fn coupons_of_both_sponsors_are_told_apart() {
    let shop = Shop::open(json!({"coupon_fen": 100, "merchant_coupon_fen": 50})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let answer = shop.pay("P1", &agreement_no, "4.50").await;
    answer.says("buyer_pay_amount=3.00 receipt_amount=4.00 discount_amount=1.00 mdiscount_amount=0.50");
    let lines = answer.node["voucher_detail_list"].as_array().unwrap();
    let worth = |line: usize, name: &str| lines[line][name].as_str().unwrap().to_owned();
    assert_eq!(
        [worth(0, "merchant_contribute"), worth(0, "other_contribute")],
        ["0.00", "1.00"]
    );
    assert_eq!(
        [worth(1, "merchant_contribute"), worth(1, "other_contribute")],
        ["0.50", "0.00"]
    );
    let small = shop.pay("P2", &agreement_no, "0.80").await;
    small.says("buyer_pay_amount=0.00 discount_amount=0.80 mdiscount_amount=0.00");
    assert_eq!(
        small.node["fund_bill_list"],
        json!([{"amount": "0.80", "fund_channel": "DISCOUNT"}])
    );
}
