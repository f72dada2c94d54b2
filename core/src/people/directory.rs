//! The built-in directory: the platform's own tables, kept in memory for a moment.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use sea_orm::DbErr;

use crate::id::{AccountId, MchId, Serial};
use crate::merchant::{ChannelAccount, Credential, Directory, MerchantFile};
use crate::store::{self, Db};

/// How long an entry may be old: a change made on another node counts within a second.
const KEPT: Duration = Duration::from_secs(1);
/// Entries of each kind that are kept.
const ENTRIES_MAX: u64 = 50_000;

/// Reads the platform's own tables.
pub struct BuiltinDirectory {
    db: Db,
    merchants: Cache<MchId, Option<Arc<MerchantFile>>>,
    credentials: Cache<Serial, Option<Arc<Credential>>>,
    accounts: Cache<AccountId, Option<Arc<ChannelAccount>>>,
}

impl BuiltinDirectory {
    /// The directory of this database.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            merchants: cache(),
            credentials: cache(),
            accounts: cache(),
        }
    }

    async fn read_merchant(&self, mch_id: &MchId) -> Result<Option<Arc<MerchantFile>>, DbErr> {
        let Some(merchant) = store::merchant::find(self.db.read(), mch_id).await? else {
            return Ok(None);
        };
        let stores = store::merchant::stores(self.db.read(), mch_id).await?;
        let stores = stores
            .into_iter()
            .map(|store| (store.store_id.clone(), store))
            .collect();
        let accounts = store::account::of_merchant(self.db.read(), mch_id).await?;
        Ok(Some(Arc::new(MerchantFile {
            merchant,
            stores,
            accounts,
        })))
    }
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(KEPT).build()
}

#[async_trait]
impl Directory for BuiltinDirectory {
    async fn merchant(&self, mch_id: &MchId) -> Result<Option<Arc<MerchantFile>>, DbErr> {
        if let Some(kept) = self.merchants.get(mch_id).await {
            return Ok(kept);
        }
        let read = self.read_merchant(mch_id).await?;
        self.merchants.insert(mch_id.clone(), read.clone()).await;
        Ok(read)
    }

    async fn credential(&self, serial: &Serial) -> Result<Option<Arc<Credential>>, DbErr> {
        if let Some(kept) = self.credentials.get(serial).await {
            return Ok(kept);
        }
        let read = store::credential::find(self.db.read(), serial).await?.map(Arc::new);
        self.credentials.insert(serial.clone(), read.clone()).await;
        Ok(read)
    }

    async fn account(&self, account: &AccountId) -> Result<Option<Arc<ChannelAccount>>, DbErr> {
        if let Some(kept) = self.accounts.get(account).await {
            return Ok(kept);
        }
        let read = store::account::find(self.db.read(), account).await?.map(Arc::new);
        self.accounts.insert(account.clone(), read.clone()).await;
        Ok(read)
    }

    async fn forget(&self) {
        self.merchants.invalidate_all();
        self.credentials.invalidate_all();
        self.accounts.invalidate_all();
    }
}
