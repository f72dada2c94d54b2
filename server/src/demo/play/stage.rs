//! The stage: server and simulators in this process, on free ports, in a folder of their own; or a set-up that runs elsewhere. All
//! their clocks can be moved.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::clock::{Clock, Day, MovedClock, Time};
use metropay_core::engine::Engine;
use metropay_core::id::Uid;
use metropay_core::random::{Random, SystemRandom};
use metropay_core::secret::Secret;
use metropay_core::signing::Algorithm;
use metropay_payment_api::app::token::{TokenClaims, TokenIssuer};
use metropay_simulator::{Settings, Simulator};

use crate::config::{Config, Profile};
use crate::demo::client::{self, App, Control, Till};
use crate::demo::folder::APP_KID;
use crate::demo::{Credentials, DemoMerchant, DemoUser, Folder, seed};
use crate::serve::{Server, build};

/// How long a till waits in the play: long enough for a slow machine, short enough for a patient reader.
pub(super) const TILL_WAIT: Duration = Duration::from_millis(2_500);
/// How long an accepted payment takes to succeed at the gateways, in milliseconds.
const SETTLE_MS: u64 = 30;
/// The play must not run over a midnight of its own: this close to one it begins on the other side.
const BEFORE_MIDNIGHT: Duration = Duration::from_secs(600);
/// How long after midnight the day's bill is asked for: the channels have theirs ready by 10:00.
const AFTER_MIDNIGHT: Duration = Duration::from_secs(10 * 3_600 + 1_800);
/// One payment, and one rider's day at most, in fen.
pub(super) const CAP_FEN: u64 = 100_000;
/// How long a rider's token lives.
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);

/// The folder of a play. A temporary one is removed when it is dropped.
pub struct Ground {
    path: PathBuf,
    kept: bool,
}

impl Ground {
    /// A fresh folder that is removed in the end.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn temporary() -> Result<Self> {
        let name = format!("metropay-demo-{}", uuid::Uuid::new_v4().simple());
        Self::made(std::env::temp_dir().join(name), false)
    }

    /// A folder that stays; it must be new or empty, because the play begins from nothing.
    ///
    /// # Errors
    /// When it cannot be made, or something is in it.
    pub fn kept(path: &Path) -> Result<Self> {
        if path.exists() {
            let mut inside = std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
            ensure!(
                inside.next().is_none(),
                "{} is not empty, and the play begins from nothing: name a new folder",
                path.display()
            );
        }
        Self::made(path.to_path_buf(), true)
    }

    fn made(path: PathBuf, kept: bool) -> Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&path)
            .with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path, kept })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays.
    pub fn is_kept(&self) -> bool {
        self.kept
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("metropay: removing {}: {error}", self.path.display());
        }
    }
}

/// A set-up that runs elsewhere and was never played against, and where it is reached.
pub struct Abroad {
    /// The configuration of its nodes: their database, their master key, and a key of the App that is a shared secret.
    pub config: Config,
    /// Where clients reach it.
    pub url: String,
    /// Where its gateways are.
    pub gateways: String,
    /// Its nodes' listeners for operators. One that does not answer is passed over.
    pub operators: Vec<String>,
}

/// Everything that is there during a play.
pub(super) struct Stage {
    pub credentials: Credentials,
    pub control: Control,
    /// On the set-up's database, for what operators look at.
    pub engine: Arc<Engine>,
    pub operators: Vec<String>,
    clock: Arc<MovedClock>,
    moved: Duration,
    tokens: TokenIssuer,
    /// Where text messages are written; nothing where others send them.
    messages: Option<PathBuf>,
    /// What runs in this process; nothing where the set-up runs elsewhere, whose nodes come and go: then clients are patient.
    own: Option<(Server, Simulator)>,
}

