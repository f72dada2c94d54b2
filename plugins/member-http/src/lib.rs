//! The merchant's own membership system, called over HTTP.
//!
//! The `membership` rule shapes the call and reads the answer; everything between stands here: the address and its guard
//! ([`metropay_outbound::guard`]), the signature, the encrypted phone number, and what becomes of an answer that is none. A merchant
//! may answer what he likes: a gigabyte, a page, a redirect, nothing. Each is a failure with a word of its own, and none is believed.

mod call;
mod config;
mod reply;
mod seal;
mod sign;

use std::sync::Arc;

use async_trait::async_trait;
use metropay_core::member::{
    ConfigError, Member, MemberAnswered, MemberFactory, MemberFailure, MemberPoints, MemberQuery, MemberQuestion,
    MemberSetting, MemberTrouble,
};
use metropay_core::rules::membership::{MembershipAction, MembershipQuestion};
use metropay_core::secret::Secret;
use metropay_outbound::guard::Guard;

use crate::config::{Account, Signing};
pub use crate::config::{CallSigning, MemberHttpConfig};

/// Builds adapters of merchants' own systems.
#[derive(Debug, Clone)]
pub struct MemberHttpFactory {
    guard: Guard,
}

impl MemberHttpFactory {
    /// A factory whose adapters call through this guard.
    pub fn new(guard: Guard) -> Self {
        Self { guard }
    }
}

impl MemberFactory for MemberHttpFactory {
    type Config = MemberHttpConfig;

    const ID: &'static str = "http";
    const NAME: &'static str = "商户自有会员系统";

    fn build(&self, config: MemberHttpConfig, setting: MemberSetting) -> Result<Arc<dyn Member>, ConfigError> {
        Ok(Arc::new(MemberHttp {
            account: config.check(self.guard.policy())?,
            guard: self.guard.clone(),
            setting,
        }))
    }
}

/// The adapter of one merchant.
struct MemberHttp {
    account: Account,
    guard: Guard,
    setting: MemberSetting,
}

impl MemberHttp {
    async fn ask(&self, action: MembershipAction, question: &MemberQuestion) -> MemberAnswered {
        let asked = self.ask_once(action, question).await;
        let (mch_id, action) = (&self.setting.mch_id, action.word());
        match &asked {
            Ok(standing) => {
                tracing::debug!(%mch_id, action, status = ?standing.status, "membership {action} of {mch_id}: {:?}", standing.status);
            }
            Err(failure) => {
                let (trouble, error) = (failure.trouble, &failure.error);
                tracing::debug!(%mch_id, action, %trouble, %error, "membership {action} of {mch_id}: {trouble}");
            }
        }
        asked
    }

    async fn ask_once(&self, action: MembershipAction, question: &MemberQuestion) -> MemberAnswered {
        let (rules, script) = (&*self.setting.rules, &*self.setting.script);
        let asked = MembershipQuestion {
            mch_id: self.setting.mch_id.clone(),
            action,
            uid: question.uid.clone(),
            phone: self.phone(question)?,
            request_no: question.request_no.clone(),
            at: question.at,
        };
        let call = rules
            .membership_call(script, &asked)
            .map_err(|error| MemberFailure::not_sent(MemberTrouble::Rule, reply::rule_text(&error)))?;
        let request = call::request(&self.account, &self.setting, call, &question.request_no)?;
        let answer = self.guard.send(request).await.map_err(reply::unanswered)?;
        let reply = reply::reply(action, &answer)?;
        let mut hidden: Vec<&str> = Vec::new();
        hidden.extend(question.phone.as_ref().map(Secret::expose));
        // A number with its country's prefix is known without it too.
        hidden.extend(
            question
                .phone
                .as_ref()
                .and_then(|phone| phone.expose().strip_prefix("+86")),
        );
        if let Signing::Secret(key) = &self.account.signing {
            hidden.push(key.secret().expose());
        }
        reply::standing(rules, script, &reply, &hidden)
    }

    /// The phone number as it leaves.
    fn phone(&self, question: &MemberQuestion) -> Result<Option<String>, MemberFailure> {
        let Some(phone) = &question.phone else {
            return Ok(None);
        };
        let Some(key) = &self.account.phone_key else {
            return Ok(Some(phone.expose().to_owned()));
        };
        let sealed = key.seal(phone.expose());
        sealed
            .map(Some)
            .map_err(|_| MemberFailure::not_sent(MemberTrouble::Call, "the phone number cannot be encrypted"))
    }
}

#[async_trait]
impl Member for MemberHttp {
    async fn open(&self, question: &MemberQuestion) -> MemberAnswered {
        self.ask(MembershipAction::Open, question).await
    }

    async fn close(&self, question: &MemberQuestion) -> MemberAnswered {
        self.ask(MembershipAction::Close, question).await
    }

    async fn change_phone(&self, question: &MemberQuestion) -> MemberAnswered {
        if question.phone.is_none() {
            return Err(MemberFailure::not_sent(
                MemberTrouble::Call,
                "there is no phone number to tell",
            ));
        }
        self.ask(MembershipAction::ChangePhone, question).await
    }

    fn query(&self) -> Option<&dyn MemberQuery> {
        self.account.queries.then_some(self as &dyn MemberQuery)
    }

    fn points(&self) -> Option<&dyn MemberPoints> {
        None
    }
}

#[async_trait]
impl MemberQuery for MemberHttp {
    async fn standing(&self, question: &MemberQuestion) -> MemberAnswered {
        self.ask(MembershipAction::Query, question).await
    }
}
