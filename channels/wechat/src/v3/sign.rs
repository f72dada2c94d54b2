//! The signature of requests by the merchant's private key (wechat reference, 1.6).

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The merchant's number, and the key that signs for it.
pub(crate) struct Signer {
    pub(crate) mch_id: String,
    /// The serial number of the merchant's certificate: upper-case hex.
    pub(crate) serial: String,
    pub(crate) key: KeyPair,
}

/// What of a request is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// In upper case.
    pub(crate) method: &'a str,
    /// Path and query exactly as they are sent.
    pub(crate) target: &'a str,
    /// Unix seconds.
    pub(crate) timestamp: i64,
    pub(crate) nonce: &'a str,
    /// Byte for byte; empty without a body.
    pub(crate) body: &'a [u8],
}

/// A signature that could not be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("the request could not be signed")]
pub(crate) struct Unsigned;

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

impl Signed<'_> {
    fn message(&self) -> Vec<u8> {
        let mut message =
            format!("{}\n{}\n{}\n{}\n", self.method, self.target, self.timestamp, self.nonce).into_bytes();
        message.extend_from_slice(self.body);
        message.push(b'\n');
        message
    }
}

impl Signer {
    /// The value of the header `Authorization`.
    ///
    /// # Errors
    /// [`Unsigned`] when the library refuses.
    pub(crate) fn authorization(&self, signed: &Signed<'_>) -> Result<String, Unsigned> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                &signed.message(),
                &mut signature,
            )
            .map_err(|_| Unsigned)?;
        Ok(format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{}\",timestamp=\"{}\",serial_no=\"{}\",signature=\"{}\"",
            self.mch_id,
            signed.nonce,
            signed.timestamp,
            self.serial,
            STANDARD.encode(signature)
        ))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::super::testing::{block, signer};
    use super::*;

    #[test]
    fn vectors_c13_to_c15_are_signed_as_documented() {
        for id in ["C13", "C14", "C15"] {
            let vector = block(id);
            let signed = Signed {
                method: vector["method"],
                target: vector["path"],
                timestamp: vector["timestamp"].parse().unwrap(),
                nonce: vector["nonce"],
                body: vector["body"].as_bytes(),
            };
            assert_eq!(
                hex::encode(digest(&SHA256, &signed.message())),
                vector["sha256"],
                "{id}"
            );
            assert_eq!(
                signer().authorization(&signed).unwrap(),
                vector["authorization"],
                "{id}"
            );
        }
    }

    #[test]
    fn a_signer_does_not_show_its_key() {
        assert_eq!(
            format!("{:?}", signer()),
            "Signer { serial: \"3A1C0D5E7B9F2468ACE013579BDF02468ACE1357\", .. }"
        );
    }
}
