//! The configuration of an account with WeChat Pay, as operators enter it (wechat reference, 1.2 and 12).

use metropay_core::secret::{Secret, optional};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sign::SignType;

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

/// Which version of the channel's interface a product speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// XML, signed with the APIv2 key.
    #[default]
    V2,
    /// JSON, signed with certificates. Needs the APIv3 credentials.
    V3,
}

/// Where the one-time code of a user comes from (wechat reference, 7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserInfo {
    /// From a page inside WeChat, silently: his id only.
    #[default]
    Base,
    /// From a page inside WeChat on which he agrees to tell his name as well.
    Profile,
    /// From the mobile App's SDK.
    App,
    /// From a mini program.
    Miniprogram,
}

/// The configuration of an account, as operators enter it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "微信支付",
    description = "微信支付账户参数：委托代扣、付款码支付、退款、账单与用户信息"
)]
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
    #[schemars(
        title = "商户 API 证书",
        description = "apiclient_cert.pem 的内容，退款、撤销与 APIv3 使用"
    )]
    pub client_cert_pem: Option<Secret>,
    /// The key of that certificate, PEM.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(
        title = "商户 API 私钥",
        description = "apiclient_key.pem 的内容，退款、撤销与 APIv3 使用"
    )]
    pub client_key_pem: Option<Secret>,
    /// The APIv3 key. With it, certificate and private key, the account speaks APIv3 where that is chosen, and bills come
    /// over APIv3.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(
        title = "APIv3 密钥",
        description = "32 位；填写后账单走 APIv3，需同时填写商户 API 证书与私钥"
    )]
    pub api_v3_key: Option<Secret>,
    /// The id of the WeChat Pay public key, where the account works with that instead of platform certificates.
    #[serde(default)]
    #[schemars(
        title = "微信支付公钥 ID",
        description = "以 PUB_KEY_ID_ 开头；使用平台证书模式时不填"
    )]
    pub public_key_id: Option<String>,
    /// The WeChat Pay public key, PEM.
    #[serde(default)]
    #[schemars(title = "微信支付公钥", description = "pub_key.pem 的内容，与公钥 ID 同时填写")]
    pub public_key_pem: Option<String>,
    /// Whether payments by the user's own WeChat payment code are taken.
    #[serde(default)]
    #[schemars(title = "付款码支付", description = "是否受理用户微信付款码")]
    pub payment_code: bool,
    /// By which interface payment codes are paid.
    #[serde(default)]
    #[schemars(
        title = "付款码接口版本",
        description = "v2：micropay（默认）；v3：codepay，需微信开通"
    )]
    pub payment_code_api: Api,
    /// By which interface refunds are made. A refund must be repeated over the one by which it was first asked for: change
    /// it only when no refund is under way.
    #[serde(default)]
    #[schemars(title = "退款接口版本", description = "v2（默认）或 v3；请在没有处理中的退款时切换")]
    pub refund_api: Api,
    /// The secret of the App that asks users who they are.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(title = "用户信息 AppSecret", description = "填写后可通过微信授权获取用户 openid")]
    pub app_secret: Option<Secret>,
    /// The App that asks users who they are, where it is another than `appid`.
    #[serde(default)]
    #[schemars(
        title = "用户信息 APPID",
        description = "网页授权、移动应用或小程序的 APPID，默认同 APPID"
    )]
    pub user_info_appid: Option<String>,
    /// Where the one-time code of a user comes from.
    #[serde(default)]
    #[schemars(
        title = "用户信息来源",
        description = "base：网页静默授权；profile：网页授权并获取昵称；app：移动应用；miniprogram：小程序"
    )]
    pub user_info: UserInfo,
    /// Where users agree.
    #[serde(default = "oauth_page_url")]
    #[schemars(title = "授权页地址", description = "默认 https://open.weixin.qq.com")]
    pub oauth_page_url: String,
    /// Where one-time codes are changed for ids.
    #[serde(default = "oauth_api_url")]
    #[schemars(title = "授权接口地址", description = "默认 https://api.weixin.qq.com")]
    pub oauth_api_url: String,
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
    /// From when on an order that was paid by code may be reversed; the channel wants fifteen seconds.
    #[serde(default = "reverse_after_s")]
    #[schemars(
        title = "撤销等待（秒）",
        description = "付款码支付后多久才允许撤销，微信要求至少 15 秒"
    )]
    pub reverse_after_s: u64,
    /// How long a payment by code may take.
    #[serde(default = "code_pay_timeout_s")]
    #[schemars(title = "付款码支付超时（秒）", description = "微信可能依次尝试多张卡，建议 30 秒")]
    pub code_pay_timeout_s: u64,
    /// How long the download of a bill may take.
    #[serde(default = "bill_timeout_s")]
    #[schemars(title = "账单下载超时（秒）")]
    pub bill_timeout_s: u64,
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

fn oauth_page_url() -> String {
    "https://open.weixin.qq.com".to_owned()
}

fn oauth_api_url() -> String {
    "https://api.weixin.qq.com".to_owned()
}

fn reverse_after_s() -> u64 {
    15
}

fn code_pay_timeout_s() -> u64 {
    30
}

fn bill_timeout_s() -> u64 {
    60
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
