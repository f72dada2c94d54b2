//! Asking channels about contracts: while they are being signed, daily while they stand, and whenever a deduction says that
//! one is gone.

use std::time::Duration;

use super::contract::{handle, reference, try_close};
use super::{Contract, Mandate, MandateState, settle};
use crate::channel::{ContractStanding, EndedBy};
use crate::engine::Engine;
use crate::id::{ContractNo, MandateId, Uid};
use crate::limit;
use crate::problem::{Code, Problem};
use crate::store;

/// Waits between further looks while it is being signed; the last one repeats.
const SIGNING: [Duration; 5] = [
    Duration::from_secs(40),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
];

/// Asks about every contract that is due; answers how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn recheck_due(engine: &Engine) -> Result<usize, Problem> {
    let due = store::contract::due(engine.db.read(), engine.clock.now(), limit::JOB_BATCH).await?;
    let count = due.len();
    for contract in due {
        recheck(engine, &contract.contract_no).await;
    }
    Ok(count)
}

/// The user's mandate, after the channel was asked about it.
///
/// # Errors
/// `MANDATE_NOT_FOUND` for none or somebody else's.
pub async fn refresh(engine: &Engine, uid: &Uid, id: &MandateId) -> Result<Mandate, Problem> {
    let mandate = super::find(engine, uid, id).await?;
    if mandate.state.is_living() {
        recheck(engine, &mandate.contract_no).await;
    }
    super::find(engine, uid, id).await
}

/// Asks about one contract. What goes wrong is logged; the contract is asked about again later.
pub(crate) async fn recheck(engine: &Engine, no: &ContractNo) {
    if let Err(problem) = look(engine, no).await {
        tracing::warn!(contract = %no, error = %problem, "asking about contract {no}: {problem}");
    }
}

async fn look(engine: &Engine, no: &ContractNo) -> Result<(), Problem> {
    let contract = store::contract::find(engine.db.write(), no).await?;
    let contract = contract.ok_or_else(|| Problem::new(Code::MandateNotFound))?;
    if contract.state == MandateState::Closed {
        return Ok(());
    }
    let now = engine.clock.now();
    // Some channels never tell that a contract has run out.
    if contract.expires_at.is_some_and(|at| at <= now) {
        let ended = ContractStanding::Ended {
            by: EndedBy::Expiry,
            at: contract.expires_at,
        };
        return settle(engine, no, &ended).await;
    }
    store::contract::look_again(engine.db.write(), no, now.plus(next_wait(&contract))).await?;
    // Nobody needs it any more: what the channel did not hear when the last mandate was closed, it hears now.
    if store::mandate::on_contract(engine.db.write(), no).await?.is_empty() {
        if try_close(engine, &contract).await? {
            let ended = ContractStanding::Ended {
                by: EndedBy::Platform,
                at: None,
            };
            return settle(engine, no, &ended).await;
        }
        return Ok(());
    }
    let channel = engine.adapter_of(&contract.account_id).await?;
    let handle = handle(engine, &contract)?;
    let standing = channel
        .query_contract(&reference(&contract, handle))
        .await
        .map_err(|error| Problem {
            source: Some(Box::new(error)),
            ..Problem::new(Code::ChannelUnavailable)
        })?;
    settle(engine, no, &standing).await
}

fn next_wait(contract: &Contract) -> Duration {
    if contract.state != MandateState::Pending {
        return limit::CONTRACT_RECHECK;
    }
    let looks = usize::try_from(contract.looks).unwrap_or(0);
    SIGNING
        .get(looks)
        .or(SIGNING.last())
        .copied()
        .unwrap_or(limit::CONTRACT_RECHECK)
}
