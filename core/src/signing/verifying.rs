//! Keys that verify.

use std::fmt;

use aws_lc_rs::signature::{
    ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
    VerificationAlgorithm,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::problem::{Code, Problem};

use super::{Algorithm, KeyRefused, RSA_BITS, pem_contents, secret_bytes};

static PKCS1: RsaParameters = RSA_PKCS1_2048_8192_SHA256;
/// Its salt is as long as the hash: 32 bytes.
static PSS: RsaParameters = RSA_PSS_2048_8192_SHA256;

/// A credential's key, parsed once: parsing costs half a verification.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: Key,
}

#[derive(Clone)]
enum Key {
    Shared(Box<hmac::Key>),
    Public(Box<ParsedPublicKey>),
}

impl VerifyingKey {
    /// Reads stored material: the secret itself for HMAC, one `PUBLIC KEY` PEM block (SPKI) for the others.
    ///
    /// # Errors
    /// When the material is none of this algorithm.
    pub fn parse(algorithm: Algorithm, material: &str) -> Result<Self, KeyRefused> {
        let key = match algorithm {
            Algorithm::HmacSha256 => Key::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret_bytes(material)?))),
            Algorithm::RsaSha256 => Key::Public(Box::new(rsa_public(&PKCS1, material)?)),
            Algorithm::RsaPssSha256 => Key::Public(Box::new(rsa_public(&PSS, material)?)),
            Algorithm::Ed25519 => Key::Public(Box::new(public(&ED25519, &pem_contents(material, "PUBLIC KEY")?)?)),
        };
        Ok(Self { algorithm, key })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies a Base64 signature over the text; `claimed` is the algorithm that the header names. Compares in constant
    /// time where the key is shared.
    ///
    /// # Errors
    /// `SIGN_INVALID`, whatever was wrong.
    pub fn verify(&self, claimed: Algorithm, text: &[u8], signature: &str) -> Result<(), Problem> {
        let invalid = || Problem::new(Code::SignInvalid);
        let signature = STANDARD.decode(signature).map_err(|_| invalid())?;
        let fits = match &self.key {
            Key::Shared(key) => hmac::verify(key, text, &signature),
            Key::Public(key) => key.verify_sig(text, &signature),
        };
        // The work is done first, so that a wrong algorithm costs what a wrong signature costs.
        match fits {
            Ok(()) if claimed == self.algorithm => Ok(()),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.algorithm)
    }
}

fn public(algorithm: &'static dyn VerificationAlgorithm, der: &[u8]) -> Result<ParsedPublicKey, KeyRefused> {
    ParsedPublicKey::new(algorithm, der).map_err(|_| KeyRefused::Kind)
}

fn rsa_public(parameters: &'static RsaParameters, material: &str) -> Result<ParsedPublicKey, KeyRefused> {
    let der = pem_contents(material, "PUBLIC KEY")?;
    let key = rsa::PublicKey::from_der(&der).map_err(|_| KeyRefused::Kind)?;
    let bits = RsaParameters::public_modulus_len(key.as_ref()).map_err(|_| KeyRefused::Kind)?;
    if !RSA_BITS.contains(&bits) {
        return Err(KeyRefused::Size);
    }
    public(parameters, &der)
}
