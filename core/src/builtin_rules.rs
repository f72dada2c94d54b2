//! The contract of rules: who pays by which way, at which fee, and what a code looks like.
//!
//! A rule is a pure function of what it is asked; time is an input. Its answer is pinned on the payment together with the
//! version that gave it, so that a decision can be repeated and explained years later.

use serde::Serialize;

use crate::channel::health::{Breaker, WayHealth};
use crate::code::form::{CodeForm, Recognised};
use crate::id::{AccountId, ChannelId, MandateId, MchId, StoreId};
use crate::money::Fen;
use crate::random::Random;

/// A way that a payment could go: a usable mandate and its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The channel.
    pub channel: ChannelId,
    /// The merchant's account with it.
    pub account: AccountId,
    /// The user's mandate.
    pub mandate: MandateId,
    /// How the account is doing.
    pub health: WayHealth,
}

/// What a route rule is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteQuestion {
    /// The merchant.
    pub mch_id: MchId,
    /// The store.
    pub store_id: StoreId,
    /// The amount.
    pub amount: Fen,
    /// The channel that the user chose for this code.
    pub chosen: Option<ChannelId>,
    /// The channel that the user prefers at this merchant.
    pub preferred: Option<ChannelId>,
    /// The ways there are, the oldest mandate first.
    pub ways: Vec<Way>,
}

/// What a fee rule is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeeQuestion {
    /// The merchant.
    pub mch_id: MchId,
    /// The channel that was chosen.
    pub channel: ChannelId,
    /// The amount.
    pub amount: Fen,
    /// The merchant's agreed rate in ten-thousandths.
    pub agreed_rate: u32,
}

/// An answer with the version of the rule that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ruled<T> {
    /// The answer.
    pub answer: T,
    /// The rule's version.
    pub version: String,
}

/// A rule that gave no usable answer; the payment is refused before any money moves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {version}: {reason}")]
pub struct RuleError {
    /// The rule's version.
    pub version: String,
    /// What was wrong.
    pub reason: String,
}

/// The rules in force.
pub trait Rules: Send + Sync + 'static {
    /// The digits of a fresh code.
    fn issue_code(&self, random: &dyn Random) -> String;

    /// What a till scanned.
    fn recognise(&self, mch_id: &MchId, scanned: &str) -> Recognised;

    /// Which of the ways to take; `None` when none of them is what the user wants.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails.
    fn route(&self, question: &RouteQuestion) -> Result<Ruled<Option<MandateId>>, RuleError>;

    /// The platform's fee, between nothing and the whole amount.
    ///
    /// # Errors
    /// [`RuleError`] when the rule fails or names an impossible fee.
    fn fee(&self, question: &FeeQuestion) -> Result<Ruled<Fen>, RuleError>;
}

/// The rules that come with the platform: the user's choice decides the way, the agreed rate the fee.
#[derive(Debug)]
pub struct BuiltinRules {
    form: CodeForm,
}

/// The version under which the built-in rules are pinned.
const VERSION: &str = "builtin-1";

impl BuiltinRules {
    /// The built-in rules for codes of this form.
    pub fn new(form: CodeForm) -> Self {
        Self { form }
    }
}

impl Rules for BuiltinRules {
    fn issue_code(&self, random: &dyn Random) -> String {
        self.form.issue(random)
    }

    fn recognise(&self, _: &MchId, scanned: &str) -> Recognised {
        self.form.recognise(scanned)
    }

    fn route(&self, question: &RouteQuestion) -> Result<Ruled<Option<MandateId>>, RuleError> {
        let on = |channel: &ChannelId| question.ways.iter().find(|way| way.channel == *channel);
        let way = match (&question.chosen, &question.preferred) {
            // Who chose a channel for this very code is never charged through another.
            (Some(chosen), _) => on(chosen),
            (None, preferred) => {
                let liked = preferred.as_ref().and_then(on);
                let mut in_order = liked.into_iter().chain(&question.ways);
                // What the user likes best, unless its channel answers nothing and another's does.
                let well = in_order.clone().find(|way| way.health.breaker != Breaker::Open);
                well.or_else(|| in_order.next())
            }
        };
        Ok(Ruled {
            answer: way.map(|way| way.mandate.clone()),
            version: VERSION.to_owned(),
        })
    }

    fn fee(&self, question: &FeeQuestion) -> Result<Ruled<Fen>, RuleError> {
        let fee = question.amount.ten_thousandths(question.agreed_rate);
        if fee > question.amount {
            let reason = format!(
                "a rate of {} ten-thousandths is more than the amount",
                question.agreed_rate
            );
            return Err(RuleError {
                version: VERSION.to_owned(),
                reason,
            });
        }
        Ok(Ruled {
            answer: fee,
            version: VERSION.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::form::CodeType;

    fn question(chosen: Option<&str>, preferred: Option<&str>, ways: &[&str]) -> RouteQuestion {
        let ways = ways.iter().map(|channel| Way {
            channel: (*channel).into(),
            account: "a".into(),
            mandate: MandateId(format!("on-{channel}")),
            health: WayHealth {
                breaker: Breaker::Closed,
                answered_permille: None,
                latency_ms: None,
            },
        });
        RouteQuestion {
            mch_id: "m".into(),
            store_id: "s".into(),
            amount: Fen::ZERO,
            chosen: chosen.map(Into::into),
            preferred: preferred.map(Into::into),
            ways: ways.collect(),
        }
    }

    #[test]
    fn the_users_choice_decides_the_way() {
        let routed = |chosen, preferred, ways: &[&str]| {
            BuiltinRules::new(CodeForm::new("77", CodeType::Online).unwrap())
                .route(&question(chosen, preferred, ways))
                .unwrap()
                .answer
                .map(|id| id.0)
        };
        let both = ["wechat", "alipay"];
        assert_eq!(routed(None, None, &both).as_deref(), Some("on-wechat"));
        assert_eq!(routed(None, Some("alipay"), &both).as_deref(), Some("on-alipay"));
        assert_eq!(
            routed(Some("wechat"), Some("alipay"), &both).as_deref(),
            Some("on-wechat")
        );
        assert_eq!(routed(None, Some("unionpay"), &both).as_deref(), Some("on-wechat"));
        assert_eq!(routed(Some("unionpay"), None, &both), None);
        assert_eq!(routed(None, None, &[]), None);
    }

    #[test]
    fn a_channel_that_answers_nothing_is_gone_around_unless_the_user_chose_it() {
        let rules = BuiltinRules::new(CodeForm::new("77", CodeType::Online).unwrap());
        let routed = |chosen, preferred, silent: &[usize]| {
            let mut question = question(chosen, preferred, &["wechat", "alipay"]);
            for way in silent {
                question.ways[*way].health.breaker = Breaker::Open;
            }
            rules.route(&question).unwrap().answer.map(|id| id.0)
        };
        assert_eq!(routed(None, None, &[0]).as_deref(), Some("on-alipay"));
        assert_eq!(routed(None, Some("wechat"), &[0]).as_deref(), Some("on-alipay"));
        assert_eq!(routed(Some("wechat"), None, &[0]).as_deref(), Some("on-wechat"));
        assert_eq!(routed(None, Some("alipay"), &[0, 1]).as_deref(), Some("on-alipay"));
    }
}
