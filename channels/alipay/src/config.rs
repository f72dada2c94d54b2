//! An account's configuration, as an operator fills it in.

mod check;
mod terms;

use metropay_core::secret::{self, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

pub(crate) use check::wrong;
pub(crate) use terms::{Terms, Timeouts};

/// One app of a merchant at Alipay (alipay reference, 1 and 3). It works either with public keys or with certificates, as
/// the app does at the open platform: `alipay_public_key` is filled in, or the three certificates are.
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
    /// Verifies answers and notices in public-key mode. Not the application public key.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(
        title = "支付宝公钥（公钥模式）",
        description = "在开放平台上传应用公钥之后，由支付宝给出的“支付宝公钥”。不是“应用公钥”。证书模式下留空。"
    )]
    pub alipay_public_key: Option<String>,
    /// The certificate of the app's own key, in certificate mode.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(
        title = "应用公钥证书（证书模式）",
        description = "appCertPublicKey_<AppID>.crt 的内容（PEM）。"
    )]
    pub app_cert: Option<String>,
    /// Alipay's certificate, in certificate mode: leaf first, further certificates after it.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(
        title = "支付宝公钥证书（证书模式）",
        description = "alipayCertPublicKey_RSA2.crt 的内容（PEM）。支付宝更换证书后，新证书会自动下载并以根证书验证。"
    )]
    pub alipay_cert: Option<String>,
    /// The bundle of root certificates, in certificate mode.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(
        title = "支付宝根证书（证书模式）",
        description = "alipayRootCert.crt 的内容（PEM，含多个证书，原样粘贴）。"
    )]
    pub alipay_root_cert: Option<String>,
    /// The key of the content encryption, where the app has it switched on.
    #[serde(default, deserialize_with = "secret::optional")]
    #[schemars(
        title = "接口内容加密密钥",
        description = "AES 密钥，24 个 Base64 字符。仅在开放平台为该应用开启了接口内容加密时填写。"
    )]
    pub encrypt_key: Option<Secret>,
    /// The merchant's authorisation of a service provider's app.
    #[serde(default, deserialize_with = "secret::optional")]
    #[schemars(
        title = "应用授权令牌（服务商）",
        description = "app_auth_token。仅服务商代商户调用时填写，此时 AppID 与密钥为服务商应用的。"
    )]
    pub app_auth_token: Option<Secret>,
    /// The merchant's app that authorised the service provider's.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(
        title = "授权方 AppID（服务商）",
        description = "auth_app_id，授权商户的应用编号。填写应用授权令牌时必填，用于核对通知。"
    )]
    pub auth_app_id: Option<String>,
    /// The service provider's own PID, for rebates.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(
        title = "服务商 PID（服务商）",
        description = "sys_service_provider_id，2088 开头的 16 位数字，用于返佣。"
    )]
    pub service_provider_id: Option<String>,
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
    /// Whether the account may be paid by the payment code in the user's Alipay.
    #[serde(default)]
    #[schemars(
        title = "受理付款码",
        description = "商户已签约当面付，收银台可扫用户的支付宝付款码收款。"
    )]
    pub payment_code: bool,
    /// The sales product of payments by payment code.
    #[serde(default = "payment_code_product")]
    #[schemars(
        title = "付款码产品码",
        description = "product_code，当面付为 FACE_TO_FACE_PAYMENT。"
    )]
    pub payment_code_product: String,
    /// What the user is asked to let us know of him.
    #[serde(default)]
    #[schemars(
        title = "用户授权范围",
        description = "off：不使用；auth_base：静默获取用户标识；auth_user：另取昵称，需用户同意。"
    )]
    pub identity_scope: IdentityScope,
    /// The page on which he is asked.
    #[serde(default = "authorize_url")]
    #[schemars(title = "用户授权页地址", description = "默认为支付宝正式环境。")]
    pub authorize_url: String,
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

/// What a user is asked to let us know (alipay reference, 7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum IdentityScope {
    /// Nobody is asked.
    #[default]
    #[serde(rename = "off")]
    Off,
    /// Who he is.
    #[serde(rename = "auth_base")]
    Base,
    /// Who he is and what he calls himself.
    #[serde(rename = "auth_user")]
    User,
}

/// A text that a form may leave empty.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.trim().is_empty()))
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

fn payment_code_product() -> String {
    "FACE_TO_FACE_PAYMENT".to_owned()
}

fn authorize_url() -> String {
    "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm".to_owned()
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
