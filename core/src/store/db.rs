//! Connections: one that writes and several that read on the embedded database.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqlErr,
    TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

/// The database. On SQLite there is one writing connection, so that writers queue instead of failing, and a pool that
/// reads beside it.
#[derive(Debug, Clone)]
pub struct Db {
    write: DatabaseConnection,
    read: DatabaseConnection,
}

/// Readers beside the one writer.
const READERS: u32 = 8;
/// How long a statement waits for a lock or a connection before it gives up.
const WAIT: Duration = Duration::from_secs(5);

impl Db {
    /// Opens the database at a SeaORM address (`sqlite://var/metropay.db?mode=rwc`).
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(url: &str) -> Result<Self, DbErr> {
        let memory = url.contains(":memory:");
        let write = connect(url, 1).await?;
        // A database in memory belongs to its one connection.
        let read = if memory {
            write.clone()
        } else {
            connect(url, READERS).await?
        };
        Ok(Self { write, read })
    }

    /// For statements that stand alone and read.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// For statements that stand alone and write.
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a transaction. It must be short, and no channel is called while it is open.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<super::Tx, DbErr> {
        self.write.begin().await.map(super::Tx::new)
    }

    /// Brings the schema up to date with this history.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), DbErr> {
        M::up(&self.write, None).await
    }

    /// Begins a transaction that only reads: everything in it is seen as of one moment.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        self.read.begin().await
    }

    /// Closes all connections: on the embedded database what stands in the write-ahead log is in the file afterwards.
    ///
    /// # Errors
    /// When a connection does not close.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.read.close_by_ref().await?;
        self.write.close_by_ref().await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read.execute_unprepared("SELECT 1").await.map(|_| ())
    }
}

async fn connect(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(WAIT)
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        // Acknowledged is durable: FULL, not NORMAL, in WAL mode.
        sqlite
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("foreign_keys", "ON")
            .busy_timeout(WAIT)
    });
    let connection = Database::connect(options).await?;
    debug_assert_eq!(connection.get_database_backend(), DbBackend::Sqlite);
    Ok(connection)
}

/// Whether a statement failed because a row with that key stands already.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
