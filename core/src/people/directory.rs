//! The built-in directory: the platform's own tables, kept in memory.
//!
//! What is kept is used for a second at most, or, while a node attends to the version of these tables, until that is raised,
//! and a minute at most. Who reads notes which generation of the tables it is; forgetting begins the next, so that what was read
//! before a change and comes after it is not used.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::future::Cache;
use sea_orm::DbErr;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::id::{AccountId, MchId, Serial};
use crate::merchant::{ChannelAccount, Credential, Directory, MerchantFile};
use crate::peers::{Alone, Peers, Word};
use crate::rule::{self, RuleScope, RuleSet};
use crate::rules::{RuleVersion, Script};
use crate::store::{self, Db};

/// How old an entry may be while nobody attends: a change made on another node counts within a second.
const UNATTENDED: Duration = Duration::from_secs(1);
/// How old an entry may be at all.
const KEPT: Duration = Duration::from_secs(60);
/// How often the version is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long ago the version may have been seen for entries to be used without it.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// Entries of each kind that are kept.
const ENTRIES_MAX: u64 = 50_000;

/// Scripts that are kept: 64 KiB each at most, and few are longer than four.
const SCRIPTS_MAX: u64 = 10_000;

/// Reads the platform's own tables.
pub struct BuiltinDirectory {
    db: Db,
    peers: Arc<dyn Peers>,
    generation: AtomicU64,
    seen: Mutex<Option<Seen>>,
    merchants: Kept<MchId, MerchantFile>,
    credentials: Kept<Serial, Credential>,
    accounts: Kept<AccountId, ChannelAccount>,
    rules: Kept<RuleScope, RuleSet>,
    /// Scripts never change: many merchants share one.
    scripts: Cache<RuleVersion, Arc<Script>>,
}

/// A version that was seen, and when it was asked for.
#[derive(Debug, Clone, Copy)]
struct Seen {
    version: i64,
    at: Instant,
}

type Kept<K, V> = Cache<K, Entry<V>>;

/// What was read, when, and of which generation. Nothing is worth keeping too.
struct Entry<V> {
    value: Option<Arc<V>>,
    generation: u64,
    at: Instant,
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            generation: self.generation,
            at: self.at,
        }
    }
}

impl BuiltinDirectory {
    /// The directory of this database, for one node.
    pub fn new(db: Db) -> Self {
        Self::shared(db, Arc::new(Alone::default()))
    }

    /// The directory of this database, whose changes are told to these others.
    pub fn shared(db: Db, peers: Arc<dyn Peers>) -> Self {
        Self {
            db,
            peers,
            generation: AtomicU64::new(0),
            seen: Mutex::default(),
            merchants: cache(),
            credentials: cache(),
            accounts: cache(),
            rules: cache(),
            scripts: Cache::new(SCRIPTS_MAX),
        }
    }

    /// Forgets what others have changed, for ever: at once where they say so, within a second all the same. Must run once in a
    /// process.
    pub async fn attend(&self) {
        let mut words = self.peers.hear();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                word = words.recv() => match word {
                    Ok(Word::Directory | Word::Missed) | Err(RecvError::Lagged(_)) => self.next_generation(),
                    Ok(Word::Wake(_) | Word::InvalidCode(..)) => {}
                    Err(RecvError::Closed) => return,
                },
                _ = look.tick() => self.look().await,
            }
        }
    }

    /// Looks at the version. Without an answer nothing changes: what was seen gets old.
    async fn look(&self) {
        let at = Instant::now();
        match timeout(SEEN_WITHIN, store::directory_version::present(self.db.read())).await {
            Ok(Ok(version)) => {
                let before = self.seen().replace(Seen { version, at });
                if before.is_none_or(|before| before.version != version) {
                    self.next_generation();
                }
            }
            Ok(Err(error)) => tracing::debug!(%error, "the directory's version: {error}"),
            Err(_) => tracing::debug!("the directory's version is not told in time"),
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_generation(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The entry of a key, read where none may be used.
    async fn entry<K, V, F>(&self, kept: &Kept<K, V>, key: &K, read: F) -> Result<Option<Arc<V>>, DbErr>
    where
        K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
        F: Future<Output = Result<Option<Arc<V>>, DbErr>>,
    {
        let generation = self.generation.load(Ordering::SeqCst);
        if let Some(entry) = kept.get(key).await
            && entry.generation == generation
            && (entry.at.elapsed() < UNATTENDED || self.is_attended())
        {
            return Ok(entry.value);
        }
        let at = Instant::now();
        let value = read.await?;
        let entry = Entry {
            value: value.clone(),
            generation,
            at,
        };
        kept.insert(key.clone(), entry).await;
        Ok(value)
    }

    fn is_attended(&self) -> bool {
        self.seen().is_some_and(|seen| seen.at.elapsed() < SEEN_WITHIN)
    }

    async fn script(&self, version: RuleVersion) -> Result<Arc<Script>, DbErr> {
        if let Some(script) = self.scripts.get(&version).await {
            return Ok(script);
        }
        let script = store::rule_source::find(self.db.read(), &version).await?;
        let script = Arc::new(script.ok_or_else(|| DbErr::RecordNotFound(version.to_string()))?);
        self.scripts.insert(version, Arc::clone(&script)).await;
        Ok(script)
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

fn cache<K, V>() -> Kept<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(KEPT).build()
}

#[async_trait]
impl Directory for BuiltinDirectory {
    async fn merchant(&self, mch_id: &MchId) -> Result<Option<Arc<MerchantFile>>, DbErr> {
        self.entry(&self.merchants, mch_id, self.read_merchant(mch_id)).await
    }

    async fn credential(&self, serial: &Serial) -> Result<Option<Arc<Credential>>, DbErr> {
        let read = async { Ok(store::credential::find(self.db.read(), serial).await?.map(Arc::new)) };
        self.entry(&self.credentials, serial, read).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<Arc<ChannelAccount>>, DbErr> {
        let read = async { Ok(store::account::find(self.db.read(), account).await?.map(Arc::new)) };
        self.entry(&self.accounts, account, read).await
    }

    async fn rules(&self, scope: &RuleScope) -> Result<Arc<RuleSet>, DbErr> {
        let read = async {
            let set = rule::load(self.db.read(), scope, |version| self.script(version)).await?;
            Ok(Some(Arc::new(set)))
        };
        Ok(self.entry(&self.rules, scope, read).await?.unwrap_or_default())
    }

    async fn forget(&self) {
        self.next_generation();
        self.peers.tell(Word::Directory);
    }
}
