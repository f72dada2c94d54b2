//! The ground of one fault: PostgreSQL and Redis in containers of their own, gateways in this process, two servers as
//! processes, and a proxy before them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::clock::SystemClock;
use metropay_server::config::{Config, Profile, RedisConfig};
use metropay_server::demo::{Credentials, Folder, seed};
use metropay_server::serve::Server;
use metropay_simulator::{MovementKind, Settings, Simulator};
use metropay_tests::balancer::{Balancer, Bound};
use metropay_tests::containers::{Database, Durability, Postgres, Redis};
use metropay_tests::outside::{new_till, open_account, sign, write_config};
use metropay_tests::process::{Launch, Process, free_address};
use metropay_tests::{App, Till};
use sea_orm::sqlx::{self, Connection, PgConnection};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::load::{Orders, PRICE};

/// The channels, by their ids.
pub(crate) const CHANNELS: [&str; 3] = ["wechat", "alipay", "unionpay"];
/// Longer than a job's lease and a sender's time.
pub(crate) const LEASE_PASSED: Duration = Duration::from_secs(34);
/// Users who pay on a mandate.
const RIDERS: usize = 6;
/// How long a stopping server may take: its drain, and a little.
const STOP_MAX: Duration = Duration::from_secs(25);
/// How long orders may take to their end after everything was mended.
const END_MAX: Duration = Duration::from_secs(90);

/// One fault's ground.
pub(crate) struct Ground {
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    pub(crate) till: Till,
    pub(crate) riders: Vec<App>,
    database: Database,
    credentials: Credentials,
    simulator: Simulator,
    launches: Vec<Launch>,
    nodes: Vec<Option<Process>>,
    _balancer: Balancer,
    _folder: tempfile::TempDir,
}

impl Ground {
    /// Everything up and everybody signed; nothing where there are no containers.
    pub(crate) async fn new() -> Result<Option<Self>> {
        let Some(postgres) = Postgres::alone(Durability::Disk, &[]).await else {
            return Ok(None);
        };
        let Some(redis) = Redis::alone().await else {
            return Ok(None);
        };
        let database = postgres.database().await?;
        let folder = tempfile::tempdir()?;
        let simulator = Simulator::start(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: Some(folder.path().join("simulator")),
            notice_pace_percent: 5,
            settle_ms: 50,
        })
        .await?;
        let proxy = Bound::new().await?;
        let mut config = configuration(&database, &redis, &proxy)?;
        let demo = Folder::at(folder.path().to_owned())?;
        let app_key = demo.complete(&mut config)?;
        let addresses = [free_address()?, free_address()?];
        let balancer = proxy.forward(vec![addresses[0], addresses[1]]);
        let (credentials, riders) = {
            config.server.listen = addresses[0];
            let server = Server::start(&config, Arc::new(SystemClock)).await?;
            let credentials = seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
            let mut riders = Vec::new();
            for number in 0..RIDERS {
                let uid = format!("FAULT{number}");
                let phone = format!("1380000000{number}");
                let user = seed::token(&config, server.engine(), &app_key, &uid, &phone)?;
                riders.push(App::new(&credentials, &user));
            }
            let merchant = &credentials.merchants[0].mch_id;
            let signing = riders.iter().zip(CHANNELS.iter().cycle());
            let signing = signing.map(async |(rider, channel)| {
                open_account(rider).await?;
                sign(rider, merchant, channel).await
            });
            futures::future::try_join_all(signing).await?;
            server.stop().await;
            (credentials, riders)
        };
        let launches = launches(folder.path(), &config, addresses)?;
        let mut nodes = Vec::new();
        for launch in &launches {
            nodes.push(Some(launch.serve(&[]).await?));
        }
        Ok(Some(Self {
            till: new_till(&credentials)?,
            postgres,
            redis,
            riders,
            database,
            credentials,
            simulator,
            launches,
            nodes,
            _balancer: balancer,
            _folder: folder,
        }))
    }

    /// A till with connections of its own.
    pub(crate) fn new_till(&self) -> Result<Till> {
        new_till(&self.credentials)
    }

    /// Where the gateways are.
    pub(crate) fn gateways_url(&self) -> String {
        self.simulator.url().to_owned()
    }

    /// A connection to the database, for what happens behind the servers' back.
    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.database.url()).await?)
    }

    /// Holds the table of payments against every write for so long.
    pub(crate) async fn lock_payments(&self, how_long: Duration) -> Result<()> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql("BEGIN; LOCK TABLE payment IN EXCLUSIVE MODE")
            .execute(&mut connection)
            .await?;
        sleep(how_long).await;
        sqlx::raw_sql("COMMIT").execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Empties Redis.
    pub(crate) async fn flush_redis(&self) -> Result<()> {
        let client = redis::Client::open(format!("redis://{}", self.redis.address()))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        Ok(redis::cmd("FLUSHALL").exec_async(&mut connection).await?)
    }

    /// Kills the first node.
    pub(crate) async fn kill_a_node(&mut self) -> Result<()> {
        self.nodes[0].take().context("the node runs")?.kill().await
    }

    /// Asks the first node to stop; it must end well.
    pub(crate) async fn stop_a_node(&mut self) -> Result<()> {
        self.nodes[0].take().context("the node runs")?.stop(STOP_MAX).await
    }

    /// Starts it again.
    pub(crate) async fn start_the_node(&mut self) -> Result<()> {
        self.nodes[0] = Some(self.launches[0].serve(&[]).await?);
        Ok(())
    }

    /// Sends a signal to the first node.
    pub(crate) async fn signal_a_node(&self, signal: &str) -> Result<()> {
        self.nodes[0].as_ref().context("the node runs")?.signal(signal).await
    }

    /// Waits until every order has its end, stops the servers, which must end well, and checks the books, here and against
    /// the gateways'.
    pub(crate) async fn prove(self, orders: &Orders) -> Result<()> {
        let ended = self.ends(orders).await?;
        let stands = |status: &String| if status == "PS_SUCCESS" { PRICE } else { 0 };
        let ended = ended.iter().map(|(no, status)| (no.clone(), stands(status)));
        self.prove_standing(ended.collect()).await
    }

    /// The same for orders that were paid once each and given back wholly, or undone.
    pub(crate) async fn prove_given_back(self, orders: &BTreeSet<String>) -> Result<()> {
        self.prove_standing(orders.iter().map(|no| (no.clone(), 0)).collect())
            .await
    }

    /// So much must stand at the gateways for each order, and nothing for others.
    async fn prove_standing(mut self, standing: BTreeMap<String, u64>) -> Result<()> {
        for node in self.nodes.drain(..).flatten() {
            node.stop(STOP_MAX).await?;
        }
        self.launches[0].run(&["verify", "--profile", "default"]).await?;
        let (mut debits, mut net) = (BTreeMap::<String, u32>::new(), BTreeMap::<String, i64>::new());
        for movement in self.simulator.frame().books() {
            let amount = i64::try_from(movement.amount_fen)?;
            let debit = movement.kind == MovementKind::Debit;
            *net.entry(movement.payment_no.clone()).or_default() += if debit { amount } else { -amount };
            *debits.entry(movement.payment_no).or_default() += u32::from(debit);
        }
        for (no, count) in &debits {
            ensure!(*count <= 1, "INV-05: {no} was debited {count} times");
            ensure!(
                standing.contains_key(no) || net[no] == 0,
                "INV-07: money stands for {no}, which no till placed"
            );
        }
        for (no, expected) in standing {
            let stands = net.get(&no).copied().unwrap_or(0);
            ensure!(
                stands == i64::try_from(expected)?,
                "INV-08: {expected} fen were paid for {no}, and {stands} fen stand at the gateway"
            );
        }
        Ok(())
    }

    /// How every order ended; what a till was told before must still be so.
    async fn ends(&self, orders: &Orders) -> Result<Orders> {
        let deadline = Instant::now() + END_MAX;
        let mut ended = Orders::new();
        for (no, told) in orders {
            loop {
                let asked = self.till.call("orderquery", &json!({ "pay_out_trade_no": no })).await?;
                let status = asked.text("pay_status");
                if asked.status == 200 && status != "PS_PAYING" {
                    ensure!(status == *told, "INV-09: {no} was {told} and is {status}");
                    ended.insert(no.clone(), status);
                    break;
                }
                ensure!(Instant::now() < deadline, "INV-15: {no} has no end: {}", asked.body);
                sleep(Duration::from_millis(300)).await;
            }
        }
        Ok(ended)
    }
}

