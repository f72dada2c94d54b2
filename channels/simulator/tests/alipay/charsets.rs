//! Requests and answers in GBK, and answers with escapes.

use std::collections::BTreeMap;

use encoding_rs::GBK;
use serde_json::json;

use crate::shop::{Answer, QUERY, Shop, fits_bytes, trade, vector};

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
