//! The drive: requests that come by a rate or one after the other, timed from the moment at which they are due.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use metropay_core::random::{Random, SeededRandom};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::measure::{Counts, Outcome, Recorder, Summary, Times, Window};
use super::probe::{Probe, Usage};
use super::settings::{Arrivals, Pace, TimeSettings};

/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// Requests in flight at most. An open loop beyond it has long shown that the server does not keep up.
const IN_FLIGHT_MAX: usize = 8_192;
/// Between the decision to begin and the first request.
const HEAD_START: Duration = Duration::from_millis(20);

/// What came of a drive.
#[derive(Debug)]
pub(super) struct Driven {
    /// How long it was measured.
    pub(super) seconds: u64,
    pub(super) counts: Counts,
    pub(super) latency: Summary,
    /// Open loop: how much later than due requests were begun, because of the driver itself.
    pub(super) late: Option<Summary>,
    pub(super) usage: Usage,
}

/// Drives jobs at this pace. A job is told its number and answers what became of it.
///
/// # Errors
/// When a thread cannot be started, or a job panicked.
pub(super) async fn drive<J, F>(pace: Pace, time: &TimeSettings, probe: &Probe, job: J) -> Result<Driven>
where
    J: Fn(u64) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let begin = Instant::now() + HEAD_START;
    let from = begin + Duration::from_secs(time.warmup);
    let window = Window {
        from,
        until: from + Duration::from_secs(time.seconds),
    };
    let recorder = Arc::new(Recorder::new(window)?);
    let job = Arc::new(job);
    let measured = async {
        sleep_until(window.from.into()).await;
        let before = probe.read().await?;
        sleep_until(window.until.into()).await;
        anyhow::Ok(probe.read().await? - before)
    };
    let (late, usage) = match pace {
        Pace::Open { per_second, arrivals } => {
            let due = schedule(per_second, arrivals, begin, window.until)?;
            let (late, usage) = tokio::join!(open(due, &recorder, &job), measured);
            (Some(late?), usage?)
        }
        Pace::Closed { in_flight } => {
            let (done, usage) = tokio::join!(closed(in_flight, window.until, &recorder, &job), measured);
            done?;
            (None, usage?)
        }
    };
    Ok(Driven {
        seconds: time.seconds,
        counts: recorder.counts(),
        latency: recorder.latency(),
        late,
        usage,
    })
}

async fn open<J, F>(
    mut due: mpsc::UnboundedReceiver<Instant>,
    recorder: &Arc<Recorder>,
    job: &Arc<J>,
) -> Result<Summary>
where
    J: Fn(u64) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let (late, mut flying, mut number) = (Times::new()?, JoinSet::new(), 0);
    while let Some(due) = due.recv().await {
        late.note(due.elapsed());
        while flying.try_join_next().is_some() {}
        if flying.len() >= IN_FLIGHT_MAX {
            recorder.note(due, Instant::now(), Outcome::lost("driver: too many in flight"));
            continue;
        }
        let (recorder, job) = (Arc::clone(recorder), Arc::clone(job));
        flying.spawn(async move {
            let outcome = job(number).await;
            recorder.note(due, Instant::now(), outcome);
        });
        number += 1;
    }
    last_answers(flying, Instant::now()).await?;
    Ok(late.summary())
}

async fn closed<J, F>(in_flight: u32, until: Instant, recorder: &Arc<Recorder>, job: &Arc<J>) -> Result<()>
where
    J: Fn(u64) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(0));
    let mut tills = JoinSet::new();
    for _ in 0..in_flight {
        let (recorder, job, next) = (Arc::clone(recorder), Arc::clone(job), Arc::clone(&next));
        tills.spawn(async move {
            loop {
                let due = Instant::now();
                if due >= until {
                    break;
                }
                let outcome = job(next.fetch_add(1, Ordering::Relaxed)).await;
                recorder.note(due, Instant::now(), outcome);
            }
        });
    }
    last_answers(tills, until).await
}

/// Every request is bounded in time by its client, so this ends; the time-out is for a mistake of ours.
async fn last_answers(mut flying: JoinSet<()>, until: Instant) -> Result<()> {
    let all = async {
        while let Some(ended) = flying.join_next().await {
            ended.context("a request of the driver broke off")?;
        }
        Ok(())
    };
    let whole = until.saturating_duration_since(Instant::now()) + LAST_ANSWERS;
    timeout(whole, all).await.context("requests that do not end")?
}

