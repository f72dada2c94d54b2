//! An account's configuration, as the console asks for it and as it is checked.
//!
//! UnionPay reference, 1.4, 3.2 and 10.

use std::time::Duration;

use chrono::NaiveTime;
use metropay_core::channel::ConfigError;
use metropay_core::limit::SEND_LEASE;
use metropay_core::secret::{Secret, optional};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::certificate::Trust;
use crate::form::read_domain;
use crate::sign::Signing;

/// 银联商户参数。
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "银联云闪付",
    description = "银联全渠道 5.1.0 无跳转支付(token 版)的商户参数。"
)]
pub struct UnionpayConfig {
    /// Merchant number, 15 letters or digits.
    #[schemars(title = "商户号", description = "银联分配的 15 位商户号(merId)。")]
    pub mer_id: String,

    /// `0` for a merchant of its own, `2` for a platform's merchant.
    #[serde(default = "access_type")]
    #[schemars(
        title = "接入类型",
        description = "0:普通商户直连;2:平台商户,须同时填写三项二级商户信息。"
    )]
    pub access_type: String,

    /// Second-level merchant number, for access type 2.
    #[serde(default)]
    #[schemars(title = "二级商户代码", description = "接入类型为 2 时必填,5 至 15 位字母或数字。")]
    pub sub_mer_id: Option<String>,

    /// Second-level merchant's name.
    #[serde(default)]
    #[schemars(title = "二级商户名称", description = "接入类型为 2 时必填,最长 40 字节。")]
    pub sub_mer_name: Option<String>,

    /// Second-level merchant's short name.
    #[serde(default)]
    #[schemars(title = "二级商户简称", description = "接入类型为 2 时必填,最长 16 字节。")]
    pub sub_mer_abbr: Option<String>,

    /// How messages are signed.
    #[serde(default)]
    #[schemars(
        title = "签名方式",
        description = "01:RSA 证书(默认);11:银联分配的对称密钥(SHA-256)。"
    )]
    pub sign_method: SignMethod,

    /// Certificate of the signing key, PEM; further certificates in it are ignored.
    #[serde(default)]
    #[schemars(title = "签名证书", description = "签名方式 01 时必填。商户签名证书的 PEM 文本。")]
    pub sign_cert_pem: String,

    /// Signing key, PEM (PKCS#8 or PKCS#1, not encrypted).
    #[serde(default, deserialize_with = "optional")]
    #[schemars(
        title = "签名私钥",
        description = "签名方式 01 时必填。与签名证书对应的私钥 PEM 文本(PKCS#8 或 PKCS#1,不带口令)。"
    )]
    pub sign_key_pem: Option<Secret>,

    /// Root certificates, PEM, one after another.
    #[serde(default)]
    #[schemars(title = "银联根证书", description = "签名方式 01 时必填。PEM 文本,可依次放多张。")]
    pub root_certs_pem: String,

    /// Middle certificates, PEM, one after another.
    #[serde(default)]
    #[schemars(title = "银联中级证书", description = "签名方式 01 时必填。PEM 文本,可依次放多张。")]
    pub middle_certs_pem: String,

    /// Shared secret of signing method 11.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(title = "对称密钥", description = "签名方式 11 时必填,即银联分配的 secureKey。")]
    pub secure_key: Option<Secret>,

    /// Whether gateway certificates must bear UnionPay's name. Off only in UnionPay's test environment.
    #[serde(default = "yes")]
    #[schemars(
        title = "校验证书名称",
        description = "验签证书的名称须为“中国银联股份有限公司”。仅在银联测试环境关闭。"
    )]
    pub check_cn: bool,

    /// The number under which tokens are requested.
    #[schemars(title = "标记请求者号", description = "银联分配的 trId。")]
    pub tr_id: String,

    /// The gateway's address, without path.
    #[serde(default = "base_url")]
    #[schemars(title = "网关地址", description = "生产环境为 https://gateway.95516.com。")]
    pub base_url: String,

    /// Where reconciliation files are fetched, a whole address.
    #[serde(default = "file_url")]
    #[schemars(title = "对账文件地址", description = "默认 https://filedownload.95516.com/。")]
    pub file_url: String,

    /// Whether UnionPay's own payment codes are taken.
    #[serde(default)]
    #[schemars(
        title = "收付款码",
        description = "收银台扫到云闪付付款码时由银联扣款。须开通付款码(C2B)业务,并填写终端号。"
    )]
    pub payment_code: bool,

    /// The terminal's number, for payment codes.
    #[serde(default)]
    #[schemars(title = "终端号", description = "收付款码时必填,8 位字母或数字(termId)。")]
    pub term_id: String,

    /// Further data of the terminal, for payment codes, in braces as the wire has it.
    #[serde(default)]
    #[schemars(title = "终端信息", description = "可不填,形如 {k=v&k=v}(termInfo)。")]
    pub term_info: Option<String>,

    /// `bizType` of undo and refund.
    #[serde(default = "biz_type_back")]
    #[schemars(
        title = "撤销与退货的业务类型",
        description = "默认 000301;银联另有要求时改为 000902。"
    )]
    pub biz_type_back: String,

    /// When UnionPay's clearing day ends, China time, `HH:MM`.
    #[serde(default = "clearing_cut")]
    #[schemars(
        title = "清算日切时间",
        description = "北京时间,时:分。当日之内撤销,之后改为退货。生产环境为 23:00。"
    )]
    pub clearing_cut: String,

    /// How long a consume may take, in milliseconds.
    #[serde(default = "consume_timeout_ms")]
    #[schemars(title = "扣款超时", description = "毫秒,默认 10000。")]
    pub consume_timeout_ms: u32,

    /// How long an undo, refund or reversal may take, in milliseconds.
    #[serde(default = "back_timeout_ms")]
    #[schemars(title = "撤销、退货与冲正超时", description = "毫秒,默认 15000。")]
    pub back_timeout_ms: u32,

    /// How long a query may take, in milliseconds.
    #[serde(default = "query_timeout_ms")]
    #[schemars(title = "查询超时", description = "毫秒,默认 5000。")]
    pub query_timeout_ms: u32,

    /// How long fetching a file may take, in milliseconds.
    #[serde(default = "file_timeout_ms")]
    #[schemars(title = "对账文件超时", description = "毫秒,默认 30000。")]
    pub file_timeout_ms: u32,
}

