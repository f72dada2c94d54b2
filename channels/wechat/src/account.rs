//! An account whose configuration was checked (wechat reference, 1.2 and 12).

use std::net::Ipv4Addr;
use std::time::Duration;

use metropay_core::channel::ConfigError;
use metropay_core::secret::Secret;
use url::Url;

use crate::config::{Api, Mode, SignEntry, UserInfo, WechatConfig};
use crate::sign::{Keys, SignType};
use crate::v3::Credentials;

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
    pub(crate) reverse_after: Duration,
    pub(crate) code_pay_timeout: Duration,
    pub(crate) bill_timeout: Duration,
    pub(crate) payment_code: bool,
    pub(crate) payment_code_api: Api,
    pub(crate) refund_api: Api,
    pub(crate) v3: Option<Credentials>,
    pub(crate) user_info: Option<UserInfoApp>,
}

/// The App that asks users who they are.
#[derive(Debug)]
pub(crate) struct UserInfoApp {
    pub(crate) appid: String,
    pub(crate) secret: Secret,
    pub(crate) kind: UserInfo,
    pub(crate) page_url: String,
    pub(crate) api_url: String,
}

impl WechatConfig {
    /// Checks everything that can be checked without asking the channel.
    pub(crate) fn check(self) -> Result<Account, ConfigError> {
        let v3 = Credentials::of(&self)?;
        if v3.is_none() && self.payment_code_api == Api::V3 {
            return wrong("payment_code_api", "v3 needs api_v3_key");
        }
        if v3.is_none() && self.refund_api == Api::V3 {
            return wrong("refund_api", "v3 needs api_v3_key");
        }
        let user_info = user_info(&self)?;
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
            reverse_after: seconds("reverse_after_s", self.reverse_after_s, 600)?,
            code_pay_timeout: seconds("code_pay_timeout_s", self.code_pay_timeout_s, 60)?,
            bill_timeout: seconds("bill_timeout_s", self.bill_timeout_s, 3_600)?,
            payment_code: self.payment_code,
            payment_code_api: self.payment_code_api,
            refund_api: self.refund_api,
            v3,
            user_info,
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
pub(crate) fn given(text: Option<String>) -> Option<String> {
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

pub(crate) fn key(field: &str, key: &Secret) -> Result<(), ConfigError> {
    let fits = key.expose().len() == 32 && key.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(())
    } else {
        wrong(field, "must be 32 characters")
    }
}

fn user_info(config: &WechatConfig) -> Result<Option<UserInfoApp>, ConfigError> {
    let appid = given(config.user_info_appid.clone());
    let Some(secret) = config.app_secret.clone() else {
        return match appid {
            Some(_) => wrong("app_secret", "is needed with user_info_appid"),
            None => Ok(None),
        };
    };
    if secret.expose().is_empty() || !secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return wrong("app_secret", "must be letters and digits");
    }
    let appid = appid.unwrap_or_else(|| config.appid.clone());
    app("user_info_appid", &appid)?;
    let root = |field: &str, text: &str| match address(field, text)?.query() {
        Some(_) => wrong(field, "must have no query"),
        None => Ok(text.trim_end_matches('/').to_owned()),
    };
    Ok(Some(UserInfoApp {
        appid,
        secret,
        kind: config.user_info,
        page_url: root("oauth_page_url", &config.oauth_page_url)?,
        api_url: root("oauth_api_url", &config.oauth_api_url)?,
    }))
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
