//! The cryptography of APIv3: RSA signatures, sealed resources, sealed fields (wechat reference, 1.6, 1.9 and 1.10).

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Oaep, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The bytes of a nonce of AES-GCM.
const NONCE_LEN: usize = 12;

/// RSASSA-PKCS1-v1_5 with SHA-256, Base64. Nothing where the key is no PKCS#8 PEM of RSA.
pub(super) fn sign(key_pem: &str, message: &[u8]) -> Option<String> {
    let key = RsaPrivateKey::from_pkcs8_pem(key_pem).ok()?;
    let signature = key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)).ok()?;
    Some(STANDARD.encode(signature))
}

/// Whether the signature is of this key and message.
pub(super) fn verifies(key: &RsaPublicKey, message: &[u8], signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    key.verify(scheme, &Sha256::digest(message), &signature).is_ok()
}

/// AEAD_AES_256_GCM, Base64, the tag at the end. Nothing where key or nonce have the wrong length.
pub(super) fn seal(key: &str, nonce: &str, associated: &str, plain: &[u8]) -> Option<String> {
    if nonce.len() != NONCE_LEN {
        return None;
    }
    let cipher = Aes256Gcm::new_from_slice(key.as_bytes()).ok()?;
    let payload = Payload {
        msg: plain,
        aad: associated.as_bytes(),
    };
    let sealed = cipher.encrypt(Nonce::from_slice(nonce.as_bytes()), payload).ok()?;
    Some(STANDARD.encode(sealed))
}

/// Opens a field that was sealed with RSAES-OAEP for the owner of this key.
pub(super) fn open_field(key_pem: &str, sealed: &str) -> Option<String> {
    let key = RsaPrivateKey::from_pkcs8_pem(key_pem).ok()?;
    let plain = key.decrypt(Oaep::new::<Sha1>(), &STANDARD.decode(sealed).ok()?).ok()?;
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use aes_gcm::Aes128Gcm;

    use super::super::vectors;
    use super::*;

    fn open(key: &str, nonce: &str, associated: &str, sealed: &str) -> Option<Vec<u8>> {
        let sealed = STANDARD.decode(sealed).unwrap();
        let payload = Payload {
            msg: &sealed,
            aad: associated.as_bytes(),
        };
        let nonce = Nonce::from_slice(nonce.as_bytes());
        match key.len() {
            16 => Aes128Gcm::new_from_slice(key.as_bytes())
                .unwrap()
                .decrypt(nonce, payload)
                .ok(),
            _ => Aes256Gcm::new_from_slice(key.as_bytes())
                .unwrap()
                .decrypt(nonce, payload)
                .ok(),
        }
    }

    #[test]
    fn the_public_vector_p12_opens() {
        let opened = open(
            "testAPIv3Key0000",
            "wCq51qZv4Yfg",
            "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8",
            "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC",
        );
        assert_eq!(opened.as_deref(), Some(b"Hello World".as_slice()));
    }

    #[test]
    fn a_resource_is_sealed_as_in_c18_and_a_certificate_as_in_c19() {
        let c18 = vectors::json("C18");
        let resource = &c18["resource"];
        let sealed = seal(
            vectors::V3_KEY,
            "c18nonce0001",
            "refund",
            vectors::text("C18-plain").as_bytes(),
        );
        assert_eq!(sealed.as_deref(), resource["ciphertext"].as_str());
        let c19 = vectors::json("C19");
        let given = &c19["data"][0]["encrypt_certificate"]["ciphertext"];
        let sealed = seal(
            vectors::V3_KEY,
            "c19nonce0001",
            "certificate",
            vectors::PLATFORM_CERT.as_bytes(),
        );
        assert_eq!(sealed.as_deref(), given.as_str());
        let ciphertext = given.as_str().unwrap();
        assert!(open(vectors::V3_KEY, "c19nonce0001", "certificate", ciphertext).is_some());
        assert!(open(vectors::V3_KEY, "c19nonce0001", "", ciphertext).is_none());
        assert_eq!(seal(vectors::V3_KEY, "short", "", b"x"), None);
        assert_eq!(seal("short", "c19nonce0001", "", b"x"), None);
    }

    #[test]
    fn a_sealed_field_opens_as_in_c20() {
        let sealed = vectors::text("C20");
        assert_eq!(open_field(vectors::PLATFORM_KEY, &sealed).as_deref(), Some("张三"));
        assert_eq!(open_field(vectors::PUBLIC_KEY_TWIN, &sealed), None);
        assert_eq!(open_field(vectors::PLATFORM_KEY, "not base64"), None);
    }

    #[test]
    fn signatures_are_those_of_the_reference_and_altered_messages_have_none() {
        for vector in vectors::signed() {
            let given = vector.signature.as_str();
            assert_eq!(
                sign(vector.key, vector.message.as_bytes()).as_deref(),
                Some(given),
                "{}",
                vector.id
            );
            let digest = hex::encode(Sha256::digest(vector.message.as_bytes()));
            assert_eq!(digest, vector.sha256, "{}", vector.id);
            let key = RsaPrivateKey::from_pkcs8_pem(vector.key).unwrap().to_public_key();
            assert!(verifies(&key, vector.message.as_bytes(), given));
            assert!(!verifies(&key, format!("{} ", vector.message).as_bytes(), given));
            assert!(!verifies(
                &key,
                vector.message.as_bytes(),
                "WECHATPAY/SIGNTEST/eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
            ));
        }
    }
}
