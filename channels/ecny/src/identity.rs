//! Who a user is: he agrees on a page of the channel, and the channel tells his id for the one-time code.

use async_trait::async_trait;
use metropay_core::channel::{Called, ChannelUser, Hint, Identity, Outcome, Refusal};
use metropay_core::secret::Secret;
use serde::Serialize;
use url::Url;

use crate::Ecny;
use crate::call::maybe;

#[derive(Serialize)]
struct Wish<'a> {
    code: &'a str,
}

#[async_trait]
impl Identity for Ecny {
    fn page(&self, return_url: &str, state: &str) -> String {
        let account = &self.gate.account;
        let address = format!("{}/page/identify", account.base_url);
        let pairs = [
            ("merchant_no", account.merchant_no.as_str()),
            ("return_url", return_url),
            ("state", state),
        ];
        // The address was parsed when the account was checked.
        Url::parse_with_params(&address, pairs).map_or(address, String::from)
    }

    async fn user(&self, code: &Secret) -> Called<ChannelUser> {
        let wish = Wish { code: code.expose() };
        let said = self.gate.ask("/v1/user", &wish).await?;
        match said.code.as_str() {
            "OK" => {
                let id = said.user.filter(|id| !id.is_empty());
                Ok(Outcome::Done(ChannelUser {
                    id: id.ok_or_else(|| maybe("an answer without user"))?,
                    union_id: None,
                    nickname: None,
                }))
            }
            "CODE_INVALID" => Ok(Outcome::Refused(Refusal {
                code: said.code,
                text: said.text,
                hint: Hint::User,
            })),
            _ => Err(said.doubt()),
        }
    }
}
