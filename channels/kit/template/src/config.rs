//! The configuration of an account, as operators enter it, and what it is once it was checked.

use std::time::Duration;

use metropay_core::channel::ConfigError;
use metropay_core::secret::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::sign::Keys;

/// The configuration of an account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "某某支付")]
pub struct FoochanConfig {
    // FILL IN: the fields of the channel. Whatever is secret is a `Secret`, or an `Option<Secret>` read by `secret::optional`.
    /// The merchant's number at the channel.
    #[schemars(title = "商户号")]
    pub merchant_no: String,
    /// Signs our requests.
    #[schemars(title = "商户私钥")]
    pub private_key: Secret,
    /// Verifies answers and notifications.
    #[schemars(title = "平台公钥")]
    pub channel_public_key: String,
    /// Where the gateway is.
    #[schemars(title = "网关地址")]
    pub base_url: String,
    /// How long one call may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    #[schemars(title = "请求超时（毫秒）", range(min = 100, max = 60000))]
    pub timeout_ms: u32,
}

fn timeout_ms() -> u32 {
    5_000
}

/// A configuration that was checked.
pub(crate) struct Account {
    pub(crate) merchant_no: String,
    pub(crate) keys: Keys,
    /// Without a slash at the end.
    pub(crate) base_url: String,
    pub(crate) timeout: Duration,
}

impl FoochanConfig {
    /// Checks everything that can be checked without asking the channel.
    pub(crate) fn check(self) -> Result<Account, ConfigError> {
        let plain = !self.merchant_no.is_empty() && self.merchant_no.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || self.merchant_no.len() > 32 {
            return Err(wrong("merchant_no", "must be 1 to 32 letters and digits"));
        }
        let base = Url::parse(&self.base_url).map_err(|_| wrong("base_url", "must be an address"))?;
        if !matches!(base.scheme(), "http" | "https") || base.query().is_some() {
            return Err(wrong("base_url", "must be an http(s) address without query"));
        }
        if !(100..=60_000).contains(&self.timeout_ms) {
            return Err(wrong("timeout_ms", "must lie between 100 and 60000"));
        }
        Ok(Account {
            keys: Keys::parse(&self.private_key, &self.channel_public_key)?,
            merchant_no: self.merchant_no,
            base_url: self.base_url.trim_end_matches('/').to_owned(),
            timeout: Duration::from_millis(u64::from(self.timeout_ms)),
        })
    }
}

pub(crate) fn wrong(field: &str, reason: &str) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}
