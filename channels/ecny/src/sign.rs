//! Signatures, both ways: Ed25519. The work is done by `aws-lc-rs`; nothing of it is home-made.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::channel::ConfigError;
use metropay_core::secret::Secret;

use crate::config::wrong;

/// How long a public key is.
const PUBLIC_LENGTH: usize = 32;

/// The keys of an account, parsed once.
pub(crate) struct Keys {
    ours: Ed25519KeyPair,
    theirs: UnparsedPublicKey<Vec<u8>>,
}

impl Keys {
    /// Parses the keys; an error names the field and never shows the key.
    pub(crate) fn parse(private_key: &Secret, channel_public_key: &str) -> Result<Self, ConfigError> {
        let pem = pem::parse(private_key.expose()).map_err(|_| wrong("private_key", "is no PEM"))?;
        let ours = Ed25519KeyPair::from_pkcs8(pem.contents());
        let ours = ours.map_err(|_| wrong("private_key", "is no Ed25519 key as PKCS#8"))?;
        let theirs = BASE64.decode(channel_public_key.trim()).unwrap_or_default();
        if theirs.len() != PUBLIC_LENGTH {
            return Err(wrong("channel_public_key", "must be 32 bytes as Base64"));
        }
        Ok(Self {
            ours,
            theirs: UnparsedPublicKey::new(&ED25519, theirs),
        })
    }

    /// The signature of a text.
    pub(crate) fn sign(&self, text: &[u8]) -> String {
        BASE64.encode(self.ours.sign(text))
    }

    /// Whether a text was signed by the channel.
    pub(crate) fn verify(&self, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = BASE64.decode(signature) else {
            return false;
        };
        self.theirs.verify(text, &signature).is_ok()
    }
}
