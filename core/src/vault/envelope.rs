//! The wire form of a sealed value, and what it is bound to.
//!
//! `suite (1) · key id (8) · key version (4, big-endian) · nonce (12) · ciphertext and tag (16)`, in base64. The suite byte
//! lets another cipher in later without touching stored values.

use std::fmt;

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::VaultError;
use crate::random::Random;

/// AES-256-GCM with a random nonce.
pub(super) const AES_256_GCM_SUITE: u8 = 1;

/// Where a sealed value stands; it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row, by its primary key as text.
    pub row: &'a str,
}

/// Which data key a value names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyRef {
    pub(super) id: [u8; 8],
    pub(super) version: i32,
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", hex::encode(self.id), self.version)
    }
}

/// A sealed value, taken apart.
pub(super) struct Envelope {
    pub(super) key: KeyRef,
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) body: Vec<u8>,
}

impl Envelope {
    /// Takes the text apart; `None` when it is damaged or of an unknown suite.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let (&suite, rest) = bytes.split_first()?;
        let (&id, rest) = rest.split_first_chunk()?;
        let (&version, rest) = rest.split_first_chunk()?;
        let (&nonce, body) = rest.split_first_chunk()?;
        (suite == AES_256_GCM_SUITE).then(|| Self {
            key: KeyRef {
                id,
                version: i32::from_be_bytes(version),
            },
            nonce,
            body: body.to_vec(),
        })
    }

    /// Puts it together.
    pub(super) fn text(&self) -> String {
        let mut bytes = vec![AES_256_GCM_SUITE];
        bytes.extend_from_slice(&self.key.id);
        bytes.extend_from_slice(&self.key.version.to_be_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.body);
        STANDARD.encode(bytes)
    }

    /// What a value under this key is bound to at this place.
    pub(super) fn aad(key: KeyRef, place: Place<'_>) -> Aad<Vec<u8>> {
        aad("field", AES_256_GCM_SUITE, key, &[place.table, place.column, place.row])
    }
}

/// Binds a kind of secret, suite, key and names together. Every part carries its length, so that no two lists of parts
/// give the same bytes.
pub(super) fn aad(kind: &str, suite: u8, key: KeyRef, names: &[&str]) -> Aad<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut put = |part: &[u8]| {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    put(kind.as_bytes());
    put(&[suite]);
    put(&key.id);
    put(&key.version.to_be_bytes());
    for name in names {
        put(name.as_bytes());
    }
    Aad::from(bytes)
}

/// A fresh nonce. Random nonces are safe for 2^32 values under one key; then a new key version is due.
pub(super) fn nonce(random: &dyn Random) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce);
    nonce
}

/// Ciphertext and tag.
pub(super) fn encrypt(
    key: &LessSafeKey,
    nonce: [u8; NONCE_LEN],
    aad: Aad<Vec<u8>>,
    plain: &[u8],
) -> Result<Vec<u8>, VaultError> {
    // Room for the tag from the start: growing would leave a copy of the plaintext behind.
    let mut body = Vec::with_capacity(plain.len().saturating_add(key.algorithm().tag_len()));
    body.extend_from_slice(plain);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
        .map_err(|_| VaultError::NotSealed)?;
    Ok(body)
}

/// The plaintext, or nothing.
pub(super) fn decrypt(
    key: &LessSafeKey,
    nonce: [u8; NONCE_LEN],
    aad: Aad<Vec<u8>>,
    mut body: Vec<u8>,
) -> Option<Vec<u8>> {
    let length = key
        .open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut body)
        .ok()?
        .len();
    body.truncate(length);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_names_never_give_the_same_binding() {
        let key = KeyRef { id: [1; 8], version: 1 };
        let bindings = [
            aad("field", 1, key, &["user", "phone", "1"]),
            aad("field", 1, key, &["user", "phone1", ""]),
            aad("field", 1, key, &["userphone", "", "1"]),
            aad("field", 1, key, &["user", "phone", "", "1"]),
            aad("field", 2, key, &["user", "phone", "1"]),
            aad("data key", 1, key, &["user", "phone", "1"]),
            aad("field", 1, KeyRef { version: 2, ..key }, &["user", "phone", "1"]),
            aad("field", 1, KeyRef { id: [2; 8], ..key }, &["user", "phone", "1"]),
        ];
        let distinct: std::collections::BTreeSet<&[u8]> = bindings.iter().map(AsRef::as_ref).collect();
        assert_eq!(distinct.len(), bindings.len());
    }
}
