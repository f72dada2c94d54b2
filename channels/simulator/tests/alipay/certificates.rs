//! Certificate mode: names on requests and answers, and Alipay's change of certificate.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::{Gateway, Simulator};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x509_parser::pem::Pem;

use crate::shop::{APP_ID, Answer, PAY, QUERY, Shop, settings, sign, trade, vector};

const DOWNLOAD: &str = "alipay.open.app.alipaycert.download";
const APP_SN: &str = "0011657fb565810f4281ac37785787b7";
const ALIPAY_SN: &str = "c6204f0b049ee8a2e17785eb0b82e74c";
const ROOT_SN: &str = "5b411b75aeb7a48531c3162ae2314c20_b660cbcf128599c88757a8f815406cb8";

/// A shop with the reference's own certificates.
async fn shop() -> Shop {
    let alipay = format!("{}\n{}", vector("alipay certificate"), vector("middle certificate"));
    Shop::open(
        json!({"mode": "certificate", "app_cert_pem": vector("app certificate"), "alipay_cert_pem": alipay,
        "alipay_root_cert_pem": vector("root certificates"), "coupon_fen": 100}),
    )
    .await
}

const NAMES: [(&str, &str); 2] = [("app_cert_sn", APP_SN), ("alipay_root_cert_sn", ROOT_SN)];

#[tokio::test]
async fn the_references_request_in_certificate_mode_is_accepted_as_it_stands() {
    let shop = shop().await;
    shop.fault(json!({"operation": "notify", "effect": "notice_lost", "times": 0}));
    shop.set_clock("2026-03-01T08:30:06");
    let pairs = vector("T2 string").split('&').map(|pair| pair.split_once('=').unwrap());
    let mut params: std::collections::BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    params.insert("sign".to_owned(), vector("T2 sign").to_owned());
    let answer = Answer::read(&shop.send(&params).await.unwrap());
    answer.says("code=40004 sub_code=ACQ.AGREEMENT_NOT_EXIST");
    assert_eq!(answer.cert_sn.as_deref(), Some(ALIPAY_SN));
    assert!(answer.fits);
}

#[tokio::test]
async fn both_certificates_must_be_named_and_rightly() {
    let shop = shop().await;
    let cases = [
        ("app_cert_sn", "", "isv.missing-app-cert-sn"),
        ("alipay_root_cert_sn", "", "isv.missing-alipay-root-cert-sn"),
        ("app_cert_sn", ALIPAY_SN, "isv.invalid-app-cert-sn"),
        ("alipay_root_cert_sn", &ROOT_SN[..32], "isv.invalid-alipay-root-cert-sn"),
    ];
    for (name, value, sub_code) in cases {
        let mut params = shop.params(QUERY, &trade("A1"), &NAMES);
        params.insert(name.to_owned(), value.to_owned());
        sign(&mut params);
        let answer = Answer::read(&shop.send(&params).await.unwrap());
        answer.says(&format!("code=40002 sub_code={sub_code}"));
        assert!(
            answer.fits && answer.cert_sn.as_deref() == Some(ALIPAY_SN),
            "signed, and says with what"
        );
    }
    let unknown = shop.params(QUERY, &trade("A1"), &[("app_id", "2021000000009999")]);
    let answer = Answer::read(&shop.send(&unknown).await.unwrap());
    answer.says("sub_code=isv.invalid-app-id");
    assert!(!answer.signed && answer.cert_sn.is_none());
    shop.set_clock("2047-01-01T00:00:00");
    let late = shop.call_with(QUERY, trade("A1"), &NAMES).await;
    late.says("code=40002 sub_code=isv.app-cert-expired");
}

#[tokio::test]
async fn the_certificate_changes_in_mid_operation_and_can_be_downloaded() {
    let shop = shop().await;
    let before = shop.call_with(QUERY, trade("A1"), &NAMES).await;
    assert_eq!(before.cert_sn.as_deref(), Some(ALIPAY_SN));
    let changed = shop
        .sim
        .frame()
        .open_account(Gateway::Alipay, &json!({"app_id": APP_ID, "rotate_alipay_cert": true}))
        .unwrap();
    assert_eq!(changed["app_cert_sn"], APP_SN, "the app keeps its own");
    let root_sn = changed["alipay_root_cert_sn"].as_str().unwrap().to_owned();
    let names = [("app_cert_sn", APP_SN), ("alipay_root_cert_sn", root_sn.as_str())];
    let after = shop.call_with(QUERY, trade("A1"), &names).await;
    let sn = after.cert_sn.clone().unwrap();
    assert_ne!(sn, ALIPAY_SN);
    assert!(after.signed && !after.fits, "no longer with the old key");

    let download = shop.call_with(DOWNLOAD, json!({"alipay_cert_sn": sn}), &names).await;
    let pem = STANDARD
        .decode(download.says("code=10000").text("alipay_cert_content"))
        .unwrap();
    assert!(fits(&leaf_key(&pem), after.raw.as_bytes(), &after.signature));
    chain_holds(&pem, changed["alipay_root_cert_pem"].as_str().unwrap());
    let old = shop
        .call_with(DOWNLOAD, json!({"alipay_cert_sn": ALIPAY_SN}), &names)
        .await;
    let old_pem = STANDARD.decode(old.text("alipay_cert_content")).unwrap();
    assert!(
        String::from_utf8(old_pem)
            .unwrap()
            .starts_with(vector("alipay certificate"))
    );
    shop.call_with(DOWNLOAD, json!({"alipay_cert_sn": "0".repeat(32)}), &names)
        .await
        .says("code=40004 sub_code=INVALID_PARAMETER");
}

