//! The ground of one fault: PostgreSQL and Redis in containers of their own, gateways in this process, two servers as
//! processes, and a proxy before them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::clock::SystemClock;
use metropay_core::secret::Secret;
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

use tokio::time::sleep;

use crate::load::{Orders, PRICE, end_of};

/// The channels, by their ids.
pub(crate) const CHANNELS: [&str; 3] = ["wechat", "alipay", "unionpay"];
/// Longer than a job's lease and a sender's time.
pub(crate) const LEASE_PASSED: Duration = Duration::from_secs(34);
/// Users who pay on a mandate.
const RIDERS: usize = 6;
/// How long a stopping server may take: its drain, and a little.
const STOP_MAX: Duration = Duration::from_secs(25);

/// What a ground has that others have not.
#[derive(Default)]
struct Wishes {
    /// A server that stands already.
    postgres: Option<Postgres>,
    /// A Redis that stands already.
    redis: Option<RedisConfig>,
    /// Whether the proxy asks nodes whether they are ready.
    checked: bool,
    /// More for the nodes' environment.
    more: Vec<(String, String)>,
}

/// One fault's ground.
pub(crate) struct Ground {
    pub(crate) postgres: Postgres,
    pub(crate) till: Till,
    pub(crate) riders: Vec<App>,
    redis: Option<Redis>,
    database: Database,
    credentials: Credentials,
    simulator: Simulator,
    launches: Vec<Launch>,
    nodes: Vec<Option<Process>>,
    balancer: Balancer,
    _folder: tempfile::TempDir,
}

impl Ground {
    /// Everything up and everybody signed; nothing where there are no containers.
    pub(crate) async fn new() -> Result<Option<Self>> {
        Self::of(Wishes::default()).await
    }

    /// The same behind a proxy that asks nodes whether they are ready.
    pub(crate) async fn checked() -> Result<Option<Self>> {
        Self::of(Wishes {
            checked: true,
            ..Wishes::default()
        })
        .await
    }

    /// The same with more in the nodes' environment.
    pub(crate) async fn with(more: &[(&str, &str)]) -> Result<Option<Self>> {
        Self::of(Wishes {
            more: more
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Wishes::default()
        })
        .await
    }

    /// On this server.
    pub(crate) async fn on(postgres: Postgres) -> Result<Option<Self>> {
        Self::of(Wishes {
            postgres: Some(postgres),
            ..Wishes::default()
        })
        .await
    }

    /// With a Redis that stands elsewhere.
    pub(crate) async fn on_redis(redis: RedisConfig) -> Result<Option<Self>> {
        Self::of(Wishes {
            redis: Some(redis),
            ..Wishes::default()
        })
        .await
    }