impl Stage {
    /// Starts simulators and server, and seeds them.
    pub(super) async fn set(ground: &Ground) -> Result<Self> {
        let mut config = configuration(ground.path())?;
        let folder = Folder::of(&config)?;
        let app_key = folder.complete(&mut config)?;
        config.guard(Profile::Demo)?;
        let simulator = Simulator::start(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: Some(ground.path().join("simulator")),
            notice_pace_percent: 1,
            settle_ms: SETTLE_MS,
            public_url: None,
        })
        .await
        .context("starting the simulators")?;
        let control = Control::new(simulator.url());
        let clock = Arc::new(MovedClock::default());
        let moved = head_start(clock.now());
        clock.advance(moved);
        control.set_clock(i64::try_from(moved.as_millis())?).await?;
        let server = Server::start(&config, clock.clone())
            .await
            .context("starting the server")?;
        let credentials = seed::seed(&config, &folder, &app_key, &server, &simulator)
            .await
            .context("seeding")?;
        let tokens = TokenIssuer::new(&config.app.issuer(), Some(APP_KID), &app_key).context("the App's key")?;
        Ok(Self {
            credentials,
            control,
            engine: Arc::clone(server.engine()),
            operators: server.ops_url().into_iter().collect(),
            clock,
            moved,
            tokens,
            messages: config.sms.file.clone(),
            own: Some((server, simulator)),
        })
    }

    /// Takes a set-up that runs elsewhere, and seeds it.
    pub(super) async fn join(abroad: &Abroad) -> Result<Self> {
        let config = &abroad.config;
        let key = config.app.keys.first().context("app.keys has no key")?;
        let secret = key.secret.as_ref();
        let secret =
            secret.context("app.keys: the play stands in for the App, and needs a key that is a shared secret")?;
        let clock = Arc::new(MovedClock::default());
        let moved = head_start(clock.now());
        let (engine, keys) = build(config, config.server.listen, clock.clone()).await?;
        let credentials = seed::seed_abroad(&engine, &keys, &abroad.url, &abroad.gateways)
            .await
            .context("seeding")?;
        let mut stage = Self {
            credentials,
            control: Control::new(&abroad.gateways),
            engine,
            operators: abroad.operators.clone(),
            clock,
            moved: Duration::ZERO,
            tokens: TokenIssuer::sharing(&config.app.issuer(), key.kid.as_deref(), secret),
            messages: None,
            own: None,
        };
        stage.move_clocks(moved).await?;
        Ok(stage)
    }

    /// Puts all clocks on by so much: the gateways', this play's, and the nodes' where they run elsewhere.
    async fn move_clocks(&mut self, by: Duration) -> Result<()> {
        self.moved = self.moved.saturating_add(by);
        let offset_ms = i64::try_from(self.moved.as_millis())?;
        self.clock.set_ms(offset_ms);
        self.control.set_clock(offset_ms).await?;
        if self.own.is_some() {
            return Ok(());
        }
        let mut heard = 0_usize;
        for operators in &self.operators {
            heard += usize::from(client::move_clock(operators, offset_ms).await?);
        }
        ensure!(heard > 0, "no node answers its operators");
        Ok(())
    }

    /// Where text messages can be read.
    pub(super) fn messages(&self) -> Option<&Path> {
        self.messages.as_deref()
    }

    /// The present moment of the play.
    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Puts all clocks past the end of this day, so far that its bill can be asked for.
    pub(super) async fn pass_midnight(&mut self, day: Day) -> Result<Time> {
        let by = day.end().plus(AFTER_MIDNIGHT).since(self.now());
        self.move_clocks(by).await?;
        Ok(self.now())
    }

    /// A till of the merchant with its key of this algorithm.
    pub(super) fn till(&self, algorithm: Algorithm) -> Result<Till> {
        let merchant = self.credentials.merchants.first().context("there is no merchant")?;
        Ok(self.patient(Till::new(&self.credentials, merchant, algorithm, self.clock.clone())?))
    }

    /// Where nodes come and go, a till calls again.
    fn patient(&self, till: Till) -> Till {
        if self.own.is_some() { till } else { till.patient() }
    }

    /// A till of another merchant, with its HMAC key.
    pub(super) fn till_of(&self, merchant: &DemoMerchant) -> Result<Till> {
        Ok(self.patient(Till::new(
            &self.credentials,
            merchant,
            Algorithm::HmacSha256,
            self.clock.clone(),
        )?))
    }

    /// The merchant's number.
    pub(super) fn mch_id(&self) -> &str {
        self.credentials
            .merchants
            .first()
            .map_or("", |merchant| &merchant.mch_id)
    }

    /// One of the merchant's stores.
    pub(super) fn store(&self, index: usize) -> &str {
        let merchant = self.credentials.merchants.first();
        let store = merchant.and_then(|merchant| merchant.store_ids.get(index));
        store.map_or("", String::as_str)
    }

    /// The App in a rider's hand, with a fresh token of the App's server, for which the play stands in.
    pub(super) fn app(&self, uid: &str, phone: &str) -> Result<App> {
        let now = self.now();
        let claims = TokenClaims {
            uid: Uid::from(uid),
            issued_at: now,
            expires_at: now.plus(TOKEN_LIFE),
            jti: SystemRandom.letters(20, b"0123456789abcdefghijklmnopqrstuvwxyz"),
            phone_number: Some(Secret::from(phone)),
            phone_number_verified: true,
            jkt: None,
        };
        let user = DemoUser {
            uid: uid.to_owned(),
            app_token: self.tokens.issue(&claims)?,
        };
        let app = App::new(&self.credentials, &user);
        Ok(if self.own.is_some() { app } else { app.patient() })
    }

    /// Ends everything, so that the folder can be removed.
    pub(super) async fn strike(self) {
        if let Some((server, _simulator)) = self.own {
            server.stop().await;
        }
    }
}

