//! Signatures: method 01, RSA over the hexadecimal text of a digest, and the keyed digests 11 and 12
//! (unionpay reference, 1.7 and 1.10).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::AssociatedOid;
use rsa::signature::{SignatureEncoding as _, Signer as _, Verifier as _};
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};

use super::form::{self, Fields};

/// What is signed: every field but the signature, blank ones included, sorted and joined.
pub(super) fn sorted(fields: &Fields) -> String {
    let signed = fields.iter().filter(|(name, _)| *name != "signature");
    form::raw(signed.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The digest that method 01 signs, in lower-case hexadecimal.
fn digest<D: Digest>(fields: &Fields) -> String {
    hex::encode(D::digest(sorted(fields)))
}

/// The signature of method 01.
pub(super) fn sign(fields: &Fields, key: RsaPrivateKey) -> String {
    let signature = SigningKey::<Sha256>::new(key).sign(digest::<Sha256>(fields).as_bytes());
    STANDARD.encode(signature.to_bytes())
}

/// Whether the field `signature` fits the other fields by the rule of method 01. The digest is SHA-256 in version 5.1.0;
/// older messages use SHA-1 twice over.
pub(super) fn fits<D: Digest + AssociatedOid>(fields: &Fields, key: RsaPublicKey) -> bool {
    let signature = fields.get("signature").and_then(|text| STANDARD.decode(text).ok());
    let Some(signature) = signature.and_then(|bytes| Signature::try_from(bytes.as_slice()).ok()) else {
        return false;
    };
    VerifyingKey::<D>::new(key)
        .verify(digest::<D>(fields).as_bytes(), &signature)
        .is_ok()
}

/// The signature of the methods with a secret in common: `D` is SHA-256 for 11 and SM3 for 12.
pub(super) fn keyed<D: Digest>(fields: &Fields, secure_key: &str) -> String {
    let secret = hex::encode(D::digest(secure_key));
    hex::encode(D::digest(format!("{}&{secret}", sorted(fields))))
}

#[cfg(test)]
mod tests {
    use sha1::Sha1;
    use sm3::Sm3;

    use super::super::certificates;
    use super::*;

    const SECURE_KEY: &str = "880000000000000000000000000000ab";

    fn merchant_key() -> RsaPublicKey {
        let cert = include_str!("../../tests/unionpay/vectors/merchant.pem");
        certificates::read(cert).unwrap().key
    }

    fn vector(sorted: &str, signature: &str) -> Fields {
        let mut fields: Fields = sorted
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        fields.insert("signature".to_owned(), signature.trim().to_owned());
        fields
    }

    #[test]
    fn a_genuine_request_with_blank_fields_has_its_known_digest() {
        let sent = "accNo=&accessType=0&bizType=000301&certId=68759663125&channelType=07&encoding=utf-8&encryptCertId=&\
                    merId=777290058110097&orderId=20180404162959&signMethod=01&txnSubType=00&txnTime=20180404162959&\
                    txnType=78&version=5.1.0&signature=left+out";
        let fields = form::decode(sent.as_bytes()).unwrap();
        assert_eq!(
            digest::<Sha256>(&fields),
            "b8fbb756d39b55741c4395662e2f23899137f2076688175eb9368a40cf5cc796"
        );
    }

    #[test]
    fn the_vectors_of_the_keyed_digests_come_out() {
        let sorted = "accessType=0&bizType=000000&encoding=UTF-8&merId=700000000000001&orderId=MCP20250301123456000001&\
                      signMethod=11&txnSubType=00&txnTime=20250301123456&txnType=00&version=5.1.0";
        let v5 = vector(sorted, "");
        assert_eq!(
            keyed::<Sha256>(&v5, SECURE_KEY),
            "dfd8106077c7aaa185a1abe6bb2154096374290741cd29cc5bba7f61ee07be93"
        );
        let v6 = vector(&sorted.replace("signMethod=11", "signMethod=12"), "");
        assert_eq!(
            keyed::<Sm3>(&v6, SECURE_KEY),
            "fddb292ed436eac6ffa30111b7b69e799e78b9110f146fbc4ab004f0d6a1e487"
        );
    }

    #[test]
    fn the_vector_of_the_old_rule_fits_with_sha1_twice_and_with_nothing_else() {
        let sorted = include_str!("../../tests/unionpay/vectors/v12.sorted").trim();
        let mut v12 = vector(sorted, include_str!("../../tests/unionpay/vectors/v12.signature"));
        assert_eq!(digest::<Sha1>(&v12), "70a6d817b9cb0c7abeeff04f36e35ab7666167c9");
        assert!(fits::<Sha1>(&v12, merchant_key()));
        assert!(!fits::<Sha256>(&v12, merchant_key()));
        v12.insert("txnAmt".to_owned(), "1".to_owned());
        assert!(!fits::<Sha1>(&v12, merchant_key()));
    }
}
