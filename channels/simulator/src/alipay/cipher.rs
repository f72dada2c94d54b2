//! Content encryption: AES-128-CBC with sixteen zero bytes before the first block (alipay reference, 1.8).

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};

const IV: [u8; 16] = [0; 16];

/// An app's key for its content: 16 bytes, handed out as base64.
pub(super) struct ContentKey([u8; 16]);

impl ContentKey {
    /// Reads a key; `None` when it is not 16 bytes in base64.
    pub(super) fn read(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// A new key, as base64.
    pub(super) fn make() -> String {
        STANDARD.encode(rand::random::<[u8; 16]>())
    }

    /// The content as base64.
    pub(super) fn seal(&self, content: &[u8]) -> String {
        let sealed = cbc::Encryptor::<Aes128>::new(&self.0.into(), &IV.into()).encrypt_padded_vec_mut::<Pkcs7>(content);
        STANDARD.encode(sealed)
    }

    /// The content again; `None` when it was not sealed with this key.
    pub(super) fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let sealed = STANDARD.decode(sealed).ok()?;
        cbc::Decryptor::<Aes128>::new(&self.0.into(), &IV.into())
            .decrypt_padded_vec_mut::<Pkcs7>(&sealed)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::vector;
    use super::*;

    #[test]
    fn contents_are_sealed_and_opened_as_in_vector_t6() {
        let key = ContentKey::read("AQIDBAUGBwgJCgsMDQ4PEA==").unwrap();
        assert_eq!(key.seal(br#"{"a":1}"#), "N/Gz606IbBJGjbXKsdqbog==");
        let parameters: serde_json::Value = serde_json::from_str(vector("T1 parameters")).unwrap();
        let content = parameters["biz_content"].as_str().unwrap();
        assert_eq!(key.seal(content.as_bytes()), vector("T6 content"));
        assert_eq!(key.open(vector("T6 content")).unwrap(), content.as_bytes());
    }

    #[test]
    fn what_was_sealed_with_another_key_does_not_open() {
        let key = ContentKey::read(&ContentKey::make()).unwrap();
        assert!(key.open(vector("T6 content")).is_none());
        assert!(key.open("nonsense").is_none() && key.open("").is_none());
        assert!(ContentKey::read("AQIDBAUG").is_none());
    }
}
