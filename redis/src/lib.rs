//! What nodes share and may lose, on Redis: words between nodes, and what was used once.
//!
//! Redis carries nothing that may not be lost, and decides nothing about money. Every use of it has a budget of 50 ms and a way
//! that does not need it. When it fails a few times in a row it is left alone and tried from the side, so that a Redis that
//! hangs costs a few requests 50 ms, not all of them. No script runs there, and no key is searched for. Keys that belong together
//! carry the same hash tag, so that one round trip reaches them in a cluster too.

mod bus;
mod config;
mod link;
mod once;
mod source;

use std::sync::Arc;

use metropay_core::Db;
use metropay_core::once::DatabaseOnce;
use tokio::task::JoinSet;

pub use bus::Bus;
pub use config::{BadConfig, Mode, RedisConfig};
pub use link::{BUDGET, Link};
pub use once::RedisOnce;
use source::Source;

/// What a node has of Redis. Dropping it ends the connections.
pub struct Redis {
    /// The other nodes.
    pub peers: Arc<Bus>,
    /// What was used once.
    pub once: Arc<RedisOnce>,
    /// The connection that both use, for whoever watches it.
    pub link: Arc<Link>,
    _tasks: JoinSet<()>,
}

impl Redis {
    /// Begins to connect, and goes on as long as this lives. A Redis that is not there stops nothing. The node's name must be
    /// its own among all nodes.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn start(config: &RedisConfig, node: &str, db: Db) -> Result<Self, BadConfig> {
        config.validate()?;
        let source = Arc::new(Source::of(config)?);
        let link = Arc::new(Link::default());
        let (peers, speaker) = Bus::new(node, &config.prefix);
        let peers = Arc::new(peers);
        let mut tasks = JoinSet::new();
        tasks.spawn(link::keep(Arc::clone(&link), Arc::clone(&source)));
        tasks.spawn(bus::speak(Arc::clone(&peers), speaker, Arc::clone(&link)));
        tasks.spawn(bus::listen(Arc::clone(&peers), source));
        Ok(Self {
            once: Arc::new(RedisOnce::new(Arc::clone(&link), &config.prefix, DatabaseOnce::new(db))),
            peers,
            link,
            _tasks: tasks,
        })
    }
}
