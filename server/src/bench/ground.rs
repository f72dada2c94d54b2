//! The ground of a measurement: servers of our own as processes of their own, so that what they use can be read; or one that
//! runs already.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use metropay_core::Pools;
use metropay_core::clock::SystemClock;
use metropay_core::engine::Engine;
use metropay_core::random::SystemRandom;
use metropay_payment_api::app::token::KeyPair;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::crowd::{self, Crowd};
use super::probe::Probe;
use super::settings::{GroundSettings, Paying};
use crate::config::{Config, Profile};
use crate::demo::Credentials;
use crate::demo::play::Ground as Place;
use crate::serve;

/// How long a process may take until it serves.
const READY_MAX: Duration = Duration::from_secs(60);
/// Between two questions whether it serves.
const READY_LOOK: Duration = Duration::from_millis(20);
/// How long a process may take to stop.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Who issues the tokens of the crowd's App.
pub(super) const ISSUER: &str = "metropay-bench-app";
/// The key's name.
pub(super) const KID: &str = "bench-app";
/// Everything confidential of a measured database is sealed under this, so that it can be measured again and nothing else
/// can be: a database that holds anything real has another key, and does not open.
const MASTER_KEY: &str = "9160b99b58ab196e7ef5381d70cc6671893aa3385cfad36485b2e6d7de57a63c";

/// Everything that stands during a measurement.
pub(super) struct Ground {
    /// Merchants' keys, users' tokens.
    pub(super) credentials: Credentials,
    /// Where tills ask.
    pub(super) tills_url: String,
    /// Where Apps ask.
    pub(super) apps_url: String,
    /// What was seeded; nothing on a server that ran already.
    pub(super) own: Option<Own>,
    servers: Vec<Child>,
    gateways: Option<Child>,
    watched: Vec<u32>,
    /// Dropped last: the folder goes when everything in it has ended.
    place: Option<Place>,
}

/// What only an own server has.
pub(super) struct Own {
    /// An engine on the server's database, in this process: to seed, to put codes in stock, to check the books.
    pub(super) engine: Arc<Engine>,
    /// Who is there.
    pub(super) crowd: Arc<Crowd>,
    /// Whether its database is the embedded one.
    pub(super) embedded: bool,
}

impl Ground {
    /// Starts what is to be measured, and seeds it.
    ///
    /// # Errors
    /// When something does not start, or the database refuses.
    pub(super) async fn made(settings: &GroundSettings) -> Result<Self> {
        match &settings.target {
            Some(url) => Self::running(settings, url),
            None => Self::own(settings).await,
        }
    }

    fn running(settings: &GroundSettings, url: &str) -> Result<Self> {
        let file = settings.credentials.as_deref().context("--credentials is missing")?;
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let credentials = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
        Ok(Self {
            credentials,
            tills_url: url.to_owned(),
            apps_url: url.to_owned(),
            own: None,
            servers: Vec::new(),
            gateways: None,
            watched: settings.server_pid.into_iter().collect(),
            place: None,
        })
    }

    async fn own(settings: &GroundSettings) -> Result<Self> {
        let place = match &settings.keep {
            Some(folder) => Place::kept(folder)?,
            None => Place::temporary()?,
        };
        let app = KeyPair::generate(&SystemRandom).context("making the App's key")?;
        let config = configuration(settings, place.path(), &app.public_key_pem)?;
        let (engine, keys) = serve::build(&quiet(&config), config.server.listen, Arc::new(SystemClock)).await?;
        let (gateways, gateways_url) = match settings.channel {
            Paying::Instant => (None, None),
            Paying::Simulators => {
                let (child, url) = start_gateways(place.path()).await?;
                (Some(child), Some(url))
            }
        };
        let crowd = crowd::seed(&engine, settings, gateways_url.as_deref()).await?;
        let tokens = crowd::tokens(&config, &app.private_key_pem, &crowd)?;
        let mut servers = Vec::new();
        let mut urls = Vec::new();
        for node in 0..settings.nodes {
            let listen = match node {
                0 => config.server.listen,
                _ => free_address()?,
            };
            servers.push(start_server(place.path(), node, listen)?);
            urls.push(format!("http://{listen}"));
        }
        for ((child, url), node) in servers.iter_mut().zip(&urls).zip(0u16..) {
            ready(child, &format!("{url}/readyz"), &place.path().join(log_name(node))).await?;
        }
        let credentials = Credentials {
            base_url: engine.public_url.clone(),
            simulator_url: gateways_url.unwrap_or_default(),
            merchants: crowd.merchants.clone(),
            users: tokens,
            platform_public_keys: keys.public().to_vec(),
        };
        if place.is_kept() {
            write(
                &place.path().join("credentials.json"),
                &serde_json::to_string(&credentials)?,
            )?;
        }
        Ok(Self {
            credentials,
            tills_url: urls.last().context("no server")?.clone(),
            apps_url: urls.first().context("no server")?.clone(),
            own: Some(Own {
                engine,
                crowd: Arc::new(crowd),
                embedded: config.database.file().is_some(),
            }),
            watched: servers.iter().filter_map(Child::id).collect(),
            servers,
            gateways,
            place: Some(place),
        })
    }

    /// Where CPU time and statements are read.
    pub(super) fn probe(&self) -> Probe {
        Probe {
            servers: self.watched.clone(),
            gateways: self.gateways.iter().filter_map(Child::id).collect(),
            db: self.own.as_ref().map(|own| own.engine.db.clone()),
        }
    }

