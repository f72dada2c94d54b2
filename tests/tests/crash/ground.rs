//! The ground of one case: gateways in this process, which outlive every server, and a folder with a seeded database on
//! which servers are started as processes of their own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use metropay_core::clock::SystemClock;
use metropay_server::config::{Config, Profile};
use metropay_server::demo::{Folder, seed};
use metropay_server::serve::Server;
use metropay_simulator::{Effect, Fault, Movement, Settings, Simulator};
use metropay_tests::containers::Database;
use metropay_tests::outside::{new_till, open_account, sign, write_config};
use metropay_tests::process::{Launch, Process, free_address, tail};
use metropay_tests::store::{self, Store};
use metropay_tests::{App, Till};
use serde_json::{Value, json};

use crate::{Sent, till};

/// The channels, by their ids.
pub(crate) const CHANNELS: [&str; 3] = ["wechat", "alipay", "unionpay"];
/// What an order costs.
pub(crate) const PRICE: u64 = 600;

/// How long a stopping server may take: its drain, and a little.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(10);
/// How long a server may take to reach its fail point.
const DEATH_MAX: Duration = Duration::from_secs(60);

/// A line of the fault script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strike(u64);

/// One case's ground.
pub(crate) struct Ground {
    /// The channel that pays.
    pub(crate) channel: &'static str,
    /// The till that scans.
    pub(crate) till: Till,
    /// The App of the user who pays.
    pub(crate) app: App,
    simulator: Simulator,
    /// How its servers are started.
    pub(crate) launch: Launch,
    folder: tempfile::TempDir,
    #[expect(dead_code, reason = "dropping it removes the case's database")]
    database: Option<Database>,
}

impl Ground {
    /// A ground on which the user has signed with this channel. `caps` are bounds of the server, by their names in `[caps]`.
    pub(crate) async fn new(channel: &'static str, caps: &[(&str, u64)]) -> Result<Self> {
        let template = tokio::task::spawn_blocking(Template::get).await??;
        let folder = tempfile::tempdir()?;
        copy(template.folder.path(), folder.path())?;
        let simulator = simulate(folder.path()).await?;
        let address = free_address()?;
        let mut config = configuration(folder.path())?;
        config.server.listen = address;
        let database = store::copy_of(template.database.as_ref(), &mut config).await?;
        let demo = Folder::at(folder.path().to_owned())?;
        let app_key = demo.complete(&mut config)?;
        // Everybody is told the new addresses; keys and contracts stay.
        let server = Server::start(&config, Arc::new(SystemClock)).await?;
        let credentials = seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
        server.stop().await;
        write_config(&folder.path().join("config"), &config, "")?;
        let mut environment = vec![
            ("METROPAY_DATABASE__URL".to_owned(), config.database.url.clone()),
            (
                "METROPAY_SECRETS__MASTER_KEY".to_owned(),
                config.secrets.master_key.expose().to_owned(),
            ),
            ("METROPAY_SERVER__DRAIN_S".to_owned(), "5".to_owned()),
        ];
        // Many cases share one server.
        for lane in ["PAYMENTS", "QUERIES", "JOBS"] {
            environment.push((format!("METROPAY_DATABASE__POOLS__{lane}"), "2".to_owned()));
        }
        for (name, value) in caps {
            environment.push((format!("METROPAY_CAPS__{}", name.to_uppercase()), value.to_string()));
        }
        let launch = Launch {
            operators: None,
            program: PathBuf::from(env!("CARGO_BIN_EXE_metropay-crash")),
            config_dir: folder.path().join("config"),
            listen: address,
            environment,
        };
        Ok(Self {
            channel,
            till: new_till(&credentials)?,
            app: App::new(&credentials, credentials.users.first().context("the demo has users")?),
            simulator,
            launch,
            folder,
            database,
        })
    }

    /// Starts a server that lives.
    pub(crate) async fn serve(&self) -> Result<Process> {
        self.launch.serve(&[]).await
    }

    /// Starts a server that kills itself when it reaches this point.
    pub(crate) async fn serve_until(&self, point: &str) -> Result<Process> {
        self.launch.serve(&[("METROPAY_KILL_AT", point)]).await
    }

    /// Starts a server after one died: one that lives, or, where there is another point, first one that dies there while the
    /// till repeats its request.
    pub(crate) async fn serve_again(&self, again: Option<&str>, operation: &str, request: &Value) -> Result<Process> {
        if let Some(point) = again {
            let dying = self.serve_until(point).await?;
            till::until_broken(&self.till, operation, request).await?;
            dead(dying).await?;
        }
        self.serve().await
    }

    /// A fresh code that this channel must pay.
    pub(crate) async fn code(&self) -> Result<String> {
        let issued = self.app.post("codes", &json!({ "method": self.channel })).await?;
        ensure!(issued.status == 200, "no code: {}", issued.body);
        Ok(issued.text("digits"))
    }

