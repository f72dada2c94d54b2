//! Whether the database has room to write. One whose disk is full still answers questions; so who was refused for want of room
//! says so here, and then it is tried whether there is room again.

use std::sync::atomic::Ordering;

use sea_orm::DbErr;

use super::{Db, nonce};
use crate::clock::Time;
use crate::random::Random;

/// Under which scope the trial writes; no credential and no device is called so.
const SCOPE: &str = "!room";
/// How many rows of so many letters the trial writes: some 400 KB, more than what may be free in the pages that stand already.
const TRIAL_ROWS: usize = 2_000;
const ROW_LETTERS: usize = 64;
const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Db {
    /// Whether a write was refused because the disk is full, and none has gone well since.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Notes that a write was refused because the disk is full.
    pub(super) fn has_no_room(&self) {
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "the database's disk is full: nothing is paid, and this node is not ready, until there is room"
            );
        }
    }

    /// Tries whether there is room again, where there was none: writes something, and removes it.
    ///
    /// # Errors
    /// While there is none.
    pub async fn try_room(&self, random: &dyn Random, now: Time) -> Result<(), DbErr> {
        if !self.is_full() {
            return Ok(());
        }
        let rows = (0..TRIAL_ROWS).map(|_| random.letters(ROW_LETTERS, LETTERS));
        // Were they left behind, they would be forgotten as any others.
        nonce::use_all(self.write(), SCOPE, rows.collect(), now).await?;
        nonce::forget_scope(self.write(), SCOPE).await?;
        self.full.store(false, Ordering::Relaxed);
        tracing::warn!("the database has room again");
        Ok(())
    }
}
