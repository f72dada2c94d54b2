//! Which rule decides for whom, and why; and what there is of rules.

use serde::Serialize;
use serde_json::Value;

use super::repeat::Pins;
use super::{Level, Place, Refused, Rule, RuleAct, RuleScope};
use crate::engine::Engine;
use crate::id::{MchId, PayNo, RuleNo};
use crate::problem::Problem;
use crate::rules::{Kind, RuleVersion, Script};
use crate::store;

/// What decides at one of the places that count for somebody.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The level.
    pub level: Level,
    /// For whom there.
    pub scope: String,
    /// The rule in force there; nothing where none is.
    pub rule: Option<Rule>,
    /// The version that would decide here: the rule's, or, at the platform's place, the release's own.
    pub version: Option<RuleVersion>,
    /// Whether this is the place that decides.
    pub decides: bool,
}

/// Explains what decides for a merchant, or, where none is named, for the platform: its places, the nearest first.
///
/// # Errors
/// [`Refused::NotFound`] for an unknown merchant.
pub async fn explain(engine: &Engine, mch_id: Option<&MchId>, kind: Kind) -> Result<Vec<Explained>, Refused> {
    let scope = match mch_id {
        None => RuleScope::default(),
        Some(mch_id) => {
            let shop = engine.directory.merchant(mch_id).await?.ok_or(Refused::NotFound)?;
            RuleScope::of(&shop)
        }
    };
    let places = scope.places(kind);
    let found = store::rule::at(engine.db.write(), places.iter().map(Place::to_string).collect()).await?;
    let mut decided = false;
    let mut explained = Vec::with_capacity(places.len());
    for place in places {
        let rule = found.iter().find(|rule| rule.stands_at() == place).cloned();
        let version = match (&rule, place.level) {
            (Some(rule), _) => Some(rule.version.clone()),
            (None, Level::Platform) => Some(engine.rules.default_script(kind).version.clone()),
            (None, _) => None,
        };
        let decides = !decided && version.is_some();
        decided |= decides;
        explained.push(Explained {
            level: place.level,
            scope: place.scope,
            rule,
            version,
            decides,
        });
    }
    Ok(explained)
}

/// The rules there are, the newest first; each may be left open.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    engine: &Engine,
    kind: Option<Kind>,
    level: Option<Level>,
    scope: Option<&str>,
) -> Result<Vec<Rule>, Refused> {
    Ok(store::rule::list(engine.db.read(), kind, level, scope).await?)
}

/// A rule with its script.
///
/// # Errors
/// [`Refused::NotFound`].
pub async fn find(engine: &Engine, rule_no: &RuleNo) -> Result<(Rule, Script), Refused> {
    let rule = store::rule::find(engine.db.write(), rule_no).await?;
    let rule = rule.ok_or(Refused::NotFound)?;
    let script = store::rule_source::find(engine.db.write(), &rule.version).await?;
    let script = script.ok_or_else(|| Problem::fault(format!("{} is not kept", rule.version)))?;
    Ok((rule, script))
}

/// What a rule of this kind was asked for a payment, as JSON; nothing where none was.
///
/// # Errors
/// [`Refused::NotFound`] for an unknown payment.
pub async fn asked_of(engine: &Engine, pay_no: &PayNo, kind: Kind) -> Result<Option<Value>, Refused> {
    let payment = store::payment::find(engine.db.read(), pay_no).await?;
    let payment = payment.ok_or(Refused::NotFound)?;
    let pins = Pins::of(&payment).map_err(Problem::fault)?;
    let question = match kind {
        Kind::Fee => Some(serde_json::to_value(pins.fee.question)),
        Kind::Routing => pins.route.map(|route| serde_json::to_value(route.question)),
        Kind::Code | Kind::Membership => None,
    };
    Ok(question.transpose().map_err(Problem::fault)?)
}

/// What was done with a rule, the oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn acts(engine: &Engine, rule_no: &RuleNo) -> Result<Vec<RuleAct>, Refused> {
    Ok(store::rule_act::of(engine.db.read(), rule_no).await?)
}
