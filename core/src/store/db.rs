//! Connections. On the embedded database one that writes and several that read; on PostgreSQL three pools, so that a crowd of
//! questions or a busy job never keeps a payment waiting for a connection.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, IsolationLevel, SqlErr, TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, seaql_migrations};
use serde::Deserialize;

use crate::network::is_this_machine;

/// What a connection is for. Each has a pool of its own on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Whatever moves money, and who asks for it.
    Payments,
    /// Apps, and questions of tills.
    Queries,
    /// Jobs, migrations and checks, which may take their time.
    Jobs,
}

/// How many connections each lane of one node has on PostgreSQL; the embedded database does not ask. Few are fast: a
/// database of two cores does most with about sixteen in all, and everything beyond waits better here than there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pools {
    /// [`Lane::Payments`].
    pub payments: NonZeroU32,
    /// [`Lane::Queries`].
    pub queries: NonZeroU32,
    /// [`Lane::Jobs`].
    pub jobs: NonZeroU32,
}

impl Pools {
    /// So many for each lane, and one at least.
    pub fn new(payments: u32, queries: u32, jobs: u32) -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            payments: number(payments),
            queries: number(queries),
            jobs: number(jobs),
        }
    }
}

impl Default for Pools {
    fn default() -> Self {
        Self::new(16, 8, 8)
    }
}

/// The database, as one lane sees it.
#[derive(Debug, Clone)]
pub struct Db {
    lanes: Arc<Lanes>,
    lane: Lane,
    pub(super) full: Arc<AtomicBool>,
}

/// On SQLite there is one writing connection, so that writers queue instead of failing, and a pool that reads beside it;
/// all lanes share them. On PostgreSQL a lane's connections do both.
#[derive(Debug)]
enum Lanes {
    Embedded {
        write: DatabaseConnection,
        read: DatabaseConnection,
    },
    Server {
        payments: DatabaseConnection,
        queries: DatabaseConnection,
        jobs: DatabaseConnection,
    },
}

/// Readers beside the one writer of the embedded database.
const READERS: u32 = 8;
/// How long one waits for a connection before one gives up.
const WAIT: Duration = Duration::from_secs(5);
/// How long a statement waits for a row that somebody else holds.
const LOCK_WAIT: Duration = Duration::from_secs(3);
/// How long a statement of a payment or a question may take.
const STATEMENT_MAX: Duration = Duration::from_secs(5);
/// How long a statement of a job may take: verification reads everything.
const JOB_STATEMENT_MAX: Duration = Duration::from_secs(120);
/// A transaction that was left open for so long was forgotten.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(30);
/// Waits as long as another node migrates, and is held as long as we do. The number is this product's own; any would do.
const MIGRATION_LOCK: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
    SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(7811042315)";
/// From when on an idle connection is asked whether it is still there before it is used.
const STALE_AFTER: Duration = Duration::from_secs(2);

impl Db {
    /// Opens the database at a SeaORM address (`sqlite://var/metropay.db?mode=rwc`,
    /// `postgres://user:secret@host/metropay?sslmode=verify-full&sslrootcert=…`).
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(url: &str, pools: Pools) -> Result<Self, DbErr> {
        let lanes = if url.starts_with("sqlite:") {
            open_embedded(url).await?
        } else {
            Lanes::Server {
                payments: connect(url, Lane::Payments, pools.payments.get()).await?,
                queries: connect(url, Lane::Queries, pools.queries.get()).await?,
                jobs: connect(url, Lane::Jobs, pools.jobs.get()).await?,
            }
        };
        Ok(Self {
            lanes: Arc::new(lanes),
            lane: Lane::Payments,
            full: Arc::default(),
        })
    }

    /// Whether what is said to the database at this address leaves this machine without TLS. An address that cannot be read does
    /// not open either.
    pub fn leaves_in_plain_text(url: &str) -> bool {
        let Ok(options) = url.parse::<PgConnectOptions>() else {
            return false;
        };
        let host = options.get_host();
        let stays = options.get_socket().is_some() || host.starts_with('/') || is_this_machine(host);
        let is_sure = matches!(
            options.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        );
        !url.starts_with("sqlite:") && !stays && !is_sure
    }

    /// The same database on the connections of another lane.
    #[must_use]
    pub fn on(&self, lane: Lane) -> Self {
        Self {
            lanes: Arc::clone(&self.lanes),
            lane,
            full: Arc::clone(&self.full),
        }
    }

    /// For statements that stand alone and read.
    pub fn read(&self) -> &DatabaseConnection {
        match &*self.lanes {
            Lanes::Embedded { read, .. } => read,
            Lanes::Server { .. } => self.write(),
        }
    }

    /// For statements that stand alone and write.
    pub fn write(&self) -> &DatabaseConnection {
        match (&*self.lanes, self.lane) {
            (Lanes::Embedded { write, .. }, _) => write,
            (Lanes::Server { payments, .. }, Lane::Payments) => payments,
            (Lanes::Server { queries, .. }, Lane::Queries) => queries,
            (Lanes::Server { jobs, .. }, Lane::Jobs) => jobs,
        }
    }

    /// The connections that this lane is about: on the embedded database payments write, and questions read.
    pub(super) fn of_lane(&self) -> &DatabaseConnection {
        match self.lane {
            Lane::Queries => self.read(),
            Lane::Payments | Lane::Jobs => self.write(),
        }
    }

