//! Where Redis is found, and as whom we come.

use std::path::PathBuf;

use metropay_core::network::is_this_machine;
use metropay_core::secret::Secret;
use serde::Deserialize;
use url::Url;

/// Where Redis is found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://host:port`, or `rediss://host:port` for TLS; with one server `/1` may choose the database. Several for Sentinel
    /// (the sentinels) and Cluster (some of its nodes). They carry no name and no password: those have fields of their own.
    pub urls: Vec<String>,
    /// One server, Sentinel or Cluster.
    #[serde(default)]
    pub mode: Mode,
    /// Sentinel: the name under which the sentinels know the master.
    #[serde(default)]
    pub master: Option<String>,
    /// What the names of all keys and channels begin with: 1–32 small letters, digits, `-` or `_`. Platforms that share a Redis
    /// need prefixes of their own.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// The name of our account there; absent means the default account.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password; absent or empty where none is asked.
    #[serde(default, deserialize_with = "metropay_core::secret::optional")]
    pub password: Option<Secret>,
    /// The password that the sentinels ask; absent or empty where none is asked.
    #[serde(default, deserialize_with = "metropay_core::secret::optional")]
    pub sentinel_password: Option<Secret>,
    /// A file of PEM certificates that the servers' certificates are checked against; absent means the machine's own.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// How Redis is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One server.
    #[default]
    Single,
    /// A master that sentinels know.
    Sentinel,
    /// A cluster.
    Cluster,
}

fn prefix() -> String {
    "metropay".to_owned()
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
#[error("redis.{field}: {rule}")]
pub struct BadConfig {
    /// The field.
    pub field: &'static str,
    /// What is wrong.
    pub rule: String,
}

pub(crate) fn bad(field: &'static str, rule: impl Into<String>) -> BadConfig {
    BadConfig {
        field,
        rule: rule.into(),
    }
}

impl RedisConfig {
    /// One server at this address; everything else as usual.
    pub fn single(url: &str) -> Self {
        Self {
            urls: vec![url.to_owned()],
            mode: Mode::Single,
            master: None,
            prefix: prefix(),
            username: None,
            password: None,
            sentinel_password: None,
            ca_file: None,
        }
    }

    /// Whether it can work, as far as that can be seen without connecting.
    ///
    /// # Errors
    /// The first field that is wrong. The text never shows an address that may carry a password.
    pub fn validate(&self) -> Result<(), BadConfig> {
        let letters = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-_".contains(&letter);
        if !(1..=32).contains(&self.prefix.len()) || !self.prefix.bytes().all(letters) {
            return Err(bad("prefix", "1–32 small letters, digits, - or _"));
        }
        match self.mode {
            Mode::Single if self.urls.len() != 1 => return Err(bad("urls", "one address, for mode = \"single\"")),
            _ if self.urls.is_empty() => return Err(bad("urls", "at least one address")),
            _ => {}
        }
        if (self.mode == Mode::Sentinel) != self.master.as_ref().is_some_and(|name| !name.is_empty()) {
            return Err(bad("master", "the master's name, for mode = \"sentinel\" only"));
        }
        if self.username.is_some() && self.password.is_none() {
            return Err(bad("password", "an account with a name has a password"));
        }
        let urls = self.urls.iter().map(|url| self.readable(url));
        let secure: Vec<bool> = urls.collect::<Result<_, _>>()?;
        if secure.iter().any(|one| Some(one) != secure.first()) {
            return Err(bad("urls", "all with TLS or none"));
        }
        Ok(())
    }

    /// Whether the addresses say TLS.
    pub fn is_secure(&self) -> bool {
        self.urls.first().is_some_and(|url| url.starts_with("rediss:"))
    }

    /// Whether what is said to Redis leaves this machine without TLS.
    pub fn leaves_in_plain_text(&self) -> bool {
        let stays = |url: &String| {
            let url = Url::parse(url).ok();
            url.as_ref().and_then(Url::host_str).is_some_and(is_this_machine)
        };
        !self.is_secure() && !self.urls.iter().all(stays)
    }

    /// Whether an address says TLS.
    fn readable(&self, url: &str) -> Result<bool, BadConfig> {
        const FORM: &str = "redis://host:port or rediss://host:port";
        let url = Url::parse(url).map_err(|_| bad("urls", FORM))?;
        if !["redis", "rediss"].contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
            return Err(bad("urls", FORM));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "urls",
                "name and password belong into redis.username and redis.password",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("urls", FORM));
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() && (self.mode != Mode::Single || database.parse::<u16>().is_err()) {
            return Err(bad(
                "urls",
                "a database can be chosen with one server only, by its number",
            ));
        }
        Ok(url.scheme() == "rediss")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut RedisConfig)) -> Option<&'static str> {
        let mut config = RedisConfig::single("redis://127.0.0.1:6379/1");
        change(&mut config);
        config.validate().err().map(|bad| bad.field)
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_field() {
        assert_eq!(wrong(|_| {}), None);
        assert_eq!(wrong(|c| c.urls.clear()), Some("urls"));
        assert_eq!(wrong(|c| c.urls.push("redis://b:1".to_owned())), Some("urls"));
        for url in [
            "http://a:1",
            "redis://",
            "a:1",
            "redis://:secret@a:1",
            "redis://me@a:1",
            "redis://a:1/x",
            "rediss://a:1#insecure",
            "redis://a:1?protocol=resp3",
        ] {
            assert_eq!(wrong(|c| c.urls = vec![url.to_owned()]), Some("urls"), "{url}");
        }
        assert_eq!(wrong(|c| c.prefix = "a{b}".to_owned()), Some("prefix"));
        assert_eq!(wrong(|c| c.master = Some("m".to_owned())), Some("master"));
        assert_eq!(wrong(|c| c.username = Some("u".to_owned())), Some("password"));
        let cluster = |c: &mut RedisConfig| {
            c.mode = Mode::Cluster;
            c.urls = vec!["redis://a:1".to_owned(), "rediss://b:1".to_owned()];
        };
        assert_eq!(wrong(cluster), Some("urls"));
        assert_eq!(
            wrong(|c| c.mode = Mode::Cluster),
            Some("urls"),
            "no database in a cluster"
        );
        let sentinel = |c: &mut RedisConfig| {
            c.mode = Mode::Sentinel;
            c.urls = vec!["redis://a:1".to_owned(), "redis://b:1".to_owned()];
            c.master = Some("m".to_owned());
        };
        assert_eq!(wrong(sentinel), None);
    }

    #[test]
    fn a_password_shows_itself_nowhere() {
        let mut config = RedisConfig::single("redis://:hush@a:1");
        config.password = Some(Secret::from("hush2"));
        let told = format!("{config:?} {}", config.validate().unwrap_err());
        assert!(!told.contains("hush2"), "{told}");
        assert!(!config.validate().unwrap_err().to_string().contains("hush"));
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<RedisConfig>(r#"{"urls":["redis://a:1"],"url":"x"}"#).is_err());
        let read: RedisConfig = serde_json::from_str(r#"{"urls":["redis://a:1"],"mode":"cluster"}"#).unwrap();
        assert_eq!((read.mode, &*read.prefix), (Mode::Cluster, "metropay"));
    }
}
