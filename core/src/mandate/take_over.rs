//! Contracts taken over in bulk: those that users signed at a channel before they came here (a migration from an earlier
//! system, or the crowd of a load test), each with one mandate on it.

use std::collections::BTreeSet;

use super::{Contract, Mandate, MandateState};
use crate::engine::Engine;
use crate::id::{AccountId, ContractNo, MandateId, Uid};
use crate::limit;
use crate::merchant::ChannelAccount;
use crate::problem::{Code, Problem};
use crate::store;
use crate::vault::{IndexPurpose, Place, Purpose};

/// Contracts that are written down in one transaction.
const AT_ONCE: usize = 500;

/// A contract that stands at the channel.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Who signed it.
    pub uid: Uid,
    /// Our number of it at the channel, where the channel was told one that is to be kept.
    pub contract_no: Option<ContractNo>,
    /// What deductions must name. Confidential.
    pub handle: String,
}

/// Writes down contracts that stand at this account's channel, and an active mandate for the account's merchant on each. A
/// user who has a living mandate there already keeps that. The caller vouches for the contracts; the channel is asked about
/// them at the usual pace. Answers how many were new.
///
/// # Errors
/// `CHANNEL_NOT_CONFIGURED` for an unknown account, or when the database does not answer; what was written before stands, and
/// doing it again is safe.
pub async fn take_over(engine: &Engine, account: &AccountId, contracts: &[Standing]) -> Result<usize, Problem> {
    let account = engine.directory.account(account).await?;
    let account = account.ok_or_else(|| Problem::new(Code::ChannelNotConfigured))?;
    let scope = engine.adapter(&account).await?.contract_scope();
    let mut taken = 0usize;
    for some in contracts.chunks(AT_ONCE) {
        let uids = some.iter().map(|standing| standing.uid.0.clone()).collect();
        let tx = engine.db.begin().await?;
        let have = store::mandate::living_among(&tx, uids, &account.mch_id, &account.channel).await?;
        let have: BTreeSet<&str> = have.iter().map(String::as_str).collect();
        let (mut contracts, mut mandates) = (Vec::new(), Vec::new());
        for standing in some.iter().filter(|standing| !have.contains(standing.uid.as_str())) {
            let contract = contract(engine, &account, &scope, standing)?;
            mandates.push(mandate(engine, &account, &contract));
            contracts.push(contract);
        }
        taken = taken.saturating_add(contracts.len());
        if !contracts.is_empty() {
            store::contract::insert_all(&tx, contracts).await?;
            store::mandate::insert_all(&tx, mandates).await?;
        }
        tx.commit().await?;
    }
    tracing::info!(channel = %account.channel, contracts = taken, "contracts taken over");
    Ok(taken)
}

fn contract(engine: &Engine, account: &ChannelAccount, scope: &str, standing: &Standing) -> Result<Contract, Problem> {
    let now = engine.clock.now();
    let no = standing.contract_no.clone();
    let no = no.unwrap_or_else(|| ContractNo::fresh(&*engine.clock, &*engine.random));
    let place = Place {
        table: "contract",
        column: "handle_sealed",
        row: no.as_str(),
    };
    Ok(Contract {
        handle_sealed: Some(engine.seal(Purpose::Contract, place, &standing.handle)?),
        handle_index: Some(engine.vault.index(IndexPurpose::ContractHandle, &standing.handle)),
        contract_no: no,
        uid: standing.uid.clone(),
        channel: account.channel.clone(),
        account_id: account.account_id.clone(),
        scope: scope.to_owned(),
        state: MandateState::Active,
        payer_sealed: None,
        display: None,
        created_at: now,
        signed_at: Some(now),
        expires_at: None,
        ended_at: None,
        ended_by: None,
        next_look_at: Some(now.plus(limit::CONTRACT_RECHECK)),
        looks: 0,
    })
}

fn mandate(engine: &Engine, account: &ChannelAccount, contract: &Contract) -> Mandate {
    Mandate {
        mandate_id: MandateId::fresh(&*engine.clock, &*engine.random),
        uid: contract.uid.clone(),
        mch_id: account.mch_id.clone(),
        channel: account.channel.clone(),
        account_id: account.account_id.clone(),
        contract_no: contract.contract_no.clone(),
        state: MandateState::Active,
        living: Some(contract.uid.0.clone()),
        created_at: contract.created_at,
        activated_at: Some(contract.created_at),
        ended_at: None,
        ended_by: None,
    }
}