fn configuration(database: &Database, redis: &Redis, proxy: &Bound) -> Result<Config> {
    let mut config = Config::load(Profile::Demo, Path::new("no such folder"))?;
    config.database.url = database.url();
    config.redis = Some(RedisConfig::single(&format!("redis://{}", redis.address())));
    config.server.public_url = proxy.url();
    config.server.ops_listen = None;
    Ok(config)
}

/// How the two servers are started.
fn launches(folder: &Path, config: &Config, addresses: [std::net::SocketAddr; 2]) -> Result<Vec<Launch>> {
    let redis = config
        .redis
        .as_ref()
        .and_then(|redis| redis.urls.first())
        .context("an address of Redis")?;
    let redis = format!("\n[redis]\nurls = [\"{redis}\"]\n");
    let settings = [
        ("METROPAY_DATABASE__URL", config.database.url.clone()),
        (
            "METROPAY_SECRETS__MASTER_KEY",
            config.secrets.master_key.expose().to_owned(),
        ),
        ("METROPAY_SERVER__PUBLIC_URL", config.server.public_url.clone()),
        ("METROPAY_SERVER__DRAIN_S", "20".to_owned()),
        ("METROPAY_CAPS__PER_USER_DAY_FEN", "100000".to_owned()),
        ("METROPAY_CAPS__TILL_WAIT_MS", "5000".to_owned()),
        // What was written down and never sent is known not to come within seconds, not minutes.
        ("METROPAY_CAPS__SEND_LEASE_MS", "8000".to_owned()),
        ("METROPAY_CAPS__ABSENCE_PROVES_AFTER_MS", "12000".to_owned()),
        ("METROPAY_CAPS__REVOKE_AFTER_MS", "60000".to_owned()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let launch = |(number, listen): (usize, std::net::SocketAddr)| {
        let config_dir = folder.join(format!("node-{number}"));
        write_config(&config_dir, config, &redis)?;
        Ok(Launch {
            program: PathBuf::from(env!("CARGO_BIN_EXE_metropay-crash")),
            config_dir,
            listen,
            environment: settings.to_vec(),
        })
    };
    addresses.into_iter().enumerate().map(launch).collect()
}
