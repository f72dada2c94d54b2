//! Configurations that cannot work are refused by the name of their field, without their secrets.

use std::time::Duration;

use metropay_channel_wechat::WechatFactory;
use metropay_core::channel::{ChannelRegistry, Product};
use metropay_core::id::ChannelId;
use metropay_outbound::OutboundSettings;
use serde_json::{Value, json};

use crate::sealed::{PUBLIC_PEM, V3_KEY, v3_config};
use crate::support::{Scene, adapter, config, held_clock};

const NONCE: &str = "n0nce0000000000000000000000000zz";

const OTHER_KEY: &str = include_str!("../vectors/platform.key.pem");

fn build(over: &Value, notify_url: &str) -> Result<(), String> {
    let config = config("http://127.0.0.1:9", over);
    adapter(config, notify_url, NONCE, &held_clock()).map(drop)
}

#[test]
fn each_wrong_field_is_named() {
    let notify = "https://pay.example.test/notify/abc";
    assert_eq!(build(&json!({}), notify), Ok(()));
    let cert = include_str!("../vectors/merchant.crt.pem");
    for (field, over) in [
        ("mode", json!({"mode": null})),
        ("appid", json!({"appid": "2021000000"})),
        ("mch_id", json!({"mch_id": "19000a"})),
        ("mch_id", json!({"mch_id": null})),
        ("sub_mch_id", json!({"sub_mch_id": null})),
        ("sub_mch_id", json!({"sub_mch_id": ""})),
        ("sub_mch_id", json!({"mode": "direct"})),
        (
            "sub_appid",
            json!({"mode": "direct", "sub_mch_id": null, "sub_appid": "wx1"}),
        ),
        ("api_key", json!({"api_key": "canary-too-short"})),
        ("old_api_key", json!({"old_api_key": "canary-too-short"})),
        ("plan_id", json!({"plan_id": ""})),
        ("base_url", json!({"base_url": "ftp://x"})),
        ("base_url", json!({"base_url": "http://x/?a=1"})),
        ("signing_page_url", json!({"signing_page_url": "sign"})),
        ("spbill_create_ip", json!({"spbill_create_ip": "::1"})),
        ("close_after_s", json!({"close_after_s": 0})),
        ("deduct_timeout_s", json!({"deduct_timeout_s": 61})),
        ("client_key_pem", json!({"client_cert_pem": cert})),
        ("client_cert_pem", json!({"client_key_pem": "canary"})),
        (
            "client_cert_pem",
            json!({"client_cert_pem": "canary", "client_key_pem": "canary"}),
        ),
        ("client_cert_pem", json!({"base_url": "https://api.mch.weixin.qq.com"})),
        ("sandbox", json!({"sandbox": true})),
    ] {
        let error = build(&over, notify).unwrap_err();
        assert!(error.contains(field), "{field}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
    for notify in [
        "https://pay.example.test/n?a=1",
        "https://pay.example.test",
        "n",
        &format!("https://x/{}", "n".repeat(256)),
    ] {
        assert!(build(&json!({}), notify).unwrap_err().contains("notify_url"));
    }
}

#[test]
fn each_wrong_field_of_the_newer_products_is_named() {
    let cert = include_str!("../vectors/merchant.crt.pem");
    for (field, over) in [
        ("api_v3_key", json!({"api_v3_key": "canary-too-short"})),
        (
            "api_v3_key",
            json!({"public_key_id": "PUB_KEY_ID_1", "public_key_pem": PUBLIC_PEM}),
        ),
        ("client_cert_pem", json!({"api_v3_key": V3_KEY})),
        ("public_key_pem", json!({"public_key_id": "PUB_KEY_ID_1"})),
        ("public_key_id", json!({"public_key_pem": PUBLIC_PEM})),
        ("public_key_id", v3_config(&json!({"public_key_id": "1"}))),
        ("public_key_pem", v3_config(&json!({"public_key_pem": "canary"}))),
        ("public_key_pem", v3_config(&json!({"public_key_pem": cert}))),
        ("client_key_pem", v3_config(&json!({"client_key_pem": OTHER_KEY}))),
        ("client_cert_pem", v3_config(&json!({"mch_id": "1900000001"}))),
        ("payment_code_api", json!({"payment_code_api": "v3"})),
        ("payment_code_api", json!({"payment_code_api": "v4"})),
        ("refund_api", json!({"refund_api": "v3"})),
        ("app_secret", json!({"user_info_appid": "wx1"})),
        ("app_secret", json!({"app_secret": "canary&x"})),
        (
            "user_info_appid",
            json!({"app_secret": "canary", "user_info_appid": "2021"}),
        ),
        ("oauth_api_url", json!({"app_secret": "canary", "oauth_api_url": "x"})),
        (
            "oauth_page_url",
            json!({"app_secret": "canary", "oauth_page_url": "https://x/?a=1"}),
        ),
        ("reverse_after_s", json!({"reverse_after_s": 0})),
        ("code_pay_timeout_s", json!({"code_pay_timeout_s": 61})),
        ("bill_timeout_s", json!({"bill_timeout_s": 0})),
    ] {
        let error = build(&over, "https://pay.example.test/notify/abc").unwrap_err();
        assert!(error.contains(field), "{field}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn a_merchants_certificate_is_taken() {
    let over = json!({
        "base_url": "https://api.mch.weixin.qq.com",
        "client_cert_pem": include_str!("../vectors/merchant.crt.pem"),
        "client_key_pem": include_str!("../vectors/merchant.key.pem"),
    });
    assert_eq!(build(&over, "https://pay.example.test/notify"), Ok(()));
    assert_eq!(build(&v3_config(&json!({})), "https://pay.example.test/notify"), Ok(()));
    let by_certificates = v3_config(&json!({"public_key_id": "", "public_key_pem": null}));
    assert_eq!(build(&by_certificates, "https://pay.example.test/notify"), Ok(()));
}

#[test]
fn the_console_is_told_every_field_in_chinese_and_which_are_secret() {
    let registry = ChannelRegistry::new().with(WechatFactory::new(OutboundSettings::default()));
    let schema = serde_json::to_value(registry.schema(&ChannelId::from("wechat"))).unwrap();
    let fields = schema["properties"].as_object().unwrap();
    assert_eq!(fields.len(), 33);
    for (name, field) in fields {
        let title = field["title"].as_str().unwrap_or_default();
        assert!(title == "APPID" || !title.is_ascii(), "{name}: {title}");
        let secret = [
            "api_key",
            "old_api_key",
            "client_cert_pem",
            "client_key_pem",
            "api_v3_key",
            "app_secret",
        ]
        .contains(&name.as_str());
        assert_eq!(field.to_string().contains("writeOnly"), secret, "{name}: {field}");
    }
    assert_eq!(schema["additionalProperties"], json!(false));
}

#[tokio::test]
async fn the_cadence_is_the_references() {
    let cadence = Scene::provider().await.channel.cadence(Product::Mandate);
    let seconds: Vec<u64> = cadence.payment.iter().take(5).map(Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 3, 5, 5]);
    assert_eq!(cadence.absence_proves_after, Duration::from_secs(60));
    assert_eq!(cadence.revoke_after, Duration::from_secs(45));
    let by_code = Scene::provider().await.channel.cadence(Product::PaymentCode);
    let seconds: Vec<u64> = by_code.payment.iter().take(8).map(Duration::as_secs).collect();
    assert_eq!((seconds, by_code.revoke_after), (vec![5; 8], Duration::from_secs(45)));
    assert!(cadence.refund.is_sorted() && cadence.payment.is_sorted());
}
