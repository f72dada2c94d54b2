//! What tills may ask how often. Kept in the process: a restart forgives.
//!
//! Two kinds. Requests of a merchant have a rate, so that one cannot take the platform from the others; each node counts them by
//! itself, for it is the node that is kept from too much work. Codes that turn out invalid have budgets, so that nobody finds
//! a live one by guessing: per store and day, per store with a cool-off, per merchant, and one for the whole platform. Each
//! node tells the others of them and counts theirs with its own, so that guessing at many nodes helps nobody; while words get
//! lost it counts its own. A code is checked against the budgets before it is read and counted after.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use metropay_core::clock::{Clock as PlatformClock, Day, Time};
use metropay_core::id::MchId;
use metropay_core::peers::{Alone, Peers, ScanPlace, Word};
use metropay_core::problem::{Code, Problem};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::window::Window;

/// How often a till may ask; every number is at least 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSettings {
    /// Requests of one merchant in a second, over all its stores.
    pub requests_per_second: NonZeroU32,
    /// Invalid codes of one store in a minute; then it cools off.
    pub invalid_codes_per_store_minute: NonZeroU32,
    /// How long a store cools off, in seconds.
    pub store_cool_off_s: NonZeroU32,
    /// Invalid codes of one store in a China day; then it waits for the next.
    pub invalid_codes_per_store_day: NonZeroU32,
    /// Invalid codes of one merchant in a minute, over all its stores.
    pub invalid_codes_per_merchant_minute: NonZeroU32,
    /// Invalid codes of the whole platform in a second.
    pub invalid_codes_per_second: NonZeroU32,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            requests_per_second: number(500),
            invalid_codes_per_store_minute: number(10),
            store_cool_off_s: number(60),
            invalid_codes_per_store_day: number(100),
            invalid_codes_per_merchant_minute: number(60),
            invalid_codes_per_second: number(20),
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// From how many entries on the tables are swept of those that count no more.
const SWEEP_AT: usize = 1_024;

type Requests = RateLimiter<MchId, DefaultKeyedStateStore<MchId>, EngineTime, NoOpMiddleware<Duration>>;

/// What tills may ask how often, and what they asked.
pub struct Budgets {
    settings: BudgetSettings,
    time: EngineTime,
    requests: Requests,
    requests_sweep_at: AtomicUsize,
    invalid: Mutex<Invalid>,
    peers: Arc<dyn Peers>,
}

/// Codes that turned out invalid.
#[derive(Debug)]
struct Invalid {
    places: HashMap<ScanPlace, AtPlace>,
    merchants: HashMap<MchId, Window>,
    platform: Window,
    sweep_at: usize,
}

/// Invalid codes of one place.
#[derive(Debug)]
struct AtPlace {
    minute: Window,
    cool_until: Option<Time>,
    day: Day,
    on_day: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        Self::new(BudgetSettings::default())
    }
}

