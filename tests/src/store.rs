//! On which store the worlds stand, by `METROPAY_TEST_STORE`: `embedded` (the default), `postgres` (PostgreSQL and Redis in
//! containers), or `nodes` (two servers on the same, behind a proxy). On PostgreSQL every world has a database of its own,
//! copied from the seeded one by the server itself.

use anyhow::{Context, Result};
use metropay_core::Pools;
use metropay_server::config::{Config, DatabaseConfig, RedisConfig};

use crate::containers::{Database, Durability, Postgres, Redis};

/// A kind of ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// SQLite, everything else in the process.
    Embedded,
    /// PostgreSQL and Redis.
    Postgres,
    /// Two servers on PostgreSQL and Redis.
    Nodes,
}

/// Connections of one server, of which several live at a time.
fn pools() -> Pools {
    Pools::new(8, 4, 4)
}

impl Store {
    /// What is asked for.
    ///
    /// # Panics
    /// When it is none of the words.
    pub fn asked() -> Self {
        let asked = std::env::var("METROPAY_TEST_STORE").unwrap_or_else(|_| "embedded".to_owned());
        let all = [
            ("embedded", Self::Embedded),
            ("postgres", Self::Postgres),
            ("nodes", Self::Nodes),
        ];
        let named = all.into_iter().find(|(name, _)| *name == asked);
        named.expect("METROPAY_TEST_STORE is embedded, postgres or nodes").1
    }

    /// How many servers a world has.
    pub fn nodes(self) -> usize {
        if self == Self::Nodes { 2 } else { 1 }
    }

    /// Whether it can be had here; said loudly where not.
    ///
    /// # Panics
    /// When it cannot be had and containers are required.
    pub async fn is_there(self) -> bool {
        self == Self::Embedded
            || (Postgres::shared(Durability::Memory).await.is_some() && Redis::shared().await.is_some())
    }

    /// A part of Redis of its own for this configuration, where the store has one.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn share(self, config: &mut Config) -> Result<()> {
        if self != Self::Embedded {
            let space = Redis::shared().await.context("Redis is not there")?.space()?;
            config.redis = Some(RedisConfig {
                prefix: space.prefix(),
                ..RedisConfig::single(&space.url())
            });
        }
        Ok(())
    }

    /// An empty database for this configuration; nothing on the embedded store, where the world's folder has it.
    ///
    /// # Errors
    /// When the server does not make one.
    pub async fn fresh(self, config: &mut Config) -> Result<Option<Database>> {
        if self == Self::Embedded {
            return Ok(None);
        }
        let server = Postgres::shared(Durability::Memory).await;
        let database = server.context("PostgreSQL is not there")?.database().await?;
        config.database = configured(&database);
        Ok(Some(database))
    }
}

/// A copy of a seeded database for this configuration, where there is one.
///
/// # Errors
/// When the server does not make it.
pub async fn copy_of(seeded: Option<&Database>, config: &mut Config) -> Result<Option<Database>> {
    let Some(seeded) = seeded else { return Ok(None) };
    let database = seeded.copy().await?;
    config.database = configured(&database);
    Ok(Some(database))
}

fn configured(database: &Database) -> DatabaseConfig {
    DatabaseConfig {
        url: database.url(),
        migrate: true,
        pools: pools(),
    }
}
