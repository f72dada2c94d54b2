//! The jobs: work that nobody waits for. Each is leased in the database, so that one node runs it at a time (INV-31).
//!
//! A node may be stopped, and go on when its lease has long passed to another. What such a node still does changes nothing: payments,
//! refunds, reversals, contracts and notifications go from state to state by compare-and-set, whoever is at it, and channels are
//! called under numbers that count once. Only the ledger's seal is about many rows at once; it proves its lease inside its
//! transaction.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tokio::time::Instant;

use crate::engine::Engine;
use crate::problem::Problem;
use crate::{ledger, mandate, membership, metric, notice, payment, refund, reversal, store, webhook};

/// A job and how often it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Finds out how payments end.
    CompletePayments,
    /// Drives refunds to their end.
    CompleteRefunds,
    /// Drives reversals to their end.
    CompleteReversals,
    /// Applies notifications that could not be applied yet.
    ApplyNotices,
    /// Asks channels about contracts.
    RecheckContracts,
    /// Seals the ledger.
    SealLedger,
    /// Asks membership systems what users wish.
    AskMembers,
    /// Tells membership systems of members' money.
    TellMembers,
    /// Hands on what merchants are owed to be told, and tells their endpoints.
    TellMerchants,
    /// Forgets what is over: nonces, old codes, old events.
    Forget,
}

/// How long a lease lasts; a job that runs longer renews it at its next turn.
const LEASE: Duration = Duration::from_secs(30);
/// Codes that were never used are kept so long.
const CODES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Events are kept so long.
const EVENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rows of one kind that one turn forgets at most.
const FORGET_MAX: u64 = 5_000;

impl Job {
    /// All jobs.
    pub const ALL: [Self; 10] = [
        Self::CompletePayments,
        Self::CompleteRefunds,
        Self::CompleteReversals,
        Self::ApplyNotices,
        Self::RecheckContracts,
        Self::SealLedger,
        Self::AskMembers,
        Self::TellMembers,
        Self::TellMerchants,
        Self::Forget,
    ];

