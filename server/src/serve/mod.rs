//! The server: engine, doors, jobs and, in the demo, simulators, started and stopped together.

mod listen;
mod ops;
mod pages;
mod shared;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use metropay_core::clock::{Clock, MovedClock};
use metropay_core::engine::{Engine, Parts};
use metropay_core::job::{Job, hand_back};
use metropay_core::limit;
use metropay_core::node::{DatabaseClock, follow_room};
use metropay_core::people::{PlatformKeys, unlock_vault};
use metropay_core::random::SystemRandom;
use metropay_core::rule;
use metropay_core::secret::Secret;
use metropay_core::vault::{IndexPurpose, MasterKey, Vault};
use metropay_core::webhook;
use metropay_core::{Db, Lane};
use metropay_migrations::Migrator;
use metropay_payment_api::app::AppDoor;
use metropay_payment_api::app::token::TokenVerifier;
use metropay_payment_api::till::Budgets;
use metropay_payment_api::{Doors, Entrances, router};
use metropay_scripts::LuauRules;
use metropay_web::layers::{Door, fit};
use metropay_web::openapi;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bench::InstantFactory;
use crate::config::Config;
use crate::courier::GuardCourier;
use crate::registry;
use crate::watch::traces;
use shared::Shared;

/// A running server. [`Server::stop`] drains it; dropping it stops it at once.
pub struct Server {
    engine: Arc<Engine>,
    keys: Arc<PlatformKeys>,
    addr: SocketAddr,
    ops: Option<ops::Ops>,
    leaving: CancellationToken,
    unready: Duration,
    stop: CancellationToken,
    listening: JoinHandle<()>,
    jobs: Vec<JoinHandle<()>>,
    shared: Shared,
}

