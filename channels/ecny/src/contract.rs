//! Contracts: signed on the channel's page, asked about, ended.

use std::collections::BTreeMap;

use metropay_core::channel::{
    CallError, Called, ContractRef, ContractStanding, EndedBy, Outcome, SignPage, SignQuestion, SignedContract,
};
use metropay_core::clock::Time;
use serde::Serialize;
use url::Url;

use crate::Ecny;
use crate::answer::Contract;
use crate::call::maybe;

#[derive(Serialize)]
struct Signing<'a> {
    no: &'a str,
    display: &'a str,
    return_url: &'a str,
    notify_url: &'a str,
}

#[derive(Serialize)]
struct Wish<'a> {
    no: &'a str,
}

impl Ecny {
    pub(crate) async fn sign(&self, question: &SignQuestion) -> Called<SignPage> {
        let wish = Signing {
            no: question.contract.no.as_str(),
            display: &question.display,
            return_url: &question.return_url,
            notify_url: &self.notify_url,
        };
        let said = self.gate.ask("/v1/contract/sign", &wish).await?;
        if said.code != "OK" {
            return Err(said.doubt());
        }
        let page = said.page.filter(|page| Url::parse(page).is_ok());
        Ok(Outcome::Done(SignPage::Redirect {
            url: page.ok_or_else(|| maybe("an answer without a page"))?,
            sdk: BTreeMap::new(),
        }))
    }

    pub(crate) async fn contract_standing(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        let wish = Wish {
            no: contract.no.as_str(),
        };
        let said = self.gate.ask("/v1/contract/query", &wish).await?;
        match said.code.as_str() {
            "OK" => {
                let told = said.contract.as_ref().filter(|told| told.no == contract.no.as_str());
                let told = told.ok_or_else(|| maybe("the answer is about another contract"))?;
                told.standing()
                    .ok_or_else(|| maybe("a contract in a state that is not documented"))
            }
            "NO_CONTRACT" => Ok(ContractStanding::Pending),
            _ => Err(said.doubt()),
        }
    }

    pub(crate) async fn end_contract(&self, contract: &ContractRef) -> Called<()> {
        let wish = Wish {
            no: contract.no.as_str(),
        };
        let said = self.gate.ask("/v1/contract/close", &wish).await?;
        let told = said.contract.as_ref().filter(|told| told.no == contract.no.as_str());
        match (said.code.as_str(), told) {
            ("OK", Some(told)) => Ok(match told.standing() {
                Some(ContractStanding::Ended { .. }) => Outcome::Done(()),
                _ => Outcome::Pending,
            }),
            ("OK", None) => Err(maybe("the answer is about another contract")),
            _ => Err(said.doubt()),
        }
    }
}

impl Contract {
    /// How it stands; `None` for states that are not documented.
    pub(crate) fn standing(&self) -> Option<ContractStanding> {
        let ended = |by| ContractStanding::Ended {
            by,
            at: Some(Time(self.at_ms)),
        };
        Some(match self.state.as_str() {
            "ASKED" => ContractStanding::Pending,
            "SIGNED" => ContractStanding::Active(SignedContract {
                handle: self.handle.clone(),
                payer: Some(self.wallet.clone()),
                display: self
                    .wallet
                    .get(self.wallet.len().saturating_sub(4)..)
                    .map(|tail| format!("尾号{tail}")),
                signed_at: Some(Time(self.at_ms)),
                expires_at: None,
            }),
            "DECLINED" | "ENDED_BY_USER" => ended(EndedBy::User),
            "ENDED_BY_MERCHANT" => ended(EndedBy::Platform),
            _ => return None,
        })
    }
}
