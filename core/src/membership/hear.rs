//! What membership systems hear of money: once of each payment of a member, and of each part that goes back.

use std::collections::BTreeMap;

use super::{Joining, MemberSystem, Membership, Wish, system, system_of};
use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{MchId, PayNo, RefundNo, Uid};
use crate::member::{MemberFailure, MemberPayment, MemberTrouble, PointsChange};
use crate::money::Fen;
use crate::problem::Problem;
use crate::rules::membership::VipStatus;
use crate::store::member_hearing::{HearingKind, Model as Hearing};
use crate::store::{self, Tx};

/// What one turn tells at most.
const HEAR_BATCH: u64 = 100;

/// A payment with a merchant, as far as its membership system is concerned.
#[derive(Debug, Clone)]
pub(crate) struct PaidHeard<'a> {
    /// The merchant.
    pub mch_id: &'a MchId,
    /// Who has paid.
    pub uid: &'a Uid,
    /// The payment.
    pub pay_no: &'a PayNo,
    /// What was paid.
    pub amount: Fen,
}

/// Notes a payment: for a member to be told of, and for who becomes one with his first payment. In the transaction in which it
/// is heard; hearing it again changes nothing.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn hear_paid(tx: &Tx, system: &MemberSystem, paid: &PaidHeard<'_>, now: Time) -> Result<(), Problem> {
    let membership = store::membership::find(tx, paid.mch_id, paid.uid).await?;
    match membership {
        None if system.joining == Joining::AtFirstPayment => {
            let none = Membership::none(paid.mch_id, paid.uid, now);
            Ok(store::membership::put(tx, none.wished(Wish::Open, now)).await?)
        }
        Some(membership) if membership.standing == VipStatus::Active => {
            let hearing = hearing(paid, (paid.pay_no.0.clone(), HearingKind::Paid), paid.amount, now);
            Ok(store::member_hearing::insert(tx, hearing).await?)
        }
        _ => Ok(()),
    }
}

/// Notes that a part of a payment went back, under the number of the refund or reversal. Who was not told of the payment is not told
/// of this either.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn hear_refunded(
    tx: &Tx,
    paid: &PaidHeard<'_>,
    (no, amount): (&str, Fen),
    now: Time,
) -> Result<(), Problem> {
    let heard = store::member_hearing::about(tx, paid.pay_no, paid.mch_id, paid.uid).await?;
    if heard.iter().all(|hearing| hearing.kind != HearingKind::Paid) {
        return Ok(());
    }
    let hearing = hearing(paid, (no.to_owned(), HearingKind::Refunded), amount, now);
    Ok(store::member_hearing::insert(tx, hearing).await?)
}

fn hearing(paid: &PaidHeard<'_>, (ref_no, kind): (String, HearingKind), amount: Fen, now: Time) -> Hearing {
    Hearing {
        ref_no,
        mch_id: paid.mch_id.clone(),
        uid: paid.uid.clone(),
        kind,
        pay_no: paid.pay_no.clone(),
        amount,
        attempts: 0,
        next_at: Some(now),
        trouble: None,
        points_change: None,
        created_at: now,
        done_at: None,
    }
}

/// Tells what is due, each member's in the order in which it happened; answers how much.
pub(crate) async fn hear_due(engine: &Engine) -> Result<usize, Problem> {
    let due = store::member_hearing::due(engine.db.read(), engine.clock.now(), HEAR_BATCH).await?;
    let mut members: BTreeMap<(MchId, Uid), Vec<Hearing>> = BTreeMap::new();
    for hearing in due {
        let key = (hearing.mch_id.clone(), hearing.uid.clone());
        members.entry(key).or_default().push(hearing);
    }
    let each = members.values().map(|hearings| tell_one(engine, hearings));
    let told = futures::future::join_all(each).await;
    told.into_iter()
        .try_fold(0_usize, |sum, told| Ok(sum.saturating_add(told?)))
}

/// Tells of one member's money, up to what is not heard.
async fn tell_one(engine: &Engine, hearings: &[Hearing]) -> Result<usize, Problem> {
    let mut told = 0_usize;
    for hearing in hearings {
        if !tell(engine, hearing).await? {
            break;
        }
        told = told.saturating_add(1);
    }
    Ok(told)
}

