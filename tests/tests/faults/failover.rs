//! FLT-06: the Redis that all nodes use fails over while tills pay. What it had not handed on is lost, and nobody misses it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_server::config::{RedisConfig, RedisMode};
use metropay_tests::outside::skipped;
use metropay_tests::process::free_address;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::ground::Ground;
use crate::load::Load;

/// How long electing another may take, and how long one that comes back may go on as a master: a sentinel that was not given the
/// processor for two seconds does nothing for the next thirty (its "tilt").
const ELECTED: Duration = Duration::from_secs(150);
/// Under which name the sentinel knows the master.
const MASTER: &str = "mymaster";

/// A Redis process. Dropping it kills it.
struct Server {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    fn start(address: SocketAddr, arguments: &[String]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = File::create(folder.path().join("log"))?;
        let process = Command::new("redis-server")
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            process,
            address,
            folder,
        })
    }

    fn redis(address: SocketAddr, master: Option<SocketAddr>) -> Result<Self> {
        let port = address.port().to_string();
        let mut arguments = vec![
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let of = master.map(|master| format!("127.0.0.1 {}", master.port()));
        if let Some(of) = &of {
            arguments.extend(["--replicaof", of]);
        }
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        Self::start(address, &arguments)
    }

    /// One that watches this master alone, and is quick to judge.
    fn sentinel(folder: &Path, master: SocketAddr) -> Result<Self> {
        let address = free_address()?;
        let file = folder.join("sentinel.conf");
        let text = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor {MASTER} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 3000\n",
            address.port(),
            master.port()
        );
        std::fs::write(&file, text)?;
        Self::start(address, &[file.display().to_string(), "--sentinel".to_owned()])
    }

    async fn say<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let client = redis::Client::open(format!("redis://{}", self.address))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        Ok(command.query_async(&mut connection).await?)
    }

    /// Asks until the answer is as wished.
    async fn until<T: redis::FromRedisValue>(&self, what: &str, words: &[&str], is: impl Fn(&T) -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            if self.say::<T>(words).await.is_ok_and(|told| is(&told)) {
                return Ok(());
            }
            ensure!(began.elapsed() < ELECTED, "not in time: {what}\n{}", self.log()?);
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_fails_over_stops_no_payment() -> Result<()> {
    if Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        skipped("redis-server is not installed");
        return Ok(());
    }
    let (first, second) = (free_address()?, free_address()?);
    let (mut master, replica) = (Server::redis(first, None)?, Server::redis(second, Some(first))?);
    let folder = tempfile::tempdir()?;
    let linked = |told: &String| told.contains("master_link_status:up");
    replica
        .until("the replica follows", &["INFO", "replication"], linked)
        .await?;
    let sentinel = Server::sentinel(folder.path(), first)?;
    let knows = |told: &Vec<redis::Value>| !told.is_empty();
    let ask = ["SENTINEL", "REPLICAS", MASTER];
    sentinel.until("the sentinel knows the replica", &ask, knows).await?;

    let mut config = RedisConfig::single(&format!("redis://{}", sentinel.address));
    config.mode = RedisMode::Sentinel;
    config.master = Some(MASTER.to_owned());
    let Some(ground) = Ground::on_redis(config).await? else {
        return Ok(());
    };
    let hear = |told: &Vec<String>| !told.is_empty();
    let listeners = ["PUBSUB", "CHANNELS", "*"];
    master.until("nodes listen at the master", &listeners, hear).await?;
    let load = Load::begin(&ground);
    sleep(Duration::from_secs(3)).await;
    master.kill()?;
    let moved = |told: &Vec<String>| told.last().is_some_and(|port| *port == second.port().to_string());
    let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
    sentinel.until("another is elected", &ask, moved).await?;
    replica
        .until("nodes listen at the new master", &listeners, hear)
        .await?;
    // The old one comes back, empty, and follows the new one.
    let old = Server::redis(first, None)?;
    let follows = |told: &String| told.contains("role:slave") && told.contains("master_link_status:up");
    old.until("the old master follows", &["INFO", "replication"], follows)
        .await
        .with_context(|| format!("the sentinel wrote:\n{}", sentinel.log().unwrap_or_default()))?;
    sleep(Duration::from_secs(3)).await;
    let orders = load.end().await?;
    ground.prove(&orders).await
}
