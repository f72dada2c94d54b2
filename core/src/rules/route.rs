//! What a `routing` rule is asked and answers.

use serde::{Deserialize, Serialize};

use crate::channel::health::WayHealth;
use crate::clock::Time;
use crate::id::{AccountId, ChannelId, MandateId, MchId, StoreId};
use crate::money::Fen;

/// A way that a payment could go: a usable mandate and its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The channel.
    pub channel: ChannelId,
    /// The merchant's account with it.
    pub account: AccountId,
    /// The user's mandate. Scripts do not see it.
    pub mandate: MandateId,
    /// How the account is doing.
    pub health: WayHealth,
    /// The account's weight, as an operator has set it: its share among accounts that are otherwise alike.
    pub weight: u32,
    /// What the channel charges the platform, in ten-thousandths of the amount.
    pub cost_rate: u32,
}

/// What a `routing` rule is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteQuestion {
    /// The merchant.
    pub mch_id: MchId,
    /// Its category; nothing where it has none.
    pub category: Option<String>,
    /// The store.
    pub store_id: StoreId,
    /// The amount.
    pub amount: Fen,
    /// When.
    pub at: Time,
    /// Chance, as an input: evenly spread over 0 to 9,999.
    pub draw: u32,
    /// The channel that the user chose for this code. Whatever the rule answers, no other is charged.
    pub chosen: Option<ChannelId>,
    /// The channel that the user prefers at this merchant.
    pub preferred: Option<ChannelId>,
    /// The ways there are, the oldest mandate first; one for each account.
    pub ways: Vec<Way>,
}

/// An account to try, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The account.
    pub account: AccountId,
    /// Why, in the rule's own words; may be empty.
    pub reason: String,
}