/// Opens the database, and brings its schema up to date where the configuration says so.
///
/// # Errors
/// When its folder cannot be made, it cannot be opened, or a migration fails.
pub async fn open_database(config: &Config) -> Result<Db> {
    if let Some(folder) = config.database.file().as_deref().and_then(|file| file.parent()) {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let db = Db::open(&config.database.url, config.database.pools)
        .await
        .context("opening the database")?;
    if config.database.migrate {
        migrate(&db).await?;
    }
    Ok(db)
}

/// Brings the schema up to date.
///
/// # Errors
/// When a migration fails; the schema stays as it was before that one.
pub async fn migrate(db: &Db) -> Result<()> {
    db.migrate::<Migrator>().await.context("bringing the schema up to date")
}

/// How long a stopping server waits for whoever still uses the database.
const CLOSE_MAX: Duration = Duration::from_secs(5);

impl Server {
    /// Starts a server. The listener is bound first, so that the address is known to everything that is built.
    ///
    /// # Errors
    /// When the configuration cannot work, the address is taken, or the database does not open.
    pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("listening on {}", config.server.listen))?;
        let addr = listener.local_addr()?;
        let node = format!("{}-{}", addr.port(), uuid::Uuid::new_v4().simple());
        let movable = config.drill.movable_clock.then(|| Arc::new(MovedClock::default()));
        let clock = movable.clone().map_or(clock, |movable| movable);
        let db = open_database(config).await?;
        let time = DatabaseClock::start(clock, &db).await.context("the database's time")?;
        let (vault, keys) = unlock(config, &db, &*time).await?;
        let mut shared = Shared::start(config, &node, &db)?;
        let engine = Arc::new(engine(
            config,
            addr,
            node,
            time.clone(),
            (db, vault, Arc::clone(&keys)),
            &shared,
        )?);
        rule::keep_defaults(&engine)
            .await
            .context("keeping the rules of this release")?;
        let budgets = Arc::new(Budgets::shared(config.budgets.clone(), Arc::clone(&shared.peers)));
        shared.attend(&engine, &budgets);
        let leaving = CancellationToken::new();
        let queries = Arc::new(engine.on(Lane::Queries));
        let doors = Doors {
            entrances: Arc::new(Entrances::new(config.entrance, &engine, &queries)),
            engine: Arc::clone(&engine),
            queries,
            keys: Arc::clone(&keys),
            app: Arc::new(app_door(config)?),
            budgets,
            leaving: leaving.clone(),
        };
        let app = application(config, doors, Arc::clone(&time))?;
        let stop = CancellationToken::new();
        let unready = Duration::from_secs(config.server.unready_s);
        let drain = Duration::from_secs(config.server.drain_s).saturating_sub(unready);
        let bounds = listen::Bounds {
            connections_max: config.server.connections_max,
            drain,
        };
        let ops = match config.server.ops_listen {
            Some(at) => Some(ops::start(at, (Arc::clone(&engine), movable), stop.clone(), bounds).await?),
            None => None,
        };
        let listening = tokio::spawn(listen::serve(listener, app, stop.clone(), bounds));
        let working = Arc::new(engine.on(Lane::Jobs));
        let mut jobs: Vec<_> = Job::ALL
            .into_iter()
            .map(|job| tokio::spawn(job.run(Arc::clone(&working))))
            .collect();
        jobs.push(tokio::spawn(time.follow(working.db.clone())));
        jobs.push(tokio::spawn(follow_room(working)));
        Ok(Self {
            engine,
            keys,
            addr,
            ops,
            leaving,
            unready,
            stop,
            listening,
            jobs,
            shared,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address as a URL without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The address of the operators' listener, where there is one.
    pub fn ops_url(&self) -> Option<String> {
        self.ops.as_ref().map(|ops| format!("http://{}", ops.addr))
    }

    /// The engine, for what runs in the same process.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The platform's keys.
    pub fn keys(&self) -> &PlatformKeys {
        &self.keys
    }

    /// Says that it is not ready and ends the event streams; after a while stops accepting, lets requests in progress end, stops the
    /// jobs, lets merchants be told what is on its way, and closes the database.
    pub async fn stop(mut self) {
        self.leaving.cancel();
        tokio::time::sleep(self.unready).await;
        self.stop.cancel();
        if let Err(error) = (&mut self.listening).await {
            tracing::error!(%error, "the listener ended badly: {error}");
        }
        if let Some(ops) = &mut self.ops {
            // It stops by the same word; whether it ended well concerns nobody any more.
            let _ = (&mut ops.listening).await;
        }
        for job in self.jobs.drain(..) {
            job.abort();
            // Aborted is how it ends.
            let _ = job.await;
        }
        if !webhook::finish(&self.engine, CLOSE_MAX).await {
            tracing::warn!("some merchants' servers are slow to take what they are told; other nodes tell it again");
        }
        let handing_back = hand_back(&self.engine);
        match tokio::time::timeout(CLOSE_MAX, handing_back).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "leases end by themselves: {error}"),
            Err(_) => tracing::warn!("leases end by themselves: the database does not answer"),
        }
        self.shared.stop().await;
        match tokio::time::timeout(CLOSE_MAX, self.engine.db.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the database does not close: {error}"),
            Err(_) => tracing::warn!("the database is still in use; the next start carries on from its log"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.leaving.cancel();
        self.stop.cancel();
        for job in &self.jobs {
            job.abort();
        }
    }
}

/// The engine and the platform's keys without doors and jobs, on a database whose schema is up to date; it shares nothing.
///
/// # Errors
/// When the configuration cannot work, or the database does not open or belongs to another master key.
pub(crate) async fn build(
    config: &Config,
    addr: SocketAddr,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Engine>, Arc<PlatformKeys>)> {
    let db = open_database(config).await?;
    let (vault, keys) = unlock(config, &db, &*clock).await?;
    let alone = Config {
        redis: None,
        ..config.clone()
    };
    let shared = Shared::start(&alone, "alone", &db)?;
    let engine = engine(
        config,
        addr,
        "alone".to_owned(),
        clock,
        (db, vault, Arc::clone(&keys)),
        &shared,
    )?;
    Ok((Arc::new(engine), keys))
}

/// Opens the vault and the platform's keys.
async fn unlock(config: &Config, db: &Db, clock: &dyn Clock) -> Result<(Vault, Arc<PlatformKeys>)> {
    let master = MasterKey::parse(&config.secrets.master_key).context("secrets.master_key")?;
    let vault = unlock_vault(db, &master, clock, &SystemRandom)
        .await
        .context("opening the vault")?;
    let keys = PlatformKeys::load(db, &vault, clock, &SystemRandom)
        .await
        .context("loading the platform's keys")?;
    Ok((vault, Arc::new(keys)))
}

fn engine(
    config: &Config,
    addr: SocketAddr,
    node: String,
    clock: Arc<dyn Clock>,
    (db, vault, signer): (Db, Vault, Arc<PlatformKeys>),
    shared: &Shared,
) -> Result<Engine> {
    let public_url = match config.server.public_url.trim_end_matches('/') {
        "" => format!("http://{addr}"),
        url => url.to_owned(),
    };
    let channels = if config.bench.instant {
        registry::channels().with(InstantFactory)
    } else {
        registry::channels()
    };
    let number_secret = Secret::from(vault.index(IndexPurpose::MemberNumber, "builtin"));
    let members = registry::members(config.merchant_calls.guard("member")?, &number_secret)?;
    Ok(Engine::new(Parts {
        db,
        clock,
        random: Arc::new(SystemRandom),
        vault: Arc::new(vault),
        rules: Arc::new(LuauRules::new()),
        code: config.code.question()?,
        live: shared.live.clone(),
        once: shared.once.clone(),
        directory: shared.directory.clone(),
        channels,
        members,
        signer,
        courier: Arc::new(GuardCourier::new(config.merchant_calls.guard("webhook")?)),
        sms: config.sms.sender(),
        caps: config.caps.caps()?,
        public_url,
        node,
    }))
}

fn app_door(config: &Config) -> Result<AppDoor> {
    let tokens = TokenVerifier::new(&config.app.issuer()).context("app.keys")?;
    let return_url = Some(config.app.return_url.clone()).filter(|url| !url.is_empty());
    Ok(AppDoor {
        tokens,
        require_device_proof: config.app.require_device_proof,
        return_url,
    })
}

/// All doors and pages, fitted with their layers.
fn application(config: &Config, doors: Doors, time: Arc<DatabaseClock>) -> Result<Router> {
    let mut door = Door::new(Arc::clone(&doors.engine.clock), Arc::clone(&doors.engine.random));
    door.on_span = Some(traces::link);
    door.proxies = config.server.proxies.clone();
    door.body_max_bytes_under = vec![("/notify/", limit::NOTICE_BODY_MAX)];
    let (router, description) = router().split_for_parts();
    let description = pages::describe(description);
    let pages = pages::router().with_state(pages::Standing {
        doors: doors.clone(),
        time,
    });
    let routes = router
        .with_state(doors)
        .merge(pages)
        .merge(openapi::pages(description).context("writing the API's description")?);
    Ok(fit(routes, door))
}