/// How messages are signed, both ways (UnionPay reference, 1.7 and 1.10).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SignMethod {
    /// RSA with certificates.
    #[default]
    #[serde(rename = "01")]
    Rsa,
    /// SHA-256 with a shared secret.
    #[serde(rename = "11")]
    Keyed,
}

fn access_type() -> String {
    "0".to_owned()
}

fn yes() -> bool {
    true
}

fn base_url() -> String {
    "https://gateway.95516.com".to_owned()
}

fn file_url() -> String {
    "https://filedownload.95516.com/".to_owned()
}

fn file_timeout_ms() -> u32 {
    30_000
}

fn biz_type_back() -> String {
    "000301".to_owned()
}

fn clearing_cut() -> String {
    "23:00".to_owned()
}

fn consume_timeout_ms() -> u32 {
    10_000
}

fn back_timeout_ms() -> u32 {
    15_000
}

fn query_timeout_ms() -> u32 {
    5_000
}

/// How long each kind of call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) consume: Duration,
    pub(crate) back: Duration,
    pub(crate) query: Duration,
    pub(crate) file: Duration,
}

/// The configuration, checked and parsed.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) mer_id: String,
    pub(crate) tr_id: String,
    /// `accessType` and, where it is 2, the second-level merchant: fields of every message.
    pub(crate) access: Vec<(&'static str, String)>,
    pub(crate) signing: Signing,
    pub(crate) base_url: String,
    pub(crate) file_url: String,
    pub(crate) payment_code: bool,
    pub(crate) term_id: String,
    pub(crate) term_info: Option<String>,
    pub(crate) biz_type_back: String,
    pub(crate) clearing_cut: NaiveTime,
    pub(crate) patience: Patience,
}

