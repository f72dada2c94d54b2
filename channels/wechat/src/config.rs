//! The configuration of an account with WeChat Pay, and what it is once it was checked (wechat reference, 1.2 and 12).

use std::net::Ipv4Addr;
use std::time::Duration;

use metropay_core::channel::ConfigError;
use metropay_core::secret::{Secret, optional};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::sign::{Keys, SignType};

/// Whose merchant number acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The merchant's own (普通商户).
    Direct,
    /// A service provider's, for a shop (服务商).
    Provider,
}

/// How users get to the signing page (wechat reference, 3.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignEntry {
    /// From an App, by its SDK.
    #[default]
    PreEntrustWeb,
    /// From a browser outside WeChat.
    H5EntrustWeb,
    /// From a page inside WeChat.
    EntrustWeb,
}

/// The configuration of an account, as operators enter it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "微信支付（委托代扣）", description = "微信支付 APIv2 委托代扣账户参数")]
pub struct WechatConfig {
    /// Direct merchant or service provider.
    #[schemars(title = "接入模式", description = "direct：普通商户；provider：服务商")]
    pub mode: Mode,
    /// The App's id, bound to `mch_id`.
    #[schemars(title = "APPID", description = "与商户号绑定的 APPID，以 wx 开头")]
    pub appid: String,
    /// The merchant number: the shop's own, or the service provider's.
    #[schemars(title = "商户号", description = "普通商户号；服务商模式下为服务商商户号")]
    pub mch_id: String,
    /// The shop's App id, in provider mode.
    #[serde(default)]
    #[schemars(title = "子商户 APPID", description = "仅服务商模式，可不填")]
    pub sub_appid: Option<String>,
    /// The shop's merchant number, in provider mode.
    #[serde(default)]
    #[schemars(title = "子商户号", description = "服务商模式必填")]
    pub sub_mch_id: Option<String>,
    /// The APIv2 key of `mch_id`.
    #[schemars(title = "APIv2 密钥", description = "32 位；服务商模式下为服务商的密钥")]
    pub api_key: Secret,
    /// The APIv2 key before, accepted in signatures of the channel while old and new overlap.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(title = "旧 APIv2 密钥", description = "更换密钥后的过渡期内用于验签，可不填")]
    pub old_api_key: Option<Secret>,
    /// How requests are signed where the call leaves the choice.
    #[serde(default)]
    #[schemars(title = "签名方式", description = "MD5 或 HMAC-SHA256，默认 HMAC-SHA256")]
    pub sign_type: SignType,
    /// The deduction plan.
    #[schemars(title = "模板 ID", description = "委托代扣模板（plan_id），数字")]
    pub plan_id: String,
    /// How users get to the signing page.
    #[serde(default)]
    #[schemars(
        title = "签约入口",
        description = "preentrustweb：App 纯签约；h5entrustweb：浏览器 H5 纯签约；entrustweb：微信内网页纯签约"
    )]
    pub sign_entry: SignEntry,
    /// The merchant's API certificate, PEM. Refunds over https demand it.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(title = "商户 API 证书", description = "apiclient_cert.pem 的内容，退款时使用")]
    pub client_cert_pem: Option<Secret>,
    /// The key of that certificate, PEM.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(title = "商户 API 私钥", description = "apiclient_key.pem 的内容，退款时使用")]
    pub client_key_pem: Option<Secret>,
    /// Where the gateway is.
    #[serde(default = "base_url")]
    #[schemars(title = "网关地址", description = "默认 https://api.mch.weixin.qq.com")]
    pub base_url: String,
    /// Where a browser opens a pre-signed contract: `?id=` and the pre-signing id are added.
    #[serde(default)]
    #[schemars(
        title = "签约落地页",
        description = "浏览器打开预签约的页面地址，App 内由 SDK 打开时可不填"
    )]
    pub signing_page_url: Option<String>,
    /// The server's public address, as deductions tell it.
    #[serde(default = "spbill_create_ip")]
    #[schemars(title = "服务器出口 IP", description = "IPv4，随扣款请求上送")]
    pub spbill_create_ip: String,
    /// From when on an order that hangs may be closed; the channel refuses it in the first five minutes.
    #[serde(default = "close_after_s")]
    #[schemars(title = "关单等待（秒）", description = "下单后多久才允许关单，微信要求至少 300 秒")]
    pub close_after_s: u64,
    /// How long a deduction may take.
    #[serde(default = "deduct_timeout_s")]
    #[schemars(title = "扣款超时（秒）")]
    pub deduct_timeout_s: u64,
    /// How long a refund may take.
    #[serde(default = "refund_timeout_s")]
    #[schemars(title = "退款超时（秒）")]
    pub refund_timeout_s: u64,
    /// How long queries, closing and contract calls may take.
    #[serde(default = "query_timeout_s")]
    #[schemars(title = "查询超时（秒）", description = "查询、关单与签约类接口")]
    pub query_timeout_s: u64,
}

fn base_url() -> String {
    "https://api.mch.weixin.qq.com".to_owned()
}

fn spbill_create_ip() -> String {
    "127.0.0.1".to_owned()
}

fn close_after_s() -> u64 {
    300
}

fn deduct_timeout_s() -> u64 {
    6
}

fn refund_timeout_s() -> u64 {
    15
}

fn query_timeout_s() -> u64 {
    5
}

