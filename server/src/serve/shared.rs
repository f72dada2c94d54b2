//! What this node shares with others: over Redis where one is configured, with nobody where not.

use std::sync::Arc;

use anyhow::{Context, Result};
use metropay_core::engine::Engine;
use metropay_core::node::SharedLive;
use metropay_core::once::{DatabaseOnce, Once};
use metropay_core::peers::{Alone, Peers};
use metropay_core::people::BuiltinDirectory;
use metropay_core::{Db, Lane};
use metropay_payment_api::till::Budgets;
use metropay_redis::Redis;
use tokio::task::JoinSet;

use crate::config::Config;

/// What this node shares. Dropping it ends the sharing.
pub(super) struct Shared {
    pub(super) peers: Arc<dyn Peers>,
    pub(super) once: Arc<dyn Once>,
    pub(super) live: Arc<SharedLive>,
    pub(super) directory: Arc<BuiltinDirectory>,
    _redis: Option<Redis>,
    attending: JoinSet<()>,
}

impl Shared {
    /// Begins. A Redis that is not there stops nothing.
    ///
    /// # Errors
    /// When its configuration cannot work.
    pub(super) fn start(config: &Config, node: &str, db: &Db) -> Result<Self> {
        let redis = match &config.redis {
            Some(redis) => Some(Redis::start(redis, node, db.clone()).context("what nodes share")?),
            None => None,
        };
        let (peers, once): (Arc<dyn Peers>, Arc<dyn Once>) = match &redis {
            Some(redis) => (redis.peers.clone(), redis.once.clone()),
            None => (Arc::new(Alone::default()), Arc::new(DatabaseOnce::new(db.clone()))),
        };
        Ok(Self {
            live: Arc::new(SharedLive::new(Arc::clone(&peers))),
            // Neither waits for the connections of payments when these are all in use, nor payments for it.
            directory: Arc::new(BuiltinDirectory::shared(db.on(Lane::Jobs), Arc::clone(&peers))),
            peers,
            once,
            _redis: redis,
            attending: JoinSet::new(),
        })
    }

    /// Heeds what the others say from now on.
    pub(super) fn attend(&mut self, engine: &Arc<Engine>, budgets: &Arc<Budgets>) {
        let (live, db) = (Arc::clone(&self.live), engine.db.on(Lane::Jobs));
        self.attending.spawn(async move { live.attend(&db).await });
        let directory = Arc::clone(&self.directory);
        self.attending.spawn(async move { directory.attend().await });
        let (budgets, clock) = (Arc::clone(budgets), Arc::clone(&engine.clock));
        self.attending.spawn(async move { budgets.attend(&*clock).await });
    }

    /// Heeds nobody any more.
    pub(super) async fn stop(&mut self) {
        self.attending.shutdown().await;
    }
}
