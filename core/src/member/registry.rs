//! The list of linked membership systems: explicit, typed, and with errors that name what is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::Schema;
use serde::Serialize;
use serde_json::Value;

use super::{AnyMemberFactory, ConfigError, Member, MemberFactory, MemberSetting};
use crate::channel::read_config;

/// A linked membership system, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberSummary {
    /// Its id: `http`.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
}

/// A membership system that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum MemberRegistryError {
    /// None of this id is linked.
    #[error("unknown membership system {id:?}; linked are {known}")]
    Unknown {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// The merchant's configuration is wrong.
    #[error("configuration of membership system {id}: {error}")]
    Config {
        /// Which one.
        id: String,
        /// What is wrong.
        error: ConfigError,
    },
}

/// All linked membership systems.
#[derive(Default, Clone)]
pub struct MemberRegistry {
    factories: BTreeMap<&'static str, Arc<dyn AnyMemberFactory>>,
}

impl MemberRegistry {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    ///
    /// # Panics
    /// When two have the same id: a mistake in the one list of them, seen at start-up.
    #[must_use]
    pub fn with<F: MemberFactory>(mut self, factory: F) -> Self {
        let before = self.factories.insert(F::ID, Arc::new(Erased(factory)));
        assert!(before.is_none(), "two membership systems are called {}", F::ID);
        self
    }

    /// The linked ones, by id.
    pub fn list(&self) -> Vec<MemberSummary> {
        self.factories.values().map(|factory| factory.summary()).collect()
    }

    /// The JSON schema of a merchant's configuration, from which consoles build their form.
    pub fn schema(&self, id: &str) -> Option<Schema> {
        self.factories.get(id).map(|factory| factory.schema())
    }

    /// Builds the adapter for a merchant.
    ///
    /// # Errors
    /// When the id is unknown or the configuration wrong; the text says which and what.
    pub fn build(
        &self,
        id: &str,
        config: Value,
        setting: MemberSetting,
    ) -> Result<Arc<dyn Member>, MemberRegistryError> {
        let factory = self.factories.get(id).ok_or_else(|| MemberRegistryError::Unknown {
            id: id.to_owned(),
            known: self.factories.keys().copied().collect::<Vec<_>>().join(", "),
        })?;
        factory
            .build(config, setting)
            .map_err(|error| MemberRegistryError::Config {
                id: id.to_owned(),
                error,
            })
    }
}

struct Erased<F>(F);

impl<F: MemberFactory> AnyMemberFactory for Erased<F> {
    fn summary(&self) -> MemberSummary {
        MemberSummary {
            id: F::ID,
            name: F::NAME,
        }
    }

    fn schema(&self) -> Schema {
        schemars::schema_for!(F::Config)
    }

    fn build(&self, config: Value, setting: MemberSetting) -> Result<Arc<dyn Member>, ConfigError> {
        self.0.build(read_config(config)?, setting)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::clock::SystemClock;
    use crate::code::form::{CodeForm, Recognised};
    use crate::id::Serial;
    use crate::member::{
        MemberAnswered, MemberPoints, MemberQuery, MemberQuestion, MemberStanding, PlatformSigner, VipStatus,
    };
    use crate::problem::{Code, Problem};
    use crate::random::SystemRandom;
    use crate::rules::check::{Refusal, TestRun};
    use crate::rules::code::{CodeQuestion, ScanQuestion};
    use crate::rules::fee::{FeeAnswer, FeeQuestion};
    use crate::rules::membership::{MembershipAnswer, MembershipCall, MembershipQuestion, MembershipReply};
    use crate::rules::route::{Choice, RouteQuestion};
    use crate::rules::{Kind, Needs, RuleError, Rules, Script, Wrong};
    use crate::secret::Secret;
    use crate::signing::Algorithm;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        key: Secret,
    }

    struct Plain;

    impl MemberFactory for Plain {
        type Config = Config;
        const ID: &'static str = "plain";
        const NAME: &'static str = "样例";

        fn build(&self, config: Config, _: MemberSetting) -> Result<Arc<dyn Member>, ConfigError> {
            if config.key.expose().is_empty() {
                return Err(ConfigError {
                    field: "key".to_owned(),
                    reason: "is empty".to_owned(),
                });
            }
            Ok(Arc::new(Always))
        }
    }

    struct Always;

