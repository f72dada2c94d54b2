//! The contract of the merchant directory: merchants, their stores, keys and channel accounts.
//!
//! The built-in directory reads the platform's own tables; another can put an existing merchant system in its place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::DbErr;

use crate::id::{AccountId, MchId, Serial, StoreId};
use crate::network::Network;
use crate::rule::{RuleScope, RuleSet};
pub use crate::store::account::Model as ChannelAccount;
pub use crate::store::credential::Model as Credential;
pub use crate::store::merchant::store::Model as Store;
pub use crate::store::merchant::{Model as Merchant, Standing};

/// A merchant with everything that a payment needs to know of it.
#[derive(Debug, Clone)]
pub struct MerchantFile {
    /// The merchant.
    pub merchant: Merchant,
    /// Its stores.
    pub stores: HashMap<StoreId, Store>,
    /// Its channel accounts, by id.
    pub accounts: Vec<ChannelAccount>,
}

impl MerchantFile {
    /// Whether its tills may call from this address. An address that is not known, and a list that cannot be read, allow
    /// nothing once there is a list.
    pub fn may_call_from(&self, client: Option<IpAddr>) -> bool {
        let Some(list) = &self.merchant.ip_allow else {
            return true;
        };
        let networks = list.split(',').filter_map(|network| network.parse::<Network>().ok());
        client.is_some_and(|client| networks.into_iter().any(|network| network.contains(client)))
    }

    /// The merchant's usable accounts.
    pub fn usable_accounts(&self) -> impl Iterator<Item = &ChannelAccount> {
        self.accounts
            .iter()
            .filter(|account| account.status == Standing::Active)
    }
}

/// Where merchants are looked up.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The merchant of this number.
    async fn merchant(&self, mch_id: &MchId) -> Result<Option<Arc<MerchantFile>>, DbErr>;

    /// The key of this serial number.
    async fn credential(&self, serial: &Serial) -> Result<Option<Arc<Credential>>, DbErr>;

    /// The channel account of this id.
    async fn account(&self, account: &AccountId) -> Result<Option<Arc<ChannelAccount>>, DbErr>;

    /// The rules in force for somebody.
    async fn rules(&self, scope: &RuleScope) -> Result<Arc<RuleSet>, DbErr>;

    /// Forgets what is cached: something was changed.
    async fn forget(&self);
}

/// A category, at most, in letters.
const CATEGORY_MAX: usize = 64;

/// Whether a text is a category, or a category with a sub-category.
pub(crate) fn is_category(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= CATEGORY_MAX && text.split('/').count() <= 2 && text.split('/').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_one_or_two_plain_words() {
        for text in ["retail", "retail/department", "a-1/b-2"] {
            assert!(is_category(text), "{text}");
        }
        for text in [
            "",
            "/",
            "retail/",
            "/x",
            "a/b/c",
            "Retail",
            "a b",
            "零售",
            &"a".repeat(65),
        ] {
            assert!(!is_category(text), "{text}");
        }
    }
}
