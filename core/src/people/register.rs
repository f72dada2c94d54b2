//! Registering merchants, their stores, keys and channel accounts.

use serde_json::Value;

use crate::engine::Engine;
use crate::id::{AccountId, ChannelId, MchId, Serial, StoreId};
use crate::merchant::{ChannelAccount, Credential, Merchant, Standing, Store, is_category};
use crate::network::Network;
use crate::problem::{Code, Problem};
use crate::secret::Secret;
use crate::signing::{Algorithm, RsaSize, VerifyingKey, ed25519_pair, hmac_secret, rsa_pair};
use crate::store::{self, Tx};
use crate::vault::{Place, Purpose};

/// The weight of an account where nobody has set another.
const WEIGHT: i32 = 100;

/// A merchant to register.
#[derive(Debug, Clone)]
pub struct NewMerchant {
    /// Its number.
    pub mch_id: MchId,
    /// Its name.
    pub name: String,
    /// Its fee in ten-thousandths.
    pub fee_rate: u32,
    /// Its category, and sub-category after a slash.
    pub category: Option<String>,
    /// The networks that its tills may call from; none named means from anywhere.
    pub ip_allow: Vec<Network>,
    /// Its stores: number and name.
    pub stores: Vec<(StoreId, String)>,
}

/// Registers a merchant with its stores, or changes one that is there.
///
/// # Errors
/// `PARAM_INVALID` for a fee above the amount, and for a category that is none.
pub async fn register(engine: &Engine, new: NewMerchant) -> Result<(), Problem> {
    let fee_rate = i32::try_from(new.fee_rate).ok().filter(|rate| *rate <= 10_000);
    if new.category.as_ref().is_some_and(|category| !is_category(category)) {
        return Err(Problem::invalid(
            "category",
            "类目由小写字母、数字和连字符组成，子类目前加斜杠",
        ));
    }
    let merchant = Merchant {
        mch_id: new.mch_id.clone(),
        name: new.name,
        status: Standing::Active,
        fee_rate: fee_rate.ok_or_else(|| Problem::invalid("fee_rate", "费率以万分之一计，0–10000"))?,
        category: new.category,
        ip_allow: (!new.ip_allow.is_empty()).then(|| written(&new.ip_allow)),
        created_at: engine.clock.now(),
    };
    let tx = engine.db.begin().await?;
    store::merchant::put(&tx, merchant).await?;
    for (store_id, name) in new.stores {
        let store = Store {
            mch_id: new.mch_id.clone(),
            store_id,
            name,
            status: Standing::Active,
        };
        store::merchant::put_store(&tx, store).await?;
    }
    changed(engine, tx).await
}

/// Ends a change of what the directory tells: every node learns of it by the version that is raised with it.
async fn changed(engine: &Engine, tx: Tx) -> Result<(), Problem> {
    store::directory_version::raise(&tx).await?;
    tx.commit().await?;
    engine.directory.forget().await;
    Ok(())
}

fn written(networks: &[Network]) -> String {
    networks.iter().map(Network::to_string).collect::<Vec<_>>().join(",")
}

/// A key that was just made, with the half that only the merchant keeps. It is shown once.
#[derive(Debug)]
pub struct MadeCredential {
    /// Its serial number.
    pub serial: Serial,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// HMAC: the secret. Others: the private key as PEM.
    pub private: Secret,
}

/// Makes a key for a merchant.
///
/// # Errors
/// When the database does not answer.
pub async fn add_credential(engine: &Engine, mch_id: &MchId, algorithm: Algorithm) -> Result<MadeCredential, Problem> {
    let serial = Serial(format!("K{}", engine.random.letters(15, b"0123456789ABCDEF")));
    let (private, public) = match algorithm {
        Algorithm::HmacSha256 => (hmac_secret(&*engine.random), None),
        Algorithm::Ed25519 => split(ed25519_pair()?),
        Algorithm::RsaSha256 | Algorithm::RsaPssSha256 => split(rsa_pair(RsaSize::Bits2048)?),
    };
    let material = match public {
        Some(pem) => pem,
        None => engine.seal(Purpose::MerchantSecret, place(&serial), private.expose())?,
    };
    let now = engine.clock.now();
    let credential = Credential {
        serial: serial.clone(),
        mch_id: mch_id.clone(),
        algorithm: algorithm.word().to_owned(),
        material,
        status: Standing::Active,
        valid_from: now,
        valid_until: None,
        created_at: now,
    };
    let tx = engine.db.begin().await?;
    store::credential::insert(&tx, credential).await?;
    changed(engine, tx).await?;
    Ok(MadeCredential {
        serial,
        algorithm,
        private,
    })
}

