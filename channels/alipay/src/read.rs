//! What an answer is worth: verified over its raw text, opened, read (alipay reference, 1.5 to 1.8).

use std::borrow::Cow;

use metropay_core::channel::CallError;
use metropay_outbound::Answer;

use crate::call::Gateway;
use crate::codes::{self, Class, Method};
use crate::keys::Verifier;
use crate::node::{Envelope, Node, string};
use crate::said::{Said, short, unknown};

impl Gateway {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`CallError::MaybeDone`] for everything that is not a message of Alipay's that may be believed.
    pub(crate) async fn read(&self, method: Method, answer: &Answer) -> Result<Said, CallError> {
        if answer.status != http::StatusCode::OK {
            return Err(unknown(format!("HTTP status {}", answer.status.as_u16())));
        }
        let envelope = Envelope::read(&answer.body, &method.root()).map_err(|error| unknown(error.to_string()))?;
        let Some(sign) = &envelope.sign else {
            return unsigned(method, &envelope);
        };
        let verifier = self.verifier_of(envelope.cert_sn.as_deref()).await?;
        let text = genuine(&verifier, envelope.node, sign).ok_or_else(|| {
            let file = self.keys.certificates().map_or("alipay_public_key", |_| "alipay_cert");
            unknown(format!("the signature does not fit: check {file}"))
        })?;
        let text = self.opened(text)?;
        said(method, Node::read(&text).map_err(|error| unknown(error.to_string()))?)
    }

    /// A sealed node is a JSON string; errors that were found before it could be sealed are plain objects.
    fn opened<'a>(&self, node: Cow<'a, str>) -> Result<Cow<'a, str>, CallError> {
        if !node.starts_with('"') {
            return Ok(node);
        }
        let key = self.content_key.as_ref();
        let key = key.ok_or_else(|| unknown("the answer is encrypted, but encrypt_key was not given"))?;
        let opened = string(&node).and_then(|sealed| key.open(&sealed));
        opened
            .map(Cow::Owned)
            .ok_or_else(|| unknown("the answer cannot be decrypted: check encrypt_key"))
    }
}

/// The text that was signed. Some paths of the gateway sign before slashes are escaped, so that form is tried too; what is
/// read afterwards is always the form that verified.
pub(crate) fn genuine<'a>(verifier: &Verifier, node: &'a str, sign: &str) -> Option<Cow<'a, str>> {
    if verifier.verify(node.as_bytes(), sign) {
        return Some(Cow::Borrowed(node));
    }
    let plain = node.contains(r"\/").then(|| node.replace(r"\/", "/"))?;
    verifier.verify(plain.as_bytes(), sign).then_some(Cow::Owned(plain))
}

/// A gateway error from before the app is known carries no signature, and anybody on the way could have written it. It never
/// proves what became of money or of an agreement; elsewhere it may be shown for what it says, if it says that the gateway
/// turned the call away.
fn unsigned(method: Method, envelope: &Envelope<'_>) -> Result<Said, CallError> {
    let node = Node::read(envelope.node).unwrap_or_default();
    let text = |name: &str| node.text(name).unwrap_or_default();
    let (code, sub_code) = (text("code"), text("sub_code"));
    let failed = ["40001", "40002", "40003", "40006", "20001"].contains(&code.as_str());
    let turned_away = failed && codes::classify(method, &code, &sub_code).0 == Class::Setup;
    if turned_away && method.believes_unsigned_errors() {
        return said(method, node);
    }
    let meaning = if turned_away {
        " (the gateway turned the call away: check the set-up)"
    } else {
        ""
    };
    Err(unknown(format!(
        "an unsigned answer: {} {}{meaning}",
        short(&code),
        short(&sub_code)
    )))
}

/// Successes of the token call have no code; they are known by the token.
fn said(method: Method, node: Node) -> Result<Said, CallError> {
    let by_token = || (method == Method::Token && node.text("access_token").is_some()).then(|| "10000".to_owned());
    let code = node.text("code").or_else(by_token);
    Ok(Said {
        method,
        code: code.ok_or_else(|| unknown("the answer has no code"))?,
        sub_code: node.text("sub_code").unwrap_or_default(),
        sub_msg: node.text("sub_msg").or_else(|| node.text("msg")).unwrap_or_default(),
        node,
    })
}
