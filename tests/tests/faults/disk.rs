//! FLT-29: the database's disk is full. What cannot be written down is not sent to any channel; nodes say that they are not ready,
//! and when there is room again everything goes on by itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::clock::SystemClock;
use metropay_server::config::{Config, Profile};
use metropay_server::demo::{Folder, seed};
use metropay_server::serve::Server;
use metropay_simulator::{Settings, Simulator};
use metropay_tests::containers::{Durability, Postgres};
use metropay_tests::outside::{new_till, open_account, skipped, write_config};
use metropay_tests::process::{Launch, Process, free_address};
use metropay_tests::{App, Phone, Till, World};
use sea_orm::sqlx::{self, PgConnection};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::ground::{CHANNELS, Ground};
use crate::load::{Load, PRICE};

/// How long it may take until a full disk, or room again, is noticed.
const NOTICED: Duration = Duration::from_secs(30);

/// A file system of a few megabytes.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(megabytes: u32) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .output()?;
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
            skipped(&format!("a small file system cannot be mounted (only root may): {why}"));
            return Ok(None);
        }
        Ok(Some(Self(folder)))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Fills it to the last byte.
    fn fill(&self) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(self.filler())?;
        for size in [64 * 1024, 4 * 1024, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        Ok(())
    }

    /// Makes room again.
    fn clear(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "it is unmounted");
    }
}

/// One server on the embedded database on a small disk.
struct Small {
    disk: SmallDisk,
    till: Till,
    rider: App,
    simulator: Simulator,
    launch: Launch,
    server: Process,
    _folder: TempDir,
}

impl Small {
    async fn new() -> Result<Option<Self>> {
        let Some(disk) = SmallDisk::new(24)? else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let simulator = Simulator::start(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: None,
            notice_pace_percent: 5,
            settle_ms: 50,
            public_url: None,
        })
        .await?;
        let mut config = Config::load(Profile::Demo, Path::new("no such folder"))?;
        config.database.url = format!("sqlite://{}/metropay.db?mode=rwc", disk.path().display());
        config.server.listen = free_address()?;
        config.server.ops_listen = None;
        let demo = Folder::at(folder.path().to_owned())?;
        let app_key = demo.complete(&mut config)?;
        let server = Server::start(&config, Arc::new(SystemClock)).await?;
        let credentials = seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
        server.stop().await;
        let launch = launch(&folder.path().join("server"), &config, config.server.listen)?;
        let server = launch.serve(&[]).await?;
        let user = credentials.users.first().context("the demo has a user")?;
        let rider = App::new(&credentials, user);
        open_account(&rider).await?;
        Ok(Some(Self {
            till: new_till(&credentials)?,
            rider,
            server,
            disk,
            simulator,
            launch,
            _folder: folder,
        }))
    }

    /// An order with a fresh code that a shopper shows.
    async fn order(&self, no: &str) -> Result<Value> {
        let code = Phone::new("shopper")
            .show_code(self.simulator.url(), CHANNELS[0], false)
            .await?;
        Ok(World::order(no, &code, PRICE))
    }

    /// Pays until an order is refused for want of room; answers that order.
    async fn refused(&self, placed: &mut BTreeSet<String>) -> Result<Value> {
        // Some still fit into the room that the log has.
        let began = Instant::now();
        loop {
            let order = self.order(&format!("SZTX001-FULL-{}", placed.len())).await?;
            let told = self.till.call("applypay", &order).await?;
            if told.status != 200 {
                ensure!(told.status == 503, "{} {}", told.status, told.body);
                return Ok(order);
            }
            placed.insert(told.text("pay_out_trade_no"));
            ensure!(began.elapsed() < NOTICED * 3, "the disk does not become full");
        }
    }

    /// Waits until all have succeeded.
    async fn all_end_well(&self, placed: &BTreeSet<String>) -> Result<()> {
        // What was placed before the disk was full may have found no room for its end; it finds it now.
        for no in placed {
            let began = Instant::now();
            loop {
                let asked = self.till.call("orderquery", &json!({ "pay_out_trade_no": no })).await?;
                if asked.text("pay_status") == "PS_SUCCESS" {
                    break;
                }
                ensure!(began.elapsed() < NOTICED * 2, "{no} has no end: {}", asked.body);
                sleep(Duration::from_millis(300)).await;
            }
        }
        Ok(())
    }

    /// What was answered is there when the process has died, and equals what the gateways moved.
    async fn outlives(self, mut placed: BTreeSet<String>) -> Result<()> {
        // A transaction that was broken off for want of room must not leave its connection in it: what is broken off now takes back only
        // itself, and what is answered afterwards outlives the process.
        let mut answered = 200;
        for _ in 0..8 {
            answered = self.rider.post("codes", &json!({})).await?.status;
        }
        ensure!(answered == 429, "the codes of a minute were to end: {answered}");
        let told = self.till.call("applypay", &self.order("SZTX001-LAST").await?).await?;
        ensure!(told.text("pay_status") == "PS_SUCCESS", "{}", told.body);
        placed.insert(told.text("pay_out_trade_no"));
        self.server.kill().await?;
        let again = self.launch.serve(&[]).await?;
        for no in &placed {
            let asked = self.till.call("orderquery", &json!({ "pay_out_trade_no": no })).await?;
            ensure!(asked.text("pay_status") == "PS_SUCCESS", "{no}: {}", asked.body);
        }
        again.stop(Duration::from_secs(25)).await?;
        self.launch.run(&["verify", "--profile", "default"]).await?;
        let moved: BTreeSet<String> = self
            .simulator
            .frame()
            .books()
            .into_iter()
            .map(|movement| movement.payment_no)
            .collect();
        ensure!(
            moved == placed,
            "debited and not placed: {:?}",
            moved.symmetric_difference(&placed)
        );
        Ok(())
    }

    async fn becomes_ready(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let told = self.server.ask("/readyz").await?;
            if told.0 == 200 {
                return Ok(());
            }
            ensure!(began.elapsed() < NOTICED, "it does not become ready: {told:?}");
            sleep(Duration::from_millis(200)).await;
        }
    }
}

