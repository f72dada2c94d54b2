use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::signature::RSA_PKCS1_SHA512;

use super::*;
use crate::form::{read_answer, read_form};

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../tests/vectors/", $name))
    };
}
pub(super) use vector;

pub(super) fn account(check_cn: bool) -> Signing {
    let trust = Trust::new(
        vector!("certificates/root.pem"),
        vector!("certificates/middle.pem"),
        check_cn,
    )
    .unwrap();
    let key = Secret::from(vector!("certificates/merchant.key"));
    Signing::rsa(vector!("certificates/merchant.pem"), &key, Arc::new(trust)).unwrap()
}

pub(super) fn now() -> Time {
    Time::parse_china("20250301123456", "%Y%m%d%H%M%S").unwrap()
}

/// A request's fields before signing, from its sorted text.
fn request(sorted: &str) -> Fields {
    let mut fields = read_answer(sorted.as_bytes()).unwrap();
    fields.remove("certId");
    fields.remove("signMethod");
    fields
}

fn v2() -> Fields {
    let body = BASE64.decode(vector!("v2.body.b64").trim()).unwrap();
    read_answer(&body).unwrap()
}

fn notice(body: &str) -> Fields {
    read_form(body.as_bytes()).unwrap()
}

#[test]
fn requests_are_signed_as_the_vectors_say() {
    for (sorted, digest, signature) in [
        (vector!("v1.sorted"), vector!("v1.digest"), vector!("v1.signature")),
        (vector!("v4.sorted"), vector!("v4.digest"), vector!("v4.signature")),
        (vector!("v8.sorted"), vector!("v8.digest"), vector!("v8.signature")),
        (vector!("v11.sorted"), vector!("v11.digest"), vector!("v11.signature")),
    ] {
        let mut fields = request(sorted);
        account(true).sign(&mut fields).unwrap();
        assert_eq!(signed_text(&fields), sorted);
        assert_eq!(hash(sorted.as_bytes()), digest);
        assert_eq!(fields["signature"], signature);
    }
}

#[test]
fn requests_with_a_shared_secret_are_signed_as_vectors_5_and_6_say() {
    let secret = Secret::from("880000000000000000000000000000ab");
    for (signing, other, sorted, signature) in [
        (
            Signing::keyed(&secret),
            Signing::keyed_sm3(&secret),
            vector!("v5.sorted"),
            vector!("v5.signature"),
        ),
        (
            Signing::keyed_sm3(&secret),
            Signing::keyed(&secret),
            vector!("v6.sorted"),
            vector!("v6.signature"),
        ),
    ] {
        let mut fields = request(sorted);
        signing.sign(&mut fields).unwrap();
        assert_eq!(signed_text(&fields), sorted);
        assert_eq!(fields["signature"], signature);
        assert_eq!(signing.judge(&fields, now()), Ok(()));
        assert_eq!(
            other.judge(&fields, now()),
            Err(Forged::Unsigned),
            "the account decides how"
        );
        fields.insert("merId".to_owned(), "700000000000002".to_owned());
        assert_eq!(signing.judge(&fields, now()), Err(Forged::Signature));
    }
}

#[test]
fn answers_and_notifications_are_believed_over_every_field_they_came_with() {
    let v2 = v2();
    assert_eq!(hash(signed_text(&v2).as_bytes()), vector!("v2.digest"));
    assert_eq!(account(false).judge(&v2, now()), Ok(()));
    assert_eq!(
        account(true).judge(&v2, now()),
        Err(Forged::Certificate(Distrust::Name))
    );
    for (body, digest) in [
        (vector!("v3.body"), vector!("v3.digest")),
        (vector!("v13.body"), vector!("v13.digest")),
    ] {
        let fields = notice(body);
        assert_eq!(hash(signed_text(&fields).as_bytes()), digest);
        assert_eq!(account(true).judge(&fields, now()), Ok(()));
    }
}

#[test]
fn the_sorted_texts_of_the_vectors_are_ours() {
    let with_pem = |sorted: &str, name: &str, pem: &str| {
        sorted.replace(&format!("<PEM:{name}>"), pem.trim_end().replace('\n', "\r\n").as_str())
    };
    let v2_text = with_pem(
        vector!("v2.sorted"),
        "gw_test",
        vector!("certificates/gateway_test.pem"),
    );
    assert_eq!(signed_text(&v2()), v2_text);
    let v3_text = with_pem(
        vector!("v3.sorted"),
        "gw_prod",
        vector!("certificates/gateway_prod.pem"),
    );
    assert_eq!(signed_text(&notice(vector!("v3.body"))), v3_text);
}

#[test]
fn a_merchants_signature_in_unionpays_place_is_refused() {
    let forged = notice(vector!("v3b.body"));
    assert_eq!(hash(signed_text(&forged).as_bytes()), vector!("v3b.digest"));
    for check_cn in [true, false] {
        let verdict = account(check_cn).judge(&forged, now());
        assert_eq!(verdict, Err(Forged::Certificate(Distrust::Name)));
    }
}

