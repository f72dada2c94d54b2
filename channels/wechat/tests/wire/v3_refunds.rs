//! Refunds over APIv3: filed, asked for, and what is believed of it.

use metropay_core::channel::{CallError, Outcome, RefundStanding, Refunded};
use metropay_core::clock::Time;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::sealed::{answer_of, time_of, v3_scene, v3_vector};
use crate::support::{ORDER, REFUND, SHOP, Scene, fen, refund};

const FILE: &str = "/v3/refund/domestic/refunds";

fn query_path() -> String {
    format!("{FILE}/{REFUND}")
}

async fn shop() -> Scene {
    v3_scene(json!({})).await
}

fn back(status: &str) -> Value {
    json!({
        "refund_id": "503", "out_refund_no": REFUND, "transaction_id": "42", "out_trade_no": ORDER, "status": status,
        "success_time": "2025-03-01T15:00:05+08:00",
        "amount": {"total": 1280, "refund": 300, "payer_total": 1230, "payer_refund": 250, "currency": "CNY"},
    })
}

fn refunded() -> Refunded {
    Refunded {
        channel_no: Some("503".to_owned()),
        amount: fen(300),
        coupon: fen(50),
        refunded_at: Time::parse_china("20250301150005", "%Y%m%d%H%M%S").expect("a time"),
    }
}

fn error(code: &str) -> Value {
    json!({"code": code, "message": "x"})
}

#[tokio::test]
async fn a_refund_is_vector_c15_with_the_order_named_by_our_number() {
    let scene = shop().await;
    scene.says("POST", FILE, 200, &back("PROCESSING")).await;
    for _ in 0..2 {
        assert_eq!(scene.channel.refund(&refund()).await, Ok(Outcome::Pending));
    }
    let sent = scene.asked(FILE).await;
    let expected = v3_vector("C15", "body")
        .replace(
            "\"transaction_id\":\"4200000000202503010000000001\"",
            &format!("\"out_trade_no\":\"{ORDER}\""),
        )
        .replace("wechat/refund", "wechat/deduct");
    for request in &sent {
        assert_eq!(String::from_utf8_lossy(&request.body), expected);
    }
    assert_eq!(scene.verified().await, 2);
}

#[tokio::test]
async fn vector_c16_is_filed_and_verified_by_a_platform_certificate_that_is_fetched() {
    let scene = v3_scene(json!({"public_key_id": null, "public_key_pem": null})).await;
    scene.clock.set(time_of("C16"));
    let list = crate::keys::listing(&scene, crate::sealed::By::Platform);
    scene.gives("GET", "/v3/certificates", list, None).await;
    scene.gives("POST", FILE, answer_of("C16"), None).await;
    assert_eq!(scene.channel.refund(&refund()).await, Ok(Outcome::Pending));
    assert!(!scene.asked(FILE).await[0].headers.contains_key("wechatpay-serial"));
}

#[tokio::test]
async fn vector_c32_is_a_refund_that_the_channel_does_not_know() {
    let scene = shop().await;
    scene.clock.set(time_of("C32"));
    scene.gives("GET", &query_path(), answer_of("C32"), None).await;
    assert_eq!(scene.channel.query_refund(&refund()).await, Ok(RefundStanding::Absent));
    let query = format!("sub_mchid={SHOP}");
    assert_eq!(scene.asked(&query_path()).await[0].url.query(), Some(&*query));
}

#[tokio::test]
async fn vector_c30_refuses_a_refund_only_when_the_channel_does_not_know_it() {
    for (status, body, refused) in [
        (404, error("RESOURCE_NOT_EXISTS"), true),
        (200, back("PROCESSING"), false),
        (500, error("SYSTEM_ERROR"), false),
    ] {
        let scene = shop().await;
        scene.clock.set(time_of("C30"));
        scene.gives("POST", FILE, answer_of("C30"), None).await;
        scene.says("GET", &query_path(), status, &body).await;
        let outcome = scene.channel.refund(&refund()).await;
        assert_eq!(matches!(outcome, Ok(Outcome::Refused(_))), refused, "{outcome:?}");
    }
}

