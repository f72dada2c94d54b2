//! Answers of the v3 protocol: bare JSON, the outcome in the HTTP status, the signature in headers (alipay reference, 1.9).

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::account::Account;
use super::answer::Node;
use super::failure::Failure;
use super::sign;
use super::v3_auth::answer_content;
use crate::fault::Effect;
use crate::frame::Frame;

/// An answer before it is sealed and signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    status: StatusCode,
    body: String,
}

impl Answer {
    /// The answer with this node of the v2 envelope inside: its members without code and message.
    pub(super) fn of(node: &Node) -> Self {
        let text = |name: &str| {
            let member = node.members().iter().find(|(known, _)| *known == name);
            member.and_then(|(_, value)| serde_json::from_str::<String>(value).ok())
        };
        if let Some(sub_code) = text("sub_code") {
            let code = text("code").unwrap_or_default();
            return Self::refused(&code, &sub_code, &text("sub_msg").unwrap_or_default());
        }
        let members: Vec<String> = node
            .members()
            .iter()
            .filter(|(name, _)| !matches!(*name, "code" | "msg"))
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        Self {
            // Still under way: the same request again brings the result.
            status: match text("code").as_deref() {
                Some("10003") => StatusCode::ACCEPTED,
                _ => StatusCode::OK,
            },
            body: format!("{{{}}}", members.join(",")),
        }
    }

    /// The answer to a call that was turned away.
    pub(super) fn failed(failure: &Failure) -> Self {
        Self::refused(failure.code, &failure.sub_code, &failure.sub_msg)
    }

    /// Codes of the business stay as they are, the gateway's own lose their prefix.
    fn refused(code: &str, sub_code: &str, why: &str) -> Self {
        let name = ["isv.", "isp.", "aop."]
            .iter()
            .find_map(|prefix| sub_code.strip_prefix(prefix))
            .unwrap_or(sub_code);
        let status = match code {
            "20000" => StatusCode::INTERNAL_SERVER_ERROR,
            "20001" => StatusCode::UNAUTHORIZED,
            "40005" => StatusCode::TOO_MANY_REQUESTS,
            "40003" | "40006" => StatusCode::FORBIDDEN,
            _ if name.contains("signature") => StatusCode::UNAUTHORIZED,
            _ if name == "invalid-method" => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        let links = json!([{"link": "https://open.alipay.com/api/errCheck", "desc": "解决方案"}]);
        Self {
            status,
            body: json!({"code": name, "message": why, "links": links}).to_string(),
        }
    }
}

/// Sends an answer: sealed if the request was, signed if the caller is known.
pub(super) fn respond(
    frame: &Frame,
    answer: &Answer,
    caller: Option<(&Account, bool)>,
    effects: &[Effect],
) -> Response {
    let key = caller.and_then(|(account, sealed)| account.content_key().filter(|_| sealed));
    let (body, content_type) = match key {
        Some(key) => (key.seal(answer.body.as_bytes()), "text/plain;charset=utf-8"),
        None => (answer.body.clone(), "application/json;charset=utf-8"),
    };
    let mut response = Response::builder()
        .status(answer.status)
        .header("content-type", content_type)
        .header("alipay-trace-id", hex::encode(rand::random::<[u8; 16]>()));
    let signer = caller.filter(|_| !effects.contains(&Effect::NoSignature));
    if let Some((account, _)) = signer {
        let timestamp = frame.clock.now_ms().to_string();
        let nonce = hex::encode(rand::random::<[u8; 8]>());
        let mut content = answer_content(&timestamp, &nonce, &body);
        if effects.contains(&Effect::WrongSignature) {
            content.push(' ');
        }
        let signature = sign::sign(&account.alipay_private_key, content).unwrap_or_default();
        response = response
            .header("alipay-timestamp", timestamp)
            .header("alipay-nonce", nonce)
            .header("alipay-signature", signature);
        if let Some(certificates) = &account.certificates {
            response = response.header("alipay-sn", &certificates.alipay_sn);
        }
    }
    response.body(Body::from(body)).expect("headers of plain ASCII")
}