    fn active() -> MemberAnswered {
        Ok(MemberStanding {
            status: VipStatus::Active,
            member_no: None,
            reason: String::new(),
        })
    }

    #[async_trait]
    impl Member for Always {
        async fn open(&self, _: &MemberQuestion) -> MemberAnswered {
            active()
        }
        async fn close(&self, _: &MemberQuestion) -> MemberAnswered {
            active()
        }
        async fn change_phone(&self, _: &MemberQuestion) -> MemberAnswered {
            active()
        }
        fn query(&self) -> Option<&dyn MemberQuery> {
            None
        }
        fn points(&self) -> Option<&dyn MemberPoints> {
            None
        }
    }

    struct Nobody;

    impl PlatformSigner for Nobody {
        fn sign(&self, _: Algorithm, _: &[u8]) -> Result<(Serial, String), Problem> {
            Err(Problem::new(Code::Internal))
        }
    }

    /// Rules that nobody asks.
    struct Unasked;

    impl Unasked {
        fn no<T>(script: &Script) -> Result<T, RuleError> {
            Err(RuleError {
                version: script.version.clone(),
                wrong: Wrong::Budget,
            })
        }
    }

    impl Rules for Unasked {
        fn default_script(&self, kind: Kind) -> Arc<Script> {
            Arc::new(Script::new(kind, ""))
        }
        fn compile(&self, _: Kind, _: &str) -> Result<Needs, Vec<Refusal>> {
            Ok(Needs::default())
        }
        fn test(&self, _: &Script, _: &str) -> Result<Vec<TestRun>, Vec<Refusal>> {
            Ok(Vec::new())
        }
        fn form(&self, script: &Script, _: &CodeQuestion) -> Result<CodeForm, RuleError> {
            Self::no(script)
        }
        fn recognise(&self, script: &Script, _: &ScanQuestion) -> Result<Recognised, RuleError> {
            Self::no(script)
        }
        fn route(&self, script: &Script, _: &RouteQuestion) -> Result<Vec<Choice>, RuleError> {
            Self::no(script)
        }
        fn fee(&self, script: &Script, _: &FeeQuestion) -> Result<FeeAnswer, RuleError> {
            Self::no(script)
        }
        fn membership_call(&self, script: &Script, _: &MembershipQuestion) -> Result<MembershipCall, RuleError> {
            Self::no(script)
        }
        fn membership_answer(&self, script: &Script, _: &MembershipReply) -> Result<MembershipAnswer, RuleError> {
            Self::no(script)
        }
    }

    fn setting() -> MemberSetting {
        MemberSetting {
            mch_id: "1900000109".into(),
            rules: Arc::new(Unasked),
            script: Arc::new(Script::new(Kind::Membership, "return {}")),
            signer: Arc::new(Nobody),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    #[test]
    fn a_membership_system_is_built_by_its_id_from_a_checked_configuration() {
        let registry = MemberRegistry::new().with(Plain);
        assert_eq!(
            registry.list().first().map(|it| (it.id, it.name)),
            Some(("plain", "样例"))
        );
        let schema = registry.schema("plain").unwrap().to_value();
        assert_eq!(schema["properties"]["key"]["writeOnly"], json!(true));
        assert!(registry.schema("none").is_none());
        let error = |id: &str, config| registry.build(id, config, setting()).err().map(|it| it.to_string());
        assert_eq!(error("plain", json!({ "key": "k" })), None);
        for (id, config, expected) in [
            (
                "none",
                json!({}),
                "unknown membership system \"none\"; linked are plain",
            ),
            (
                "plain",
                json!({}),
                "configuration of membership system plain: key: is missing",
            ),
            (
                "plain",
                json!({ "key": "" }),
                "configuration of membership system plain: key: is empty",
            ),
            (
                "plain",
                json!({ "key": ["canary"] }),
                "configuration of membership system plain: key: has the wrong type or value",
            ),
            (
                "plain",
                json!({ "key": "k", "kee": 1 }),
                "configuration of membership system plain: kee: is not a field of this configuration",
            ),
        ] {
            assert_eq!(error(id, config).as_deref(), Some(expected));
        }
    }

    #[test]
    #[should_panic(expected = "two membership systems are called plain")]
    fn two_of_one_id_are_noticed_at_start_up() {
        let _ = MemberRegistry::new().with(Plain).with(Plain);
    }
}