#[test]
fn one_changed_dropped_or_added_field_breaks_the_signature() {
    let genuine = notice(vector!("v3.body"));
    let mut changed = genuine.clone();
    changed.insert("txnAmt".to_owned(), "1".to_owned());
    let mut dropped = genuine.clone();
    assert_eq!(dropped.remove("payCardType").as_deref(), Some(""));
    let mut added = genuine.clone();
    added.insert("accNo".to_owned(), String::new());
    for forged in [changed, dropped, added] {
        assert_eq!(account(true).judge(&forged, now()), Err(Forged::Signature));
    }
}

#[test]
fn what_is_not_signed_by_the_accounts_own_method_is_not_believed() {
    let genuine = notice(vector!("v3.body"));
    for missing in ["signature", "signPubKeyCert", "signMethod"] {
        let mut fields = genuine.clone();
        fields.insert(missing.to_owned(), String::new());
        assert_eq!(account(true).judge(&fields, now()), Err(Forged::Unsigned), "{missing}");
    }
    let mut keyed = genuine.clone();
    keyed.insert("signMethod".to_owned(), "11".to_owned());
    assert_eq!(account(true).judge(&keyed, now()), Err(Forged::Unsigned));
    let mut gbk = genuine;
    gbk.insert("encoding".to_owned(), "GBK".to_owned());
    assert_eq!(account(true).judge(&gbk, now()), Err(Forged::Charset));
}

#[test]
fn a_message_signed_by_sha1_is_never_believed_even_where_the_chain_is() {
    let key = KeyPair::from_pkcs8(pem::parse(vector!("certificates/gateway.key")).unwrap().contents()).unwrap();
    let sign = |message: &[u8], scheme| {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(scheme, &SystemRandom::new(), message, &mut signature).unwrap();
        BASE64.encode(signature)
    };
    let mut fields = notice(vector!("v3.body"));
    let text = signed_text(&fields);
    let sha1 = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
    for (signature, believed) in [
        (sign(hash(text.as_bytes()).as_bytes(), &RSA_PKCS1_SHA256), Ok(())),
        // The rule of version 5.0.0 and of the older QR gateway: SHA-1 in the first step.
        (sign(sha1.as_bytes(), &RSA_PKCS1_SHA256), Err(Forged::Signature)),
        // Signed over the text itself instead of its digest.
        (sign(text.as_bytes(), &RSA_PKCS1_SHA256), Err(Forged::Signature)),
        (
            sign(hash(text.as_bytes()).as_bytes(), &RSA_PKCS1_SHA512),
            Err(Forged::Signature),
        ),
    ] {
        fields.insert("signature".to_owned(), signature);
        assert_eq!(account(true).judge(&fields, now()), believed);
    }
    // Version 5.0.0 names its certificate by number instead of bringing it along.
    fields.remove("signPubKeyCert");
    fields.insert("certId".to_owned(), "69026276698".to_owned());
    assert_eq!(account(true).judge(&fields, now()), Err(Forged::Unsigned));
}

#[test]
fn what_unionpay_encrypted_to_us_is_read_with_our_key() {
    let sealed = notice(vector!("v13.body"))["accNo"].clone();
    let card = account(true).decrypt(&sealed).unwrap();
    assert_eq!(card.expose(), "6216261000000000018");
    assert!(account(true).decrypt("bm8=").is_none());
    assert!(Signing::keyed(&Secret::from("k")).decrypt(&sealed).is_none());
}

#[test]
fn keys_that_are_unreadable_or_do_not_belong_together_are_refused_by_field() {
    let trust = || {
        Trust::new(
            vector!("certificates/root.pem"),
            vector!("certificates/middle.pem"),
            true,
        )
        .unwrap()
    };
    let merchant = vector!("certificates/merchant.pem");
    for (cert, key, field) in [
        (merchant, "rubbish", "sign_key_pem"),
        (merchant, merchant, "sign_key_pem"),
        (merchant, vector!("certificates/gateway.key"), "sign_cert_pem"),
        ("rubbish", vector!("certificates/merchant.key"), "sign_cert_pem"),
    ] {
        let error = Signing::rsa(cert, &Secret::from(key), Arc::new(trust())).unwrap_err();
        assert_eq!(error.field, field);
        assert!(!error.reason.contains("PRIVATE"), "a key never stands in an error");
    }
}

#[test]
fn the_leaf_is_found_by_its_key_among_several_certificates() {
    let trust = Trust::new(
        vector!("certificates/root.pem"),
        vector!("certificates/middle.pem"),
        true,
    )
    .unwrap();
    let bundle = [vector!("certificates/middle.pem"), vector!("certificates/merchant.pem")].concat();
    let key = Secret::from(vector!("certificates/merchant.key"));
    let Signing::Rsa(rsa) = Signing::rsa(&bundle, &key, Arc::new(trust)).unwrap() else {
        panic!("signing by certificate");
    };
    assert_eq!(rsa.cert_id, "3474813271258769001041842579301293447");
}
