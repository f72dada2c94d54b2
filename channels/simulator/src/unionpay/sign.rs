//! Signatures of method 01: RSA over the hexadecimal text of a SHA-256 digest (unionpay reference, 1.7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::signature::{SignatureEncoding as _, Signer as _, Verifier as _};
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256};

use super::form::{self, Fields};

/// The digest that is signed: every field but the signature, blank ones included, sorted and joined.
pub(super) fn digest(fields: &Fields) -> String {
    let signed = fields.iter().filter(|(name, _)| *name != "signature");
    let text = form::raw(signed.map(|(name, value)| (name.as_str(), value.as_str())));
    hex::encode(Sha256::digest(text))
}

/// Signs the fields.
pub(super) fn sign(fields: &Fields, key: RsaPrivateKey) -> String {
    let signature = SigningKey::<Sha256>::new(key).sign(digest(fields).as_bytes());
    STANDARD.encode(signature.to_bytes())
}

/// Whether the field `signature` fits the other fields.
pub(super) fn fits(fields: &Fields, key: RsaPublicKey) -> bool {
    let signature = fields.get("signature").and_then(|text| STANDARD.decode(text).ok());
    let Some(signature) = signature.and_then(|bytes| Signature::try_from(bytes.as_slice()).ok()) else {
        return false;
    };
    VerifyingKey::<Sha256>::new(key)
        .verify(digest(fields).as_bytes(), &signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_genuine_request_with_blank_fields_has_its_known_digest() {
        let sent = "accNo=&accessType=0&bizType=000301&certId=68759663125&channelType=07&encoding=utf-8&encryptCertId=&\
                    merId=777290058110097&orderId=20180404162959&signMethod=01&txnSubType=00&txnTime=20180404162959&\
                    txnType=78&version=5.1.0&signature=left+out";
        let fields = form::decode(sent.as_bytes()).unwrap();
        assert_eq!(
            digest(&fields),
            "b8fbb756d39b55741c4395662e2f23899137f2076688175eb9368a40cf5cc796"
        );
    }
}
