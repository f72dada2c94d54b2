//! Signatures, both ways. The work is done by `aws-lc-rs`; nothing of it is home-made.

use metropay_core::channel::ConfigError;
use metropay_core::secret::Secret;

use crate::config::wrong;

/// The keys of an account, parsed once.
pub(crate) struct Keys {
    // FILL IN: the parsed keys, for example `aws_lc_rs::rsa::KeyPair` and `aws_lc_rs::signature::UnparsedPublicKey`.
}

impl Keys {
    /// Parses the keys; an error names the field and never shows the key.
    pub(crate) fn parse(private_key: &Secret, channel_public_key: &str) -> Result<Self, ConfigError> {
        // FILL IN: parse both.
        if private_key.expose().len() < 32 {
            return Err(wrong("private_key", "is too short to be a key"));
        }
        if channel_public_key.is_empty() {
            return Err(wrong("channel_public_key", "is empty"));
        }
        Ok(Self {})
    }

    /// The signature of a text; `None` where it cannot be made.
    pub(crate) fn sign(&self, _text: &[u8]) -> Option<String> {
        // FILL IN: sign it. Until then nothing is sent.
        None
    }

    /// Whether a text was signed by the channel.
    pub(crate) fn verify(&self, _text: &[u8], _signature: &str) -> bool {
        // FILL IN: verify it. Until then nothing is believed.
        false
    }
}
