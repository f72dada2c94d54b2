//! Set-ups that cannot work are named before they cost anything.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_channel_alipay::AlipayFactory;
use metropay_core::channel::{Channel, ChannelRegistry, Product, RegistryError, Setting};
use metropay_core::id::{AccountId, ChannelId};
use metropay_core::random::SystemRandom;
use metropay_outbound::OutboundSettings;
use serde_json::{Value, json};

use crate::ground::*;

fn registry() -> ChannelRegistry {
    ChannelRegistry::new().with(AlipayFactory::new(OutboundSettings::default()))
}

fn try_build(config: Value) -> Result<Arc<dyn Channel>, RegistryError> {
    let setting = Setting {
        account: AccountId::from("A1"),
        notify_url: NOTIFY_URL.to_owned(),
        clock: Held::at(at("2026-03-01 08:30:05")),
        random: Arc::new(SystemRandom),
    };
    registry().build(&ChannelId::from("alipay"), config, setting)
}

fn ours() -> Value {
    config("https://openapi.alipay.com/gateway.do")
}

/// What is wrong when this field has this value: the field's name and the reason.
fn wrong(field: &str, value: Value) -> (String, String) {
    let mut config = ours();
    config[field] = value;
    match try_build(config) {
        Err(RegistryError::Config { error, .. }) => (error.field, error.reason),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{field} was accepted"),
    }
}

fn bare(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[test]
fn the_channel_is_listed_with_its_names_and_its_form_asks_in_chinese() {
    let summary = registry().summary(&ChannelId::from("alipay")).unwrap();
    assert_eq!((summary.name, summary.pay_type), ("支付宝", "CT_ALIPAY"));
    let schema = registry().schema(&ChannelId::from("alipay")).unwrap().to_value();
    assert_eq!(schema["additionalProperties"], json!(false));
    let fields = schema["properties"].as_object().unwrap();
    for (name, field) in fields {
        let title = field["title"].as_str().unwrap_or_default();
        assert!(!title.is_ascii(), "{name}: {field}");
    }
    assert_eq!(fields["app_private_key"]["writeOnly"], json!(true));
    assert_eq!(schema["required"], json!(["app_id", "app_private_key", "sign_scene"]));
}

#[test]
fn defaults_are_the_references() {
    let mut config = ours();
    for name in [
        "seller_id",
        "gateway_url",
        "pay_timeout_ms",
        "query_timeout_ms",
        "refund_timeout_ms",
    ] {
        config.as_object_mut().unwrap().remove(name);
    }
    let channel = try_build(config).unwrap();
    assert_eq!(
        channel.contract_scope(),
        "alipay:2021000000000001:GENERAL_WITHHOLDING_P:INDUSTRY|METRO"
    );
    let cadence = channel.cadence(Product::Mandate);
    let seconds: Vec<u64> = cadence.payment.iter().map(std::time::Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 3, 5, 5, 10, 10, 30]);
    assert_eq!(
        (cadence.absence_proves_after.as_secs(), cadence.revoke_after.as_secs()),
        (60, 45)
    );
}

#[test]
fn keys_are_taken_in_every_dress() {
    for private in [vector("app_private.pem"), bare(&vector("app_private.pem"))] {
        for public in [vector("alipay_public.pem"), bare(&vector("alipay_public.pem"))] {
            let mut config = ours();
            config["app_private_key"] = json!(private);
            config["alipay_public_key"] = json!(public);
            assert!(try_build(config).is_ok());
        }
    }
}

#[test]
fn a_pkcs1_key_is_taken_too() {
    // A PKCS#8 key is a PKCS#1 key in a wrapper of 26 bytes, for 2048-bit keys.
    let pkcs8 = STANDARD.decode(bare(&vector("app_private.pem"))).unwrap();
    let pkcs1 = STANDARD.encode(&pkcs8[26..]);
    let armoured = format!("-----BEGIN RSA PRIVATE KEY-----\n{pkcs1}\n-----END RSA PRIVATE KEY-----");
    for key in [pkcs1, armoured] {
        let mut config = ours();
        config["app_private_key"] = json!(key);
        assert!(try_build(config).is_ok());
    }
}

