//! A channel's own payment code at a till: paid through that channel where the merchant has its product.

use std::time::Duration;

use metropay_core::channel::Hint;
use metropay_core::payment::complete;
use metropay_core::reversal;
use serde_json::{Value, json};

use crate::gateway::Deduct;
use crate::shop::{Reply, Shop};

/// A code in an App of UnionPay.
const CODE: &str = "6225735053201615202";

async fn open() -> Shop {
    let shop = Shop::open().await;
    shop.take_codes_of("unionpay").await;
    shop
}

async fn pay(shop: &Shop, sale: &Value) -> Reply {
    shop.post_as(&shop.other, "applypay", sale.clone()).await
}

async fn query(shop: &Shop, sale: &Value) -> Value {
    let order = json!({ "out_request_no": sale["out_request_no"] });
    shop.post_as(&shop.other, "orderquery", order).await.data().clone()
}

#[tokio::test]
async fn a_channels_own_code_is_paid_through_that_channel_and_has_no_user_of_ours() {
    let shop = open().await;
    let sale = shop.sale(&format!("{CODE}\r\n"));
    let paid = pay(&shop, &sale).await;
    let data = paid.data();
    assert_eq!(
        (&data["pay_status"], &data["pay_type"]),
        (&json!("PS_SUCCESS"), &json!("CT_UNION"))
    );
    assert!(data.get("uid").is_none(), "{data}");
    let codes: Vec<String> = shop.gateway.books().codes.values().cloned().collect();
    assert_eq!(codes, [CODE], "sent as it was shown, without what the scan gun added");
    assert_eq!(pay(&shop, &sale).await.data(), data);
    assert_eq!(query(&shop, &sale).await, *data);
    assert_eq!((shop.gateway.deductions(), shop.gateway.net()), (1, 600));

    let part = json!({ "out_request_no": sale["out_request_no"], "out_refund_no": "RF1", "refund_fee": 100 });
    let refunded = shop.post_as(&shop.other, "refund", part).await;
    assert_eq!(refunded.data()["pay_refund_status"], "RS_SUCCESS");
    assert_eq!(shop.gateway.net(), 500);
}

#[tokio::test]
async fn a_merchant_without_the_product_sends_the_shopper_to_the_channels_own_till() {
    let shop = open().await;
    let refused = shop.post("applypay", shop.sale(CODE)).await;
    assert_eq!(refused.refusal(), (422, "CODE_FOREIGN", None));
    assert_eq!(refused.body["looks_like"], "UnionPay payment code");
    // The same merchant takes no codes of another channel either.
    let wechat = pay(&shop, &shop.sale("134567890123456789")).await;
    assert_eq!(wechat.refusal(), (422, "CODE_FOREIGN", None));
    assert_eq!(shop.gateway.deductions(), 0);
    // Whose it is, the channel alone knows.
    let whose = shop.post_as(&shop.other, "queryuid", json!({ "qrcode": CODE })).await;
    assert_eq!(whose.refusal(), (422, "CODE_FOREIGN", None));
}

#[tokio::test]
async fn while_the_shopper_types_his_password_the_order_is_paying_and_then_it_is_paid() {
    let shop = open().await;
    shop.gateway.will(Deduct::Accepts);
    let sale = shop.sale(CODE);
    let waiting = pay(&shop, &sale).await;
    assert_eq!(waiting.data()["pay_status"], "PS_PAYING");
    shop.gateway
        .pay_now(waiting.data()["pay_out_trade_no"].as_str().unwrap());
    shop.clock.advance(Duration::from_secs(10));
    let now = query(&shop, &sale).await;
    assert_eq!(now["pay_status"], "PS_SUCCESS", "{now}");
    assert_eq!(shop.gateway.deductions(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_found_by_asking_and_never_paid_twice() {
    let shop = open().await;
    shop.gateway.will(Deduct::PaysAndIsSilent);
    let sale = shop.sale(CODE);
    let paid = pay(&shop, &sale).await;
    assert_eq!(paid.data()["pay_status"], "PS_SUCCESS", "found within the till's time");
    assert_eq!((shop.gateway.deductions(), shop.gateway.net()), (1, 600));
}

#[tokio::test]
async fn who_never_types_his_password_is_not_charged() {
    let shop = open().await;
    shop.gateway.will(Deduct::Accepts);
    let sale = shop.sale(CODE);
    assert_eq!(pay(&shop, &sale).await.data()["pay_status"], "PS_PAYING");
    shop.clock.advance(Duration::from_secs(60));
    complete::complete_due(&shop.engine).await.unwrap();
    reversal::complete::complete_due(&shop.engine).await.unwrap();
    let ended = query(&shop, &sale).await;
    assert_eq!(ended["pay_status"], "PS_CLOSED", "{ended}");
    assert_eq!(shop.gateway.net(), 0);
}

#[tokio::test]
async fn what_the_channel_refuses_is_failed_and_an_order_is_undone_like_any_other() {
    let shop = open().await;
    shop.gateway.will(Deduct::Refuses(Hint::Funds));
    let failed = pay(&shop, &shop.sale(CODE)).await;
    assert_eq!(failed.data()["pay_status"], "PS_FAILED");
    assert!(failed.data()["pay_err_desc"].is_string());

    shop.gateway.will(Deduct::Pays);
    let sale = shop.sale(CODE);
    assert_eq!(pay(&shop, &sale).await.data()["pay_status"], "PS_SUCCESS");
    let order = json!({ "out_request_no": sale["out_request_no"] });
    let undone = shop.post_as(&shop.other, "reverse", order).await;
    assert_eq!(undone.data()["recall"], "N");
    assert_eq!(query(&shop, &sale).await["pay_status"], "PS_CLOSED");
    assert_eq!(shop.gateway.net(), 0);
}

#[tokio::test]
async fn a_number_is_one_order_for_one_code_for_ever() {
    let shop = open().await;
    let sale = shop.sale(CODE);
    assert_eq!(pay(&shop, &sale).await.data()["pay_status"], "PS_SUCCESS");
    for (field, value) in [("qrcode", json!("6225735053201615203")), ("total_fee", json!(601))] {
        let mut other = sale.clone();
        other[field] = value;
        assert_eq!(
            pay(&shop, &other).await.refusal(),
            (409, "OUT_REQUEST_NO_CONFLICT", Some(field))
        );
    }
    let too_much = {
        let mut sale = shop.sale(CODE);
        sale["total_fee"] = json!(100_001);
        pay(&shop, &sale).await
    };
    assert_eq!(
        (too_much.code(), &too_much.body["limit"]),
        ("LIMIT_EXCEEDED", &json!("per_payment"))
    );
    assert_eq!(shop.gateway.deductions(), 1);
}