#[tokio::test]
async fn each_state_of_a_refund_is_told_as_what_it_is() {
    for (status, expected) in [
        ("PROCESSING", Some(RefundStanding::Pending)),
        ("ABNORMAL", Some(RefundStanding::Pending)),
        ("NEW", Some(RefundStanding::Pending)),
        ("SUCCESS", Some(RefundStanding::Refunded(refunded()))),
        ("CLOSED", None),
    ] {
        let scene = shop().await;
        scene.says("GET", &query_path(), 200, &back(status)).await;
        let standing = scene.channel.query_refund(&refund()).await.unwrap();
        match expected {
            Some(expected) => assert_eq!(standing, expected, "{status}"),
            None => assert!(
                matches!(standing, RefundStanding::NotRefunded(_)),
                "{status}: {standing:?}"
            ),
        }
    }
}

#[tokio::test]
async fn an_answer_about_something_else_or_of_nobody_is_unknown() {
    let mut answers = vec![
        ResponseTemplate::new(200).set_body_string(back("SUCCESS").to_string()),
        ResponseTemplate::new(500),
        ResponseTemplate::new(200),
    ];
    let now = crate::support::START;
    for (name, value) in [
        ("/out_refund_no", json!("R2")),
        ("/out_trade_no", json!("P2")),
        ("/amount/refund", json!(301)),
        ("/amount/total", json!(1281)),
        ("/amount/currency", json!("HKD")),
        ("/amount/payer_refund", json!(301)),
        ("/success_time", json!("")),
        ("/status", json!("")),
    ] {
        let mut changed = back("SUCCESS");
        *changed.pointer_mut(name).unwrap() = value;
        answers.push(crate::sealed::sealed(
            crate::sealed::By::Public,
            now,
            200,
            &changed.to_string(),
        ));
    }
    for (n, answer) in answers.into_iter().enumerate() {
        let scene = shop().await;
        scene.gives("POST", FILE, answer.clone(), None).await;
        scene.gives("GET", &query_path(), answer, None).await;
        let outcome = scene.channel.refund(&refund()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{n}: {outcome:?}");
        let standing = scene.channel.query_refund(&refund()).await;
        assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{n}: {standing:?}");
    }
}

#[tokio::test]
async fn what_was_not_taken_now_is_unknown_and_what_is_refused_is_confirmed() {
    for (status, code) in [
        (500, "SYSTEM_ERROR"),
        (500, "BIZ_ERR_NEED_RETRY"),
        (429, "FREQUENCY_LIMITED"),
        (403, "NOT_ENOUGH"),
        (400, "NEW_CODE"),
        (500, "INVALID_REQUEST"),
    ] {
        let scene = shop().await;
        scene.says("POST", FILE, status, &error(code)).await;
        scene
            .says("GET", &query_path(), 404, &error("RESOURCE_NOT_EXISTS"))
            .await;
        let outcome = scene.channel.refund(&refund()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{code}: {outcome:?}");
        assert!(scene.asked(&query_path()).await.is_empty());
    }
    for (status, code) in [
        (400, "INVALID_REQUEST"),
        (403, "USER_ACCOUNT_ABNORMAL"),
        (403, "REQUEST_BLOCKED"),
        (404, "RESOURCE_NOT_EXISTS"),
        (403, "NO_AUTH"),
    ] {
        let scene = shop().await;
        scene.says("POST", FILE, status, &error(code)).await;
        scene
            .says_once("GET", &query_path(), 404, &error("REFUND_NOT_EXISTS"))
            .await;
        scene.says("GET", &query_path(), 200, &back("SUCCESS")).await;
        let outcome = scene.channel.refund(&refund()).await;
        assert!(matches!(outcome, Ok(Outcome::Refused(_))), "{code}: {outcome:?}");
        let done = scene.channel.refund(&refund()).await;
        assert_eq!(done, Ok(Outcome::Done(refunded())), "{code}");
    }
}
