//! Notifications of channels: verified over their raw bytes, stored before they are acknowledged, applied through the gates
//! of payments, refunds and contracts (INV-17, INV-18).
//!
//! A genuine notification may arrive before what it tells of is visible here, in another order, or a hundred times: states
//! decide, not arrivals. One that does not fit our books (another amount, another account's order) changes nothing, is
//! quarantined with an alarm, and is not acknowledged.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use metrics::counter;
use serde::{Deserialize, Serialize};

use crate::audit::alarm::{self, AlarmKind};
use crate::channel::{
    ContractKey, ContractStanding, News, NoticeAnswer, NoticeRefused, RawNotice, RefundStanding, Standing,
};
use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{AccountId, ChannelId, PayNo, RefundNo};
use crate::limit;
use crate::merchant::ChannelAccount;
use crate::metric;
use crate::payment::{self, complete};
use crate::problem::{Code, Problem};
use crate::refund::settle::RefundNews;
use crate::store::notice::{Model as Notice, NoticeState};
use crate::vault::{IndexPurpose, Place, Purpose};
use crate::{mandate, refund, store};

/// Waits before a notification whose subject is not here is applied again; then it is quarantined.
const RETRIES: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
];

/// What is kept of a notification.
#[derive(Serialize, Deserialize)]
struct Kept {
    headers: Vec<(String, String)>,
    body: String,
}

/// Takes a notification in: what to answer to the channel. `None` when the path is not one of ours.
///
/// # Errors
/// When the database does not answer: the channel will send it again.
pub async fn receive(
    engine: &Engine,
    channel: &ChannelId,
    account: &AccountId,
    token: &str,
    raw: RawNotice,
) -> Result<Option<NoticeAnswer>, Problem> {
    let expected = engine.vault.index(IndexPurpose::NotifyPath, account.as_str());
    let ours = bool::from(subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), token.as_bytes()));
    let account = engine
        .directory
        .account(account)
        .await?
        .filter(|account| ours && account.channel == *channel);
    let Some(account) = account else { return Ok(None) };
    let adapter = engine.adapter(&account).await?;
    let news = match adapter.read_notice(&raw).await {
        Ok(news) => news,
        Err(refused) => {
            refuse(engine, &account, &refused).await?;
            return Ok(Some(adapter.answer_notice(false)));
        }
    };
    let notice_id = keep(engine, &account, &raw).await?;
    fail::fail_point!("N1");
    let state = apply(engine, &account, &notice_id, 0, news).await;
    Ok(Some(adapter.answer_notice(state != NoticeState::Quarantined)))
}

/// Applies again what could not be applied yet; answers how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn apply_due(engine: &Engine) -> Result<usize, Problem> {
    let due = store::notice::due(engine.db.read(), engine.clock.now(), limit::JOB_BATCH).await?;
    let count = due.len();
    for notice in due {
        if let Err(problem) = again(engine, &notice).await {
            tracing::error!(notice = %notice.notice_id, error = %problem, "applying a notification: {problem}");
        }
    }
    Ok(count)
}

/// A notification that must not be believed: nothing of it is kept but the alarm.
async fn refuse(engine: &Engine, account: &ChannelAccount, refused: &NoticeRefused) -> Result<(), Problem> {
    let now = engine.clock.now();
    let kind = match refused {
        NoticeRefused::NotGenuine(_) => AlarmKind::NoticeForged,
        NoticeRefused::Mismatch(_) => AlarmKind::NoticeMismatch,
    };
    tracing::warn!(account = %account.account_id, %refused, "a notification was refused: {refused}");
    engine
        .db
        .again(&*engine.random, async || {
            let tx = engine.db.begin().await?;
            alarm::raise(&tx, kind, account.account_id.as_str(), refused.to_string(), now).await?;
            Ok::<_, Problem>(tx.commit().await?)
        })
        .await?;
    count(account, "refused");
    Ok(())
}