/// How far the clocks are put forward before the play begins: over a midnight that is near, else not at all.
fn head_start(now: Time) -> Duration {
    let midnight = now.day().end();
    if midnight.since(now) < BEFORE_MIDNIGHT {
        midnight.plus(Duration::from_secs(60)).since(now)
    } else {
        Duration::ZERO
    }
}

/// The demo's configuration, with what the play relies on set whatever the environment says.
fn configuration(folder: &Path) -> Result<Config> {
    let mut config = Config::load(Profile::Demo, folder)?;
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.ops_listen = Some(([127, 0, 0, 1], 0).into());
    config.server.public_url = String::new();
    config.server.drain_s = 1;
    config.database.url = format!("sqlite://{}/metropay.db?mode=rwc", folder.display());
    config.sms.file = Some(folder.join("sms.log"));
    config.database.migrate = true;
    config.app.require_device_proof = false;
    config.app.return_url = String::new();
    config.caps.per_payment_fen = CAP_FEN.try_into()?;
    config.caps.per_user_day_fen = CAP_FEN.try_into()?;
    config.caps.till_wait_ms = u64::try_from(TILL_WAIT.as_millis())?;
    config.caps.revoke_after_ms = None;
    config.caps.absence_proves_after_ms = None;
    config.caps.send_lease_ms = None;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse_china(text, "%Y%m%d%H%M%S").unwrap()
    }

    #[test]
    fn close_to_midnight_the_play_begins_on_the_next_day() {
        assert_eq!(head_start(at("20260801000000")), Duration::ZERO);
        assert_eq!(head_start(at("20260801235000")), Duration::ZERO);
        let late = at("20260801235001");
        assert_eq!(late.plus(head_start(late)), at("20260802000100"));
    }

    #[test]
    fn a_temporary_ground_is_removed_and_a_kept_one_stays() {
        let ground = Ground::temporary().unwrap();
        let path = ground.path().to_path_buf();
        std::fs::write(path.join("file"), "text").unwrap();
        drop(ground);
        assert!(!path.exists());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        drop(Ground::kept(&path).unwrap());
        assert!(path.exists());
        std::fs::write(path.join("file"), "text").unwrap();
        assert!(Ground::kept(&path).is_err(), "the play begins from nothing");
    }
}
