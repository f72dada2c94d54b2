//! `riders`: users at once, each with the code page open. His App holds a stream of events, fetches a fresh code in time and
//! after every payment, and he pays every half minute.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use metropay_core::limit;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::super::app::App;
use super::super::crowd::Shown;
use super::super::drive::{Driven, drive};
use super::super::ground::Ground;
use super::super::measure::{Outcome, Recorder, Times, Window};
use super::super::probe::Usage;
use super::super::process::rss_kib;
use super::super::report::{Events, Phase};
use super::super::settings::{Arrivals, GroundSettings, Pace, TimeSettings};
use super::super::wire::Wire;
use super::events::{Ears, open};
use super::memory_kib;
use super::pay::Scans;

/// How it is played.
#[derive(Debug, Clone, clap::Args)]
pub struct RidersSettings {
    /// Users at once.
    #[arg(value_name = "USERS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(super) riders: u32,
    /// From one payment of a user to his next, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(11..=3_600))]
    pub(super) every: u64,
    #[command(flatten)]
    pub(super) time: TimeSettings,
}

/// Before the crowd comes: a payment now and then, for what it takes on an idle server.
const UNLOADED: Pace = Pace::Open {
    per_second: 20,
    arrivals: Arrivals::Even,
};
const UNLOADED_TIME: TimeSettings = TimeSettings { seconds: 5, warmup: 2 };
/// How long the server rests before memory is read.
const REST: Duration = Duration::from_secs(3);
/// The first codes are fetched within this time, not all at once.
const RAMP: Duration = Duration::from_secs(15);
/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// What all riders share.
struct Ride {
    scans: Arc<Scans>,
    payments: Recorder,
    codes: Recorder,
    late: Times,
    begin: Instant,
    until: Instant,
    every: Duration,
}

/// One of them.
struct Rider {
    app: App,
    merchant: usize,
    member: usize,
    /// When he fetches his first code, and when he pays first.
    code_at: Instant,
    pay_at: Instant,
}

impl Rider {
    async fn ride(mut self, ride: &Ride) {
        let mut code: Option<Shown> = None;
        loop {
            let next = self.code_at.min(self.pay_at);
            if next >= ride.until {
                return;
            }
            sleep_until(next.into()).await;
            if self.pay_at <= self.code_at {
                ride.late.note(self.pay_at.elapsed());
                let due = Instant::now();
                let outcome = match code.take() {
                    Some(code) => ride.scans.scan_shown(&code).await.outcome,
                    None => Outcome::lost("no code in hand"),
                };
                ride.payments.note(due, Instant::now(), outcome);
                self.pay_at += ride.every;
            }
            code = self.fetch(ride).await.or(code);
            self.code_at = Instant::now() + limit::CODE_REFRESH;
        }
    }

    async fn fetch(&self, ride: &Ride) -> Option<Shown> {
        let due = Instant::now();
        let answer = self.app.code().await;
        let outcome = match &answer {
            Ok(_) => Outcome::wanted("OK"),
            Err(error) => Outcome::other(&error.to_string()),
        };
        ride.codes.note(due, Instant::now(), outcome);
        let digits = answer.ok()?;
        Some(Shown {
            digits,
            merchant: self.merchant,
            member: self.member,
        })
    }
}

/// Plays it.
pub(super) async fn play(
    own: &RidersSettings,
    ground: &Ground,
    settings: &GroundSettings,
    tell: &impl Fn(&str),
) -> Result<(Vec<Phase>, Option<Events>)> {
    let count = usize::try_from(own.riders)?;
    ensure!(
        ground.credentials.users.len() >= count,
        "there are fewer users than riders"
    );
    let scans = Scans::with_codes(ground, settings, own.time.whole()).await?;
    let idle = {
        let scans = Arc::clone(&scans);
        move |_| {
            let scans = Arc::clone(&scans);
            async move { scans.scan().await.outcome }
        }
    };
    let driven = drive(UNLOADED, &UNLOADED_TIME, &ground.probe(), idle).await?;
    let unloaded = Phase::of("applypay, unloaded", UNLOADED, driven, memory_kib(ground));
    let (measure, measuring) = tokio::sync::watch::channel(false);
    let ears = Arc::new(Ears::new(&scans, measuring)?);
    let memory = || ground.apps_pid().map(rss_kib);
    let before = memory();
    let opened = open(ground, &ears, count).await?;
    tell(&format!("{} streams are open", opened.streams));
    tokio::time::sleep(REST).await;
    let grown = memory()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before) * 1_024);
    let each = grown.and_then(|bytes| bytes.checked_div(opened.streams));
    let phases = ride(own, ground, &scans, &measure).await?;
    measure.send_replace(false);
    let found = ears.found(&opened, each);
    Ok((std::iter::once(unloaded).chain(phases).collect(), Some(found)))
}

/// Lets them ride; what payments and codes took.
async fn ride(
    own: &RidersSettings,
    ground: &Ground,
    scans: &Arc<Scans>,
    measure: &tokio::sync::watch::Sender<bool>,
) -> Result<[Phase; 2]> {
    let begin = Instant::now();
    let from = begin + Duration::from_secs(own.time.warmup);
    let until = from + Duration::from_secs(own.time.seconds);
    let window = Window { from, until };
    let ride = Arc::new(Ride {
        scans: Arc::clone(scans),
        payments: Recorder::new(window)?,
        codes: Recorder::new(window)?,
        late: Times::new()?,
        begin,
        until,
        every: Duration::from_secs(own.every),
    });
    let mut riding = JoinSet::new();
    for rider in riders(own, ground, &ride).await? {
        let ride = Arc::clone(&ride);
        riding.spawn(async move { rider.ride(&ride).await });
    }
    let probe = ground.probe();
    sleep_until(from.into()).await;
    measure.send_replace(true);
    let before = probe.read().await?;
    sleep_until(until.into()).await;
    let usage = probe.read().await? - before;
    timeout(LAST_ANSWERS, riding.join_all())
        .await
        .context("riders who are still not answered")?;
    let phase = |name, recorder: &Recorder, late, usage| {
        let driven = Driven {
            seconds: own.time.seconds,
            counts: recorder.counts(),
            latency: recorder.latency(),
            late,
            usage,
        };
        let pace = Pace::Closed { in_flight: own.riders };
        Phase::of(name, pace, driven, memory_kib(ground))
    };
    Ok([
        phase("applypay, riders", &ride.payments, Some(ride.late.summary()), usage),
        // What it all cost stands with the payments.
        phase("codes, riders", &ride.codes, None, Usage::default()),
    ])
}

/// The riders, who come and pay at different moments.
async fn riders(own: &RidersSettings, ground: &Ground, ride: &Ride) -> Result<Vec<Rider>> {
    let wire = Arc::new(Wire::to(&ground.apps_url).await?);
    let users = ground.credentials.users.iter().take(usize::try_from(own.riders)?);
    let merchant = |place: usize| {
        let member = ground.own.as_ref().and_then(|own| own.crowd.users.get(place));
        member.map_or(0, |member| member.merchant)
    };
    Ok(users
        .zip(0u32..)
        .enumerate()
        .map(|(place, (user, number))| Rider {
            app: App::new(&wire, &user.app_token),
            merchant: merchant(place),
            member: place,
            code_at: ride.begin + RAMP / own.riders * number,
            pay_at: ride.begin + RAMP + ride.every / own.riders * number,
        })
        .collect())
}
