//! What a user has signed, what he could sign, and which channel he wants to pay with.

use super::{Mandate, MandateState};
use crate::engine::Engine;
use crate::id::{ChannelId, MandateId, MchId, Uid};
use crate::merchant::Standing;
use crate::problem::{Code, Problem};
use crate::store;

/// The user's mandate of this id.
///
/// # Errors
/// `MANDATE_NOT_FOUND` for none or somebody else's.
pub async fn find(engine: &Engine, uid: &Uid, id: &MandateId) -> Result<Mandate, Problem> {
    let mandate = store::mandate::find(engine.db.write(), uid, id).await?;
    mandate.ok_or_else(|| Problem::new(Code::MandateNotFound))
}

/// The user's mandates, the newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(engine: &Engine, uid: &Uid, with_ended: bool) -> Result<Vec<Mandate>, Problem> {
    Ok(store::mandate::of_user(engine.db.read(), uid, with_ended).await?)
}

/// A way to pay at a merchant.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The channel.
    pub channel: ChannelId,
    /// The user's living mandate for it, if he has one.
    pub mandate: Option<Mandate>,
    /// Whether he prefers it here.
    pub preferred: bool,
}

/// The ways to pay at a merchant, as they stand for this user, with the merchant's name.
///
/// # Errors
/// `MERCHANT_NOT_FOUND`.
pub async fn offers(engine: &Engine, uid: &Uid, mch_id: &MchId) -> Result<(String, Vec<Offer>), Problem> {
    let shop = engine.directory.merchant(mch_id).await?;
    let shop = shop.filter(|shop| shop.merchant.status == Standing::Active);
    let shop = shop.ok_or_else(|| Problem::new(Code::MerchantNotFound))?;
    let mandates = store::mandate::living_with(engine.db.read(), uid, mch_id).await?;
    let preferred = store::preference::find(engine.db.read(), uid, mch_id).await?;
    let offers = shop.usable_accounts().map(|account| Offer {
        channel: account.channel.clone(),
        mandate: mandates
            .iter()
            .find(|mandate| mandate.channel == account.channel)
            .cloned(),
        preferred: preferred.as_ref() == Some(&account.channel),
    });
    Ok((shop.merchant.name.clone(), offers.collect()))
}

/// Chooses the channel that pays at a merchant; the user must have a usable mandate for it.
///
/// # Errors
/// `NEED_MANDATE` without one.
pub async fn choose(engine: &Engine, uid: &Uid, mch_id: &MchId, channel: &ChannelId) -> Result<(), Problem> {
    let mandate = store::mandate::living(engine.db.read(), uid, mch_id, channel).await?;
    if mandate.is_none_or(|mandate| mandate.state != MandateState::Active) {
        return Err(Problem::new(Code::NeedMandate));
    }
    let choice = store::preference::Model {
        uid: uid.clone(),
        mch_id: mch_id.clone(),
        channel: channel.clone(),
    };
    Ok(store::preference::put(engine.db.write(), choice).await?)
}