#[test]
fn keys_that_were_mixed_up_are_told_apart() {
    for public in [vector("app_public.pem"), bare(&vector("app_public.pem"))] {
        let (field, reason) = wrong("alipay_public_key", json!(public));
        assert_eq!(field, "alipay_public_key");
        assert!(reason.contains("application public key (应用公钥)"), "{reason}");
    }
    let (_, reason) = wrong("alipay_public_key", json!(vector("app_private.pem")));
    assert!(reason.contains("is a private key"), "{reason}");
    let certificate = vector("alipay_cert.crt");
    let (_, reason) = wrong("alipay_public_key", json!(certificate));
    assert!(reason.contains("certificate"), "{reason}");
    let (field, reason) = wrong("app_private_key", json!(vector("app_public.pem")));
    assert_eq!(field, "app_private_key");
    assert!(reason.contains("is a public key"), "{reason}");
    for junk in ["", "!!!", "AAAA", "-----BEGIN PRIVATE KEY-----"] {
        assert_eq!(wrong("app_private_key", json!(junk)).0, "app_private_key", "{junk}");
        assert_eq!(wrong("alipay_public_key", json!(junk)).0, "alipay_public_key", "{junk}");
    }
}

#[test]
fn an_elliptic_key_is_no_key_for_rsa2() {
    let pair =
        aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let key = STANDARD.encode(pair.to_pkcs8v1().unwrap().as_ref());
    assert_eq!(wrong("app_private_key", json!(key)).0, "app_private_key");
}

#[test]
fn a_fresh_key_of_4096_bits_is_taken() {
    let pair = KeyPair::generate(KeySize::Rsa4096).unwrap();
    let mut config = ours();
    config["app_private_key"] = json!(
        STANDARD.encode(
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair)
                .unwrap()
                .as_ref()
        )
    );
    assert!(try_build(config).is_ok());
}

#[test]
fn every_other_field_is_checked_by_name() {
    for (field, value) in [
        ("app_id", json!("")),
        ("app_id", json!("wx123")),
        ("seller_id", json!("1234")),
        ("seller_id", json!("1088000000000001")),
        ("gateway_url", json!("openapi.alipay.com/gateway.do")),
        ("gateway_url", json!("ftp://openapi.alipay.com/gateway.do")),
        ("gateway_url", json!("https://openapi.alipay.com/gateway.do?x=1")),
        ("product_code", json!("")),
        ("personal_product_code", json!("general withholding")),
        ("sign_scene", json!("")),
        ("sign_scene", json!("METRO")),
        ("sign_scene", json!("DEFAULT|DEFAULT")),
        ("pay_timeout_ms", json!(10)),
        ("query_timeout_ms", json!(600_000)),
        ("refund_timeout_ms", json!(0)),
        ("encrypt_key", json!("short")),
        ("encrypt_key", json!("AQIDBAUGBwgJCgsMDQ4PEA=")),
        ("payment_code", json!("yes")),
        ("payment_code_product", json!("face to face")),
        ("identity_scope", json!("auth_everything")),
        ("authorize_url", json!("openauth.alipay.com")),
        (
            "authorize_url",
            json!("https://openauth.alipay.com/oauth2/x.htm?app_id=1"),
        ),
        ("unheard_of", json!(1)),
    ] {
        assert_eq!(wrong(field, value.clone()).0, field, "{value}");
    }
    let mut config = ours();
    config.as_object_mut().unwrap().remove("sign_scene");
    let error = try_build(config).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("sign_scene: is missing"), "{error}");
}

#[test]
fn no_error_shows_a_key() {
    let key = bare(&vector("app_private.pem"));
    let (_, reason) = wrong("alipay_public_key", json!(key));
    assert!(!reason.contains(&key[..20]), "{reason}");
    let (_, reason) = wrong("app_private_key", json!(format!("{key}!")));
    assert!(!reason.contains(&key[..20]), "{reason}");
}

