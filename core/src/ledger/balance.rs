//! Balances: the last sealed roll-up plus the entries after it (INV-02).

use std::collections::BTreeMap;

use sea_orm::DatabaseTransaction;

use crate::engine::Engine;
use crate::problem::{Code, Problem};
use crate::store;

/// The balance of every account, in fen; debits are positive.
///
/// # Errors
/// When the database does not answer.
pub async fn all(engine: &Engine) -> Result<BTreeMap<String, i64>, Problem> {
    // In one snapshot, so that a block sealed in between is not counted twice.
    in_snapshot(&engine.db.snapshot().await?).await
}

/// The same within a snapshot that reads more.
pub(crate) async fn in_snapshot(tx: &DatabaseTransaction) -> Result<BTreeMap<String, i64>, Problem> {
    let through = store::block::last(tx).await?.map_or(0, |block| block.last_entry);
    let rolled_up = store::block::balances(tx).await?;
    let mut balances: BTreeMap<String, i64> = rolled_up.into_iter().map(|row| (row.account, row.amount)).collect();
    for tail in store::entry::sums_after(tx, through).await? {
        let balance = balances.entry(tail.heading).or_default();
        *balance = balance
            .checked_add(tail.amount.unwrap_or(0))
            .ok_or_else(|| Problem::new(Code::Internal))?;
    }
    Ok(balances)
}