    /// The first server's process: that which Apps ask.
    pub(super) fn apps_pid(&self) -> Option<u32> {
        self.watched.first().copied()
    }

    /// All server processes.
    pub(super) fn pids(&self) -> &[u32] {
        &self.watched
    }

    /// Where everything is kept, where it is.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.place.as_ref().filter(|place| place.is_kept()).map(Place::path)
    }

    /// Stops the servers, then the gateways, and waits until they have ended.
    ///
    /// # Errors
    /// When one does not end by itself, or not well.
    pub(super) async fn stop(&mut self) -> Result<()> {
        for mut child in self.servers.drain(..).chain(self.gateways.take()) {
            let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
            kill_process(pid.context("a server ended before it was stopped")?, Signal::TERM)?;
            let status = timeout(STOP_MAX, child.wait())
                .await
                .context("a server does not stop")??;
            ensure!(status.success(), "a server ended with {status}");
        }
        Ok(())
    }
}

/// The servers' configuration: written where they read it, and read as they read it.
fn configuration(settings: &GroundSettings, folder: &Path, app_public_key: &str) -> Result<Config> {
    let listen = free_address()?;
    let own = format!("sqlite://{}/metropay.db?mode=rwc", folder.display());
    let url = settings.database.as_deref().unwrap_or(&own);
    let many = 1_000_000;
    let mut sections = json!({
        "server": {
            "listen": listen, "public_url": format!("http://{listen}"), "drain_s": 5, "connections_max": 100_000,
        },
        "database": { "url": url },
        "secrets": { "master_key": MASTER_KEY },
        "app": {
            "issuer": ISSUER,
            "keys": [{ "kid": KID, "algorithm": "EdDSA", "public_key_pem": app_public_key }],
        },
        // What bounds one merchant or one user must not bound the machine.
        "caps": { "per_payment_fen": 5_000_000, "per_user_day_fen": 1_000_000_000_000_u64 },
        "budgets": {
            "requests_per_second": many, "invalid_codes_per_store_minute": many, "invalid_codes_per_store_day": many,
            "invalid_codes_per_merchant_minute": many, "invalid_codes_per_second": many,
        },
        // The merchants' servers of a measurement are this process.
        "merchant_calls": { "allowed_networks": ["127.0.0.0/8"] },
        "log": { "filter": settings.server_log },
        "bench": { "instant": settings.channel == Paying::Instant },
    });
    if let (Some(redis), Some(sections)) = (&settings.redis, sections.as_object_mut()) {
        sections.insert("redis".to_owned(), json!({ "urls": [redis] }));
    }
    let text = toml::to_string(&toml::Table::try_from(sections)?)?;
    let config_dir = folder.join("config");
    std::fs::create_dir_all(&config_dir)?;
    write(&config_dir.join("default.toml"), &text)?;
    let config = Config::load(Profile::Default, &config_dir)?;
    // The environment is read last, and may be that of a server which is no measurement.
    ensure!(
        config.database.url == url
            && config.secrets.master_key.expose() == MASTER_KEY
            && config.server.listen == listen,
        "METROPAY_… variables of the environment name a database, key or address: unset them"
    );
    config.guard(Profile::Default)?;
    Ok(config)
}

/// The same for this process, whose own connections must not crowd the database.
fn quiet(config: &Config) -> Config {
    let mut config = config.clone();
    config.database.pools = Pools::new(2, 2, 2);
    config
}

fn start_server(folder: &Path, node: u16, listen: std::net::SocketAddr) -> Result<Child> {
    let mut command = command(folder, &log_name(node))?;
    command
        .arg("--config-dir")
        .arg(folder.join("config"))
        .args(["serve", "--profile", "default"])
        .env("METROPAY_SERVER__LISTEN", listen.to_string());
    command.spawn().context("starting a server")
}

async fn start_gateways(folder: &Path) -> Result<(Child, String)> {
    const LOG: &str = "simulators.log";
    let listen = free_address()?;
    let mut command = command(folder, LOG)?;
    let address = listen.to_string();
    command.args(["simulator", "--listen", &address, "--settle-ms", "0", "--log", "warn"]);
    let mut child = command.spawn().context("starting the simulators")?;
    let url = format!("http://{listen}");
    ready(&mut child, &format!("{url}/control/clock"), &folder.join(LOG)).await?;
    Ok((child, url))
}

fn command(folder: &Path, log: &str) -> Result<Command> {
    let log = std::fs::File::create(folder.join(log))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    Ok(command)
}

fn log_name(node: u16) -> String {
    format!("server-{node}.log")
}

/// Waits until a process serves.
async fn ready(child: &mut Child, url: &str, log: &Path) -> Result<()> {
    let http = reqwest::Client::builder().no_proxy().timeout(READY_MAX).build()?;
    let begun = Instant::now();
    let told = || std::fs::read_to_string(log).unwrap_or_default();
    loop {
        let answer = http.get(url).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("a process ended before it served: {status}\n{}", told());
        }
        ensure!(begun.elapsed() < READY_MAX, "a process does not serve\n{}", told());
        sleep(READY_LOOK).await;
    }
}

/// An address that is free now.
fn free_address() -> Result<std::net::SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?)
}

/// Writes a file that only its owner may read.
fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("writing {}", path.display()))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}
