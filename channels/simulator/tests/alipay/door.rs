//! The checks before the business, and opening accounts.

use metropay_simulator::Simulator;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};

use crate::shop::{Answer, PAY, QUERY, Shop, client, form, settings, sign, trade, vector};

#[tokio::test]
async fn a_wrong_signature_is_refused_with_the_string_that_was_expected() {
    let shop = Shop::open(json!({})).await;
    let mut params = shop.params(QUERY, &trade("A1"), &[]);
    params.insert("biz_content".to_owned(), "{\"out_trade_no\":\"A2\"}".to_owned());
    let answer = Answer::read(&shop.send(&params).await.unwrap());
    answer.says("code=40002 sub_code=isv.invalid-signature");
    assert!(answer.fits, "this refusal is signed");
    let shown =
        "网关生成的验签字符串为：app_id=2021000000000001&amp;biz_content={\"out_trade_no\":\"A2\"}&amp;charset=utf-8";
    assert!(answer.text("sub_msg").contains(shown), "{}", answer.text("sub_msg"));
}

#[tokio::test]
async fn an_unknown_app_is_told_so_before_its_signature_is_looked_at() {
    let shop = Shop::open(json!({})).await;
    let mut params = shop.params(PAY, &json!({}), &[("app_id", "2021000000009999")]);
    params.insert("sign".to_owned(), "AAAA".to_owned());
    assert_eq!(shop.send(&params).await.unwrap(), vector("T5b"));
    params.remove("sign");
    let answer = Answer::read(&shop.send(&params).await.unwrap());
    answer.says("code=40001 sub_code=isv.missing-signature");
    assert!(!answer.signed);
}

#[tokio::test]
async fn malformed_requests_are_turned_away_at_the_door() {
    let shop = Shop::open(json!({})).await;
    let cases = [
        ("method", "", "code=40001 sub_code=isv.missing-method"),
        ("timestamp", " ", "code=40001 sub_code=isv.missing-timestamp"),
        ("version", "", "code=40001 sub_code=isv.missing-version"),
        ("sign_type", "", "code=40001 sub_code=isv.missing-signature-type"),
        ("app_id", "", "code=40001 sub_code=isv.missing-app-id"),
        (
            "method",
            "alipay.trade.precreate",
            "code=40002 sub_code=isv.invalid-method",
        ),
        ("charset", "latin1", "code=40002 sub_code=isv.invalid-charset"),
        ("format", "XML", "code=40002 sub_code=isv.invalid-format"),
        ("sign_type", "RSA", "code=40002 sub_code=isv.invalid-signature-type"),
        (
            "timestamp",
            "2020-01-01 00:00:00",
            "code=40002 sub_code=isv.invalid-timestamp",
        ),
        (
            "timestamp",
            "2020-01-01T00:00:00",
            "code=40002 sub_code=isv.invalid-timestamp",
        ),
        (
            "encrypt_type",
            "AES",
            "code=40002 sub_code=isv.decryption-error-not-valid-encrypt-key",
        ),
        (
            "app_auth_token",
            "202603BB",
            "code=20001 sub_code=aop.invalid-app-auth-token",
        ),
        ("biz_content", "{", "code=40002 sub_code=isv.illegal-json"),
        ("biz_content", "[]", "code=40002 sub_code=isv.illegal-json"),
    ];
    for (name, value, words) in cases {
        let mut params = shop.params(QUERY, &trade("A1"), &[]);
        params.insert(name.to_owned(), value.to_owned());
        sign(&mut params);
        let answer = Answer::read(&shop.send(&params).await.unwrap());
        answer.says(words);
        assert_eq!(
            answer.fits,
            !words.contains("40001"),
            "{name}={value}: signed once the app is known"
        );
        let root = if name == "method" {
            "error_response"
        } else {
            "alipay_trade_query_response"
        };
        assert_eq!(answer.root, root);
    }
}

#[tokio::test]
async fn who_calls_too_often_waits_a_second() {
    let shop = Shop::open(json!({"calls_per_second_max": 2})).await;
    let calls = async || {
        let mut limited = 0;
        for _ in 0..12 {
            let answer = shop.call(QUERY, trade("A1")).await;
            limited += u32::from(answer.text("sub_code") == "isv.app-call-limited");
            assert!(answer.fits && (answer.text("code") == "40004" || answer.text("code") == "40005"));
        }
        limited
    };
    assert!(calls().await > 0);
    shop.advance(2);
    shop.call(QUERY, trade("A1")).await.says("sub_code=ACQ.TRADE_NOT_EXIST");
    shop.change(json!({"calls_per_second_max": null}));
    assert_eq!(calls().await, 0);
}

#[tokio::test]
async fn a_page_that_cannot_be_shown_says_so_to_the_user() {
    let shop = Shop::open(json!({})).await;
    let mut params = shop.params("alipay.user.agreement.page.sign", &json!({}), &[]);
    params.insert("biz_content".to_owned(), "{\"a\":1}".to_owned());
    let answer = shop.client.get(format!("{}?{}", shop.gateway(), form(&params)));
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html;charset=GBK");
    let bytes = answer.bytes().await.unwrap();
    let (page, _, is_broken) = encoding_rs::GBK.decode(&bytes);
    assert!(!is_broken && page.starts_with("<!doctype html>"), "{page}");
    assert!(
        page.contains("isv.invalid-signature") && page.contains("验签出错"),
        "{page}"
    );
}

#[tokio::test]
async fn an_account_is_opened_with_keys_of_its_own_and_changed_by_opening_it_again() {
    let sim = Simulator::start(settings()).await.unwrap();
    let post = |spec: Value| {
        let request = client().post(format!("{}/control/accounts/alipay", sim.url()));
        request
            .header("content-type", "application/json")
            .body(spec.to_string())
            .send()
    };
    let opened = post(json!({"coupon_fen": 5})).await.unwrap().text().await.unwrap();
    let made: Value = serde_json::from_str(&opened).unwrap();
    let text = |name: &str| made[name].as_str().unwrap();
    let private = RsaPrivateKey::from_pkcs8_pem(text("app_private_key_pem")).unwrap();
    let public = RsaPublicKey::from_public_key_pem(text("app_public_key_pem")).unwrap();
    assert_eq!(private.to_public_key(), public);
    let gateway_key = RsaPublicKey::from_public_key_pem(text("alipay_public_key_pem")).unwrap();
    assert_ne!(gateway_key, public);
    assert_eq!(text("gateway_url"), format!("{}/alipay/gateway.do", sim.url()));
    assert_eq!(text("product_code"), "GENERAL_WITHHOLDING");

    let again = post(json!({"app_id": text("app_id"), "shop_name": "新名字"}))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["shop_name"], "新名字");
    assert_eq!(again["alipay_public_key_pem"], made["alipay_public_key_pem"]);
    assert!(again.get("app_private_key_pem").is_none(), "handed out once");
    for wrong in [
        json!({"shop_nam": "x"}),
        json!({"app_public_key_pem": "nonsense", "app_id": text("app_id")}),
    ] {
        assert_eq!(post(wrong).await.unwrap().status(), 400);
    }
}
