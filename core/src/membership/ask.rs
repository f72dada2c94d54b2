//! Asking membership systems what users wish, as often as it takes, each merchant's for itself.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use serde_json::json;

use super::desk::Seat;
use super::request::Question;
use super::{MemberSystem, Membership, system};
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::RuleNo;
use crate::member::{MEMBER_CALL_MAX, MemberAnswered, MemberFailure, MemberTrouble};
use crate::merchant::Standing;
use crate::metric;
use crate::outbox::{self, OwedKind};
use crate::problem::Problem;
use crate::rules::membership::VipStatus;
use crate::secret::Secret;
use crate::store::{self, Lane};
use crate::user::{self, User};

/// How long whoever asks may take; then another may. Longer than any adapter takes.
const ASK_LEASE: Duration = Duration::from_secs(30);
/// What is owed to a merchant whose system is not in use waits so long before it is looked at again.
const UNUSED_WAIT: Duration = Duration::from_secs(300);

const _: () = assert!(MEMBER_CALL_MAX.as_secs() < ASK_LEASE.as_secs());

/// Begins to ask about what is due, and answers about how many. It waits for no answer: that would be the slowest's.
pub(crate) async fn ask_due(engine: &Engine) -> Result<usize, Problem> {
    let desk = engine.member_desk();
    let (free, busy) = desk.room();
    if free == 0 {
        return Ok(0);
    }
    let now = engine.clock.now();
    let limit = u64::try_from(free).unwrap_or(u64::MAX);
    let due = store::membership::due(engine.db.read(), now, &busy, limit).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let engine = Arc::new(engine.on(Lane::Jobs));
    let mut begun = 0_usize;
    for membership in due {
        let Some(seat) = desk.sit(&membership.mch_id) else {
            continue;
        };
        if !store::membership::take(engine.db.write(), &membership, now, now.plus(ASK_LEASE)).await? {
            continue;
        }
        begun = begun.saturating_add(1);
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            let (mch_id, uid) = (&membership.mch_id, &membership.uid);
            if let Err(problem) = ask(&engine, &membership, &seat).await {
                // Whoever looks after the lease asks again.
                tracing::error!(%mch_id, %uid, error = %problem, "membership with {mch_id}: {problem}");
            }
        });
    }
    Ok(begun)
}

/// Asks one question and keeps the answer.
async fn ask(engine: &Engine, seen: &Membership, seat: &Seat) -> Result<(), Problem> {
    let (mch_id, uid) = (&seen.mch_id, &seen.uid);
    let found = store::membership::find(engine.db.write(), mch_id, uid).await?;
    let (Some(membership), Some(user)) = (found, user::find(engine, uid).await?) else {
        return Ok(());
    };
    let system = store::member_system::find(engine.db.read(), mch_id).await?;
    let Some(system) = system.filter(|system| system.status == Standing::Active) else {
        return put_off(engine, &membership).await;
    };
    let built = system::adapter(engine, &system).await?;
    let can_query = built.as_ref().is_ok_and(|built| built.member.query().is_some());
    let Some(action) = membership.owes(user.phone_version, can_query) else {
        return settle(engine, &membership, |membership, _| membership).await;
    };
    let since = user.phone_changed_at.unwrap_or(user.opened_at);
    let question = Question::of(&membership, action, user.phone_version, since);
    let phone = user::phone(engine, &user)?.map(Secret::from);
    let (answer, rule_no) = match built {
        Ok(built) => (question.ask(&*built.member, &membership, phone).await, built.rule_no),
        Err(failure) => (Err(failure), None),
    };
    count(&system, &answer);
    note_rule(engine, rule_no.as_ref(), &answer).await;
    let was_silent = note_silence(seat, &answer);
    record(engine, &membership, &question, answer).await?;
    if was_silent {
        store::membership::due_again(engine.db.write(), mch_id, engine.clock.now()).await?;
    }
    Ok(())
}

/// Keeps the answer, or that there was none, in one transaction with what is told of it.
async fn record(
    engine: &Engine,
    membership: &Membership,
    question: &Question,
    answer: MemberAnswered,
) -> Result<(), Problem> {
    let random = &*engine.random;
    settle(engine, membership, |present, user| {
        let now = engine.clock.now();
        match answer.clone() {
            Ok(standing) => present.answered(question, (standing, user.phone_version), (now, random)),
            Err(failure) => present.unanswered(question, &failure, (now, random)),
        }
    })
    .await
}