    async fn of(wishes: Wishes) -> Result<Option<Self>> {
        let postgres = match wishes.postgres {
            Some(postgres) => Some(postgres),
            None => Postgres::alone(Durability::Disk, &[]).await,
        };
        let Some(postgres) = postgres else {
            return Ok(None);
        };
        let (redis, redis_config) = match wishes.redis {
            Some(config) => (None, config),
            None => {
                let Some(redis) = Redis::alone().await else {
                    return Ok(None);
                };
                let config = RedisConfig::single(&format!("redis://{}", redis.address()));
                (Some(redis), config)
            }
        };
        let database = postgres.database().await?;
        let folder = tempfile::tempdir()?;
        let simulator = Simulator::start(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: Some(folder.path().join("simulator")),
            notice_pace_percent: 5,
            settle_ms: 50,
            public_url: None,
        })
        .await?;
        let proxy = Bound::new().await?;
        let mut config = configuration(&database, redis_config, &proxy)?;
        let demo = Folder::at(folder.path().to_owned())?;
        let app_key = demo.complete(&mut config)?;
        let addresses = [free_address()?, free_address()?];
        let balancer = match wishes.checked {
            true => proxy.forward_to_ready(addresses.to_vec()),
            false => proxy.forward(addresses.to_vec()),
        };
        config.server.listen = addresses[0];
        let (credentials, riders) = seeded(&config, (&demo, &app_key), &simulator).await?;
        let mut launches = launches(folder.path(), &config, addresses)?;
        for launch in &mut launches {
            launch.environment.extend(wishes.more.iter().cloned());
        }
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
            balancer,
            _folder: folder,
        }))
    }

    /// A till with connections of its own.
    pub(crate) fn new_till(&self) -> Result<Till> {
        new_till(&self.credentials)
    }

    /// The Redis that this ground has for itself.
    pub(crate) fn redis(&self) -> Result<&Redis> {
        self.redis.as_ref().context("a Redis of its own")
    }

    /// Where the proxy is.
    pub(crate) fn address(&self) -> &str {
        &self.credentials.base_url
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
        let client = redis::Client::open(format!("redis://{}", self.redis()?.address()))?;
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

    /// Starts it again with more in its environment, ready or not.
    pub(crate) async fn start_the_node_unready(&mut self, more: &[(&str, &str)]) -> Result<()> {
        self.nodes[0] = Some(self.launches[0].live(more).await?);
        Ok(())
    }

    /// The first node.
    pub(crate) fn the_node(&self) -> Result<&Process> {
        self.nodes[0].as_ref().context("the node runs")
    }

    /// How the nodes that run answer whether they are ready.
    pub(crate) async fn readiness(&self) -> Result<Vec<(u16, String)>> {
        futures::future::try_join_all(self.nodes.iter().flatten().map(|node| node.ask("/readyz"))).await
    }

    /// What the first node's figures are, as they are scraped.
    pub(crate) async fn figures_of_the_node(&self) -> Result<String> {
        let operators = format!(
            "http://{}/metrics",
            self.launches[0].operators.context("it tells figures")?
        );
        Ok(reqwest::get(operators).await?.error_for_status()?.text().await?)
    }

    /// How many connections the proxy has given to the first node.
    pub(crate) fn given_to_the_node(&self) -> usize {
        self.balancer.given_to(0)
    }

    /// What the first node's name begins with.
    pub(crate) fn node_prefix(&self) -> String {
        self.launches[0].listen.port().to_string()
    }

    /// A till that reaches the first node without the proxy.
    pub(crate) fn till_at_the_node(&self) -> Result<Till> {
        let at = Credentials {
            base_url: self.the_node()?.url().to_owned(),
            ..self.credentials.clone()
        };
        new_till(&at)
    }

    /// The same user's App, which reaches the first node without the proxy.
    pub(crate) fn at_the_node(&self, rider: &App) -> Result<App> {
        Ok(rider.at(self.the_node()?.url()))
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
        let mut ended = Orders::new();
        for (no, told) in orders {
            let status = end_of(&self.till, no).await?;
            ensure!(status == *told, "INV-09: {no} was {told} and is {status}");
            ended.insert(no.clone(), status);
        }
        Ok(ended)
    }
}

/// Seeds through a server in this process, and lets riders sign.
async fn seeded(
    config: &Config,
    (demo, app_key): (&Folder, &Secret),
    simulator: &Simulator,
) -> Result<(Credentials, Vec<App>)> {
    let server = Server::start(config, Arc::new(SystemClock)).await?;
    let credentials = seed::seed(config, demo, app_key, &server, simulator).await?;
    let mut riders = Vec::new();
    for number in 0..RIDERS {
        let (uid, phone) = (format!("FAULT{number}"), format!("1380000000{number}"));
        let user = seed::token(config, server.engine(), app_key, &uid, &phone)?;
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
    Ok((credentials, riders))
}

fn configuration(database: &Database, redis: RedisConfig, proxy: &Bound) -> Result<Config> {
    let mut config = Config::load(Profile::Demo, Path::new("no such folder"))?;
    config.database.url = database.url();
    config.redis = Some(redis);
    config.server.public_url = proxy.url();
    config.server.ops_listen = None;
    Ok(config)
}

/// How the two servers are started.
fn launches(folder: &Path, config: &Config, addresses: [SocketAddr; 2]) -> Result<Vec<Launch>> {
    let redis = config.redis.as_ref().context("a Redis")?;
    let sentinel = redis.master.as_ref();
    let sentinel = sentinel.map_or_else(String::new, |name| {
        format!("mode = \"sentinel\"\nmaster = \"{name}\"\n")
    });
    let redis = format!("\n[redis]\nurls = {:?}\n{sentinel}", redis.urls);
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
    let launch = |(number, listen): (usize, SocketAddr)| {
        let config_dir = folder.join(format!("node-{number}"));
        write_config(&config_dir, config, &redis)?;
        Ok(Launch {
            program: PathBuf::from(env!("CARGO_BIN_EXE_metropay-crash")),
            config_dir,
            listen,
            operators: Some(free_address()?),
            environment: settings.to_vec(),
        })
    };
    addresses.into_iter().enumerate().map(launch).collect()
}