    /// Stops the server, which must end well, and lets the command check the books.
    pub(crate) async fn close(&self, server: Process) -> Result<()> {
        server.stop(STOP_MAX).await?;
        self.launch.run(&["verify", "--profile", "default"]).await
    }

    /// All movements of money at the gateways; there is one order on each ground.
    pub(crate) fn books(&self) -> Vec<Movement> {
        self.simulator.frame().books()
    }

    /// Adds a line to the channel's fault script that strikes once.
    pub(crate) fn fault(&self, operation: &str, effect: Effect) -> Result<Strike> {
        self.script(operation, effect, 1)
    }

    fn script(&self, operation: &str, effect: Effect, times: u32) -> Result<Strike> {
        let id = self.simulator.frame().faults.add(Fault {
            id: 0,
            gateway: Some(serde_json::from_value(json!(self.channel))?),
            operation: Some(operation.to_owned()),
            order_no: None,
            times,
            effect,
        });
        Ok(Strike(id))
    }

    /// Waits until a line has struck.
    pub(crate) async fn struck(&self, strike: Strike) -> Result<()> {
        for _ in 0..1_000 {
            if self
                .simulator
                .frame()
                .faults
                .list()
                .iter()
                .all(|line| line.id != strike.0)
            {
                // It is taken when the request is read; what the gateway does with it takes a moment more.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the gateway was never called")
    }

    /// Sends a request to the server, lets the gateway hang in its operation, and kills the server meanwhile. What the
    /// gateway did it tells nobody by itself.
    pub(crate) async fn kill_while_sent(
        &self,
        server: Process,
        sent: Sent,
        operation: &str,
        (door, request): (&str, &Value),
    ) -> Result<()> {
        self.script("notify", Effect::NoticeLost, 0)?;
        let strike = self.fault(operation, sent.hang())?;
        let (till, door, request) = (self.till.clone(), door.to_owned(), request.clone());
        let asked = tokio::spawn(async move { till.call(&door, &request).await });
        self.struck(strike).await?;
        server.kill().await?;
        self.simulator.frame().faults.clear();
        ensure!(asked.await?.is_err(), "the till had an answer");
        Ok(())
    }

    /// What the servers told so far.
    pub(crate) fn told(&self) -> String {
        tail(&self.folder.path().join("config/server.log"))
    }
}

/// Waits until a server has killed itself at its fail point.
pub(crate) async fn dead(mut server: Process) -> Result<()> {
    server.killed_itself(DEATH_MAX).await
}

/// A folder that was seeded once: making keys and signing contracts takes seconds, copying does not.
struct Template {
    folder: tempfile::TempDir,
    database: Option<Database>,
}

/// Kept as long as a test uses it.
static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());

impl Template {
    fn get() -> Result<Arc<Self>> {
        let mut kept = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = kept.upgrade() {
            return Ok(template);
        }
        let folder = tempfile::tempdir()?;
        // A runtime of its own: when it is gone, so is every connection to the database.
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let database = runtime.block_on(prepare(folder.path()))?;
        runtime.shutdown_timeout(Duration::from_secs(10));
        let template = Arc::new(Self { folder, database });
        *kept = Arc::downgrade(&template);
        Ok(template)
    }
}

/// Seeds, opens the user's code account, and signs with every channel; answers the database where it is not in
/// the folder.
async fn prepare(folder: &Path) -> Result<Option<Database>> {
    let simulator = simulate(folder).await?;
    let mut config = configuration(folder)?;
    let database = Store::asked().fresh(&mut config).await?;
    let demo = Folder::at(folder.to_owned())?;
    let app_key = demo.complete(&mut config)?;
    let server = Server::start(&config, Arc::new(SystemClock)).await?;
    let credentials = seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
    let app = App::new(&credentials, credentials.users.first().context("the demo has users")?);
    open_account(&app).await?;
    for channel in CHANNELS {
        sign(&app, &credentials.merchants[0].mch_id, channel).await?;
    }
    server.stop().await;
    Ok(database)
}

async fn simulate(folder: &Path) -> Result<Simulator> {
    Ok(Simulator::start(Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: Some(folder.join("simulator")),
        // A server that is down for a second still hears of what happened meanwhile.
        notice_pace_percent: 5,
        settle_ms: 50,
        public_url: None,
    })
    .await?)
}

fn configuration(folder: &Path) -> Result<Config> {
    let mut config = Config::load(Profile::Demo, Path::new("no such folder"))?;
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.ops_listen = Some(([127, 0, 0, 1], 0).into());
    config.database.url = format!("sqlite://{}/metropay.db?mode=rwc", folder.display());
    Ok(config)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
