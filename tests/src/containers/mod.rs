//! PostgreSQL and Redis in containers, for suites that are played on the production stores.
//!
//! A test process starts each server once and every world gets a database of its own in it. Tests that break a server start one
//! for themselves ([`Postgres::alone`], [`Redis::alone`]). The images are the official ones, or those that `METROPAY_TEST_POSTGRES_IMAGE` and
//! `METROPAY_TEST_REDIS_IMAGE` name, or those that `make containers` has built.
//!
//! Where there is no engine or no image, `None` comes back and a `SKIPPED` line says what is missing; with
//! `METROPAY_REQUIRE_CONTAINERS=1` that is a failure. Containers end with the process that started them, however it ends: see [`guard`].

mod engine;
mod guard;
mod postgres;
mod redis;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testcontainers_modules::testcontainers::core::{ContainerPort, Mount};
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerAsync, ContainerRequest, Image, ImageExt};
use tokio::time::{Instant, sleep};

pub use guard::of_process;
pub use postgres::{Database, Durability, Postgres};
pub use redis::{Redis, Space};

use crate::outside::skipped;
use crate::process;
use engine::docker;

/// How long a server may take from its start until it answers; fetching an image is not counted in.
const START_MAX: Duration = Duration::from_secs(60);
/// Between two looks whether a server answers again.
const LOOK: Duration = Duration::from_millis(20);
/// Ports are chosen by us and another process may be quicker: so often another one is tried.
const PORTS_TRIED: usize = 5;

/// A server in a container, at an address on loopback that stays the same when it is stopped and started again. Dropping
/// it removes it with everything in it.
#[derive(Debug)]
pub struct Container<I: Image> {
    inner: ContainerAsync<I>,
    address: SocketAddr,
}

impl<I: Image + Clone> Container<I> {
    /// Starts a server and waits until its image's own sign says that it is ready.
    async fn start(image: I, name: &str, port: u16, arguments: Vec<String>) -> Result<Self> {
        Self::start_with(image, name, port, arguments, None).await
    }

    /// The same with a place in memory, of so many megabytes.
    async fn start_with(
        image: I,
        name: &str,
        port: u16,
        arguments: Vec<String>,
        memory: Option<(&str, u32)>,
    ) -> Result<Self> {
        let (name, tag) = name.rsplit_once(':').context("an image is named name:tag")?;
        guard::begin().await?;
        let mut tried = 0;
        loop {
            let address = process::free_address()?;
            let mut request: ContainerRequest<I> = image
                .clone()
                .with_name(name)
                .with_tag(tag)
                .with_cmd(arguments.clone())
                .with_label(guard::LABEL, guard::owner())
                .with_startup_timeout(START_MAX)
                .with_mapped_port(address.port(), ContainerPort::Tcp(port))
                .with_host_config_modifier(|host| {
                    // Otherwise the test's server would listen to the whole network.
                    for binding in host
                        .port_bindings
                        .iter_mut()
                        .flat_map(|all| all.values_mut())
                        .flatten()
                        .flatten()
                    {
                        binding.host_ip = Some(Ipv4Addr::LOCALHOST.to_string());
                    }
                });
            if let Some((path, megabytes)) = memory {
                request = request.with_mount(Mount::tmpfs_mount(path).with_size(&format!("{megabytes}m")));
            }
            match request.start().await {
                Ok(inner) => return Ok(Self { inner, address }),
                Err(error) if is_port_taken(&error.to_string()) && tried < PORTS_TRIED => tried += 1,
                Err(error) => return Err(error).with_context(|| format!("starting {name}:{tag}")),
            }
        }
    }
}

impl<I: Image> Container<I> {
    /// The engine's name for it, for what is done inside: `docker exec`.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Where it listens. It stays there when it is stopped and started again.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Freezes every process in it, as `SIGSTOP` does: connections stay open and nothing answers.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn pause(&self) -> Result<()> {
        Ok(self.inner.pause().await?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn unpause(&self) -> Result<()> {
        Ok(self.inner.unpause().await?)
    }

    /// Asks it to end well (what PostgreSQL calls a fast shutdown), and waits until it has.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn stop(&self) -> Result<()> {
        // PostgreSQL writes a checkpoint first.
        Ok(self.inner.stop_with_timeout(Some(30)).await?)
    }

    /// Ends it as `kill -9` does, all its processes at once.
    ///
    /// # Errors
    /// When the engine refuses, or it runs on.
    pub async fn kill(&self) -> Result<()> {
        docker(&["kill", "--signal", "KILL", self.inner.id()]).await?;
        // The engine answers when the signal is sent, and tells a little later that nothing runs.
        within(START_MAX, "the killed container ends", || async {
            ensure!(!self.inner.is_running().await?);
            Ok(())
        })
        .await
    }

    /// Starts it again on what it has stored. Whether it answers yet is for who knows how to ask it.
    async fn run_again(&self) -> Result<()> {
        Ok(self.inner.start().await?)
    }
}

fn is_port_taken(error: &str) -> bool {
    error.contains("port is already allocated") || error.contains("address already in use")
}

/// Asks until the answer is good, or the time is over; then the last answer is the error.
async fn within<F, T>(time: Duration, what: &str, mut ask: F) -> Result<()>
where
    F: FnMut() -> T,
    T: Future<Output = Result<()>>,
{
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(()) => return Ok(()),
            Err(error) if begun.elapsed() > time => {
                return Err(error).with_context(|| format!("not within {time:?}: {what}"));
            }
            Err(_) => sleep(LOOK).await,
        }
    }
}

/// What was started, or `None` with a loud line.
///
/// # Panics
/// When containers are required and something is missing.
fn or_skipped<T>(what: &str, started: Result<T>) -> Option<T> {
    let why = match started {
        Ok(started) => return Some(started),
        Err(error) => format!("{error:#}"),
    };
    let mend = "mend with: make containers (it starts the engine, and builds images where none can be pulled)";
    skipped(&format!("{what} does not start: {why}; {mend}"));
    None
}

/// Where tests reach containers.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
