//! What happens to a token after it was opened: its change and its deletion.
//!
//! UnionPay reference, 3.2.5 and 3.2.6. Both are orders of their own, answered at once and notified never.

use metropay_core::channel::{CallError, Called, ContractRef, ContractStanding, Hint, Outcome, SignedContract};
use metropay_core::limit::SIGN_WINDOW;

use crate::Unionpay;
use crate::account::plain;
use crate::call::{Answer, BACK, Kind, OrderKey};
use crate::cardholder::Cardholder;
use crate::codes::{Verdict, verdict};
use crate::consume::unfit_refusal;
use crate::contract::{EXPIRED, NoToken, TOKEN_BIZ};
use crate::form::Fields;

/// There is no such binding (any more).
const NOT_BOUND: &str = "40";

impl Unionpay {
    /// Tells UnionPay what has changed about the cardholder behind a token: a new phone, a card's new date.
    ///
    /// # Errors
    /// [`CallError`] when there was no understood answer; asking again is safe.
    pub async fn change_token(&self, contract: &ContractRef, holder: &Cardholder) -> Called<SignedContract> {
        let unfit = |reason: &str| Ok(Outcome::Refused(unfit_refusal(reason, Hint::Setup)));
        let Some(token) = contract.handle.as_deref().filter(|token| plain(token, 1..=64)) else {
            return unfit("the contract has no token of letters and digits");
        };
        let mut told = Fields::new();
        if let Err(error) = holder.put(&mut told, &*self.sealing().await?) {
            return unfit(&error.to_string());
        }
        if !told.contains_key("customerInfo") {
            return unfit("nothing is told that could change");
        }
        let domain = format!("{{trId={}&token={token}&tokenType=01}}", self.account.tr_id);
        told.insert("tokenPayData".to_owned(), domain);
        let answer = self.tell("79", "03", 'U', told).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Accepted => match self.signed(answer.fields()) {
                Ok(signed) => Ok(Outcome::Done(signed)),
                // Nothing is told about the token: then it is still the same.
                Err(NoToken::Unreadable) if answer.get("tokenPayData").is_none() => Ok(Outcome::Done(SignedContract {
                    handle: token.to_owned(),
                    payer: None,
                    display: None,
                    signed_at: None,
                    expires_at: None,
                })),
                Err(lack) => Err(CallError::MaybeDone(lack.to_string())),
            },
            Verdict::Refused(why) => Ok(Outcome::Refused(why)),
            Verdict::Unknown => Ok(Outcome::Pending),
            Verdict::Unlisted => Err(answer.useless()),
        }
    }

    pub(crate) async fn delete(&self, contract: &ContractRef) -> Called<()> {
        let token = match &contract.handle {
            Some(token) => token.clone(),
            None => match self.contract_standing(contract).await? {
                ContractStanding::Active(signed) => signed.handle,
                ContractStanding::Ended { .. } => return Ok(Outcome::Done(())),
                // The page may still be open before the user; afterwards nothing stands at UnionPay that could be ended.
                _ if self.setting.clock.now().since(contract.asked_at) < SIGN_WINDOW => return Ok(Outcome::Pending),
                _ => return Ok(Outcome::Done(())),
            },
        };
        let domain = format!("{{trId={}&token={token}}}", self.account.tr_id);
        let told = Fields::from([("tokenPayData".to_owned(), domain)]);
        let answer = self.tell("74", "01", 'D', told).await?;
        match verdict(answer.code(), answer.text()) {
            Verdict::Accepted => Ok(Outcome::Done(())),
            Verdict::Refused(why) if [NOT_BOUND, EXPIRED].contains(&why.code.as_str()) => Ok(Outcome::Done(())),
            Verdict::Refused(why) => Ok(Outcome::Refused(why)),
            Verdict::Unknown => Ok(Outcome::Pending),
            Verdict::Unlisted => Err(answer.useless()),
        }
    }

    /// Sends a message about a token. Which order it should name UnionPay's documents leave open; values of its own are the
    /// safe reading, and a repeated deletion meets "not bound".
    async fn tell(
        &self,
        txn_type: &'static str,
        txn_sub_type: &'static str,
        letter: char,
        told: Fields,
    ) -> Result<Answer, CallError> {
        let now = self.setting.clock.now();
        let order_id = format!("{letter}{}{}", now.stamp(), self.setting.random.digits(12));
        let kind = Kind {
            txn_type,
            txn_sub_type,
            biz_type: TOKEN_BIZ,
        };
        let key = OrderKey {
            order_id: &order_id,
            at: now,
        };
        let mut fields = self.message(kind, key);
        fields.insert("channelType".to_owned(), "07".to_owned());
        fields.extend(told);
        self.ask(BACK, fields, self.account.patience.back).await
    }
}
