//! The list of linked channels: explicit, typed, and with errors that name what is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::Schema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{AnyFactory, Channel, ChannelFactory, ConfigError, Setting, channel_id};
use crate::code::foreign::Looks;
use crate::id::ChannelId;

/// A linked channel, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelSummary {
    /// Its id: `wechat`.
    pub id: ChannelId,
    /// Its name for people: 微信支付.
    pub name: &'static str,
    /// Its name in the merchant API: `CT_WECHAT`.
    pub pay_type: &'static str,
    /// What its own payment codes look like.
    #[serde(skip)]
    pub payment_code: Option<Looks>,
}

/// A channel that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No channel of this id is linked.
    #[error("unknown channel {id:?}; linked are {known}")]
    Unknown {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// The account's configuration is wrong.
    #[error("configuration of channel {id}: {error}")]
    Config {
        /// The channel.
        id: String,
        /// What is wrong.
        error: ConfigError,
    },
}

/// All linked channels.
#[derive(Default, Clone)]
pub struct ChannelRegistry {
    factories: BTreeMap<&'static str, Arc<dyn AnyFactory>>,
}

impl ChannelRegistry {
    /// No channels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a channel.
    ///
    /// # Panics
    /// When two channels have the same id: a mistake in the one list of channels, seen at start-up.
    #[must_use]
    pub fn with<F: ChannelFactory>(mut self, factory: F) -> Self {
        let before = self.factories.insert(F::ID, Arc::new(Erased(factory)));
        assert!(before.is_none(), "two channels are called {}", F::ID);
        self
    }

    /// The linked channels, by id.
    pub fn list(&self) -> Vec<ChannelSummary> {
        self.factories.values().map(|factory| factory.summary()).collect()
    }

    /// The linked channel of this id.
    pub fn summary(&self, id: &ChannelId) -> Option<ChannelSummary> {
        self.factories.get(id.as_str()).map(|factory| factory.summary())
    }

    /// The channel whose own payment codes look like this.
    pub fn of_code(&self, looks: Looks) -> Option<ChannelId> {
        let mut all = self.factories.values().map(|factory| factory.summary());
        all.find(|summary| summary.payment_code == Some(looks))
            .map(|summary| summary.id)
    }

    /// The JSON schema of an account's configuration, from which consoles build their form.
    pub fn schema(&self, id: &ChannelId) -> Option<Schema> {
        self.factories.get(id.as_str()).map(|factory| factory.schema())
    }

    /// Builds the adapter for an account.
    ///
    /// # Errors
    /// When the channel is unknown or the configuration wrong; the text says which and what.
    pub fn build(&self, id: &ChannelId, config: Value, setting: Setting) -> Result<Arc<dyn Channel>, RegistryError> {
        let factory = self.factories.get(id.as_str()).ok_or_else(|| RegistryError::Unknown {
            id: id.to_string(),
            known: self.factories.keys().copied().collect::<Vec<_>>().join(", "),
        })?;
        factory.build(config, setting).map_err(|error| RegistryError::Config {
            id: id.to_string(),
            error,
        })
    }
}

struct Erased<F>(F);

impl<F: ChannelFactory> AnyFactory for Erased<F> {
    fn summary(&self) -> ChannelSummary {
        ChannelSummary {
            id: channel_id(F::ID),
            name: F::NAME,
            pay_type: F::PAY_TYPE,
            payment_code: F::PAYMENT_CODE,
        }
    }

    fn schema(&self) -> Schema {
        schemars::schema_for!(F::Config)
    }

    fn build(&self, config: Value, setting: Setting) -> Result<Arc<dyn Channel>, ConfigError> {
        self.0.build(read_config(config)?, setting)
    }
}

/// Reads a plug-in's configuration.
///
/// # Errors
/// [`ConfigError`] with the name of the field that is wrong, and never its value.
pub(crate) fn read_config<C: DeserializeOwned>(config: Value) -> Result<C, ConfigError> {
    serde_path_to_error::deserialize(config).map_err(|error| readable(&error))
}

/// What is wrong with a configuration, by the name of its field alone: serde's own messages may quote a value, and a value may
/// be a secret.
fn readable(error: &serde_path_to_error::Error<serde_json::Error>) -> ConfigError {
    let text = error.inner().to_string();
    let named = text.split('`').nth(1).unwrap_or("configuration").to_owned();
    let (field, reason) = if text.starts_with("missing field") {
        (named, "is missing")
    } else if text.starts_with("unknown field") {
        (named, "is not a field of this configuration")
    } else {
        (error.path().to_string(), "has the wrong type or value")
    };
    ConfigError {
        field,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(rename = "mode")]
        _mode: Mode,
        #[serde(rename = "key")]
        _key: crate::secret::Secret,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Direct,
    }

    #[test]
    fn a_wrong_configuration_is_told_by_its_field_and_never_by_its_value() {
        for (config, expected) in [
            (json!({ "mode": "direct" }), "key: is missing"),
            (
                json!({ "mode": "canary-1", "key": "k" }),
                "mode: has the wrong type or value",
            ),
            (
                json!({ "mode": "direct", "key": { "a": "canary-2" } }),
                "key: has the wrong type or value",
            ),
            (
                json!({ "mode": "direct", "key": "k", "kee": 1 }),
                "kee: is not a field of this configuration",
            ),
        ] {
            let error = serde_path_to_error::deserialize::<_, Config>(config).unwrap_err();
            assert_eq!(readable(&error).to_string(), expected);
        }
    }
}
