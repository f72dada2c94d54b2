//! How many statements the database has run, where it counts them: for measurements.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Db;

/// Whether the counting extension is there.
const COUNTS: &str = "SELECT 1 AS one FROM pg_extension WHERE extname = 'pg_stat_statements'";
/// Calls of all statements in this database since they were last reset.
const CALLS: &str = "SELECT CAST(COALESCE(SUM(calls), 0) AS bigint) AS calls FROM pg_stat_statements \
                     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";

impl Db {
    /// Statements (transaction control among them) that everybody together has run in this database so far; nothing where
    /// that is not counted: on the embedded database, and on PostgreSQL without `pg_stat_statements`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statements(&self) -> Result<Option<u64>, DbErr> {
        let db = self.read();
        if db.get_database_backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let ask = |sql: &str| Statement::from_string(DbBackend::Postgres, sql);
        if db.query_one_raw(ask(COUNTS)).await?.is_none() {
            return Ok(None);
        }
        let row = db.query_one_raw(ask(CALLS)).await?;
        let calls: Option<i64> = row.map(|row| row.try_get("", "calls")).transpose()?;
        Ok(calls.and_then(|calls| u64::try_from(calls).ok()))
    }
}
