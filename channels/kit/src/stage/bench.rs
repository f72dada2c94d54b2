//! What all cases share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use metropay_core::channel::{Channel, ChannelFactory, ChannelRegistry, ContractRef, RegistryError, Setting};
use metropay_core::clock::{Clock, MovedClock};
use metropay_core::id::{AccountId, ChannelId, PayNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::lane::{Lane, Loan};
use super::log::Log;
use super::mailbox::Mailbox;
use crate::gateway::{Entry, Gateway, Way};

/// How long something may take that happens by itself, by the machine's clock.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(15);
/// So many looks are taken before the clocks are moved on.
const LOOKS_UNMOVED: u32 = 8;
/// How far the clocks are moved on at a time.
const STEP: Duration = Duration::from_secs(30);
/// So far the clocks may be moved while one thing is waited for: a channel that needs longer needs another suite.
const WAIT_MAX: Duration = Duration::from_secs(2 * 3_600);

/// How many cases may be on at a time.
const PLACES: usize = 14;

/// The bench of one run.
pub(crate) struct Bench {
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) id: ChannelId,
    pub(crate) registry: ChannelRegistry,
    /// The account that most cases use.
    pub(crate) config: Value,
    /// Another account with the same channel.
    pub(crate) other: Value,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) mailbox: Mailbox,
    pub(crate) log: Log,
    /// Adapters that nobody uses at present.
    free: Arc<Mutex<Vec<Lane>>>,
    ahead: Mutex<Duration>,
    moving: tokio::sync::Mutex<()>,
    /// How many cases may be on at a time, whichever property they are of: more would only time out.
    pub(crate) places: tokio::sync::Semaphore,
    counter: AtomicU64,
    /// Confidential texts that were met on the way: handles, payers, payment codes.
    met: Mutex<Vec<String>>,
    /// The payments that were asked for.
    payments: Mutex<HashSet<String>>,
    /// What adapters said when something went wrong.
    errors: Mutex<Vec<String>>,
    contract: OnceCell<ContractRef>,
    others_contract: OnceCell<ContractRef>,
}

impl Bench {
    /// Opens two accounts; it is noon in China when it is done, so that no case meets the end of a day.
    pub(crate) async fn new<F: ChannelFactory>(gateway: Arc<dyn Gateway>, factory: F) -> Result<Self> {
        let log = Log::listen();
        let clock = Arc::new(MovedClock::default());
        let mailbox = Mailbox::open(Arc::clone(&clock)).await?;
        let slot = mailbox.slot();
        let config = gateway.open_account(&mailbox.url(slot)).await?;
        let other = gateway.open_account(&mailbox.url(mailbox.slot())).await?;
        let bench = Self {
            gateway,
            id: ChannelId::from(F::ID),
            registry: ChannelRegistry::new().with(factory),
            config,
            other,
            clock,
            mailbox,
            log,
            free: Arc::default(),
            ahead: Mutex::default(),
            moving: tokio::sync::Mutex::default(),
            places: tokio::sync::Semaphore::new(PLACES),
            counter: AtomicU64::new(1),
            met: Mutex::default(),
            payments: Mutex::default(),
            errors: Mutex::default(),
            contract: OnceCell::new(),
            others_contract: OnceCell::new(),
        };
        let now = bench.clock.now();
        let noon = now.day().end().plus(Duration::from_secs(12 * 3_600));
        bench.pass(noon.since(now)).await?;
        let first = bench.lane().await?;
        bench.mailbox.answers(slot, first.channel.answer_notice(true));
        Ok(bench)
    }

    /// Lets so much time pass, for the platform and for the gateway.
    pub(crate) async fn pass(&self, time: Duration) -> Result<()> {
        let _one_at_a_time = self.moving.lock().await;
        let ahead = {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            *ahead = ahead.saturating_add(time);
            *ahead
        };
        self.gateway.put_clock_ahead(ahead).await?;
        self.clock.advance(time);
        Ok(())
    }

    /// How far the clocks are ahead of the machine's.
    fn ahead(&self) -> Duration {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds an adapter.
    pub(crate) fn build(&self, config: Value, notify_url: String) -> Result<Arc<dyn Channel>, RegistryError> {
        let setting = Setting {
            account: AccountId::from("A1"),
            notify_url,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::new(SystemRandom),
        };
        self.registry.build(&self.id, config, setting)
    }

    /// An adapter of the account on a wire of its own, for one case at a time. Building one costs more than most cases, so
    /// it is lent again.
    pub(crate) async fn lane(&self) -> Result<Loan> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lane = match free {
            Some(lane) => lane,
            None => self.fresh_lane().await?,
        };
        lane.begin(self);
        Ok(Loan {
            lane: Some(lane),
            free: Arc::clone(&self.free),
        })
    }

