//! A merchant's till: signs what it asks and verifies what it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use metropay_core::clock::{Clock, SystemClock};
use metropay_core::random::{Random, SystemRandom};
use metropay_core::secret::Secret;
use metropay_core::signing::{self, Algorithm, SigningKey, VerifyingKey};
use serde_json::Value;

use super::measure::Outcome;
use super::wire::{Reply, Wire};
use crate::demo::{Credentials, DemoMerchant};

/// Under which path the merchant API stands.
const PREFIX: &str = "/metro/payment/v1/api/qrcode/";

/// A till of one merchant.
pub(super) struct Till {
    wire: Arc<Wire>,
    /// Its merchant.
    pub(super) mch_id: String,
    /// The store in which it stands.
    pub(super) store_id: String,
    serial: String,
    algorithm: Algorithm,
    key: SigningKey,
    answers: BTreeMap<String, VerifyingKey>,
}

impl Till {
    /// A till with the merchant's first key of this algorithm.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be read.
    pub(super) fn new(
        wire: &Arc<Wire>,
        credentials: &Credentials,
        merchant: &DemoMerchant,
        algorithm: Algorithm,
    ) -> Result<Self> {
        let mut keys = merchant.credentials.iter();
        let key = keys.find(|key| key.algorithm == algorithm.word());
        let key = key.with_context(|| format!("{} has no key for {algorithm}", merchant.mch_id))?;
        let mut answers = BTreeMap::new();
        for known in &credentials.platform_public_keys {
            let parsed = VerifyingKey::parse(known.algorithm.parse()?, &known.pem)?;
            answers.insert(known.serial.0.clone(), parsed);
        }
        if let Some(secret) = &key.secret {
            answers.insert(key.serial.clone(), VerifyingKey::parse(algorithm, secret)?);
        }
        let private = key.secret.as_deref().or(key.private_key_pem.as_deref());
        let private = private.map(Secret::from).context("a key without its private half")?;
        Ok(Self {
            wire: Arc::clone(wire),
            mch_id: merchant.mch_id.clone(),
            store_id: merchant.store_ids.first().context("a merchant without store")?.clone(),
            serial: key.serial.clone(),
            algorithm,
            key: SigningKey::parse(algorithm, &private)?,
            answers,
        })
    }

    /// Asks for an operation (`applypay`, `orderquery`); the answer's envelope, whose signature fits.
    ///
    /// # Errors
    /// When there is no answer, or its signature does not fit.
    pub(super) async fn ask(&self, operation: &str, body: &Value) -> Result<Value> {
        let body = serde_json::to_vec(body)?;
        let target = format!("{PREFIX}{operation}");
        let nonce = SystemRandom.letters(32, b"0123456789abcdef");
        let timestamp = SystemClock.now().unix_seconds();
        let text = signing::Request {
            method: "POST",
            authority: self.wire.authority(),
            target: &target,
            body: &body,
        }
        .text(timestamp, &nonce);
        let signature = self.key.sign(text.as_bytes())?;
        let authorization = format!(
            r#"METROPAY-{} mch_id="{}",serial="{}",timestamp="{timestamp}",nonce="{nonce}",signature="{signature}""#,
            self.algorithm, self.mch_id, self.serial
        );
        let request = Request::post(target)
            .header("host", self.wire.authority())
            .header("content-type", "application/json")
            .header("authorization", authorization)
            .body(Full::new(Bytes::from(body)))?;
        self.read(&self.wire.ask(request).await?, &nonce)
    }

    fn read(&self, reply: &Reply, nonce: &str) -> Result<Value> {
        let header = |name: &str| {
            let value = reply.headers.get(name).and_then(|value| value.to_str().ok());
            value.with_context(|| format!("the answer ({}) has no {name}", reply.status))
        };
        ensure!(
            header("metropay-nonce")? == nonce,
            "the answer belongs to another request"
        );
        let serial = header("metropay-serial")?;
        let key = self.answers.get(serial);
        let key = key.ok_or_else(|| anyhow!("the answer names an unknown key {serial}"))?;
        let text = signing::Answer {
            status: reply.status,
            timestamp: header("metropay-timestamp")?.parse()?,
            nonce,
            body: &reply.body,
        }
        .text();
        key.verify(key.algorithm(), text.as_bytes(), header("metropay-signature")?)
            .context("the answer's signature does not fit")?;
        Ok(serde_json::from_slice(&reply.body)?)
    }

    /// Deducts; what became of it. `PS_SUCCESS` is what is wanted.
    pub(super) async fn pay(&self, out_request_no: &str, digits: &str, body: &str, total_fee: u64) -> Outcome {
        let ask = serde_json::json!({
            "out_request_no": out_request_no, "qrcode": digits, "body": body, "total_fee": total_fee,
            "store_id": self.store_id,
        });
        judged(self.ask("applypay", &ask).await)
    }

    /// Asks how an order stands that was paid.
    pub(super) async fn query(&self, out_request_no: &str) -> Outcome {
        let ask = serde_json::json!({ "out_request_no": out_request_no });
        judged(self.ask("orderquery", &ask).await)
    }
}

/// What an answer about an order says.
fn judged(answer: Result<Value>) -> Outcome {
    let envelope = match answer {
        Ok(envelope) => envelope,
        Err(error) => {
            tracing::debug!("no answer: {error:#}");
            return Outcome::lost("no answer");
        }
    };
    let word = |value: &Value| value.as_str().unwrap_or("unreadable").to_owned();
    match word(&envelope["code"]).as_str() {
        "OK" => match word(&envelope["data"]["pay_status"]).as_str() {
            "PS_SUCCESS" => Outcome::wanted("PS_SUCCESS"),
            other => Outcome::other(other),
        },
        refused => Outcome::other(refused),
    }
}
