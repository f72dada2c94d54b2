//! Content encryption: AES-128-CBC as the gateway prescribes it (alipay reference, 1.8).

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_core::channel::ConfigError;
use metropay_core::secret::Secret;
use secrecy::zeroize::Zeroizing;

use crate::config::wrong;

/// The gateway fixes the initial vector: sixteen bytes of nothing. The signature is what keeps contents genuine.
const IV: [u8; 16] = [0; 16];

/// The key of an app's contents.
pub(crate) struct ContentKey {
    seal: PaddedBlockEncryptingKey,
    open: PaddedBlockDecryptingKey,
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentKey").finish_non_exhaustive()
    }
}

impl ContentKey {
    /// Parses the key as the open platform shows it.
    ///
    /// # Errors
    /// [`ConfigError`] when it is not 16 bytes in Base64.
    pub(crate) fn parse(text: &Secret) -> Result<Self, ConfigError> {
        let wrong = || wrong("encrypt_key", "must be an AES key of 16 bytes: 24 Base64 characters");
        let bytes = Zeroizing::new(STANDARD.decode(text.expose().trim()).map_err(|_| wrong())?);
        let key = || UnboundCipherKey::new(&AES_128, &bytes).map_err(|_| wrong());
        Ok(Self {
            seal: PaddedBlockEncryptingKey::cbc_pkcs7(key()?).map_err(|_| wrong())?,
            open: PaddedBlockDecryptingKey::cbc_pkcs7(key()?).map_err(|_| wrong())?,
        })
    }

    /// A content, sealed, in Base64. `None` when the library refuses.
    pub(crate) fn seal(&self, text: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        let iv = EncryptionContext::Iv128(FixedLength::from(IV));
        self.seal.less_safe_encrypt(&mut bytes, iv).ok()?;
        Some(STANDARD.encode(bytes))
    }

    /// A sealed content, opened. `None` when it was not sealed with this key.
    pub(crate) fn open(&self, sealed: &str) -> Option<String> {
        let mut bytes = STANDARD.decode(sealed).ok()?;
        let iv = DecryptionContext::Iv128(FixedLength::from(IV));
        let plain = self.open.decrypt(&mut bytes, iv).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::vector;

    fn key() -> ContentKey {
        ContentKey::parse(&Secret::from("AQIDBAUGBwgJCgsMDQ4PEA==")).unwrap()
    }

    #[test]
    fn contents_are_sealed_as_in_t6() {
        assert_eq!(key().seal(r#"{"a":1}"#).unwrap(), "N/Gz606IbBJGjbXKsdqbog==");
        let t1: serde_json::Value = serde_json::from_str(&vector("t1.json")).unwrap();
        let content = t1["biz_content"].as_str().unwrap();
        assert_eq!(key().seal(content).unwrap(), vector("t6.content"));
        assert_eq!(key().open(&vector("t6.content")).unwrap(), content);
    }

    #[test]
    fn keys_of_other_lengths_are_refused_by_name_and_not_shown() {
        for text in ["", "AQIDBA==", "no base64!", "AQIDBAUGBwgJCgsMDQ4PEAAAAAAAAAAA"] {
            let error = ContentKey::parse(&Secret::from(text)).unwrap_err();
            assert_eq!(error.field, "encrypt_key");
            assert!(text.is_empty() || !error.reason.contains(text));
        }
    }

    #[test]
    fn what_was_not_sealed_with_the_key_is_not_opened() {
        let other = ContentKey::parse(&Secret::from("AQIDBAUGBwgJCgsMDQ4PEQ==")).unwrap();
        assert_ne!(other.open(&vector("t6.content")), key().open(&vector("t6.content")));
        for sealed in ["", "AAAA", "no base64!", "N/Gz606IbBJGjbXKsdqbo"] {
            assert_eq!(key().open(sealed), None, "{sealed}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_can_be_opened(text in ".{0,200}") {
            prop_assert_eq!(key().open(&key().seal(&text).unwrap()).unwrap(), text);
        }

        #[test]
        fn no_bytes_make_it_stumble(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = key().open(&STANDARD.encode(bytes));
        }
    }
}
