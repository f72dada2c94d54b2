//! What is encrypted with the APIv3 key: `AEAD_AES_256_GCM` (wechat reference, 1.9).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::Json;

/// The name of the algorithm in messages.
const NAME: &str = "AEAD_AES_256_GCM";

/// The APIv3 key.
pub(crate) struct Aead(LessSafeKey);

impl fmt::Debug for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aead(***)")
    }
}

impl Aead {
    /// The key of 32 bytes.
    pub(crate) fn new(key: &str) -> Option<Self> {
        Self::of(&AES_256_GCM, key)
    }

    fn of(algorithm: &'static Algorithm, key: &str) -> Option<Self> {
        let key = UnboundKey::new(algorithm, key.as_bytes()).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// What an encrypted object (`resource`, `encrypt_certificate`) says; `None` for anything that was not encrypted with this
    /// key in just this form.
    pub(crate) fn open_object(&self, object: &Json) -> Option<Vec<u8>> {
        if object.text("/algorithm") != Some(NAME) {
            return None;
        }
        self.open(
            object.text("/nonce")?,
            object.text("/associated_data").unwrap_or_default(),
            object.text("/ciphertext")?,
        )
    }

    fn open(&self, nonce: &str, associated: &str, ciphertext: &str) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        let mut bytes = STANDARD.decode(ciphertext).ok()?;
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(associated.as_bytes()), &mut bytes);
        Some(plain.ok()?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::AES_128_GCM;
    use proptest::prelude::*;

    use super::super::testing::{V3_KEY, block};
    use super::*;

    #[test]
    fn vector_p12_is_opened_as_published() {
        let p12 = block("P12");
        let key = Aead::of(&AES_128_GCM, p12["key"]).unwrap();
        let plain = key.open(p12["nonce"], p12["associated"], p12["ciphertext"]).unwrap();
        assert_eq!(plain, p12["plain"].as_bytes());
    }

    #[test]
    fn vector_c18_is_opened_by_its_key_and_as_it_stands_only() {
        let c18 = block("C18");
        let envelope = Json::read(c18["body"].as_bytes()).unwrap();
        let resource = envelope.part("/resource").unwrap();
        let key = Aead::new(V3_KEY).unwrap();
        assert_eq!(key.open_object(&resource).unwrap(), c18["plain"].as_bytes());
        assert!(
            Aead::new(&V3_KEY.replace('1', "2"))
                .unwrap()
                .open_object(&resource)
                .is_none()
        );
        let forged = |from: &str, to: &str| {
            let body = c18["body"].replace(from, to);
            assert_ne!(body, c18["body"]);
            let resource = Json::read(body.as_bytes()).unwrap().part("/resource").unwrap();
            key.open_object(&resource)
        };
        for (from, to) in [
            ("\"associated_data\":\"refund\"", "\"associated_data\":\"certificate\""),
            ("\"associated_data\":\"refund\"", "\"associated\":\"refund\""),
            ("c18nonce0001", "c18nonce0002"),
            ("c18nonce0001", "c18nonce001"),
            ("ciphertext\":\"ZHzE", "ciphertext\":\"ZHzF"),
            ("ciphertext\":\"ZHzE", "ciphertext\":\"ZHz"),
            ("AEAD_AES_256_GCM", "AEAD_SM4_GCM"),
        ] {
            assert_eq!(forged(from, to), None, "{to}");
        }
        assert!(Aead::new("short").is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fall(nonce in "\\PC{0,14}", associated in "\\PC{0,20}", text in "[A-Za-z0-9+/=]{0,80}") {
            let key = Aead::new(V3_KEY).unwrap();
            prop_assert_eq!(key.open(&nonce, &associated, &text), None);
        }
    }
}
