//! Who a user is at Alipay, by his own consent (alipay reference, 7).

use async_trait::async_trait;
use metropay_core::channel::{Called, ChannelUser, Hint, Identity, Outcome};
use metropay_core::secret::Secret;

use crate::Alipay;
use crate::codes::{Class, Method};
use crate::config::IdentityScope;
use crate::said::{Said, unknown};
use crate::sign::encoded;

/// How long `state` may be, in characters.
const STATE_MAX: usize = 100;

#[async_trait]
impl Identity for Alipay {
    fn page(&self, return_url: &str, state: &str) -> String {
        let scope = match self.terms.identity_scope {
            IdentityScope::Off | IdentityScope::Base => "auth_base",
            IdentityScope::User => "auth_user",
        };
        // A longer state would be cut off by Alipay in a place of its own choice; it fits nothing then either way.
        let state: String = state.chars().take(STATE_MAX).collect();
        let parameters = [
            ("app_id", self.terms.app_id.as_str()),
            ("scope", scope),
            ("redirect_uri", return_url),
            ("state", &state),
        ];
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        format!("{}?{}", self.terms.authorize_url, query.join("&"))
    }

    async fn user(&self, code: &Secret) -> Called<ChannelUser> {
        let fields = [("grant_type", "authorization_code"), ("code", code.expose())];
        let said = self
            .gateway
            .call_with(Method::Token, &fields, self.timeouts.query)
            .await?;
        // Some answers have a code beside the token, some have none; what counts is the token.
        let Some(token) = said.node.text("access_token").filter(|_| said.code == "10000") else {
            return refused(&said);
        };
        let id = named(&said).ok_or_else(|| unknown("the answer names no user"))?;
        let nickname = match self.terms.identity_scope {
            IdentityScope::User => self.nickname(&id, &token).await,
            IdentityScope::Off | IdentityScope::Base => None,
        };
        Ok(Outcome::Done(ChannelUser {
            id,
            union_id: said.node.text("union_id"),
            nickname,
        }))
    }
}

impl Alipay {
    /// What he calls himself. Who he is stands without it.
    async fn nickname(&self, id: &str, token: &str) -> Option<String> {
        let fields = [("auth_token", token)];
        let call = self.gateway.call_with(Method::UserInfo, &fields, self.timeouts.query);
        match call.await {
            Ok(said) if said.code == "10000" && named(&said).as_deref() == Some(id) => said.node.text("nick_name"),
            Ok(said) => {
                tracing::warn!(code = said.code, "alipay does not tell a user's nickname");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "alipay does not tell a user's nickname: {error}");
                None
            }
        }
    }
}

/// The user's number, or his number under this app alone: new apps are told only that. Agreements name him the same way.
fn named(said: &Said) -> Option<String> {
    said.node.text("user_id").or_else(|| said.node.text("open_id"))
}

fn refused(said: &Said) -> Called<ChannelUser> {
    match said.class() {
        (Class::Final, hint) => Ok(Outcome::Refused(said.refusal(hint))),
        (Class::Setup, _) => Ok(Outcome::Refused(said.refusal(Hint::Setup))),
        (Class::Retry | Class::State | Class::Unknown, _) => Err(said.doubt()),
    }
}
