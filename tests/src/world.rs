//! The world of a story.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use metropay_core::audit::verify::verify;
use metropay_core::clock::MovedClock;
use metropay_core::signing::Algorithm;
use metropay_server::config::{Config, Profile};
use metropay_server::demo::client::{App, Control, Phone, Reply, Till};
use metropay_server::demo::{Credentials, Folder, seed};
use metropay_server::serve::Server;
use metropay_simulator::{Settings, Simulator};
use serde_json::{Value, json};

/// What a story wants to be otherwise.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// How long an accepted payment takes to succeed at the gateways, in milliseconds.
    pub settle_ms: u64,
    /// How long a till waits, in milliseconds.
    pub till_wait_ms: u64,
    /// How long after the deduction an unknown outcome is revoked, in milliseconds.
    pub revoke_after_ms: Option<u64>,
    /// From when on "no such order" is proof, in milliseconds.
    pub absence_proves_after_ms: Option<u64>,
    /// How long a sender may be sending, in milliseconds.
    pub send_lease_ms: Option<u64>,
    /// One user's China day, in fen.
    pub per_user_day_fen: u64,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            settle_ms: 30,
            till_wait_ms: 8_000,
            revoke_after_ms: None,
            absence_proves_after_ms: None,
            send_lease_ms: None,
            per_user_day_fen: 100_000,
        }
    }
}

/// Server, simulators and everybody around them.
pub struct World {
    /// What the demo's seed handed out.
    pub credentials: Credentials,
    /// The simulators' control interface.
    pub control: Control,
    /// The server's clock.
    pub clock: Arc<MovedClock>,
    /// The running server.
    pub server: Server,
    /// The running simulators.
    pub simulator: Simulator,
    _folder: tempfile::TempDir,
}

/// How long a story's world may take to come to rest.
const REST_MAX: Duration = Duration::from_secs(60);

/// Runs a story in a world of its own, then proves the books.
///
/// # Panics
/// When the story fails, the world does not come to rest, or an invariant does not hold.
pub async fn story<F, T>(tell: F)
where
    F: FnOnce(Arc<World>) -> T,
    T: Future<Output = Result<()>>,
{
    story_with(Wishes::default(), tell).await;
}

/// The same with wishes.
///
/// # Panics
/// As [`story`].
pub async fn story_with<F, T>(wishes: Wishes, tell: F)
where
    F: FnOnce(Arc<World>) -> T,
    T: Future<Output = Result<()>>,
{
    let world = Arc::new(World::new(wishes).await.expect("the world begins"));
    tell(Arc::clone(&world)).await.expect("the story goes as told");
    world.control.clear_faults().await.expect("the simulators answer");
    world.prove().await.expect("the books are sound");
}

