//! Signatures of the merchant API: the header, the texts that are signed, and the keys; and those of notices to merchants
//! (`webhook`).
//!
//! A request names its merchant, credential, time and nonce in the `Authorization` header and signs them together with
//! method, host, path and body. Every answer is signed back over the same nonce. Nothing here knows HTTP or the database:
//! the door brings the parts, and the credential's stored record brings the key.
//!
//! What must hold: the algorithm is the credential's, never the request's; a signature over a request never fits an
//! answer; a signature that does not fit, a wrong algorithm and an unreadable Base64 are told apart by nobody outside.

mod algorithm;
mod generate;
mod header;
mod text;
mod verifying;
mod webhook;
mod writing;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use generate::{KeyPair, RsaSize, ed25519_pair, hmac_secret, rsa_pair};
pub use header::Authorization;
pub use text::{Answer, Request};
pub use verifying::VerifyingKey;
pub use webhook::{
    NotSigned, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_SIGNATURES_MAX, WEBHOOK_TIMESTAMP, WEBHOOK_TOLERANCE,
    WebhookHeaders, WebhookKey, WebhookKeyRefused, WebhookRefused, WebhookVerifyingKey, sign_webhook, verify_webhook,
    webhook_pair, webhook_secret,
};
pub use writing::SigningKey;

/// Why stored or uploaded key material is not taken. Says nothing of the material itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// An HMAC secret has 32 to 128 visible ASCII characters.
    #[error("an HMAC secret has 32 to 128 visible ASCII characters")]
    Secret,
    /// Not exactly one PEM block of the kind asked for (`PUBLIC KEY` or PKCS#8 `PRIVATE KEY`).
    #[error("not one PEM block of the kind asked for")]
    Pem,
    /// The block holds no key of this algorithm.
    #[error("no key of this algorithm")]
    Kind,
    /// An RSA key has 2048 to 8192 bits.
    #[error("an RSA key has 2048 to 8192 bits")]
    Size,
}

/// Characters of an HMAC secret.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 32..=128;
/// Bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;
/// Letters of a key's PEM text at most: an RSA key of 8192 bits needs about 6,400.
const PEM_MAX: usize = 16 * 1024;

/// The bytes of an HMAC secret: the ASCII characters themselves.
fn secret_bytes(material: &str) -> Result<&[u8], KeyRefused> {
    let visible = material.bytes().all(|b| b.is_ascii_graphic());
    if visible && SECRET_LENGTH.contains(&material.len()) {
        Ok(material.as_bytes())
    } else {
        Err(KeyRefused::Secret)
    }
}

/// The contents of exactly one PEM block with this tag and nothing beside it; wiped when dropped.
fn pem_contents(material: &str, tag: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyRefused> {
    let text = material.trim();
    let whole = text.starts_with("-----BEGIN ") && text.ends_with("-----");
    if !whole || text.len() > PEM_MAX {
        return Err(KeyRefused::Pem);
    }
    let mut blocks = pem::parse_many(text).map_err(|_| KeyRefused::Pem)?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) if block.tag() == tag => Ok(zeroize::Zeroizing::new(block.into_contents())),
        _ => Err(KeyRefused::Pem),
    }
}

#[cfg(test)]
mod tests;
