//! Requests that the gateway does not take, in the order of its checks.

use serde_json::json;

use super::merchant::Merchant;
use super::verifier::scan;

#[tokio::test]
async fn a_request_without_its_numbers_gets_plain_text() {
    let shop = Merchant::new().await;
    for name in ["merId", "orderId", "txnTime"] {
        let mut message = shop.consumption(100);
        message.insert(name.to_owned(), String::new());
        assert_eq!(
            shop.post("backTransReq", &shop.sign(message)).await.unwrap(),
            "Invalid request."
        );
    }
    let url = format!("{}/gateway/api/backTransReq.do", shop.base_url);
    let answer = shop.http.get(url).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
        (200, "Invalid request.")
    );
}

#[tokio::test]
async fn an_altered_request_fails_its_signature() {
    let shop = Merchant::new().await;
    let mut message = shop.sign(shop.consumption(100));
    message.insert("txnAmt".to_owned(), "1".to_owned());
    let answer = shop.believed(&shop.post("backTransReq", &message).await.unwrap());
    assert_eq!(
        (answer["respCode"].as_str(), answer["respMsg"].as_str()),
        ("11", "验证签名失败[9100004]")
    );
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn a_request_of_wrong_form_comes_back_whole() {
    let shop = Merchant::new().await;
    let mut message = shop.consumption(100);
    message.remove("currencyCode");
    message.insert("termId".to_owned(), String::new());
    let answer = shop.send(&message).await;
    assert_eq!(
        (answer["respCode"].as_str(), answer["respMsg"].as_str()),
        ("10", "[9100003]Mandatory field[currencyCode] missed")
    );
    assert_eq!((answer["termId"].as_str(), &answer["backUrl"]), ("", &shop.back_url));
    assert_ne!(answer["certId"], shop.sign(message.clone())["certId"]);
    for (name, value) in [
        ("txnAmt", "12.80"),
        ("txnAmt", "0"),
        ("orderId", "MCP_20250301"),
        ("version", "5.0.0"),
    ] {
        let mut message = shop.consumption(100);
        message.insert(name.to_owned(), value.to_owned());
        assert_eq!(
            shop.send(&message).await["respMsg"],
            format!("[9100003]Invalid field[{name}]")
        );
    }
}

#[tokio::test]
async fn each_condition_of_the_merchant_has_its_code() {
    let shop = Merchant::new().await;
    let code = async |wishes: serde_json::Value| {
        shop.change(wishes);
        shop.send(&shop.consumption(100)).await["respCode"].clone()
    };
    assert_eq!(code(json!({"disabled": true})).await, "31");
    assert_eq!(code(json!({"disabled": false, "no_permission": ["01"]})).await, "32");
    assert_eq!(code(json!({"no_permission": [], "not_opened": ["000902"]})).await, "43");
    assert_eq!(code(json!({"not_opened": [], "limit_fen": 99})).await, "33");
    assert_eq!(code(json!({"limit_fen": null, "sms_required": true})).await, "82");
    shop.change(json!({"sms_required": false}));
    let (order, _) = shop.pay(100).await;
    shop.change(json!({"queries_per_minute": 1}));
    // The minute may have turned between the questions.
    let codes = [
        shop.query(&order).await["respCode"].clone(),
        shop.query(&order).await["respCode"].clone(),
        shop.query(&order).await["respCode"].clone(),
    ];
    assert!(codes.contains(&"37".to_owned()), "{codes:?}");
    shop.frame().clock.set_offset_ms(60_000);
    assert_eq!(
        shop.query(&order).await["respCode"],
        "00",
        "the next minute counts anew"
    );
    shop.change(json!({"blacklisted": true}));
    let text = shop
        .post("backTransReq", &shop.sign(shop.consumption(100)))
        .await
        .unwrap();
    assert!(text.starts_with("You have been added to the blacklist."), "{text}");
}

#[tokio::test]
async fn strangers_old_messages_and_other_types_are_refused() {
    let shop = Merchant::new().await;
    let mut stranger = shop.consumption(100);
    stranger.insert("merId".to_owned(), "700000000000001".to_owned());
    assert_eq!(shop.send(&stranger).await["respMsg"], "报文格式错误[6100030]");
    let mut old = shop.consumption(100);
    let time = shop.frame().clock.now() - chrono::TimeDelta::minutes(61);
    old.insert("txnTime".to_owned(), time.format("%Y%m%d%H%M%S").to_string());
    assert_eq!(shop.send(&old).await["respMsg"], "报文格式错误[6100030]");
    assert_eq!(
        shop.send(&shop.message("77", "01", "000501")).await["respMsg"],
        "无此交易权限[6131010]"
    );
    assert_eq!(
        shop.send(&shop.message("55", "00", "000000")).await["respMsg"],
        "[9100003]Invalid field[txnType]"
    );
    let mut other_business = shop.consumption(100);
    other_business.insert("bizType".to_owned(), "000501".to_owned());
    assert_eq!(shop.send(&other_business).await["respCode"], "43");
    let unknown = shop.query(&shop.consumption(1)).await;
    assert_eq!(
        (unknown["respMsg"].as_str(), unknown["txnType"].as_str()),
        ("查无此交易[2600000]", "00")
    );
    assert!(!unknown.contains_key("origRespCode"));
}

#[tokio::test]
async fn a_token_of_another_merchant_or_requester_does_not_pay() {
    let shop = Merchant::new().await;
    let mut message = shop.consumption(100);
    message.insert(
        "tokenPayData".to_owned(),
        "{trId=62000000002&token=6235240000020757577}".to_owned(),
    );
    assert_eq!(shop.send(&message).await["respCode"], "10");
    assert_eq!(
        shop.query(&message).await["respCode"],
        "34",
        "a refusal at the front leaves nothing"
    );
    let mut message = shop.consumption(100);
    message.insert(
        "tokenPayData".to_owned(),
        format!("{{trId={}&token=6235240000020757578}}", shop.tr_id),
    );
    assert_eq!(shop.send(&message).await["respCode"], "40");
}

#[tokio::test]
async fn an_answer_stands_raw_with_the_certificate_and_the_signature_last() {
    let shop = Merchant::new().await;
    let mut message = shop.consumption(100);
    message.insert("encoding".to_owned(), "utf-8".to_owned());
    let body = shop.post("backTransReq", &shop.sign(message)).await.unwrap();
    assert!(
        body.contains("respMsg=成功[0000000]&") && body.contains("encoding=utf-8&"),
        "{body}"
    );
    assert!(
        body.contains("&signPubKeyCert=-----BEGIN CERTIFICATE-----\r\n"),
        "{body}"
    );
    assert!(body.contains("\r\n-----END CERTIFICATE-----&signature="), "{body}");
    let names: Vec<String> = scan(&body).into_keys().collect();
    let at = |name: &String| body.find(&format!("{name}=")).unwrap();
    let before: Vec<&String> = names
        .iter()
        .filter(|name| !["signPubKeyCert", "signature"].contains(&name.as_str()))
        .collect();
    assert!(
        before.windows(2).all(|pair| at(pair[0]) <= at(pair[1])),
        "alphabetical: {body}"
    );
}
