//! One call: signed, sent once, and what of the answer may be believed.

use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use metropay_core::channel::{CallError, ConfigError, Setting};
use metropay_core::clock::Clock;
use metropay_core::random::Random;
use metropay_outbound::{Outbound, OutboundSettings, Request};
use serde::Serialize;
use serde_json::Value;

use crate::config::{Account, wrong};

/// Letters of nonces.
const NONCE: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// How long a nonce is.
const NONCE_LENGTH: usize = 32;
/// Who calls.
const MERCHANT: HeaderName = HeaderName::from_static("x-foochan-merchant");
/// When a message was signed, in milliseconds since 1970.
const TIMESTAMP: HeaderName = HeaderName::from_static("x-foochan-timestamp");
/// What makes a message itself; an answer repeats that of its request.
const NONCE_HEADER: HeaderName = HeaderName::from_static("x-foochan-nonce");
/// The signature.
const SIGNATURE: HeaderName = HeaderName::from_static("x-foochan-signature");

/// The way to the gateway for one account.
pub(crate) struct Gate {
    pub(crate) account: Account,
    outbound: Outbound,
    pub(crate) clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Gate {
    pub(crate) fn new(account: Account, settings: &OutboundSettings, setting: &Setting) -> Result<Self, ConfigError> {
        let outbound = Outbound::new(settings);
        Ok(Self {
            account,
            outbound: outbound.map_err(|_| wrong("base_url", "no connection can be set up on this machine"))?,
            clock: Arc::clone(&setting.clock),
            random: Arc::clone(&setting.random),
        })
    }

    /// Sends a wish and answers what the channel said to it, verified.
    ///
    /// # Errors
    /// [`CallError`] when there was no answer, or none that can be believed.
    pub(crate) async fn ask(&self, path: &str, wish: &impl Serialize) -> Result<Value, CallError> {
        let unsent = |what: &str| CallError::NotSent(what.to_owned());
        let body = serde_json::to_string(wish).map_err(|_| unsent("the wish cannot be written"))?;
        let time = self.clock.now().0.to_string();
        let nonce = self.random.letters(NONCE_LENGTH, NONCE);
        // FILL IN: what the channel wants to be signed, and where it wants the signature.
        let text = signed_text("REQUEST", path, &time, &nonce, body.as_bytes());
        let signature = self
            .account
            .keys
            .sign(&text)
            .ok_or_else(|| unsent("not written yet: sign"))?;
        let url = format!("{}{path}", self.account.base_url);
        let mut request = Request::post(url, "application/json; charset=utf-8", body, self.account.timeout);
        let headers = [
            (MERCHANT, &self.account.merchant_no),
            (TIMESTAMP, &time),
            (NONCE_HEADER, &nonce),
            (SIGNATURE, &signature),
        ];
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| unsent("a header cannot be written"))?;
            request.headers.push((name, value));
        }
        let answer = self.outbound.send(request).await?;
        let header = |name| {
            answer
                .headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let (time, told) = (header(TIMESTAMP), header(NONCE_HEADER));
        let (Some(time), Some(told), Some(signature)) = (time, told, header(SIGNATURE)) else {
            return Err(maybe("the answer is not signed"));
        };
        let status = answer.status.as_str();
        let text = signed_text("ANSWER", status, time, told, &answer.body);
        if told != nonce || !self.account.keys.verify(&text, signature) {
            return Err(maybe(
                "the answer is not signed by the channel, or answers something else",
            ));
        }
        let said: Value = serde_json::from_slice(&answer.body).map_err(|_| maybe("the answer cannot be read"))?;
        if said.get("merchant_no").and_then(Value::as_str) != Some(&self.account.merchant_no) {
            return Err(maybe("the answer is for another merchant"));
        }
        Ok(said)
    }
}

/// What is signed of a message.
pub(crate) fn signed_text(what: &str, place: &str, time: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("FOOCHAN-{what}\n{place}\n{time}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text
}

pub(crate) fn maybe(text: &str) -> CallError {
    CallError::MaybeDone(text.to_owned())
}

/// What is said where an answer cannot be read yet.
pub(crate) fn unwritten<T>(what: &str) -> Result<T, CallError> {
    Err(CallError::MaybeDone(format!("not written yet: {what}")))
}
