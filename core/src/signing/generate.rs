//! New keys. The pairs take their randomness from the cryptographic library itself: no test may hold it.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use zeroize::Zeroizing;

use crate::problem::Problem;
use crate::random::Random;
use crate::secret::Secret;

/// Letters of a new HMAC secret: 62 of them, so that 32 carry 190 bits.
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key pair as PEM.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// One `PRIVATE KEY` block, PKCS#8.
    pub private_pem: Secret,
    /// One `PUBLIC KEY` block, SPKI.
    pub public_pem: String,
}

/// Bits of a new RSA key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaSize {
    /// The least that is taken; for demos, where a start must be quick.
    Bits2048,
    /// For new keys in production.
    Bits3072,
    /// For keys that live long.
    Bits4096,
}

impl RsaSize {
    const fn size(self) -> KeySize {
        match self {
            Self::Bits2048 => KeySize::Rsa2048,
            Self::Bits3072 => KeySize::Rsa3072,
            Self::Bits4096 => KeySize::Rsa4096,
        }
    }
}

/// A new RSA pair, for both RSA algorithms.
///
/// # Errors
/// A fault of the cryptographic library.
pub fn rsa_pair(size: RsaSize) -> Result<KeyPair, Problem> {
    fn make(size: RsaSize) -> Result<KeyPair, Unspecified> {
        let pair = RsaKeyPair::generate(size.size())?;
        let private: Pkcs8V1Der<'_> = pair.as_der()?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        Ok(KeyPair {
            private_pem: private_pem(private.as_ref()),
            public_pem: public_pem(public.as_ref()),
        })
    }
    make(size).map_err(Problem::fault)
}

/// A new Ed25519 pair.
///
/// # Errors
/// A fault of the cryptographic library.
pub fn ed25519_pair() -> Result<KeyPair, Problem> {
    fn make() -> Result<KeyPair, Unspecified> {
        let pair = Ed25519KeyPair::generate()?;
        // Version 1 of PKCS#8: OpenSSL and the languages of most integrators do not read version 2.
        let private: Pkcs8V1Der<'_> = pair.as_der()?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        Ok(KeyPair {
            private_pem: private_pem(private.as_ref()),
            public_pem: public_pem(public.as_ref()),
        })
    }
    make().map_err(Problem::fault)
}

/// A new HMAC secret: 32 letters and digits.
pub fn hmac_secret(random: &dyn Random) -> Secret {
    Secret::from(random.letters(32, LETTERS))
}

pub(super) fn public_pem(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("PUBLIC KEY", der))
}

fn private_pem(der: &[u8]) -> Secret {
    let text = Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", der)));
    Secret::from(text.as_str())
}