/// The moments at which requests are due. A thread of its own keeps them: the runtime's timers are good to a millisecond
/// only, a sleeping thread to a twentieth of that.
fn schedule(
    per_second: u32,
    arrivals: Arrivals,
    begin: Instant,
    until: Instant,
) -> Result<mpsc::UnboundedReceiver<Instant>> {
    let (sender, due) = mpsc::unbounded_channel();
    let mut gaps = Gaps::new(per_second, arrivals);
    let tick = move || {
        let mut at = begin + gaps.next();
        while at < until {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            // Nobody waits any more.
            if sender.send(at).is_err() {
                return;
            }
            at += gaps.next();
        }
    };
    std::thread::Builder::new()
        .name("arrivals".to_owned())
        .spawn(tick)
        .context("starting the thread of arrivals")?;
    Ok(due)
}

/// The gaps between arrivals.
struct Gaps {
    mean: Duration,
    arrivals: Arrivals,
    random: SeededRandom,
}

/// Runs with the same settings come at the same moments.
const SEED: u64 = 20;

impl Gaps {
    fn new(per_second: u32, arrivals: Arrivals) -> Self {
        Self {
            mean: Duration::from_secs(1) / per_second.max(1),
            arrivals,
            random: SeededRandom::new(SEED),
        }
    }

    #[expect(
        clippy::float_arithmetic,
        reason = "a draw from a distribution of gaps in time; no money"
    )]
    fn next(&mut self) -> Duration {
        if self.arrivals == Arrivals::Even {
            return self.mean;
        }
        let mut bytes = [0u8; 4];
        self.random.fill(&mut bytes);
        // In (0, 1], so that its logarithm is finite.
        let uniform = (f64::from(u32::from_le_bytes(bytes)) + 1.0) / (f64::from(u32::MAX) + 1.0);
        self.mean.mul_f64(-uniform.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_come_at_their_rate_and_poissons_are_as_uneven_as_they_should() {
        const MANY: u32 = 20_000;
        for arrivals in [Arrivals::Poisson, Arrivals::Even] {
            let mut gaps = Gaps::new(1_000, arrivals);
            let all: Vec<Duration> = (0..MANY).map(|_| gaps.next()).collect();
            let mean = all.iter().sum::<Duration>() / MANY;
            assert!(
                mean.as_micros().abs_diff(1_000) < 30,
                "{arrivals:?}: a gap of {mean:?} on average"
            );
            // Of exponential gaps 1 in e is longer than the mean.
            let longer = all.iter().filter(|gap| gap.as_micros() > 1_000).count();
            let expected = if arrivals == Arrivals::Poisson { 7_358 } else { 0 };
            assert!(longer.abs_diff(expected) < 300, "{arrivals:?}: {longer} long gaps");
        }
    }

    #[tokio::test]
    async fn an_open_loop_counts_the_time_that_a_request_waited_for_its_predecessors() {
        let time = TimeSettings { seconds: 1, warmup: 0 };
        let pace = Pace::Open {
            per_second: 50,
            arrivals: Arrivals::Even,
        };
        let one_at_a_time = Arc::new(tokio::sync::Semaphore::new(1));
        let job = move |_| {
            let room = Arc::clone(&one_at_a_time);
            async move {
                let _place = room.acquire().await;
                tokio::time::sleep(Duration::from_millis(40)).await;
                Outcome::wanted("OK")
            }
        };
        let driven = drive(pace, &time, &Probe::default(), job).await.unwrap();
        // 50 come in a second and 25 are served: the last has waited for about a second.
        assert!(driven.counts.asked >= 48, "{driven:?}");
        assert!(driven.counts.done <= 27, "{driven:?}");
        assert!(driven.latency.max_us > 700_000, "{driven:?}");
        let closed = Pace::Closed { in_flight: 1 };
        let job = |_| async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            Outcome::wanted("OK")
        };
        let driven = drive(closed, &time, &Probe::default(), job).await.unwrap();
        assert!(driven.latency.max_us < 700_000, "{driven:?}");
    }
}
