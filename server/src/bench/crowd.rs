//! The crowd: merchants, users with open accounts and mandates, and their codes, all written in bulk through the engine.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use metropay_core::clock::{Clock, SystemClock};
use metropay_core::engine::Engine;
use metropay_core::id::{AccountId, ChannelId, MchId, StoreId, Uid};
use metropay_core::mandate::{self, Standing};
use metropay_core::people::{self, NewMerchant};
use metropay_core::random::{Random, SystemRandom};
use metropay_core::secret::Secret;
use metropay_core::{code, user};
use metropay_payment_api::app::token::{TokenClaims, TokenIssuer};
use serde_json::json;

use super::gateways;
use super::ground::KID;
use super::settings::{GroundSettings, Paying};
use crate::config::Config;
use crate::demo::{DemoCredential, DemoMerchant, DemoUser};

/// The merchants' fee: 0.60 %.
const FEE_RATE: u32 = 60;
/// From one user to the next: a prime that no crowd is a multiple of.
const STRIDE: usize = 1_000_003;
/// How long tokens live.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Who is there.
pub(super) struct Crowd {
    /// The merchants, each with one key.
    pub(super) merchants: Vec<DemoMerchant>,
    /// The users.
    pub(super) users: Vec<Member>,
}

/// A user, who pays at one merchant.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) uid: Uid,
    phone: String,
    /// The place of his merchant in the list.
    pub(super) merchant: usize,
}

/// A code in a user's hand.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) digits: String,
    /// The place of the merchant at which its user pays.
    pub(super) merchant: usize,
    /// The place of its user.
    pub(super) member: usize,
}

/// Writes the crowd down. On a database that has it already, merchants get a further key and users keep what they have.
///
/// # Errors
/// When the database or the gateways refuse.
pub(super) async fn seed(engine: &Arc<Engine>, settings: &GroundSettings, gateways: Option<&str>) -> Result<Crowd> {
    let mut merchants = Vec::new();
    for number in 1..=settings.merchants {
        merchants.push(merchant(engine, settings, &format!("B{number:05}")).await?);
    }
    let count = merchants.len();
    let users: Vec<Member> = (0..usize::try_from(settings.users)?)
        .map(|number| Member {
            uid: Uid(format!("BU{number:07}")),
            phone: format!("139{number:08}"),
            merchant: number % count,
        })
        .collect();
    let opened: Vec<(Uid, String)> = users
        .iter()
        .map(|user| (user.uid.clone(), user.phone.clone()))
        .collect();
    user::take_over(engine, &opened).await.context("opening accounts")?;
    for (place, merchant) in merchants.iter().enumerate() {
        let own: Vec<&Uid> = users
            .iter()
            .filter(|user| user.merchant == place)
            .map(|user| &user.uid)
            .collect();
        match settings.channel {
            Paying::Instant => instant(engine, &merchant.mch_id, &own).await?,
            Paying::Simulators => {
                let url = gateways.context("the simulators do not run")?;
                gateways::sign(engine, url, &merchant.mch_id, &own).await?;
            }
        }
    }
    Ok(Crowd { merchants, users })
}

async fn merchant(engine: &Engine, settings: &GroundSettings, mch_id: &str) -> Result<DemoMerchant> {
    let store = format!("{mch_id}-1");
    let new = NewMerchant {
        mch_id: mch_id.into(),
        name: format!("压测商户 {mch_id}"),
        fee_rate: FEE_RATE,
        category: None,
        ip_allow: Vec::new(),
        stores: vec![(StoreId(store.clone()), "一号店".to_owned())],
    };
    people::register(engine, new).await.context("registering merchants")?;
    let made = people::add_credential(engine, &mch_id.into(), settings.algorithm).await?;
    let private = made.private.expose().to_owned();
    let shared = settings.algorithm.is_shared();
    Ok(DemoMerchant {
        mch_id: mch_id.to_owned(),
        store_ids: vec![store],
        credentials: vec![DemoCredential {
            serial: made.serial.0,
            algorithm: settings.algorithm.word().to_owned(),
            secret: shared.then(|| private.clone()),
            private_key_pem: (!shared).then_some(private),
        }],
    })
}

/// Accounts and contracts with the channel that answers at once: it believes everything.
async fn instant(engine: &Engine, mch_id: &str, users: &[&Uid]) -> Result<()> {
    let account = AccountId(format!("{mch_id}-instant"));
    let (number, channel) = (MchId::from(mch_id), ChannelId::from("instant"));
    people::put_account(engine, &number, &account, &channel, &json!({})).await?;
    let standing = |uid: &&Uid| Standing {
        uid: (*uid).clone(),
        contract_no: None,
        handle: format!("{mch_id}/{uid}"),
    };
    let all: Vec<Standing> = users.iter().map(standing).collect();
    mandate::take_over(engine, &account, &all)
        .await
        .context("taking contracts over")?;
    Ok(())
}

/// A token of the App's server for every user, good for a day.
///
/// # Errors
/// When the key cannot sign.
pub(super) fn tokens(config: &Config, app_key: &Secret, crowd: &Crowd) -> Result<Vec<DemoUser>> {
    let issuer = TokenIssuer::new(&config.app.issuer(), Some(KID), app_key).context("the App's key")?;
    let now = SystemClock.now();
    let token = |member: &Member| {
        let claims = TokenClaims {
            uid: member.uid.clone(),
            issued_at: now,
            expires_at: now.plus(TOKEN_LIFE),
            jti: SystemRandom.letters(20, b"0123456789abcdefghijklmnopqrstuvwxyz"),
            phone_number: Some(Secret::from(member.phone.as_str())),
            phone_number_verified: true,
            jkt: None,
        };
        Ok(DemoUser {
            uid: member.uid.0.clone(),
            app_token: issuer.issue(&claims)?,
        })
    };
    crowd.users.iter().map(token).collect()
}

/// The users in an order in which everybody has his turn and neighbours do not follow each other, so many of them.
pub(super) fn turns(crowd: &Crowd, count: usize) -> Vec<usize> {
    let all = crowd.users.len().max(1);
    (0..count.min(all))
        .map(|number| number.wrapping_mul(STRIDE) % all)
        .collect()
}

/// A code for each of the users of these places, alive for `life`.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn codes(engine: &Engine, crowd: &Crowd, places: &[usize], life: Duration) -> Result<Vec<Shown>> {
    let members: Vec<(usize, &Member)> = places
        .iter()
        .filter_map(|place| Some((*place, crowd.users.get(*place)?)))
        .collect();
    let uids: Vec<Uid> = members.iter().map(|(_, member)| member.uid.clone()).collect();
    let issued = code::stock(engine, &uids, life)
        .await
        .context("putting codes in stock")?;
    let shown = issued.into_iter().zip(members).map(|(issued, (place, member))| Shown {
        digits: issued.digits,
        merchant: member.merchant,
        member: place,
    });
    Ok(shown.collect())
}
