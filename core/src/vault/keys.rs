//! Data keys: how they are wrapped under the master key, and which one is used.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::envelope::{self, AES_256_GCM_SUITE, KeyRef};
use super::index::IndexKeys;
use super::{MasterKey, Purpose, VaultError};
use crate::random::Random;

/// A data key as it is stored: a row of `data_key`. It opens under the master key only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyRow {
    /// Sixteen lower-case hex letters, unique.
    pub key_id: String,
    /// What it protects.
    pub purpose: Purpose,
    /// Unique within the purpose; the highest seals.
    pub version: i32,
    /// The wrapped key, base64.
    pub wrapped: String,
}

/// The keys at hand: seals, opens and hashes. Shared by all threads; shows ids and versions only.
pub struct Vault {
    wrapping: LessSafeKey,
    keys: BTreeMap<KeyRef, (Purpose, LessSafeKey)>,
    newest: BTreeMap<Purpose, KeyRef>,
    pub(super) index: IndexKeys,
}

impl Vault {
    /// Unwraps the stored data keys. With no rows the vault can only hash and make new keys.
    ///
    /// # Errors
    /// As [`Self::add`], at the first row that is refused.
    pub fn unlock(master: &MasterKey, rows: Vec<DataKeyRow>) -> Result<Self, VaultError> {
        let mut vault = Self {
            wrapping: master.wrapping(),
            keys: BTreeMap::new(),
            newest: BTreeMap::new(),
            index: IndexKeys::derive(master),
        };
        for row in rows {
            vault.add(&row)?;
        }
        Ok(vault)
    }

    /// Makes a fresh data key, wrapped for storage. It is used once it was stored and [added](Self::add).
    ///
    /// # Errors
    /// [`VaultError::NotSealed`] when the cipher refuses.
    pub fn new_key(&self, purpose: Purpose, version: i32, random: &dyn Random) -> Result<DataKeyRow, VaultError> {
        let mut id = [0u8; 8];
        random.fill(&mut id);
        let key = KeyRef { id, version };
        let mut fresh = Zeroizing::new(vec![0u8; AES_256_GCM.key_len()]);
        random.fill(&mut fresh);
        let nonce = envelope::nonce(random);
        let mut wrapped = vec![AES_256_GCM_SUITE];
        wrapped.extend_from_slice(&nonce);
        wrapped.extend(envelope::encrypt(
            &self.wrapping,
            nonce,
            wrap_aad(key, purpose),
            &fresh,
        )?);
        Ok(DataKeyRow {
            key_id: hex::encode(id),
            purpose,
            version,
            wrapped: STANDARD.encode(wrapped),
        })
    }

    /// Takes a stored data key into use.
    ///
    /// # Errors
    /// [`VaultError::DataKeyRefused`] when it does not open under the master key with just this id, purpose and version;
    /// [`VaultError::DataKeyTwice`] when its id, or its purpose and version, are here already.
    pub fn add(&mut self, row: &DataKeyRow) -> Result<(), VaultError> {
        let key = KeyRef {
            id: parse_id(&row.key_id)?,
            version: row.version,
        };
        let twice = |(held, (purpose, _)): (&KeyRef, &(Purpose, LessSafeKey))| {
            held.id == key.id || (*purpose == row.purpose && held.version == key.version)
        };
        if self.keys.iter().any(twice) {
            return Err(VaultError::DataKeyTwice(row.purpose));
        }
        let unwrapped = unwrap(&self.wrapping, key, row).ok_or(VaultError::DataKeyRefused)?;
        self.keys.insert(key, (row.purpose, unwrapped));
        let newest = self.newest.entry(row.purpose).or_insert(key);
        if newest.version < key.version {
            *newest = key;
        }
        Ok(())
    }

    /// The version that seals for this purpose; `None` when there is no key yet.
    pub fn version(&self, purpose: Purpose) -> Option<i32> {
        self.newest.get(&purpose).map(|key| key.version)
    }

    /// The key that seals for this purpose.
    pub(super) fn sealing(&self, purpose: Purpose) -> Option<(KeyRef, &LessSafeKey)> {
        let key = *self.newest.get(&purpose)?;
        self.keys.get(&key).map(|(_, held)| (key, held))
    }