/// Stores a genuine notification, sealed. The same message again is the same row.
async fn keep(engine: &Engine, account: &ChannelAccount, raw: &RawNotice) -> Result<String, Problem> {
    let mut bytes = account.account_id.0.clone().into_bytes();
    bytes.push(0);
    bytes.extend_from_slice(&raw.body);
    let notice_id = hex::encode(digest(&SHA256, &bytes));
    let kept = Kept {
        headers: raw.headers.clone(),
        body: String::from_utf8_lossy(&raw.body).into_owned(),
    };
    let kept = serde_json::to_string(&kept).map_err(Problem::fault)?;
    let place = Place {
        table: "notice",
        column: "raw_sealed",
        row: &notice_id,
    };
    let notice = Notice {
        notice_id: notice_id.clone(),
        channel: account.channel.clone(),
        account_id: account.account_id.clone(),
        state: NoticeState::Received,
        raw_sealed: engine.seal(Purpose::Contract, place, &kept)?,
        arrivals: 1,
        tries: 0,
        reason: None,
        received_at: raw.received_at,
        // If we die before it is applied, the job takes it up.
        next_try_at: Some(raw.received_at.plus(RETRIES[0])),
    };
    engine
        .db
        .again(&*engine.random, || {
            store::notice::store(engine.db.write(), notice.clone())
        })
        .await?;
    Ok(notice_id)
}

async fn again(engine: &Engine, notice: &Notice) -> Result<(), Problem> {
    let account = engine.directory.account(&notice.account_id).await?;
    let account = account.ok_or_else(|| Problem::new(Code::ChannelNotConfigured))?;
    let place = Place {
        table: "notice",
        column: "raw_sealed",
        row: &notice.notice_id,
    };
    let kept: Kept = serde_json::from_str(&engine.unseal(place, &notice.raw_sealed)?).map_err(Problem::fault)?;
    let raw = RawNotice {
        headers: kept.headers,
        body: kept.body.into_bytes(),
        received_at: notice.received_at,
    };
    match engine.adapter(&account).await?.read_notice(&raw).await {
        Ok(news) => {
            apply(engine, &account, &notice.notice_id, notice.tries, news).await;
        }
        // It was genuine when it came; a key was changed since. What it tells is found by asking.
        Err(refused) => {
            quarantine(engine, &notice.notice_id, &refused.to_string()).await?;
            count(&account, "quarantined");
        }
    }
    Ok(())
}

/// Why news was not applied.
enum Unapplied {
    /// What it tells of is not here, or cannot be written now: worth another try.
    NotYet(Problem),
    /// It cannot be true of our books.
    Strange(String),
}

impl From<Problem> for Unapplied {
    fn from(problem: Problem) -> Self {
        Self::NotYet(problem)
    }
}

/// Applies news, and notes what became of the notification.
async fn apply(engine: &Engine, account: &ChannelAccount, notice_id: &str, tries: i32, news: Vec<News>) -> NoticeState {
    let mut outcome = Ok(());
    for piece in news {
        outcome = outcome.and(apply_one(engine, account, piece).await);
    }
    let (state, reason, next) = match outcome {
        Ok(()) => (NoticeState::Applied, None, None),
        Err(Unapplied::Strange(reason)) => (NoticeState::Quarantined, Some(reason), None),
        Err(Unapplied::NotYet(problem)) => {
            let retry = usize::try_from(tries).ok().and_then(|tries| RETRIES.get(tries));
            let next: Option<Time> = retry.map(|wait| engine.clock.now().plus(*wait));
            let state = if next.is_some() {
                NoticeState::Received
            } else {
                NoticeState::Quarantined
            };
            (state, Some(problem.to_string()), next)
        }
    };
    if let Some(reason) = &reason {
        tracing::warn!(notice = %notice_id, "a notification is not applied: {reason}");
    }
    let noted = match (state, reason) {
        (NoticeState::Quarantined, reason) => quarantine(engine, notice_id, &reason.unwrap_or_default()).await,
        (state, reason) => store::notice::resolve(engine.db.write(), notice_id, state, reason.as_deref(), next)
            .await
            .map_err(Problem::from),
    };
    match noted {
        Ok(()) => count(account, state.outcome()),
        Err(problem) => {
            tracing::error!(notice = %notice_id, error = %problem, "noting what became of a notification: {problem}");
        }
    }
    state
}

/// Counts what became of a notification.
fn count(account: &ChannelAccount, outcome: &'static str) {
    counter!(metric::NOTICES, "channel" => account.channel.0.clone(), "outcome" => outcome).increment(1);
}

