//! `pay`: signed deductions, each with a fresh code.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use metropay_core::random::{Random, SystemRandom};

use super::super::app::App;
use super::super::crowd::{self, Shown};
use super::super::drive::drive;
use super::super::ground::Ground;
use super::super::measure::Outcome;
use super::super::report::Phase;
use super::super::settings::{GroundSettings, Pace, PaceSettings, TimeSettings};
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
    /// Codes that are issued ahead; without it as many as a rate needs, and 4,000 for every second of a closed loop.
    #[arg(long)]
    pub(super) codes: Option<usize>,
}

/// What a closed loop is thought to need in a second, at most.
const CLOSED_PER_SECOND: u64 = 4_000;
/// Codes outlive the measurement by this, and so does the time in which they are issued.
const SPARE_LIFE: Duration = Duration::from_secs(900);
/// On a server that ran already: codes of one user that live at the same time.
const ALIVE: usize = 2;
/// On a server that ran already: codes that are asked for at a time.
const ASKED_AT_ONCE: usize = 32;
/// What is paid: from here on, so that the fee is not nothing, and no two in a row alike.
const FEN_FROM: u64 = 500;
const FEN_SPAN: u64 = 100;

/// Tills with codes to scan.
pub(super) struct Scans {
    tills: Vec<Arc<Till>>,
    codes: Vec<Shown>,
    next: AtomicUsize,
    /// Begins the merchants' numbers of this run.
    run: String,
    /// Moments in the bodies of orders count from here.
    begin: Instant,
}

impl Scans {
    /// Issues so many codes, as far as the server lets us.
    ///
    /// # Errors
    /// When no code can be had.
    pub(super) async fn with_codes(
        ground: &Ground,
        settings: &GroundSettings,
        count: usize,
        life: Duration,
    ) -> Result<Self> {
        let codes = match &ground.own {
            Some(own) => crowd::codes(&own.engine, &own.crowd, count, life).await?,
            None => asked_for(ground, count).await?,
        };
        Ok(Self {
            tills: tills(ground, settings).await?,
            codes,
            next: AtomicUsize::new(0),
            run: SystemRandom.letters(10, b"ABCDEFGHJKLMNPQRSTUVWXYZ"),
            begin: Instant::now(),
        })
    }

    /// Scans the next code.
    pub(super) async fn scan(&self) -> Outcome {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        match self.codes.get(number) {
            Some(code) => self.pay(number, code).await,
            None => Outcome::lost("driver: no code left"),
        }
    }

    /// Scans a code that a user holds who pays at the merchant of this place.
    pub(super) async fn scan_shown(&self, code: &Shown) -> Outcome {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.pay(number, code).await
    }

    async fn pay(&self, number: usize, code: &Shown) -> Outcome {
        let Some(till) = self.tills.get(code.merchant) else {
            return Outcome::lost("driver: no such merchant");
        };
        let fen = FEN_FROM + u64::try_from(number).unwrap_or(0) % FEN_SPAN;
        // The App reads from its event when the order was due.
        let body = self.begin.elapsed().as_micros().to_string();
        till.pay(&self.number(number), &code.digits, &body, fen).await
    }

    /// The merchant's number of an order.
    fn number(&self, number: usize) -> String {
        format!("{}-{number}", self.run)
    }

    /// The till and the merchant's number of the order of this place.
    pub(super) fn order(&self, place: usize) -> Option<(Arc<Till>, String)> {
        let till = self.tills.get(self.codes.get(place)?.merchant)?;
        Some((Arc::clone(till), self.number(place)))
    }

    /// How long before now the order was asked for whose body this is.
    pub(super) fn since(&self, body: &str) -> Option<Duration> {
        let then = Duration::from_micros(body.parse().ok()?);
        self.begin.elapsed().checked_sub(then)
    }
}

/// Codes through the App's door, on a server that ran already: a user's third would end his first.
async fn asked_for(ground: &Ground, count: usize) -> Result<Vec<Shown>> {
    let wire = Arc::new(Wire::to(&ground.apps_url).await?);
    let apps: Vec<App> = ground
        .credentials
        .users
        .iter()
        .map(|user| App::new(&wire, &user.app_token))
        .collect();
    let users = apps.iter().cycle().take(count.min(apps.len() * ALIVE));
    let codes = stream::iter(users.map(|app| async move {
        let digits = app.code().await.context("asking for a code")?;
        anyhow::Ok(Shown { digits, merchant: 0 })
    }));
    codes.buffer_unordered(ASKED_AT_ONCE).try_collect().await
}

/// Codes that a pace needs in this time.
pub(super) fn codes_needed(pace: Pace, time: &TimeSettings) -> usize {
    let per_second = match pace {
        // Poisson's arrivals are a few more in some runs.
        Pace::Open { per_second, .. } => u64::from(per_second) * 11 / 10 + 20,
        Pace::Closed { .. } => CLOSED_PER_SECOND,
    };
    usize::try_from(per_second * time.whole().as_secs().max(1)).unwrap_or(usize::MAX)
}

/// Plays it.
pub(super) async fn play(own: &PaySettings, ground: &Ground, settings: &GroundSettings) -> Result<Phase> {
    let pace = own.pace.pace();
    let count = own.codes.unwrap_or_else(|| codes_needed(pace, &own.time));
    let scans = Scans::with_codes(ground, settings, count, own.time.whole() + SPARE_LIFE).await?;
    let scans = Arc::new(scans);
    let scan = move |_| {
        let scans = Arc::clone(&scans);
        async move { scans.scan().await }
    };
    let driven = drive(pace, &own.time, &ground.probe(), scan).await?;
    Ok(Phase::of("applypay", pace, driven, memory_kib(ground)))
}
