//! The user's agreement: its signing page, its state, its end (alipay reference, 3.2, 3.5 and 3.6).

use std::collections::BTreeMap;

use metropay_core::channel::{
    CallError, Called, ContractRef, ContractStanding, EndedBy, Outcome, SignPage, SignQuestion, SignedContract,
};
use serde::Serialize;

use crate::Alipay;
use crate::codes::{Class, Method};
use crate::config::SignChannel;
use crate::query::time;
use crate::said::{Said, after, unknown};
use crate::sign::encoded;

/// Wakes Alipay's App on its signing page.
const SCHEME: &str = "alipays://platformapi/startapp?appId=60000157&appClearTop=false&startMultApp=YES&sign_params=";

/// What `invalid_time` begins with when the agreement has no end.
const LONG_TERM: &str = "2115-02-01";

#[derive(Serialize)]
struct SignBiz<'a> {
    personal_product_code: &'a str,
    product_code: &'a str,
    sign_scene: &'a str,
    external_agreement_no: &'a str,
    access_params: Access,
    #[serde(skip_serializing_if = "str::is_empty")]
    external_logon_id: &'a str,
}

#[derive(Serialize)]
struct Access {
    channel: &'static str,
}

/// The key of an agreement: its number at Alipay, or ours with what it was signed for.
#[derive(Serialize)]
#[serde(untagged)]
enum Key<'a> {
    Theirs {
        agreement_no: &'a str,
    },
    Ours {
        external_agreement_no: &'a str,
        personal_product_code: &'a str,
        sign_scene: &'a str,
    },
}

impl<'a> Key<'a> {
    fn of(alipay: &'a Alipay, contract: &'a ContractRef) -> Self {
        match &contract.handle {
            Some(agreement_no) => Self::Theirs { agreement_no },
            None => Self::Ours {
                external_agreement_no: contract.no.as_str(),
                personal_product_code: &alipay.terms.personal_product_code,
                sign_scene: &alipay.terms.sign_scene,
            },
        }
    }
}

/// Makes the address of the signing page. Nothing is called: the user's browser or App goes there.
pub(crate) fn page(alipay: &Alipay, question: &SignQuestion) -> Called<SignPage> {
    let channel = alipay.terms.sign_channel;
    let biz = SignBiz {
        personal_product_code: &alipay.terms.personal_product_code,
        product_code: &alipay.terms.product_code,
        sign_scene: &alipay.terms.sign_scene,
        external_agreement_no: question.contract.no.as_str(),
        access_params: Access {
            channel: channel.name(),
        },
        external_logon_id: &question.display,
    };
    let link = alipay
        .gateway
        .page(Method::PageSign, &biz, &alipay.notify_url, &question.return_url)?
        .link();
    Ok(Outcome::Done(match channel {
        SignChannel::AlipayApp => SignPage::Redirect {
            url: format!("{SCHEME}{}", encoded(&link)),
            sdk: BTreeMap::from([("signStr".to_owned(), link)]),
        },
        SignChannel::QrCode | SignChannel::QrCodeOrSms => SignPage::Redirect {
            url: format!("{}?{link}", alipay.gateway.url),
            sdk: BTreeMap::new(),
        },
    }))
}

/// How an agreement stands.
pub(crate) async fn standing(alipay: &Alipay, contract: &ContractRef) -> Result<ContractStanding, CallError> {
    let key = Key::of(alipay, contract);
    let said = alipay
        .gateway
        .call(Method::AgreementQuery, &key, None, alipay.timeouts.query)
        .await?;
    if said.code == "10000" {
        said.tells("external_agreement_no", contract.no.as_str(), contract.handle.is_none())?;
        if let Some(handle) = &contract.handle {
            said.tells("agreement_no", handle, true)?;
        }
        return read(alipay, &said);
    }
    let signed_once = contract.handle.is_some() || said.plain_code() == "AGREEMENT_HAS_UNSIGNED";
    match said.class() {
        // Who ended it is not told. What we asked for and what ran out the platform knows by itself; the rest was the user.
        (Class::State, _) if signed_once => Ok(ContractStanding::Ended {
            by: EndedBy::User,
            at: None,
        }),
        (Class::State, _) => Ok(ContractStanding::Pending),
        _ => Err(said.doubt()),
    }
}

fn read(alipay: &Alipay, said: &Said) -> Result<ContractStanding, CallError> {
    let text = |name: &str| said.node.text(name);
    match text("status").unwrap_or_default().as_str() {
        "NORMAL" => {
            let contract = signed(text).ok_or_else(|| unknown("the answer has no agreement_no"))?;
            let over = contract.expires_at.filter(|end| *end <= alipay.gateway.clock.now());
            Ok(match over {
                // Alipay tells nobody when an agreement runs out.
                Some(at) => ContractStanding::Ended {
                    by: EndedBy::Expiry,
                    at: Some(at),
                },
                None => ContractStanding::Active(contract),
            })
        }
        "TEMP" => Ok(ContractStanding::Pending),
        "STOP" => Ok(ContractStanding::Suspended),
        other => Err(unknown(format!("an agreement status that is not documented: {other}"))),
    }
}

/// An agreement out of an answer or a notice, which name the user differently.
pub(crate) fn signed(text: impl Fn(&str) -> Option<String>) -> Option<SignedContract> {
    let payer = ["alipay_user_id", "principal_id", "alipay_open_id", "principal_open_id"];
    Some(SignedContract {
        handle: text("agreement_no")?,
        payer: payer.into_iter().find_map(&text),
        display: text("alipay_logon_id"),
        signed_at: text("sign_time").and_then(|at| time(&at)),
        expires_at: text("invalid_time")
            .filter(|end| !end.starts_with(LONG_TERM))
            .and_then(|end| time(&end)),
    })
}

/// Ends an agreement.
pub(crate) async fn close(alipay: &Alipay, contract: &ContractRef) -> Called<()> {
    let key = Key::of(alipay, contract);
    let notify_url = Some(alipay.notify_url.as_str());
    let said = alipay
        .gateway
        .call(Method::Unsign, &key, notify_url, alipay.timeouts.refund)
        .await?;
    if said.code == "10000" {
        return Ok(Outcome::Done(()));
    }
    let (class, hint) = said.class();
    match class {
        Class::State => Ok(match standing(alipay, contract).await.map_err(after)? {
            ContractStanding::Active(_) | ContractStanding::Suspended => Outcome::Pending,
            ContractStanding::Ended { .. } | ContractStanding::Pending => Outcome::Done(()),
        }),
        Class::Final | Class::Setup => Ok(Outcome::Refused(said.refusal(hint))),
        Class::Retry => Ok(Outcome::Pending),
        Class::Unknown => Err(said.doubt()),
    }
}