fn launch(config_dir: &Path, config: &Config, listen: SocketAddr) -> Result<Launch> {
    write_config(config_dir, config, "")?;
    let settings = [
        ("METROPAY_DATABASE__URL", config.database.url.as_str()),
        ("METROPAY_SECRETS__MASTER_KEY", config.secrets.master_key.expose()),
    ];
    Ok(Launch {
        program: PathBuf::from(env!("CARGO_BIN_EXE_metropay-crash")),
        config_dir: config_dir.to_owned(),
        listen,
        operators: None,
        environment: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_embedded_database_without_room_pays_nothing_and_goes_on_when_it_has_some() -> Result<()> {
    let Some(small) = Small::new().await? else {
        return Ok(());
    };
    let mut placed = BTreeSet::new();
    let paid = async |order: &Value| small.till.call("applypay", order).await;
    for nth in 0..3 {
        let told = paid(&small.order(&format!("SZTX001-BEFORE-{nth}")).await?).await?;
        ensure!(told.text("pay_status") == "PS_SUCCESS", "{}", told.body);
        placed.insert(told.text("pay_out_trade_no"));
    }
    small.disk.fill()?;
    let refused = small.refused(&mut placed).await?;
    let told = small.server.ask("/readyz").await?;
    ensure!(told.0 == 503 && told.1.contains("disk"), "{told:?}");
    // It stays so, whoever tries.
    let again = paid(&refused).await?;
    ensure!(again.status == 503, "{} {}", again.status, again.body);

    small.disk.clear()?;
    small.becomes_ready().await?;
    let asked = json!({ "out_request_no": refused["out_request_no"] });
    let asked = small.till.call("orderquery", &asked).await?;
    ensure!(asked.code() == "ORDER_NOT_FOUND", "{}", asked.body);
    let told = paid(&refused).await?;
    ensure!(
        told.text("pay_status") == "PS_SUCCESS",
        "{}\n{}",
        told.body,
        small.server.told()
    );
    placed.insert(told.text("pay_out_trade_no"));
    small.all_end_well(&placed).await?;
    small.outlives(placed).await
}

/// Fills the place where this database lies, to the last page.
async fn fill(database: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "CREATE TABLE filler (x text) WITH (autovacuum_enabled = off); ALTER TABLE filler ALTER COLUMN x SET STORAGE PLAIN",
    )
    .execute(&mut *database)
    .await?;
    for rows in [1_000, 50, 1] {
        let insert = format!("INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, {rows})");
        loop {
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(insert.as_str()))
                .execute(&mut *database)
                .await;
            let Err(error) = done else { continue };
            let code = error
                .as_database_error()
                .and_then(|error| error.code().map(String::from));
            ensure!(code.as_deref() == Some("53100"), "the disk should be full: {error}");
            break;
        }
    }
    Ok(())
}

/// Waits until every node says that it is ready, or that its disk is full.
async fn until_all_say(ground: &Ground, status: u16) -> Result<()> {
    let began = Instant::now();
    loop {
        let told = ground.readiness().await?;
        if told
            .iter()
            .all(|(seen, why)| *seen == status && (status == 200 || why.contains("disk")))
        {
            return Ok(());
        }
        ensure!(began.elapsed() < NOTICED, "not all say {status}: {told:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_whose_disk_is_full_loses_nothing_and_goes_on_when_it_has_room() -> Result<()> {
    let Some(postgres) = Postgres::on_a_small_disk(Durability::Disk, 64).await else {
        return Ok(());
    };
    let Some(ground) = Ground::on(postgres).await? else {
        return Ok(());
    };
    let load = Load::begin(&ground);
    sleep(Duration::from_secs(3)).await;
    let mut database = ground.connect().await?;
    fill(&mut database).await?;
    until_all_say(&ground, 503).await?;
    sleep(Duration::from_secs(3)).await;
    sqlx::raw_sql("DROP TABLE filler")
        .execute(&mut database)
        .await
        .context("making room")?;
    until_all_say(&ground, 200).await?;
    sleep(Duration::from_secs(2)).await;
    let orders = load.end().await?;
    ground.prove(&orders).await
}
