//! The platform's keys: the vault's data keys, and the keys that answers are signed with. Made when they are missing.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::id::Serial;
use crate::member::PlatformSigner;
use crate::problem::{Code, Problem};
use crate::random::Random;
use crate::signing::{Algorithm, RsaSize, SigningKey, ed25519_pair, rsa_pair};
use crate::store::{self, Db};
use crate::vault::{DataKeyRow, MasterKey, Place, Purpose, Vault};

/// What a node holds while it makes keys. Nodes that start together on an empty database would else make one each, and each
/// seal with its own.
const MAKING_KEYS: &str = "make_keys";

/// Opens the vault with the stored data keys; purposes without a key get their first.
///
/// # Errors
/// When a stored key does not open under this master key, or the database does not answer.
pub async fn unlock_vault(
    db: &Db,
    master: &MasterKey,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vault, Problem> {
    let vault = Vault::unlock(master, data_keys(db.write()).await?).map_err(Problem::fault)?;
    if Purpose::ALL.iter().all(|purpose| vault.version(*purpose).is_some()) {
        return Ok(vault);
    }
    let tx = db.begin().await?;
    store::job::in_turn(&tx, MAKING_KEYS, clock.now()).await?;
    let mut vault = Vault::unlock(master, data_keys(&tx).await?).map_err(Problem::fault)?;
    for purpose in Purpose::ALL {
        if vault.version(purpose).is_none() {
            let row = vault.new_key(purpose, 1, random).map_err(Problem::fault)?;
            let stored = store::data_key::Model {
                key_id: row.key_id.clone(),
                purpose: purpose.word().to_owned(),
                version: row.version,
                wrapped: row.wrapped.clone(),
                created_at: clock.now(),
            };
            store::data_key::insert(&tx, stored).await?;
            vault.add(&row).map_err(Problem::fault)?;
        }
    }
    tx.commit().await?;
    Ok(vault)
}

async fn data_keys(db: &impl ConnectionTrait) -> Result<Vec<DataKeyRow>, Problem> {
    let mut rows = Vec::new();
    for row in store::data_key::all(db).await? {
        let purpose = Purpose::parse(&row.purpose)
            .ok_or_else(|| Problem::fault(format!("unknown purpose of a data key: {}", row.purpose)))?;
        rows.push(DataKeyRow {
            key_id: row.key_id,
            purpose,
            version: row.version,
            wrapped: row.wrapped,
        });
    }
    Ok(rows)
}

/// A key of the platform as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its serial number, as answers name it.
    pub serial: Serial,
    /// The algorithm it is for.
    pub algorithm: String,
    /// The public key, SPKI PEM.
    pub pem: String,
}

/// The keys with which answers are signed, parsed once: the newest of each kind.
pub struct PlatformKeys {
    keys: BTreeMap<&'static str, (Serial, SigningKey)>,
    public: Vec<PublicKey>,
}

impl PlatformKeys {
    /// Loads the keys; kinds without one get their first.
    ///
    /// # Errors
    /// When a stored key does not open, or the database does not answer.
    pub async fn load(db: &Db, vault: &Vault, clock: &dyn Clock, random: &dyn Random) -> Result<Self, Problem> {
        let stored = with_every_kind(db, vault, clock, random).await?;
        let mut keys = BTreeMap::new();
        let mut public = Vec::new();
        for key in stored {
            let algorithm: Algorithm = key.algorithm.parse().map_err(Problem::fault)?;
            public.push(PublicKey {
                serial: key.serial.clone(),
                algorithm: key.algorithm.clone(),
                pem: key.public_pem.clone(),
            });
            if keys.contains_key(algorithm.word()) {
                continue;
            }
            let private = vault
                .open(place(&key.serial), &key.private_sealed)
                .map_err(Problem::fault)?;
            let private = String::from_utf8(private).map_err(Problem::fault)?;
            let signing = SigningKey::parse(algorithm, &private.into()).map_err(Problem::fault)?;
            keys.insert(algorithm.word(), (key.serial, signing));
        }
        Ok(Self { keys, public })
    }

