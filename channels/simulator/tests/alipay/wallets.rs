//! What users have and were given: balances, red packets, points, coupons, cards; and what merchants have.

use serde_json::{Value, json};

use crate::merchant::Merchant;
use crate::shop::{PAY, QUERY, REFUND, REFUND_QUERY, Shop, USER, code_order};

const RIDER: &str = "2088000000000123";

fn refund(number: &str, yuan: &str) -> Value {
    json!({"out_trade_no": "P1", "out_request_no": number, "refund_amount": yuan,
        "query_options": ["refund_detail_item_list", "refund_voucher_detail_list"]})
}

#[tokio::test]
async fn every_kind_of_discount_is_told_apart_and_goes_back_in_its_turn() {
    let shop = Shop::open(json!({"coupon_fen": 100, "merchant_coupon_fen": 50, "tells_refund_parts": true})).await;
    for (name, value) in [
        ("packet_fen", "30"),
        ("point_fen", "20"),
        ("coupon_fen", "10"),
        ("balance_fen", "1000"),
    ] {
        shop.give(RIDER, name, value).await;
    }
    let code = shop.code(RIDER, "0").await;
    let paid = shop.pay_by_code("P1", &code, "5.00").await;
    paid.says("buyer_pay_amount=2.90 point_amount=0.20 receipt_amount=4.50 invoice_amount=2.90");
    paid.says("discount_amount=1.40 mdiscount_amount=0.50 total_amount=5.00");
    let lines = json!([{"amount": "2.90", "fund_channel": "ALIPAYACCOUNT"}, {"amount": "0.20", "fund_channel": "POINT"},
        {"amount": "0.30", "fund_channel": "COUPON"}, {"amount": "1.10", "fund_channel": "DISCOUNT"},
        {"amount": "0.50", "fund_channel": "MDISCOUNT"}]);
    assert_eq!(paid.node["fund_bill_list"], lines);
    let vouchers = paid.node["voucher_detail_list"].as_array().unwrap();
    assert!(
        vouchers
            .iter()
            .all(|v| v["template_id"].as_str().is_some_and(|id| !id.is_empty()))
    );
    let found = shop
        .call(
            QUERY,
            json!({"out_trade_no": "P1", "query_options": ["fund_bill_list", "voucher_detail_list"]}),
        )
        .await;
    found.says("buyer_pay_amount=2.90 point_amount=0.20 discount_amount=1.40 mdiscount_amount=0.50");
    assert_eq!(found.node["fund_bill_list"], lines);

    let first = shop.call(REFUND, refund("R1", "3.00")).await;
    first.says("refund_fee=3.00 send_back_fee=3.00 present_refund_buyer_amount=3.00");
    first.says("present_refund_discount_amount=0.00 present_refund_mdiscount_amount=0.00");
    assert!(first.node.get("refund_voucher_detail_list").is_none(), "no coupon yet");
    let second = shop.call(REFUND, refund("R2", "2.00")).await;
    second.says("refund_fee=5.00 send_back_fee=1.50 present_refund_buyer_amount=0.10");
    second.says("present_refund_discount_amount=1.40 present_refund_mdiscount_amount=0.50");
    assert_eq!(
        second.node["refund_voucher_detail_list"][1]["merchant_contribute"],
        "0.50"
    );
    let wallet = shop.phone("wallet", &[("user", RIDER)]).await.text().await.unwrap();
    let wallet: Value = serde_json::from_str(&wallet).unwrap();
    assert_eq!(
        (&wallet["balance_fen"], &wallet["packet_fen"], &wallet["point_fen"]),
        (&json!(1000), &json!(30), &json!(20))
    );
}

#[tokio::test]
async fn only_the_discountable_share_is_discounted_and_channels_can_be_left_out() {
    let shop = Shop::open(json!({"coupon_fen": 100, "merchant_coupon_fen": 50})).await;
    shop.give(RIDER, "packet_fen", "1000").await;
    let pay = async |number: &str, more: Value| {
        let mut biz = code_order(number, &shop.code(RIDER, "0").await, "3.00");
        biz.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shop.call(PAY, biz).await
    };
    let none = pay("P1", json!({"disable_pay_channels": "coupon,promotion"})).await;
    none.says("code=10000 buyer_pay_amount=3.00 discount_amount=0.00 mdiscount_amount=0.00");
    let some = pay(
        "P2",
        json!({"disable_pay_channels": "coupon", "undiscountable_amount": "2.80"}),
    )
    .await;
    some.says("code=10000 discount_amount=0.20 mdiscount_amount=0.00 buyer_pay_amount=2.80");
    let both = json!({"discountable_amount": "1.00", "undiscountable_amount": "1.00"});
    pay("P3", both).await.says("sub_code=ACQ.INVALID_PARAMETER");
    pay("P4", json!({"disable_pay_channels": "balance,coupon"}))
        .await
        .says("sub_code=ACQ.NOT_SUPPORT_PAYMENT_INST");
    shop.give(RIDER, "channel", "PCREDIT").await;
    let credit = pay("P4", json!({"disable_pay_channels": "balance,coupon"})).await;
    assert_eq!(credit.node["fund_bill_list"][0]["fund_channel"], "PCREDIT");
}

