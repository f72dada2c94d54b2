//! Consumption records.

use std::time::Duration;

use metropay_core::id::{OutRefundNo, PayNo};
use metropay_core::money::Fen;
use metropay_core::payment::OrderKey;
use metropay_core::refund::RefundAsk;
use metropay_core::refund::ask::refund;
use serde_json::{Value, json};

use super::gateway::Deducts;
use super::platform::{App, Platform, SHOP, text};

/// Pays that often, a fen more each time; a minute and a bit between.
async fn paid(platform: &Platform, app: &App<'_>, times: u64) -> Vec<PayNo> {
    let mut numbers = Vec::new();
    for n in 1..=times {
        let (_, digits) = app.code().await;
        numbers.push(platform.scan(&digits, n).await.unwrap().pay_no);
        platform.clock.advance(Duration::from_secs(61));
    }
    numbers
}

#[tokio::test]
async fn records_come_in_pages_the_newest_first_each_once() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let numbers = paid(&platform, &anna, 7).await;
    let mut seen = Vec::new();
    let mut path = "/app/v1/records?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = anna.get(&path).await.data();
        pages += 1;
        seen.extend(
            page["records"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| record["pay_out_trade_no"].clone()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/app/v1/records?limit=3&cursor={cursor}");
    }
    let expected: Vec<Value> = numbers.iter().rev().map(|no| json!(no)).collect();
    assert_eq!((pages, seen), (3, expected));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_and_user_only() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    paid(&platform, &anna, 2).await;
    let cursor = text(&anna.get("/app/v1/records?limit=1").await.data()["next_cursor"]);
    let today = platform.now().day();
    let asked = |query: &str| format!("/app/v1/records?limit=1&cursor={cursor}{query}");
    assert_eq!(
        anna.get(&asked("")).await.data()["records"].as_array().unwrap().len(),
        1
    );
    assert_eq!(anna.get(&asked(&format!("&to={today}"))).await.status, 200);
    let invalid = (400, "CURSOR_INVALID".to_owned());
    assert_eq!(anna.get(&asked("&to=20200101")).await.refusal(), invalid);
    assert_eq!(platform.app("bert").get(&asked("")).await.refusal(), invalid);
    for place in [0, cursor.len() / 2, cursor.len() - 1] {
        let mut tampered = cursor.clone().into_bytes();
        tampered[place] = if tampered[place] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(tampered).unwrap();
        let refused = anna.get(&format!("/app/v1/records?cursor={tampered}")).await;
        assert_eq!(refused.refusal(), invalid, "{tampered}");
    }
}

#[tokio::test]
async fn days_bound_the_list() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let first_day = platform.now().day();
    paid(&platform, &anna, 1).await;
    platform.clock.advance(Duration::from_secs(24 * 3_600));
    let anna = platform.app("anna");
    let second_day = platform.now().day();
    paid(&platform, &anna, 1).await;
    let amounts = async |query: String| {
        let page = anna.get(&format!("/app/v1/records?{query}")).await.data();
        page["records"].as_array().unwrap().len()
    };
    assert_eq!(amounts(String::new()).await, 2);
    assert_eq!(amounts(format!("from={first_day}&to={first_day}")).await, 1);
    assert_eq!(amounts(format!("from={second_day}")).await, 1);
    platform.clock.advance(Duration::from_secs(31 * 24 * 3_600));
    let anna = platform.app("anna");
    let later = anna.get("/app/v1/records").await.data();
    assert_eq!(later["records"], json!([]), "without dates, the last month");
}

#[tokio::test]
async fn a_record_in_full_has_channel_refunds_and_its_number_as_bars() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (_, digits) = anna.code().await;
    let payment = platform.scan(&digits, 600).await.unwrap();
    let ask = RefundAsk {
        order: OrderKey {
            out_request_no: None,
            pay_no: Some(payment.pay_no.clone()),
        },
        out_refund_no: OutRefundNo("R-1".to_owned()),
        refund_fee: Fen::new(200).unwrap(),
    };
    let (_, refunded) = refund(&platform.engine, &SHOP.into(), ask).await.unwrap();

    let no = payment.pay_no;
    let detail = anna.get(&format!("/app/v1/records/{no}")).await.data();
    let expected = [
        ("pay_out_trade_no", json!(no)),
        ("status", json!("PAID")),
        ("total_fee", json!(600)),
        ("refunded_fee", json!(200)),
        ("merchant_name", json!("便利店")),
        ("store_name", json!("车公庙店")),
        ("channel_name", json!("跳转支付")),
        ("channel_no", json!(format!("42{no}"))),
        ("reason", Value::Null),
    ];
    for (name, value) in expected {
        assert_eq!(detail[name], value, "{name}");
    }
    let refund = &detail["refunds"][0];
    assert_eq!(
        (&refund["pay_refund_id"], &refund["refund_fee"]),
        (&json!(refunded.refund_no), &json!(200))
    );
    assert_eq!(refund["status"], "DONE");

    let picture = anna.get(&format!("/app/v1/records/{no}/barcode.svg")).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, "image/svg+xml"));
    assert_eq!(picture.header("cache-control"), "no-store");
    assert!(picture.header("content-security-policy").contains("sandbox"));
    assert_eq!(picture.text(), text(&detail["barcode_svg"]));
    assert!(picture.text().starts_with("<svg "));
    let kinds = anna.get("/app/v1/events/poll?after=0&wait_s=0").await.data()["events"].clone();
    assert_eq!(kinds.as_array().unwrap().last().unwrap()["kind"], "payment.refunded");
}

#[tokio::test]
async fn the_channels_own_words_are_not_shown_to_the_payer() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (_, digits) = anna.code().await;
    platform.gateway.books().deducts = Deducts::Refuses;
    let no = platform.scan(&digits, 600).await.unwrap().pay_no;
    let detail = anna.get(&format!("/app/v1/records/{no}")).await;
    assert!(!detail.text().contains("the channel's own words"));
    let detail = detail.data();
    assert_eq!(
        (&detail["status"], &detail["reason"]),
        (&"FAILED".into(), &"NOTENOUGH".into())
    );
}
