//! `events`: Apps with a stream each, while tills deduct.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use metropay_core::clock::Time;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::drive::drive;
use super::super::ground::Ground;
use super::super::measure::Times;
use super::super::process::rss_kib;
use super::super::report::{Events, Phase};
use super::super::settings::{GroundSettings, PaceSettings, TimeSettings};
use super::super::stream::{Stream, Told};
use super::super::wire::Wire;
use super::memory_kib;
use super::pay::Scans;

/// How it is played.
#[derive(Debug, Clone, clap::Args)]
pub struct EventsSettings {
    /// Streams, each of a user of his own.
    #[arg(value_name = "STREAMS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(super) streams: u32,
    #[command(flatten)]
    pub(super) pace: PaceSettings,
    #[command(flatten)]
    pub(super) time: TimeSettings,
}

/// Streams that are being opened at a time.
const OPENED_AT_ONCE: usize = 64;
/// How long the server rests before and after, so that memory is what streams need and not what opening them needed.
const REST: Duration = Duration::from_secs(3);
/// How long late events are waited for.
const LATE: Duration = Duration::from_millis(500);

/// What Apps hear.
pub(super) struct Ears {
    scans: Arc<Scans>,
    recorded_to_app: Times,
    due_to_app: Times,
    told: AtomicU64,
    broken: AtomicU64,
    refused: Mutex<BTreeMap<String, u64>>,
    /// Whether what comes is measured now.
    measuring: tokio::sync::watch::Receiver<bool>,
}

/// Of an event, what is looked at.
#[derive(Deserialize)]
struct Heard {
    at: chrono::DateTime<chrono::FixedOffset>,
    data: HeardData,
}

#[derive(Deserialize)]
struct HeardData {
    body: String,
}

impl Ears {
    pub(super) fn new(scans: &Arc<Scans>, measuring: tokio::sync::watch::Receiver<bool>) -> Result<Self> {
        Ok(Self {
            scans: Arc::clone(scans),
            recorded_to_app: Times::new()?,
            due_to_app: Times::new()?,
            told: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            refused: Mutex::default(),
            measuring,
        })
    }

    /// Takes an event in.
    fn hear(&self, told: &Told) {
        if told.kind != "payment.succeeded" || !*self.measuring.borrow() {
            return;
        }
        let Ok(heard) = serde_json::from_str::<Heard>(&told.data) else {
            self.broken.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let recorded = Time(heard.at.timestamp_millis());
        self.recorded_to_app.note_us(us_since(recorded));
        if let Some(time) = self.scans.since(&heard.data.body) {
            self.due_to_app.note(time);
        }
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    /// Listens until the stream ends or nobody wants to know any more.
    async fn listen(&self, mut stream: Stream) {
        while let Ok(told) = stream.next().await {
            self.hear(&told);
        }
        self.broken.fetch_add(1, Ordering::Relaxed);
    }

    fn refuse(&self, reason: String) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(reason).or_default() += 1;
    }

    /// What came of it.
    pub(super) fn found(&self, opened: &Opened, bytes_per_stream: Option<u64>) -> Events {
        Events {
            streams: opened.streams,
            opened_in_ms: opened.in_ms,
            refused: self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            broken: self.broken.load(Ordering::Relaxed),
            bytes_per_stream,
            told: self.told.load(Ordering::Relaxed),
            recorded_to_app: self.recorded_to_app.summary(),
            due_to_app: self.due_to_app.summary(),
        }
    }
}

/// Microseconds from a moment of the server's clock, which is this machine's, to now.
#[expect(
    clippy::disallowed_methods,
    reason = "the engine's clock is cut to milliseconds; what is measured here is below one"
)]
fn us_since(moment: Time) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(0));
    now.saturating_sub(u64::try_from(moment.0).unwrap_or(0).saturating_mul(1_000))
}

/// Streams that were opened. Dropping it closes them.
pub(super) struct Opened {
    pub(super) streams: u64,
    in_ms: u64,
    _listening: JoinSet<()>,
}

/// Opens a stream for each of the first so many users.
pub(super) async fn open(ground: &Ground, ears: &Arc<Ears>, count: usize) -> Result<Opened> {
    let users = &ground.credentials.users;
    ensure!(
        users.len() >= count,
        "{count} streams need as many users, there are {}",
        users.len()
    );
    let wire = Wire::to(&ground.apps_url).await?;
    let (room, begun) = (Arc::new(Semaphore::new(OPENED_AT_ONCE)), Instant::now());
    let mut opening = JoinSet::new();
    for user in users.iter().take(count) {
        let place = Arc::clone(&room).acquire_owned().await?;
        let (address, authority) = (wire.address(), wire.authority().to_owned());
        let (token, ears) = (user.app_token.clone(), Arc::clone(ears));
        opening.spawn(async move {
            let opened = Stream::open(address, &authority, &token).await;
            drop((place, token, authority));
            opened.map_err(|error| ears.refuse(format!("{error:#}"))).ok()
        });
    }
    let opened: Vec<Stream> = opening.join_all().await.into_iter().flatten().collect();
    let (streams, in_ms) = (opened.len(), begun.elapsed().as_millis());
    let mut listening = JoinSet::new();
    for stream in opened {
        let ears = Arc::clone(ears);
        listening.spawn(async move { ears.listen(stream).await });
    }
    Ok(Opened {
        streams: u64::try_from(streams)?,
        in_ms: u64::try_from(in_ms)?,
        _listening: listening,
    })
}

/// Plays it.
pub(super) async fn play(
    own: &EventsSettings,
    ground: &Ground,
    settings: &GroundSettings,
    tell: &impl Fn(&str),
) -> Result<(Phase, Events)> {
    let pace = own.pace.pace();
    let scans = Scans::with_codes(ground, settings, own.time.whole()).await?;
    let (measure, measuring) = tokio::sync::watch::channel(false);
    let ears = Arc::new(Ears::new(&scans, measuring)?);
    let memory = || ground.apps_pid().map(rss_kib);
    tokio::time::sleep(REST).await;
    let before = memory();
    let opened = open(ground, &ears, usize::try_from(own.streams)?).await?;
    tell(&format!("{} streams are open", opened.streams));
    tokio::time::sleep(REST).await;
    let grown = memory()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before) * 1_024);
    let each = grown.and_then(|bytes| bytes.checked_div(opened.streams));
    let scan = {
        let scans = Arc::clone(&scans);
        move |_| {
            let scans = Arc::clone(&scans);
            async move { scans.scan().await.outcome }
        }
    };
    let begin = async {
        tokio::time::sleep(Duration::from_secs(own.time.warmup)).await;
        measure.send_replace(true);
    };
    let probe = ground.probe();
    let (driven, ()) = tokio::join!(drive(pace, &own.time, &probe, scan), begin);
    tokio::time::sleep(LATE).await;
    measure.send_replace(false);
    let found = ears.found(&opened, each);
    Ok((Phase::of("applypay", pace, driven?, memory_kib(ground)), found))
}
