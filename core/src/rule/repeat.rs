//! What a payment pins of its decision, and deciding it again: the same version, asked the same, answers the same (INV-25).

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr};
use serde::{Deserialize, Serialize};

use crate::code::foreign::Looks;
use crate::id::AccountId;
use crate::payment::Payment;
use crate::rules::fee::{FeeAnswer, FeeQuestion};
use crate::rules::route::{Choice, RouteQuestion};
use crate::rules::{Kind, RuleVersion, Rules, Script};
use crate::store;

/// What a payment pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pins {
    /// The version that recognised the code. What was scanned is kept nowhere.
    pub code: RuleVersion,
    /// How the way was chosen; nothing where the scanned code itself names the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RoutePin>,
    /// What the scanned code looked like, where it was a channel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<Looks>,
    /// How the fee came about.
    pub fee: FeePin,
}

/// How a way was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoutePin {
    pub version: RuleVersion,
    pub question: RouteQuestion,
    pub answer: Vec<Choice>,
    /// The account that was taken of those.
    pub taken: AccountId,
}

/// How a fee came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FeePin {
    pub version: RuleVersion,
    pub question: FeeQuestion,
    pub answer: FeeAnswer,
}

impl Pins {
    /// Those of a payment.
    pub(crate) fn of(payment: &Payment) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&payment.pins)
    }
}

/// Decides payments again. Scripts are read once.
pub(crate) struct Again<'a> {
    rules: &'a dyn Rules,
    scripts: HashMap<RuleVersion, Option<Script>>,
}

impl<'a> Again<'a> {
    /// With what runs scripts.
    pub(crate) fn new(rules: &'a dyn Rules) -> Self {
        Self {
            rules,
            scripts: HashMap::new(),
        }
    }

    /// Decides a payment again; says what differs, where something does.
    pub(crate) async fn differs(
        &mut self,
        db: &impl ConnectionTrait,
        payment: &Payment,
    ) -> Result<Option<String>, DbErr> {
        let pins = match Pins::of(payment) {
            Ok(pins) => pins,
            Err(error) => return Ok(Some(format!("its pins cannot be read: {error}"))),
        };
        if let Some(route) = &pins.route {
            let Some(script) = self.script(db, &route.version).await? else {
                return Ok(Some(format!("{} is not kept", route.version)));
            };
            let answer = self.rules.route(&script, &route.question);
            if answer.as_ref() != Ok(&route.answer) || route.taken != payment.account_id {
                return Ok(Some(format!("its route was {:?}, and is {answer:?}", route.answer)));
            }
        }
        let fee = &pins.fee;
        let Some(script) = self.script(db, &fee.version).await? else {
            return Ok(Some(format!("{} is not kept", fee.version)));
        };
        let answer = self.rules.fee(&script, &fee.question);
        let holds = answer.as_ref() == Ok(&fee.answer) && fee.answer.fee == payment.fee;
        Ok((!holds).then(|| format!("its fee was {:?}, and is {answer:?}", fee.answer)))
    }

    fn of_this_release(&self, version: &RuleVersion) -> Option<Script> {
        let mut scripts = Kind::ALL.into_iter().map(|kind| self.rules.default_script(kind));
        let script = scripts.find(|script| script.version == *version)?;
        Some((*script).clone())
    }

    async fn script(&mut self, db: &impl ConnectionTrait, version: &RuleVersion) -> Result<Option<Script>, DbErr> {
        if !self.scripts.contains_key(version) {
            // What this release came with need not have been kept yet.
            let script = match self.of_this_release(version) {
                Some(script) => Some(script),
                None => store::rule_source::find(db, version).await?,
            };
            self.scripts.insert(version.clone(), script);
        }
        Ok(self.scripts.get(version).cloned().flatten())
    }
}