    /// Its name, under which it is leased.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CompletePayments => "complete_payments",
            Self::CompleteRefunds => "complete_refunds",
            Self::CompleteReversals => "complete_reversals",
            Self::ApplyNotices => "apply_notices",
            Self::RecheckContracts => "recheck_contracts",
            Self::SealLedger => "seal_ledger",
            Self::AskMembers => "ask_members",
            Self::TellMembers => "tell_members",
            Self::TellMerchants => "tell_merchants",
            Self::Forget => "forget",
        }
    }

    /// How long it rests between two turns.
    pub const fn rest(self) -> Duration {
        match self {
            Self::CompletePayments | Self::CompleteRefunds | Self::CompleteReversals | Self::TellMerchants => {
                Duration::from_millis(500)
            }
            Self::ApplyNotices | Self::AskMembers | Self::TellMembers => Duration::from_secs(1),
            Self::RecheckContracts | Self::SealLedger => Duration::from_secs(2),
            Self::Forget => Duration::from_secs(60),
        }
    }

    /// One turn, if this node may; answers how much there was to do.
    ///
    /// # Errors
    /// When the database does not answer.
    #[tracing::instrument(level = "debug", name = "job.turn", skip_all, fields(job = self.name(), done))]
    pub async fn turn(self, engine: &Engine) -> Result<usize, Problem> {
        let turned = self.turn_if_leased(engine).await;
        let outcome = match &turned {
            Ok(None) => "elsewhere",
            Ok(Some(0)) => "idle",
            Ok(Some(_)) => "worked",
            Err(_) => "failed",
        };
        counter!(metric::JOB_TURNS, "job" => self.name(), "outcome" => outcome).increment(1);
        if let Ok(Some(done)) = &turned {
            gauge!(metric::JOB_LAST_SUCCESS, "job" => self.name())
                .set(metric::level(engine.clock.now().unix_seconds()));
            // A turn with nothing to do is not worth a trace.
            if *done > 0 {
                tracing::Span::current().record("done", *done);
            }
        }
        turned.map(Option::unwrap_or_default)
    }

    /// One turn; nothing where another node has the lease.
    async fn turn_if_leased(self, engine: &Engine) -> Result<Option<usize>, Problem> {
        let lease = self.lease(engine).await?;
        gauge!(metric::JOB_LEASE, "job" => self.name()).set(if lease.is_some() { 1.0 } else { 0.0 });
        let Some(fence) = lease else { return Ok(None) };
        let begun = Instant::now();
        let done = self.work(engine, fence).await;
        histogram!(metric::JOB_DURATION, "job" => self.name()).record(begun.elapsed());
        done.map(Some)
    }

    /// Takes or renews the lease; answers its fencing number, or nothing while another node has it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lease(self, engine: &Engine) -> Result<Option<i64>, Problem> {
        let now = engine.clock.now();
        Ok(store::job::lease(engine.db.write(), self.name(), &engine.node, now, now.plus(LEASE)).await?)
    }

    /// One turn under a lease; answers how much there was to do.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn work(self, engine: &Engine, fence: i64) -> Result<usize, Problem> {
        match self {
            Self::CompletePayments => payment::complete::complete_due(engine).await,
            Self::CompleteRefunds => refund::complete::complete_due(engine).await,
            Self::CompleteReversals => reversal::complete::complete_due(engine).await,
            Self::ApplyNotices => notice::apply_due(engine).await,
            Self::RecheckContracts => mandate::recheck_due(engine).await,
            Self::SealLedger => ledger::seal::seal_under(engine, self.name(), fence).await,
            Self::AskMembers => membership::ask_due(engine).await,
            Self::TellMembers => membership::hear_due(engine).await,
            Self::TellMerchants => tell_merchants(engine).await,
            Self::Forget => forget(engine).await,
        }
    }

    /// Runs for ever; what goes wrong is logged, and the next turn tries again.
    pub async fn run(self, engine: Arc<Engine>) {
        loop {
            if let Err(problem) = self.turn(&engine).await {
                tracing::error!(job = self.name(), error = %problem, "job {}: {problem}", self.name());
            }
            tokio::time::sleep(self.rest()).await;
        }
    }
}

/// Hands this node's leases back, for when it works no more: others need not wait until they end by themselves.
///
/// # Errors
/// When the database does not answer.
pub async fn hand_back(engine: &Engine) -> Result<(), Problem> {
    Ok(store::job::hand_back(engine.db.write(), &engine.node, engine.clock.now()).await?)
}

/// What is owed is handed on first, so that it is told in the same turn.
async fn tell_merchants(engine: &Engine) -> Result<usize, Problem> {
    let spread = webhook::spread_due(engine).await?;
    Ok(spread.saturating_add(webhook::deliver_due(engine).await?))
}

async fn forget(engine: &Engine) -> Result<usize, Problem> {
    let now = engine.clock.now();
    let db = engine.db.write();
    let (codes_before, events_before) = (now.minus(CODES_KEPT), now.minus(EVENTS_KEPT));
    let random = &*engine.random;
    let nonces = engine.db.again(random, || store::nonce::forget_before(db, now)).await?;
    let codes = engine
        .db
        .again(random, || store::code::forget_before(db, codes_before, FORGET_MAX))
        .await?;
    let events = engine
        .db
        .again(random, || store::event::forget_before(db, events_before))
        .await?;
    let changes = engine
        .db
        .again(random, || store::phone_change::forget_before(db, codes_before))
        .await?;
    let notices = engine
        .db
        .again(random, || store::delivery::forget_before(db, events_before, FORGET_MAX))
        .await?;
    let owed = engine
        .db
        .again(random, || store::outbox::forget_before(db, events_before, FORGET_MAX))
        .await?;
    let all = [nonces, codes, events, changes, notices, owed]
        .into_iter()
        .fold(0, u64::saturating_add);
    Ok(usize::try_from(all).unwrap_or(usize::MAX))
}
