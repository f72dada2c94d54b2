//! Calls that did not succeed: their codes and what they say to people (alipay reference, section 8).

use super::answer::Node;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Four or five digits, see 1.5.
    pub(super) code: &'static str,
    /// The code that decides (section 8).
    pub(super) sub_code: String,
    /// For people.
    pub(super) sub_msg: String,
}

impl Failure {
    /// A business failure (40004) of a trade method, named without its prefix `ACQ.`.
    pub(super) fn acq(name: &str) -> Self {
        Self::business(&format!("ACQ.{name}"))
    }

    /// A business failure (40004) with this `sub_code`.
    pub(super) fn business(sub_code: &str) -> Self {
        Self {
            code: "40004",
            sub_code: sub_code.to_owned(),
            sub_msg: sub_msg(sub_code).to_owned(),
        }
    }

    /// A failure of the gateway itself; `code` follows from the `sub_code` (8.1).
    pub(super) fn gateway(sub_code: &str) -> Self {
        Self {
            code: gateway_code(sub_code),
            sub_code: sub_code.to_owned(),
            sub_msg: sub_msg(sub_code).to_owned(),
        }
    }

    /// The service failed inside: 20000.
    pub(super) fn system(sub_code: &str) -> Self {
        Self {
            code: "20000",
            ..Self::business(sub_code)
        }
    }

    /// The same failure with another text for people.
    pub(super) fn because(self, sub_msg: &str) -> Self {
        Self {
            sub_msg: sub_msg.to_owned(),
            ..self
        }
    }

    /// The node that tells of it.
    pub(super) fn node(&self) -> Node {
        Node::new(self.code)
            .text("sub_code", &self.sub_code)
            .text("sub_msg", &self.sub_msg)
    }
}

fn gateway_code(sub_code: &str) -> &'static str {
    let name = sub_code.rsplit('.').next().unwrap_or_default();
    match name {
        "missing-signature-config" | "invalid-auth-relations" => "40003",
        "bill_not_exist" => "40004",
        "missing-app-cert-sn" | "missing-alipay-root-cert-sn" | "missing-encypt-key" => "40002",
        _ if name.ends_with("call-limited") => "40005",
        _ if name.ends_with("permissions") || name == "self-invoke-forbidden" => "40006",
        _ if sub_code.starts_with("isp.") || name == "unknow-error" => "20000",
        _ if sub_code.starts_with("aop.") => "20001",
        _ if name.starts_with("missing-") || name.ends_with("missing-encrypt-type") => "40001",
        _ => "40002",
    }
}

