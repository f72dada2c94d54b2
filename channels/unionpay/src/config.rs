//! An account's configuration, as the console asks for it; `account` checks it.
//!
//! UnionPay reference, 1.4, 3.2, 4.1, 6.1 and 10.

use metropay_core::secret::{Secret, optional};
use schemars::JsonSchema;
use serde::Deserialize;

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
        description = "01:RSA 证书(默认);11:银联分配的对称密钥(SHA-256);12:银联分配的对称密钥(SM3)。"
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

    /// The PFX file with certificate and key, Base64; instead of `sign_cert_pem` and `sign_key_pem`.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(
        title = "签名证书 PFX",
        description = "可代替上面两项:银联下发的 PFX 文件的 Base64 文本。"
    )]
    pub sign_pfx: Option<Secret>,

    /// The PFX file's password.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(title = "PFX 口令", description = "填写签名证书 PFX 时必填。")]
    pub sign_pfx_password: Option<Secret>,

    /// Root certificates, PEM, one after another.
    #[serde(default)]
    #[schemars(title = "银联根证书", description = "签名方式 01 时必填。PEM 文本,可依次放多张。")]
    pub root_certs_pem: String,

    /// Middle certificates, PEM, one after another.
    #[serde(default)]
    #[schemars(title = "银联中级证书", description = "签名方式 01 时必填。PEM 文本,可依次放多张。")]
    pub middle_certs_pem: String,

    /// UnionPay's certificate for sensitive data, PEM. Without it, or once it has expired, it is fetched.
    #[serde(default)]
    #[schemars(
        title = "敏感信息加密证书",
        description = "可不填,用到时自动向银联获取并按上面的证书链校验。PEM 文本。"
    )]
    pub encrypt_cert_pem: String,

    /// Shared secret of signing methods 11 and 12.
    #[serde(default, deserialize_with = "optional")]
    #[schemars(title = "对称密钥", description = "签名方式 11、12 时必填,即银联分配的 secureKey。")]
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

    /// Where reconciliation files are fetched, without the last slash.
    #[serde(default)]
    #[schemars(
        title = "对账文件地址",
        description = "可不填:银联生产与测试环境各用其文件下载地址,其他网关地址之后接 /filedownload。"
    )]
    pub file_url: Option<String>,

    /// `bizType` of undo and refund of token payments.
    #[serde(default = "biz_type_back")]
    #[schemars(
        title = "撤销与退货的业务类型",
        description = "默认 000301;银联另有要求时改为 000902。"
    )]
    pub biz_type_back: String,

    /// Whether tills may scan UnionPay's own payment codes.
    #[serde(default)]
    #[schemars(
        title = "受理银联付款码",
        description = "商户已开通银联二维码被扫(C2B)时打开,并填写终端号。"
    )]
    pub payment_code: bool,

    /// Terminal number of payments by code, eight letters or digits.
    #[serde(default)]
    #[schemars(title = "终端号", description = "受理付款码时必填,8 位字母或数字(termId)。")]
    pub term_id: Option<String>,

    /// Terminal information of payments by code: `name=value` pairs joined by `&`, without braces.
    #[serde(default)]
    #[schemars(
        title = "终端信息",
        description = "受理付款码时按收单机构要求填写(termInfo),形如 名=值&名=值,不带花括号。"
    )]
    pub term_info: Option<String>,

    /// `bizType` of undo and refund of payments by code.
    #[serde(default = "biz_type_code_back")]
    #[schemars(title = "付款码交易撤销与退货的业务类型", description = "默认 000000。")]
    pub biz_type_code_back: String,

    /// Whether a reconciliation file must agree with the summary that comes with it.
    #[serde(default = "yes")]
    #[schemars(
        title = "核对文件汇总",
        description = "对账文件附有汇总文件时,明细合计须与之相符。仅在银联改变汇总文件格式时暂时关闭。"
    )]
    pub check_bill_totals: bool,

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

    /// How long the fetching of a reconciliation file may take, in milliseconds.
    #[serde(default = "file_timeout_ms")]
    #[schemars(title = "对账文件超时", description = "毫秒,默认 60000。")]
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
    /// SM3 with a shared secret.
    #[serde(rename = "12")]
    KeyedSm3,
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

fn biz_type_back() -> String {
    "000301".to_owned()
}

fn biz_type_code_back() -> String {
    "000000".to_owned()
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

fn file_timeout_ms() -> u32 {
    60_000
}
