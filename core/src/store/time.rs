//! What time it is for the database: the one clock that all nodes share.

use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::Db;
use super::db::has_other_writers;
use crate::clock::Time;

/// When the statement began to run, not its transaction.
const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint) AS now";

impl Db {
    /// The database's time; nothing where the database is in this process and has no clock of its own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn time(&self) -> Result<Option<Time>, DbErr> {
        let db = self.read();
        if !has_other_writers(db) {
            return Ok(None);
        }
        let row = db
            .query_one_raw(Statement::from_string(db.get_database_backend(), NOW))
            .await?;
        row.map(|row| row.try_get("", "now").map(Time)).transpose()
    }
}
