//! Refunds as tills see them, and the day's bill.

use std::time::Duration;

use metropay_core::audit::verify::verify;
use metropay_core::money::Fen;
use metropay_core::refund;
use serde_json::{Value, json};

use crate::gateway::{Back, Deduct, RAW};
use crate::shop::{MCH, Shop};

fn ask(sale: &Value, number: &str, fee: u64) -> Value {
    json!({ "out_request_no": sale["out_request_no"], "out_refund_no": number, "refund_fee": fee })
}

#[tokio::test]
async fn an_order_is_refunded_in_parts_until_nothing_is_left() {
    let shop = Shop::open().await;
    *shop.gateway.coupon.lock().unwrap() = Fen::new(50).unwrap();
    let (sale, paid) = shop.paid().await;
    shop.clock.advance(Duration::from_secs(60));
    let first = shop.post("refund", ask(&sale, "R-1", 200)).await;
    let data = first.data();
    let expected = json!({
        "out_request_no": sale["out_request_no"],
        "pay_out_trade_no": paid["pay_out_trade_no"],
        "out_refund_no": "R-1",
        "pay_refund_id": data["pay_refund_id"],
        "pay_refund_fee": 200,
        "pay_refund_status": "RS_SUCCESS",
        "pay_refund_coupon_fee": 50,
        "total_fee": 600,
        "refund_date": "20260801",
        "refund_time": "20260801120100",
    });
    assert_eq!(data, &expected);
    shop.clock.advance(Duration::from_secs(60));
    assert_eq!(
        shop.post("refund", ask(&sale, "R-1", 200)).await.data(),
        data,
        "a repeat"
    );

    let too_much = shop.post("refund", ask(&sale, "R-2", 401)).await;
    assert_eq!(
        (too_much.refusal(), &too_much.body["remaining"]),
        ((422, "REFUND_EXCEEDS", Some("refund_fee")), &json!(400))
    );
    let by_ours = json!({ "pay_out_trade_no": paid["pay_out_trade_no"], "out_refund_no": "R-2", "refund_fee": 400 });
    assert_eq!(
        shop.post("refund", by_ours).await.data()["pay_refund_status"],
        "RS_SUCCESS"
    );
    let nothing_left = shop.post("refund", ask(&sale, "R-3", 1)).await;
    assert_eq!(
        (nothing_left.code(), &nothing_left.body["remaining"]),
        ("REFUND_EXCEEDS", &json!(0))
    );
    let reply = shop
        .post("reverse", json!({ "out_request_no": sale["out_request_no"] }))
        .await;
    assert_eq!(
        (reply.refusal(), &reply.body["rule"]),
        ((422, "REVERSE_REFUSED", None), &json!("已有退款，请使用退款"))
    );
    assert_eq!(
        shop.post("orderquery", json!({ "out_request_no": sale["out_request_no"] }))
            .await
            .data()["pay_status"],
        "PS_SUCCESS"
    );
    assert_eq!((shop.gateway.refund_calls(), shop.gateway.net()), (2, 0));
}

#[tokio::test]
async fn a_refund_number_with_another_order_or_amount_is_a_conflict() {
    let shop = Shop::open().await;
    let ((one, _), (other, _)) = (shop.paid().await, shop.paid().await);
    assert_eq!(
        shop.post("refund", ask(&one, "R-1", 200)).await.data()["pay_refund_fee"],
        200
    );
    let amount = shop.post("refund", ask(&one, "R-1", 201)).await;
    assert_eq!(amount.refusal(), (409, "OUT_REFUND_NO_CONFLICT", Some("refund_fee")));
    let order = shop.post("refund", ask(&other, "R-1", 200)).await;
    assert_eq!(order.refusal(), (409, "OUT_REFUND_NO_CONFLICT", Some("out_request_no")));
    assert_eq!(shop.gateway.net(), 1_000);
}

#[tokio::test]
async fn what_was_not_paid_or_was_paid_long_ago_is_not_refunded() {
    let shop = Shop::open().await;
    let (sale, _) = shop.paid().await;
    shop.gateway.will(Deduct::Refuses(metropay_core::channel::Hint::Funds));
    let failed = shop.sale(&shop.code().await);
    assert_eq!(
        shop.post("applypay", failed.clone()).await.data()["pay_status"],
        "PS_FAILED"
    );
    shop.gateway.will(Deduct::Accepts);
    let paying = shop.sale(&shop.code().await);
    assert_eq!(
        shop.post("applypay", paying.clone()).await.data()["pay_status"],
        "PS_PAYING"
    );
    for unpaid in [failed, paying] {
        assert_eq!(
            shop.post("refund", ask(&unpaid, "R-9", 1)).await.refusal(),
            (422, "ORDER_NOT_PAID", None)
        );
    }
    shop.clock.advance(Duration::from_secs(330 * 86_400 + 1));
    assert_eq!(
        shop.post("refund", ask(&sale, "R-1", 1)).await.refusal(),
        (422, "REFUND_EXPIRED", None)
    );
    assert!(shop.gateway.refund_calls() == 0);
}