impl UnionpayConfig {
    /// Checks every field and parses the keys.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that is wrong; secrets are never quoted.
    pub(crate) fn check(self) -> Result<Account, ConfigError> {
        ensure(plain(&self.mer_id, 15..=15), "mer_id", "must be 15 letters or digits")?;
        ensure(plain(&self.tr_id, 1..=32), "tr_id", "must be letters or digits")?;
        ensure(
            self.biz_type_back.len() == 6 && self.biz_type_back.bytes().all(|byte| byte.is_ascii_digit()),
            "biz_type_back",
            "must be six digits",
        )?;
        let clearing_cut = NaiveTime::parse_from_str(&self.clearing_cut, "%H:%M")
            .map_err(|_| wrong("clearing_cut", "must be a time such as 23:00"))?;
        Ok(Account {
            access: self.access()?,
            signing: self.signing()?,
            base_url: address("base_url", &self.base_url)?
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
            patience: Patience {
                // The engine lets no one else send a payment within its lease: a call must have ended by then.
                consume: wait("consume_timeout_ms", self.consume_timeout_ms, SEND_LEASE)?,
                back: wait("back_timeout_ms", self.back_timeout_ms, Duration::from_secs(60))?,
                query: wait("query_timeout_ms", self.query_timeout_ms, Duration::from_secs(60))?,
                file: wait("file_timeout_ms", self.file_timeout_ms, Duration::from_secs(300))?,
            },
            file_url: address("file_url", &self.file_url)?.into(),
            payment_code: self.payment_code,
            term_info: self.term_info()?,
            term_id: self.term_id,
            clearing_cut,
            mer_id: self.mer_id,
            tr_id: self.tr_id,
            biz_type_back: self.biz_type_back,
        })
    }

    fn access(&self) -> Result<Vec<(&'static str, String)>, ConfigError> {
        let mut access = vec![("accessType", self.access_type.clone())];
        let sub = [
            ("sub_mer_id", "subMerId", &self.sub_mer_id, 5..=15),
            ("sub_mer_name", "subMerName", &self.sub_mer_name, 1..=40),
            ("sub_mer_abbr", "subMerAbbr", &self.sub_mer_abbr, 1..=16),
        ];
        match self.access_type.as_str() {
            "0" => {}
            "2" => {
                for (field, name, value, lengths) in sub {
                    let value = value
                        .clone()
                        .filter(|value| lengths.contains(&value.len()) && quiet(value));
                    let value = value.ok_or_else(|| {
                        wrong(
                            field,
                            "must be given for access type 2, within its length and without & = { } [ ] \" '",
                        )
                    })?;
                    access.push((name, value));
                }
            }
            _ => return Err(wrong("access_type", "must be 0 or 2")),
        }
        Ok(access)
    }

    fn signing(&self) -> Result<Signing, ConfigError> {
        match self.sign_method {
            SignMethod::Rsa => {
                ensure(!self.sign_cert_pem.trim().is_empty(), "sign_cert_pem", "is missing")?;
                let key = self
                    .sign_key_pem
                    .as_ref()
                    .ok_or_else(|| wrong("sign_key_pem", "is missing"))?;
                let trust = Trust::new(&self.root_certs_pem, &self.middle_certs_pem, self.check_cn)?;
                Signing::rsa(&self.sign_cert_pem, key, trust)
            }
            SignMethod::Keyed => {
                let key = self
                    .secure_key
                    .as_ref()
                    .ok_or_else(|| wrong("secure_key", "is missing"))?;
                Ok(Signing::keyed(key))
            }
        }
    }

    /// What payment codes need beside the digits (UnionPay reference, 4.1).
    fn term_info(&self) -> Result<Option<String>, ConfigError> {
        if self.payment_code {
            ensure(
                plain(&self.term_id, 8..=8),
                "term_id",
                "must be 8 letters or digits for payment codes",
            )?;
        }
        let info = self.term_info.clone().filter(|info| !info.is_empty());
        if let Some(info) = &info {
            ensure(
                read_domain(info).is_some(),
                "term_info",
                "must be pairs in braces: {k=v&k=v}",
            )?;
        }
        Ok(info)
    }
}

fn address(field: &str, text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|_| wrong(field, "is no address"))?;
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    ensure(
        matches!(url.scheme(), "https" | "http") && url.has_host() && bare,
        field,
        "must be an http(s) address without user, query and fragment",
    )?;
    Ok(url)
}

/// Letters and digits only, so many of them.
pub(crate) fn plain(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Without the letters that the grammar of messages uses itself (UnionPay reference, 10).
fn quiet(text: &str) -> bool {
    !text
        .chars()
        .any(|letter| letter.is_control() || "&={}[]\"'".contains(letter))
}

fn wait(field: &str, ms: u32, below: Duration) -> Result<Duration, ConfigError> {
    let wait = Duration::from_millis(u64::from(ms));
    if wait >= Duration::from_millis(100) && wait < below {
        Ok(wait)
    } else {
        Err(ConfigError {
            field: field.to_owned(),
            reason: format!("must lie between 100 and {} ms", below.as_millis()),
        })
    }
}

fn ensure(fine: bool, field: &str, reason: &str) -> Result<(), ConfigError> {
    if fine { Ok(()) } else { Err(wrong(field, reason)) }
}

fn wrong(field: &str, reason: &str) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}