impl World {
    /// Starts a world on free ports and a folder of its own.
    ///
    /// # Errors
    /// When something cannot be started.
    pub async fn new(wishes: Wishes) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut config = configuration(folder.path(), &wishes)?;
        let demo = Folder::of(&config)?;
        let app_key = demo.complete(&mut config)?;
        let simulator = Simulator::start(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: Some(folder.path().join("simulator")),
            notice_pace_percent: 1,
            settle_ms: wishes.settle_ms,
        })
        .await?;
        let clock = Arc::new(MovedClock::default());
        let server = Server::start(&config, clock.clone()).await?;
        let credentials = seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
        let control = Control::new(simulator.url());
        Ok(Self {
            credentials,
            control,
            clock,
            server,
            simulator,
            _folder: folder,
        })
    }

    /// A till of the demo's merchant.
    ///
    /// # Panics
    /// Never: the demo's merchant has a key of each algorithm.
    pub fn till(&self) -> Till {
        self.till_with(Algorithm::HmacSha256)
    }

    /// A till with a key of this algorithm.
    ///
    /// # Panics
    /// Never: the demo's merchant has a key of each algorithm.
    pub fn till_with(&self, algorithm: Algorithm) -> Till {
        let merchant = self.credentials.merchants.first().expect("the demo has a merchant");
        Till::new(&self.credentials, merchant, algorithm, self.clock.clone()).expect("the demo's keys can be read")
    }

    /// The App of the demo's first or second user.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn app(&self, user: usize) -> App {
        App::new(
            &self.credentials,
            self.credentials.users.get(user).expect("the demo has two users"),
        )
    }

    /// The first user's App with an open code account and a mandate with this channel.
    ///
    /// # Errors
    /// When something on the way refuses.
    pub async fn rider(&self, channel: &str) -> Result<App> {
        let app = self.app(0);
        ensure!(
            app.post("code-account", &json!({})).await?.status == 200,
            "the code account does not open"
        );
        self.sign(&app, channel).await?;
        Ok(app)
    }

    /// Signs a mandate with the demo's merchant through a channel, and waits until it is usable.
    ///
    /// # Errors
    /// When a page or the channel refuses, or it does not become usable.
    pub async fn sign(&self, app: &App, channel: &str) -> Result<String> {
        let wish = json!({ "mch_id": self.credentials.merchants[0].mch_id, "channel": channel });
        let begun = app.post("mandates", &wish).await?;
        ensure!(begun.status == 200, "signing does not begin: {}", begun.body);
        let mandate = begun.text("mandate_id");
        if let Some(url) = begun.body["data"]["page"]["url"].as_str() {
            Phone::new(&app.uid).agree(url).await?;
        }
        for _ in 0..100 {
            let now = app.get(&format!("mandates/{mandate}")).await?;
            if now.text("state") == "ACTIVE" {
                return Ok(mandate);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the mandate with {channel} does not become active")
    }

    /// A fresh code's digits and id.
    ///
    /// # Errors
    /// When none is issued.
    pub async fn code(&self, app: &App) -> Result<(String, String)> {
        let issued = app.post("codes", &json!({})).await?;
        ensure!(issued.status == 200, "no code: {}", issued.body);
        Ok((issued.text("digits"), issued.text("code_id")))
    }

    /// The body of an `applypay` at the first store.
    pub fn order(no: &str, digits: &str, fen: u64) -> Value {
        json!({ "out_request_no": no, "qrcode": digits, "body": "矿泉水 2 瓶", "total_fee": fen, "store_id": "SZTX001" })
    }

    /// Scans a fresh code of this App and pays.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn pay(&self, app: &App, no: &str, fen: u64) -> Result<Reply> {
        let (digits, _) = self.code(app).await?;
        self.till().call("applypay", &Self::order(no, &digits, fen)).await
    }

    /// Waits until an order has reached its end, and answers it.
    ///
    /// # Errors
    /// When it does not within the time.
    pub async fn ended(&self, no: &str, within: Duration) -> Result<Reply> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let order = self.till().call("orderquery", &json!({ "out_request_no": no })).await?;
            if order.text("pay_status") != "PS_PAYING" || tokio::time::Instant::now() > deadline {
                ensure!(order.text("pay_status") != "PS_PAYING", "{no} is still paying");
                return Ok(order);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Leaves the world alone until no payment, refund or reversal is open, then checks every invariant and compares the
    /// books with the gateways' own, to the fen (INV-04).
    ///
    /// # Errors
    /// When the world does not come to rest, or something does not hold.
    pub async fn prove(&self) -> Result<()> {
        self.rest().await?;
        metropay_core::ledger::seal::seal(self.server.engine()).await?;
        for finding in verify(&self.server.engine().db).await? {
            ensure!(
                finding.breaches.is_empty(),
                "{}: {:?}",
                finding.invariant.id(),
                finding.breaches
            );
        }
        self.compare_with_gateways().await
    }

    async fn rest(&self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + REST_MAX;
        loop {
            let open = metropay_core::audit::open::count(self.server.engine()).await?;
            if open == 0 {
                return Ok(());
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "{open} payments, refunds or reversals are still open"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn compare_with_gateways(&self) -> Result<()> {
        let mut net: i128 = 0;
        for movement in self.control.books().await? {
            let amount = i128::from(movement["amount_fen"].as_u64().context("an amount")?);
            net += if movement["kind"] == "debit" { amount } else { -amount };
        }
        let balances = metropay_core::ledger::balance::all(self.server.engine()).await?;
        let held: i128 = balances
            .iter()
            .filter(|(account, _)| account.starts_with("clearing:"))
            .map(|(_, sum)| i128::from(*sum))
            .sum();
        ensure!(
            held == net,
            "the ledger says the channels hold {held} fen, the gateways say {net}"
        );
        Ok(())
    }
}

fn configuration(folder: &Path, wishes: &Wishes) -> Result<Config> {
    let mut config = Config::load(Profile::Demo, Path::new("no such folder"))?;
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.database.url = format!("sqlite://{}/metropay.db?mode=rwc", folder.display());
    config.caps.till_wait_ms = wishes.till_wait_ms;
    config.caps.revoke_after_ms = wishes.revoke_after_ms;
    config.caps.absence_proves_after_ms = wishes.absence_proves_after_ms;
    config.caps.send_lease_ms = wishes.send_lease_ms;
    config.caps.per_user_day_fen = wishes.per_user_day_fen.try_into()?;
    Ok(config)
}
