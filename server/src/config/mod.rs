//! The configuration: defaults, then the profile's file, then the environment. Unknown fields are refused.

mod guard;
mod merchant_calls;
mod traces;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use metropay_core::Pools;
use metropay_core::code::form::{CodeForm, CodeType};
use metropay_core::engine::Caps;
use metropay_core::limit;
use metropay_core::money::Fen;
use metropay_core::rules::code::CodeQuestion;
use metropay_core::secret::Secret;
pub use metropay_payment_api::EntranceSettings;
use metropay_payment_api::app::token::{AppIssuer, AppKey};
pub use metropay_payment_api::till::BudgetSettings;
pub use metropay_redis::{Mode as RedisMode, RedisConfig};
use metropay_web::client::Proxies;
use serde::Deserialize;

pub use guard::Unsafe;
pub use merchant_calls::MerchantCallsConfig;
pub use traces::TracesConfig;

pub use crate::sms::{SmsConfig, SmsProvider};

/// Under which profile a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// For development: the defaults.
    Default,
    /// Server and simulators in one process, everything made fresh.
    Demo,
    /// Real money: refuses whatever is unsafe.
    Production,
}

impl Profile {
    /// Its name: that of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Demo => "demo",
            Self::Production => "production",
        }
    }

    /// Its file as it was when the binary was made, for places without a config folder.
    fn built_in(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::Demo => include_str!("../../../config/demo.toml"),
            Self::Production => include_str!("../../../config/production.toml"),
        }
    }
}

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listener.
    pub server: ServerConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// What nodes share and may lose; absent means that this node is the only one.
    #[serde(default)]
    pub redis: Option<RedisConfig>,
    /// What has no default.
    pub secrets: SecretsConfig,
    /// The App and its tokens.
    pub app: AppConfig,
    /// The form of the consumption code.
    pub code: CodeConfig,
    /// Bounds on money and waiting.
    pub caps: CapsConfig,
    /// What tills may ask how often.
    #[serde(default)]
    pub budgets: BudgetSettings,
    /// How a crowd is let in.
    #[serde(default)]
    pub entrance: EntranceSettings,
    /// Where merchants' servers may be called.
    #[serde(default)]
    pub merchant_calls: MerchantCallsConfig,
    /// What sends text messages.
    #[serde(default)]
    pub sms: SmsConfig,
    /// Logs.
    pub log: LogConfig,
    /// Traces.
    #[serde(default)]
    pub traces: TracesConfig,
    /// The simulators.
    pub simulator: SimulatorConfig,
    /// What only a measured server has.
    #[serde(default)]
    pub bench: BenchConfig,
    /// What only a server has that the demo plays against.
    #[serde(default)]
    pub drill: DrillConfig,
}

/// What only a server has that the demo plays against.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrillConfig {
    /// Whether operators may move its time (`POST /clock` on their listener), so that a play need not wait for midnight.
    pub movable_clock: bool,
}

/// What only a server has that `metropay bench` started.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenchConfig {
    /// Whether a channel is linked that answers at once and moves no money.
    pub instant: bool,
}

/// The listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where operators' machines ask how the channels are doing; absent means nowhere. It asks for no identity.
    #[serde(default)]
    pub ops_listen: Option<SocketAddr>,
    /// The address under which others reach it; empty means `http://` and the listening address.
    pub public_url: String,
    /// Proxies that may say whom they forward for.
    pub proxies: Proxies,
    /// How long a stopping server lets requests in progress end, in seconds.
    pub drain_s: u64,
    /// How much of that it still accepts new requests while it says that it is not ready, in seconds: as long as load balancers take
    /// to notice.
    pub unready_s: u64,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Whether production may reach a database on another machine without TLS.
    #[serde(default)]
    pub allow_plaintext_database: bool,
    /// Whether production may reach a Redis on another machine without TLS.
    #[serde(default)]
    pub allow_plaintext_redis: bool,
}

/// The database.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// A SeaORM address.
    pub url: String,
    /// Whether the schema is brought up to date at start-up.
    pub migrate: bool,
    /// Connections of one node to PostgreSQL.
    #[serde(default)]
    pub pools: Pools,
}

impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password: only what kind of database it is, is shown.
        let kind = self.url.split(':').next().unwrap_or_default();
        f.debug_struct("DatabaseConfig")
            .field("kind", &kind)
            .field("migrate", &self.migrate)
            .field("pools", &self.pools)
            .finish_non_exhaustive()
    }
}

impl DatabaseConfig {
    /// The file of an embedded database.
    pub fn file(&self) -> Option<PathBuf> {
        let path = self.url.strip_prefix("sqlite://")?.split('?').next()?;
        (!path.is_empty() && !path.contains(":memory:")).then(|| PathBuf::from(path))
    }
}

/// What has no default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsConfig {
    /// The master key; empty where none is set.
    pub master_key: Secret,
}

/// The App and its tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// Who issues them.
    pub issuer: String,
    /// For whom.
    pub audience: String,
    /// The issuer's keys.
    pub keys: Vec<AppKey>,
    /// Whether every request must carry a proof by the device's key.
    pub require_device_proof: bool,
    /// Where a browser goes after a channel's signing page; empty shows a page of ours.
    pub return_url: String,
}

impl AppConfig {
    /// The issuer as the App's door knows it.
    pub fn issuer(&self) -> AppIssuer {
        AppIssuer {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            keys: self.keys.clone(),
        }
    }
}

/// The form of the consumption code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeConfig {
    /// Two digits.
    pub prefix: String,
    /// For real money, or for a test environment.
    #[serde(rename = "type")]
    pub kind: CodeKind,
}

/// What codes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeKind {
    /// Real money.
    Online,
    /// A test environment.
    Test,
}

impl CodeConfig {
    /// What `code` rules are asked.
    ///
    /// # Errors
    /// When codes with this prefix could be taken for something else.
    pub fn question(&self) -> Result<CodeQuestion> {
        let kind = match self.kind {
            CodeKind::Online => CodeType::Online,
            CodeKind::Test => CodeType::Test,
        };
        CodeForm::new(&self.prefix, kind).with_context(|| format!("code.prefix = {:?}", self.prefix))?;
        Ok(CodeQuestion {
            prefix: self.prefix.clone(),
            kind,
        })
    }
}

/// Bounds on money and waiting.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapsConfig {
    /// One payment, in fen.
    pub per_payment_fen: Fen,
    /// One user's China day, in fen.
    pub per_user_day_fen: Fen,
    /// How long a till waits, in milliseconds.
    pub till_wait_ms: u64,
    /// How long after the deduction an unknown outcome is revoked, in milliseconds; absent means the channel's own time.
    #[serde(default)]
    pub revoke_after_ms: Option<u64>,
    /// From when on "no such order" is proof, in milliseconds; absent means the channel's own time.
    #[serde(default)]
    pub absence_proves_after_ms: Option<u64>,
    /// How long a sender may be sending before another may, in milliseconds.
    #[serde(default)]
    pub send_lease_ms: Option<u64>,
    /// Whether an account whose channel answers nothing is left alone for a while.
    pub breaker: bool,
}

impl CapsConfig {
    /// The caps as the engine knows them.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn caps(&self) -> Result<Caps> {
        anyhow::ensure!(
            self.per_payment_fen.get() <= limit::PAYMENT_MAX_FEN,
            "caps.per_payment_fen: at most {}",
            limit::PAYMENT_MAX_FEN
        );
        let till_wait = Duration::from_millis(self.till_wait_ms);
        let send_lease = self.send_lease_ms.map_or(limit::SEND_LEASE, Duration::from_millis);
        anyhow::ensure!(
            till_wait < send_lease,
            "caps.till_wait_ms must be less than the time of a sender"
        );
        Ok(Caps {
            per_payment: self.per_payment_fen,
            per_user_day: self.per_user_day_fen,
            till_wait,
            revoke_after: self.revoke_after_ms.map(Duration::from_millis),
            absence_proves_after: self.absence_proves_after_ms.map(Duration::from_millis),
            send_lease,
            breaker: self.breaker,
        })
    }
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is logged.
    pub filter: String,
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines to read.
    Text,
    /// One JSON object a line.
    Json,
}

/// The simulators.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatorConfig {
    /// Whether they run in process.
    pub enabled: bool,
    /// Where they listen.
    pub listen: SocketAddr,
    /// Where their books are kept.
    pub data_dir: PathBuf,
    /// How long an accepted payment takes to succeed, in milliseconds.
    pub settle_ms: u64,
    /// How fast notifications are repeated, in percent.
    pub notice_pace_percent: u32,
}

