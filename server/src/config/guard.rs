//! The guard of production: what must not be started with, and which it is.

use metropay_core::Db;
use metropay_core::secret::Secret;
use metropay_core::vault::MasterKey;

use super::{CodeKind, Config, Profile, RedisConfig, SmsProvider};

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

    /// What a profile starts with all the same, and an operator should hear of.
    pub fn warnings(&self, profile: Profile) -> Vec<String> {
        if profile != Profile::Production {
            return Vec::new();
        }
        let allowed = self.in_plain_text().into_iter().filter(|(is_allowed, ..)| *is_allowed);
        let warn = |(_, field, setting)| {
            format!(
                "{setting} is true: {field} says no TLS, and whoever can listen between the machines reads everything"
            )
        };
        allowed.map(warn).collect()
    }

    /// What leaves the machine in plain text: whether that is allowed, by which address, and what allows it.
    fn in_plain_text(&self) -> Vec<(bool, &'static str, &'static str)> {
        let (server, mut found) = (&self.server, Vec::new());
        if Db::leaves_in_plain_text(&self.database.url) {
            let is_allowed = server.allow_plaintext_database;
            found.push((is_allowed, "database.url", "server.allow_plaintext_database"));
        }
        if self.redis.as_ref().is_some_and(RedisConfig::leaves_in_plain_text) {
            let is_allowed = server.allow_plaintext_redis;
            found.push((is_allowed, "redis.urls", "server.allow_plaintext_redis"));
        }
        found
    }

    fn guard_production(&self, reasons: &mut Vec<String>) {
        if self.simulator.enabled {
            reasons.push("simulator.enabled is true: production never runs with simulated gateways".to_owned());
        }
        if self.bench.instant {
            reasons.push("bench.instant is true: that channel says paid and moves no money".to_owned());
        }
        if self.drill.movable_clock {
            reasons.push("drill.movable_clock is true: the time of real money is moved by nobody".to_owned());
        }
        if self.sms.provider == SmsProvider::Log {
            reasons.push("sms.provider is \"log\": codes that users are sent would stand in the log".to_owned());
        }
        if self.merchant_calls.allows_this_machine() {
            reasons.push(
                "merchant_calls.allowed_networks holds this machine: merchants could have it call itself".to_owned(),
            );
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
        for (is_allowed, field, setting) in self.in_plain_text() {
            if !is_allowed {
                reasons.push(format!(
                    "{field} says no TLS, and another machine is behind it: mend it, or say {setting} = true where nobody else can listen"
                ));
            }
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

    /// The configuration of a profile, read while no other test has its hands in the environment.
    #[expect(clippy::result_large_err, reason = "figment's own type for its jail")]
    fn loaded(profile: Profile) -> Config {
        let mut loaded = None;
        figment::Jail::expect_with(|_| {
            loaded = Some(Config::load(profile, Path::new("no such folder")).unwrap());
            Ok(())
        });
        loaded.unwrap()
    }

    fn sound() -> Config {
        let mut config = loaded(Profile::Production);
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
        let spoiled: [(&str, Spoil); 10] = [
            ("simulator.enabled", |config| {
                config.simulator.enabled = true;
            }),
            ("bench.instant", |config| {
                config.bench.instant = true;
            }),
            ("drill.movable_clock", |config| {
                config.drill.movable_clock = true;
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
    fn production_leaves_the_machine_under_tls_or_where_that_is_said_to_be_safe() {
        let refusals = |config: &Config| config.guard(Profile::Production).map_err(|refused| refused.0.len());
        for (url, is_plain) in [
            ("postgres://metropay:hush@db:5432/metropay", true),
            ("postgres://metropay:hush@db/metropay?sslmode=prefer", true),
            ("postgres://metropay:hush@10.0.0.7/metropay?sslmode=disable", true),
            ("postgres://metropay:hush@db/metropay?sslmode=require", false),
            ("postgres://metropay:hush@db/metropay?sslmode=verify-full", false),
            ("postgres://metropay:hush@127.0.0.1/metropay", false),
            ("postgres://metropay:hush@localhost/metropay", false),
            ("postgres://metropay@%2Frun%2Fpostgresql/metropay", false),
            ("sqlite://var/metropay.db?mode=rwc", false),
        ] {
            let mut config = sound();
            config.database.url = url.to_owned();
            assert_eq!(refusals(&config), if is_plain { Err(1) } else { Ok(()) }, "{url}");
            config.server.allow_plaintext_database = true;
            assert_eq!(refusals(&config), Ok(()), "{url}");
            assert_eq!(
                config.warnings(Profile::Production).len(),
                usize::from(is_plain),
                "{url}"
            );
            assert!(!config.warnings(Profile::Production).concat().contains("hush"));
        }
        for (url, is_plain) in [
            ("redis://redis:6379", true),
            ("redis://192.168.0.9:6379", true),
            ("rediss://redis:6379", false),
            ("redis://127.0.0.1:6379", false),
            ("redis://[::1]:6379", false),
        ] {
            let mut config = sound();
            config.redis = Some(RedisConfig::single(url));
            assert_eq!(refusals(&config), if is_plain { Err(1) } else { Ok(()) }, "{url}");
            config.server.allow_plaintext_redis = true;
            assert_eq!(refusals(&config), Ok(()), "{url}");
            assert_eq!(
                config.warnings(Profile::Production).len(),
                usize::from(is_plain),
                "{url}"
            );
        }
    }

    #[test]
    fn no_profile_starts_without_a_master_key() {
        let config = loaded(Profile::Default);
        assert!(
            config
                .guard(Profile::Default)
                .unwrap_err()
                .to_string()
                .contains("master_key")
        );
    }
}
