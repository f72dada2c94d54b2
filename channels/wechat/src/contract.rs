//! Contracts: signing, querying, ending (wechat reference, 3.3 to 3.6).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use metropay_core::channel::{
    CallError, Called, ContractRef, ContractStanding, EndedBy, Hint, Outcome, Refusal, SignPage, SignQuestion,
    SignedContract,
};
use metropay_core::clock::Time;
use metropay_outbound::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::Wechat;
use crate::call::{Call, Reply, Signed, by_mode, heads, judge, maybe, other};
use crate::codes::{Asked, Class, Failure};
use crate::config::SignEntry;
use crate::sign::SignType;
use crate::text::letters_and_digits;
use crate::xml::Message;

/// A pre-signed contract can be signed for two hours, with some minutes on the page (wechat reference, 3.3, 3.13).
const SIGNABLE_FOR: Duration = Duration::from_secs(150 * 60);

/// The address of a signing page inside WeChat may be no longer (wechat reference, 3.3).
const PAGE_URL_MAX: usize = 1_024;

/// What is not encoded in a query.
pub(crate) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Wechat {
    pub(crate) async fn sign(&self, question: &SignQuestion) -> Called<SignPage> {
        match self.account.sign_entry {
            SignEntry::PreEntrustWeb => self.pre_sign(question).await,
            SignEntry::H5EntrustWeb => self.sign_in_browser(question).await,
            SignEntry::EntrustWeb => Ok(self.sign_in_wechat(question)),
        }
    }

    /// The fields that all ways of signing have in common.
    fn signing(&self, question: &SignQuestion) -> Message {
        let mut display = letters_and_digits(&question.display, 32);
        if display.is_empty() {
            display = letters_and_digits(question.contract.no.as_str(), 32);
        }
        let mut message = heads(&self.account);
        message
            .text("plan_id", self.account.plan_id.as_str())
            .text("contract_code", question.contract.no.as_str())
            .text("request_serial", question.sequence.to_string())
            .text("contract_display_account", display)
            .text("notify_url", self.notify_url.as_str())
            .text("version", "1.0")
            .text("timestamp", self.gate.clock.now().unix_seconds().to_string());
        message
    }

    async fn pre_sign(&self, question: &SignQuestion) -> Called<SignPage> {
        let mut call = Call::new(
            &self.account,
            &self.gate,
            by_mode(&self.account, "papay", "preentrustweb"),
        );
        call.message = self.signing(question);
        call.message.text("return_app", "Y");
        let message = match call.send().await? {
            Reply::Taken(message) => message,
            reply => return not_signable(reply),
        };
        let Some(id) = message.get("pre_entrustweb_id") else {
            return Err(maybe("an answer without pre_entrustweb_id"));
        };
        let url = self
            .account
            .signing_page
            .clone()
            .map_or(String::new(), |mut page: Url| {
                page.query_pairs_mut().append_pair("id", id);
                page.to_string()
            });
        let mut sdk = BTreeMap::from([
            ("appid".to_owned(), self.account.appid.clone()),
            ("business_type".to_owned(), "12".to_owned()),
            ("pre_entrustweb_id".to_owned(), id.to_owned()),
        ]);
        for name in ["miniprogram_username", "miniprogram_path"] {
            if let Some(value) = message.get(name) {
                sdk.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Outcome::Done(SignPage::Redirect { url, sdk }))
    }

    async fn sign_in_browser(&self, question: &SignQuestion) -> Called<SignPage> {
        let mut message = self.signing(question);
        let user_ip = question.user_ip.as_deref().filter(|ip| ip.parse::<IpAddr>().is_ok());
        message.text("clientip", user_ip.unwrap_or(&self.account.spbill_create_ip));
        if self.account.sign_type == SignType::Md5 {
            message.text("sign_type", SignType::Md5.name());
        }
        let url = self.page_url("h5entrustweb", message, self.account.sign_type);
        let request = Request {
            method: Method::GET,
            ..Request::get(url, self.account.query_timeout)
        };
        let answer = self.gate.send(request, false).await?;
        let message = match judge(&self.account, &answer, self.account.sign_type, Signed::IfThere)? {
            Reply::Taken(message) => message,
            reply => return not_signable(reply),
        };
        let page = message.get("redirect_url").filter(|url| Url::parse(url).is_ok());
        let Some(page) = page else {
            return Err(maybe("an answer without a usable redirect_url"));
        };
        Ok(Outcome::Done(SignPage::Redirect {
            url: page.to_owned(),
            sdk: BTreeMap::new(),
        }))
    }

    /// The page that a browser inside WeChat opens by itself; nothing is sent from here.
    fn sign_in_wechat(&self, question: &SignQuestion) -> Outcome<SignPage> {
        let url = self.page_url("entrustweb", self.signing(question), SignType::Md5);
        if url.len() > PAGE_URL_MAX {
            return Outcome::Refused(Refusal {
                code: "URLTOOLONG".to_owned(),
                text: format!("the signing address is longer than {PAGE_URL_MAX} bytes: shorten the notice address"),
                hint: Hint::Setup,
            });
        }
        Outcome::Done(SignPage::Redirect {
            url,
            sdk: BTreeMap::new(),
        })
    }

    fn page_url(&self, call: &str, mut message: Message, kind: SignType) -> String {
        self.account.keys.sign(&mut message, kind);
        let pairs: Vec<String> = message
            .pairs()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED)))
            .collect();
        format!(
            "{}{}?{}",
            self.account.base_url,
            by_mode(&self.account, "papay", call),
            pairs.join("&")
        )
    }

    /// Names the contract by its handle, else by plan and number: only one of the two is allowed.
    fn name_contract(&self, message: &mut Message, contract: &ContractRef) {
        match &contract.handle {
            Some(handle) => message.text("contract_id", handle.as_str()),
            None => message
                .text("plan_id", self.account.plan_id.as_str())
                .text("contract_code", contract.no.as_str()),
        };
    }

    pub(crate) async fn contract_standing(&self, contract: &ContractRef) -> Result<ContractStanding, CallError> {
        let mut call = Call::new(
            &self.account,
            &self.gate,
            by_mode(&self.account, "papay", "querycontract"),
        );
        self.name_contract(&mut call.message, contract);
        call.message.text("version", "1.0");
        match call.send().await?.signed()? {
            Ok(message) => self.read_contract(contract, &message),
            Err((failure, _)) => match failure.row(Asked::QueryContract).map(|row| row.class) {
                Some(Class::Done) => Ok(self.unknown_contract(contract)),
                _ => Err(maybe(failure.line())),
            },
        }
    }

    fn read_contract(&self, contract: &ContractRef, message: &Message) -> Result<ContractStanding, CallError> {
        if message.get("contract_code") != Some(contract.no.as_str()) {
            return Err(maybe("the answer is about another contract"));
        }
        match message.get("contract_state") {
            Some("0") => match signed_contract(message, "contract_signed_time") {
                Some(signed) => Ok(ContractStanding::Active(signed)),
                None => Err(maybe("a signed contract without contract_id")),
            },
            Some("9") => Ok(ContractStanding::Pending),
            Some("1") => {
                let ended = ["contract_terminated_time", "contract_termination_mode", "contract_id"];
                if ended.iter().any(|name| message.get(name).is_some()) {
                    Ok(ContractStanding::Ended {
                        by: ended_by(message),
                        at: message.time("contract_terminated_time"),
                    })
                } else {
                    Ok(self.unknown_contract(contract))
                }
            }
            _ => Err(maybe("an answer with an unknown contract_state")),
        }
    }

    /// What it means that the channel does not know a contract: that it was not signed so far, that it will never be, or
    /// that one which had been signed is gone.
    fn unknown_contract(&self, contract: &ContractRef) -> ContractStanding {
        let ended = |by| ContractStanding::Ended { by, at: None };
        if contract.handle.is_some() {
            ended(EndedBy::Channel)
        } else if self.gate.clock.now().since(contract.asked_at) > SIGNABLE_FOR {
            ended(EndedBy::Expiry)
        } else {
            ContractStanding::Pending
        }
    }

    pub(crate) async fn end_contract(&self, contract: &ContractRef) -> Called<()> {
        let mut call = Call::new(&self.account, &self.gate, "/papay/deletecontract").md5();
        self.name_contract(&mut call.message, contract);
        call.message
            .text("contract_termination_remark", "用户解约")
            .text("version", "1.0");
        let failure = match call.send().await?.signed()? {
            Ok(message) if other(&message, "contract_code", contract.no.as_str()) => {
                return Err(maybe("the answer is about another contract"));
            }
            Ok(_) => return Ok(Outcome::Done(())),
            Err((failure, _)) => failure,
        };
        match failure.row(Asked::DeleteContract).map(|row| (row.class, row.hint)) {
            Some((Class::Done, _)) => Ok(Outcome::Done(())),
            Some((Class::Config | Class::Final | Class::Confirm, hint)) => Ok(Outcome::Refused(failure.refusal(hint))),
            Some((Class::Repeat | Class::Query, _)) => Err(maybe(failure.line())),
            None => self.ended_already(contract, &failure).await,
        }
    }

    /// What the channel says to ending a contract twice is not documented: the contract itself tells.
    async fn ended_already(&self, contract: &ContractRef, failure: &Failure) -> Called<()> {
        tracing::warn!(code = %failure.code, "WeChat answered deletecontract with an unlisted code");
        match self.contract_standing(contract).await {
            Ok(ContractStanding::Ended { .. }) => Ok(Outcome::Done(())),
            _ => Err(maybe(failure.line())),
        }
    }
}

