//! The engine: what all flows stand on. Made once at start-up, shared by every door and job.

use std::sync::Arc;
use std::time::Duration;

use metrics::SharedString;
use moka::future::Cache;
use tokio::sync::Semaphore;

use crate::channel::health::Health;
use crate::channel::{Channel, ChannelRegistry, ChannelSummary, Setting, Watched};
use crate::clock::{Clock, Day};
use crate::courier::Courier;
use crate::id::{AccountId, ChannelId, MchId};
use crate::limit;
use crate::live::Live;
use crate::member::{Member, MemberRegistry, PlatformSigner};
use crate::membership::{BuiltOf, Desk};
use crate::merchant::{ChannelAccount, Directory};
use crate::money::Fen;
use crate::once::Once;
use crate::problem::{Code, Problem};
use crate::random::Random;
use crate::rule::Failures;
use crate::rules::Rules;
use crate::rules::code::CodeQuestion;
use crate::rules::fee::DayTotals;
use crate::sms::Sms;
use crate::store::{Db, Lane};
use crate::vault::{IndexPurpose, Place, Purpose, Vault};

/// Bounds on money and waiting that an operator sets.
#[derive(Debug, Clone)]
pub struct Caps {
    /// One payment at most.
    pub per_payment: Fen,
    /// One user's China day at most, over all merchants (class C of the rules for payment codes: ¥1,000).
    pub per_user_day: Fen,
    /// How long a till waits for an answer to `applypay`.
    pub till_wait: Duration,
    /// How long after the deduction an unknown outcome is revoked; nothing means the channel's own time.
    pub revoke_after: Option<Duration>,
    /// From when on "no such order" proves that there will be none; nothing means the channel's own time.
    pub absence_proves_after: Option<Duration>,
    /// How long a sender may be sending before another may.
    pub send_lease: Duration,
    /// Whether an account whose channel answers nothing is left alone for a while.
    pub breaker: bool,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            per_payment: Fen::new(100_000).unwrap_or_default(),
            per_user_day: Fen::new(100_000).unwrap_or_default(),
            till_wait: limit::TILL_WAIT,
            revoke_after: None,
            absence_proves_after: None,
            send_lease: limit::SEND_LEASE,
            breaker: true,
        }
    }
}

/// The parts that an engine is made of.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub random: Arc<dyn Random>,
    /// Seals and opens what is confidential.
    pub vault: Arc<Vault>,
    /// Runs the rules.
    pub rules: Arc<dyn Rules>,
    /// What `code` rules are asked on this platform: its prefix, and whether codes are for real money.
    pub code: CodeQuestion,
    /// Wakes Apps.
    pub live: Arc<dyn Live>,
    /// Remembers what was used once.
    pub once: Arc<dyn Once>,
    /// Looks merchants up.
    pub directory: Arc<dyn Directory>,
    /// The linked channels.
    pub channels: ChannelRegistry,
    /// The linked membership systems.
    pub members: MemberRegistry,
    /// Signs what leaves the platform for merchants' systems.
    pub signer: Arc<dyn PlatformSigner>,
    /// Brings notices to merchants.
    pub courier: Arc<dyn Courier>,
    /// Sends text messages.
    pub sms: Arc<dyn Sms>,
    /// Bounds on money and waiting.
    pub caps: Caps,
    /// The address under which channels and Apps reach us, without a slash at the end.
    pub public_url: String,
    /// The name of this node.
    pub node: String,
}

/// The engine.
pub struct Engine {
    pub(crate) parts: Parts,
    adapters: Cache<(AccountId, i32), Arc<dyn Channel>>,
    health: Arc<Health>,
    rule_failures: Arc<Failures>,
    day_totals: Cache<(MchId, Day), DayTotals>,
    member_adapters: Cache<BuiltOf, Arc<dyn Member>>,
    member_desk: Arc<Desk>,
    courier_seats: Arc<Semaphore>,
}

/// How old a merchant's totals of the day may be, for a fee that falls with them.
const DAY_TOTALS_KEPT: Duration = Duration::from_secs(60);
/// Merchants whose totals of the day are kept.
const DAY_TOTALS_MAX: u64 = 50_000;
/// Endpoints that one node tells at the same time.
pub(crate) const COURIER_SEATS: usize = 256;
/// Adapters that are kept built.
const ADAPTERS_MAX: u64 = 10_000;

