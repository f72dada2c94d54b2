//! The contract beneath mandates, as channels are asked about it.

use std::time::Duration;

use super::Contract;
use crate::channel::{ContractRef, Outcome};
use crate::engine::Engine;
use crate::problem::Problem;
use crate::vault::Place;

/// When a contract that is being signed is asked about first.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(20);
/// How a channel is asked about a contract.
pub(super) fn reference(contract: &Contract, handle: Option<String>) -> ContractRef {
    ContractRef {
        no: contract.contract_no.clone(),
        asked_at: contract.created_at,
        handle,
    }
}

/// The handle of a contract, opened.
pub(super) fn handle(engine: &Engine, contract: &Contract) -> Result<Option<String>, Problem> {
    let place = Place {
        table: "contract",
        column: "handle_sealed",
        row: contract.contract_no.as_str(),
    };
    contract
        .handle_sealed
        .as_deref()
        .map(|sealed| engine.unseal(place, sealed))
        .transpose()
}

/// Asks the channel to end a contract; answers whether it has.
pub(super) async fn try_close(engine: &Engine, contract: &Contract) -> Result<bool, Problem> {
    let channel = engine.adapter_of(&contract.account_id).await?;
    let handle = handle(engine, contract)?;
    match channel.close_contract(&reference(contract, handle)).await {
        Ok(Outcome::Done(())) => Ok(true),
        Ok(other) => {
            tracing::warn!(contract = %contract.contract_no, "closing the contract: {other:?}");
            Ok(false)
        }
        Err(error) => {
            tracing::warn!(contract = %contract.contract_no, %error, "closing the contract: {error}");
            Ok(false)
        }
    }
}
