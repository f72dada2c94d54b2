//! On which store the worlds stand, by `METROPAY_TEST_STORE`: `embedded` (the default), `postgres` (PostgreSQL and Redis), or
//! `nodes` (two servers on PostgreSQL and Redis behind a proxy). On PostgreSQL every world has a database of its own, copied
//! from the seeded one by the server itself.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail, ensure};
use metropay_core::{Db, Lane, Pools};
use metropay_server::config::DatabaseConfig;
use sea_orm::ConnectionTrait;
use tokio::sync::OnceCell;

/// A server of which a test may have as many databases as it likes.
struct Server {
    /// Its address up to the name of the database, such as `postgres://metro:secret@127.0.0.1:5432`.
    address: String,
}

impl Server {
    /// A connection that makes databases. Each test has a runtime of its own, and no connection outlives its runtime.
    async fn admin(&self) -> Result<Db> {
        let few = Pools {
            payments: 1,
            queries: 1,
            jobs: 1,
        };
        Ok(Db::open(&format!("{}/postgres", self.address), few).await?)
    }
}

static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
static MADE: AtomicU32 = AtomicU32::new(0);

/// Connections of one world, of which several live at a time.
const POOLS: Pools = Pools {
    payments: 8,
    queries: 4,
    jobs: 4,
};

/// An empty database; nothing on the embedded store, where a world's folder has it.
///
/// # Errors
/// When the server does not make one.
pub async fn fresh() -> Result<Option<DatabaseConfig>> {
    let Some(server) = server().await? else { return Ok(None) };
    // Dropping takes its time, and nobody waits for it.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(sweep(server))
    });
    make(server, "").await.map(Some)
}

/// A copy of a database that nobody is connected to; nothing on the embedded store.
///
/// # Errors
/// When the server does not make one.
pub async fn copy_of(url: &str) -> Result<Option<DatabaseConfig>> {
    let Some(server) = server().await? else { return Ok(None) };
    let name = url.rsplit('/').next().context("a database has a name")?;
    make(server, &format!(" TEMPLATE {name}")).await.map(Some)
}

/// How many servers a world has.
pub fn nodes() -> usize {
    match std::env::var("METROPAY_TEST_STORE").as_deref() {
        Ok("nodes") => 2,
        _ => 1,
    }
}

async fn make(server: &Server, like: &str) -> Result<DatabaseConfig> {
    let name = format!("mp_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let made = format!("CREATE DATABASE {name}{like}");
    let admin = server.admin().await?;
    admin
        .on(Lane::Jobs)
        .write()
        .execute_unprepared(&made)
        .await
        .context(made)?;
    admin.close().await?;
    Ok(DatabaseConfig {
        url: format!("{}/{name}", server.address),
        migrate: true,
        pools: POOLS.into(),
    })
}

/// Drops what tests left behind whose process is gone.
async fn sweep(server: &Server) -> Result<()> {
    let select = "SELECT datname FROM pg_database WHERE datname LIKE 'mp\\_%'";
    let admin = server.admin().await?;
    for row in admin
        .on(Lane::Jobs)
        .write()
        .query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, select))
        .await?
    {
        let name: String = row.try_get("", "datname")?;
        let owner = name.split('_').nth(1).unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            admin
                .on(Lane::Jobs)
                .write()
                .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
                .await?;
        }
    }
    Ok(admin.close().await?)
}

async fn server() -> Result<Option<&'static Server>> {
    let found = SERVER.get_or_try_init(|| async {
        match std::env::var("METROPAY_TEST_STORE").as_deref() {
            Err(_) | Ok("embedded") => Ok(None),
            Ok("postgres" | "nodes") => postgres().await.map(Some),
            Ok(other) => bail!("METROPAY_TEST_STORE is {other:?}; it may be embedded, postgres or nodes"),
        }
    });
    Ok(found.await?.as_ref())
}

async fn postgres() -> Result<Server> {
    let address = std::env::var("METROPAY_TEST_POSTGRES_URL").context("METROPAY_TEST_POSTGRES_URL")?;
    ensure!(
        address.starts_with("postgres://"),
        "METROPAY_TEST_POSTGRES_URL must begin with postgres://"
    );
    Ok(Server {
        address: address.trim_end_matches('/').to_owned(),
    })
}
