//! Payment codes: shown on the phone, scanned at the till, with and without a password.

use serde_json::{Value, json};

use crate::merchant::Merchant;
use crate::shop::{PAY, QUERY, REFUND, Shop, USER, code_order};

const RIDER: &str = "小明";

#[tokio::test]
async fn a_code_pays_once_and_at_once() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({"coupon_fen": 100, "store_name": "一号店"})).await;
    let shown = shop.phone("code", &[("user", USER)]).await.text().await.unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let code = shown["code"].as_str().unwrap().to_owned();
    let prefix: u32 = code[..2].parse().unwrap();
    assert!(code.len() == 18 && (25..=30).contains(&prefix), "{code}");
    let life_ms = shown["expires_at_ms"].as_i64().unwrap() - shop.sim.frame().clock.now_ms();
    assert!((55_000..=60_000).contains(&life_ms), "{life_ms}");

    let url = merchant.at("paid");
    let paid = shop
        .call_with(PAY, code_order("P1", &code, "4.50"), &[("notify_url", &url)])
        .await;
    paid.says("code=10000 total_amount=4.50 buyer_pay_amount=3.50 receipt_amount=4.50 invoice_amount=3.50");
    paid.says("discount_amount=1.00 mdiscount_amount=0.00 async_payment_mode= store_name=一号店");
    paid.says(&format!("buyer_user_id={USER} buyer_logon_id=159****5620"));
    assert!(paid.fits);
    let notice = merchant.wait("out_trade_no=P1 trade_status=TRADE_SUCCESS").await;
    assert!(notice.is_signed() && notice.says("agreement_no= total_amount=4.50"));
    let movement = shop.sim.frame().books().remove(0);
    assert_eq!((movement.amount_fen, movement.payer.as_str()), (450, USER));

    assert_eq!(
        shop.pay_by_code("P1", &code, "4.50").await.node,
        paid.node,
        "the same call again"
    );
    shop.pay_by_code("P2", &code, "4.50")
        .await
        .says("sub_code=ACQ.PAYMENT_AUTH_CODE_INVALID");
    shop.pay_by_code("P1", &code, "4.51")
        .await
        .says("sub_code=ACQ.CONTEXT_INCONSISTENT");
    let other = shop.code("小红", "0").await;
    shop.pay_by_code("P1", &other, "4.50")
        .await
        .says("sub_code=ACQ.TRADE_BUYER_NOT_MATCH");
    assert_eq!(shop.books(), ["Debit P1 450"]);
}

#[tokio::test]
async fn codes_that_are_old_unknown_or_no_codes_pay_nothing() {
    let shop = Shop::open(json!({"code_max_fen": 10_000})).await;
    let code = shop.code(RIDER, "0").await;
    shop.advance(61);
    for dead in [code.as_str(), "281234567890123456", "134567890123456789", "x"] {
        let answer = shop.pay_by_code("P1", dead, "1.00").await;
        answer.says("code=40004 sub_code=ACQ.PAYMENT_AUTH_CODE_INVALID receipt_amount=0.00 out_trade_no=P1");
    }
    let code = shop.code(RIDER, "0").await;
    shop.pay_by_code("P1", &code, "100.01")
        .await
        .says("sub_code=ACQ.TOTAL_FEE_EXCEED");
    let cases = [
        ("scene", json!("wave_code"), "INVALID_PARAMETER"),
        ("scene", json!("security_code"), "ACCESS_FORBIDDEN"),
        ("auth_code", json!(null), "INVALID_PARAMETER"),
        ("auth_code", json!("2".repeat(65)), "INVALID_PARAMETER"),
        ("product_code", json!("GENERAL_WITHHOLDING"), "ACCESS_FORBIDDEN"),
        ("seller_id", json!("2088000000000002"), "INVALID_RECEIVE_ACCOUNT"),
        ("goods_detail", json!(vec![json!({}); 151]), "SUB_GOODS_SIZE_MAX_COUNT"),
    ];
    for (name, value, sub_code) in cases {
        let mut biz = code_order("P1", &code, "1.00");
        biz[name] = value;
        shop.call(PAY, biz).await.says(&format!("sub_code=ACQ.{sub_code}"));
    }
    assert!(shop.books().is_empty());
    shop.pay_by_code("P1", &code, "1.00").await.says("code=10000");
}

#[tokio::test]
async fn a_payment_that_needs_the_password_waits_for_it() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({"password_free_max_fen": 5_000})).await;
    let code = shop.code(RIDER, "1").await;
    assert_eq!(shop.password(&code, "1").await, 409, "nothing waits yet");
    let url = merchant.at("paid");
    let answer = shop
        .call_with(PAY, code_order("P1", &code, "1.00"), &[("notify_url", &url)])
        .await;
    answer.says("code=10003 total_amount=1.00 buyer_pay_amount=0.00 gmt_payment= out_trade_no=P1");
    assert_eq!(shop.status("P1").await, "WAIT_BUYER_PAY");
    assert_eq!(shop.pay_by_code("P1", &code, "1.00").await.node, answer.node);
    let home = format!("{}/alipay/phone?user={RIDER}", shop.sim.url());
    let page = shop.client.get(&home).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&code) && page.contains("输入密码并支付"), "{page}");
    assert_eq!(shop.password(&code, "1").await, 204);
    assert_eq!(shop.status("P1").await, "TRADE_SUCCESS");
    assert!(
        merchant
            .wait("out_trade_no=P1")
            .await
            .says("trade_status=TRADE_SUCCESS")
    );
    assert_eq!(shop.password(&code, "1").await, 409, "asked once");
    assert_eq!(shop.password("281111111111111111", "1").await, 404);

    let dear = shop.code(RIDER, "0").await;
    shop.pay_by_code("P2", &dear, "50.01").await.says("code=10003");
    assert_eq!(shop.password(&dear, "0").await, 204, "he refuses");
    assert_eq!(shop.status("P2").await, "TRADE_CLOSED");
    shop.call(QUERY, crate::shop::trade("P2"))
        .await
        .says("unpaid_reason=用户取消支付");
    shop.pay_by_code("P2", &dear, "50.01")
        .await
        .says("sub_code=ACQ.TRADE_HAS_CLOSE");
    assert_eq!(shop.books(), ["Debit P1 100"]);
}

