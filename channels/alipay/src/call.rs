//! One call of the gateway: signed, sent once, verified, read (alipay reference, 1.2 to 1.5).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metropay_core::channel::{CallError, Hint, Refusal};
use metropay_core::clock::Clock;
use metropay_outbound::{Answer, Outbound, Request};
use serde::Serialize;

use crate::codes::{self, Class, Method};
use crate::keys::Keys;
use crate::node::{Envelope, Node};
use crate::sign::Signed;

/// How much of the gateway's text is kept, in characters.
const TEXT_MAX: usize = 200;

/// The way to the gateway for one app.
pub(crate) struct Gateway {
    /// The one way out.
    pub(crate) outbound: Outbound,
    /// The gateway's address.
    pub(crate) url: String,
    /// The calling app.
    pub(crate) app_id: String,
    /// Its keys.
    pub(crate) keys: Keys,
    /// Where the time comes from.
    pub(crate) clock: Arc<dyn Clock>,
}

/// A verified answer.
#[derive(Debug)]
pub(crate) struct Said {
    method: Method,
    /// `code`: `10000` when it was executed.
    pub(crate) code: String,
    sub_code: String,
    sub_msg: String,
    /// The members.
    pub(crate) node: Node,
}

impl Gateway {
    /// A signed request. `return_url` belongs to pages only.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when it cannot be signed.
    pub(crate) fn request<B: Serialize>(
        &self,
        method: Method,
        biz: &B,
        notify_url: Option<&str>,
        return_url: Option<&str>,
    ) -> Result<Signed, CallError> {
        let biz = serde_json::to_string(biz).expect("requests are plain structs of texts and lists");
        let timestamp = self.clock.now().text();
        let parameters = [
            ("app_id", self.app_id.as_str()),
            ("method", method.name()),
            ("format", "JSON"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &timestamp),
            ("version", "1.0"),
            ("notify_url", notify_url.unwrap_or_default()),
            ("return_url", return_url.unwrap_or_default()),
            ("biz_content", &biz),
        ];
        let parameters: BTreeMap<String, String> = parameters
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Signed::new(parameters, &self.keys).map_err(|error| CallError::NotSent(error.to_string()))
    }

    /// Calls the gateway once.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when nothing left the house; [`CallError::MaybeDone`] for every answer that is not a
    /// verified message, gateway errors without a signature included: such a one could come from anybody on the way.
    pub(crate) async fn call<B: Serialize>(
        &self,
        method: Method,
        biz: &B,
        notify_url: Option<&str>,
        timeout: Duration,
    ) -> Result<Said, CallError> {
        let signed = self.request(method, biz, notify_url, None)?;
        let url = format!("{}?{}", self.url, signed.query());
        let content_type = "application/x-www-form-urlencoded;charset=utf-8";
        let begun = self.clock.now();
        let answer = self
            .outbound
            .send(Request::post(url, content_type, signed.body(), timeout))
            .await
            .inspect_err(|error| tracing::warn!(method = method.name(), %error, "alipay gave no answer: {error}"))?;
        let said = self.read(method, &answer);
        let status = answer.status.as_u16();
        let trace_id = answer.headers.get("trace_id").and_then(|value| value.to_str().ok());
        let ms = self.clock.now().since(begun).as_millis();
        match &said {
            Ok(said) => tracing::info!(
                method = method.name(),
                status,
                trace_id,
                ms,
                code = said.code,
                sub_code = said.sub_code,
                "alipay answered {} with {} {}",
                method.name(),
                said.code,
                said.sub_code
            ),
            Err(error) => tracing::error!(
                method = method.name(), status, trace_id, ms, %error,
                "alipay's answer to {} proves nothing: {error}", method.name()
            ),
        }
        said
    }

