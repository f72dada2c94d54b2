//! What nobody would ever come back to, if it were there: looked for by whoever checks the books, over several tables at once.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, Statement};

/// Rows of one kind that are shown at most: one is one too many.
const SHOWN_MAX: u64 = 1_000;

/// Events that were passed over: not handed on, while what was handed on later shows that somebody was handing on. Where nothing
/// is handed on at all no node runs, which is no fault of the books.
const PASSED_OVER: &str = "SELECT event_id AS name FROM outbox WHERE spread_at IS NULL \
    AND created_at < (SELECT MAX(spread_at) FROM outbox) - $1 ORDER BY seq LIMIT $2";

/// Deliveries that wait for an endpoint which is not there, or could tell nothing because their event is not.
const ORPHANED: &str = "SELECT event_id AS name FROM delivery WHERE state = 'WAITING' AND \
    (NOT EXISTS (SELECT 1 FROM endpoint WHERE endpoint.endpoint_id = delivery.endpoint_id) \
     OR NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = delivery.seq)) ORDER BY delivery_id LIMIT $1";

/// Endpoints for which something waits, and which nobody means to tell anything.
const ASLEEP: &str = "SELECT endpoint_id AS name FROM endpoint WHERE state = 'ACTIVE' AND next_at IS NULL \
    AND EXISTS (SELECT 1 FROM delivery WHERE delivery.endpoint_id = endpoint.endpoint_id AND delivery.state = 'WAITING') \
    ORDER BY endpoint_id LIMIT $1";

/// Deliveries that have ended and wait, or neither.
const UNCLEAR: &str = "SELECT event_id AS name FROM delivery \
    WHERE (state = 'WAITING') <> (ended_at IS NULL) ORDER BY delivery_id LIMIT $1";

const DELIVERIES: &str = "SELECT COUNT(*) AS many FROM delivery";

/// Events that are older than the newest that was handed on by more than this, and were not handed on.
pub async fn passed_over(db: &impl ConnectionTrait, by: Duration) -> Result<Vec<String>, DbErr> {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    names(db, PASSED_OVER, vec![by.into(), SHOWN_MAX.into()]).await
}

/// Events that wait for an endpoint that is not there, or are not there themselves.
pub async fn orphaned(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    names(db, ORPHANED, vec![SHOWN_MAX.into()]).await
}

/// Endpoints that are to be told something and have no time for it.
pub async fn asleep(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    names(db, ASLEEP, vec![SHOWN_MAX.into()]).await
}

/// Events whose delivery is neither waiting nor ended, or both.
pub async fn unclear(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    names(db, UNCLEAR, vec![SHOWN_MAX.into()]).await
}

/// How many deliveries there are.
pub async fn deliveries(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), DELIVERIES);
    let row = db.query_one_raw(statement).await?;
    let many: Option<i64> = row.map(|row| row.try_get("", "many")).transpose()?;
    Ok(many.and_then(|many| u64::try_from(many).ok()).unwrap_or_default())
}

async fn names(db: &impl ConnectionTrait, sql: &str, values: Vec<sea_orm::Value>) -> Result<Vec<String>, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}