/// A configuration that was checked.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) mode: Mode,
    pub(crate) appid: String,
    pub(crate) mch_id: String,
    pub(crate) sub_appid: Option<String>,
    pub(crate) sub_mch_id: Option<String>,
    pub(crate) keys: Keys,
    pub(crate) sign_type: SignType,
    pub(crate) plan_id: String,
    pub(crate) sign_entry: SignEntry,
    pub(crate) identity_pem: Option<Secret>,
    pub(crate) base_url: String,
    pub(crate) signing_page: Option<Url>,
    pub(crate) spbill_create_ip: String,
    pub(crate) close_after: Duration,
    pub(crate) deduct_timeout: Duration,
    pub(crate) refund_timeout: Duration,
    pub(crate) query_timeout: Duration,
}

impl WechatConfig {
    /// Checks everything that can be checked without asking the channel.
    pub(crate) fn check(self) -> Result<Account, ConfigError> {
        digits("mch_id", &self.mch_id, 32)?;
        digits("plan_id", &self.plan_id, 28)?;
        app("appid", &self.appid)?;
        let (sub_appid, sub_mch_id) = shop(self.mode, given(self.sub_appid), given(self.sub_mch_id))?;
        key("api_key", &self.api_key)?;
        self.old_api_key
            .as_ref()
            .map_or(Ok(()), |old| key("old_api_key", old))?;
        let base = address("base_url", &self.base_url)?;
        let identity_pem = identity(&base, self.client_cert_pem, self.client_key_pem)?;
        if base.query().is_some() {
            return wrong("base_url", "must have no query");
        }
        let signing_page = given(self.signing_page_url)
            .map(|page| address("signing_page_url", &page))
            .transpose()?;
        if self.spbill_create_ip.parse::<Ipv4Addr>().is_err() {
            return wrong("spbill_create_ip", "must be an IPv4 address");
        }
        Ok(Account {
            mode: self.mode,
            appid: self.appid,
            mch_id: self.mch_id,
            sub_appid,
            sub_mch_id,
            keys: Keys {
                present: self.api_key,
                before: self.old_api_key,
            },
            sign_type: self.sign_type,
            plan_id: self.plan_id,
            sign_entry: self.sign_entry,
            identity_pem,
            base_url: self.base_url.trim_end_matches('/').to_owned(),
            signing_page,
            spbill_create_ip: self.spbill_create_ip,
            close_after: seconds("close_after_s", self.close_after_s, 86_400)?,
            deduct_timeout: seconds("deduct_timeout_s", self.deduct_timeout_s, 60)?,
            refund_timeout: seconds("refund_timeout_s", self.refund_timeout_s, 60)?,
            query_timeout: seconds("query_timeout_s", self.query_timeout_s, 60)?,
        })
    }
}

pub(crate) fn wrong<T>(field: &str, reason: &str) -> Result<T, ConfigError> {
    Err(ConfigError {
        field: field.to_owned(),
        reason: reason.to_owned(),
    })
}

/// A text that a form left empty was not given.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn digits(field: &str, text: &str, length_max: usize) -> Result<(), ConfigError> {
    let fits = (1..=length_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits {
        Ok(())
    } else {
        wrong(field, &format!("must be 1 to {length_max} digits"))
    }
}

fn app(field: &str, text: &str) -> Result<(), ConfigError> {
    let fits = text.starts_with("wx") && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        Ok(())
    } else {
        wrong(field, "must be an App id such as wxd930ea5d5a258f4f")
    }
}

fn key(field: &str, key: &Secret) -> Result<(), ConfigError> {
    let fits = key.expose().len() == 32 && key.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(())
    } else {
        wrong(field, "must be 32 characters")
    }
}

fn shop(
    mode: Mode,
    sub_appid: Option<String>,
    sub_mch_id: Option<String>,
) -> Result<(Option<String>, Option<String>), ConfigError> {
    match (mode, &sub_appid, &sub_mch_id) {
        (Mode::Provider, _, None) => return wrong("sub_mch_id", "is needed in provider mode"),
        (Mode::Direct, _, Some(_)) => return wrong("sub_mch_id", "belongs to provider mode only"),
        (Mode::Direct, Some(_), None) => return wrong("sub_appid", "belongs to provider mode only"),
        _ => {}
    }
    sub_appid.as_deref().map_or(Ok(()), |id| app("sub_appid", id))?;
    sub_mch_id
        .as_deref()
        .map_or(Ok(()), |id| digits("sub_mch_id", id, 32))?;
    Ok((sub_appid, sub_mch_id))
}

fn address(field: &str, text: &str) -> Result<Url, ConfigError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.fragment().is_none() => Ok(url),
        _ => wrong(field, "must be an http or https address"),
    }
}

/// The certificate and its key as one PEM. Over https refunds and reversals are impossible without it, so it is demanded.
fn identity(base: &Url, cert: Option<Secret>, key: Option<Secret>) -> Result<Option<Secret>, ConfigError> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(Secret::from(format!("{}\n{}", cert.expose(), key.expose())))),
        (Some(_), None) => wrong("client_key_pem", "is needed with the certificate"),
        (None, Some(_)) => wrong("client_cert_pem", "is needed with the key"),
        (None, None) if base.scheme() == "https" => wrong("client_cert_pem", "is needed: refunds over https demand it"),
        (None, None) => Ok(None),
    }
}

fn seconds(field: &str, seconds: u64, max: u64) -> Result<Duration, ConfigError> {
    if (1..=max).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        wrong(field, &format!("must lie between 1 and {max} seconds"))
    }
}

/// The address at which the channel notifies us (wechat reference, 9.1).
pub(crate) fn check_notify_url(notify_url: &str) -> Result<(), ConfigError> {
    let url = address("notify_url", notify_url)?;
    if url.query().is_some() || url.path().len() < 2 || notify_url.len() > 256 {
        return wrong("notify_url", "must have a path, no query, and at most 256 characters");
    }
    Ok(())
}