#[tokio::test]
async fn a_refund_that_goes_on_is_processing_and_one_that_is_refused_gives_its_part_free() {
    let shop = Shop::open().await;
    let (sale, _) = shop.paid().await;
    shop.gateway.will_refund(Back::Accepts);
    let (first, begun) = (ask(&sale, "R-1", 600), std::time::Instant::now());
    let going_on = shop.post("refund", first.clone()).await;
    assert_eq!(going_on.data()["pay_refund_status"], "RS_PROCESSING");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(shop.post("refund", ask(&sale, "R-2", 1)).await.code(), "REFUND_EXCEEDS");
    let made = going_on.data()["pay_refund_id"].as_str().unwrap().to_owned();
    let entry = (sale_no(&going_on.body["data"]), Fen::new(600).unwrap());
    shop.gateway.books().refunds.insert(made.as_str().into(), entry);
    shop.clock.advance(Duration::from_secs(20));
    refund::complete::complete_due(&shop.engine).await.unwrap();
    let done = shop.post("refund", first).await;
    assert_eq!(
        (&done.data()["pay_refund_status"], &done.data()["pay_refund_id"]),
        (&json!("RS_SUCCESS"), &json!(made))
    );

    let (sale, _) = shop.paid().await;
    shop.gateway.will_refund(Back::Refuses);
    let refused = shop.post("refund", ask(&sale, "R-3", 600)).await;
    assert_eq!(refused.data()["pay_refund_status"], "RS_FAILED");
    assert!(!String::from_utf8_lossy(&refused.raw).contains(RAW));
    shop.gateway.will_refund(Back::Gives);
    assert_eq!(
        shop.post("refund", ask(&sale, "R-3", 600)).await.data()["pay_refund_status"],
        "RS_FAILED"
    );
    assert_eq!(
        shop.post("refund", ask(&sale, "R-4", 600)).await.data()["pay_refund_status"],
        "RS_SUCCESS"
    );
}

fn sale_no(data: &Value) -> metropay_core::id::PayNo {
    data["pay_out_trade_no"].as_str().unwrap().into()
}

#[tokio::test]
async fn a_bill_counts_each_channels_day_and_never_changes() {
    let shop = Shop::open().await;
    let (refunded, _) = shop.paid().await;
    let (reversed, _) = shop.paid().await;
    shop.paid().await;
    let union = shop.stranger().await;
    shop.sign(&union, MCH, "unionpay").await;
    let sale = shop.sale(&shop.code_of(&union).await);
    assert_eq!(shop.post("applypay", sale).await.data()["pay_type"], "CT_UNION");
    shop.gateway.will(Deduct::Refuses(metropay_core::channel::Hint::None));
    shop.post("applypay", shop.sale(&shop.code().await)).await;
    shop.gateway.will(Deduct::Pays);
    let theirs = shop.sale(&shop.code().await);
    assert_eq!(
        shop.post_as(&shop.other, "applypay", theirs).await.data()["pay_status"],
        "PS_SUCCESS"
    );
    shop.post("refund", ask(&refunded, "R-1", 100)).await.data();
    shop.post("refund", ask(&refunded, "R-2", 50)).await.data();
    shop.post("reverse", json!({ "out_request_no": reversed["out_request_no"] }))
        .await
        .data();

    shop.clock.set("20260802000500");
    let expected = json!({
        "date": "20260801",
        "bill_infos": [
            {
                "pay_type": "CT_UNION", "total_count": 1, "total_amount": 600,
                "reverse_count": 0, "reverse_amount": 0, "refund_count": 0, "refund_amount": 0,
            },
            {
                "pay_type": "CT_WECHAT", "total_count": 3, "total_amount": 1_800,
                "reverse_count": 1, "reverse_amount": 600, "refund_count": 2, "refund_amount": 150,
            },
        ],
    });
    let bill = async |day: &str| shop.post("bill", json!({ "date": day })).await.body["data"].clone();
    assert_eq!(bill("20260801").await, expected);
    shop.post("refund", ask(&refunded, "R-3", 25)).await.data();
    shop.clock.set("20260803000500");
    assert_eq!(
        bill("20260801").await,
        expected,
        "what comes later belongs to a later day"
    );
    let later = bill("20260802").await;
    assert_eq!(
        later["bill_infos"][0],
        json!({
            "pay_type": "CT_WECHAT", "total_count": 0, "total_amount": 0,
            "reverse_count": 0, "reverse_amount": 0, "refund_count": 1, "refund_amount": 25,
        })
    );
    assert_eq!(shop.gateway.net(), 5 * 600 - 600 - 175);
    let found = verify(&shop.engine.db, &*shop.engine.rules).await.unwrap();
    let broken: Vec<_> = found.iter().filter(|finding| !finding.breaches.is_empty()).collect();
    assert!(
        broken.is_empty() && found.iter().any(|finding| finding.checked > 0),
        "{broken:?}"
    );
}
