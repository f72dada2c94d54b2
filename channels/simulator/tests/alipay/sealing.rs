//! Content encryption: sealed requests, sealed answers, and what is refused plainly.

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use serde_json::{Value, json};

use crate::shop::{Answer, QUERY, Shop, page_id, sign, trade, vector};

const KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEA==";

fn seal(text: &str) -> String {
    let key = STANDARD.decode(KEY).unwrap();
    let cipher = cbc::Encryptor::<Aes128>::new_from_slices(&key, &[0; 16]).unwrap();
    STANDARD.encode(cipher.encrypt_padded_vec_mut::<Pkcs7>(text.as_bytes()))
}

fn open(node: &Value) -> Value {
    let key = STANDARD.decode(KEY).unwrap();
    let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&key, &[0; 16]).unwrap();
    let sealed = STANDARD.decode(node.as_str().unwrap()).unwrap();
    serde_json::from_slice(&cipher.decrypt_padded_vec_mut::<Pkcs7>(&sealed).unwrap()).unwrap()
}

#[tokio::test]
async fn the_references_sealed_request_is_accepted_and_answered_sealed() {
    let shop = Shop::open(json!({"coupon_fen": 100, "encrypt_key": KEY})).await;
    shop.fault(json!({"operation": "notify", "effect": "notice_lost", "times": 0}));
    shop.set_clock("2026-03-01T07:00:01");
    let page = shop.client.get(format!("{}?{}", shop.gateway(), vector("T10 query")));
    shop.agree(&page_id(&page.send().await.unwrap().text().await.unwrap()), "")
        .await;
    shop.set_clock("2026-03-01T08:30:06");
    let mut params = Default::default();
    for pair in vector("T6 string").split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        std::collections::BTreeMap::insert(&mut params, name.to_owned(), value.to_owned());
    }
    params.insert("sign".to_owned(), vector("T6 sign").to_owned());
    let answer = Answer::read(&shop.send(&params).await.unwrap());
    assert!(answer.fits && answer.raw.starts_with('"'), "signed with its quotes");
    let node = open(&answer.node);
    assert_eq!(node["code"], "10000");
    assert_eq!(node["buyer_pay_amount"], "3.50");
    assert_eq!(shop.books(), ["Debit MT202603010830050001 450"]);
}

#[tokio::test]
async fn failures_of_the_business_are_sealed_and_failures_of_the_sealing_are_not() {
    let shop = Shop::open(json!({"encrypt_key": KEY})).await;
    let send = async |name: &str, value: &str, biz: &str| {
        let mut params = shop.params(QUERY, &trade("A1"), &[("encrypt_type", "AES")]);
        params.insert("biz_content".to_owned(), biz.to_owned());
        params.insert(name.to_owned(), value.to_owned());
        sign(&mut params);
        Answer::read(&shop.send(&params).await.unwrap())
    };
    let sealed = seal(r#"{"out_trade_no":"A1"}"#);
    let answer = send("format", "JSON", &sealed).await;
    assert!(answer.fits);
    assert_eq!(open(&answer.node)["sub_code"], "ACQ.TRADE_NOT_EXIST");
    let broken = send("format", "JSON", &seal("{")).await;
    assert_eq!(open(&broken.node)["sub_code"], "isv.illegal-json");
    for (name, value, biz, words) in [
        (
            "encrypt_type",
            "DES",
            sealed.as_str(),
            "code=40002 sub_code=isv.decryption-error-not-valid-encrypt-type",
        ),
        (
            "encrypt_type",
            "",
            sealed.as_str(),
            "code=40001 sub_code=isv.decryption-error-missing-encrypt-type",
        ),
        (
            "format",
            "JSON",
            "nonsense",
            "code=40002 sub_code=isv.decryption-error-unknown",
        ),
    ] {
        let answer = send(name, value, biz).await;
        answer.says(words);
        assert!(answer.fits, "plain, and signed");
    }
    shop.call(QUERY, trade("A1")).await.says("sub_code=ACQ.TRADE_NOT_EXIST");
    shop.change(json!({"encrypt_key": ""}));
    let answer = send("format", "JSON", &sealed).await;
    answer.says("sub_code=isv.decryption-error-not-valid-encrypt-key");
}

#[tokio::test]
async fn faults_find_the_order_inside_a_sealed_request() {
    let shop = Shop::open(json!({"encrypt_key": KEY})).await;
    shop.fault(json!({"operation": QUERY, "order_no": "A1", "effect": "refuse", "code": "INVALID_PARAMETER"}));
    let mut params = shop.params(QUERY, &trade("A1"), &[("encrypt_type", "AES")]);
    params.insert("biz_content".to_owned(), seal(r#"{"out_trade_no":"A1"}"#));
    sign(&mut params);
    let answer = Answer::read(&shop.send(&params).await.unwrap());
    assert_eq!(open(&answer.node)["sub_code"], "ACQ.INVALID_PARAMETER");
}

#[tokio::test]
async fn a_key_can_be_made_for_an_account() {
    let shop = Shop::open(json!({})).await;
    let open = |spec: Value| {
        let mut spec = spec;
        spec["app_id"] = json!(crate::shop::APP_ID);
        shop.sim
            .frame()
            .open_account(metropay_simulator::Gateway::Alipay, &spec)
    };
    let made = open(json!({"encrypt_key": "make"})).unwrap();
    assert_eq!(
        STANDARD.decode(made["encrypt_key"].as_str().unwrap()).unwrap().len(),
        16
    );
    assert!(open(json!({"encrypt_key": "short"})).is_err());
}