/// The one place where what is known of a membership changes by the word of its system.
async fn settle(
    engine: &Engine,
    seen: &Membership,
    change: impl Fn(Membership, &User) -> Membership,
) -> Result<(), Problem> {
    let (mch_id, uid) = (&seen.mch_id, &seen.uid);
    let told = engine
        .db
        .again(&*engine.random, async || {
            let tx = engine.db.begin().await?;
            store::user::hold(&tx, uid).await?;
            let user = store::user::find(&tx, uid).await?;
            let present = store::membership::find(&tx, mch_id, uid).await?;
            let (Some(user), Some(before)) = (user, present) else {
                return Ok(false);
            };
            let mut after = change(before.clone(), &user);
            after.busy_until = None;
            if after.owes(user.phone_version, false).is_none() {
                after.next_at = None;
            }
            store::membership::put(&tx, after.clone()).await?;
            let kinds = tell(&before, &after);
            for kind in &kinds {
                let payload = json!({
                    "mch_id": mch_id, "vip_status": after.standing, "member_no": after.member_no, "reason": after.reason,
                });
                event::push(&tx, *kind, uid, None, &payload, after.updated_at).await?;
            }
            if let Some(kind) = owed(&kinds) {
                outbox::owe(&tx, outbox::of_membership(kind, &after), after.updated_at).await?;
            }
            tx.commit().await?;
            Ok::<bool, Problem>(!kinds.is_empty())
        })
        .await?;
    if told {
        engine.live.wake(uid);
    }
    Ok(())
}

/// What the merchant is owed to be told of it.
fn owed(kinds: &[EventKind]) -> Option<OwedKind> {
    kinds.iter().find_map(|kind| match kind {
        EventKind::MemberOpened => Some(OwedKind::MemberOpened),
        EventKind::MemberClosed => Some(OwedKind::MemberClosed),
        _ => None,
    })
}

/// What the user is told of a change.
fn tell(before: &Membership, after: &Membership) -> Vec<EventKind> {
    let is = |membership: &Membership| membership.standing == VipStatus::Active;
    let mut kinds = Vec::new();
    match (is(before), is(after)) {
        (false, true) => kinds.push(EventKind::MemberOpened),
        (true, false) if after.standing != VipStatus::Pending => kinds.push(EventKind::MemberClosed),
        _ => {}
    }
    let refused = before.wish.is_some_and(|wish| {
        after.wish.is_none() && after.wish_no == before.wish_no && is(after) != (wish == super::Wish::Open)
    });
    if refused {
        kinds.push(EventKind::MemberRefused);
    }
    kinds
}

async fn put_off(engine: &Engine, membership: &Membership) -> Result<(), Problem> {
    settle(engine, membership, |mut membership, _| {
        membership.next_at = Some(engine.clock.now().plus(UNUSED_WAIT));
        membership
    })
    .await
}

fn count(system: &MemberSystem, answer: &MemberAnswered) {
    let outcome = match answer {
        Ok(_) => "answered",
        Err(failure) => failure.trouble.word(),
    };
    counter!(metric::MEMBER_QUESTIONS, "system" => system.system.clone(), "outcome" => outcome).increment(1);
}

/// Counts how the merchant's rule does; one that fails again and again is suspended, as others are.
async fn note_rule(engine: &Engine, rule_no: Option<&RuleNo>, answer: &MemberAnswered) {
    let failed = match answer {
        Err(failure)
            if matches!(
                failure.trouble,
                MemberTrouble::Rule | MemberTrouble::Answer | MemberTrouble::Call
            ) =>
        {
            Some(failure.to_string())
        }
        _ => None,
    };
    if let Some(rule_no) = rule_no {
        crate::rule::noted(engine, rule_no, failed).await;
    }
}

/// Whether the system answers again after it was silent.
fn note_silence(seat: &Seat, answer: &MemberAnswered) -> bool {
    match answer {
        Ok(_) => seat.answered(),
        Err(failure) if is_silence(failure) => {
            seat.silent();
            false
        }
        Err(_) => false,
    }
}

const fn is_silence(failure: &MemberFailure) -> bool {
    use MemberTrouble::{Address, Broken, Busy, Connect, Timeout, TooLong, Unresolved};
    matches!(
        failure.trouble,
        Address | Unresolved | Connect | Timeout | Broken | TooLong | Busy
    )
}
