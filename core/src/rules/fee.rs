//! What a `fee` rule is asked and answers.

use serde::{Deserialize, Serialize};

use crate::channel::Product;
use crate::clock::Time;
use crate::id::{AccountId, ChannelId, MchId, StoreId};
use crate::money::Fen;

/// What a `fee` rule is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeQuestion {
    /// The merchant.
    pub mch_id: MchId,
    /// Its category; nothing where it has none.
    pub category: Option<String>,
    /// The store.
    pub store_id: StoreId,
    /// The channel that was chosen.
    pub channel: ChannelId,
    /// The merchant's account with it.
    pub account: AccountId,
    /// By which of the channel's products: the scene.
    pub product: Product,
    /// The amount.
    pub amount: Fen,
    /// The merchant's agreed rate in ten-thousandths.
    pub agreed_rate: u32,
    /// When.
    pub at: Time,
    /// The merchant's day so far, where the rule needs it.
    pub day_totals: Option<DayTotals>,
}

/// What a merchant has taken in a China day so far, as last counted; a minute old at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTotals {
    /// Payments that succeeded.
    pub count: u64,
    /// Their sum.
    pub amount: Fen,
}

/// What a `fee` rule answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeAnswer {
    /// The fee, between nothing and the whole amount.
    pub fee: Fen,
    /// Why, in the rule's own words; may be empty.
    pub reason: String,
}
