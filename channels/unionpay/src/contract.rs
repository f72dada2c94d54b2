//! Contracts: the opening page and the open query. What happens to a token later stands in `token`.
//!
//! UnionPay reference, 3.2.1 and 3.2.2.

use metropay_core::channel::{
    CallError, Called, ContractRef, ContractStanding, EndedBy, Hint, Outcome, SignPage, SignQuestion, SignedContract,
};
use metropay_core::clock::Time;

use crate::Unionpay;
use crate::account::plain;
use crate::call::{Answer, BACK, FRONT, Kind, OrderKey, get};
use crate::cardholder::Cardholder;
use crate::codes::{Class, find, refusal};
use crate::consume::unfit_refusal;
use crate::form::{Fields, read_domain};

pub(crate) const TOKEN_BIZ: &str = "000902";
/// The token has expired.
pub(crate) const EXPIRED: &str = "80";
/// Addresses in messages are no longer (UnionPay reference, 1.4).
pub(crate) const URL_MAX: usize = 256;

/// What a signed contract's message lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoToken {
    #[error("there is no readable token")]
    Unreadable,
    #[error("the token was made for another trId")]
    Foreign,
}

fn key(contract: &ContractRef) -> OrderKey<'_> {
    OrderKey {
        order_id: contract.no.as_str(),
        at: contract.asked_at,
    }
}

impl Unionpay {
    /// As [`Channel::sign_contract`](metropay_core::channel::Channel::sign_contract), with what is known of the cardholder
    /// filled into UnionPay's page.
    ///
    /// # Errors
    /// [`CallError`] when the encryption certificate had to be fetched and was not handed out; asking again is safe.
    pub async fn sign_contract_of(&self, question: &SignQuestion, holder: &Cardholder) -> Called<SignPage> {
        let mut told = Fields::new();
        match holder.put(&mut told, &*self.sealing().await?) {
            Ok(()) => self.opening(question, told),
            Err(error) => Ok(Outcome::Refused(unfit_refusal(&error.to_string(), Hint::Setup))),
        }
    }

    /// The form that opens a token on UnionPay's own page; `told` is filled in there. No call is made.
    pub(crate) fn opening(&self, question: &SignQuestion, told: Fields) -> Called<SignPage> {
        if question.return_url.len() > URL_MAX || question.return_url.chars().any(char::is_control) {
            let reason = "the address to return to has more than 256 letters or invisible ones";
            return Ok(Outcome::Refused(unfit_refusal(reason, Hint::Setup)));
        }
        let kind = Kind {
            txn_type: "79",
            txn_sub_type: "00",
            biz_type: TOKEN_BIZ,
        };
        let mut fields = self.message(kind, key(&question.contract));
        for (name, value) in [
            ("channelType", "07".to_owned()),
            ("frontUrl", question.return_url.clone()),
            ("backUrl", self.setting.notify_url.clone()),
            ("tokenPayData", format!("{{trId={}&tokenType=01}}", self.account.tr_id)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        fields.extend(told);
        self.write(&mut fields)?;
        Ok(Outcome::Done(SignPage::Form {
            action: format!("{}{FRONT}", self.account.base_url),
            fields: fields.into_iter().collect(),
        }))
    }

    pub(crate) async fn contract_standing(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        let kind = Kind {
            txn_type: "78",
            txn_sub_type: "02",
            biz_type: TOKEN_BIZ,
        };
        let mut fields = self.message(kind, key(contract));
        fields.insert("channelType".to_owned(), "07".to_owned());
        let answer = self.ask(BACK, fields, self.account.patience.query).await?;
        if find(answer.code()).is_some_and(|code| code.class == Class::Success) {
            let signed = self
                .signed(answer.fields())
                .map_err(|lack| CallError::MaybeDone(lack.to_string()))?;
            return Ok(self.living(signed));
        }
        unopened(contract, &answer)
    }

    /// A signed contract is usable until its token expires.
    pub(crate) fn living(&self, signed: SignedContract) -> ContractStanding {
        match signed.expires_at {
            Some(at) if at <= self.setting.clock.now() => ContractStanding::Ended {
                by: EndedBy::Expiry,
                at: Some(at),
            },
            _ => ContractStanding::Active(signed),
        }
    }

    /// Reads the token domain, by name and never by position (UnionPay reference, 3.2.1).
    pub(crate) fn signed(&self, fields: &Fields) -> Result<SignedContract, NoToken> {
        let domain = get(fields, "tokenPayData")
            .and_then(read_domain)
            .ok_or(NoToken::Unreadable)?;
        if get(&domain, "trId") != Some(self.account.tr_id.as_str()) {
            return Err(NoToken::Foreign);
        }
        let token = get(&domain, "token").filter(|token| plain(token, 1..=64));
        let time = |name: &str| get(&domain, name).and_then(|text| Time::parse_china(text, "%Y%m%d%H%M%S"));
        Ok(SignedContract {
            handle: token.ok_or(NoToken::Unreadable)?.to_owned(),
            payer: None,
            display: get(fields, "accNo").and_then(|sealed| self.card_tail(sealed)),
            signed_at: time("tokenBegin"),
            expires_at: time("tokenEnd"),
        })
    }

    /// The last four digits of a card number, which comes encrypted to us, or masked, as the merchant is configured.
    /// Nothing else of it is kept.
    fn card_tail(&self, number: &str) -> Option<String> {
        let card = |text: &str| {
            let digits = (12..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'*');
            let tail = digits.then(|| text.get(text.len().saturating_sub(4)..)).flatten()?;
            Some(format!("尾号{tail}"))
        };
        card(number).or_else(|| card(self.account.signing.decrypt(number)?.expose()))
    }
}

/// What an open query without a token says. Before we hold a token everything but a wrong set-up means "not opened (yet)"
/// (UnionPay reference, 3.2.2); once we hold one, only a code that speaks of the binding says that it is gone.
fn unopened(contract: &ContractRef, answer: &Answer) -> Result<ContractStanding, CallError> {
    let letters = answer.code();
    let gone = refusal(letters, "").hint == Hint::ContractGone;
    match find(letters).map(|code| code.class) {
        Some(Class::Failed | Class::Query | Class::Retry) if contract.handle.is_none() => Ok(ContractStanding::Pending),
        Some(Class::Query) if letters == "34" => Ok(ContractStanding::Pending),
        Some(Class::Failed) if gone => Ok(ContractStanding::Ended {
            by: if letters == EXPIRED {
                EndedBy::Expiry
            } else {
                EndedBy::Channel
            },
            at: None,
        }),
        _ => Err(answer.useless()),
    }
}