#[tokio::test]
async fn who_has_too_little_or_may_not_pay_is_refused() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.give(USER, "balance_fen", "150").await;
    shop.pay("P1", &agreement_no, "1.00").await.says("code=10000");
    shop.pay("P2", &agreement_no, "1.00")
        .await
        .says("code=40004 sub_code=ACQ.BUYER_BALANCE_NOT_ENOUGH");
    assert_eq!(shop.status("P2").await, "ACQ.TRADE_NOT_EXIST");
    shop.cancel("P1").await.says("action=refund");
    shop.pay("P3", &agreement_no, "1.50").await.says("code=10000");
    let waiting = shop.code(USER, "1").await;
    shop.give(USER, "balance_fen", "100").await;
    shop.pay_by_code("P4", &waiting, "1.00").await.says("code=10003");
    shop.give(USER, "balance_fen", "99").await;
    assert_eq!(shop.password(&waiting, "1").await, 204);
    assert_eq!(shop.status("P4").await, "TRADE_CLOSED", "spent in the meantime");

    shop.give(USER, "balance_fen", "none").await;
    shop.give(USER, "code_off", "1").await;
    let code = shop.code(USER, "0").await;
    shop.pay_by_code("P5", &code, "1.00")
        .await
        .says("sub_code=ACQ.MOBILE_PAYMENT_SWITCH_OFF");
    shop.give(USER, "blocked", "1").await;
    shop.pay("P6", &agreement_no, "1.00")
        .await
        .says("sub_code=ACQ.BUYER_ENABLE_STATUS_FORBID");
    let back = json!({"out_trade_no": "P3", "out_request_no": "R3", "refund_amount": "1.00"});
    shop.call(REFUND, back)
        .await
        .says("sub_code=ACQ.BUYER_ENABLE_STATUS_FORBID");
    let own = shop.code("2088000000000001", "0").await;
    shop.pay_by_code("P7", &own, "1.00")
        .await
        .says("sub_code=ACQ.BUYER_SELLER_EQUAL");
    assert_eq!(
        shop.phone("wallet", &[("user", USER), ("channel", "GOLD")])
            .await
            .status(),
        400
    );
    assert_eq!(shop.books(), ["Debit P1 100", "Reversal P1 100", "Debit P3 150"]);
}

#[tokio::test]
async fn a_merchant_gives_back_only_what_he_has() {
    let shop = Shop::open(json!({"balance_fen": 0, "fee_rate": 100})).await;
    let pay = async |number: &str, yuan: &str| {
        let code = shop.code(RIDER, "0").await;
        shop.pay_by_code(number, &code, yuan).await.says("code=10000");
    };
    // Alipay gives its fee back together with the money, so that the account is where it was.
    pay("P1", "10.00").await;
    shop.call(REFUND, refund("R1", "10.00")).await.says("fund_change=Y");
    pay("P2", "10.00").await;
    shop.change(json!({"balance_fen": -1}));
    let back = json!({"out_trade_no": "P2", "out_request_no": "R2", "refund_amount": "10.00"});
    shop.call(REFUND, back.clone())
        .await
        .says("code=40004 sub_code=ACQ.SELLER_BALANCE_NOT_ENOUGH refund_fee=0.00");
    shop.cancel("P2")
        .await
        .says("code=40004 sub_code=ACQ.SELLER_BALANCE_NOT_ENOUGH");
    assert_eq!(shop.status("P2").await, "TRADE_SUCCESS");
    pay("P3", "1.00").await;
    shop.call(REFUND, back).await.says("fund_change=Y refund_fee=10.00");
    assert_eq!(
        shop.books(),
        [
            "Debit P1 1000",
            "Refund R1 1000",
            "Debit P2 1000",
            "Debit P3 100",
            "Refund R2 1000"
        ]
    );
}

#[tokio::test]
async fn a_refund_to_a_card_is_told_to_the_app_gateway() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({"app_gateway_url": merchant.at("app")})).await;
    shop.give(RIDER, "channel", "BANKCARD").await;
    let code = shop.code(RIDER, "0").await;
    let paid = shop.pay_by_code("P1", &code, "3.00").await;
    let line = json!([{"amount": "3.00", "bank_code": "CMB", "fund_channel": "BANKCARD", "fund_type": "DEBIT_CARD"}]);
    assert_eq!(paid.node["fund_bill_list"], line);
    shop.call(REFUND, refund("R1", "1.00")).await.says("fund_change=Y");
    let message = merchant
        .wait("msg_method=alipay.trade.refund.depositback.completed")
        .await;
    assert!(message.is_signed() && message.path == "/app" && message.says("version=1.1 notify_time="));
    let content: Value = serde_json::from_str(message.text("biz_content")).unwrap();
    assert_eq!(
        (
            &content["out_request_no"],
            &content["dback_amount"],
            &content["dback_status"]
        ),
        (&json!("R1"), &json!("1.00"), &json!("S"))
    );
    assert_eq!(message.text("utc_timestamp").len(), 13);
    let ask = json!({"out_trade_no": "P1", "out_request_no": "R1", "query_options": ["deposit_back_info"]});
    let found = shop.call(REFUND_QUERY, ask).await;
    assert_eq!(found.node["deposit_back_info"]["dback_amount"], "1.00");
    assert_eq!(found.node["deposit_back_info"]["has_deposit_back"], "true");
}