#[test]
fn an_account_of_yesterday_is_one_of_today_and_a_form_may_leave_fields_empty() {
    let channel = try_build(ours()).unwrap();
    assert!(channel.code_pay().is_none() && channel.identity().is_none() && channel.bills().is_some());
    let mut config = ours();
    for name in [
        "app_cert",
        "alipay_cert",
        "alipay_root_cert",
        "encrypt_key",
        "app_auth_token",
        "auth_app_id",
    ] {
        config[name] = json!("");
    }
    config["service_provider_id"] = Value::Null;
    assert!(try_build(config).is_ok());
}

#[test]
fn certificates_are_all_or_none_and_of_the_right_owner() {
    let certified = || with(ours(), certified());
    assert!(try_build(certified()).is_ok());
    let wrong = |fields: Value| match try_build(with(certified(), fields)) {
        Err(RegistryError::Config { error, .. }) => (error.field, error.reason),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    };
    for field in ["app_cert", "alipay_cert", "alipay_root_cert"] {
        let (named, reason) = wrong(json!({ field: null }));
        assert!(named == field && reason.contains("is missing"), "{named}: {reason}");
        for junk in [
            "no certificate",
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(wrong(json!({ field: junk })).0, field);
        }
    }
    let (named, reason) = wrong(json!({"alipay_public_key": vector("alipay_public.pem")}));
    assert!(
        named == "alipay_public_key" && reason.contains("must be empty"),
        "{reason}"
    );
    let none = json!({"app_cert": null, "alipay_cert": null, "alipay_root_cert": null});
    let (named, reason) = wrong(none);
    assert!(
        named == "alipay_public_key" && reason.contains("is missing"),
        "{reason}"
    );
    // Files that were mixed up.
    assert_eq!(wrong(json!({"app_cert": vector("alipay_cert.crt")})).0, "app_cert");
    assert_eq!(wrong(json!({"alipay_cert": vector("app_cert.crt")})).0, "alipay_cert");
    let (named, reason) = wrong(json!({"alipay_root_cert": vector("odd_certs.crt")}));
    assert!(
        named == "alipay_root_cert" && reason.contains("no RSA root"),
        "{reason}"
    );
}

#[test]
fn a_service_provider_names_both_apps() {
    let wrong = |fields: Value| match try_build(with(ours(), fields)) {
        Err(RegistryError::Config { error, .. }) => error.field,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    };
    let (token, app) = ("202603BB_D64b2be8afd4b6c8468cf585bd05E50", "2021000000000002");
    assert_eq!(wrong(json!({"app_auth_token": token})), "auth_app_id");
    assert_eq!(wrong(json!({"auth_app_id": app})), "app_auth_token");
    assert_eq!(
        wrong(json!({"app_auth_token": token, "auth_app_id": "2021000000000001"})),
        "auth_app_id"
    );
    assert_eq!(
        wrong(json!({"app_auth_token": token, "auth_app_id": "wx"})),
        "auth_app_id"
    );
    let all = json!({"app_auth_token": token, "auth_app_id": app, "service_provider_id": "1"});
    assert_eq!(wrong(all), "service_provider_id");
    assert!(try_build(with(ours(), json!({"app_auth_token": token, "auth_app_id": app}))).is_ok());
}

#[test]
fn a_configuration_shows_no_secret() {
    let secrets =
        json!({"encrypt_key": "AQIDBAUGBwgJCgsMDQ4PEA==", "app_auth_token": "canary-token", "auth_app_id": "20"});
    let config: metropay_channel_alipay::AlipayConfig = serde_json::from_value(with(ours(), secrets)).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("canary") && !shown.contains("AQIDBAUG"), "{shown}");
    assert!(!shown.contains(&bare(&vector("app_private.pem"))[..20]), "{shown}");
}