fn split(pair: crate::signing::KeyPair) -> (Secret, Option<String>) {
    (pair.private_pem, Some(pair.public_pem))
}

/// Revokes a key: its requests are refused from now on.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke_credential(engine: &Engine, serial: &Serial) -> Result<bool, Problem> {
    let tx = engine.db.begin().await?;
    let done = store::credential::revoke(&tx, serial).await?;
    changed(engine, tx).await?;
    Ok(done)
}

fn place(serial: &Serial) -> Place<'_> {
    Place {
        table: "credential",
        column: "material",
        row: serial.as_str(),
    }
}

/// The key of a credential, ready to verify, and, where both sides share it, the secret to answer with.
pub(super) fn open_credential(
    engine: &Engine,
    credential: &Credential,
) -> Result<(VerifyingKey, Option<Secret>), Problem> {
    let algorithm: Algorithm = credential.algorithm.parse().map_err(Problem::fault)?;
    if algorithm.is_shared() {
        let secret = Secret::from(engine.unseal(place(&credential.serial), &credential.material)?);
        let key = VerifyingKey::parse(algorithm, secret.expose()).map_err(Problem::fault)?;
        return Ok((key, Some(secret)));
    }
    Ok((
        VerifyingKey::parse(algorithm, &credential.material).map_err(Problem::fault)?,
        None,
    ))
}

/// Weighs a merchant's accounts for `routing` rules: the account's share among others that are alike, and what its channel
/// charges the platform, in ten-thousandths.
///
/// # Errors
/// `CHANNEL_NOT_CONFIGURED` for an account that is not this merchant's, `PARAM_INVALID` for a number out of bounds.
pub async fn weigh_account(
    engine: &Engine,
    mch_id: &MchId,
    account_id: &AccountId,
    (weight, cost_rate): (u32, u32),
) -> Result<(), Problem> {
    let within = |number: u32, field: &'static str| {
        let number = i32::try_from(number).ok().filter(|number| *number <= 10_000);
        number.ok_or_else(|| Problem::invalid(field, "0–10000"))
    };
    let (weight, cost_rate) = (within(weight, "weight")?, within(cost_rate, "cost_rate")?);
    let tx = engine.db.begin().await?;
    let account = store::account::find(&tx, account_id).await?;
    let account = account.filter(|account| account.mch_id == *mch_id);
    let mut account = account.ok_or_else(|| Problem::new(Code::ChannelNotConfigured))?;
    (account.weight, account.cost_rate) = (weight, cost_rate);
    account.updated_at = engine.clock.now();
    store::account::put(&tx, account).await?;
    changed(engine, tx).await
}

/// Sets a merchant's account with a channel up, or changes it. The configuration is checked by building the adapter.
///
/// # Errors
/// `PARAM_INVALID` when the channel is not linked or its configuration is wrong; the field is named.
pub async fn put_account(
    engine: &Engine,
    mch_id: &MchId,
    account_id: &AccountId,
    channel: &ChannelId,
    config: &Value,
) -> Result<(), Problem> {
    let before = store::account::find(engine.db.write(), account_id).await?;
    if before
        .as_ref()
        .is_some_and(|before| before.mch_id != *mch_id || before.channel != *channel)
    {
        return Err(Problem::new(Code::ParamInvalid).at("account_id"));
    }
    let place = Place {
        table: "channel_account",
        column: "config_sealed",
        row: account_id.as_str(),
    };
    let account = ChannelAccount {
        account_id: account_id.clone(),
        mch_id: mch_id.clone(),
        channel: channel.clone(),
        status: Standing::Active,
        version: before.as_ref().map_or(1, |before| before.version.saturating_add(1)),
        weight: before.as_ref().map_or(WEIGHT, |before| before.weight),
        cost_rate: before.as_ref().map_or(0, |before| before.cost_rate),
        config_sealed: engine.seal(Purpose::ChannelConfig, place, &config.to_string())?,
        updated_at: engine.clock.now(),
    };
    engine
        .channels
        .build(channel, config.clone(), engine.setting(&account))
        .map_err(|error| {
            let field = error.to_string();
            Problem {
                source: Some(Box::new(error)),
                ..Problem::new(Code::ParamInvalid).at(field)
            }
        })?;
    let tx = engine.db.begin().await?;
    store::account::put(&tx, account).await?;
    changed(engine, tx).await
}
