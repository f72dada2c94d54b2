//! `pay`: signed deductions, each with a fresh code.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use metropay_core::engine::Engine;
use metropay_core::random::{Random, SystemRandom};

use super::super::app::App;
use super::super::crowd::{self, Crowd, Shown};
use super::super::drive::drive;
use super::super::ground::Ground;
use super::super::measure::Outcome;
use super::super::report::Phase;
use super::super::settings::{GroundSettings, PaceSettings, TimeSettings};
use super::super::till::Till;
use super::super::wire::Wire;
use super::{memory_kib, tills};

/// How it is played.
#[derive(Debug, Clone, clap::Args)]
pub struct PaySettings {
    #[command(flatten)]
    pub(super) pace: PaceSettings,
    #[command(flatten)]
    pub(super) time: TimeSettings,
}

/// Codes outlive the measurement by this: opening many streams takes a while.
const SPARE_LIFE: Duration = Duration::from_secs(900);
/// On a server that ran already: codes that are asked for at a time.
const ASKED_AT_ONCE: usize = 32;
/// What is paid: from here on, so that the fee is not nothing, and no two in a row alike.
const FEN_FROM: u64 = 500;
const FEN_SPAN: u64 = 100;

/// Users who paid get a fresh code so soon, together, by one statement: the use of a code ends the user's others, so none can
/// be had ahead.
const REFILL: Duration = Duration::from_millis(100);
/// How long a till waits for a code when everybody's is spent, and between two looks.
const CODE_WAIT: Duration = Duration::from_secs(1);
const CODE_LOOK: Duration = Duration::from_millis(5);

/// Tills with codes to scan.
pub(super) struct Scans {
    tills: Vec<Arc<Till>>,
    /// Codes that can be scanned, one of each user.
    ready: Mutex<VecDeque<Shown>>,
    /// Users whose code was scanned, by their places.
    spent: Mutex<Vec<usize>>,
    next: AtomicUsize,
    /// Begins the merchants' numbers of this run.
    run: String,
    /// Moments in the bodies of orders count from here.
    begin: Instant,
}

/// A scan and what became of it.
pub(super) struct Scanned {
    pub(super) outcome: Outcome,
    /// Where it was made, and under which number; nothing where no code was left.
    pub(super) order: Option<(Arc<Till>, String)>,
}

impl Scans {
    /// Gives every user a code, and on PostgreSQL a fresh one to everybody who has paid. On the embedded database, and on a
    /// server that ran already, there is only the first.
    ///
    /// # Errors
    /// When no code can be had.
    pub(super) async fn with_codes(ground: &Ground, settings: &GroundSettings, time: Duration) -> Result<Arc<Self>> {
        let life = time + SPARE_LIFE;
        let codes = match &ground.own {
            Some(own) => {
                let places = crowd::turns(&own.crowd, usize::MAX);
                crowd::codes(&own.engine, &own.crowd, &places, life).await?
            }
            None => asked_for(ground).await?,
        };
        let scans = Arc::new(Self {
            tills: tills(ground, settings).await?,
            ready: Mutex::new(codes.into()),
            spent: Mutex::default(),
            next: AtomicUsize::new(0),
            run: SystemRandom.letters(10, b"ABCDEFGHJKLMNPQRSTUVWXYZ"),
            begin: Instant::now(),
        });
        // The embedded database has one writing process, and that is the server.
        if let Some(own) = ground.own.as_ref().filter(|own| !own.embedded) {
            let (engine, crowd) = (Arc::clone(&own.engine), Arc::clone(&own.crowd));
            tokio::spawn(refill(Arc::downgrade(&scans), engine, crowd, life));
        }
        Ok(scans)
    }

    /// Scans the next code.
    pub(super) async fn scan(&self) -> Scanned {
        let Some(code) = self.code().await else {
            return Scanned {
                outcome: Outcome::lost("driver: everybody's code is spent"),
                order: None,
            };
        };
        let scanned = self.scan_shown(&code).await;
        self.spent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(code.member);
        scanned
    }

    /// Scans a code that a user holds.
    pub(super) async fn scan_shown(&self, code: &Shown) -> Scanned {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(till) = self.tills.get(code.merchant) else {
            return Scanned {
                outcome: Outcome::lost("driver: no such merchant"),
                order: None,
            };
        };
        let fen = FEN_FROM + u64::try_from(number).unwrap_or(0) % FEN_SPAN;
        // The App reads from its event when the order was asked for.
        let body = self.begin.elapsed().as_micros().to_string();
        let out_request_no = format!("{}-{number}", self.run);
        Scanned {
            outcome: till.pay(&out_request_no, &code.digits, &body, fen).await,
            order: Some((Arc::clone(till), out_request_no)),
        }
    }

    async fn code(&self) -> Option<Shown> {
        let end = Instant::now() + CODE_WAIT;
        loop {
            let code = self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if code.is_some() || Instant::now() >= end {
                return code;
            }
            tokio::time::sleep(CODE_LOOK).await;
        }
    }

    /// How long before now the order was asked for whose body this is.
    pub(super) fn since(&self, body: &str) -> Option<Duration> {
        let then = Duration::from_micros(body.parse().ok()?);
        self.begin.elapsed().checked_sub(then)
    }
}

/// Gives fresh codes to those who paid, for as long as anybody scans.
async fn refill(scans: Weak<Scans>, engine: Arc<Engine>, crowd: Arc<Crowd>, life: Duration) {
    loop {
        tokio::time::sleep(REFILL).await;
        let Some(scans) = scans.upgrade() else { return };
        let spent = std::mem::take(&mut *scans.spent.lock().unwrap_or_else(PoisonError::into_inner));
        match crowd::codes(&engine, &crowd, &spent, life).await {
            Ok(fresh) => scans.ready.lock().unwrap_or_else(PoisonError::into_inner).extend(fresh),
            Err(error) => {
                tracing::warn!("no fresh codes: {error:#}");
                scans.spent.lock().unwrap_or_else(PoisonError::into_inner).extend(spent);
            }
        }
    }
}

/// A code for every user through the App's door, on a server that ran already.
async fn asked_for(ground: &Ground) -> Result<Vec<Shown>> {
    let wire = Arc::new(Wire::to(&ground.apps_url).await?);
    let users = ground.credentials.users.iter().enumerate();
    let codes = stream::iter(users.map(|(member, user)| {
        let app = App::new(&wire, &user.app_token);
        async move {
            let digits = app.code().await.context("asking for a code")?;
            anyhow::Ok(Shown {
                digits,
                merchant: 0,
                member,
            })
        }
    }));
    codes.buffer_unordered(ASKED_AT_ONCE).try_collect().await
}

/// Plays it.
pub(super) async fn play(own: &PaySettings, ground: &Ground, settings: &GroundSettings) -> Result<Phase> {
    let pace = own.pace.pace();
    let scans = Scans::with_codes(ground, settings, own.time.whole()).await?;
    let scan = move |_| {
        let scans = Arc::clone(&scans);
        async move { scans.scan().await.outcome }
    };
    let driven = drive(pace, &own.time, &ground.probe(), scan).await?;
    Ok(Phase::of("applypay", pace, driven, memory_kib(ground)))
}
