//! How the gateway signs: along other chains of certificates, with secrets in common, and with what is encrypted for it.

use metropay_simulator::{Gateway, Simulator};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::merchant::{Merchant, TOKEN, fields, quick};
use super::verifier::{Doubt, Fields, Verifier, form, scan};

#[tokio::test]
async fn each_chain_is_believed_or_doubted_as_it_deserves() {
    let shop = Merchant::new().await;
    let chains = [
        ("usual", Ok(())),
        ("sha1", Ok(())),
        ("wrong_cn", Err(Doubt::NotTheGateway)),
        ("foreign_root", Err(Doubt::UnknownIssuer)),
        ("expired", Err(Doubt::OutOfDate)),
        ("expired_middle", Err(Doubt::OutOfDate)),
    ];
    for (chain, verdict) in chains {
        let wishes = json!({"mer_id": shop.mer_id, "chain": chain});
        let account = shop.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
        let said = |name: &str| account[name].as_str().unwrap().to_owned();
        let verifier = Verifier {
            root_pem: said("root_cert_pem"),
            middle_pem: said("middle_cert_pem"),
            check_name: true,
        };
        let order = shop.consumption(100);
        let answer = scan(&shop.post("backTransReq", &shop.sign(order.clone())).await.unwrap());
        let now_s = shop.frame().clock.now_ms() / 1_000;
        assert_eq!(verifier.verify(&answer, now_s), verdict, "{chain}");
        let letter = shop.first_letters(&order, 1).await.remove(0);
        assert_eq!(verifier.verify(&letter, now_s), verdict, "{chain}");
    }
    let wishes = json!({"chain": "sha1", "cn_name_check": false, "mer_id": shop.mer_id});
    let account = shop.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
    let usual = Verifier {
        root_pem: account["root_cert_pem"].as_str().unwrap().to_owned(),
        middle_pem: account["middle_cert_pem"].as_str().unwrap().to_owned(),
        check_name: false,
    };
    let answer = scan(
        &shop
            .post("backTransReq", &shop.sign(shop.consumption(1)))
            .await
            .unwrap(),
    );
    assert!(answer["signPubKeyCert"] != shop.verifier.root_pem);
    assert_eq!(usual.verify(&answer, shop.frame().clock.now_ms() / 1_000), Ok(()));
}

