//! The world of a story.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use metropay_core::audit::alarm::{self, Alarm};
use metropay_core::clock::{Clock, Day, MovedClock};
use metropay_core::secret::Secret;
use metropay_server::config::{BudgetSettings, Config};
use metropay_server::demo::client::Control;
use metropay_server::demo::{Credentials, DemoMerchant, Folder, seed};
use metropay_server::serve::Server;
use metropay_simulator::{Effect, Fault, Frame, Settings, Simulator};

use crate::balancer::{Balancer, Bound};
use crate::channel::Words;
use crate::ground::Ground;
use crate::process::Launch;
use crate::store::Store;
use crate::{ground, proof};

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
    /// What tills may ask how often.
    pub budgets: BudgetSettings,
    /// Whether an account whose channel answers nothing is left alone for a while.
    pub breaker: bool,
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
            budgets: BudgetSettings::default(),
            breaker: true,
        }
    }
}

/// Server, simulators and everybody around them. It is noon in China when a world begins, whatever the machine says.
pub struct World {
    /// What the demo's seed handed out.
    pub credentials: Credentials,
    /// The simulators' control interface.
    pub control: Control,
    /// The server's clock. Moved by [`World::advance`], so that the gateways' goes with it.
    pub clock: Arc<MovedClock>,
    /// The running server; the first, where there are several.
    pub server: Server,
    #[expect(dead_code, reason = "they serve until the world ends")]
    others: Vec<Server>,
    #[expect(dead_code, reason = "it forwards until the world ends")]
    balancer: Balancer,
    pub(crate) config: Config,
    pub(crate) app_key: Secret,
    gateways: Mutex<Gateways>,
    further: Mutex<Vec<DemoMerchant>>,
    ground: Ground,
}

/// The gateways, running or not, and how far their time is ahead of the machine's.
struct Gateways {
    running: Option<Simulator>,
    settings: Settings,
    ahead: Duration,
}

