//! An account's configuration, as an operator fills it in.

use std::time::Duration;

use metropay_core::channel::ConfigError;
use metropay_core::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// One app of a merchant at Alipay, in public-key mode (alipay reference, 1 and 3).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "支付宝")]
pub struct AlipayConfig {
    /// The calling app.
    #[schemars(title = "应用 AppID", description = "支付宝开放平台的应用编号，通常 16 位数字。")]
    pub app_id: String,
    /// The merchant's PID. Notices about another one are refused.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(
        title = "商户 PID",
        description = "2088 开头的 16 位数字。填写后，收款方不是它的通知会被拒绝。"
    )]
    pub seller_id: Option<String>,
    /// Signs our requests.
    #[schemars(
        title = "应用私钥",
        description = "RSA2（至少 2048 位），PKCS#8 或 PKCS#1，PEM 或去掉首尾行的 Base64 均可。"
    )]
    pub app_private_key: Secret,
    /// Verifies answers and notices. Not the application public key.
    #[schemars(
        title = "支付宝公钥",
        description = "在开放平台上传应用公钥之后，由支付宝给出的“支付宝公钥”。不是“应用公钥”。"
    )]
    pub alipay_public_key: String,
    /// Where calls go.
    #[serde(default = "production")]
    #[schemars(title = "网关地址", description = "默认为支付宝正式环境。")]
    pub gateway_url: String,
    /// The sales product of deductions.
    #[serde(default = "product_code")]
    #[schemars(title = "销售产品码", description = "product_code，商户代扣为 GENERAL_WITHHOLDING。")]
    pub product_code: String,
    /// The product of the user's agreement.
    #[serde(default = "personal_product_code")]
    #[schemars(
        title = "个人签约产品码",
        description = "personal_product_code，商户代扣为 GENERAL_WITHHOLDING_P。"
    )]
    pub personal_product_code: String,
    /// The scene of the agreement.
    #[schemars(
        title = "签约场景",
        description = "sign_scene，由支付宝在开通产品时分配，形如 INDUSTRY|METRO。"
    )]
    pub sign_scene: String,
    /// How the user gets to the signing page.
    #[serde(default)]
    #[schemars(
        title = "签约方式",
        description = "ALIPAYAPP：从 App 跳转到支付宝签约；QRCODE：打开或扫描签约网页；QRCODEORSMS：网页签约，可改用短信。"
    )]
    pub sign_channel: SignChannel,
    /// How long a deduction may take, in milliseconds.
    #[serde(default = "pay_timeout_ms")]
    #[schemars(title = "扣款超时（毫秒）", range(min = 1000, max = 60000))]
    pub pay_timeout_ms: u32,
    /// How long a query may take, in milliseconds.
    #[serde(default = "query_timeout_ms")]
    #[schemars(title = "查询超时（毫秒）", range(min = 1000, max = 60000))]
    pub query_timeout_ms: u32,
    /// How long a refund, a cancellation or the end of an agreement may take, in milliseconds.
    #[serde(default = "refund_timeout_ms")]
    #[schemars(title = "退款、撤销与解约超时（毫秒）", range(min = 1000, max = 60000))]
    pub refund_timeout_ms: u32,
}

/// `access_params.channel` of the signing page (alipay reference, 3.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SignChannel {
    /// The App jumps to Alipay.
    #[serde(rename = "ALIPAYAPP")]
    AlipayApp,
    /// A page, opened in a browser or scanned.
    #[default]
    #[serde(rename = "QRCODE")]
    QrCode,
    /// A page that offers a short message too.
    #[serde(rename = "QRCODEORSMS")]
    QrCodeOrSms,
}

impl SignChannel {
    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AlipayApp => "ALIPAYAPP",
            Self::QrCode => "QRCODE",
            Self::QrCodeOrSms => "QRCODEORSMS",
        }
    }
}

/// A text that a form may leave empty.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn production() -> String {
    "https://openapi.alipay.com/gateway.do".to_owned()
}

fn product_code() -> String {
    "GENERAL_WITHHOLDING".to_owned()
}

fn personal_product_code() -> String {
    "GENERAL_WITHHOLDING_P".to_owned()
}

fn pay_timeout_ms() -> u32 {
    10_000
}

