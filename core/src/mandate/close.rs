//! Closing a mandate. It counts from the moment it is written down; where it was the last on its contract, the contract is
//! closed at the channel, and asked about until it is.

use super::contract::{FIRST_LOOK, try_close};
use super::{Mandate, MandateState, settle};
use crate::channel::{ContractStanding, EndedBy};
use crate::engine::Engine;
use crate::id::{ContractNo, MandateId, Uid};
use crate::problem::{Code, Problem};
use crate::store;

/// Closes a mandate of the user. Closed already counts as done.
///
/// # Errors
/// `MANDATE_NOT_FOUND` for none or somebody else's.
pub async fn close(engine: &Engine, uid: &Uid, id: &MandateId) -> Result<Mandate, Problem> {
    match engine.db.again(&*engine.random, || write(engine, uid, id)).await? {
        Closing::Already(mandate) => Ok(mandate),
        Closing::Overtaken => super::find(engine, uid, id).await,
        Closing::Closed { mandate, last } => {
            engine.live.wake(uid);
            if last {
                close_contract(engine, &mandate.contract_no).await?;
            }
            Ok(mandate)
        }
    }
}

/// What came of writing it down.
enum Closing {
    /// It was closed before.
    Already(Mandate),
    /// Somebody else changed it at this moment.
    Overtaken,
    /// It is closed now, and was perhaps the last on its contract.
    Closed { mandate: Mandate, last: bool },
}

async fn write(engine: &Engine, uid: &Uid, id: &MandateId) -> Result<Closing, Problem> {
    let now = engine.clock.now();
    let tx = engine.db.begin().await?;
    store::user::hold(&tx, uid).await?;
    let seen = store::mandate::find(&tx, uid, id)
        .await?
        .ok_or_else(|| Problem::new(Code::MandateNotFound))?;
    if seen.state == MandateState::Closed {
        return Ok(Closing::Already(seen));
    }
    let closed = Mandate {
        state: MandateState::Closed,
        living: None,
        ended_at: Some(now),
        ended_by: Some(settle::word(EndedBy::User).to_owned()),
        ..seen.clone()
    };
    if !store::mandate::replace(&tx, &seen, closed.clone()).await? {
        return Ok(Closing::Overtaken);
    }
    settle::tell(&tx, &closed, now).await?;
    let last = store::mandate::on_contract(&tx, &closed.contract_no).await?.is_empty();
    tx.commit().await?;
    Ok(Closing::Closed { mandate: closed, last })
}

/// Closes the contract at the channel. Where the channel does not answer, nothing can be deducted by us any more all the
/// same; the contract stays open in the books and the next looks close it.
async fn close_contract(engine: &Engine, no: &ContractNo) -> Result<(), Problem> {
    let contract = store::contract::find(engine.db.write(), no).await?;
    let contract = contract.ok_or_else(|| Problem::new(Code::Internal))?;
    if try_close(engine, &contract).await? {
        let ended = ContractStanding::Ended {
            by: EndedBy::Platform,
            at: None,
        };
        return settle(engine, no, &ended).await;
    }
    store::contract::look_again(engine.db.write(), no, engine.clock.now().plus(FIRST_LOOK)).await?;
    Ok(())
}
