//! The contract of what counts once: nonces of requests, proofs of devices.
//!
//! 1. Of any number of uses of the same value in the same scope, on any node, at most one MUST be told that it is the first,
//!    until the moment that it named has passed.
//! 2. For [`Memory::Lasting`] this MUST hold through the loss of everything but the database.
//! 3. For [`Memory::MayBeLost`] a value MAY be told to be new once more for each such loss, except one that was
//!    [kept](Once::keep): that MUST NOT, within [`limit::ONCE_IN_DOUBT`](crate::limit::ONCE_IN_DOUBT) after the loss.

use async_trait::async_trait;
use sea_orm::DbErr;

use crate::clock::Time;
use crate::store::{self, Db};

/// How well it must be remembered that something was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// A second use could do what the first did not: only the database remembers well enough.
    Lasting,
    /// A second use does nothing new: what may be lost will do.
    MayBeLost,
}

/// Where it is remembered what was used.
#[async_trait]
pub trait Once: Send + Sync + 'static {
    /// Uses a value; `false` when it was used before. It is remembered until the given moment.
    ///
    /// # Errors
    /// When it can neither be looked up nor written down.
    async fn use_once(&self, memory: Memory, scope: &str, value: &str, now: Time, until: Time) -> Result<bool, DbErr>;

    /// Keeps a value that was used under [`Memory::MayBeLost`] in the database too.
    ///
    /// # Errors
    /// When it cannot be written down.
    async fn keep(&self, scope: &str, value: &str, until: Time) -> Result<(), DbErr>;
}

/// Remembers everything in the database.
#[derive(Debug, Clone)]
pub struct DatabaseOnce {
    db: Db,
}

impl DatabaseOnce {
    /// Remembers in this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Once for DatabaseOnce {
    async fn use_once(&self, _: Memory, scope: &str, value: &str, _: Time, until: Time) -> Result<bool, DbErr> {
        let used = store::nonce::use_once(self.db.write(), scope, value, until).await;
        self.db.noted(used)
    }

    async fn keep(&self, _: &str, _: &str, _: Time) -> Result<(), DbErr> {
        // It stands there since it was used.
        Ok(())
    }
}
