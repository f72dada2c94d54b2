//! Answers: the node with its members in order, the envelope around it, and failures (alipay reference, 1.5 and 8).

use axum::body::Body;
use axum::response::Response;
use rand::Rng;
use serde::Serialize;

use super::money::yuan;

/// The root node of requests that cannot be attributed to a method.
pub(super) const ERROR_ROOT: &str = "error_response";

/// The inside of an answer: members in the order in which they are written, values as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node(Vec<(&'static str, String)>);

impl Node {
    /// A node with `code` and the message that belongs to it.
    pub(super) fn new(code: &str) -> Self {
        Self(Vec::new()).text("code", code).text("msg", msg(code))
    }

    /// `10000 Success`.
    pub(super) fn success() -> Self {
        Self::new("10000")
    }

    /// Adds a text.
    pub(super) fn text(self, name: &'static str, value: &str) -> Self {
        self.json(name, value)
    }

    /// Adds a text if there is one.
    pub(super) fn maybe(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds an amount.
    pub(super) fn yuan(self, name: &'static str, fen: u64) -> Self {
        self.text(name, &yuan(fen))
    }

    /// Adds amounts of zero, as failures carry them.
    pub(super) fn zeros(self, names: &[&'static str]) -> Self {
        names.iter().fold(self, |node, name| node.yuan(name, 0))
    }

    /// Adds any value, in its own member order.
    pub(super) fn json<T: Serialize + ?Sized>(mut self, name: &'static str, value: &T) -> Self {
        self.0.push((
            name,
            serde_json::to_string(value).expect("texts and lists of texts can be written as JSON"),
        ));
        self
    }

    /// Puts another text in the place of a member; says whether there was one.
    pub(super) fn replace(&mut self, name: &str, value: &str) -> bool {
        let text = serde_json::to_string(value).expect("a text can be written as JSON");
        let member = self.0.iter_mut().find(|(known, _)| *known == name);
        member.map(|(_, old)| *old = text).is_some()
    }

    /// The node as it is sent and signed.
    pub(super) fn to_json(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

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

/// The whole body: root node, then its signature unless it stays unsigned.
pub(super) fn envelope(root: &str, node: &str, signature: Option<&str>) -> String {
    match signature {
        Some(signature) => format!("{{\"{root}\":{node},\"sign\":\"{signature}\"}}"),
        None => format!("{{\"{root}\":{node}}}"),
    }
}

/// The HTTP answer: always 200, and JSON under the content type of HTML.
pub(super) fn respond(body: String) -> Response {
    let trace: [u8; 16] = rand::thread_rng().r#gen();
    Response::builder()
        .header("content-type", "text/html;charset=utf-8")
        .header("trace_id", hex::encode(trace))
        .body(Body::from(body))
        .expect("fixed headers")
}

fn msg(code: &str) -> &'static str {
    match code {
        "10000" => "Success",
        "10003" => "order success pay inprocess",
        "20000" => "Service Currently Unavailable",
        "20001" => "Insufficient Token Permissions",
        "40001" => "Missing Required Arguments",
        "40002" => "Invalid Arguments",
        "40003" => "Insufficient Conditions",
        "40005" => "Call Limited",
        "40006" => "Insufficient Permissions",
        _ => "Business Failed",
    }
}

fn gateway_code(sub_code: &str) -> &'static str {
    let name = sub_code.rsplit('.').next().unwrap_or_default();
    match name {
        "missing-signature-config" | "invalid-auth-relations" => "40003",
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
        "aop.invalid-app-auth-token" => "无效的应用授权令牌",
        _ => "业务处理失败",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::super::vectors::vector;
    use super::*;

    #[test]
    fn a_signed_failure_reads_as_vector_t5() {
        let failure = Failure::acq("AGREEMENT_NOT_EXIST").node();
        let zeros = ["buyer_pay_amount", "invoice_amount", "point_amount", "receipt_amount"];
        let node = failure
            .text("out_trade_no", "MT202603010830050001")
            .zeros(&zeros)
            .to_json();
        let signature = sign::sign(vector("alipay private key"), &node);
        assert_eq!(
            envelope("alipay_trade_pay_response", &node, signature.as_deref()),
            vector("T5")
        );
    }

    #[test]
    fn an_unsigned_failure_reads_as_vector_t5b() {
        let node = Failure::gateway("isv.invalid-app-id").node().to_json();
        assert_eq!(envelope("alipay_trade_pay_response", &node, None), vector("T5b"));
    }

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
        ];
        for (sub_code, code) in cases {
            assert_eq!(Failure::gateway(sub_code).code, code, "{sub_code}");
        }
    }

    #[test]
    fn a_replaced_member_keeps_its_place() {
        let mut node = Node::success().yuan("total_amount", 450).text("trade_no", "1");
        assert!(node.replace("total_amount", "0.01"));
        assert!(!node.replace("refund_fee", "0.01"));
        assert_eq!(
            node.to_json(),
            r#"{"code":"10000","msg":"Success","total_amount":"0.01","trade_no":"1"}"#
        );
    }
}
