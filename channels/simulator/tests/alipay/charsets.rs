//! Requests and answers in GBK, and answers with escapes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::GBK;
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::shop::{Answer, PAY, QUERY, Shop, code_order, fits_bytes, trade, vector};

/// Content types and bodies of notifications.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

#[tokio::test]
async fn the_references_request_in_gbk_is_answered_in_gbk() {
    let shop = Shop::open(json!({})).await;
    shop.set_clock("2026-03-01T08:30:05");
    let pairs = vector("T2b string")
        .split('&')
        .map(|pair| pair.split_once('=').unwrap());
    let mut params: BTreeMap<&str, &str> = pairs.collect();
    params.insert("sign", vector("T2b sign"));
    let biz = params.remove("biz_content").unwrap();
    let form = |pairs: &BTreeMap<&str, &str>| {
        form_urlencoded::Serializer::new(String::new())
            .encoding_override(Some(&|text| GBK.encode(text).0))
            .extend_pairs(pairs)
            .finish()
    };
    let request = shop.client.post(format!("{}?{}", shop.gateway(), form(&params)));
    let request = request.header("content-type", "application/x-www-form-urlencoded;charset=GBK");
    let answer = request
        .body(form(&BTreeMap::from([("biz_content", biz)])))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html;charset=GBK");
    let bytes = answer.bytes().await.unwrap();
    let text = GBK.decode(&bytes).0.into_owned();
    let answer = Answer::read(&text);
    answer.says("code=40004 sub_code=ACQ.TRADE_NOT_EXIST sub_msg=交易不存在");
    assert!(
        fits_bytes(&GBK.encode(&answer.raw).0, &answer.signature),
        "signed as it was sent"
    );
    assert!(!answer.fits, "and not over UTF-8");
}

#[tokio::test]
async fn a_payment_asked_for_in_gbk_is_notified_in_gbk() {
    let received: Received = Arc::default();
    let url = receiver(&received).await;
    let shop = Shop::open(json!({})).await;
    let code = shop.code("小明", "0").await;
    let more = [("charset", "GBK"), ("notify_url", url.as_str())];
    let mut params = shop.params(PAY, &code_order("P1", &code, "1.00"), &more);
    params.insert("sign".to_owned(), gbk_signature(&params));
    let form = form_urlencoded::Serializer::new(String::new())
        .encoding_override(Some(&|text| GBK.encode(text).0))
        .extend_pairs(&params)
        .finish();
    let request = shop.client.get(format!("{}?{form}", shop.gateway()));
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    Answer::read(&GBK.decode(&answer).0).says("code=10000");
    for _ in 0..200 {
        if !received.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (content_type, body) = received.lock().unwrap().remove(0);
    assert_eq!(content_type, "application/x-www-form-urlencoded; charset=GBK");
    let mut pairs = BTreeMap::new();
    for pair in std::str::from_utf8(&body).unwrap().split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        let raw: Vec<u8> = percent_encoding::percent_decode_str(&value.replace('+', " ")).collect();
        pairs.insert(name.to_owned(), GBK.decode(&raw).0.into_owned());
    }
    assert_eq!(
        (pairs["charset"].as_str(), pairs["subject"].as_str()),
        ("GBK", "地铁便利店")
    );
    let covered = pairs
        .iter()
        .filter(|(name, _)| !["sign", "sign_type"].contains(&name.as_str()));
    let text: Vec<String> = covered.map(|(name, value)| format!("{name}={value}")).collect();
    assert!(fits_bytes(&GBK.encode(&text.join("&")).0, &pairs["sign"]));
}

/// A merchant's server that keeps notifications as they came.
async fn receiver(received: &Received) -> String {
    let taken = Arc::clone(received);
    let take = move |headers: axum::http::HeaderMap, body: axum::body::Bytes| async move {
        let content_type = headers["content-type"].to_str().unwrap().to_owned();
        taken.lock().unwrap().push((content_type, body.to_vec()));
        "success"
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/paid", listener.local_addr().unwrap());
    let app: axum::Router = axum::Router::new().route("/paid", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// The merchant's signature under a request in GBK.
fn gbk_signature(params: &BTreeMap<String, String>) -> String {
    let covered = params.iter().filter(|(name, _)| *name != "sign");
    let parts: Vec<String> = covered.map(|(name, value)| format!("{name}={value}")).collect();
    let key = RsaPrivateKey::from_pkcs8_pem(vector("app private key")).unwrap();
    let digest = Sha256::digest(GBK.encode(&parts.join("&")).0);
    STANDARD.encode(key.sign(Pkcs1v15Sign::new::<Sha256>(), &digest).unwrap())
}

#[tokio::test]
async fn answers_can_carry_escapes_and_are_signed_as_they_stand() {
    let shop = Shop::open(json!({"escape_slashes": true, "escape_unicode": true, "store_name": "3号线/A口"})).await;
    let code = shop.code("小明", "0").await;
    let answer = shop.pay_by_code("P1", &code, "1.00").await;
    answer.says("code=10000 store_name=3号线/A口");
    assert!(
        answer.fits && answer.raw.is_ascii() && answer.raw.contains("\\/A\\u53e3"),
        "{}",
        answer.raw
    );
    assert!(shop.call(QUERY, trade("P9")).await.raw.contains("\\u4ea4\\u6613"));
}
