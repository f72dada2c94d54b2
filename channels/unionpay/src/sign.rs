//! Signing what we send and judging what we are sent.
//!
//! UnionPay reference, 1.7 to 1.10.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::channel::ConfigError;
use metropay_core::clock::Time;
use metropay_core::secret::Secret;
use sm3::{Digest, Sm3};

use crate::account::wrong;
use crate::certificate::{Certificate, Distrust};
use crate::form::{Fields, signed_text};
use crate::trust::Trust;

/// How messages of this account are signed, both ways. The account decides, never the message.
pub(crate) enum Signing {
    /// `01`: our certificate's key one way, UnionPay's certificates the other.
    Rsa(Box<RsaSigning>),
    /// `11` and `12`: a shared secret, of which only the hash is ever needed.
    Keyed(KeyedSigning),
}

pub(crate) struct RsaSigning {
    key: KeyPair,
    decrypting: Pkcs1PrivateDecryptingKey,
    cert_id: String,
    trust: Arc<Trust>,
}

pub(crate) struct KeyedSigning {
    hash: Hash,
    /// The hash of the shared secret.
    key_hash: Secret,
}

/// With what a shared secret signs.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Sha256,
    Sm3,
}

impl Hash {
    /// The hash in lower-case hex.
    fn of(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha256 => hash(bytes),
            Self::Sm3 => hex::encode(Sm3::digest(bytes)),
        }
    }
}

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forged {
    /// Not signed, or by another method than this account's.
    #[error("it is not signed by this account's method")]
    Unsigned,
    /// In a charset that we did not ask for: the signed bytes cannot be known.
    #[error("it is not encoded in UTF-8")]
    Charset,
    /// The certificate in it is not to be trusted.
    #[error("{0}")]
    Certificate(#[from] Distrust),
    /// The signature does not fit.
    #[error("its signature does not fit")]
    Signature,
}

/// A signature that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request could not be signed")]
pub(crate) struct Unsigned;

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method())
    }
}

impl Signing {
    /// Signing by certificate. Of several certificates in `cert_pem` the one of the key is taken.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that is unreadable or does not fit.
    pub(crate) fn rsa(cert_pem: &str, key_pem: &Secret, trust: Arc<Trust>) -> Result<Self, ConfigError> {
        let key = read_key(key_pem).ok_or_else(|| wrong("sign_key_pem", "is no PEM of an RSA private key"))?;
        let certificates =
            Certificate::read_all(cert_pem).map_err(|_| wrong("sign_cert_pem", "is no PEM certificate (RSA)"))?;
        let own = certificates
            .iter()
            .find(|certificate| certificate.key == key.public_key().as_ref())
            .ok_or_else(|| wrong("sign_cert_pem", "is not the certificate of sign_key_pem"))?;
        let decrypting = AsDer::as_der(&key)
            .ok()
            .and_then(|der| PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok())
            .and_then(|key| Pkcs1PrivateDecryptingKey::new(key).ok())
            .ok_or_else(|| wrong("sign_key_pem", "must be an RSA key of 2048 to 8192 bits"))?;
        Ok(Self::Rsa(Box::new(RsaSigning {
            cert_id: own.serial.clone(),
            key,
            decrypting,
            trust,
        })))
    }

    /// Signing by shared secret with SHA-256.
    pub(crate) fn keyed(secure_key: &Secret) -> Self {
        Self::Keyed(KeyedSigning::new(Hash::Sha256, secure_key))
    }

    /// Signing by shared secret with SM3.
    pub(crate) fn keyed_sm3(secure_key: &Secret) -> Self {
        Self::Keyed(KeyedSigning::new(Hash::Sm3, secure_key))
    }

    /// The wire's `signMethod`.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "01",
            Self::Keyed(keyed) => match keyed.hash {
                Hash::Sha256 => "11",
                Hash::Sm3 => "12",
            },
        }
    }

    /// Puts `signMethod`, `certId` and `signature` to a request's fields.
    ///
    /// # Errors
    /// [`Unsigned`] when the key refuses; nothing may be sent then.
    pub(crate) fn sign(&self, fields: &mut Fields) -> Result<(), Unsigned> {
        fields.insert("signMethod".to_owned(), self.method().to_owned());
        let signature = match self {
            Self::Rsa(rsa) => {
                fields.insert("certId".to_owned(), rsa.cert_id.clone());
                let mut signature = vec![0; rsa.key.public_modulus_len()];
                let message = hash(signed_text(fields).as_bytes());
                rsa.key
                    .sign(
                        &RSA_PKCS1_SHA256,
                        &SystemRandom::new(),
                        message.as_bytes(),
                        &mut signature,
                    )
                    .map_err(|_| Unsigned)?;
                BASE64.encode(signature)
            }
            Self::Keyed(keyed) => keyed.signature(fields),
        };
        fields.insert("signature".to_owned(), signature);
        Ok(())
    }

    /// Judges a message over every received field, blank ones too.
    ///
    /// # Errors
    /// [`Forged`]: nothing in the message may be used.
    pub(crate) fn judge(&self, fields: &Fields, now: Time) -> Result<(), Forged> {
        let get = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let signature = get("signature").ok_or(Forged::Unsigned)?;
        if get("signMethod") != Some(self.method()) {
            return Err(Forged::Unsigned);
        }
        if !get("encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("utf-8")) {
            return Err(Forged::Charset);
        }
        match self {
            Self::Rsa(rsa) => {
                let certificate = get("signPubKeyCert").ok_or(Forged::Unsigned)?;
                let genuine = rsa.trust.genuine(certificate, now)?;
                let signature = BASE64.decode(signature).map_err(|_| Forged::Signature)?;
                let message = hash(signed_text(fields).as_bytes());
                genuine
                    .key
                    .verify_sig(message.as_bytes(), &signature)
                    .map_err(|_| Forged::Signature)
            }
            Self::Keyed(keyed) => verify_slices_are_equal(keyed.signature(fields).as_bytes(), signature.as_bytes())
                .map_err(|_| Forged::Signature),
        }
    }

    /// Decrypts what UnionPay encrypted to our signing certificate (UnionPay reference, 1.12); `None` where that is
    /// not possible.
    pub(crate) fn decrypt(&self, value: &str) -> Option<Secret> {
        let Self::Rsa(rsa) = self else { return None };
        let sealed = BASE64.decode(value).ok()?;
        let mut plain = vec![0; rsa.decrypting.min_output_size()];
        let plain = rsa.decrypting.decrypt(&sealed, &mut plain).ok()?;
        Some(Secret::from(std::str::from_utf8(plain).ok()?))
    }
}

impl KeyedSigning {
    fn new(hash: Hash, secure_key: &Secret) -> Self {
        Self {
            hash,
            key_hash: Secret::from(hash.of(secure_key.expose().as_bytes())),
        }
    }

    fn signature(&self, fields: &Fields) -> String {
        let text = format!("{}&{}", signed_text(fields), self.key_hash.expose());
        self.hash.of(text.as_bytes())
    }
}

/// A key in PKCS#8 or PKCS#1.
fn read_key(key_pem: &Secret) -> Option<KeyPair> {
    let block = pem::parse(key_pem.expose()).ok()?;
    match block.tag() {
        "PRIVATE KEY" => KeyPair::from_pkcs8(block.contents()).ok(),
        "RSA PRIVATE KEY" => KeyPair::from_der(block.contents()).ok(),
        _ => None,
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

#[cfg(test)]
mod other_forms;
#[cfg(test)]
mod tests;
