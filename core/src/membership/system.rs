//! A merchant's membership system: setting it up, and building what speaks to it.

use std::sync::Arc;

use serde_json::Value;

use super::{Joining, MemberSystem};
use crate::engine::Engine;
use crate::id::{MchId, RuleNo};
use crate::member::{Member, MemberFailure, MemberSetting, MemberTrouble};
use crate::merchant::Standing;
use crate::problem::{Code, Problem};
use crate::rule::{self, MembershipRule};
use crate::rules::RuleVersion;
use crate::store;
use crate::vault::{Place, Purpose};

/// An adapter, and the rule that shapes what it says.
#[derive(Clone)]
pub(super) struct Built {
    pub member: Arc<dyn Member>,
    pub rule_no: Option<RuleNo>,
}

/// What an adapter was built of.
pub(crate) type BuiltOf = (MchId, i32, RuleVersion);

/// Sets a merchant's membership system up, or changes it. The configuration is checked by building the adapter.
///
/// # Errors
/// `MERCHANT_NOT_FOUND`; `PARAM_INVALID` when the system is not linked or its configuration is wrong; the field is named.
pub async fn put_system(
    engine: &Engine,
    mch_id: &MchId,
    (system, config): (&str, &Value),
    joining: Joining,
) -> Result<(), Problem> {
    let before = store::member_system::find(engine.db.write(), mch_id).await?;
    let row = MemberSystem {
        mch_id: mch_id.clone(),
        system: system.to_owned(),
        config_sealed: engine.seal(Purpose::MerchantSecret, place(mch_id), &config.to_string())?,
        version: before.map_or(1, |before| before.version.saturating_add(1)),
        joining,
        status: Standing::Active,
        updated_at: engine.clock.now(),
    };
    let rule = membership_rule(engine, mch_id).await?;
    let setting = setting(engine, mch_id, &rule);
    engine.members.build(system, config.clone(), setting).map_err(|error| {
        let field = error.to_string();
        Problem {
            source: Some(Box::new(error)),
            ..Problem::new(Code::ParamInvalid).at(field)
        }
    })?;
    store::member_system::put(engine.db.write(), row).await?;
    // What waited for a system that was wrong need not wait longer.
    store::membership::due_again(engine.db.write(), mch_id, engine.clock.now()).await?;
    Ok(())
}

/// The merchant's system, where it has one in use.
///
/// # Errors
/// When the database does not answer.
pub async fn system_of(engine: &Engine, mch_id: &MchId) -> Result<Option<MemberSystem>, Problem> {
    let system = store::member_system::find(engine.db.read(), mch_id).await?;
    Ok(system.filter(|system| system.status == Standing::Active))
}

/// What speaks to the merchant's system, built once for each version of its configuration and rule.
pub(super) async fn adapter(engine: &Engine, system: &MemberSystem) -> Result<Result<Built, MemberFailure>, Problem> {
    let rule = membership_rule(engine, &system.mch_id).await?;
    if rule.suspended {
        let why = "the merchant's rule is suspended";
        return Ok(Err(MemberFailure::not_sent(MemberTrouble::Rule, why)));
    }
    let kept = engine.member_adapters();
    let key: BuiltOf = (system.mch_id.clone(), system.version, rule.script.version.clone());
    let member = match kept.get(&key).await {
        Some(member) => member,
        None => {
            let config = engine.unseal(place(&system.mch_id), &system.config_sealed)?;
            let config = serde_json::from_str(&config).map_err(Problem::fault)?;
            let built = engine
                .members
                .build(&system.system, config, setting(engine, &system.mch_id, &rule));
            match built {
                Ok(member) => {
                    kept.insert(key, Arc::clone(&member)).await;
                    member
                }
                // It was right when it was set: this release, or its networks, are not the same.
                Err(error) => return Ok(Err(MemberFailure::not_sent(MemberTrouble::Call, error.to_string()))),
            }
        }
    };
    Ok(Ok(Built {
        member,
        rule_no: rule.rule_no,
    }))
}

async fn membership_rule(engine: &Engine, mch_id: &MchId) -> Result<MembershipRule, Problem> {
    let shop = engine.directory.merchant(mch_id).await?;
    let shop = shop.ok_or_else(|| Problem::new(Code::MerchantNotFound))?;
    rule::membership_rule(engine, &shop).await
}

fn setting(engine: &Engine, mch_id: &MchId, rule: &MembershipRule) -> MemberSetting {
    MemberSetting {
        mch_id: mch_id.clone(),
        rules: Arc::clone(&engine.rules),
        script: Arc::clone(&rule.script),
        signer: Arc::clone(&engine.signer),
        clock: Arc::clone(&engine.clock),
        random: Arc::clone(&engine.random),
    }
}

fn place(mch_id: &MchId) -> Place<'_> {
    Place {
        table: "member_system",
        column: "config_sealed",
        row: mch_id.as_str(),
    }
}
