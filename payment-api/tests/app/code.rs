//! The life of a code, as the App sees it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use metropay_core::id::OutRequestNo;
use metropay_core::payment::OrderKey;
use metropay_core::problem::Code;
use metropay_core::reversal::reverse::reverse;
use serde_json::{Value, json};

use super::gateway::Deducts;
use super::platform::{App, PHONE, Platform, SHOP, text};

/// Asks how a code stands; waits where it was asked just before.
async fn standing(app: &App<'_>, code: &str) -> Value {
    let path = format!("/app/v1/codes/{code}");
    loop {
        let reply = app.get(&path).await;
        if reply.status != 429 {
            return reply.data();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_code_is_shown_scanned_and_paid() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let reply = anna
        .post("/app/v1/codes", Some(json!({ "method": "redirecting" })))
        .await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let code = reply.data();
    let digits = text(&code["digits"]);
    assert!(digits.len() == 20 && digits.starts_with("771") && digits.bytes().all(|b| b.is_ascii_digit()));
    for picture in ["qr_svg", "barcode_svg"] {
        let svg = text(&code[picture]);
        assert!(
            svg.starts_with("<svg ") && svg.ends_with("</svg>") && !svg.contains(&digits),
            "{picture}"
        );
    }
    let moment = |name: &str| text(&code[name]);
    assert!(moment("issued_at") < moment("refresh_at") && moment("refresh_at") < moment("expires_at"));
    assert_eq!(code["method"], "redirecting");

    let id = text(&code["code_id"]);
    let waiting = standing(&anna, &id).await;
    assert_eq!(
        (&waiting["state"], &waiting["payment"], &waiting["merchant"]),
        (&"WAITING".into(), &Value::Null, &Value::Null)
    );

    let payment = platform.scan(&digits, 600).await.unwrap();
    let paid = standing(&anna, &id).await;
    assert_eq!(paid["state"], "PAID");
    let mut summary = paid["payment"].clone();
    for moment in ["created_at", "paid_at"] {
        assert!(text(&summary[moment]).ends_with("+08:00"));
        summary.as_object_mut().unwrap().remove(moment);
    }
    assert_eq!(
        summary,
        json!({
            "pay_out_trade_no": payment.pay_no, "status": "PAID", "total_fee": 600, "pay_coupon_fee": 0,
            "refunded_fee": 0, "body": "矿泉水 2 瓶", "mch_id": SHOP, "merchant_name": "便利店",
            "store_id": "SZTX001", "store_name": "车公庙店", "channel": "redirecting", "channel_name": "跳转支付", "hint": null,
        })
    );
}

#[tokio::test]
async fn each_end_of_a_payment_has_its_word() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;

    let (failed, digits) = anna.code().await;
    platform.gateway.books().deducts = Deducts::Refuses;
    platform.scan(&digits, 600).await.unwrap();
    let told = standing(&anna, &failed).await;
    assert_eq!(
        (&told["state"], &told["payment"]["hint"]),
        (&"FAILED".into(), &"funds".into())
    );

    let (reversed, digits) = anna.code().await;
    platform.gateway.books().deducts = Deducts::Waits;
    let payment = platform.scan(&digits, 600).await.unwrap();
    assert_eq!(standing(&anna, &reversed).await["state"], "PAYING");
    platform.gateway.take(&payment.pay_no, 600);
    let key = OrderKey {
        out_request_no: Some(OutRequestNo("T-1".to_owned())),
        pay_no: None,
    };
    platform.clock.advance(Duration::from_secs(20));
    reverse(&platform.engine, &SHOP.into(), &key).await.unwrap();
    assert_eq!(standing(&anna, &reversed).await["state"], "REVERSED");

    let (ended, _) = anna.code().await;
    platform.clock.advance(Duration::from_secs(61));
    assert_eq!(standing(&anna, &ended).await["state"], "ENDED");
}

#[tokio::test]
async fn the_use_of_one_code_ends_the_other() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (_, shown) = anna.code().await;
    let (other, refreshed) = anna.code().await;
    platform.scan(&shown, 600).await.unwrap();
    assert_eq!(
        platform.scan(&refreshed, 600).await.unwrap_err().code,
        Code::CodeInvalid
    );
    assert_eq!(standing(&anna, &other).await["state"], "ENDED");
}

#[tokio::test]
async fn a_third_code_ends_the_oldest() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let (first, _) = anna.code().await;
    let (second, _) = anna.code().await;
    let (third, _) = anna.code().await;
    for (code, expected) in [(first, "ENDED"), (second, "WAITING"), (third, "WAITING")] {
        assert_eq!(standing(&anna, &code).await["state"], expected);
    }
}

#[tokio::test]
async fn a_code_scanned_without_a_mandate_leads_to_the_page_and_back_to_the_till() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let (code, digits) = anna.code().await;
    assert_eq!(platform.scan(&digits, 600).await.unwrap_err().code, Code::NeedMandate);

    let need = standing(&anna, &code).await;
    assert_eq!(need["state"], "NEED_MANDATE");
    let offered = |channel: &str, name: &str| json!({ "channel": channel, "channel_name": name, "mandate_id": null, "mandate_state": null, "preferred": false });
    let expected = json!({
        "mch_id": SHOP, "merchant_name": "便利店",
        "channels": [offered("redirecting", "跳转支付"), offered("posting", "表单支付")],
    });
    assert_eq!(need["merchant"], expected);

    let anna = anna.signed().await;
    assert_eq!(
        standing(&anna, &code).await["state"],
        "WAITING",
        "the same code may be scanned again"
    );
    platform.scan(&digits, 600).await.unwrap();
    assert_eq!(standing(&anna, &code).await["state"], "PAID");
}

#[tokio::test]
async fn a_code_for_one_channel_needs_a_mandate_with_that_channel() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let code = anna
        .post("/app/v1/codes", Some(json!({ "method": "posting" })))
        .await
        .data();
    let refused = platform.scan(&text(&code["digits"]), 600).await.unwrap_err();
    assert_eq!(refused.code, Code::NeedMandate);
    let id = text(&code["code_id"]);
    let need = standing(&anna, &id).await;
    assert_eq!(
        (&need["state"], &need["method"]),
        (&"NEED_MANDATE".into(), &"posting".into())
    );
    platform.clock.advance(Duration::from_secs(61));
    let anna = platform.app("anna");
    assert_eq!(
        standing(&anna, &id).await["state"],
        "NEED_MANDATE",
        "the App still leads to the page"
    );
}

/// Collects everything that is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_digits_nor_tokens_nor_phones_are_ever_logged() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For all tests at once: what others log is looked through as well, and nobody has switched a line off before.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (code, digits) = anna.code().await;
    platform.scan(&digits, 600).await.unwrap();
    anna.get(&format!("/app/v1/codes/{code}")).await.data();
    let (_, wrong) = anna.code().await;
    anna.get(&format!("/app/v1/codes/{wrong}")).await;
    let forged = Request::get("/app/v1/records").header("authorization", "Bearer canary-token");
    platform.send(forged.body(axum::body::Body::empty()).unwrap()).await;

    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("TOKEN_INVALID") && logged.contains("consumption code opened"),
        "the log was read"
    );
    let token = anna.token.clone().unwrap();
    for secret in [digits.as_str(), &wrong, &token, "canary-token", PHONE] {
        assert!(!logged.contains(secret), "{secret} is in the log");
    }
}
