//! Sensitive fields: RSAES-OAEP with SHA-1 (wechat reference, 1.10).
//!
//! No act of the platform sends one; they belong to the handling of a parked refund (异常退款), which an operator does by
//! hand: this is what such a tool encrypts a name or a card number with.

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A text that cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// What was given is neither a platform certificate nor the WeChat Pay public key.
    #[error("neither a platform certificate nor a public key")]
    Key,
    /// The text is too long for the key: 214 bytes are the most for 2048 bits.
    #[error("the text is too long")]
    TooLong,
}

/// Encrypts a field for the owner of this certificate or public key (PEM). The request that carries it must name the key in
/// `Wechatpay-Serial`.
///
/// # Errors
/// [`Unsealable`] when the key cannot be read or the text is too long.
pub fn seal(key_pem: &str, text: &str) -> Result<String, Unsealable> {
    let block = pem::parse(key_pem).map_err(|_| Unsealable::Key)?;
    let key = match block.tag() {
        "CERTIFICATE" => {
            let (_, certificate) = X509Certificate::from_der(block.contents()).map_err(|_| Unsealable::Key)?;
            PublicEncryptingKey::from_der(certificate.public_key().raw)
        }
        "PUBLIC KEY" => PublicEncryptingKey::from_der(block.contents()),
        _ => return Err(Unsealable::Key),
    };
    let key = key.map_err(|_| Unsealable::Key)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| Unsealable::Key)?;
    if text.len() > key.max_plaintext_size(&OAEP_SHA1_MGF1SHA1) {
        return Err(Unsealable::TooLong);
    }
    let mut sealed = vec![0; key.ciphertext_size()];
    let sealed = key
        .encrypt(&OAEP_SHA1_MGF1SHA1, text.as_bytes(), &mut sealed, None)
        .map_err(|_| Unsealable::Key)?;
    Ok(STANDARD.encode(sealed))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};

    use super::super::testing::{PLATFORM_CERTIFICATE, PUBLIC_KEY, block, der};
    use super::*;

    fn open(key_pem: &str, sealed: &str) -> Option<Vec<u8>> {
        let key = PrivateDecryptingKey::from_pkcs8(&der(key_pem)).unwrap();
        let key = OaepPrivateDecryptingKey::new(key).unwrap();
        let mut plain = vec![0; key.min_output_size()];
        let sealed = STANDARD.decode(sealed).unwrap();
        key.decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut plain, None)
            .ok()
            .map(|plain| plain.to_vec())
    }

    const PLATFORM: &str = include_str!("../../tests/vectors/platform.key.pem");
    const PUBLIC: &str = include_str!("../../tests/vectors/public.key.pem");

    #[test]
    fn vector_c20_and_our_own_are_opened_by_the_key_that_they_are_for() {
        let c20 = block("C20");
        let plain = Some(c20["plain"].as_bytes().to_vec());
        assert_eq!(open(PLATFORM, c20["sealed"]), plain);
        assert_eq!(open(PUBLIC, c20["sealed"]), None);
        for (key, private) in [(PLATFORM_CERTIFICATE, PLATFORM), (PUBLIC_KEY, PUBLIC)] {
            assert_eq!(open(private, &seal(key, c20["plain"]).unwrap()), plain);
        }
        assert!(seal(PUBLIC_KEY, &"x".repeat(214)).is_ok());
        assert_eq!(seal(PUBLIC_KEY, &"x".repeat(215)), Err(Unsealable::TooLong));
        for bad in ["", "x", PLATFORM] {
            assert_eq!(seal(bad, "x"), Err(Unsealable::Key));
        }
    }
}