    fn read(&self, method: Method, answer: &Answer) -> Result<Said, CallError> {
        if answer.status != http::StatusCode::OK {
            return Err(unknown(format!("HTTP status {}", answer.status.as_u16())));
        }
        let envelope = Envelope::read(&answer.body, &method.root()).map_err(|error| unknown(error.to_string()))?;
        let Some(sign) = &envelope.sign else {
            // Only the codes of a forgeable message are shown, to the operator who must find out.
            let told = Node::read(envelope.node).ok();
            let told = |name| told.as_ref().and_then(|node| node.text(name)).unwrap_or_default();
            let (code, sub_code) = (told("code"), told("sub_code"));
            return Err(unknown(format!(
                "an unsigned answer: {} {}",
                short(&code),
                short(&sub_code)
            )));
        };
        let text = self
            .genuine(envelope.node, sign)
            .ok_or_else(|| unknown("the signature does not fit: check alipay_public_key"))?;
        let node = Node::read(&text).map_err(|error| unknown(error.to_string()))?;
        let code = node.text("code").ok_or_else(|| unknown("the answer has no code"))?;
        Ok(Said {
            method,
            code,
            sub_code: node.text("sub_code").unwrap_or_default(),
            sub_msg: node.text("sub_msg").or_else(|| node.text("msg")).unwrap_or_default(),
            node,
        })
    }

    /// The text that was signed. Some paths of the gateway sign before slashes are escaped, so that form is tried too;
    /// what is read afterwards is always the form that verified.
    fn genuine<'a>(&self, node: &'a str, sign: &str) -> Option<Cow<'a, str>> {
        if self.keys.verify(node.as_bytes(), sign) {
            return Some(Cow::Borrowed(node));
        }
        let plain = node.contains(r"\/").then(|| node.replace(r"\/", "/"))?;
        self.keys.verify(plain.as_bytes(), sign).then_some(Cow::Owned(plain))
    }
}

impl Said {
    /// What an answer without success means (alipay reference, 8).
    pub(crate) fn class(&self) -> (Class, Hint) {
        codes::classify(self.method, &self.code, &self.sub_code)
    }

    /// The normalised code: `AGREEMENT_NOT_EXIST`.
    pub(crate) fn plain_code(&self) -> String {
        codes::plain(&self.sub_code)
    }

    /// The answer as proof for the books.
    pub(crate) fn refusal(&self, hint: Hint) -> Refusal {
        let code = if self.sub_code.is_empty() {
            &self.code
        } else {
            &self.sub_code
        };
        Refusal {
            code: code.clone(),
            text: short(&self.sub_msg),
            hint,
        }
    }

    /// The answer as a reason for not knowing.
    pub(crate) fn doubt(&self) -> CallError {
        unknown(format!(
            "{} answered {} {} {}",
            self.method.name(),
            self.code,
            self.sub_code,
            short(&self.sub_msg)
        ))
    }

    /// Refuses an answer that tells of another number than ours; one that must tell it and does not, too.
    ///
    /// # Errors
    /// [`CallError::MaybeDone`] naming the member.
    pub(crate) fn tells(&self, name: &str, ours: &str, must: bool) -> Result<(), CallError> {
        match self.node.text(name) {
            Some(theirs) if theirs == ours => Ok(()),
            None if !must => Ok(()),
            theirs => {
                tracing::error!(
                    method = self.method.name(),
                    name,
                    ours,
                    theirs,
                    "a signed answer of alipay tells of another {name} than {ours}"
                );
                Err(unknown(format!("the answer tells of another {name}")))
            }
        }
    }
}

/// Nothing is known.
pub(crate) fn unknown(reason: impl Into<String>) -> CallError {
    CallError::MaybeDone(reason.into())
}

/// A call that followed another: whatever became of it, something was sent before.
pub(crate) fn after(error: CallError) -> CallError {
    match error {
        CallError::NotSent(reason) => CallError::MaybeDone(format!("a following call was not sent: {reason}")),
        maybe @ CallError::MaybeDone(_) => maybe,
    }
}

/// The gateway's text without the request that it echoes when a signature is wrong: agreement numbers stand in that.
fn short(text: &str) -> String {
    let own = text.split_once("app_id=").map_or(text, |(own, _)| own);
    own.chars().take(TEXT_MAX).collect()
}