/// How long a story's world may take to come to rest, by the machine's clock.
const REST_MAX: Duration = Duration::from_secs(30);
/// So long the world is left to itself before its time is moved on.
const REST_UNMOVED: Duration = Duration::from_millis(800);
/// How far its time is moved on at each look while it is not at rest.
const REST_STEP: Duration = Duration::from_secs(30);

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
    if !Store::asked().is_there().await {
        return;
    }
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
        let (ground, mut config) = ground::own().await?;
        let folder = ground.folder.path();
        wishes.put_into(&mut config)?;
        let demo = Folder::at(folder.to_owned())?;
        let app_key = demo.complete(&mut config)?;
        let mut settings = ground::gateways(folder, wishes.settle_ms);
        let simulator = Simulator::start(settings.clone()).await?;
        settings.listen = simulator.addr();
        let clock = Arc::new(MovedClock::default());
        let ahead = until_noon(&*clock);
        simulator.frame().clock.set_offset_ms(millis(ahead));
        clock.advance(ahead);
        let (proxy, nodes) = (Bound::new().await?, Store::asked().nodes());
        if nodes > 1 {
            config.server.public_url = proxy.url();
        }
        let server = Server::start(&config, clock.clone()).await?;
        let mut others = Vec::new();
        for _ in 1..nodes {
            others.push(Server::start(&config, clock.clone()).await?);
        }
        let nodes = std::iter::once(&server).chain(&others).map(Server::addr).collect();
        let balancer = proxy.forward(nodes);
        let credentials = seed::seed(&config, &demo, &app_key, &server, &simulator).await?;
        let control = Control::new(simulator.url());
        Ok(Self {
            credentials,
            control,
            clock,
            server,
            others,
            balancer,
            config,
            app_key,
            gateways: Mutex::new(Gateways {
                running: Some(simulator),
                settings,
                ahead,
            }),
            further: Mutex::default(),
            ground,
        })
    }

    /// The last text message: its number and its code.
    ///
    /// # Errors
    /// When none was sent.
    pub fn last_sms(&self) -> Result<(String, String)> {
        let sent = std::fs::read_to_string(self.ground.folder.path().join("sms.log")).context("no message was sent")?;
        let last = sent.lines().last().and_then(|line| line.split_once(' '));
        let (phone, code) = last.context("no message was sent")?;
        Ok((phone.to_owned(), code.to_owned()))
    }

    /// Lets so much time pass, for the platform and for the gateways.
    pub fn advance(&self, time: Duration) {
        let mut gateways = self.gateways();
        gateways.ahead += time;
        // The gateways first, so that nothing reaches them before it was written down here.
        if let Some(simulator) = &gateways.running {
            simulator.frame().clock.set_offset_ms(millis(gateways.ahead));
        }
        self.clock.advance(time);
    }

    /// The present China day.
    pub fn today(&self) -> Day {
        self.clock.now().day()
    }

    fn gateways(&self) -> std::sync::MutexGuard<'_, Gateways> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ground of the gateways, for what has no page or interface there.
    ///
    /// # Panics
    /// When they are stopped.
    pub fn frame(&self) -> Arc<Frame> {
        let gateways = self.gateways();
        let running = gateways.running.as_ref().expect("the gateways are running");
        Arc::clone(running.frame())
    }

    /// Stops the gateways: nothing listens at their address any more.
    pub fn stop_gateways(&self) {
        self.gateways().running = None;
    }

    /// Starts them again at the same address, on the books that they had.
    ///
    /// # Errors
    /// When the address is not free again in time.
    pub async fn start_gateways(&self) -> Result<()> {
        let settings = self.gateways().settings.clone();
        for _ in 0..100 {
            if let Ok(simulator) = Simulator::start(settings.clone()).await {
                let mut gateways = self.gateways();
                simulator.frame().clock.set_offset_ms(millis(gateways.ahead));
                gateways.running = Some(simulator);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the gateways do not start again")
    }

    /// Something goes wrong once at an operation of a channel's gateway.
    pub fn fault(&self, channel: &Words, operation: &str, effect: Effect) {
        self.faults(channel, operation, 1, effect);
    }

    /// Something goes wrong so many times; 0 is until it is removed.
    pub fn faults(&self, channel: &Words, operation: &str, times: u32, effect: Effect) {
        self.frame().faults.add(Fault {
            id: 0,
            gateway: Some(channel.gateway),
            operation: Some(operation.to_owned()),
            order_no: None,
            times,
            effect,
        });
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.frame().faults.clear();
    }

    /// The alarms of this kind, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn alarms(&self, kind: &str) -> Result<Vec<Alarm>> {
        let all = alarm::all(self.server.engine()).await?;
        Ok(all.into_iter().filter(|alarm| alarm.kind == kind).collect())
    }

    /// A further merchant with a store, a key and accounts of its own with all channels.
    ///
    /// # Errors
    /// When something refuses.
    pub async fn further_merchant(&self, mch_id: &str) -> Result<DemoMerchant> {
        let url = self.frame().public_url.clone();
        let merchant = seed::further_merchant(self.server.engine(), &url, mch_id).await?;
        self.knows(merchant.clone());
        Ok(merchant)
    }

    /// Makes a merchant that a story registered by itself known to the world, so that its books are proved too.
    pub fn knows(&self, merchant: DemoMerchant) {
        let mut further = self.further.lock().unwrap_or_else(PoisonError::into_inner);
        further.push(merchant);
    }

    /// The numbers of all merchants.
    pub fn merchants(&self) -> Vec<String> {
        let further = self.further.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.credentials.merchants.iter().chain(further.iter());
        all.map(|merchant| merchant.mch_id.clone()).collect()
    }

    /// How a command is started on this world's database, with this program.
    pub fn launch(&self, program: &str) -> Launch {
        let master = self.config.secrets.master_key.expose().to_owned();
        Launch {
            program: program.into(),
            config_dir: self.folder().join("no config"),
            listen: ([127, 0, 0, 1], 0).into(),
            operators: None,
            environment: vec![
                ("METROPAY_DATABASE__URL".to_owned(), self.config.database.url.clone()),
                ("METROPAY_SECRETS__MASTER_KEY".to_owned(), master),
            ],
        }
    }

    /// Where the world keeps its files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.ground.folder.path()
    }

    /// Leaves the world alone until no payment, refund or reversal is open, then checks every invariant and compares the
    /// books with the gateways' own, to the fen (INV-04).
    ///
    /// # Errors
    /// When the world does not come to rest, or something does not hold.
    pub async fn prove(&self) -> Result<()> {
        self.rest().await?;
        proof::hold(self.server.engine()).await?;
        proof::compare(self.server.engine(), &self.merchants(), self.control.books().await?).await
    }

    /// Waits until nothing is open any more. What does not end at once is given time.
    ///
    /// # Errors
    /// When something stays open.
    pub async fn rest(&self) -> Result<()> {
        let begun = tokio::time::Instant::now();
        loop {
            let open = metropay_core::audit::open::count(self.server.engine()).await?;
            if open == 0 {
                return Ok(());
            }
            if begun.elapsed() >= REST_MAX {
                let alarms = alarm::all(self.server.engine()).await?;
                let alarms: Vec<String> = alarms
                    .iter()
                    .map(|alarm| format!("{}: {}", alarm.kind, alarm.text))
                    .collect();
                bail!("{open} payments, refunds or reversals are still open; alarms: {alarms:?}");
            }
            if begun.elapsed() > REST_UNMOVED {
                self.advance(REST_STEP);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Wishes {
    fn put_into(&self, config: &mut Config) -> Result<()> {
        config.caps.till_wait_ms = self.till_wait_ms;
        config.caps.revoke_after_ms = self.revoke_after_ms;
        config.caps.absence_proves_after_ms = self.absence_proves_after_ms;
        config.caps.send_lease_ms = self.send_lease_ms;
        config.caps.per_user_day_fen = self.per_user_day_fen.try_into()?;
        config.budgets = self.budgets.clone();
        config.caps.breaker = self.breaker;
        Ok(())
    }
}

/// How long it is until it is noon in China.
fn until_noon(clock: &dyn Clock) -> Duration {
    let (now, half) = (clock.now(), Duration::from_secs(12 * 3_600));
    let noon = now.day().start().plus(half);
    let next = if noon > now { noon } else { now.day().end().plus(half) };
    next.since(now)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).expect("a world does not last so long")
}
