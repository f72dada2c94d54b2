//! Contracts: asked for, decided by the user on the page, ended by him or by the merchant.

use metropay_core::clock::Time;

use super::{Event, Stub};

/// How a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The user has not decided yet.
    Asked,
    /// Signed.
    Signed,
    /// Declined on the page.
    Declined,
    /// Ended by the user.
    EndedByUser,
    /// Ended by the merchant.
    EndedByMerchant,
}

/// A contract.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The merchant's account.
    pub account: String,
    /// The merchant's number of it.
    pub no: String,
    /// What deductions name.
    pub handle: String,
    /// Who signed it; empty before.
    pub user: String,
    /// How it stands.
    pub state: State,
    /// When it came to that.
    pub at: Time,
    /// Where its news goes.
    pub notify_url: String,
}

impl Stub {
    /// A merchant asks for a contract; asking again changes nothing.
    pub fn ask_contract(&self, account: &str, no: &str, notify_url: &str) -> Contract {
        let now = self.now();
        let mut memory = self.memory();
        let key = (account.to_owned(), no.to_owned());
        if let Some(known) = memory.contracts.get(&key) {
            return known.clone();
        }
        let contract = Contract {
            account: account.to_owned(),
            no: no.to_owned(),
            handle: format!("H{}", memory.number()),
            user: String::new(),
            state: State::Asked,
            at: now,
            notify_url: notify_url.to_owned(),
        };
        memory.contracts.insert(key, contract.clone());
        contract
    }

    /// The contract of this number.
    pub fn contract(&self, account: &str, no: &str) -> Option<Contract> {
        let key = (account.to_owned(), no.to_owned());
        self.memory().contracts.get(&key).cloned()
    }

    /// The contract of this handle.
    pub fn contract_of(&self, account: &str, handle: &str) -> Option<Contract> {
        let memory = self.memory();
        let mut all = memory.contracts.values();
        let found = all.find(|contract| contract.account == account && contract.handle == handle);
        found.cloned()
    }

    /// The user decides. `None` where there is nothing to decide.
    pub fn decide(&self, account: &str, no: &str, user: &str, agree: bool) -> Option<Contract> {
        let state = if agree { State::Signed } else { State::Declined };
        let decided = self.change(account, no, State::Asked, state, user)?;
        if agree {
            self.tell(Event::Contract(decided.clone()));
        }
        Some(decided)
    }

    /// A signed contract ends. `None` where none is signed.
    pub fn end_contract(&self, account: &str, no: &str, by_user: bool) -> Option<Contract> {
        let state = if by_user {
            State::EndedByUser
        } else {
            State::EndedByMerchant
        };
        let ended = self.change(account, no, State::Signed, state, "")?;
        self.tell(Event::Contract(ended.clone()));
        Some(ended)
    }

    fn change(&self, account: &str, no: &str, from: State, to: State, user: &str) -> Option<Contract> {
        let now = self.now();
        let mut memory = self.memory();
        let key = (account.to_owned(), no.to_owned());
        let contract = memory.contracts.get_mut(&key)?;
        if contract.state != from {
            return None;
        }
        contract.state = to;
        contract.at = now;
        if !user.is_empty() {
            user.clone_into(&mut contract.user);
        }
        Some(contract.clone())
    }
}
