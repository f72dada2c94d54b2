//! A merchant's till: signs its requests and verifies the answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use metropay_core::clock::Clock;
use metropay_core::random::{Random, SystemRandom};
use metropay_core::secret::Secret;
use metropay_core::signing::{Algorithm, Answer, Request, SigningKey, VerifyingKey};
use serde_json::Value;

use super::http;
use super::patience::asked;
use crate::demo::{Credentials, DemoCredential, DemoMerchant};

/// Under which path the merchant API stands.
const PREFIX: &str = "/metro/payment/v1/api/";
/// The room of tills beneath it; operations of other rooms are called with theirs: `webhook/list`.
const QRCODE: &str = "qrcode/";

/// A till with one of its merchant's keys.
#[derive(Clone)]
pub struct Till {
    http: reqwest::Client,
    base_url: String,
    mch_id: String,
    serial: String,
    algorithm: Algorithm,
    key: Arc<SigningKey>,
    answers: Arc<BTreeMap<String, VerifyingKey>>,
    clock: Arc<dyn Clock>,
    is_patient: bool,
}

/// The door turned the request away before anything was done: without a signature, since nobody was asked for his.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("turned away; to come again after {after:?}")]
pub struct TurnedAway {
    /// When to come again.
    pub after: Duration,
}

/// An answer whose signature was verified.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The envelope.
    pub body: Value,
}

impl Reply {
    /// The machine word.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A text field of the data.
    pub fn text(&self, field: &str) -> String {
        self.body["data"][field].as_str().unwrap_or_default().to_owned()
    }
}

impl Till {
    /// The merchant's till with its first key of this algorithm.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be read.
    pub fn new(
        credentials: &Credentials,
        merchant: &DemoMerchant,
        algorithm: Algorithm,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let credential = merchant
            .credentials
            .iter()
            .find(|key| key.algorithm == algorithm.word());
        let credential = credential.with_context(|| format!("the merchant has no key for {algorithm}"))?;
        let mut answers = BTreeMap::new();
        for key in &credentials.platform_public_keys {
            let parsed = VerifyingKey::parse(key.algorithm.parse()?, &key.pem)?;
            answers.insert(key.serial.0.clone(), parsed);
        }
        if let Some(secret) = &credential.secret {
            answers.insert(credential.serial.clone(), VerifyingKey::parse(algorithm, secret)?);
        }
        Ok(Self {
            http: http(),
            base_url: credentials.base_url.clone(),
            mch_id: merchant.mch_id.clone(),
            serial: credential.serial.clone(),
            algorithm,
            key: Arc::new(SigningKey::parse(algorithm, &private(credential)?)?),
            answers: Arc::new(answers),
            clock,
            is_patient: false,
        })
    }

    /// The same, that asks again where it gets no answer.
    #[must_use]
    pub fn patient(self) -> Self {
        Self {
            is_patient: true,
            ..self
        }
    }

    /// Calls an operation (`applypay`, …) and verifies the answer's signature over the request's nonce.
    ///
    /// # Errors
    /// When there is no answer, or its signature does not fit.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Reply> {
        asked(self.is_patient, || self.call_once(operation, body)).await
    }

    async fn call_once(&self, operation: &str, body: &Value) -> Result<Reply> {
        let body = serde_json::to_vec(body)?;
        let room = if operation.contains('/') { "" } else { QRCODE };
        let target = format!("{PREFIX}{room}{operation}");
        let authority = self.base_url.split("://").nth(1).unwrap_or_default();
        let timestamp = self.clock.now().unix_seconds();
        let nonce = SystemRandom.letters(32, b"0123456789abcdef");
        let request = Request {
            method: "POST",
            authority,
            target: &target,
            body: &body,
        };
        let signature = self.key.sign(request.text(timestamp, &nonce).as_bytes())?;
        let authorization = format!(
            r#"METROPAY-{} mch_id="{}",serial="{}",timestamp="{timestamp}",nonce="{nonce}",signature="{signature}""#,
            self.algorithm, self.mch_id, self.serial
        );
        let answer = self
            .http
            .post(format!("{}{target}", self.base_url))
            .header("content-type", "application/json")
            .header("authorization", authorization)
            .body(body)
            .send()
            .await?;
        self.read(answer, &nonce).await
    }

    async fn read(&self, answer: reqwest::Response, nonce: &str) -> Result<Reply> {
        let status = answer.status().as_u16();
        let header = |name: &str| -> Result<String> {
            let value = answer
                .headers()
                .get(name)
                .ok_or_else(|| anyhow!("the answer ({status}) has no {name}"))?;
            Ok(value.to_str()?.to_owned())
        };
        if let Some(after) = answer.headers().get("retry-after").filter(|_| status == 503)
            && header("metropay-serial").is_err()
        {
            let after = Duration::from_secs(after.to_str()?.parse()?);
            return Err(TurnedAway { after }.into());
        }
        let (serial, timestamp) = (header("metropay-serial")?, header("metropay-timestamp")?.parse()?);
        let (echoed, signature) = (header("metropay-nonce")?, header("metropay-signature")?);
        ensure!(echoed == nonce, "the answer belongs to another request");
        let body = answer.bytes().await?;
        let key = self
            .answers
            .get(&serial)
            .ok_or_else(|| anyhow!("the answer names an unknown key {serial}"))?;
        let text = Answer {
            status,
            timestamp,
            nonce,
            body: &body,
        }
        .text();
        key.verify(key.algorithm(), text.as_bytes(), &signature)
            .context("the answer's signature does not fit")?;
        Ok(Reply {
            status,
            body: serde_json::from_slice(&body)?,
        })
    }
}

fn private(credential: &DemoCredential) -> Result<Secret> {
    let text = credential.secret.as_deref().or(credential.private_key_pem.as_deref());
    text.map(Secret::from).context("a key without its private half")
}