/// Puts a notification aside, with one alarm however often it comes.
async fn quarantine(engine: &Engine, notice_id: &str, reason: &str) -> Result<(), Problem> {
    engine
        .db
        .again(&*engine.random, async || {
            let tx = engine.db.begin().await?;
            if store::notice::quarantine(&tx, notice_id, reason).await? {
                let text = reason.to_owned();
                alarm::raise(&tx, AlarmKind::NoticeMismatch, notice_id, text, engine.clock.now()).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
}

async fn apply_one(engine: &Engine, account: &ChannelAccount, news: News) -> Result<(), Unapplied> {
    match news {
        News::Payment { no, standing } => about_payment(engine, account, &no, standing).await,
        News::Refund { no, standing } => about_refund(engine, account, &no, standing).await,
        News::Contract { contract, standing } => about_contract(engine, account, &contract, standing.as_ref()).await,
        News::Nothing => Ok(()),
    }
}

async fn about_contract(
    engine: &Engine,
    account: &ChannelAccount,
    contract: &ContractKey,
    standing: Option<&ContractStanding>,
) -> Result<(), Unapplied> {
    let found = mandate::by_key(engine, contract).await?;
    let found = found.ok_or_else(|| Problem::new(Code::MandateNotFound))?;
    // Accounts under one heading share their contracts; others know nothing of them.
    let shares = || async { Ok::<_, Problem>(engine.adapter(account).await?.contract_scope() == found.scope) };
    if found.account_id != account.account_id && !shares().await? {
        return Err(of_another(&found.account_id));
    }
    match standing {
        Some(standing) => mandate::settle(engine, &found.contract_no, standing).await?,
        None => mandate::recheck(engine, &found.contract_no).await,
    }
    Ok(())
}

async fn about_payment(
    engine: &Engine,
    account: &ChannelAccount,
    no: &PayNo,
    standing: Option<Standing>,
) -> Result<(), Unapplied> {
    let payment = payment::find::by_number(engine, no).await?;
    fits(account, &payment.account_id)?;
    if let Some(Standing::Paid(paid)) = &standing
        && (paid.amount != payment.amount || paid.coupon > payment.amount)
    {
        return Err(Unapplied::Strange(format!(
            "{no}: {} fen were paid ({} by coupons), the order is {} fen",
            paid.amount, paid.coupon, payment.amount
        )));
    }
    match standing.as_ref().and_then(payment::News::from_standing) {
        // While a reversal is open, an "it failed" may be its own doing; the reversal asks and settles.
        Some(news @ payment::News::Paid(_)) => {
            payment::settle::settle(engine, no, &news).await?;
        }
        Some(news) if payment.reversal == payment::ReversalMark::None => {
            payment::settle::settle(engine, no, &news).await?;
        }
        Some(_) => {}
        None => {
            complete::complete(engine, &payment).await?;
        }
    }
    Ok(())
}

async fn about_refund(
    engine: &Engine,
    account: &ChannelAccount,
    no: &RefundNo,
    standing: Option<RefundStanding>,
) -> Result<(), Unapplied> {
    let known = store::refund::find(engine.db.write(), no)
        .await
        .map_err(Problem::from)?;
    let Some(known) = known else {
        // The movement back of a reversal: its own job asks for it.
        return Ok(());
    };
    let payment = payment::find::by_number(engine, &known.pay_no).await?;
    fits(account, &payment.account_id)?;
    let news = match standing {
        Some(RefundStanding::Refunded(refunded)) if refunded.amount != known.amount => {
            return Err(Unapplied::Strange(format!(
                "{no}: {} fen went back, the refund is {} fen",
                refunded.amount, known.amount
            )));
        }
        Some(RefundStanding::Refunded(refunded)) => RefundNews::Done(refunded),
        Some(RefundStanding::NotRefunded(refusal)) => RefundNews::Failed(refusal),
        Some(RefundStanding::Pending | RefundStanding::Absent) | None => {
            return Ok(refund::complete::complete(engine, &known).await?);
        }
    };
    refund::settle::settle(engine, no, &news).await?;
    Ok(())
}

/// A notification of one account never speaks of another's orders.
fn fits(account: &ChannelAccount, of_order: &AccountId) -> Result<(), Unapplied> {
    if account.account_id == *of_order {
        Ok(())
    } else {
        Err(of_another(of_order))
    }
}

fn of_another(account: &AccountId) -> Unapplied {
    Unapplied::Strange(format!("what it tells of belongs to account {account}"))
}