/// The rule of the methods with a secret, written once more: sorted fields, the hashed secret behind them, hashed.
fn keyed(message: &Fields, secure_key: &str, hash: fn(&str) -> String) -> String {
    let pairs: Vec<String> = message
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    hash(&format!("{}&{}", pairs.join("&"), hash(secure_key)))
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn sm3(text: &str) -> String {
    hex::encode(sm3::Sm3::digest(text))
}

#[tokio::test]
async fn merchants_with_a_secret_in_common_sign_and_verify_without_certificates() {
    for (method, hash) in [("11", sha256 as fn(&str) -> String), ("12", sm3)] {
        let sim = Simulator::start(quick()).await.unwrap();
        let wishes =
            json!({"tokens": [TOKEN], "sign_method": method, "secure_key": "880000000000000000000000000000ab"});
        let shop = Merchant::at(sim, wishes).await;
        let seal = |mut message: Fields| {
            message.insert("signMethod".to_owned(), method.to_owned());
            let signature = keyed(&message, "880000000000000000000000000000ab", hash);
            message.insert("signature".to_owned(), signature);
            message
        };
        let order = shop.consumption(100);
        let sent = seal(order.clone());
        assert!(!sent.contains_key("certId"));
        let answer = scan(&shop.post("backTransReq", &sent).await.unwrap());
        assert_eq!(
            (answer["respCode"].as_str(), answer["signMethod"].as_str()),
            ("00", method)
        );
        assert!(!answer.contains_key("signPubKeyCert"));
        let letter = shop.first_letters(&order, 1).await.remove(0);
        for told in [&answer, &letter] {
            assert_eq!(told["signature"], keyed(told, "880000000000000000000000000000ab", hash));
        }
        let mut altered = sent.clone();
        altered.insert("txnAmt".to_owned(), "1".to_owned());
        assert_eq!(
            scan(&shop.post("backTransReq", &altered).await.unwrap())["respCode"],
            "11"
        );
        let by_certificate = shop.sign(shop.consumption(100));
        assert_eq!(
            scan(&shop.post("backTransReq", &by_certificate).await.unwrap())["respCode"],
            "11",
            "a merchant signs as was agreed with him"
        );
    }
}

#[tokio::test]
async fn the_gateway_makes_the_secret_when_none_is_given_and_keeps_it() {
    let shop = Merchant::new().await;
    let open = |wishes: Value| shop.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
    let first = open(json!({"mer_id": shop.mer_id, "sign_method": "12"}));
    assert_eq!(
        (
            first["sign_method"].as_str(),
            first["secure_key"].as_str().unwrap().len()
        ),
        (Some("12"), 32)
    );
    assert_eq!(open(json!({"mer_id": shop.mer_id}))["secure_key"], first["secure_key"]);
    assert!(open(json!({}))["secure_key"].is_null());
}

/// A message that carries a card number under this certificate; "61" says that the gateway could read it.
async fn card_under(shop: &Merchant, cert_pem: &str) -> String {
    let (cert_id, card) = Merchant::secret_with(cert_pem, "6216261999999999999");
    let (_, info) = Merchant::secret_with(cert_pem, "phoneNo=13800138000");
    let mut sms = shop.message("77", "00", "000902");
    let customer = format!("{{encryptedInfo={info}}}");
    sms.extend(fields(&[
        ("accNo", &card),
        ("encryptCertId", &cert_id),
        ("customerInfo", &base64_of(&customer)),
    ]));
    shop.send(&sms).await["respCode"].clone()
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

async fn certificate_of_today(shop: &Merchant) -> String {
    let mut ask = shop.message("95", "00", "000000");
    ask.insert("certType".to_owned(), "01".to_owned());
    let told = shop.send(&ask).await;
    assert_eq!((told["respCode"].as_str(), told["certType"].as_str()), ("00", "01"));
    told["encryptPubKeyCert"].clone()
}

#[tokio::test]
async fn a_renewed_encryption_certificate_is_told_and_the_old_one_is_good_for_a_month() {
    let shop = Merchant::new().await;
    let old = certificate_of_today(&shop).await;
    assert_eq!(card_under(&shop, &old).await, "61");
    let (status, told) = shop.form("sim/encryption/renew", &[]).await;
    assert_eq!(status, 200);
    let told: Value = serde_json::from_str(&told).unwrap();
    let new = certificate_of_today(&shop).await;
    assert_eq!(
        new.replace("\r\n", "\n"),
        told["encrypt_cert_pem"].as_str().unwrap().trim_end()
    );
    assert_ne!(new, old);
    let account = shop
        .frame()
        .open_account(Gateway::Unionpay, &json!({"mer_id": shop.mer_id}))
        .unwrap();
    assert_eq!(account["encrypt_cert_pem"], told["encrypt_cert_pem"]);
    for cert in [&old, &new] {
        assert_eq!(card_under(&shop, cert).await, "61");
    }
    shop.frame().clock.set_offset_ms(32 * 24 * 3_600 * 1_000);
    assert_eq!(card_under(&shop, &old).await, "10");
    assert_eq!(card_under(&shop, &new).await, "61");
    let mut tracks = shop.message("95", "00", "000000");
    tracks.insert("certType".to_owned(), "02".to_owned());
    assert_eq!(shop.send(&tracks).await["respCode"], "43");
}

#[test]
fn what_the_vector_of_an_opening_hides_can_be_read_by_its_merchant() {
    use rsa::pkcs8::DecodePrivateKey as _;
    let key = rsa::RsaPrivateKey::from_pkcs8_pem(include_str!("vectors/merchant_key.pem")).unwrap();
    let open = |secret: &str| {
        use base64::Engine as _;
        let secret = base64::engine::general_purpose::STANDARD.decode(secret).unwrap();
        String::from_utf8(key.decrypt(rsa::Pkcs1v15Encrypt, &secret).unwrap()).unwrap()
    };
    let letter = form(include_str!("vectors/v13.form"));
    assert_eq!(open(&letter["accNo"]), "6216261000000000018");
}
