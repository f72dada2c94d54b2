//! The guard of production: what must not be started with, and which it is.

use metropay_core::secret::Secret;
use metropay_core::vault::MasterKey;

use super::{CodeKind, Config, Profile, RedisConfig};

/// Everything that stands against a start, in words that an operator can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refusing to start:\n{}", .0.iter().map(|reason| format!("  - {reason}")).collect::<Vec<_>>().join("\n"))]
pub struct Unsafe(pub Vec<String>);

impl Config {
    /// Checks what a profile must not be started with.
    ///
    /// # Errors
    /// [`Unsafe`] with every reason, not only the first.
    pub fn guard(&self, profile: Profile) -> Result<(), Unsafe> {
        let mut reasons = Vec::new();
        if self.secrets.master_key.expose().is_empty() {
            reasons.push("secrets.master_key is missing: set METROPAY_SECRETS__MASTER_KEY".to_owned());
        } else if let Err(error) = MasterKey::parse(&self.secrets.master_key) {
            reasons.push(format!("secrets.master_key is not usable: {error}"));
        }
        if let Err(error) = self.traces.target() {
            reasons.push(format!("{error:#}"));
        }
        if let Some(Err(error)) = self.redis.as_ref().map(RedisConfig::validate) {
            reasons.push(error.to_string());
        }
        if self.server.unready_s > self.server.drain_s {
            reasons.push("server.unready_s is a part of server.drain_s and cannot be longer".to_owned());
        }
        if profile == Profile::Production {
            self.guard_production(&mut reasons);
        }
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(Unsafe(reasons))
        }
    }

    fn guard_production(&self, reasons: &mut Vec<String>) {
        if self.simulator.enabled {
            reasons.push("simulator.enabled is true: production never runs with simulated gateways".to_owned());
        }
        if self.bench.instant {
            reasons.push("bench.instant is true: that channel says paid and moves no money".to_owned());
        }
        if self.code.kind == CodeKind::Test {
            reasons.push("code.type is \"test\": codes of a test environment carry no real money".to_owned());
        }
        if self.app.issuer.is_empty() || self.app.keys.is_empty() {
            reasons.push("app.issuer or app.keys is missing: nobody could prove to be the App".to_owned());
        }
        if self.app.issuer == "metropay-demo-app" {
            reasons.push("app.issuer is the demo's".to_owned());
        }
        for key in &self.app.keys {
            let secret = key.secret.as_ref().map(Secret::expose);
            if secret.is_some_and(is_an_example) {
                let kid = key.kid.as_deref().unwrap_or("without kid");
                reasons.push(format!(
                    "app.keys ({kid}): the secret is an example of the documentation"
                ));
            }
        }
        if !self.server.public_url.starts_with("https://") {
            reasons.push("server.public_url must be the https:// address that channels and Apps reach".to_owned());
        }
        if self.database.url.contains(":memory:") || self.database.url.contains("/demo/") {
            reasons.push("database.url is a database of a demo or a test".to_owned());
        }
    }
}

/// Secrets that stand in documentation, or that people type when they have none.
fn is_an_example(secret: &str) -> bool {
    let lower = secret.to_ascii_lowercase();
    let words = ["example", "secret", "password", "changeme", "metropay", "test"];
    let repeated = secret.bytes().all(|b| secret.as_bytes().first() == Some(&b));
    repeated || secret.starts_with("0123456789abcdef") || words.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use metropay_core::random::SystemRandom;
    use metropay_payment_api::app::token::{AppKey, TokenAlgorithm};

    use super::*;

    fn key(secret: &str) -> AppKey {
        AppKey {
            kid: Some("one".to_owned()),
            algorithm: TokenAlgorithm::HS256,
            public_key_pem: None,
            secret: Some(secret.into()),
        }
    }

    fn sound() -> Config {
        let mut config = Config::load(Profile::Production, Path::new("no such folder")).unwrap();
        config.secrets.master_key = MasterKey::generate(&SystemRandom).text();
        config.app.issuer = "the-app".to_owned();
        config.app.keys = vec![key("p7Qz1LxW0vRk8mTn5cYb2sHd6fGj3uEa")];
        config.server.public_url = "https://pay.example.com".to_owned();
        config
    }

    #[test]
    fn production_starts_with_a_sound_configuration_and_says_what_is_wrong_with_another() {
        assert_eq!(sound().guard(Profile::Production), Ok(()));
        type Spoil = fn(&mut Config);
        let spoiled: [(&str, Spoil); 9] = [
            ("simulator.enabled", |config| {
                config.simulator.enabled = true;
            }),
            ("bench.instant", |config| {
                config.bench.instant = true;
            }),
            ("secrets.master_key is missing", |config| {
                config.secrets.master_key = "".into();
            }),
            ("secrets.master_key is not usable", |config| {
                config.secrets.master_key = "A".repeat(64).as_str().into();
            }),
            ("code.type", |config| {
                config.code.kind = CodeKind::Test;
            }),
            ("app.issuer", |config| {
                config.app.issuer = String::new();
            }),
            ("example of the documentation", |config| {
                config.app.keys = vec![key("0123456789abcdef0123456789abcdef")];
            }),
            ("server.public_url", |config| {
                config.server.public_url = "http://pay.example.com".to_owned();
            }),
            ("database.url", |config| {
                config.database.url = "sqlite::memory:".to_owned();
            }),
        ];
        for (word, spoil) in spoiled {
            let mut config = sound();
            spoil(&mut config);
            let refused = config.guard(Profile::Production).unwrap_err();
            assert_eq!(refused.0.len(), 1, "{refused}");
            assert!(refused.to_string().contains(word), "{refused}");
        }
    }

    #[test]
    fn no_profile_starts_without_a_master_key() {
        let config = Config::load(Profile::Default, Path::new("no such folder")).unwrap();
        assert!(
            config
                .guard(Profile::Default)
                .unwrap_err()
                .to_string()
                .contains("master_key")
        );
    }
}
