//! The gate of contracts: whoever learned how a contract stands, only this changes its state and the mandates on it.

use metrics::counter;
use serde_json::json;

use super::{Contract, Mandate, MandateState};
use crate::channel::{ContractKey, ContractStanding, EndedBy, SignedContract};
use crate::clock::Time;
use crate::engine::Engine;
use crate::event::{self, EventKind};
use crate::id::{ContractNo, Uid};
use crate::limit;
use crate::metric;
use crate::outbox::{self, OwedKind};
use crate::problem::{Code, Problem};
use crate::store::{self, Tx};
use crate::vault::{IndexPurpose, Place, Purpose};

/// The contract that a notification names.
pub(crate) async fn by_key(engine: &Engine, key: &ContractKey) -> Result<Option<Contract>, Problem> {
    let db = engine.db.write();
    Ok(match key {
        ContractKey::No(no) => store::contract::find(db, no).await?,
        ContractKey::Handle(handle) => {
            store::contract::by_handle(db, &engine.vault.index(IndexPurpose::ContractHandle, handle)).await?
        }
    })
}

/// Brings news about a contract into the books, in one transaction. A contract that has ended stays ended: a late "signed"
/// never revives it.
pub(crate) async fn settle(engine: &Engine, no: &ContractNo, standing: &ContractStanding) -> Result<(), Problem> {
    if let Some(uid) = engine.db.again(&*engine.random, || write(engine, no, standing)).await? {
        engine.live.wake(&uid);
    }
    Ok(())
}

/// Answers who is to be told.
async fn write(engine: &Engine, no: &ContractNo, standing: &ContractStanding) -> Result<Option<Uid>, Problem> {
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    let found = || async { Ok::<_, Problem>(store::contract::find(&tx, no).await?) };
    let not_found = || Problem::new(Code::MandateNotFound);
    store::user::hold(&tx, &found().await?.ok_or_else(not_found)?.uid).await?;
    // As it stands now that nobody else acts for this user.
    let seen = found().await?.ok_or_else(not_found)?;
    let new = match (seen.state, standing) {
        (MandateState::Closed, _) => return Ok(None),
        (_, ContractStanding::Active(signed)) => active(engine, &seen, signed, now)?,
        (MandateState::Active, ContractStanding::Suspended) => Contract {
            state: MandateState::Suspended,
            ..seen.clone()
        },
        (_, ContractStanding::Ended { by, at }) => closed(&seen, *by, at.unwrap_or(now)),
        // Nobody signed in time: the page is gone at the channel.
        (MandateState::Pending, _) if now >= seen.created_at.plus(limit::SIGN_WINDOW) => {
            closed(&seen, EndedBy::Expiry, now)
        }
        _ => return Ok(None),
    };
    if !store::contract::replace(&tx, &seen, new.clone()).await? {
        return Ok(None);
    }
    let mut woken = None;
    for mandate in store::mandate::on_contract(&tx, no).await? {
        if mandate.state != new.state {
            let changed = follow(&mandate, &new, now);
            if store::mandate::replace(&tx, &mandate, changed.clone()).await? {
                tell(&tx, &changed, now).await?;
                woken = Some(changed.uid);
            }
        }
    }
    tx.commit().await?;
    if seen.state != new.state {
        tracing::info!(contract = %no, channel = %new.channel, state = ?new.state, "contract {no}: {:?}", new.state);
    }
    Ok(woken)
}

fn active(engine: &Engine, seen: &Contract, signed: &SignedContract, now: Time) -> Result<Contract, Problem> {
    let place = |column| Place {
        table: "contract",
        column,
        row: seen.contract_no.as_str(),
    };
    let payer_sealed = match &signed.payer {
        Some(payer) => Some(engine.seal(Purpose::Contract, place("payer_sealed"), payer)?),
        None => seen.payer_sealed.clone(),
    };
    Ok(Contract {
        state: MandateState::Active,
        handle_sealed: Some(engine.seal(Purpose::Contract, place("handle_sealed"), &signed.handle)?),
        handle_index: Some(engine.vault.index(IndexPurpose::ContractHandle, &signed.handle)),
        payer_sealed,
        display: signed.display.clone().or_else(|| seen.display.clone()),
        signed_at: seen.signed_at.or(signed.signed_at).or(Some(now)),
        expires_at: signed.expires_at.or(seen.expires_at),
        next_look_at: Some(now.plus(limit::CONTRACT_RECHECK)),
        looks: 0,
        ..seen.clone()
    })
}

fn closed(seen: &Contract, by: EndedBy, at: Time) -> Contract {
    Contract {
        state: MandateState::Closed,
        ended_at: Some(at),
        ended_by: Some(word(by).to_owned()),
        next_look_at: None,
        ..seen.clone()
    }
}

/// The mandate follows its contract.
fn follow(mandate: &Mandate, contract: &Contract, now: Time) -> Mandate {
    let closed = contract.state == MandateState::Closed;
    Mandate {
        state: contract.state,
        living: if closed { None } else { mandate.living.clone() },
        activated_at: mandate
            .activated_at
            .or((contract.state == MandateState::Active).then_some(now)),
        ended_at: if closed { Some(now) } else { None },
        ended_by: if closed { contract.ended_by.clone() } else { None },
        ..mandate.clone()
    }
}

/// Who ended it, as the App sees it.
pub(super) fn word(by: EndedBy) -> &'static str {
    match by {
        EndedBy::User => "user",
        EndedBy::Platform => "platform",
        EndedBy::Channel => "channel",
        EndedBy::Expiry => "expiry",
    }
}

/// Counts a mandate's new state when it is in the books.
pub(super) fn count(tx: &Tx, mandate: &Mandate) {
    let (channel, state) = (mandate.channel.0.clone(), mandate.state.word());
    tx.after_commit(move || counter!(metric::MANDATES, "channel" => channel, "state" => state).increment(1));
}

/// Writes down the event of a mandate's new state.
pub(super) async fn tell(tx: &Tx, mandate: &Mandate, now: Time) -> Result<(), Problem> {
    count(tx, mandate);
    let (kind, owed) = match mandate.state {
        MandateState::Pending => return Ok(()),
        MandateState::Active => (EventKind::MandateActive, OwedKind::MandateActive),
        MandateState::Suspended => (EventKind::MandateSuspended, OwedKind::MandateSuspended),
        MandateState::Closed => (EventKind::MandateClosed, OwedKind::MandateClosed),
    };
    let payload = json!({
        "mandate_id": mandate.mandate_id,
        "mch_id": mandate.mch_id,
        "channel": mandate.channel,
        "ended_by": mandate.ended_by,
    });
    outbox::owe(tx, outbox::of_mandate(owed, mandate, now), now).await?;
    event::push(tx, kind, &mandate.uid, None, &payload, now).await
}
