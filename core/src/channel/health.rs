//! How channel accounts are doing: success, latency and the last error over sliding windows, and a breaker for each account.
//!
//! The breaker keeps new payments away from an account whose channel answers nothing, before anything is written down or
//! any money moves (FLT-34). What was written down already is asked about and undone all the same: queries always pass, and
//! the first that is answered closes the breaker.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::id::{AccountId, ChannelId};
use crate::limit;

/// How a call went, as far as the account's health is concerned. A refusal of an order is an answer like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// There was an understood answer.
    Answered,
    /// The channel says that the set-up is wrong (its text).
    Misconfigured(String),
    /// There was no understood answer (why).
    Unanswered(String),
    /// Nothing could be sent (why).
    NotSent(String),
}

/// Whether an account takes new payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// It does.
    Closed,
    /// It does not: its channel answers nothing.
    Open,
    /// One at a time may try.
    Trying,
}

impl Breaker {
    /// All states, each with the word by which it is counted.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Closed, "closed"), (Self::Open, "open"), (Self::Trying, "trying")];
}

/// What a way's health is, as a route rule sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayHealth {
    /// Whether the account takes new payments.
    pub breaker: Breaker,
    /// Answered calls of the last minute in thousandths; nothing where there were none.
    pub answered_permille: Option<u32>,
    /// Under which the latency of 95 in 100 calls of the last minute lies, in milliseconds.
    pub latency_ms: Option<u64>,
}

/// Calls of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// All of them.
    pub calls: u64,
    /// With an understood answer.
    pub answered: u64,
    /// Answered with "the set-up is wrong".
    pub misconfigured: u64,
    /// Without an understood answer.
    pub unanswered: u64,
    /// That could not be sent.
    pub not_sent: u64,
    /// Under which the latency of half of them lies, in milliseconds.
    pub latency_ms_median: Option<u64>,
    /// Under which the latency of 95 in 100 of them lies, in milliseconds.
    pub latency_ms_p95: Option<u64>,
}

/// The last call that did not go well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// When.
    pub at: Time,
    /// Which call: `deduct`, `query_payment`, …
    pub call: &'static str,
    /// What was wrong.
    pub text: String,
}

/// How an account is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountHealth {
    /// The account.
    pub account: AccountId,
    /// Its channel.
    pub channel: ChannelId,
    /// Whether it takes new payments.
    pub breaker: Breaker,
    /// The last minute.
    pub minute: Figures,
    /// The last ten minutes.
    pub ten_minutes: Figures,
    /// The last call that did not go well.
    pub last_error: Option<LastError>,
}

/// The health of all accounts, as this process sees it.
#[derive(Debug, Default)]
pub struct Health {
    gauges: Mutex<HashMap<AccountId, Gauge>>,
}

impl Health {
    /// Notes how a call went and how long it took.
    pub fn note(
        &self,
        (account, channel): (&AccountId, &ChannelId),
        call: &'static str,
        went: Went,
        took: Duration,
        now: Time,
    ) {
        let mut gauges = self.gauges();
        if gauges.len() >= limit::HEALTH_ACCOUNTS_MAX && !gauges.contains_key(account) {
            gauges.retain(|_, gauge| gauge.newest().is_some_and(|at| now.since(at) < TEN_MINUTES));
        }
        let gauge = gauges
            .entry(account.clone())
            .or_insert_with(|| Gauge::new(channel.clone()));
        gauge.note(call, went, took, now);
    }

    /// Whether a new payment may go to this account now. Where one may only try, this one is the try.
    ///
    /// # Errors
    /// How long to wait, where it may not.
    pub fn admit(&self, account: &AccountId, now: Time) -> Result<(), Duration> {
        let mut gauges = self.gauges();
        let Some(gauge) = gauges.get_mut(account) else {
            return Ok(());
        };
        let Some(closed_until) = gauge.closed_until else {
            return Ok(());
        };
        if now < closed_until {
            return Err(closed_until.since(now));
        }
        // The next one tries when this one has had its time.
        gauge.closed_until = Some(now.plus(limit::BREAKER_TRY_EVERY));
        Ok(())
    }

    /// A way's health, as a route rule sees it.
    pub fn of(&self, account: &AccountId, now: Time) -> WayHealth {
        let gauges = self.gauges();
        let Some(gauge) = gauges.get(account) else {
            return WayHealth {
                breaker: Breaker::Closed,
                answered_permille: None,
                latency_ms: None,
            };
        };
        let figures = gauge.figures(now, MINUTE);
        WayHealth {
            breaker: gauge.breaker(now),
            answered_permille: permille(figures.answered, figures.calls),
            latency_ms: figures.latency_ms_p95,
        }
    }

    /// All accounts that were called since the process began.
    pub fn all(&self, now: Time) -> Vec<AccountHealth> {
        let gauges = self.gauges();
        let mut all: Vec<AccountHealth> = gauges
            .iter()
            .map(|(account, gauge)| AccountHealth {
                account: account.clone(),
                channel: gauge.channel.clone(),
                breaker: gauge.breaker(now),
                minute: gauge.figures(now, MINUTE),
                ten_minutes: gauge.figures(now, TEN_MINUTES),
                last_error: gauge.last_error.clone(),
            })
            .collect();
        all.sort_by(|one, other| one.account.cmp(&other.account));
        all
    }

