//! The whole play of `metropay demo` against two nodes behind a proxy, on PostgreSQL and Redis; and once more while one of them is
//! killed in the middle. Clients that ask again where they get no answer notice nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::random::{Random, SystemRandom};
use metropay_core::vault::MasterKey;
use metropay_simulator::{Settings, Simulator};
use metropay_tests::balancer::{Balancer, Bound};
use metropay_tests::containers::{Database, Durability, Postgres, Redis};
use metropay_tests::process::{Launch, Process, free_address};
use sea_orm::sqlx::{self, Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

/// How long the play may last.
const PLAY_MAX: Duration = Duration::from_secs(180);
/// How long a stopping node may take.
const STOP_MAX: Duration = Duration::from_secs(25);
/// Whose story is played when a node is killed, and after how many of its lines.
const IN_THE_MIDDLE: (&str, usize) = ("alipay", 8);

/// Two nodes that nobody has seeded.
struct SetUp {
    _postgres: Postgres,
    _redis: Redis,
    _simulator: Simulator,
    _balancer: Balancer,
    _folder: TempDir,
    database: Database,
    nodes: Vec<(Launch, Option<Process>)>,
    play: Vec<String>,
}

impl SetUp {
    async fn new() -> Result<Option<Self>> {
        let Some(postgres) = Postgres::alone(Durability::Memory, &[]).await else {
            return Ok(None);
        };
        let Some(redis) = Redis::alone().await else {
            return Ok(None);
        };
        let (database, folder, proxy) = (postgres.database().await?, tempfile::tempdir()?, Bound::new().await?);
        let simulator = Simulator::start(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: None,
            notice_pace_percent: 1,
            settle_ms: 30,
            public_url: None,
        })
        .await?;
        let environment = environment(&database, redis.address(), &proxy.url());
        let mut nodes = Vec::new();
        for number in 0..2 {
            let launch = launch(&folder.path().join(format!("node-{number}")), &environment)?;
            let process = launch.serve(&[]).await?;
            nodes.push((launch, Some(process)));
        }
        let mut play: Vec<String> = ["demo", "--against", &proxy.url(), "--gateways", simulator.url()]
            .map(str::to_owned)
            .to_vec();
        for (launch, _) in &nodes {
            let operators = launch.operators.context("it hears operators")?;
            play.extend(["--operators".to_owned(), format!("http://{operators}")]);
        }
        Ok(Some(Self {
            _balancer: proxy.forward(nodes.iter().map(|(launch, _)| launch.listen).collect()),
            _postgres: postgres,
            _redis: redis,
            _simulator: simulator,
            _folder: folder,
            database,
            nodes,
            play,
        }))
    }

    /// Plays it as a process of its own; `heard` is called with each line that it tells meanwhile.
    async fn played(&mut self, mut heard: impl AsyncFnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        let arguments: Vec<String> = self.play.clone();
        let mut playing = self.nodes[0].0.begin(&arguments)?;
        let told = playing.stderr.take().context("what it tells")?;
        let mut told = BufReader::new(told).lines();
        let following = async {
            while let Some(line) = told.next_line().await? {
                heard(self, &line).await?;
            }
            anyhow::Ok(())
        };
        timeout(PLAY_MAX, following).await.context("the play does not end")??;
        let output = playing.wait_with_output().await?;
        let table = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "the play ended with {}\n{table}",
            output.status
        );
        ensure!(table.contains("lines came as expected"), "{table}");
        Ok(())
    }

    /// Kills a node: the one that does not complete payments. How soon another takes the jobs of one that had them is no matter of
    /// clients, and another test's.
    async fn kill_a_node(&mut self) -> Result<()> {
        let mut connection = PgConnection::connect(&self.database.url()).await?;
        let holder: String = sqlx::query_scalar("SELECT holder FROM job WHERE name = 'complete_payments'")
            .fetch_one(&mut connection)
            .await?;
        let holds = |launch: &Launch| holder.starts_with(&format!("{}-", launch.listen.port()));
        let other = self.nodes.iter_mut().find(|(launch, _)| !holds(launch));
        let (_, process) = other.context("a node without that lease")?;
        process.take().context("it runs")?.kill().await
    }

    /// Stops the nodes, which must end well, and checks the books.
    async fn end(mut self) -> Result<()> {
        for (_, process) in &mut self.nodes {
            if let Some(process) = process.take() {
                process.stop(STOP_MAX).await?;
            }
        }
        self.nodes[0].0.run(&["verify", "--profile", "default"]).await
    }
}

fn environment(database: &Database, redis: SocketAddr, public_url: &str) -> Vec<(String, String)> {
    let secret = SystemRandom.letters(64, b"0123456789abcdef");
    let settings = [
        ("DATABASE__URL", database.url()),
        ("REDIS__URLS", format!(r#"["redis://{redis}"]"#)),
        (
            "SECRETS__MASTER_KEY",
            MasterKey::generate(&SystemRandom).text().expose().to_owned(),
        ),
        ("SERVER__PUBLIC_URL", public_url.to_owned()),
        ("APP__ISSUER", "the-app".to_owned()),
        (
            "APP__KEYS",
            format!(r#"[{{kid="app-1",algorithm="HS256",secret="{secret}"}}]"#),
        ),
        // As the play has it in a process of its own.
        ("CAPS__TILL_WAIT_MS", "2500".to_owned()),
        ("DRILL__MOVABLE_CLOCK", "true".to_owned()),
        // The merchants' servers are beside the gateways, on this machine.
        ("MERCHANT_CALLS__ALLOWED_NETWORKS", r#"["127.0.0.0/8"]"#.to_owned()),
    ];
    let named = settings.map(|(name, value)| (format!("METROPAY_{name}"), value));
    named.to_vec()
}

fn launch(config_dir: &Path, environment: &[(String, String)]) -> Result<Launch> {
    std::fs::create_dir_all(config_dir)?;
    Ok(Launch {
        program: PathBuf::from(env!("CARGO_BIN_EXE_metropay-crash")),
        config_dir: config_dir.to_owned(),
        listen: free_address()?,
        operators: Some(free_address()?),
        environment: environment.to_vec(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_behind_a_proxy_serve_the_demo() -> Result<()> {
    let Some(mut set_up) = SetUp::new().await? else {
        return Ok(());
    };
    set_up.played(async |_, _| Ok(())).await?;
    set_up.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_killed_in_the_middle_of_the_demo_is_not_noticed() -> Result<()> {
    let Some(mut set_up) = SetUp::new().await? else {
        return Ok(());
    };
    let mut lines = 0;
    let heard = async |set_up: &mut SetUp, line: &str| {
        let (part, middle) = IN_THE_MIDDLE;
        if line.starts_with(part) {
            lines += 1;
            if lines == middle {
                set_up.kill_a_node().await?;
            }
        }
        anyhow::Ok(())
    };
    set_up.played(heard).await?;
    ensure!(lines > IN_THE_MIDDLE.1, "it was killed in the middle");
    set_up.end().await
}