    /// The key of this kind.
    ///
    /// # Errors
    /// For HMAC, which has no key of the platform's own.
    pub fn of(&self, algorithm: Algorithm) -> Result<&(Serial, SigningKey), Problem> {
        self.keys
            .get(algorithm.word())
            .ok_or_else(|| Problem::new(Code::Internal))
    }

    /// All public keys, the newest of each kind first.
    pub fn public(&self) -> &[PublicKey] {
        &self.public
    }
}

impl PlatformSigner for PlatformKeys {
    fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Result<(Serial, String), Problem> {
        let (serial, key) = self.of(algorithm)?;
        Ok((serial.clone(), key.sign(text)?))
    }
}

/// The stored keys, after kinds without one got their first.
async fn with_every_kind(
    db: &Db,
    vault: &Vault,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vec<store::platform_key::Model>, Problem> {
    let stored = store::platform_key::all(db.write()).await?;
    // Made before anything is held: it takes a second, and no other node should wait that long.
    let mut made = Vec::new();
    for algorithm in [Algorithm::RsaSha256, Algorithm::RsaPssSha256, Algorithm::Ed25519] {
        if !has(&stored, algorithm.word()) {
            made.push(make(vault, algorithm, clock, random)?);
        }
    }
    if made.is_empty() {
        return Ok(stored);
    }
    let tx = db.begin().await?;
    store::job::in_turn(&tx, MAKING_KEYS, clock.now()).await?;
    let mut stored = store::platform_key::all(&tx).await?;
    for key in made {
        // Another node may have been faster.
        if !has(&stored, &key.algorithm) {
            store::platform_key::insert(&tx, key.clone()).await?;
            stored.push(key);
        }
    }
    tx.commit().await?;
    Ok(stored)
}

fn has(keys: &[store::platform_key::Model], algorithm: &str) -> bool {
    keys.iter().any(|key| key.algorithm == algorithm)
}

fn place(serial: &Serial) -> Place<'_> {
    Place {
        table: "platform_key",
        column: "private_sealed",
        row: serial.as_str(),
    }
}

fn make(
    vault: &Vault,
    algorithm: Algorithm,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<store::platform_key::Model, Problem> {
    let pair = match algorithm {
        Algorithm::Ed25519 => ed25519_pair()?,
        _ => rsa_pair(RsaSize::Bits3072)?,
    };
    let serial = Serial(format!("MP{}", random.letters(14, b"0123456789ABCDEF")));
    let private = pair.private_pem.expose().as_bytes();
    let private_sealed = vault
        .seal(Purpose::MerchantSecret, place(&serial), private, random)
        .map_err(Problem::fault)?;
    Ok(store::platform_key::Model {
        serial,
        algorithm: algorithm.word().to_owned(),
        private_sealed,
        public_pem: pair.public_pem,
        created_at: clock.now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::VerifyingKey;

    #[test]
    fn the_platform_signs_with_its_own_keys_and_has_none_that_is_shared() {
        let pair = ed25519_pair().unwrap();
        let key = SigningKey::parse(Algorithm::Ed25519, &pair.private_pem).unwrap();
        let keys = PlatformKeys {
            keys: BTreeMap::from([(Algorithm::Ed25519.word(), ("K1".into(), key))]),
            public: Vec::new(),
        };
        let (serial, signature) = keys.sign(Algorithm::Ed25519, b"text").unwrap();
        let public = VerifyingKey::parse(Algorithm::Ed25519, &pair.public_pem).unwrap();
        assert_eq!(serial.as_str(), "K1");
        assert!(public.verify(Algorithm::Ed25519, b"text", &signature).is_ok());
        assert!(public.verify(Algorithm::Ed25519, b"other", &signature).is_err());
        assert!(keys.sign(Algorithm::HmacSha256, b"text").is_err());
    }
}