    /// Whether a statement may hold several writes, each fed by the one before (PostgreSQL): what is a transaction of many
    /// round trips on the embedded database is one there.
    pub(crate) fn writes_in_one_statement(&self) -> bool {
        matches!(&*self.lanes, Lanes::Server { .. })
    }

    /// Begins a transaction. It must be short, and no channel is called while it is open.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<super::Tx, DbErr> {
        self.write().begin().await.map(super::Tx::new)
    }

    /// Brings the schema up to date with this history.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), DbErr> {
        let db = self.on(Lane::Jobs);
        if !has_other_writers(db.write()) {
            return bring_up::<M>(db.write()).await;
        }
        // Nodes that start together migrate one after the other; the lock ends with its transaction, also if we die.
        let lock = db.begin().await?;
        lock.execute_unprepared(MIGRATION_LOCK).await?;
        bring_up::<M>(db.write()).await?;
        lock.commit().await
    }

    /// Begins a transaction that only reads: everything in it is seen as of one moment.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        match &*self.lanes {
            Lanes::Embedded { read, .. } => read.begin().await,
            Lanes::Server { jobs, .. } => {
                jobs.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly))
                    .await
            }
        }
    }

    /// Closes all connections: on the embedded database what stands in the write-ahead log is in the file afterwards.
    ///
    /// # Errors
    /// When a connection does not close.
    pub async fn close(&self) -> Result<(), DbErr> {
        for (_, connection) in self.connections() {
            connection.close_by_ref().await?;
        }
        Ok(())
    }

    /// All pools with their names: by what is done on them on the embedded database, by lane on PostgreSQL. The one that
    /// writes comes last, so that closing in this order leaves nothing in the log.
    pub(super) fn connections(&self) -> Vec<(&'static str, &DatabaseConnection)> {
        match &*self.lanes {
            Lanes::Embedded { write, read } => vec![("read", read), ("write", write)],
            Lanes::Server {
                payments,
                queries,
                jobs,
            } => vec![("payments", payments), ("queries", queries), ("jobs", jobs)],
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read().execute_unprepared("SELECT 1").await.map(|_| ())
    }
}

/// Applies what is missing. A database that a newer release has brought further is left as it is: during an upgrade, and on
/// the way back from one, this release works on it.
async fn bring_up<M: MigratorTrait>(db: &DatabaseConnection) -> Result<(), DbErr> {
    M::install(db).await?;
    let applied: Vec<String> = seaql_migrations::Entity::find()
        .all(db)
        .await?
        .into_iter()
        .map(|migration| migration.version)
        .collect();
    let ours = M::migrations();
    let known = |version: &String| ours.iter().any(|migration| migration.name() == version);
    if ours
        .iter()
        .all(|migration| applied.iter().any(|version| version == migration.name()))
        && !applied.iter().all(known)
    {
        tracing::warn!("the database's schema is newer than this release; it is left as it is");
        return Ok(());
    }
    M::up(db, None).await
}

async fn open_embedded(url: &str) -> Result<Lanes, DbErr> {
    let write = connect(url, Lane::Payments, 1).await?;
    // A database in memory belongs to its one connection.
    let read = if url.contains(":memory:") {
        write.clone()
    } else {
        connect(url, Lane::Queries, READERS).await?
    };
    Ok(Lanes::Embedded { write, read })
}

async fn connect(url: &str, lane: Lane, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(WAIT)
        // Asking each time would double the round trips; asking only after a rest finds what a restart of the server broke.
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(STALE_AFTER)
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        // Acknowledged is durable: FULL, not NORMAL, in WAL mode.
        sqlite
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("foreign_keys", "ON")
            .busy_timeout(WAIT)
    });
    // A full disk ends a transaction by itself; its connection then believes that it is still in it, and what it writes next would be
    // in the books only when that ended. Such a connection is not used again.
    options.map_sqlx_sqlite_before_acquire(|sqlite, _| {
        let is_free = !sqlite.is_in_transaction();
        Box::pin(async move { Ok(is_free) })
    });
    options.map_sqlx_postgres_opts(move |postgres| at_server(postgres, lane));
    Database::connect(options).await
}

/// How a lane's connections to PostgreSQL behave there.
fn at_server(options: PgConnectOptions, lane: Lane) -> PgConnectOptions {
    let (name, longest) = match lane {
        Lane::Payments => ("metropay payments", STATEMENT_MAX),
        Lane::Queries => ("metropay queries", STATEMENT_MAX),
        Lane::Jobs => ("metropay jobs", JOB_STATEMENT_MAX),
    };
    let idle = IDLE_IN_TRANSACTION_MAX.as_millis().to_string();
    let options = options.application_name(name).options([
        ("statement_timeout", longest.as_millis().to_string().as_str()),
        ("lock_timeout", LOCK_WAIT.as_millis().to_string().as_str()),
        ("idle_in_transaction_session_timeout", idle.as_str()),
        // Compiling pays for reports of minutes, and ours are looks of milliseconds.
        ("jit", "off"),
    ]);
    if lane == Lane::Jobs {
        return options;
    }
    // The same few statements, always by index: they are planned once, and an empty table of today is not read whole for ever.
    options.options([("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")])
}

/// Whether a statement failed because a row with that key stands already.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether this connection speaks to a server on which other transactions write at the same time. On the embedded database
/// there is one writer, who never needs to hold a row against another.
pub(super) fn has_other_writers(db: &impl ConnectionTrait) -> bool {
    db.get_database_backend() == DbBackend::Postgres
}