fn sub_msg(sub_code: &str) -> &'static str {
    match sub_code.strip_prefix("ACQ.").unwrap_or(sub_code) {
        "SYSTEM_ERROR" => "系统异常",
        "INVALID_PARAMETER" => "参数有误",
        "ACCESS_FORBIDDEN" => "没有权限使用接口",
        "TRADE_NOT_EXIST" => "交易不存在",
        "TRADE_HAS_SUCCESS" => "交易已被支付",
        "TRADE_HAS_CLOSE" => "交易已经关闭",
        "TRADE_HAS_FINISHED" => "交易已经完结",
        "TRADE_STATUS_ERROR" => "交易状态不合法",
        "REASON_TRADE_STATUS_INVALID" => "交易状态异常",
        "CONTEXT_INCONSISTENT" => "交易信息被篡改",
        "PRODUCT_AMOUNT_LIMIT_ERROR" => "产品额度超限",
        "BUYER_SELLER_EQUAL" => "买卖家不能相同",
        "NOW_TIME_AFTER_EXPIRE_TIME_ERROR" => "当前时间晚于允许付款时间",
        "AGREEMENT_NOT_EXIST" => "用户协议不存在或已解约",
        "AGREEMENT_INVALID" => "用户协议失效",
        "AGREEMENT_STATUS_NOT_NORMAL" => "用户协议状态非NORMAL",
        "AGREEMENT_ERROR" => "协议信息异常",
        "DISCORDANT_REPEAT_REQUEST" => "请求信息不一致",
        "REFUND_AMT_NOT_EQUAL_TOTAL" => "退款金额超限",
        "TRADE_CANCEL_TIME_OUT" => "超过撤销时间范围",
        "CANCEL_NOT_ALLOWED" => "交易不允许撤销",
        "USER_AGREEMENT_NOT_EXIST" => "用户协议不存在",
        "AGREEMENT_HAS_UNSIGNED" => "用户协议已解约",
        "USER_AGREEMENT_STATUS_IS_NOT_NORMAL" => "用户协议状态不是正常状态",
        "PRODUCT_CODE_NOT_SUPPORTED_ERROR" => "不支持的产品码",
        "isv.missing-method" => "缺少方法名参数",
        "isv.missing-app-id" => "缺少appId参数",
        "isv.missing-signature" => "缺少签名参数",
        "isv.missing-signature-type" => "缺少签名类型参数",
        "isv.missing-timestamp" => "缺少时间戳参数",
        "isv.missing-version" => "缺少版本参数",
        "isv.invalid-app-id" => "无效的AppID参数",
        "isv.invalid-method" => "不存在的方法名",
        "isv.invalid-format" => "无效的数据格式",
        "isv.invalid-charset" => "字符集错误",
        "isv.invalid-signature" => "无效签名",
        "isv.invalid-signature-type" => "无效的签名类型",
        "isv.invalid-timestamp" => "非法的时间戳参数",
        "isv.illegal-json" => "biz_content不是合法的JSON",
        "isv.decryption-error-not-valid-encrypt-key" => "解密出错，未配置加密密钥或加密密钥格式错误",
        "isp.unknow-error" => "系统繁忙",
        "isp.bill_not_exist" => "账单不存在",
        "aop.app-auth-token-time-out" => "应用授权令牌已过期",
        "aop.invalid-auth-token" => "无效的访问令牌",
        "aop.auth-token-time-out" => "访问令牌已过期",
        "isv.missing-app-cert-sn" => "缺少应用公钥证书序列号参数",
        "isv.missing-alipay-root-cert-sn" => "缺少支付宝根证书序列号参数",
        "isv.invalid-app-cert-sn" => "应用公钥证书序列号不匹配",
        "isv.invalid-alipay-root-cert-sn" => "支付宝根证书序列号不匹配",
        "isv.app-cert-expired" => "应用公钥证书已过期",
        "isv.missing-signature-config" => "应用未配置对应签名算法的公钥或者证书",
        "not-online-app" => "应用未上线",
        "isv.self-invoke-forbidden" => "第三方应用不能为自己调用接口",
        "isv.insufficient-isv-permissions" => "ISV权限不足，建议在开发者中心检查对应功能是否已经添加",
        "aop.no-product-reg-by-partner" => "商户未签约产品",
        "isv.insufficient-user-permissions" => "用户权限不足",
        "isv.decryption-error-missing-encrypt-type" => "解密出错，缺少加密类型参数",
        "isv.decryption-error-not-valid-encrypt-type" => "解密出错，不支持的加密类型",
        "isv.decryption-error-unknown" => "解密出错，未知异常",
        "isv.grant-type-invalid" => "grant_type不正确",
        "isv.code-invalid" => "授权码code无效",
        "isv.refresh-token-invalid" => "刷新令牌无效",
        "isv.refreshed-token-invalid" => "刷新令牌已被使用",
        "isv.refresh-token-time-out" => "刷新令牌已过期",
        "isv.unmatched-app-id" => "授权的应用与调用的应用不一致",
        "NO_BILL_DATA" => "当日没有账单数据",
        "INVAILID_ARGUMENTS" => "入参不合法",
        "BILL_DATE_BEFORE_REGISTRATION" => "账单日期早于注册日期",
        "TYPE_NOT_SUPPORTED" => "不支持的账单类型",
        "PAYMENT_AUTH_CODE_INVALID" => "支付授权码无效",
        "BUYER_BALANCE_NOT_ENOUGH" => "买家余额不足",
        "BUYER_BANKCARD_BALANCE_NOT_ENOUGH" => "用户银行卡余额不足",
        "BUYER_ENABLE_STATUS_FORBID" => "买家状态非法",
        "MOBILE_PAYMENT_SWITCH_OFF" => "用户关闭了无线支付开关",
        "NOT_SUPPORT_PAYMENT_INST" => "不支持的付款方式",
        "TOTAL_FEE_EXCEED" => "订单总金额不在允许范围内",
        "TRADE_BUYER_NOT_MATCH" => "交易买家不匹配",
        "MERCHANT_AGREEMENT_NOT_EXIST" => "商户协议不存在",
        "SUB_GOODS_SIZE_MAX_COUNT" => "子商品明细超长",
        "INVALID_RECEIVE_ACCOUNT" => "收款账户不支持",
        "SELLER_BALANCE_NOT_ENOUGH" => "商户的支付宝账户中无足够的资金进行撤销或退款",
        "ILLEGAL_AGREEMENT" => "协议不是周期扣款协议",
        "aop.invalid-app-auth-token" => "无效的应用授权令牌",
        _ => "业务处理失败",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_from_sub_codes() {
        let cases = [
            ("isp.unknow-error", "20000"),
            ("aop.unknow-error", "20000"),
            ("aop.invalid-auth-token", "20001"),
            ("isv.missing-timestamp", "40001"),
            ("isv.decryption-error-missing-encrypt-type", "40001"),
            ("isv.missing-encypt-key", "40002"),
            ("isv.invalid-signature", "40002"),
            ("isv.missing-signature-config", "40003"),
            ("isv.app-call-limited", "40005"),
            ("isv.insufficient-isv-permissions", "40006"),
            ("isv.self-invoke-forbidden", "40006"),
            ("isv.missing-app-cert-sn", "40002"),
            ("not-online-app", "40002"),
            ("invalid-openid", "40002"),
            ("invalid-auth-relations", "40003"),
            ("aop.app-auth-token-time-out", "20001"),
            ("isp.bill_not_exist", "40004"),
        ];
        for (sub_code, code) in cases {
            assert_eq!(Failure::gateway(sub_code).code, code, "{sub_code}");
        }
    }
}
