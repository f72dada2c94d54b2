//! A phone number that only the merchant can read: RSA-OAEP with SHA-256, in both its hash and its mask.

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bits of a merchant's key.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Letters of its PEM text at most.
const PEM_MAX: usize = 16 * 1024;

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PhoneKeyRefused {
    /// Not exactly one `PUBLIC KEY` block.
    #[error("must be one PUBLIC KEY block of PEM")]
    Pem,
    /// No RSA key, or of another size.
    #[error("must be an RSA key of 2048 to 8192 bits")]
    Key,
}

/// The text cannot be encrypted: too long, or a fault of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSealed;

/// A merchant's public key.
pub(crate) struct PhoneKey(OaepPublicEncryptingKey);

impl PhoneKey {
    /// Reads one `PUBLIC KEY` block.
    pub(crate) fn parse(text: &str) -> Result<Self, PhoneKeyRefused> {
        let text = text.trim();
        if text.len() > PEM_MAX || !text.starts_with("-----BEGIN ") || !text.ends_with("-----") {
            return Err(PhoneKeyRefused::Pem);
        }
        let mut blocks = pem::parse_many(text).map_err(|_| PhoneKeyRefused::Pem)?;
        let block = match (blocks.pop(), blocks.is_empty()) {
            (Some(block), true) if block.tag() == "PUBLIC KEY" => block,
            _ => return Err(PhoneKeyRefused::Pem),
        };
        let key = PublicEncryptingKey::from_der(block.contents()).map_err(|_| PhoneKeyRefused::Key)?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| PhoneKeyRefused::Key)?;
        if BITS.contains(&key.key_size_bits()) {
            Ok(Self(key))
        } else {
            Err(PhoneKeyRefused::Key)
        }
    }

    /// Encrypts a text; Base64 with padding.
    pub(crate) fn seal(&self, text: &str) -> Result<String, NotSealed> {
        let mut sealed = vec![0; self.0.ciphertext_size()];
        let sealed = self
            .0
            .encrypt(&OAEP_SHA256_MGF1SHA256, text.as_bytes(), &mut sealed, None)
            .map_err(|_| NotSealed)?;
        Ok(STANDARD.encode(sealed))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
    use metropay_core::signing::{RsaSize, ed25519_pair, rsa_pair};

    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_the_merchants_private_key_and_differs_each_time() {
        let pair = rsa_pair(RsaSize::Bits2048).unwrap();
        let key = PhoneKey::parse(&pair.public_pem).unwrap();
        let (first, second) = (key.seal("13800138000").unwrap(), key.seal("13800138000").unwrap());
        assert_ne!(first, second);
        let private = pem::parse(pair.private_pem.expose()).unwrap();
        let private = PrivateDecryptingKey::from_pkcs8(private.contents()).unwrap();
        let private = OaepPrivateDecryptingKey::new(private).unwrap();
        for sealed in [first, second] {
            let mut plain = vec![0; private.min_output_size()];
            let sealed = STANDARD.decode(sealed).unwrap();
            let plain = private.decrypt(&OAEP_SHA256_MGF1SHA256, &sealed, &mut plain, None);
            assert_eq!(plain.unwrap(), b"13800138000");
        }
        assert_eq!(key.seal(&"1".repeat(191)), Err(NotSealed));
    }

    #[test]
    fn what_is_no_public_key_of_rsa_is_refused() {
        let (pair, edwards) = (rsa_pair(RsaSize::Bits2048).unwrap(), ed25519_pair().unwrap());
        let twice = format!("{}{}", pair.public_pem, pair.public_pem);
        for text in ["", "rubbish", pair.private_pem.expose(), &twice] {
            assert_eq!(PhoneKey::parse(text).err(), Some(PhoneKeyRefused::Pem));
        }
        assert_eq!(PhoneKey::parse(&edwards.public_pem).err(), Some(PhoneKeyRefused::Key));
    }
}
