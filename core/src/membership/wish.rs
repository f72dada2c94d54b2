//! What the user does: join, leave, look.

use super::{Joining, Membership, Wish, system_of};
use crate::engine::Engine;
use crate::id::{MchId, Uid};
use crate::merchant::Standing;
use crate::problem::{Code, Problem};
use crate::store::{self, Tx};
use crate::user;

/// A merchant where one can be a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its number.
    pub mch_id: MchId,
    /// Its name.
    pub merchant_name: String,
    /// When users become members.
    pub joining: Joining,
}

/// The user wants to be a member. He is one when the merchant's system has said so; that may be later.
///
/// # Errors
/// `CODE_NOT_OPENED`, `USER_FROZEN`, `MEMBERSHIP_NOT_OFFERED`.
pub async fn join(engine: &Engine, uid: &Uid, mch_id: &MchId) -> Result<Membership, Problem> {
    user::active(engine, uid).await?;
    wish(engine, (uid, mch_id), Wish::Open).await
}

/// The user wants to be a member no longer. Also one who has closed the consumption code may.
///
/// # Errors
/// `MEMBERSHIP_NOT_OFFERED`.
pub async fn leave(engine: &Engine, uid: &Uid, mch_id: &MchId) -> Result<Membership, Problem> {
    wish(engine, (uid, mch_id), Wish::Close).await
}

async fn wish(engine: &Engine, (uid, mch_id): (&Uid, &MchId), wish: Wish) -> Result<Membership, Problem> {
    offer(engine, mch_id).await?;
    engine
        .db
        .again(&*engine.random, async || {
            let now = engine.clock.now();
            let tx = engine.db.begin().await?;
            store::user::hold(&tx, uid).await?;
            let present = store::membership::find(&tx, mch_id, uid).await?;
            let present = present.unwrap_or_else(|| Membership::none(mch_id, uid, now));
            let wished = present.clone().wished(wish, now);
            if wished != present {
                store::membership::put(&tx, wished.clone()).await?;
                tx.commit().await?;
            }
            Ok(wished)
        })
        .await
}

/// The user's memberships, those that are wished or ended too, with the merchants' names.
///
/// # Errors
/// When the database does not answer.
pub async fn list(engine: &Engine, uid: &Uid) -> Result<Vec<(Membership, String)>, Problem> {
    let mut all = Vec::new();
    for membership in store::membership::of_user(engine.db.read(), uid).await? {
        let shop = engine.directory.merchant(&membership.mch_id).await?;
        let name = shop.map_or_else(|| membership.mch_id.0.clone(), |shop| shop.merchant.name.clone());
        all.push((membership, name));
    }
    Ok(all)
}

/// How a user stands with a merchant, and what the merchant offers.
///
/// # Errors
/// `MEMBERSHIP_NOT_OFFERED` where the merchant has no membership and the user never had one.
pub async fn find(engine: &Engine, uid: &Uid, mch_id: &MchId) -> Result<(Membership, Offer), Problem> {
    let membership = store::membership::find(engine.db.read(), mch_id, uid).await?;
    let offer = offer(engine, mch_id).await?;
    let none = || Membership::none(mch_id, uid, engine.clock.now());
    Ok((membership.unwrap_or_else(none), offer))
}

async fn offer(engine: &Engine, mch_id: &MchId) -> Result<Offer, Problem> {
    let shop = engine.directory.merchant(mch_id).await?;
    let shop = shop.filter(|shop| shop.merchant.status == Standing::Active);
    let system = system_of(engine, mch_id).await?;
    match (shop, system) {
        (Some(shop), Some(system)) => Ok(Offer {
            mch_id: mch_id.clone(),
            merchant_name: shop.merchant.name.clone(),
            joining: system.joining,
        }),
        _ => Err(Problem::new(Code::MembershipNotOffered)),
    }
}

/// Whoever opens the consumption code becomes a member where merchants want that (P9); nobody is asked before it is in the books.
pub(crate) async fn register(tx: &Tx, uid: &Uid, now: crate::clock::Time) -> Result<(), Problem> {
    Ok(store::membership::wish_at_opening(tx, uid, now).await?)
}

/// The user has another number: everyone with whom he is a member is to be told (P2).
pub(crate) async fn phone_changed(tx: &Tx, uid: &Uid, now: crate::clock::Time) -> Result<u64, Problem> {
    Ok(store::membership::phone_is_due(tx, uid, now).await?)
}
