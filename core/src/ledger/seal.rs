//! The sealer: closes entries into hash-chained blocks and rolls balances up behind them.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};

use super::{Block, Entry};
use crate::engine::Engine;
use crate::problem::{Code, Problem};
use crate::store::{self, Tx};

/// Entries in one block at most.
const BLOCK_MAX: u64 = 5_000;

/// Seals the entries since the last block, in one transaction with their roll-up; answers how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn seal(engine: &Engine) -> Result<usize, Problem> {
    engine.db.again(&*engine.random, || write(engine, None)).await
}

/// The same for the job of this name under a lease: whose lease has passed to another seals nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn seal_under(engine: &Engine, job: &str, fence: i64) -> Result<usize, Problem> {
    engine
        .db
        .again(&*engine.random, || write(engine, Some((job, fence))))
        .await
}

async fn write(engine: &Engine, lease: Option<(&str, i64)>) -> Result<usize, Problem> {
    let Some(complete) = store::entry::complete_through(engine.db.write()).await? else {
        return Ok(0);
    };
    let tx = engine.db.begin().await?;
    if let Some((job, fence)) = lease
        && !store::job::hold(&tx, job, &engine.node, fence).await?
    {
        tracing::warn!(
            job,
            fence,
            "the lease of {job} has passed to another node: nothing is sealed"
        );
        return Ok(0);
    }
    sealed(engine, tx, complete).await
}

async fn sealed(engine: &Engine, tx: Tx, complete: i64) -> Result<usize, Problem> {
    let last = store::block::last(&tx).await?;
    let (block_no, through, previous) = last.map_or((0, 0, "0".repeat(64)), |block| {
        (block.block_no, block.last_entry, block.hash)
    });
    let entries = store::entry::between(&tx, through, complete, BLOCK_MAX).await?;
    let (Some(first), Some(final_entry)) = (entries.first(), entries.last()) else {
        return Ok(0);
    };
    let block = Block {
        block_no: block_no.checked_add(1).ok_or_else(|| Problem::new(Code::Internal))?,
        first_entry: first.entry_id,
        last_entry: final_entry.entry_id,
        hash: hash(&previous, &entries),
        previous_hash: previous,
        sealed_at: engine.clock.now(),
    };
    let through = block.last_entry;
    match store::block::insert(&tx, block).await {
        Ok(()) => {}
        // Another node was faster, whose turn it may be by now.
        Err(error) if store::is_unique_violation(&error) => return Ok(0),
        Err(error) => return Err(error.into()),
    }
    for (account, amount) in sums(&entries)? {
        store::block::roll_up(&tx, account, amount, through).await?;
    }
    tx.commit().await?;
    Ok(entries.len())
}

fn sums(entries: &[Entry]) -> Result<BTreeMap<String, i64>, Problem> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for entry in entries {
        let sum = sums.entry(entry.account.clone()).or_default();
        *sum = sum
            .checked_add(entry.amount)
            .ok_or_else(|| Problem::new(Code::Internal))?;
    }
    Ok(sums)
}

/// The hash of a block: over the hash before it and every field of its entries, each with its length.
pub fn hash(previous: &str, entries: &[Entry]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(b"metropay-block-1");
    context.update(previous.as_bytes());
    for entry in entries {
        context.update(&entry.entry_id.to_be_bytes());
        context.update(&entry.amount.to_be_bytes());
        context.update(&entry.day.0.to_be_bytes());
        for text in [&entry.journal_id, &entry.account] {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
    }
    hex::encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Day;

    #[test]
    fn a_block_tells_of_any_change() {
        let entry = |amount| Entry {
            entry_id: 1,
            journal_id: "pay:P".to_owned(),
            account: "fee".to_owned(),
            amount,
            day: Day(20_260_801),
        };
        let before = hash("0", &[entry(5)]);
        assert_ne!(before, hash("0", &[entry(6)]));
        assert_ne!(before, hash("1", &[entry(5)]));
        assert_ne!(before, hash("0", &[]));
        assert_ne!(before, hash("0", &[entry(5), entry(5)]));
    }
}