#[tokio::test]
async fn a_question_for_the_password_ends_with_the_time_to_pay_or_with_a_cancel() {
    let shop = Shop::open(json!({})).await;
    let (left, cancelled) = (shop.code(RIDER, "1").await, shop.code(RIDER, "1").await);
    shop.pay_by_code("P1", &left, "1.00").await.says("code=10003");
    shop.pay_by_code("P2", &cancelled, "1.00").await.says("code=10003");
    shop.cancel("P2").await.says("action=close retry_flag=N");
    assert_eq!(shop.password(&cancelled, "1").await, 409);
    shop.advance(119);
    assert_eq!(shop.status("P1").await, "WAIT_BUYER_PAY");
    shop.advance(2);
    assert_eq!(shop.password(&left, "1").await, 409, "timeout_express is over");
    assert_eq!(shop.status("P1").await, "TRADE_CLOSED");
    let unlimited = shop.code(RIDER, "1").await;
    let mut biz = code_order("P3", &unlimited, "1.00");
    biz["timeout_express"] = json!(null);
    shop.call(PAY, biz).await.says("code=10003");
    shop.advance(3 * 3600 - 5);
    assert_eq!(shop.status("P3").await, "WAIT_BUYER_PAY");
    shop.advance(10);
    assert_eq!(shop.status("P3").await, "TRADE_CLOSED", "three hours at a till");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn a_payment_by_code_is_cancelled_and_refunded_like_any_other() {
    let shop = Shop::open(json!({})).await;
    for (number, cents) in [("P1", "2.00"), ("P2", "3.00")] {
        let code = shop.code(RIDER, "0").await;
        shop.pay_by_code(number, &code, cents).await.says("code=10000");
    }
    shop.cancel("P1").await.says("action=refund retry_flag=N");
    let refund = json!({"out_trade_no": "P2", "out_request_no": "R2", "refund_amount": "1.20"});
    shop.call(REFUND, refund).await.says("fund_change=Y refund_fee=1.20");
    let books = ["Debit P1 200", "Debit P2 300", "Reversal P1 200", "Refund R2 120"];
    assert_eq!(shop.books(), books);
}

#[tokio::test]
async fn the_fault_script_plays_on_payments_by_code_too() {
    let shop = Shop::open(json!({})).await;
    let faulty = async |number: &str, effect: Value| {
        let mut line = json!({"gateway": "alipay", "operation": PAY, "order_no": number});
        line.as_object_mut()
            .unwrap()
            .extend(effect.as_object().unwrap().clone());
        shop.fault(line);
        let code = shop.code(RIDER, "0").await;
        (shop.pay_by_code(number, &code, "1.00").await, code)
    };
    let (answer, code) = faulty("F1", json!({"effect": "refuse", "code": "PAYMENT_REQUEST_HAS_RISK"})).await;
    answer.says("code=40004 sub_code=ACQ.PAYMENT_REQUEST_HAS_RISK");
    shop.pay_by_code("F1", &code, "1.00").await.says("code=10000");
    let (answer, _) = faulty("F2", json!({"effect": "system_error_after"})).await;
    answer.says("code=20000 sub_code=ACQ.SYSTEM_ERROR");
    assert_eq!(shop.status("F2").await, "TRADE_SUCCESS");
    let (answer, _) = faulty("F3", json!({"effect": "pending", "ms": 30})).await;
    answer.says("code=10003");
    shop.wait_status("F3", "TRADE_SUCCESS").await;
    let (answer, _) = faulty("F4", json!({"effect": "fail_later", "ms": 30, "code": "PAYMENT_FAIL"})).await;
    answer.says("code=10003");
    shop.wait_status("F4", "TRADE_CLOSED").await;
    let (answer, _) = faulty("F5", json!({"effect": "paid_after_reverse", "ms": 50})).await;
    answer.says("code=10003");
    shop.cancel("F5").await.says("action=close");
    shop.wait_status("F5", "TRADE_SUCCESS").await;
    assert_eq!(
        shop.books(),
        ["Debit F1 100", "Debit F2 100", "Debit F3 100", "Debit F5 100"]
    );
}

#[tokio::test]
async fn people_see_their_code_on_a_page() {
    let shop = Shop::open(json!({})).await;
    let request = shop.client.post(format!("{}/alipay/phone/code", shop.sim.url()));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html");
    let page = request.body("user=a").send().await.unwrap().text().await.unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("付款码"), "{page}");
}