impl std::fmt::Debug for Budgets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budgets")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Budgets {
    /// Untouched budgets of one node.
    pub fn new(settings: BudgetSettings) -> Self {
        Self::shared(settings, Arc::new(Alone::default()))
    }

    /// Untouched budgets that are counted together with these others.
    pub fn shared(settings: BudgetSettings, peers: Arc<dyn Peers>) -> Self {
        let time = EngineTime::default();
        let quota = Quota::per_second(settings.requests_per_second);
        Self {
            requests: RateLimiter::new(quota, DefaultKeyedStateStore::default(), time.clone()),
            time,
            requests_sweep_at: AtomicUsize::new(SWEEP_AT),
            invalid: Mutex::new(Invalid {
                places: HashMap::new(),
                merchants: HashMap::new(),
                platform: Window::new(settings.invalid_codes_per_second.get(), SECOND),
                sweep_at: SWEEP_AT,
            }),
            settings,
            peers,
        }
    }

    /// Counts the invalid codes of the others, for ever. Must run once in a process.
    pub async fn attend(&self, clock: &dyn PlatformClock) {
        let mut words = self.peers.hear();
        loop {
            match words.recv().await {
                Ok(Word::InvalidCode(mch_id, place)) => self.count(&mch_id, &place, clock.now()),
                Ok(Word::Wake(_) | Word::Directory | Word::Missed) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Counts a request of a merchant.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with the budget's name and when to come again.
    pub(super) fn admit(&self, mch_id: &MchId, now: Time) -> Result<(), Problem> {
        self.time.tell(now);
        let counted = self.requests.check_key(mch_id);
        if self.requests.len() >= self.requests_sweep_at.load(Ordering::Relaxed) {
            self.requests.retain_recent();
            let next = next_sweep(self.requests.len());
            self.requests_sweep_at.store(next, Ordering::Relaxed);
        }
        counted.map_err(|early| limited("merchant_requests", early.wait_time_from(self.time.now())))
    }

    /// Whether a code may be read that was scanned here.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with the budget's name and when to come again.
    pub(super) fn may_scan(&self, mch_id: &MchId, place: &ScanPlace, now: Time) -> Result<(), Problem> {
        let invalid = self.invalid();
        if let Some(place) = invalid.places.get(place) {
            if let Some(wait) = place.day_wait(&self.settings, now) {
                return Err(limited("store_invalid_codes_day", wait));
            }
            if let Some(wait) = place.cool_wait(&self.settings, now) {
                return Err(limited("store_invalid_codes", wait));
            }
        }
        if let Some(wait) = invalid.merchants.get(mch_id).and_then(|merchant| merchant.wait(now)) {
            return Err(limited("merchant_invalid_codes", wait));
        }
        match invalid.platform.wait(now) {
            Some(wait) => Err(limited("platform_invalid_codes", wait)),
            None => Ok(()),
        }
    }

    /// Counts what a code turned out to be. A foreign code is no guess at ours. What was refused as invalid when the
    /// budget had been used up in the meantime is told so instead: nobody learns more than the budget from asking many
    /// things at once.
    pub(super) fn scanned<T>(
        &self,
        mch_id: &MchId,
        place: &ScanPlace,
        result: Result<T, Problem>,
        now: Time,
    ) -> Result<T, Problem> {
        let is_guess = |problem: &Problem| matches!(problem.code, Code::CodeInvalid | Code::CodeMalformed);
        if result.as_ref().err().is_some_and(is_guess) {
            self.may_scan(mch_id, place, now)?;
            self.count(mch_id, place, now);
            self.peers.tell(Word::InvalidCode(mch_id.clone(), place.clone()));
        }
        result
    }

    fn count(&self, mch_id: &MchId, place: &ScanPlace, now: Time) {
        let mut invalid = self.invalid();
        invalid.sweep(&self.settings, now);
        invalid.platform.note(now);
        if invalid.platform.wait(now).is_some() {
            tracing::warn!("invalid codes of all merchants together have used up the platform's budget");
        }
        let merchant = invalid.merchants.entry(mch_id.clone());
        let per_minute = self.settings.invalid_codes_per_merchant_minute.get();
        merchant.or_insert_with(|| Window::new(per_minute, MINUTE)).note(now);
        let at_place = invalid.places.entry(place.clone());
        let at_place = at_place.or_insert_with(|| AtPlace::new(&self.settings, now));
        if at_place.note(&self.settings, now) {
            tracing::warn!(merchant = %mch_id, place = ?place, "too many invalid codes at {place:?}: it cools off");
        }
    }

    fn invalid(&self) -> MutexGuard<'_, Invalid> {
        self.invalid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At how many entries a table is swept next that has so many left: so sweeping costs little for each entry.
fn next_sweep(left: usize) -> usize {
    left.saturating_mul(2).max(SWEEP_AT)
}

fn limited(budget: &'static str, wait: Duration) -> Problem {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
    Problem::new(Code::RateLimited)
        .fact("budget", budget)
        .fact("retry_after_s", seconds)
}

impl AtPlace {
    fn new(settings: &BudgetSettings, now: Time) -> Self {
        Self {
            minute: Window::new(settings.invalid_codes_per_store_minute.get(), MINUTE),
            cool_until: None,
            day: now.day(),
            on_day: 0,
        }
    }

    /// Counts one; answers whether a budget of the place is used up by it.
    fn note(&mut self, settings: &BudgetSettings, now: Time) -> bool {
        if self.day != now.day() {
            (self.day, self.on_day) = (now.day(), 0);
        }
        self.on_day = self.on_day.saturating_add(1);
        self.minute.note(now);
        let full = self.minute.wait(now).is_some();
        if full {
            self.cool_until = Some(now.plus(cool_off(settings)));
        }
        full || self.day_wait(settings, now).is_some()
    }

    fn day_wait(&self, settings: &BudgetSettings, now: Time) -> Option<Duration> {
        let used_up = self.day == now.day() && self.on_day >= settings.invalid_codes_per_store_day.get();
        used_up.then(|| now.day().end().since(now))
    }

    fn cool_wait(&self, settings: &BudgetSettings, now: Time) -> Option<Duration> {
        let left = self.cool_until.map(|until| until.since(now)).unwrap_or_default();
        // A clock that was set back must not prolong it.
        let cooling = !left.is_zero() && left <= cool_off(settings);
        self.minute.wait(now).max(cooling.then_some(left))
    }

    /// Whether anything of it counts now.
    fn counts(&self, settings: &BudgetSettings, now: Time) -> bool {
        self.day == now.day() || self.cool_wait(settings, now).is_some() || !self.minute.is_empty(now)
    }
}

fn cool_off(settings: &BudgetSettings) -> Duration {
    Duration::from_secs(settings.store_cool_off_s.get().into())
}

impl Invalid {
    /// Forgets what counts no more, whenever the tables have doubled.
    fn sweep(&mut self, settings: &BudgetSettings, now: Time) {
        if self.places.len().max(self.merchants.len()) < self.sweep_at {
            return;
        }
        self.places.retain(|_, place| place.counts(settings, now));
        self.merchants.retain(|_, merchant| !merchant.is_empty(now));
        self.sweep_at = next_sweep(self.places.len().max(self.merchants.len()));
    }
}

/// The engine's time as the rate limiter wants it: it only goes forward. When the clock is set back it goes on from
/// there, so that nobody waits until it has caught up.
#[derive(Debug, Clone, Default)]
struct EngineTime(Arc<Mutex<Elapsed>>);

#[derive(Debug, Default)]
struct Elapsed {
    last: Option<Time>,
    elapsed: Duration,
}

/// How far two requests may be told out of order, which is no setting back of the clock.
const OUT_OF_ORDER: Duration = Duration::from_secs(5);

impl EngineTime {
    fn tell(&self, now: Time) {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = time.last.unwrap_or(now);
        if now >= last {
            time.elapsed = time.elapsed.saturating_add(now.since(last));
            time.last = Some(now);
        } else if last.since(now) > OUT_OF_ORDER {
            time.last = Some(now);
        }
    }
}

impl Clock for EngineTime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Time {
        // Noon in China.
        Time(1_785_556_800_000 + milliseconds)
    }

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    /// The budget that refuses, and after how many seconds to come again.
    fn refused<T>(result: Result<T, Problem>) -> Option<(String, u64)> {
        let problem = result.err()?;
        assert_eq!(problem.code, Code::RateLimited);
        let budget = problem.facts["budget"].as_str().unwrap().to_owned();
        Some((budget, problem.facts["retry_after_s"].as_u64().unwrap()))
    }

    fn told(budget: &str, seconds: u64) -> Option<(String, u64)> {
        Some((budget.to_owned(), seconds))
    }

    struct Shop(Budgets);

    impl Shop {
        fn place(store: &str) -> ScanPlace {
            let (merchant, store) = store.split_once('/').unwrap();
            ScanPlace::Store(merchant.into(), store.into())
        }

        fn merchant(store: &str) -> MchId {
            store.split_once('/').unwrap().0.into()
        }

        /// Scans a code that turns out so.
        fn scan(&self, store: &str, code: Code, now: Time) -> Result<(), Problem> {
            let (merchant, place) = (Self::merchant(store), Self::place(store));
            self.0.may_scan(&merchant, &place, now)?;
            let result = self.0.scanned(&merchant, &place, Err::<(), _>(Problem::new(code)), now);
            match result {
                Err(problem) if problem.code == code => Ok(()),
                other => other,
            }
        }

        fn invalid(&self, store: &str, now: Time) -> Result<(), Problem> {
            self.scan(store, Code::CodeInvalid, now)
        }
    }

    #[test]
    fn a_store_cools_off_after_ten_invalid_codes_in_a_minute_and_its_neighbour_does_not() {
        let shop = Shop(Budgets::default());
        for second in 0..10 {
            let code = if second % 2 == 0 {
                Code::CodeInvalid
            } else {
                Code::CodeMalformed
            };
            shop.scan("m/s1", code, at(second * 1_000)).unwrap();
        }
        assert_eq!(
            refused(shop.invalid("m/s1", at(9_000))),
            told("store_invalid_codes", 60)
        );
        assert_eq!(
            refused(shop.invalid("m/s1", at(60_000))),
            told("store_invalid_codes", 9)
        );
        assert_eq!(refused(shop.invalid("m/s2", at(60_000))), None);
        assert_eq!(refused(shop.invalid("m/s1", at(69_000))), None);
    }

    #[test]
    fn only_what_may_be_a_guess_at_our_codes_counts() {
        let shop = Shop(Budgets::default());
        for code in [
            Code::CodeForeign,
            Code::NeedMandate,
            Code::CodeUsed,
            Code::StoreUnknown,
            Code::LimitExceeded,
        ] {
            for _ in 0..30 {
                shop.scan("m/s1", code, at(0)).unwrap();
            }
        }
    }

    #[test]
    fn a_store_waits_for_the_next_day_after_a_hundred() {
        let shop = Shop(Budgets::default());
        for nth in 0..100 {
            shop.invalid("m/s1", at(nth * 7_000)).unwrap();
        }
        let afternoon = at(3_600_000);
        assert_eq!(
            refused(shop.invalid("m/s1", afternoon)),
            told("store_invalid_codes_day", 11 * 3_600)
        );
        assert_eq!(refused(shop.invalid("m/s1", at(12 * 3_600_000))), None);
    }

    #[test]
    fn a_merchant_has_sixty_a_minute_over_all_its_stores() {
        let shop = Shop(Budgets::default());
        for nth in 0..60 {
            shop.invalid(&format!("m/s{}", nth % 12), at(nth * 100)).unwrap();
        }
        assert_eq!(
            refused(shop.invalid("m/s99", at(6_000))),
            told("merchant_invalid_codes", 54)
        );
        assert_eq!(refused(shop.invalid("n/s1", at(6_000))), None);
        assert_eq!(refused(shop.invalid("m/s99", at(60_000))), None);
    }

    #[test]
    fn the_platform_takes_twenty_a_second() {
        let shop = Shop(Budgets::default());
        for nth in 0..20 {
            shop.invalid(&format!("m{nth}/s"), at(0)).unwrap();
        }
        assert_eq!(
            refused(shop.invalid("m99/s", at(999))),
            told("platform_invalid_codes", 1)
        );
        assert_eq!(refused(shop.invalid("m99/s", at(1_000))), None);
    }

    #[test]
    fn asking_many_things_at_once_teaches_no_more_than_the_budget() {
        let shop = Shop(Budgets::default());
        let answers = (0..50).map(|_| {
            let guess = Err::<(), _>(Problem::new(Code::CodeInvalid));
            let answer = shop.0.scanned(&"m".into(), &Shop::place("m/s1"), guess, at(0));
            answer.unwrap_err().code
        });
        let answers: Vec<Code> = answers.collect();
        assert_eq!(answers.iter().filter(|code| **code == Code::CodeInvalid).count(), 10);
        assert_eq!(answers.iter().filter(|code| **code == Code::RateLimited).count(), 40);
    }

    #[test]
    fn a_merchants_requests_have_a_rate_by_the_engines_clock() {
        let settings = BudgetSettings {
            requests_per_second: number(5),
            ..BudgetSettings::default()
        };
        let budgets = Budgets::new(settings);
        let asked = |merchant: &str, now| refused(budgets.admit(&merchant.into(), now));
        for _ in 0..5 {
            assert_eq!(asked("m", at(0)), None);
        }
        assert_eq!(asked("m", at(0)), told("merchant_requests", 1));
        assert_eq!(asked("n", at(0)), None);
        assert_eq!(asked("m", at(200)), None);
        assert_eq!(asked("m", at(200)), told("merchant_requests", 1));
        // Set back by an hour: time goes on from there.
        assert_eq!(asked("m", at(-3_600_000)), told("merchant_requests", 1));
        assert_eq!(asked("m", at(-3_599_800)), None);
    }

    /// What a node tells goes to whoever hears the other end.
    struct Neighbour {
        words: tokio::sync::broadcast::Sender<Word>,
        whole: tokio::sync::watch::Sender<bool>,
    }

    impl Peers for Neighbour {
        fn tell(&self, word: Word) {
            let _ = self.words.send(word);
        }

        fn hear(&self) -> tokio::sync::broadcast::Receiver<Word> {
            self.words.subscribe()
        }

        fn whole(&self) -> tokio::sync::watch::Receiver<bool> {
            self.whole.subscribe()
        }
    }

    #[tokio::test]
    async fn guessing_at_two_nodes_has_the_budget_of_one() {
        struct Noon;
        impl PlatformClock for Noon {
            fn now(&self) -> Time {
                at(0)
            }
        }
        let way = Arc::new(Neighbour {
            words: tokio::sync::broadcast::channel(64).0,
            whole: tokio::sync::watch::channel(true).0,
        });
        let one = Shop(Budgets::shared(BudgetSettings::default(), way.clone()));
        // The second hears the first; nobody hears the second.
        let two = Arc::new(Budgets::shared(BudgetSettings::default(), way));
        let hearing = Arc::clone(&two);
        let attending = tokio::spawn(async move { hearing.attend(&Noon).await });
        tokio::task::yield_now().await;
        for _ in 0..10 {
            one.invalid("m/s1", at(0)).unwrap();
        }
        let place = Shop::place("m/s1");
        let cools_off = async {
            while two.may_scan(&"m".into(), &place, at(0)).is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), cools_off)
            .await
            .expect("it has heard of them");
        assert_eq!(
            refused(two.may_scan(&"m".into(), &place, at(1_000))),
            told("store_invalid_codes", 59)
        );
        attending.abort();
    }

    #[test]
    fn what_counts_no_more_is_forgotten() {
        let settings = BudgetSettings {
            invalid_codes_per_second: number(1_000_000),
            ..BudgetSettings::default()
        };
        let shop = Shop(Budgets::new(settings));
        for nth in 0..1_500 {
            shop.invalid(&format!("m{nth}/s"), at(0)).unwrap();
            shop.0.admit(&MchId(format!("m{nth}")), at(nth)).unwrap();
        }
        let tomorrow = at(24 * 3_600_000);
        for nth in 0..1_500 {
            shop.invalid(&format!("n{nth}/s"), tomorrow.plus(Duration::from_secs(nth)))
                .unwrap();
        }
        let invalid = shop.0.invalid();
        assert!(!invalid.places.contains_key(&Shop::place("m0/s")));
        assert!(invalid.merchants.len() < 2_000, "{}", invalid.merchants.len());
        assert!(shop.0.requests.len() <= SWEEP_AT, "{}", shop.0.requests.len());
    }

    #[test]
    fn settings_are_read_strictly() {
        let read: BudgetSettings = serde_json::from_str(r#"{"requests_per_second":7}"#).unwrap();
        assert_eq!(read.requests_per_second, number(7));
        assert_eq!(read.invalid_codes_per_store_day, number(100));
        assert!(serde_json::from_str::<BudgetSettings>(r#"{"requests_per_second":0}"#).is_err());
        assert!(serde_json::from_str::<BudgetSettings>(r#"{"request_per_second":7}"#).is_err());
    }
}
