//! The master key: 32 bytes from outside, from which everything else is derived.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::VaultError;
use crate::random::Random;
use crate::secret::Secret;

const LENGTH: usize = 32;
/// Separates our derivations from those of any other program that is given the same key.
const SALT: &[u8] = b"metropay vault 1";

/// The value that documentation shows where a master key belongs. It is refused everywhere.
pub const EXAMPLE_MASTER_KEY: &str = "bWV0cm9wYXkgZXhhbXBsZSBrZXksIG5ldmVyIHVzZSE=";

/// The root of all keys: 32 random bytes, wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; LENGTH]);

impl MasterKey {
    /// A fresh key.
    pub fn generate(random: &dyn Random) -> Self {
        let mut key = Self([0; LENGTH]);
        random.fill(&mut key.0);
        key
    }

    /// Reads a key written in hex (64 letters) or base64 (standard or URL alphabet, padded or not).
    ///
    /// # Errors
    /// [`VaultError::MasterMalformed`] when it is not 32 bytes; [`VaultError::MasterWeak`] when it is one byte or a
    /// short pattern repeated, an even progression, or text that somebody typed (as examples are).
    pub fn parse(text: &Secret) -> Result<Self, VaultError> {
        let bytes = decode(text.expose().trim()).ok_or(VaultError::MasterMalformed)?;
        let key = Self(bytes.as_slice().try_into().map_err(|_| VaultError::MasterMalformed)?);
        if guessable(&key.0) {
            Err(VaultError::MasterWeak)
        } else {
            Ok(key)
        }
    }

    /// The key as base64, to be kept outside: by the one who set up the platform.
    pub fn text(&self) -> Secret {
        Secret::from(STANDARD.encode(self.0))
    }

    /// The key that wraps data keys.
    pub(super) fn wrapping(&self) -> LessSafeKey {
        let root = self.root();
        let okm = root
            .expand(&[b"wrap data keys"], &AES_256_GCM)
            .expect("one block is within what HKDF gives");
        LessSafeKey::new(UnboundKey::from(okm))
    }

    /// A key for keyed hashes, apart for each label.
    pub(super) fn hashing(&self, label: &str) -> hmac::Key {
        let root = self.root();
        let info: [&[u8]; 2] = [b"index ", label.as_bytes()];
        let okm = root
            .expand(&info, hmac::HMAC_SHA256)
            .expect("one block is within what HKDF gives");
        hmac::Key::from(okm)
    }

    fn root(&self) -> Prk {
        Salt::new(HKDF_SHA256, SALT).extract(&self.0)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() == 2 * LENGTH {
        return hex::decode(text).ok().map(Zeroizing::new);
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(text).ok())
        .map(Zeroizing::new)
}

/// Whether the bytes follow a pattern that chance gives less than once in 2^45 keys.
fn guessable(bytes: &[u8; LENGTH]) -> bool {
    let periodic = (1..=LENGTH / 2).any(|period| bytes.iter().zip(bytes.iter().skip(period)).all(|(a, b)| a == b));
    let step = bytes[1].wrapping_sub(bytes[0]);
    let even = bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .all(|(a, b)| b.wrapping_sub(*a) == step);
    let typed = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    periodic || even || typed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{SeededRandom, SystemRandom};

    #[test]
    fn a_key_is_read_in_every_usual_writing() {
        let key = MasterKey::generate(&SeededRandom::new(11));
        let writings = [
            hex::encode(key.0),
            hex::encode_upper(key.0),
            STANDARD.encode(key.0),
            STANDARD_NO_PAD.encode(key.0),
            URL_SAFE.encode(key.0),
            URL_SAFE_NO_PAD.encode(key.0),
            format!("{}\n", STANDARD.encode(key.0)),
        ];
        for writing in writings {
            assert_eq!(MasterKey::parse(&Secret::from(writing)).unwrap().0, key.0);
        }
        assert_eq!(MasterKey::parse(&key.text()).unwrap().0, key.0);
    }

    #[test]
    fn what_is_not_a_key_and_what_can_be_guessed_is_refused() {
        let progression: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        let cases = [
            (String::new(), VaultError::MasterMalformed),
            ("changeme".to_owned(), VaultError::MasterMalformed),
            (STANDARD.encode([7u8; 31]), VaultError::MasterMalformed),
            (STANDARD.encode([7u8; 33]), VaultError::MasterMalformed),
            ("zz".repeat(32), VaultError::MasterMalformed),
            (hex::encode([0u8; 32]), VaultError::MasterWeak),
            (STANDARD.encode([0xffu8; 32]), VaultError::MasterWeak),
            ("0123456789abcdef".repeat(4), VaultError::MasterWeak),
            ("deadbeef".repeat(8), VaultError::MasterWeak),
            (hex::encode(progression), VaultError::MasterWeak),
            (STANDARD.encode(falling), VaultError::MasterWeak),
            (
                STANDARD.encode("correct horse battery staple 123"),
                VaultError::MasterWeak,
            ),
            (EXAMPLE_MASTER_KEY.to_owned(), VaultError::MasterWeak),
        ];
        for (text, expected) in cases {
            assert_eq!(
                MasterKey::parse(&Secret::from(text.clone())).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_generated_key_is_never_refused_and_never_shown() {
        for _ in 0..200 {
            let key = MasterKey::generate(&SystemRandom);
            let shown = format!("{key:?}");
            assert!(MasterKey::parse(&key.text()).is_ok());
            assert_eq!(shown, "MasterKey(***)");
        }
    }
}