    /// The key that opens what names it.
    pub(super) fn opening(&self, key: KeyRef) -> Option<(Purpose, &LessSafeKey)> {
        self.keys.get(&key).map(|(purpose, held)| (*purpose, held))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("newest", &self.newest)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// What a wrapped key is bound to, so that rows cannot be exchanged.
fn wrap_aad(key: KeyRef, purpose: Purpose) -> Aad<Vec<u8>> {
    envelope::aad("data key", AES_256_GCM_SUITE, key, &[purpose.word()])
}

/// Only the writing that we give out, so that one key does not have two ids.
fn parse_id(text: &str) -> Result<[u8; 8], VaultError> {
    let mut id = [0u8; 8];
    hex::decode_to_slice(text, &mut id).map_err(|_| VaultError::DataKeyRefused)?;
    if hex::encode(id) == text {
        Ok(id)
    } else {
        Err(VaultError::DataKeyRefused)
    }
}

fn unwrap(wrapping: &LessSafeKey, key: KeyRef, row: &DataKeyRow) -> Option<LessSafeKey> {
    let bytes = STANDARD.decode(&row.wrapped).ok()?;
    let (&suite, rest) = bytes.split_first()?;
    let (&nonce, body) = rest.split_first_chunk()?;
    if suite != AES_256_GCM_SUITE {
        return None;
    }
    let plain = Zeroizing::new(envelope::decrypt(
        wrapping,
        nonce,
        wrap_aad(key, row.purpose),
        body.to_vec(),
    )?);
    UnboundKey::new(&AES_256_GCM, &plain).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn empty(random: &SeededRandom) -> Vault {
        Vault::unlock(&MasterKey::generate(random), Vec::new()).unwrap()
    }

    #[test]
    fn the_highest_version_is_the_one_that_seals_in_whatever_order_rows_come() {
        let random = SeededRandom::new(1);
        let mut vault = empty(&random);
        assert_eq!(vault.version(Purpose::Personal), None);
        for version in [2, 3, 1] {
            let row = vault.new_key(Purpose::Personal, version, &random).unwrap();
            vault.add(&row).unwrap();
        }
        assert_eq!(vault.version(Purpose::Personal), Some(3));
        assert_eq!(vault.version(Purpose::Contract), None);
    }

    #[test]
    fn a_changed_row_is_refused_whatever_was_changed() {
        let random = SeededRandom::new(2);
        let mut vault = empty(&random);
        let row = vault.new_key(Purpose::Personal, 1, &random).unwrap();
        let other = vault.new_key(Purpose::Personal, 1, &random).unwrap();
        let mut odd_suite = STANDARD.decode(&row.wrapped).unwrap();
        odd_suite[0] = 2;
        let changed = [
            DataKeyRow {
                purpose: Purpose::Contract,
                ..row.clone()
            },
            DataKeyRow {
                version: 2,
                ..row.clone()
            },
            DataKeyRow {
                key_id: other.key_id.clone(),
                ..row.clone()
            },
            DataKeyRow {
                key_id: row.key_id.to_uppercase(),
                ..row.clone()
            },
            DataKeyRow {
                key_id: String::new(),
                ..row.clone()
            },
            DataKeyRow {
                wrapped: other.wrapped,
                ..row.clone()
            },
            DataKeyRow {
                wrapped: String::new(),
                ..row.clone()
            },
            DataKeyRow {
                wrapped: STANDARD.encode(odd_suite),
                ..row.clone()
            },
        ];
        for bad in changed {
            assert_eq!(vault.add(&bad), Err(VaultError::DataKeyRefused), "{bad:?}");
        }
        assert_eq!(vault.add(&row), Ok(()));
    }

    #[test]
    fn a_row_of_another_master_key_is_refused() {
        let random = SeededRandom::new(3);
        let row = empty(&random).new_key(Purpose::Contract, 1, &random).unwrap();
        let elsewhere = Vault::unlock(&MasterKey::generate(&random), vec![row]);
        assert_eq!(elsewhere.unwrap_err(), VaultError::DataKeyRefused);
    }

    #[test]
    fn no_key_stands_twice() {
        let random = SeededRandom::new(4);
        let mut vault = empty(&random);
        let row = vault.new_key(Purpose::Personal, 1, &random).unwrap();
        let rival = vault.new_key(Purpose::Personal, 1, &random).unwrap();
        vault.add(&row).unwrap();
        for again in [&row, &rival] {
            assert_eq!(vault.add(again), Err(VaultError::DataKeyTwice(Purpose::Personal)));
        }
    }

    #[test]
    fn a_printed_vault_shows_no_key() {
        let master = MasterKey::generate(&SeededRandom::new(5));
        // The data key is the second thing that is drawn from this source, after its id.
        let random = SeededRandom::new(6);
        let mut vault = Vault::unlock(&master, Vec::new()).unwrap();
        let row = vault.new_key(Purpose::Personal, 1, &random).unwrap();
        vault.add(&row).unwrap();
        let replay = SeededRandom::new(6);
        let (mut id, mut data_key) = ([0u8; 8], [0u8; 32]);
        replay.fill(&mut id);
        replay.fill(&mut data_key);
        assert_eq!(hex::encode(id), row.key_id);
        let shown = format!("{vault:?} {vault:#?} {row:?} {master:?}");
        let decoded = hex::encode(STANDARD.decode(master.text().expose()).unwrap());
        for secret in [
            hex::encode(data_key),
            STANDARD.encode(data_key),
            format!("{data_key:?}"),
            decoded,
            master.text().expose().to_owned(),
        ] {
            assert!(!shown.contains(&secret));
        }
    }
}