#[tokio::test]
async fn an_account_in_certificate_mode_is_handed_its_certificates() {
    let sim = Simulator::start(settings()).await.unwrap();
    let open = |spec: Value| sim.frame().open_account(Gateway::Alipay, &spec);
    let opened = open(json!({"mode": "certificate"})).unwrap();
    let text = |name: &str| opened[name].as_str().unwrap().to_owned();
    assert_eq!(opened["mode"], "certificate");
    let own = RsaPublicKey::from_public_key_pem(&text("app_public_key_pem")).unwrap();
    assert_eq!(leaf_key(text("app_cert_pem").as_bytes()), own);
    let alipay = RsaPublicKey::from_public_key_pem(&text("alipay_public_key_pem")).unwrap();
    assert_eq!(leaf_key(text("alipay_cert_pem").as_bytes()), alipay);
    chain_holds(text("alipay_cert_pem").as_bytes(), &text("alipay_root_cert_pem"));
    for (name, len) in [("app_cert_sn", 32), ("alipay_cert_sn", 32), ("alipay_root_cert_sn", 65)] {
        assert_eq!(text(name).len(), len, "{name}");
    }
    let back = open(json!({"app_id": text("app_id"), "mode": "public_key"})).unwrap();
    assert!(back["mode"] == "public_key" && back.get("app_cert_sn").is_none());
    let plain = json!({"app_id": text("app_id"), "rotate_alipay_cert": true});
    assert!(open(plain).is_err(), "nothing to rotate");
    let foreign = json!({"app_id": text("app_id"), "app_cert_pem": vector("app certificate"),
        "alipay_cert_pem": vector("alipay certificate"), "alipay_root_cert_pem": vector("root certificates")});
    assert!(open(foreign).is_err(), "certificates of other keys");
}

#[tokio::test]
async fn a_payment_in_certificate_mode_is_notified_without_a_certificates_name() {
    let merchant = crate::merchant::Merchant::start(&[]).await;
    let shop = shop().await;
    let code = shop.code("小明", "0").await;
    let url = merchant.at("paid");
    let more = [NAMES[0], NAMES[1], ("notify_url", url.as_str())];
    let paid = shop
        .call_with(PAY, crate::shop::code_order("P1", &code, "4.50"), &more)
        .await;
    paid.says("code=10000");
    let notice = merchant.wait("out_trade_no=P1").await;
    assert!(notice.is_signed() && notice.text("alipay_cert_sn").is_empty());
}

fn fits(key: &RsaPublicKey, text: &[u8], signature: &str) -> bool {
    let signature = STANDARD.decode(signature).unwrap();
    key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text), &signature)
        .is_ok()
}

fn leaf_key(pem: &[u8]) -> RsaPublicKey {
    let block = Pem::iter_from_buffer(pem).next().unwrap().unwrap();
    let cert = block.parse_x509().unwrap();
    RsaPublicKey::from_public_key_der(cert.public_key().raw).unwrap()
}

/// Each certificate is signed by the next, the last by one of the roots.
fn chain_holds(pem: &[u8], roots: &str) {
    let chain: Vec<Pem> = Pem::iter_from_buffer(pem).map(Result::unwrap).collect();
    let roots: Vec<Pem> = Pem::iter_from_buffer(roots.as_bytes()).map(Result::unwrap).collect();
    for (place, block) in chain.iter().enumerate() {
        let cert = block.parse_x509().unwrap();
        let is_issuer = |other: &&Pem| other.parse_x509().unwrap().subject().as_raw() == cert.issuer().as_raw();
        let issuer = chain[place + 1..].iter().chain(&roots).find(is_issuer).unwrap();
        let issuer = issuer.parse_x509().unwrap();
        let key = RsaPublicKey::from_public_key_der(issuer.public_key().raw).unwrap();
        let digest = Sha256::digest(cert.tbs_certificate.as_ref());
        let signature = cert.signature_value.data.as_ref();
        assert!(key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, signature).is_ok());
    }
    assert!(chain.len() > 1, "the authority between leaf and root is there too");
}
