//! Accounts and their keys, with `ed25519-dalek`: the adapter's come from another library.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use sha2::{Digest, Sha256};

/// What stands before the seed in a private key as PKCS#8 (RFC 8410, section 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

struct Account {
    merchant: VerifyingKey,
    gateway: SigningKey,
}

/// The accounts, by the merchant's number.
#[derive(Default)]
pub(crate) struct Accounts(Mutex<BTreeMap<String, Account>>);

/// A key for tests: anybody can compute it.
fn key(of: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(of.as_bytes()).into())
}

impl Accounts {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Account>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens an account; answers the merchant's private key as PEM, and the gateway's public key.
    pub(crate) fn open(&self, merchant_no: &str) -> Result<(String, String)> {
        let (merchant, gateway) = (
            key(&format!("merchant {merchant_no}")),
            key(&format!("gateway {merchant_no}")),
        );
        let der = [&PKCS8[..], merchant.as_bytes()].concat();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64.encode(der)
        );
        let public = BASE64.encode(gateway.verifying_key().as_bytes());
        let account = Account {
            merchant: merchant.verifying_key(),
            gateway,
        };
        let known = self.with(|all| all.insert(merchant_no.to_owned(), account));
        known.map_or(Ok((pem, public)), |_| Err(anyhow!("{merchant_no} is open already")))
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.with(|all| all.keys().cloned().collect())
    }

    /// Whether a merchant signed this text.
    pub(crate) fn signed(&self, merchant_no: &str, text: &[u8], signature: &str) -> bool {
        let signature = BASE64.decode(signature).ok();
        let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
        self.with(|all| {
            let account = all.get(merchant_no);
            account
                .zip(signature)
                .is_some_and(|(account, signature)| account.merchant.verify(text, &signature).is_ok())
        })
    }

    /// The gateway's signature of this text for this merchant; a wrong one where wished.
    pub(crate) fn sign(&self, merchant_no: &str, text: &[u8], wrong: bool) -> String {
        self.with(|all| {
            let signature = all.get(merchant_no).map(|account| {
                let key = if wrong {
                    key("somebody else")
                } else {
                    account.gateway.clone()
                };
                key.sign(text).to_bytes()
            });
            BASE64.encode(signature.unwrap_or([0; 64]))
        })
    }
}