    /// An adapter that nobody used before, for cases that count the letters in its slot.
    pub(crate) async fn fresh_lane(&self) -> Result<Lane> {
        Lane::new(self, &self.config).await
    }

    /// A contract of the account that cases may deduct on; nobody ends it.
    pub(crate) async fn contract(&self) -> Result<ContractRef> {
        let sign = async || self.lane().await?.signed(self).await;
        Ok(self.contract.get_or_try_init(sign).await?.clone())
    }

    /// The same of the other account.
    pub(crate) async fn others_contract(&self) -> Result<ContractRef> {
        let sign = async || Lane::new(self, &self.other).await?.signed(self).await;
        Ok(self.others_contract.get_or_try_init(sign).await?.clone())
    }

    /// A number that grows.
    pub(crate) fn count(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// A user whom nobody else is.
    pub(crate) fn user(&self) -> String {
        format!("2088{:012}", self.count())
    }

    /// An amount that is seldom met twice: one to fifty yuan.
    pub(crate) fn amount(&self) -> Result<Fen> {
        let odd = self.count().wrapping_mul(37).checked_rem(4_900).unwrap_or(0);
        fen(odd.saturating_add(100))
    }

    /// A number for a new payment.
    pub(crate) fn pay_no(&self) -> PayNo {
        let no = PayNo::fresh(self.clock.as_ref(), &SystemRandom);
        let mut payments = self.payments.lock().unwrap_or_else(PoisonError::into_inner);
        payments.insert(no.0.clone());
        no
    }

    /// The payments that were asked for.
    pub(crate) fn payments(&self) -> HashSet<String> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a confidential text.
    pub(crate) fn meet(&self, text: &str) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if text.len() >= 6 && !met.iter().any(|known| known == text) {
            met.push(text.to_owned());
        }
    }

    /// The confidential texts that were met.
    pub(crate) fn met(&self) -> Vec<String> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers what an adapter said when something went wrong.
    pub(crate) fn hear(&self, error: &impl ToString) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.push(error.to_string());
    }

    /// What adapters said when something went wrong.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The gateway's entries of a payment.
    pub(crate) async fn entries(&self, payment_no: &str) -> Result<Vec<Entry>> {
        let mut books = self.gateway.books().await?;
        books.retain(|entry| entry.payment_no == payment_no);
        Ok(books)
    }

    /// How often a payment was taken, and what was taken and given back in fen.
    pub(crate) async fn sums(&self, payment_no: &str) -> Result<Sums> {
        let mut sums = Sums::default();
        for entry in self.entries(payment_no).await? {
            match entry.way {
                Way::Paid => {
                    sums.debits = sums.debits.saturating_add(1);
                    sums.paid = sums.paid.saturating_add(entry.amount.get());
                }
                Way::Back => {
                    sums.returns = sums.returns.saturating_add(1);
                    sums.back = sums.back.saturating_add(entry.amount.get());
                }
            }
        }
        Ok(sums)
    }
}

/// What moved for a payment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) debits: u32,
    pub(crate) paid: u64,
    pub(crate) returns: u32,
    pub(crate) back: u64,
}

impl Sums {
    /// One debit of this amount, and so much back.
    pub(crate) fn once(amount: Fen, back: u64) -> impl Fn(&Self) -> bool {
        move |sums| sums.debits == 1 && sums.paid == amount.get() && sums.back == back
    }
}

/// An amount.
pub(crate) fn fen(amount: u64) -> Result<Fen> {
    Fen::new(amount).map_err(|error| anyhow::anyhow!("{error}"))
}

/// Asks again and again until there is something; `what` is waited for.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let asking = async {
        loop {
            if let Some(found) = ask().await? {
                return Ok(found);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let asked: Result<Result<T>, _> = tokio::time::timeout(PATIENCE, asking).await;
    asked.with_context(|| format!("waited for {what}, which did not come within {PATIENCE:?}"))?
}

/// The same, with time passing on both sides.
pub(crate) async fn until_later<T>(
    bench: &Bench,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = bench.ahead().saturating_add(WAIT_MAX);
    let mut looks: u32 = 0;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        looks = looks.saturating_add(1);
        if looks > LOOKS_UNMOVED {
            if bench.ahead() > end {
                bail!("waited for {what}, which did not come within {WAIT_MAX:?} of the clocks");
            }
            bench.pass(STEP).await?;
        }
        tokio::time::sleep(LOOK).await;
    }
}