    /// How many of the accounts that were called since the process began have their breaker in which state, by channel.
    pub fn breakers(&self, now: Time) -> HashMap<(ChannelId, Breaker), usize> {
        let gauges = self.gauges();
        let mut counts: HashMap<(ChannelId, Breaker), usize> = HashMap::new();
        for gauge in gauges.values() {
            let count = counts.entry((gauge.channel.clone(), gauge.breaker(now))).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    fn gauges(&self) -> MutexGuard<'_, HashMap<AccountId, Gauge>> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// How long a bucket counts.
const BUCKET_MS: i64 = 5_000;
/// Upper edges of latencies, in milliseconds; the last takes everything above.
const EDGES_MS: [u64; 14] = [
    5, 10, 20, 50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 60_000,
];

/// Calls of a few seconds.
#[derive(Debug, Clone, Default)]
struct Bucket {
    number: i64,
    answered: u64,
    misconfigured: u64,
    unanswered: u64,
    not_sent: u64,
    latencies: [u64; EDGES_MS.len()],
}

/// One account's window.
#[derive(Debug)]
struct Gauge {
    channel: ChannelId,
    /// The oldest first; no more than ten minutes of them.
    buckets: std::collections::VecDeque<Bucket>,
    last_error: Option<LastError>,
    /// Where the breaker is open: until when nobody may try.
    closed_until: Option<Time>,
}

impl Gauge {
    fn new(channel: ChannelId) -> Self {
        Self {
            channel,
            buckets: std::collections::VecDeque::new(),
            last_error: None,
            closed_until: None,
        }
    }

    fn newest(&self) -> Option<Time> {
        self.buckets
            .back()
            .map(|bucket| Time(bucket.number.saturating_mul(BUCKET_MS)))
    }

    fn note(&mut self, call: &'static str, went: Went, took: Duration, now: Time) {
        let bucket = self.bucket(now);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let place = EDGES_MS.iter().position(|edge| took_ms <= *edge);
        let last = EDGES_MS.len().saturating_sub(1);
        if let Some(count) = bucket.latencies.get_mut(place.unwrap_or(last)) {
            *count = count.saturating_add(1);
        }
        let (count, error) = match went {
            Went::Answered => (&mut bucket.answered, None),
            Went::Misconfigured(text) => (&mut bucket.misconfigured, Some(text)),
            Went::Unanswered(text) => (&mut bucket.unanswered, Some(text)),
            Went::NotSent(text) => (&mut bucket.not_sent, Some(text)),
        };
        *count = count.saturating_add(1);
        let heard = error.is_none();
        if let Some(text) = error {
            self.last_error = Some(LastError { at: now, call, text });
        }
        if heard && self.closed_until.is_some() {
            // It answers again: what was before counts no more.
            self.closed_until = None;
            self.buckets.clear();
        } else if self.closed_until.is_none() && self.is_silent(now) {
            tracing::warn!(channel = %self.channel, "an account's channel answers nothing; new payments are kept away");
            self.closed_until = Some(now.plus(limit::BREAKER_OPEN_FOR));
        }
    }

    /// The bucket of now. A clock that was set back counts into the newest.
    fn bucket(&mut self, now: Time) -> &mut Bucket {
        let number = now.0.div_euclid(BUCKET_MS);
        let oldest = number.saturating_sub(i64::try_from(TEN_MINUTES.as_millis()).unwrap_or(0) / BUCKET_MS);
        while self.buckets.front().is_some_and(|bucket| bucket.number < oldest) {
            self.buckets.pop_front();
        }
        if self.buckets.back().is_none_or(|bucket| bucket.number < number) {
            self.buckets.push_back(Bucket {
                number,
                ..Bucket::default()
            });
        }
        let last = self.buckets.len().saturating_sub(1);
        &mut self.buckets[last]
    }

    fn within(&self, now: Time, window: Duration) -> impl Iterator<Item = &Bucket> {
        let oldest = now.minus(window).0.div_euclid(BUCKET_MS);
        self.buckets.iter().filter(move |bucket| bucket.number > oldest)
    }

    fn is_silent(&self, now: Time) -> bool {
        let figures = self.figures(now, MINUTE);
        let lost = figures.unanswered.saturating_add(figures.not_sent);
        figures.calls >= limit::BREAKER_CALLS_MIN
            && permille(lost, figures.calls).is_some_and(|share| share >= limit::BREAKER_LOST_PERMILLE)
    }

    fn breaker(&self, now: Time) -> Breaker {
        match self.closed_until {
            None => Breaker::Closed,
            Some(until) if now < until => Breaker::Open,
            Some(_) => Breaker::Trying,
        }
    }

    fn figures(&self, now: Time, window: Duration) -> Figures {
        let mut figures = Figures::default();
        let mut latencies = [0u64; EDGES_MS.len()];
        for bucket in self.within(now, window) {
            figures.answered = figures.answered.saturating_add(bucket.answered);
            figures.misconfigured = figures.misconfigured.saturating_add(bucket.misconfigured);
            figures.unanswered = figures.unanswered.saturating_add(bucket.unanswered);
            figures.not_sent = figures.not_sent.saturating_add(bucket.not_sent);
            for (sum, count) in latencies.iter_mut().zip(bucket.latencies) {
                *sum = sum.saturating_add(count);
            }
        }
        let counts = [
            figures.answered,
            figures.misconfigured,
            figures.unanswered,
            figures.not_sent,
        ];
        figures.calls = counts.into_iter().fold(0, u64::saturating_add);
        figures.latency_ms_median = under(&latencies, figures.calls, 500);
        figures.latency_ms_p95 = under(&latencies, figures.calls, 950);
        figures
    }
}

fn permille(part: u64, whole: u64) -> Option<u32> {
    let share = part.saturating_mul(1_000).checked_div(whole)?;
    u32::try_from(share).ok()
}

/// The edge under which so many thousandths of the latencies lie.
fn under(latencies: &[u64; EDGES_MS.len()], calls: u64, share_permille: u64) -> Option<u64> {
    let wanted = calls.saturating_mul(share_permille).div_ceil(1_000);
    let mut seen: u64 = 0;
    EDGES_MS
        .iter()
        .zip(latencies)
        .find_map(|(edge, count)| {
            seen = seen.saturating_add(*count);
            (seen >= wanted).then_some(*edge)
        })
        .filter(|_| calls > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(8);

    fn names() -> (AccountId, ChannelId) {
        ("a".into(), "wechat".into())
    }

    fn note(health: &Health, went: Went, now: Time) {
        let (account, channel) = names();
        health.note((&account, &channel), "deduct", went, QUICK, now);
    }

    fn lost() -> Went {
        Went::Unanswered("silence".to_owned())
    }

    #[test]
    fn a_window_slides_and_knows_its_figures() {
        let health = Health::default();
        let begun = Time(1_000_000);
        for _ in 0..9 {
            note(&health, Went::Answered, begun);
        }
        note(&health, lost(), begun);
        let later = begun.plus(Duration::from_secs(30));
        let of = health.of(&names().0, later);
        assert_eq!((of.answered_permille, of.latency_ms), (Some(900), Some(10)));
        let much_later = begun.plus(Duration::from_secs(120));
        let all = health.all(much_later);
        assert_eq!((all[0].minute.calls, all[0].ten_minutes.calls), (0, 10));
        assert_eq!(all[0].last_error.as_ref().unwrap().text, "silence");
        assert_eq!(health.of(&"another".into(), later).breaker, Breaker::Closed);
        let next_day = begun.plus(Duration::from_secs(86_400));
        note(&health, Went::Answered, next_day);
        assert_eq!(health.all(next_day)[0].ten_minutes.calls, 1);
    }

    #[test]
    fn a_silent_channel_takes_no_new_payments_until_it_answers_again() {
        let (health, account) = (Health::default(), names().0);
        let mut now = Time(1_000_000);
        for _ in 0..limit::BREAKER_CALLS_MIN {
            assert_eq!(health.admit(&account, now), Ok(()));
            note(&health, lost(), now);
        }
        assert_eq!(health.of(&account, now).breaker, Breaker::Open);
        assert_eq!(health.admit(&account, now), Err(limit::BREAKER_OPEN_FOR));
        // One may try, and while it does, no other.
        now = now.plus(limit::BREAKER_OPEN_FOR);
        assert_eq!(health.of(&account, now).breaker, Breaker::Trying);
        assert_eq!(health.admit(&account, now), Ok(()));
        assert_eq!(health.admit(&account, now), Err(limit::BREAKER_TRY_EVERY));
        note(&health, lost(), now);
        assert!(health.admit(&account, now).is_err());
        // Whatever is answered, a question too, opens the way.
        note(&health, Went::Answered, now);
        assert_eq!(health.of(&account, now).breaker, Breaker::Closed);
        note(&health, lost(), now);
        assert_eq!(health.admit(&account, now), Ok(()));
    }

    #[test]
    fn refusals_and_wrong_set_ups_are_answers_and_open_no_breaker() {
        let (health, account) = (Health::default(), names().0);
        for _ in 0..100 {
            note(
                &health,
                Went::Misconfigured("no permission".to_owned()),
                Time(1_000_000),
            );
        }
        assert_eq!(health.admit(&account, Time(1_000_000)), Ok(()));
        let all = health.all(Time(1_000_000));
        assert_eq!((all[0].minute.misconfigured, all[0].breaker), (100, Breaker::Closed));
    }

    #[test]
    fn a_clock_that_is_set_back_counts_on() {
        let health = Health::default();
        note(&health, Went::Answered, Time(9_000_000));
        note(&health, Went::Answered, Time(1_000));
        assert_eq!(health.all(Time(9_000_000))[0].minute.calls, 2);
    }
}
