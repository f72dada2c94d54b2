//! Which rules are in force for whom: the nearest place wins.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr};

use super::{Level, Place, Rule, RuleState};
use crate::id::{MchId, RuleNo};
use crate::merchant::MerchantFile;
use crate::rules::{Kind, RuleVersion, Script};
use crate::store;

/// For whom rules are looked up: a merchant in its category, or nobody in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RuleScope {
    /// The merchant.
    pub mch_id: Option<MchId>,
    /// Its category.
    pub category: Option<String>,
}

impl RuleScope {
    /// Of this merchant.
    pub fn of(shop: &MerchantFile) -> Self {
        Self {
            mch_id: Some(shop.merchant.mch_id.clone()),
            category: shop.merchant.category.clone(),
        }
    }

    /// The places of a kind that count here, the nearest first.
    pub fn places(&self, kind: Kind) -> Vec<Place> {
        let at = |level, scope: &str| Place {
            kind,
            level,
            scope: scope.to_owned(),
        };
        let mut places = Vec::with_capacity(4);
        places.extend(self.mch_id.iter().map(|mch_id| at(Level::Merchant, mch_id.as_str())));
        if let Some(category) = &self.category {
            places.push(at(Level::Category, category));
            if let Some((above, _)) = category.rsplit_once('/') {
                places.push(at(Level::Category, above));
            }
        }
        places.push(Place::platform(kind));
        places
    }
}

/// A rule in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The rule.
    pub rule_no: RuleNo,
    /// Where it stands.
    pub place: Place,
    /// Its script.
    pub script: Arc<Script>,
    /// Whether it wants the merchant's totals of the day.
    pub day_totals: bool,
    /// Whether it is suspended: nothing is decided by it, nor by another in its stead.
    pub suspended: bool,
}

/// The rules in force for somebody; where none is, the script that comes with the release decides.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<InForce>,
}

impl RuleSet {
    /// The rule of a kind.
    pub fn of(&self, kind: Kind) -> Option<&InForce> {
        self.rules.iter().find(|rule| rule.place.kind == kind)
    }
}

/// Reads the rules in force for somebody. `kept` gives scripts that were read before.
pub(crate) async fn load<F>(
    db: &impl ConnectionTrait,
    scope: &RuleScope,
    kept: impl Fn(RuleVersion) -> F,
) -> Result<RuleSet, DbErr>
where
    F: Future<Output = Result<Arc<Script>, DbErr>>,
{
    let places: Vec<Vec<Place>> = Kind::ALL.into_iter().map(|kind| scope.places(kind)).collect();
    let texts = places.iter().flatten().map(ToString::to_string).collect();
    let found = store::rule::at(db, texts).await?;
    let mut rules = Vec::new();
    for places in places {
        let stands = |place: &Place| found.iter().find(|rule| rule.stands_at() == *place);
        if let Some((place, rule)) = places.iter().find_map(|place| Some((place, stands(place)?))) {
            rules.push(in_force(place.clone(), rule, kept(rule.version.clone()).await?));
        }
    }
    Ok(RuleSet { rules })
}

fn in_force(place: Place, rule: &Rule, script: Arc<Script>) -> InForce {
    InForce {
        rule_no: rule.rule_no.clone(),
        place,
        script,
        day_totals: rule.day_totals,
        suspended: rule.state == RuleState::Suspended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_merchant_comes_before_its_sub_category_its_category_and_the_platform() {
        let scope = RuleScope {
            mch_id: Some("M1".into()),
            category: Some("retail/department".to_owned()),
        };
        let places: Vec<_> = scope.places(Kind::Fee).iter().map(ToString::to_string).collect();
        assert_eq!(
            places,
            [
                "fee:merchant:M1",
                "fee:category:retail/department",
                "fee:category:retail",
                "fee:platform:"
            ]
        );
        let nobody: Vec<_> = RuleScope::default()
            .places(Kind::Code)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(nobody, ["code:platform:"]);
    }
}