async fn tell(engine: &Engine, hearing: &Hearing) -> Result<bool, Problem> {
    let (mch_id, uid) = (&hearing.mch_id, &hearing.uid);
    let membership = store::membership::find(engine.db.write(), mch_id, uid).await?;
    let system = system_of(engine, mch_id).await?;
    let (Some(membership), Some(system)) = (membership, system) else {
        let why = "the merchant's membership system is not in use";
        return not_heard(engine, hearing, &MemberFailure::not_sent(MemberTrouble::Call, why)).await;
    };
    let about = store::member_hearing::about(engine.db.write(), &hearing.pay_no, mch_id, uid).await?;
    let is_waiting = |before: &Hearing| before.done_at.is_none() && before.created_at < hearing.created_at;
    if hearing.kind == HearingKind::Refunded && about.iter().any(is_waiting) {
        // First things first.
        return Ok(false);
    }
    let change = match system::adapter(engine, &system).await? {
        Err(failure) => Err(failure),
        Ok(built) => match built.member.points() {
            None => return heard(engine, hearing, None).await,
            Some(points) => {
                let payment = payment(hearing, &about, &membership)?;
                let change = match hearing.kind {
                    HearingKind::Paid => points.paid(&payment).await,
                    HearingKind::Refunded => {
                        let no = RefundNo(hearing.ref_no.clone());
                        points.refunded(&payment, &no, hearing.amount).await
                    }
                };
                change.map(|change| (payment.points_before, change))
            }
        },
    };
    match change {
        Ok(change) => heard(engine, hearing, Some(change)).await,
        Err(failure) => not_heard(engine, hearing, &failure).await,
    }
}

/// The payment as it stood before this.
fn payment(hearing: &Hearing, about: &[Hearing], membership: &Membership) -> Result<MemberPayment, Problem> {
    let paid = about.iter().find(|other| other.kind == HearingKind::Paid);
    let back = about
        .iter()
        .filter(|other| other.kind == HearingKind::Refunded && other.done_at.is_some());
    let refunded_before = back
        .map(|other| other.amount)
        .try_fold(Fen::ZERO, Fen::plus)
        .map_err(Problem::fault)?;
    Ok(MemberPayment {
        uid: hearing.uid.clone(),
        no: hearing.pay_no.clone(),
        paid: paid.map_or(hearing.amount, |paid| paid.amount),
        refunded_before,
        points_before: u64::try_from(membership.points).unwrap_or_default(),
    })
}

/// Writes the points down with the note that it was heard; once, whoever tells.
async fn heard(engine: &Engine, hearing: &Hearing, change: Option<(u64, PointsChange)>) -> Result<bool, Problem> {
    let (mch_id, uid) = (&hearing.mch_id, &hearing.uid);
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    store::user::hold(&tx, uid).await?;
    let done = Hearing {
        next_at: None,
        trouble: None,
        points_change: Some(change.as_ref().map_or(0, |(_, change)| change.change)),
        done_at: Some(now),
        ..hearing.clone()
    };
    if !store::member_hearing::replace(&tx, hearing, done).await? {
        return Ok(false);
    }
    if let Some((before, change)) = change
        && let Some(mut membership) = store::membership::find(&tx, mch_id, uid).await?
    {
        if membership.points != i64::try_from(before).map_err(Problem::fault)? {
            // Somebody else has told of another payment meanwhile: it is counted again from there.
            return Ok(false);
        }
        membership.points = i64::try_from(change.points).map_err(Problem::fault)?;
        membership.level = change.level;
        membership.updated_at = now;
        store::membership::put(&tx, membership).await?;
    }
    tx.commit().await?;
    Ok(true)
}

async fn not_heard(engine: &Engine, hearing: &Hearing, failure: &MemberFailure) -> Result<bool, Problem> {
    let wait = super::state::wait(hearing.attempts, &*engine.random);
    let later = Hearing {
        attempts: hearing.attempts.saturating_add(1),
        next_at: Some(engine.clock.now().plus(wait)),
        trouble: Some(failure.trouble.word().to_owned()),
        ..hearing.clone()
    };
    store::member_hearing::replace(engine.db.write(), hearing, later).await?;
    Ok(false)
}
