//! A merchant's configuration, and what becomes of it: parsed once, when the adapter is built.

use metropay_core::channel::ConfigError;
use metropay_core::secret::{self, Secret};
use metropay_core::signing::Algorithm;
use metropay_outbound::guard::{AddressPolicy, FurtherHeaders, MerchantUrl};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::seal::PhoneKey;
use crate::sign::MerchantKey;

/// How a merchant's membership system is called.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberHttpConfig {
    /// The base address (接口地址): `https`, a name of the public DNS, port 443 or 8443. The rule's paths stand beneath it.
    #[schemars(length(max = 1024))]
    pub url: String,
    /// How calls are signed (签名方式).
    #[serde(default)]
    pub sign: CallSigning,
    /// The merchant's own secret (商户密钥) for `secret`: 16 to 128 visible letters; its ASCII bytes are the key.
    #[serde(default, deserialize_with = "secret::optional")]
    pub secret: Option<Secret>,
    /// The algorithm of the platform's key for `platform`: `RSA-SHA256`, `RSA-PSS-SHA256` or `ED25519`.
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    /// The merchant's RSA public key (商户公钥), one `PUBLIC KEY` PEM block of 2048 to 8192 bits. Where it is set, phone numbers
    /// leave encrypted with RSA-OAEP (SHA-256, MGF1 with SHA-256), in Base64.
    #[serde(default)]
    pub phone_key: Option<String>,
    /// Names of headers that the rule may set beside the usual ones (`X-…`, `Authorization`, `Sign`, …).
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub headers: Vec<String>,
    /// Whether the system can be asked how a membership stands (the rule's action `query`).
    #[serde(default)]
    pub queries: bool,
}

/// How calls are signed. The merchant's word decides: a signature that the rule describes is made for `secret` only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallSigning {
    /// Not at all.
    #[default]
    None,
    /// As the platform signs: an `Authorization: METROPAY-…` header with the platform's key.
    Platform,
    /// As the rule describes, with the merchant's own secret.
    Secret,
}

/// A configuration that was read.
pub(crate) struct Account {
    pub(crate) url: MerchantUrl,
    pub(crate) signing: Signing,
    pub(crate) phone_key: Option<PhoneKey>,
    pub(crate) headers: FurtherHeaders,
    pub(crate) queries: bool,
}

/// How calls are signed, with what it takes.
pub(crate) enum Signing {
    None,
    Platform(Algorithm),
    Secret(Box<MerchantKey>),
}

impl MemberHttpConfig {
    /// Reads it.
    pub(crate) fn check(self, addresses: &AddressPolicy) -> Result<Account, ConfigError> {
        let url = MerchantUrl::parse(&self.url, addresses).map_err(|refused| wrong("url", refused.to_string()))?;
        let signing = match self.sign {
            CallSigning::None => Signing::None,
            CallSigning::Platform => {
                let algorithm = self.algorithm.filter(|algorithm| !algorithm.is_shared());
                let reason = "is missing, or not one of the platform's own keys";
                Signing::Platform(algorithm.ok_or_else(|| wrong("algorithm", reason))?)
            }
            CallSigning::Secret => {
                let secret = self.secret.ok_or_else(|| wrong("secret", "is missing"))?;
                let reason = "must have 16 to 128 visible ASCII letters";
                Signing::Secret(Box::new(
                    MerchantKey::parse(secret).ok_or_else(|| wrong("secret", reason))?,
                ))
            }
        };
        let phone_key = self.phone_key.filter(|pem| !pem.trim().is_empty());
        let phone_key = phone_key
            .map(|pem| PhoneKey::parse(&pem).map_err(|refused| wrong("phone_key", refused.to_string())))
            .transpose()?;
        let headers = FurtherHeaders::new(self.headers.iter().map(String::as_str));
        Ok(Account {
            url,
            signing,
            phone_key,
            headers: headers.map_err(|refused| wrong("headers", refused.to_string()))?,
            queries: self.queries,
        })
    }
}

fn wrong(field: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason: reason.into(),
    }
}
