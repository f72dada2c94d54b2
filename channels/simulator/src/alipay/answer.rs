//! Answers: the node with its members in order, and the envelope around it (alipay reference, 1.5).

use axum::body::Body;
use axum::response::Response;
use rand::Rng;
use serde::Serialize;

use super::charset::Charset;
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

    /// Whether there is such a member.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    /// The members in their order, values as JSON text.
    pub(super) fn members(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// A node without members; a success of some methods has neither code nor message.
    pub(super) fn bare() -> Self {
        Self(Vec::new())
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

/// The text of a node as an app wants its JSON: `\/` for a slash, `\uXXXX` for what is not ASCII.
pub(super) fn escaped(json: &str, slashes: bool, unicode: bool) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        match character {
            '/' if slashes => text.push_str("\\/"),
            _ if unicode && !character.is_ascii() => {
                for unit in character.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => text.push(character),
        }
    }
    text
}

/// The whole body: root node, the name of the certificate that verifies, the signature. Unsigned answers name nothing.
pub(super) fn envelope(root: &str, node: &str, cert_sn: Option<&str>, signature: Option<&str>) -> String {
    let Some(signature) = signature else {
        return format!("{{\"{root}\":{node}}}");
    };
    let cert_sn = cert_sn
        .map(|sn| format!("\"alipay_cert_sn\":\"{sn}\","))
        .unwrap_or_default();
    format!("{{\"{root}\":{node},{cert_sn}\"sign\":\"{signature}\"}}")
}

/// The HTTP answer: always 200, and JSON under the content type of HTML.
pub(super) fn respond(body: &str, charset: Charset) -> Response {
    let trace: [u8; 16] = rand::thread_rng().r#gen();
    Response::builder()
        .header("content-type", format!("text/html;charset={}", charset.name()))
        .header("trace_id", hex::encode(trace))
        .body(Body::from(charset.bytes(body).into_owned()))
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

#[cfg(test)]
mod tests {
    use super::super::cipher::ContentKey;
    use super::super::failure::Failure;
    use super::super::sign;
    use super::super::vectors::vector;
    use super::*;

    /// The node of a vector, and everything behind it.
    fn node_of(vector: &str) -> (&str, &str) {
        let (_, rest) = vector.split_once("_response\":").unwrap();
        let end = rest
            .find(",\"alipay_cert_sn\"")
            .or_else(|| rest.rfind(",\"sign\""))
            .unwrap();
        rest.split_at(end)
    }

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
            envelope("alipay_trade_pay_response", &node, None, signature.as_deref()),
            vector("T5")
        );
    }

    #[test]
    fn an_unsigned_failure_reads_as_vector_t5b() {
        let node = Failure::gateway("isv.invalid-app-id").node().to_json();
        assert_eq!(envelope("alipay_trade_pay_response", &node, None, None), vector("T5b"));
    }

    #[test]
    fn the_certificate_is_named_before_the_signature_as_in_vector_t4() {
        let (node, _) = node_of(vector("T3"));
        let signature = sign::sign(vector("alipay private key"), node);
        let body = envelope(
            "alipay_trade_pay_response",
            node,
            Some("c6204f0b049ee8a2e17785eb0b82e74c"),
            signature.as_deref(),
        );
        assert_eq!(body, vector("T4"));
        assert_eq!(node_of(vector("T4")).0, node);
    }

    #[test]
    fn escaped_slashes_are_signed_as_they_stand_as_in_vector_t4b() {
        let node = Node::success()
            .text("out_trade_no", "MT202603010830050003")
            .text("qr_code", "https://qr.alipay.com/bax00001")
            .to_json();
        let node = escaped(&node, true, false);
        let signature = sign::sign(vector("alipay private key"), &node);
        let body = envelope("alipay_trade_precreate_response", &node, None, signature.as_deref());
        assert_eq!(body, vector("T4b"));
        assert_eq!(escaped("\"铁/𠮷\"", false, true), "\"\\u94c1/\\ud842\\udfb7\"");
    }

    #[test]
    fn a_sealed_answer_is_signed_with_its_quotes_as_in_vector_t6() {
        let key = ContentKey::read("AQIDBAUGBwgJCgsMDQ4PEA==").unwrap();
        let node = format!("\"{}\"", key.seal(node_of(vector("T3")).0.as_bytes()));
        let signature = sign::sign(vector("alipay private key"), &node);
        let body = envelope("alipay_trade_pay_response", &node, None, signature.as_deref());
        assert_eq!(body, vector("T6 answer"));
        let opened = key.open(node.trim_matches('"')).unwrap();
        assert_eq!(opened, node_of(vector("T3")).0.as_bytes());
    }

    #[test]
    fn what_was_changed_on_the_way_does_not_fit_its_signature() {
        let (node, tail) = node_of(vector("T3"));
        let signature = tail.strip_prefix(",\"sign\":\"").unwrap().strip_suffix("\"}").unwrap();
        let key = vector("alipay public key");
        assert!(sign::verify(key, node, signature));
        let other = node_of(vector("T5")).1;
        let other = other.strip_prefix(",\"sign\":\"").unwrap().strip_suffix("\"}").unwrap();
        assert!(!sign::verify(key, node, other), "the signature of another answer");
        for forged in [
            node.replace("3号线", "4号线"),
            node.replace("4.50", "45.0"),
            node[..node.len() / 2 - 40].to_owned(),
            format!("{node}{node}"),
        ] {
            assert!(!sign::verify(key, forged, signature));
        }
        assert!(!sign::verify(key, node, ""));
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
