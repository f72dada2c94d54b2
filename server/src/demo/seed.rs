//! Seeding: a merchant with two stores and a key of each algorithm, its accounts with the simulated channels, and two users.
//! Doing it again keeps what is there and renews what is short-lived.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use metropay_core::engine::Engine;
use metropay_core::id::{MchId, Serial, StoreId, Uid};
use metropay_core::people::{self, NewMerchant, PlatformKeys};
use metropay_core::secret::Secret;
use metropay_core::signing::Algorithm;
use metropay_payment_api::app::token::{TokenClaims, TokenIssuer};
use metropay_simulator::{Frame, Gateway, Simulator};
use serde_json::Value;

use super::accounts::{self, Opened};
use super::folder::{APP_KID, Folder};
use super::{Credentials, DemoCredential, DemoMerchant, DemoUser, http};
use crate::config::Config;
use crate::serve::Server;

/// The demo's merchant.
const MCH_ID: &str = "M10001";
/// Its stores.
const STORES: [(&str, &str); 2] = [("SZTX001", "体育西路店"), ("SZTX002", "公园前店")];
/// Its users.
const USERS: [(&str, &str); 2] = [("U10001", "13800000001"), ("U10002", "13800000002")];
/// Its fee: 0.60 %.
const FEE_RATE: u32 = 60;
/// How long the users' tokens live.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Seeds a running server, and writes and answers its credentials.
///
/// # Errors
/// When the database or the simulators refuse, or a file cannot be written.
pub async fn seed(
    config: &Config,
    folder: &Folder,
    app_key: &Secret,
    server: &Server,
    simulator: &Simulator,
) -> Result<Credentials> {
    let engine = server.engine();
    let before: Option<Credentials> = folder.read_json("credentials.json");
    let merchant = seed_merchant(engine, before.as_ref())
        .await
        .context("seeding the merchant")?;
    let opened = open_accounts(engine, folder, simulator).await;
    put_accounts(engine, MCH_ID, &opened.context("opening the channel accounts")?).await?;
    let credentials = Credentials {
        base_url: engine.public_url.clone(),
        simulator_url: simulator.url().to_owned(),
        merchants: vec![merchant],
        users: tokens(config, engine, app_key)?,
        platform_public_keys: server.keys().public().to_vec(),
    };
    folder.write_json("credentials.json", &credentials)?;
    Ok(credentials)
}

async fn seed_merchant(engine: &Engine, before: Option<&Credentials>) -> Result<DemoMerchant> {
    let mch_id = MchId::from(MCH_ID);
    let stores = STORES
        .iter()
        .map(|(id, name)| (StoreId::from(*id), (*name).to_owned()))
        .collect();
    let new = NewMerchant {
        mch_id: mch_id.clone(),
        name: "地铁便利店".to_owned(),
        fee_rate: FEE_RATE,
        category: None,
        ip_allow: Vec::new(),
        stores,
    };
    people::register(engine, new).await?;
    let store_ids = STORES.iter().map(|(id, _)| (*id).to_owned()).collect();
    let known = before.and_then(|before| before.merchants.iter().find(|merchant| merchant.mch_id == MCH_ID));
    if let Some(known) = known
        && keys_stand(engine, known).await?
    {
        return Ok(DemoMerchant {
            store_ids,
            ..known.clone()
        });
    }
    let mut credentials = Vec::new();
    for algorithm in [
        Algorithm::HmacSha256,
        Algorithm::RsaSha256,
        Algorithm::RsaPssSha256,
        Algorithm::Ed25519,
    ] {
        let made = people::add_credential(engine, &mch_id, algorithm).await?;
        let private = made.private.expose().to_owned();
        let (secret, private_key_pem) = if algorithm.is_shared() {
            (Some(private), None)
        } else {
            (None, Some(private))
        };
        let algorithm = algorithm.word().to_owned();
        credentials.push(DemoCredential {
            serial: made.serial.0,
            algorithm,
            secret,
            private_key_pem,
        });
    }
    Ok(DemoMerchant {
        mch_id: MCH_ID.to_owned(),
        store_ids,
        credentials,
    })
}

/// Whether the database still knows the keys that were handed out; it may be a new one.
async fn keys_stand(engine: &Engine, merchant: &DemoMerchant) -> Result<bool> {
    for credential in &merchant.credentials {
        if engine
            .directory
            .credential(&Serial(credential.serial.clone()))
            .await?
            .is_none()
        {
            return Ok(false);
        }
    }
    Ok(!merchant.credentials.is_empty())
}

