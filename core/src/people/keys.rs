//! The platform's keys: the vault's data keys, and the keys that answers are signed with. Made when they are missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::id::Serial;
use crate::problem::{Code, Problem};
use crate::random::Random;
use crate::signing::{Algorithm, RsaSize, SigningKey, ed25519_pair, rsa_pair};
use crate::store::{self, Db};
use crate::vault::{DataKeyRow, MasterKey, Place, Purpose, Vault};

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
    let mut rows = Vec::new();
    for row in store::data_key::all(db.write()).await? {
        let purpose = Purpose::parse(&row.purpose)
            .ok_or_else(|| Problem::fault(format!("unknown purpose of a data key: {}", row.purpose)))?;
        rows.push(DataKeyRow {
            key_id: row.key_id,
            purpose,
            version: row.version,
            wrapped: row.wrapped,
        });
    }
    let mut vault = Vault::unlock(master, rows).map_err(Problem::fault)?;
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
            store::data_key::insert(db.write(), stored).await?;
            vault.add(&row).map_err(Problem::fault)?;
        }
    }
    Ok(vault)
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
        let mut stored = store::platform_key::all(db.write()).await?;
        for algorithm in [Algorithm::RsaSha256, Algorithm::RsaPssSha256, Algorithm::Ed25519] {
            if !stored.iter().any(|key| key.algorithm == algorithm.word()) {
                let key = make(vault, algorithm, clock, random)?;
                store::platform_key::insert(db.write(), key.clone()).await?;
                stored.push(key);
            }
        }
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
