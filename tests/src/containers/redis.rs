//! A Redis server, and spaces in it.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testcontainers_modules::redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{Container, HOST, START_MAX, engine, or_skipped, within};

/// The port inside the container.
const PORT: u16 = 6379;
/// Numbered databases of a server: more than worlds in one process.
const SPACES: u32 = 4_096;
/// How long it may take to answer a `PING`.
const PING_MAX: Duration = Duration::from_secs(1);

/// A Redis server without persistence.
#[derive(Debug)]
pub struct Redis {
    container: Container<redis::Redis>,
}

/// A part of a server for one world: a numbered database for its keys. Published messages know no databases: two worlds in one server
/// hear each other unless their channels bear [`Space::prefix`].
#[derive(Debug, Clone)]
pub struct Space {
    server: SocketAddr,
    number: u32,
}

impl Redis {
    /// The server that all tests of this process share, started at the first call. `None` when it cannot be had here.
    ///
    /// # Panics
    /// When it cannot be had and containers are required.
    pub async fn shared() -> Option<&'static Self> {
        static SHARED: OnceCell<Result<Redis, String>> = OnceCell::const_new();
        let start = || async { Self::start().await.map_err(|error| format!("{error:#}")) };
        let shared = SHARED.get_or_init(start).await;
        or_skipped("Redis", shared.as_ref().map_err(|why| anyhow::anyhow!("{why}")))
    }

    /// A server for one test, which may break it. `None` when it cannot be had here.
    ///
    /// # Panics
    /// When it cannot be had and containers are required.
    pub async fn alone() -> Option<Self> {
        or_skipped("Redis", Self::start().await)
    }

    async fn start() -> Result<Self> {
        let image = engine::image("METROPAY_TEST_REDIS_IMAGE", "redis:7", "metropay-test/redis:7").await?;
        let spaces = SPACES.to_string();
        let arguments = [
            "redis-server",
            "--databases",
            &spaces,
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let arguments = arguments.map(str::to_owned).to_vec();
        let container = Container::start(redis::Redis::default(), &image, PORT, arguments).await?;
        Ok(Self { container })
    }

    /// A space that no other caller in this process gets.
    ///
    /// # Errors
    /// When the process has used them up.
    pub fn space(&self) -> Result<Space> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        ensure!(number < SPACES, "more than {SPACES} worlds in one process");
        Ok(Space {
            server: self.address(),
            number,
        })
    }

    /// Starts it again, empty, and waits until it answers.
    ///
    /// # Errors
    /// When the engine refuses, or it does not answer in time.
    pub async fn start_again(&self) -> Result<()> {
        self.container.run_again().await?;
        within(START_MAX, "Redis answers again", || ping(self.address())).await
    }
}

impl Deref for Redis {
    type Target = Container<redis::Redis>;

    fn deref(&self) -> &Self::Target {
        &self.container
    }
}

impl Space {
    /// Its address, as `redis.url` takes it.
    pub fn url(&self) -> String {
        format!("redis://{HOST}:{}/{}", self.server.port(), self.number)
    }

    /// What names of this world that know no database begin with.
    pub fn prefix(&self) -> String {
        format!("world-{}", self.number)
    }
}

/// The engine's proxy accepts connections before the server does, so only an answer counts.
async fn ping(server: SocketAddr) -> Result<()> {
    let ask = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PING_MAX, ask).await.context("Redis does not answer")??;
    ensure!(&answer == b"+PONG\r\n", "Redis answers otherwise");
    Ok(())
}