impl SimulatorConfig {
    /// The settings as the simulators know them.
    pub fn settings(&self) -> metropay_simulator::Settings {
        metropay_simulator::Settings {
            listen: self.listen,
            data_dir: Some(self.data_dir.clone()),
            notice_pace_percent: self.notice_pace_percent,
            settle_ms: self.settle_ms,
            public_url: None,
        }
    }
}

/// The defaults as they were when the binary was made.
const DEFAULTS: &str = include_str!("../../../config/default.toml");

impl Config {
    /// Reads the configuration of a profile: built-in defaults, the files of the folder where they exist, the environment.
    ///
    /// # Errors
    /// When a field is unknown, missing or of the wrong kind; the text names it and where it came from.
    pub fn load(profile: Profile, folder: &Path) -> Result<Self> {
        let figment = Figment::new().merge(Toml::string(DEFAULTS));
        let figment = merge_file(figment, &folder.join("default.toml")).merge(Toml::string(profile.built_in()));
        let figment = merge_file(figment, &folder.join(format!("{}.toml", profile.name())))
            // Only what has a section is configuration; METROPAY_TEST_… and the like are not.
            .merge(
                Env::prefixed("METROPAY_")
                    .filter(|key| key.as_str().contains("__"))
                    .split("__"),
            );
        figment
            .extract()
            .with_context(|| format!("configuration of profile {}", profile.name()))
    }
}

/// Merges a file that need not be there.
fn merge_file(figment: Figment, path: &Path) -> Figment {
    if path.is_file() {
        figment.merge(Toml::file_exact(path))
    } else {
        figment
    }
}

#[cfg(test)]
#[expect(clippy::result_large_err, reason = "figment's own type for its jail")]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrides_the_profile_and_the_profile_the_defaults() {
        figment::Jail::expect_with(|jail| {
            let before = Config::load(Profile::Demo, Path::new("config")).unwrap();
            assert!(before.simulator.enabled);
            assert_eq!(before.server.listen.port(), 8080);
            jail.create_dir("config")?;
            jail.create_file("config/demo.toml", "[simulator]\nenabled = false\n")?;
            jail.set_env("METROPAY_SERVER__LISTEN", "127.0.0.1:9999");
            jail.set_env("METROPAY_TEST_POSTGRES_IMAGE", "postgres:15");
            let after = Config::load(Profile::Demo, Path::new("config")).unwrap();
            assert!(!after.simulator.enabled);
            assert_eq!(after.server.listen.port(), 9999);
            Ok(())
        });
    }

    #[test]
    fn redis_is_absent_or_a_section_whose_password_comes_from_the_environment() {
        figment::Jail::expect_with(|jail| {
            assert!(
                Config::load(Profile::Default, Path::new("config"))
                    .unwrap()
                    .redis
                    .is_none()
            );
            jail.create_dir("config")?;
            jail.create_file(
                "config/default.toml",
                "[redis]\nmode = \"cluster\"\nurls = [\"rediss://a:1\", \"rediss://b:1\"]\n",
            )?;
            jail.set_env("METROPAY_REDIS__PASSWORD", "hush");
            let config = Config::load(Profile::Default, Path::new("config")).unwrap();
            let redis = config.redis.as_ref().unwrap();
            assert_eq!(redis.password.as_ref().map(Secret::expose), Some("hush"));
            assert!(redis.is_secure() && redis.validate().is_ok());
            assert!(!format!("{config:?}").contains("hush"));
            jail.create_file("config/default.toml", "[redis]\nurls = [\"redis://:hush@a:1\"]\n")?;
            let refused = Config::load(Profile::Default, Path::new("config")).unwrap();
            let told = refused.guard(Profile::Default).unwrap_err().to_string();
            assert!(told.contains("redis.urls") && !told.contains("hush"), "{told}");
            Ok(())
        });
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        figment::Jail::expect_with(|jail| {
            jail.set_env("METROPAY_SERVER__LISTENN", "127.0.0.1:9999");
            let error = Config::load(Profile::Default, Path::new("config")).unwrap_err();
            assert!(format!("{error:#}").contains("listenn"), "{error:#}");
            Ok(())
        });
    }
}
