//! A PostgreSQL server, and databases in it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use sea_orm::sqlx::{self, Connection, PgConnection};
use testcontainers_modules::postgres;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::engine::docker;
use super::{Container, HOST, START_MAX, engine, or_skipped, within};

/// User and password of test servers, which live on loopback for minutes.
const USER: &str = "metro";
const PASSWORD: &str = "metro-test-only";
/// Where a small disk is inside the container.
const SMALL: &str = "/small";
/// The port inside the container.
const PORT: u16 = 5432;
/// How long a statement of this fixture may take.
const STATEMENT_MAX: Duration = Duration::from_secs(30);

/// Whether a commit survives the machine's fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production: a commit is on the disk. For fault tests and for figures.
    Disk,
    /// A commit survives the server's end and not the machine's. For stories, which end neither.
    Memory,
}

/// A PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {
    container: Container<postgres::Postgres>,
    /// What is said when a database is made.
    place: &'static str,
}

/// A database of its own in a server. Dropping it removes it, soon.
#[derive(Debug)]
pub struct Database {
    server: SocketAddr,
    name: String,
}

impl Postgres {
    /// The server that all tests of this process share, started at the first call. `None` when it cannot be had here.
    ///
    /// # Panics
    /// When it cannot be had and containers are required.
    pub async fn shared(durability: Durability) -> Option<&'static Self> {
        static ON_DISK: OnceCell<Result<Postgres, String>> = OnceCell::const_new();
        static IN_MEMORY: OnceCell<Result<Postgres, String>> = OnceCell::const_new();
        let cell = match durability {
            Durability::Disk => &ON_DISK,
            Durability::Memory => &IN_MEMORY,
        };
        // The first failure is every test's: a missing engine is not looked for hundreds of times.
        let start = || async { Self::start(durability, &[]).await.map_err(|error| format!("{error:#}")) };
        let shared = cell.get_or_init(start).await;
        or_skipped("PostgreSQL", shared.as_ref().map_err(|why| anyhow::anyhow!("{why}")))
    }

    /// A server for one test, which may break it. `settings` are further ones, as `name=value`. `None` when it cannot be had here.
    ///
    /// # Panics
    /// When it cannot be had and containers are required.
    pub async fn alone(durability: Durability, settings: &[&str]) -> Option<Self> {
        or_skipped("PostgreSQL", Self::start(durability, settings).await)
    }

    /// A server for one test whose databases lie on a disk of so many megabytes; its log lies elsewhere. `None` when it cannot be
    /// had here.
    ///
    /// # Panics
    /// When it cannot be had and containers are required.
    pub async fn on_a_small_disk(durability: Durability, megabytes: u32) -> Option<Self> {
        or_skipped("PostgreSQL", Self::start_small(durability, megabytes).await)
    }

    async fn start_small(durability: Durability, megabytes: u32) -> Result<Self> {
        let mut server = Self::start_with(durability, &[], Some((SMALL, megabytes))).await?;
        let make = format!("mkdir {SMALL}/base && chown postgres {SMALL}/base");
        docker(&["exec", "--user", "root", server.container.id(), "sh", "-c", &make]).await?;
        order(
            server.address(),
            format!("CREATE TABLESPACE small LOCATION '{SMALL}/base'"),
        )
        .await?;
        server.place = " TABLESPACE small";
        Ok(server)
    }

    async fn start(durability: Durability, settings: &[&str]) -> Result<Self> {
        Self::start_with(durability, settings, None).await
    }

    async fn start_with(
        durability: Durability,
        settings: &[&str],
        memory: Option<(&'static str, u32)>,
    ) -> Result<Self> {
        let image = engine::image(
            "METROPAY_TEST_POSTGRES_IMAGE",
            "postgres:15",
            "metropay-test/postgres:15",
        )
        .await?;
        let mut all = vec!["max_connections=600", "shared_buffers=256MB"];
        match durability {
            Durability::Disk => all.push("fsync=on"),
            Durability::Memory => all.extend(["fsync=off", "full_page_writes=off"]),
        }
        all.extend(settings);
        let arguments = all.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]);
        let server = postgres::Postgres::default().with_user(USER).with_password(PASSWORD);
        let container = Container::start_with(server, &image, PORT, arguments.collect(), memory).await?;
        Ok(Self { container, place: "" })
    }

    /// A fresh, empty database.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn database(&self) -> Result<Database> {
        Database::create(self.address(), self.place).await
    }

    /// Starts it again, and waits until it answers.
    ///
    /// # Errors
    /// When the engine refuses, or it does not answer in time.
    pub async fn start_again(&self) -> Result<()> {
        self.container.run_again().await?;
        within(START_MAX, "PostgreSQL answers again", || {
            order(self.address(), "SELECT 1".to_owned())
        })
        .await
    }
}

impl Deref for Postgres {
    type Target = Container<postgres::Postgres>;

    fn deref(&self) -> &Self::Target {
        &self.container
    }
}

impl Database {
    async fn create(server: SocketAddr, like: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let database = Self {
            server,
            name: format!("world_{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        };
        order(server, format!("CREATE DATABASE {}{like}", database.name)).await?;
        Ok(database)
    }

    /// Another with the same in it. Nobody may be connected to this one meanwhile.
    ///
    /// # Errors
    /// When somebody is, or the server does not answer.
    pub async fn copy(&self) -> Result<Self> {
        Self::create(self.server, &format!(" TEMPLATE {}", self.name)).await
    }

    /// Its address with user and password, as `database.url` takes it.
    pub fn url(&self) -> String {
        url(self.server, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Nobody waits for it; a server that is gone has taken the database along.
        remover().send((self.server, self.name.clone())).ok();
    }
}

/// The thread that removes databases. It belongs to no test, so that none waits and none's end takes it along.
fn remover() -> &'static Sender<(SocketAddr, String)> {
    static REMOVER: OnceLock<Sender<(SocketAddr, String)>> = OnceLock::new();
    REMOVER.get_or_init(|| {
        let (sender, dropped) = channel::<(SocketAddr, String)>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            for (server, name) in dropped {
                // Connections of a world that has not quite ended are cut.
                let removal = order(server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                runtime.block_on(removal).ok();
            }
        });
        sender
    })
}

fn url(server: SocketAddr, database: &str) -> String {
    format!("postgres://{USER}:{PASSWORD}@{HOST}:{}/{database}", server.port())
}

/// Gives the server one order, over a connection of its own.
async fn order(server: SocketAddr, statement: String) -> Result<()> {
    let ask = async {
        let mut connection = PgConnection::connect(&url(server, "postgres")).await?;
        // The only changing parts are names made above.
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await?;
        connection.close().await
    };
    Ok(timeout(STATEMENT_MAX, ask)
        .await
        .context("PostgreSQL does not answer")??)
}
