//! What tills may ask how often, over HTTP.

use std::time::Duration;

use metropay_core::engine::Caps;
use metropay_core::signing::Algorithm;
use metropay_payment_api::till::BudgetSettings;
use serde_json::json;

use crate::shop::{MCH, Reply, Shop};

fn limited(reply: &Reply, budget: &str, seconds: u64) {
    assert_eq!(reply.refusal(), (429, "RATE_LIMITED", None), "{}", reply.body);
    assert_eq!(reply.body["budget"], budget);
    assert_eq!(reply.body["retry_after_s"], seconds);
    assert_eq!(reply.header("retry-after"), seconds.to_string());
}

const UNKNOWN: &str = "77112345678901234565";

#[tokio::test]
async fn a_store_that_guesses_cools_off_and_still_learns_of_its_orders() {
    let shop = Shop::open().await;
    let (sale, paid) = shop.paid().await;
    let live = shop.code().await;
    for scanned in [UNKNOWN, "77112345678901234560"].iter().cycle().take(10) {
        assert_eq!(shop.post("applypay", shop.sale(scanned)).await.status, 422);
    }
    let fresh = shop.sale(&live);
    limited(&shop.post("applypay", fresh.clone()).await, "store_invalid_codes", 60);
    assert_eq!(
        shop.post("applypay", sale.clone()).await.data(),
        &paid,
        "the number has its order"
    );
    let mut other_code = sale.clone();
    other_code["qrcode"] = json!(live);
    assert_eq!(
        shop.post("applypay", other_code).await.refusal(),
        (409, "OUT_REQUEST_NO_CONFLICT", Some("qrcode"))
    );
    assert_eq!(
        shop.post("orderquery", json!({ "out_request_no": sale["out_request_no"] }))
            .await
            .data(),
        &paid
    );

    let mut neighbour = shop.sale(&shop.code().await);
    neighbour["store_id"] = json!("SZTX002");
    assert_eq!(
        shop.post("applypay", neighbour).await.data()["pay_status"],
        "PS_SUCCESS"
    );
    shop.clock.advance(Duration::from_secs(59));
    limited(&shop.post("applypay", fresh.clone()).await, "store_invalid_codes", 1);
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(
        shop.post("applypay", shop.sale(&shop.code().await)).await.data()["pay_status"],
        "PS_SUCCESS"
    );
}

#[tokio::test]
async fn foreign_codes_are_no_guesses() {
    let shop = Shop::open().await;
    for _ in 0..15 {
        assert_eq!(
            shop.post("applypay", shop.sale("134567890123456789")).await.code(),
            "CODE_FOREIGN"
        );
    }
    assert_eq!(
        shop.post("applypay", shop.sale(&shop.code().await)).await.data()["pay_status"],
        "PS_SUCCESS"
    );
}

#[tokio::test]
async fn asking_whose_a_code_is_counts_for_the_key_and_for_the_merchant() {
    let settings = BudgetSettings {
        invalid_codes_per_merchant_minute: std::num::NonZeroU32::new(15).unwrap(),
        ..BudgetSettings::default()
    };
    let shop = Shop::open_with(Caps::default(), settings).await;
    let second = shop.key(MCH, Algorithm::Ed25519).await;
    let asked = json!({ "qrcode": UNKNOWN });
    for _ in 0..10 {
        assert_eq!(shop.post("queryuid", asked.clone()).await.code(), "CODE_INVALID");
    }
    limited(&shop.post("queryuid", asked.clone()).await, "store_invalid_codes", 60);
    let live = json!({ "qrcode": shop.code().await });
    limited(&shop.post("queryuid", live).await, "store_invalid_codes", 60);
    for _ in 0..5 {
        assert_eq!(
            shop.post_as(&second, "queryuid", asked.clone()).await.code(),
            "CODE_INVALID"
        );
    }
    limited(
        &shop.post_as(&second, "queryuid", asked.clone()).await,
        "merchant_invalid_codes",
        60,
    );
    limited(
        &shop.post("applypay", shop.sale(UNKNOWN)).await,
        "merchant_invalid_codes",
        60,
    );
    assert_eq!(
        shop.post_as(&shop.other, "queryuid", asked).await.code(),
        "CODE_INVALID"
    );
}

#[tokio::test]
async fn a_merchants_requests_have_a_rate_of_their_own() {
    let settings = BudgetSettings {
        requests_per_second: std::num::NonZeroU32::new(3).unwrap(),
        ..BudgetSettings::default()
    };
    let shop = Shop::open_with(Caps::default(), settings).await;
    let query = json!({ "out_request_no": "NONE" });
    for _ in 0..3 {
        assert_eq!(shop.post("orderquery", query.clone()).await.status, 404);
    }
    limited(&shop.post("orderquery", query.clone()).await, "merchant_requests", 1);
    assert_eq!(shop.post_as(&shop.other, "orderquery", query.clone()).await.status, 404);
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(shop.post("orderquery", query).await.status, 404);
}
