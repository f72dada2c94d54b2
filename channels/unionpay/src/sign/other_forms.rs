//! Forms of UnionPay's that this adapter does not speak: their vectors hold, and no account believes a message in one of them.

use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};

use super::tests::{account, now, vector};
use super::*;
use crate::form::read_form;

/// A message from the text that is signed of it, and its signature.
fn message(sorted: &str, signature: &str) -> Fields {
    let mut fields = read_form(sorted.replace('%', "%25").replace('+', "%2B").as_bytes()).unwrap();
    assert_eq!(signed_text(&fields), sorted, "it is sorted as ours are");
    fields.insert("signature".to_owned(), signature.to_owned());
    fields
}

/// Whether the bytes were signed by the key of a certificate.
fn fits(certificate: &str, rule: &'static RsaParameters, text: &[u8], signature: &str) -> bool {
    let certificate = Certificate::read_all(certificate).unwrap().remove(0);
    let signature = BASE64.decode(signature).unwrap();
    UnparsedPublicKey::new(rule, certificate.key)
        .verify(text, &signature)
        .is_ok()
}

fn believed_by_nobody(fields: &Fields) {
    let secret = Secret::from("880000000000000000000000000000ab");
    for signing in [
        account(true),
        account(false),
        Signing::keyed(&secret),
        Signing::keyed_sm3(&secret),
    ] {
        assert_eq!(signing.judge(fields, now()), Err(Forged::Unsigned));
    }
    // Nor where it says of itself what our messages say.
    let mut dressed = fields.clone();
    for (name, value) in [
        ("encoding", "UTF-8"),
        ("signMethod", "01"),
        ("signPubKeyCert", vector!("certificates/gateway_prod.pem")),
    ] {
        dressed.insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(account(true).judge(&dressed, now()), Err(Forged::Signature));
}

/// V12, the QR gateway's version 1.0.0 (UnionPay reference, 1.7 and 4.2): SHA-1 twice over.
#[test]
fn a_message_of_the_qr_gateway_fits_by_its_own_rule_and_is_not_believed() {
    let (sorted, signature) = (vector!("v12.sorted"), vector!("v12.signature"));
    let fields = message(sorted, signature);
    let sha1 = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, sorted.as_bytes()));
    assert_eq!(sha1, vector!("v12.digest"));
    let merchant = vector!("certificates/merchant.pem");
    let old = &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
    assert!(fits(merchant, old, sha1.as_bytes(), signature));
    assert!(!fits(
        merchant,
        &RSA_PKCS1_2048_8192_SHA256,
        hash(sorted.as_bytes()).as_bytes(),
        signature
    ));
    let cheaper = sorted.replace("txnAmt=1280", "txnAmt=1");
    let cheaper = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, cheaper.as_bytes()));
    assert!(!fits(merchant, old, cheaper.as_bytes(), signature));
    believed_by_nobody(&fields);
}

/// V9, the open platform's own token (UnionPay reference, 3.3): the secret stands among the fields, and SHA-256 is all.
#[test]
fn the_open_platforms_token_is_asked_for_by_our_digest() {
    let sorted = vector!("v9.sorted");
    let fields = message(sorted, vector!("v9.signature"));
    assert_eq!(hash(signed_text(&fields).as_bytes()), vector!("v9.signature"));
    believed_by_nobody(&fields);
}

/// V10, the open platform's notice that a user ended his contract (UnionPay reference, 3.3): RSA over the text itself.
#[test]
fn an_unsign_notice_of_the_open_platform_fits_by_its_own_rule_and_is_not_believed() {
    let (sorted, signature) = (vector!("v10.sorted"), vector!("v10.signature"));
    let fields = message(sorted, signature);
    let rule = &RSA_PKCS1_2048_8192_SHA256;
    let gateway = vector!("certificates/gateway_prod.pem");
    assert!(fits(gateway, rule, sorted.as_bytes(), signature));
    assert!(!fits(gateway, rule, hash(sorted.as_bytes()).as_bytes(), signature));
    let other = sorted.replace("contractId=2025", "contractId=2026");
    assert!(!fits(gateway, rule, other.as_bytes(), signature));
    believed_by_nobody(&fields);
}