/// A signing call that led to no page. It moves no money and leaves nothing behind, so a refusal may be told as one.
fn not_signable(reply: Reply) -> Called<SignPage> {
    let failure = match reply {
        Reply::Failed(failure, _) => failure,
        Reply::Unsigned(text) if text.contains("系统繁忙") => return Err(maybe(text)),
        Reply::Unsigned(text) => Failure {
            code: "FAIL".to_owned(),
            text,
        },
        Reply::Taken(_) => return Err(maybe("an answer without a signing page")),
    };
    match failure.row(Asked::Sign).map(|row| (row.class, row.hint)) {
        Some((Class::Repeat | Class::Query, _)) => Err(maybe(failure.line())),
        Some((_, hint)) => Ok(Outcome::Refused(failure.refusal(hint))),
        None => Ok(Outcome::Refused(failure.refusal(Hint::Setup))),
    }
}

/// The contract in a message that says it was signed; `signed_at` is the field with the time of it.
pub(crate) fn signed_contract(message: &Message, signed_at: &str) -> Option<SignedContract> {
    Some(SignedContract {
        handle: message.get("contract_id")?.to_owned(),
        payer: message.get("openid").map(str::to_owned),
        display: message.get("contract_display_account").map(str::to_owned),
        signed_at: message.time(signed_at),
        expires_at: message.time("contract_expired_time").filter(|at| *at > Time(0)),
    })
}

/// Who ended a contract (wechat reference, 3.4).
pub(crate) fn ended_by(message: &Message) -> EndedBy {
    match message.get("contract_termination_mode") {
        Some("1") => EndedBy::Expiry,
        Some("2") => EndedBy::User,
        Some("3" | "4") => EndedBy::Platform,
        _ => EndedBy::Channel,
    }
}