fn query_timeout_ms() -> u32 {
    5_000
}

fn refund_timeout_ms() -> u32 {
    15_000
}

impl AlipayConfig {
    /// Checks everything but the keys, which are checked where they are parsed.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first field that cannot work.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(&self.app_id) || self.app_id.len() > 32 {
            return Err(wrong("app_id", "must be the app's number, digits only (usually 16)"));
        }
        if let Some(pid) = &self.seller_id
            && (!digits(pid) || pid.len() != 16 || !pid.starts_with("2088"))
        {
            return Err(wrong(
                "seller_id",
                "must be the merchant's PID: 16 digits beginning with 2088",
            ));
        }
        check_gateway(&self.gateway_url)?;
        for (field, code) in [
            ("product_code", &self.product_code),
            ("personal_product_code", &self.personal_product_code),
        ] {
            if !is_code(code) {
                return Err(wrong(
                    field,
                    "must be a product code: capitals, digits and '_', at most 64",
                ));
            }
        }
        check_scene(&self.sign_scene)?;
        for (field, ms) in [
            ("pay_timeout_ms", self.pay_timeout_ms),
            ("query_timeout_ms", self.query_timeout_ms),
            ("refund_timeout_ms", self.refund_timeout_ms),
        ] {
            if !(1_000..=60_000).contains(&ms) {
                return Err(wrong(field, "must lie between 1000 and 60000 milliseconds"));
            }
        }
        Ok(())
    }

    /// The timeouts of calls.
    pub(crate) fn timeouts(&self) -> Timeouts {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        Timeouts {
            pay: ms(self.pay_timeout_ms),
            query: ms(self.query_timeout_ms),
            refund: ms(self.refund_timeout_ms),
        }
    }
}

/// What the account is signed up for: the configuration without its keys.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The calling app.
    pub(crate) app_id: String,
    /// The merchant's PID, where it was given.
    pub(crate) seller_id: Option<String>,
    /// The sales product of deductions.
    pub(crate) product_code: String,
    /// The product of the user's agreement.
    pub(crate) personal_product_code: String,
    /// The scene of the agreement.
    pub(crate) sign_scene: String,
    /// How the user gets to the signing page.
    pub(crate) sign_channel: SignChannel,
}

impl From<AlipayConfig> for Terms {
    fn from(config: AlipayConfig) -> Self {
        Self {
            app_id: config.app_id,
            seller_id: config.seller_id,
            product_code: config.product_code,
            personal_product_code: config.personal_product_code,
            sign_scene: config.sign_scene,
            sign_channel: config.sign_channel,
        }
    }
}

/// How long calls may take (alipay reference, 10).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// A deduction.
    pub(crate) pay: Duration,
    /// A query.
    pub(crate) query: Duration,
    /// Whatever undoes something.
    pub(crate) refund: Duration,
}

/// A mistake in this field.
pub(crate) fn wrong(field: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError {
        field: field.to_owned(),
        reason: reason.into(),
    }
}

fn is_code(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Any host is allowed: the simulator and a proxy of one's own are gateways too (alipay reference, 1.1).
fn check_gateway(text: &str) -> Result<(), ConfigError> {
    let url = url::Url::parse(text).map_err(|_| wrong("gateway_url", "is no address"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(wrong(
            "gateway_url",
            "must begin with https:// (or http://) and name a host",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "gateway_url",
            "must have neither '?' nor '#': the parameters are added to it",
        ));
    }
    Ok(())
}

/// We always send a contract number of our own, and then the scene must not be the default (alipay reference, 3.1).
fn check_scene(scene: &str) -> Result<(), ConfigError> {
    let parts: Vec<&str> = scene.split('|').collect();
    if scene.len() > 64 || parts.len() != 2 || !parts.iter().all(|part| is_code(part)) {
        return Err(wrong(
            "sign_scene",
            "must have the form X|Y, for example INDUSTRY|METRO",
        ));
    }
    if scene == "DEFAULT|DEFAULT" {
        return Err(wrong(
            "sign_scene",
            "must not be DEFAULT|DEFAULT: agreements with a number of our own need the scene that Alipay assigned",
        ));
    }
    Ok(())
}
