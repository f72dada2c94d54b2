//! Contracts: signed on the channel's page, asked about, ended.

use metropay_core::channel::{CallError, Called, ContractRef, ContractStanding, SignPage, SignQuestion};
use serde::Serialize;

use crate::Foochan;
use crate::call::unwritten;

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

impl Foochan {
    pub(crate) async fn sign(&self, question: &SignQuestion) -> Called<SignPage> {
        let wish = Signing {
            no: question.contract.no.as_str(),
            display: &question.display,
            return_url: &question.return_url,
            notify_url: &self.notify_url,
        };
        let _said = self.gate.ask("/v1/contract/sign", &wish).await?;
        // FILL IN: the page to which the user is sent.
        unwritten("sign contract")
    }

    pub(crate) async fn contract_standing(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        let wish = Wish {
            no: contract.no.as_str(),
        };
        let _said = self.gate.ask("/v1/contract/query", &wish).await?;
        // FILL IN: how it stands. What the channel does not know (yet) is `Pending`.
        unwritten("query contract")
    }

    pub(crate) async fn end_contract(&self, contract: &ContractRef) -> Called<()> {
        let wish = Wish {
            no: contract.no.as_str(),
        };
        let _said = self.gate.ask("/v1/contract/close", &wish).await?;
        // FILL IN: whether it has ended. "Already ended" is done.
        unwritten("close contract")
    }
}
