//! What has not reached its end yet.

use crate::engine::Engine;
use crate::problem::Problem;
use crate::store;

/// How many payments, refunds and reversals are open.
///
/// # Errors
/// When the database does not answer.
pub async fn count(engine: &Engine) -> Result<u64, Problem> {
    let db = engine.db.read();
    let payments = store::payment::count_open(db).await?;
    let refunds = store::refund::count_open(db).await?;
    let reversals = store::reversal::count_open(db).await?;
    Ok(payments.saturating_add(refunds).saturating_add(reversals))
}
