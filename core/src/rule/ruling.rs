//! Asking the rules in force, once for each decision of one payment or code.

use std::sync::{Arc, Mutex, PoisonError};

use super::in_force::{RuleScope, RuleSet};
use super::suspend::suspend;
use crate::clock::Day;
use crate::code::form::{CodeForm, Recognised};
use crate::engine::Engine;
use crate::id::{MchId, RuleNo};
use crate::merchant::MerchantFile;
use crate::problem::{Code, Problem};
use crate::rules::code::ScanQuestion;
use crate::rules::fee::{DayTotals, FeeAnswer, FeeQuestion};
use crate::rules::route::{Choice, RouteQuestion};
use crate::rules::{Kind, RuleError, RuleVersion, Rules, Script};
use crate::store;

/// An answer with the version of the rule that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruled<T> {
    pub answer: T,
    pub version: RuleVersion,
}

/// The rules in force for somebody, as they stood when the decision began.
pub(crate) struct Ruling<'a> {
    engine: &'a Engine,
    set: Arc<RuleSet>,
    /// The merchant's day so far, where the fee rule wants it.
    day_totals: Option<DayTotals>,
    /// Rules that have failed too often, and why.
    fallen: Mutex<Vec<(RuleNo, String)>>,
}

impl<'a> Ruling<'a> {
    /// For a payment with this merchant.
    pub(crate) async fn for_payment(engine: &'a Engine, shop: &MerchantFile) -> Result<Self, Problem> {
        let mut ruling = Self::of(engine, RuleScope::of(shop)).await?;
        if ruling.set.of(Kind::Fee).is_some_and(|rule| rule.day_totals) {
            let day = engine.clock.now().day();
            ruling.day_totals = Some(day_totals(engine, &shop.merchant.mch_id, day).await?);
        }
        Ok(ruling)
    }

    /// For a merchant, or for nobody in particular.
    pub(crate) async fn of(engine: &'a Engine, scope: RuleScope) -> Result<Self, Problem> {
        Ok(Self {
            engine,
            set: engine.directory.rules(&scope).await?,
            day_totals: None,
            fallen: Mutex::default(),
        })
    }

    /// The merchant's day so far, where the fee rule wants it.
    pub(crate) const fn day_totals(&self) -> Option<DayTotals> {
        self.day_totals
    }

    pub(crate) fn form(&self) -> Result<Ruled<CodeForm>, Problem> {
        self.ask(Kind::Code, |rules, script| rules.form(script, &self.engine.code))
    }

    pub(crate) fn recognise(&self, scanned: &str) -> Result<Ruled<Recognised>, Problem> {
        let question = ScanQuestion {
            code: self.engine.code.clone(),
            scanned: scanned.to_owned(),
        };
        self.ask(Kind::Code, |rules, script| rules.recognise(script, &question))
    }

    pub(crate) fn route(&self, question: &RouteQuestion) -> Result<Ruled<Vec<Choice>>, Problem> {
        self.ask(Kind::Routing, |rules, script| rules.route(script, question))
    }

    pub(crate) fn fee(&self, question: &FeeQuestion) -> Result<Ruled<FeeAnswer>, Problem> {
        let ruled = self.ask(Kind::Fee, |rules, script| rules.fee(script, question))?;
        // The host has checked it; money does not depend on that alone.
        if ruled.answer.fee > question.amount {
            return Err(Problem::new(Code::RuleError));
        }
        Ok(ruled)
    }

    /// Suspends what has failed too often. To be called when the decision is over, whatever came of it.
    pub(crate) async fn finish(self) {
        let fallen = self.fallen.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (rule_no, why) in fallen {
            if let Err(error) = suspend(self.engine, &rule_no, why).await {
                tracing::error!(rule = %rule_no, %error, "rule {rule_no} cannot be suspended: {error}");
            }
        }
    }

    fn ask<T>(
        &self,
        kind: Kind,
        call: impl FnOnce(&dyn Rules, &Script) -> Result<T, RuleError>,
    ) -> Result<Ruled<T>, Problem> {
        let rules = &*self.engine.rules;
        let Some(rule) = self.set.of(kind) else {
            let script = rules.default_script(kind);
            let answer = call(rules, &script).map_err(failed)?;
            let version = script.version.clone();
            return Ok(Ruled { answer, version });
        };
        if rule.suspended {
            return Err(failed(format!("rule {} is suspended", rule.rule_no)));
        }
        let failures = self.engine.rule_failures();
        match call(rules, &rule.script) {
            Ok(answer) => {
                failures.none(&rule.rule_no);
                let version = rule.script.version.clone();
                Ok(Ruled { answer, version })
            }
            Err(error) => {
                tracing::warn!(rule = %rule.rule_no, %error, "rule {} at {} failed: {error}", rule.rule_no, rule.place);
                if failures.one_more(&rule.rule_no) {
                    let mut fallen = self.fallen.lock().unwrap_or_else(PoisonError::into_inner);
                    fallen.push((rule.rule_no.clone(), error.wrong.to_string()));
                }
                Err(failed(error))
            }
        }
    }
}

/// The `membership` rule of a merchant, for what speaks to its membership system.
#[derive(Debug, Clone)]
pub(crate) struct MembershipRule {
    /// The rule; nothing where the release's own script stands.
    pub rule_no: Option<RuleNo>,
    /// Its script.
    pub script: Arc<Script>,
    /// Whether nobody is to be asked by it.
    pub suspended: bool,
}

/// The `membership` rule in force for a merchant.
pub(crate) async fn membership_rule(engine: &Engine, shop: &MerchantFile) -> Result<MembershipRule, Problem> {
    let set = engine.directory.rules(&RuleScope::of(shop)).await?;
    Ok(set.of(Kind::Membership).map_or_else(
        || MembershipRule {
            rule_no: None,
            script: engine.rules.default_script(Kind::Membership),
            suspended: false,
        },
        |rule| MembershipRule {
            rule_no: Some(rule.rule_no.clone()),
            script: Arc::clone(&rule.script),
            suspended: rule.suspended,
        },
    ))
}

/// Counts how a rule did that was asked elsewhere; one that has failed too often in a row is suspended.
pub(crate) async fn noted(engine: &Engine, rule_no: &RuleNo, failed: Option<String>) {
    let failures = engine.rule_failures();
    let Some(why) = failed else {
        failures.none(rule_no);
        return;
    };
    tracing::warn!(rule = %rule_no, "rule {rule_no} failed: {why}");
    if failures.one_more(rule_no)
        && let Err(error) = suspend(engine, rule_no, why).await
    {
        tracing::error!(rule = %rule_no, %error, "rule {rule_no} cannot be suspended: {error}");
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Problem {
    Problem {
        source: Some(source.into()),
        ..Problem::new(Code::RuleError)
    }
}

/// What the merchant has taken today, a minute old at most: no counter stands in the way of payments.
async fn day_totals(engine: &Engine, mch_id: &MchId, day: Day) -> Result<DayTotals, Problem> {
    let kept = engine.day_totals();
    let key = (mch_id.clone(), day);
    if let Some(totals) = kept.get(&key).await {
        return Ok(totals);
    }
    let totals = store::payment::totals(engine.db.read(), mch_id, (day.start(), day.end())).await?;
    kept.insert(key, totals).await;
    Ok(totals)
}
