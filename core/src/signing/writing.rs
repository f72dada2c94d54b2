//! Keys that sign: the platform's own, the shared ones, and those of clients in tests and demos.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaSignatureEncoding,
};
use aws_lc_rs::{error::Unspecified, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::problem::Problem;
use crate::secret::Secret;

use super::generate::public_pem;
use super::{Algorithm, KeyRefused, RSA_BITS, pem_contents, secret_bytes};

static PKCS1: RsaSignatureEncoding = RSA_PKCS1_SHA256;
/// Its salt is as long as the hash: 32 bytes.
static PSS: RsaSignatureEncoding = RSA_PSS_SHA256;

/// A key that signs, parsed once.
pub struct SigningKey {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Shared(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ed25519(Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// Reads stored material: the secret itself for HMAC, one `PRIVATE KEY` PEM block (PKCS#8) for the others.
    ///
    /// # Errors
    /// When the material is none of this algorithm.
    pub fn parse(algorithm: Algorithm, material: &Secret) -> Result<Self, KeyRefused> {
        let material = material.expose();
        let key = match algorithm {
            Algorithm::HmacSha256 => Key::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret_bytes(material)?))),
            Algorithm::RsaSha256 => Key::Rsa(Box::new(rsa_private(material)?), &PKCS1),
            Algorithm::RsaPssSha256 => Key::Rsa(Box::new(rsa_private(material)?), &PSS),
            Algorithm::Ed25519 => {
                let der = pem_contents(material, "PRIVATE KEY")?;
                Key::Ed25519(Box::new(
                    Ed25519KeyPair::from_pkcs8(&der).map_err(|_| KeyRefused::Kind)?,
                ))
            }
        };
        Ok(Self { algorithm, key })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as a `PUBLIC KEY` PEM block; a shared key has none.
    ///
    /// # Errors
    /// A fault of the cryptographic library.
    pub fn public_pem(&self) -> Result<Option<String>, Problem> {
        let der: PublicKeyX509Der<'_> = match &self.key {
            Key::Shared(_) => return Ok(None),
            Key::Rsa(pair, _) => pair.public_key().as_der(),
            Key::Ed25519(pair) => pair.public_key().as_der(),
        }
        .map_err(Problem::fault)?;
        Ok(Some(public_pem(der.as_ref())))
    }

    /// Signs a text; Base64 with padding.
    ///
    /// # Errors
    /// A fault of the cryptographic library.
    pub fn sign(&self, text: &[u8]) -> Result<String, Problem> {
        let signature = match &self.key {
            Key::Shared(key) => hmac::sign(key, text).as_ref().to_vec(),
            Key::Rsa(pair, encoding) => rsa_sign(pair, *encoding, text).map_err(Problem::fault)?,
            Key::Ed25519(pair) => pair.try_sign(text).map_err(Problem::fault)?.as_ref().to_vec(),
        };
        Ok(STANDARD.encode(signature))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm)
    }
}

fn rsa_private(material: &str) -> Result<RsaKeyPair, KeyRefused> {
    let der = pem_contents(material, "PRIVATE KEY")?;
    let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| KeyRefused::Kind)?;
    let bits = u32::try_from(pair.public_modulus_len())
        .unwrap_or(u32::MAX)
        .saturating_mul(8);
    if RSA_BITS.contains(&bits) {
        Ok(pair)
    } else {
        Err(KeyRefused::Size)
    }
}

fn rsa_sign(pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding, text: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &rand::SystemRandom::new(), text, &mut signature)?;
    Ok(signature)
}
