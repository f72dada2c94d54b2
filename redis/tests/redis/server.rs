//! A Redis of a test's own, on a free port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metropay_core::Db;
use metropay_core::peers::Peers;
use metropay_migrations::Migrator;
use metropay_redis::{BUDGET, Redis, RedisConfig};
use tempfile::TempDir;

/// The budget of a call, and what a busy machine adds.
pub(crate) const IN_TIME: Duration = BUDGET.saturating_add(Duration::from_millis(350));
/// Until a failure or a recovery must have been noticed.
pub(crate) const NOTICED: Duration = Duration::from_secs(10);

/// A running Redis.
pub(crate) struct Server {
    process: Option<Child>,
    port: u16,
    folder: TempDir,
    more: Vec<String>,
    sentinel: Option<PathBuf>,
}

/// A sentinel under this configuration.
pub(crate) fn sentinel(file: &Path) -> Server {
    let mut server = Server {
        process: None,
        port: free_port(),
        folder: tempfile::tempdir().unwrap(),
        more: Vec::new(),
        sentinel: Some(file.to_owned()),
    };
    server.start();
    server
}

/// A Redis on a free port, or nothing where none is installed.
///
/// # Panics
/// Where Redis is required and not installed.
pub(crate) fn redis(more: &[&str]) -> Option<Server> {
    let found = Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_err() {
        assert!(
            std::env::var("METROPAY_REQUIRE_CONTAINERS").as_deref() != Ok("1"),
            "redis-server is not installed, and METROPAY_REQUIRE_CONTAINERS=1"
        );
        eprintln!("SKIPPED: redis-server is not installed; nothing of this test was run");
        return None;
    }
    let mut server = Server {
        process: None,
        port: free_port(),
        folder: tempfile::tempdir().unwrap(),
        more: more.iter().map(|arg| (*arg).to_owned()).collect(),
        sentinel: None,
    };
    server.start();
    Some(server)
}

/// Ports from a range beneath those that the kernel gives to outgoing connections; a cluster's bus is 10,000 above.
fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let first = usize::try_from(std::process::id()).unwrap_or(0) % 4_000;
    loop {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(14_000 + (first + nth) % 4_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

impl Server {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let port = self.port.to_string();
        let folder = self.folder.path().display().to_string();
        let mut command = Command::new("redis-server");
        if let Some(file) = &self.sentinel {
            command.arg(file).arg("--sentinel");
        }
        command.args(["--port", &port, "--bind", "127.0.0.1", "--dir", &folder]);
        if self.sentinel.is_none() {
            command.args(["--save", "", "--appendonly", "no"]).args(&self.more);
        }
        let process = command.stdout(Stdio::null()).spawn();
        self.process = Some(process.expect("redis-server starts"));
        let end = Instant::now() + NOTICED;
        while self.say(&["PING"]).is_none() {
            assert!(Instant::now() < end, "redis-server answers");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it: its memory is gone.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            self.signal_of(&process, "CONT");
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("it runs");
        self.signal_of(process, name);
    }

    #[expect(clippy::unused_self, reason = "only a server of ours is signalled")]
    fn signal_of(&self, process: &Child, name: &str) {
        let done = Command::new("kill")
            .args([&format!("-{name}"), &process.id().to_string()])
            .status();
        assert!(done.is_ok_and(|done| done.success()), "kill -{name}");
    }

    /// What it answers to a command, on a connection of its own.
    pub(crate) fn say(&self, command: &[&str]) -> Option<redis::Value> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection_with_timeout(Duration::from_millis(500)).ok()?;
        let mut words = redis::cmd(command[0]);
        for word in &command[1..] {
            words.arg(word);
        }
        words.query(&mut connection).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A database of its own.
pub(crate) struct Ground {
    pub(crate) db: Db,
    _folder: TempDir,
}

pub(crate) async fn ground() -> Ground {
    // In memory where the machine has such a place: it is not the disk that is measured.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let folder = folder.unwrap();
    let file = folder.path().join("redis.db");
    let db = Db::open(
        &format!("sqlite://{}?mode=rwc", file.display()),
        metropay_core::Pools::default(),
    )
    .await
    .unwrap();
    db.migrate::<Migrator>().await.unwrap();
    Ground { db, _folder: folder }
}

/// A node's part of it, once words reach it.
pub(crate) async fn node(name: &str, config: &RedisConfig, db: &Db) -> Redis {
    let redis = Redis::start(config, name, db.clone()).unwrap();
    reached(&redis, true).await;
    redis
}

/// Waits until words reach a node, or do not.
pub(crate) async fn reached(redis: &Redis, whole: bool) {
    until("words arrive or not", || {
        *redis.peers.whole().borrow() == whole && redis.link.is_up() == whole
    })
    .await;
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + NOTICED;
    while !is() {
        assert!(Instant::now() < end, "{what}: not within {NOTICED:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