/// Seeds a set-up that runs elsewhere and has never been seeded, through this engine on its database: merchant and accounts. The
/// users are for the caller.
///
/// # Errors
/// When the database or the gateways refuse.
pub(crate) async fn seed_abroad(
    engine: &Arc<Engine>,
    keys: &PlatformKeys,
    base_url: &str,
    gateways_url: &str,
) -> Result<Credentials> {
    let merchant = seed_merchant(engine, None).await.context("seeding the merchant")?;
    let opened = http::open_accounts(engine, gateways_url, MCH_ID).await;
    put_accounts(engine, MCH_ID, &opened.context("opening the channel accounts")?).await?;
    Ok(Credentials {
        base_url: base_url.to_owned(),
        simulator_url: gateways_url.to_owned(),
        merchants: vec![merchant],
        users: Vec::new(),
        platform_public_keys: keys.public().to_vec(),
    })
}

async fn open_accounts(engine: &Arc<Engine>, folder: &Folder, simulator: &Simulator) -> Result<Opened> {
    let before: Option<Opened> = folder.read_json("accounts.json");
    let (own, frame) = (Arc::clone(engine), Arc::clone(simulator.frame()));
    // Making RSA keys takes a while; it must not hold up what is served already.
    let opened =
        tokio::task::spawn_blocking(move || accounts::open(&own, at(&frame), MCH_ID, before.as_ref())).await??;
    folder.write_json("accounts.json", &opened)?;
    Ok(opened)
}

async fn put_accounts(engine: &Engine, mch_id: &str, opened: &Opened) -> Result<()> {
    for account in opened.configurations(mch_id) {
        people::put_account(
            engine,
            &mch_id.into(),
            &account.account,
            &account.channel,
            &account.config,
        )
        .await
        .with_context(|| format!("setting {} up", account.account))?;
    }
    Ok(())
}

/// Opens accounts at gateways in this process.
fn at(frame: &Frame) -> impl Fn(Gateway, &Value) -> Result<Value> {
    |gateway, wish| Ok(frame.open_account(gateway, wish)?)
}

fn tokens(config: &Config, engine: &Engine, app_key: &Secret) -> Result<Vec<DemoUser>> {
    USERS
        .iter()
        .map(|(uid, phone)| token(config, engine, app_key, uid, phone))
        .collect()
}

/// A user of the demo's App with this verified phone, and a token that is good for a day from now on.
///
/// # Errors
/// When the App's key cannot sign.
pub fn token(config: &Config, engine: &Engine, app_key: &Secret, uid: &str, phone: &str) -> Result<DemoUser> {
    let issuer = TokenIssuer::new(&config.app.issuer(), Some(APP_KID), app_key).context("the App's key")?;
    let now = engine.clock.now();
    let claims = TokenClaims {
        uid: Uid::from(uid),
        issued_at: now,
        expires_at: now.plus(TOKEN_LIFE),
        jti: engine.random.letters(20, b"0123456789abcdefghijklmnopqrstuvwxyz"),
        phone_number: Some(Secret::from(phone)),
        phone_number_verified: true,
        jkt: None,
    };
    Ok(DemoUser {
        uid: uid.to_owned(),
        app_token: issuer.issue(&claims)?,
    })
}

/// A further merchant for whoever wants more than one: a store of its own, one HMAC key, and accounts of its own with all
/// simulated channels. Its store is its number with `-1` behind.
///
/// # Errors
/// When the database or the simulators refuse.
pub async fn further_merchant(engine: &Arc<Engine>, gateways_url: &str, mch_id: &str) -> Result<DemoMerchant> {
    let store = format!("{mch_id}-1");
    let new = NewMerchant {
        mch_id: mch_id.into(),
        name: format!("商户 {mch_id}"),
        fee_rate: FEE_RATE,
        category: None,
        ip_allow: Vec::new(),
        stores: vec![(StoreId(store.clone()), "一号店".to_owned())],
    };
    people::register(engine, new).await?;
    let made = people::add_credential(engine, &mch_id.into(), Algorithm::HmacSha256).await?;
    let opened = http::open_accounts(engine, gateways_url, mch_id).await?;
    put_accounts(engine, mch_id, &opened).await?;
    Ok(DemoMerchant {
        mch_id: mch_id.to_owned(),
        store_ids: vec![store],
        credentials: vec![DemoCredential {
            serial: made.serial.0,
            algorithm: Algorithm::HmacSha256.word().to_owned(),
            secret: Some(made.private.expose().to_owned()),
            private_key_pem: None,
        }],
    })
}
