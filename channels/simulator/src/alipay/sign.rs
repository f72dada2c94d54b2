//! RSA2: what is signed, and with which keys (alipay reference, 1.4, 1.5 and 9.2).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};

/// Parsed private keys by their text, because parsing costs about as much as signing.
static PARSED: LazyLock<Mutex<HashMap<String, Arc<RsaPrivateKey>>>> = LazyLock::new(Mutex::default);

/// The string that a request's signature covers: everything but `sign` and blank values, sorted by name.
pub(super) fn request_string(params: &BTreeMap<String, String>) -> String {
    let pairs = params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    join(pairs.filter(|(name, value)| *name != "sign" && !value.trim().is_empty()))
}

/// The string that a notification's signature covers: everything but `sign` and `sign_type`, empty values included.
pub(super) fn notice_string<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let sorted: BTreeMap<&str, &str> = pairs.collect();
    join(
        sorted
            .into_iter()
            .filter(|(name, _)| !matches!(*name, "sign" | "sign_type")),
    )
}

fn join<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let parts: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    parts.join("&")
}

/// Signs the text; the signature comes in base64. `None` when the key cannot be read.
pub(super) fn sign(private_key: &str, text: &str) -> Option<String> {
    let key = parsed(private_key)?;
    let signature = key
        .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text.as_bytes()))
        .ok()?;
    Some(STANDARD.encode(signature))
}

/// Whether the base64 signature fits the text.
pub(super) fn verify(public_key: &str, text: &str, signature: &str) -> bool {
    let (Some(key), Ok(signature)) = (public(public_key), STANDARD.decode(signature)) else {
        return false;
    };
    key.verify(
        Pkcs1v15Sign::new::<Sha256>(),
        &Sha256::digest(text.as_bytes()),
        &signature,
    )
    .is_ok()
}

/// Reads a private key: PKCS#8 or PKCS#1, with or without PEM armour.
pub(super) fn private(text: &str) -> Option<RsaPrivateKey> {
    let der = der(text)?;
    RsaPrivateKey::from_pkcs8_der(&der)
        .or_else(|_| RsaPrivateKey::from_pkcs1_der(&der))
        .ok()
}

/// Reads a public key: SubjectPublicKeyInfo, with or without PEM armour.
pub(super) fn public(text: &str) -> Option<RsaPublicKey> {
    RsaPublicKey::from_public_key_der(&der(text)?).ok()
}

fn parsed(text: &str) -> Option<Arc<RsaPrivateKey>> {
    let mut known = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known.get(text) {
        return Some(Arc::clone(key));
    }
    let key = Arc::new(private(text)?);
    known.insert(text.to_owned(), Arc::clone(&key));
    Some(key)
}

/// Merchants are handed keys as one line of base64; other tools wrap it in PEM lines.
fn der(text: &str) -> Option<Vec<u8>> {
    let bare: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD.decode(bare).ok().filter(|der| !der.is_empty())
}