impl std::ops::Deref for Engine {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Engine {
    /// An engine of these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            adapters: Cache::new(ADAPTERS_MAX),
            health: Arc::default(),
            rule_failures: Arc::default(),
            day_totals: Cache::builder()
                .max_capacity(DAY_TOTALS_MAX)
                .time_to_live(DAY_TOTALS_KEPT)
                .build(),
            member_adapters: Cache::new(ADAPTERS_MAX),
            member_desk: Arc::default(),
            courier_seats: Arc::new(Semaphore::new(COURIER_SEATS)),
        }
    }

    /// The same engine on another lane's connections to the database. Everything else is shared.
    #[must_use]
    pub fn on(&self, lane: Lane) -> Self {
        let db = self.parts.db.on(lane);
        Self {
            parts: Parts {
                db,
                ..self.parts.clone()
            },
            adapters: self.adapters.clone(),
            health: Arc::clone(&self.health),
            rule_failures: Arc::clone(&self.rule_failures),
            day_totals: self.day_totals.clone(),
            member_adapters: self.member_adapters.clone(),
            member_desk: Arc::clone(&self.member_desk),
            courier_seats: Arc::clone(&self.courier_seats),
        }
    }

    /// Which rules have failed how often in a row.
    pub(crate) fn rule_failures(&self) -> &Failures {
        &self.rule_failures
    }

    /// Merchants' totals of the day, as last counted.
    pub(crate) const fn day_totals(&self) -> &Cache<(MchId, Day), DayTotals> {
        &self.day_totals
    }

    /// What speaks to merchants' membership systems, as built.
    pub(crate) const fn member_adapters(&self) -> &Cache<BuiltOf, Arc<dyn Member>> {
        &self.member_adapters
    }

    /// How many endpoints may be told at the same time.
    pub(crate) const fn courier_seats(&self) -> &Arc<Semaphore> {
        &self.courier_seats
    }

    /// Which membership systems are being asked on this node.
    pub(crate) const fn member_desk(&self) -> &Arc<Desk> {
        &self.member_desk
    }

    /// How the channel accounts are doing.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Whether the database answers: for readiness.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Problem> {
        self.db.ping().await.map_err(|error| Problem {
            source: Some(Box::new(error)),
            ..Problem::new(Code::Unavailable)
        })
    }

    /// The adapter of an account, built once per version of its configuration.
    pub(crate) async fn adapter(&self, account: &ChannelAccount) -> Result<Arc<dyn Channel>, Problem> {
        let key = (account.account_id.clone(), account.version);
        if let Some(adapter) = self.adapters.get(&key).await {
            return Ok(adapter);
        }
        let place = Place {
            table: "channel_account",
            column: "config_sealed",
            row: account.account_id.as_str(),
        };
        let config = self.vault.open(place, &account.config_sealed).map_err(Problem::fault)?;
        let config = serde_json::from_slice(&config).map_err(Problem::fault)?;
        let adapter = self
            .channels
            .build(&account.channel, config, self.setting(account))
            .map_err(Problem::fault)?;
        let adapter: Arc<dyn Channel> = Arc::new(Watched {
            inner: adapter,
            account: account.account_id.clone(),
            channel: account.channel.clone(),
            label: SharedString::from_shared(account.channel.as_str().into()),
            health: Arc::clone(&self.health),
            clock: Arc::clone(&self.clock),
        });
        self.adapters.insert(key, Arc::clone(&adapter)).await;
        Ok(adapter)
    }

    /// The adapter of the account of this id.
    pub(crate) async fn adapter_of(&self, account: &AccountId) -> Result<Arc<dyn Channel>, Problem> {
        let account = self.directory.account(account).await?;
        let account = account.ok_or_else(|| Problem::new(Code::ChannelNotConfigured))?;
        self.adapter(&account).await
    }

    /// Where a channel sends its notifications for an account: unguessable in addition to the signature. For set-ups at the
    /// channel's own console (a plan's termination address, an App's gateway).
    pub fn notify_url(&self, channel: &ChannelId, account: &AccountId) -> String {
        let token = self.vault.index(IndexPurpose::NotifyPath, account.as_str());
        format!("{}/notify/{channel}/{account}/{token}", self.public_url)
    }

    /// What an adapter is given for an account.
    pub(crate) fn setting(&self, account: &ChannelAccount) -> Setting {
        Setting {
            account: account.account_id.clone(),
            notify_url: self.notify_url(&account.channel, &account.account_id),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
        }
    }

    /// How a channel is listed.
    pub fn channel(&self, id: &ChannelId) -> Option<ChannelSummary> {
        self.channels.summary(id)
    }

    /// Seals a text for its place.
    pub(crate) fn seal(&self, purpose: Purpose, place: Place<'_>, text: &str) -> Result<String, Problem> {
        self.vault
            .seal(purpose, place, text.as_bytes(), &*self.random)
            .map_err(Problem::fault)
    }

    /// Opens a text that was sealed for this place.
    pub(crate) fn unseal(&self, place: Place<'_>, sealed: &str) -> Result<String, Problem> {
        let bytes = self.vault.open(place, sealed).map_err(Problem::fault)?;
        String::from_utf8(bytes).map_err(Problem::fault)
    }
}
