//! Alipay's certificates change: an answer that names an unknown one makes it be fetched, proven by its path to the
//! configured roots, and kept (alipay reference, 1.7).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_core::channel::CallError;
use metropay_core::clock::Time;
use tokio::sync::Mutex;

use crate::call::Gateway;
use crate::certificate::Certificates;
use crate::codes::Method;
use crate::keys::{Trust, Verifier};
use crate::node::{Envelope, Node};
use crate::read::genuine;
use crate::said::unknown;

/// How long a failed fetch keeps further ones waiting: names that somebody made up must not become a storm of calls.
const PAUSE: Duration = Duration::from_secs(10);

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Lets one fetch through at a time, and none for a while after one that failed. Notices wait apart: whoever can post some
/// must not be able to hold up answers.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    answers: Mutex<Option<Time>>,
    notices: Mutex<Option<Time>>,
}

impl Gateway {
    /// The key by which an answer is verified that names this certificate.
    ///
    /// # Errors
    /// [`CallError::MaybeDone`] when there is none that may be believed.
    pub(crate) async fn verifier_of(&self, cert_sn: Option<&str>) -> Result<Verifier, CallError> {
        match &self.keys.trust {
            Trust::PublicKey(verifier) => Ok(verifier.clone()),
            Trust::Certificates(certificates) => {
                let sn = cert_sn.ok_or_else(|| unknown("the answer names no certificate (alipay_cert_sn)"))?;
                self.certificate(certificates, sn, &self.gate.answers).await
            }
        }
    }

    /// The keys by which a notice may be verified: those that are known, or that of the certificate it names.
    ///
    /// # Errors
    /// As [`Gateway::verifier_of`].
    pub(crate) async fn verifiers_of_notice(&self, cert_sn: Option<&str>) -> Result<Vec<Verifier>, CallError> {
        match (&self.keys.trust, cert_sn) {
            (Trust::PublicKey(verifier), _) => Ok(vec![verifier.clone()]),
            (Trust::Certificates(certificates), None) => Ok(certificates.verifiers()),
            (Trust::Certificates(certificates), Some(sn)) => {
                Ok(vec![self.certificate(certificates, sn, &self.gate.notices).await?])
            }
        }
    }

    async fn certificate(
        &self,
        certificates: &Certificates,
        sn: &str,
        gate: &Mutex<Option<Time>>,
    ) -> Result<Verifier, CallError> {
        if let Some(verifier) = certificates.of(sn) {
            return Ok(verifier);
        }
        let is_name = sn.len() == 32 && sn.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name {
            return Err(unknown("the certificate's SN is none"));
        }
        let mut failed_at = gate.lock().await;
        // Whoever waited may find it fetched.
        if let Some(verifier) = certificates.of(sn) {
            return Ok(verifier);
        }
        let now = self.clock.now();
        if failed_at.is_some_and(|failed_at| now.since(failed_at) < PAUSE) {
            return Err(unknown(format!(
                "certificate {sn} is unknown, and fetching one failed just now"
            )));
        }
        match self.fetch(certificates, sn).await {
            Ok(verifier) => {
                tracing::warn!(sn, "alipay signs with another certificate: {sn} was fetched and proven");
                certificates.keep(sn, verifier.clone());
                Ok(verifier)
            }
            Err(reason) => {
                *failed_at = Some(now);
                tracing::error!(
                    sn,
                    reason,
                    "alipay's certificate {sn} is unknown and could not be fetched: {reason}"
                );
                Err(unknown(format!("alipay's certificate {sn} is not known: {reason}")))
            }
        }
    }

    /// Fetches one. The answer may be signed with the very certificate that it brings: its path to the roots makes that one
    /// genuine, and its key then the answer.
    async fn fetch(&self, certificates: &Certificates, sn: &str) -> Result<Verifier, String> {
        let method = Method::CertDownload;
        let biz = serde_json::json!({ "alipay_cert_sn": sn }).to_string();
        let told = |error: CallError| error.to_string();
        let signed = self.signed(method, &[("biz_content", &biz)]).map_err(told)?;
        let answer = self.post(method, &signed, TIMEOUT).await.map_err(told)?;
        if answer.status != http::StatusCode::OK {
            return Err(format!("HTTP status {}", answer.status.as_u16()));
        }
        let envelope = Envelope::read(&answer.body, &method.root()).map_err(|error| error.to_string())?;
        let node = Node::read(envelope.node).map_err(|error| error.to_string())?;
        if node.text("code").as_deref() != Some("10000") {
            return Err("the gateway does not hand it out".to_owned());
        }
        let content = node.text("alipay_cert_content").unwrap_or_default();
        let pem = STANDARD
            .decode(content)
            .ok()
            .and_then(|pem| String::from_utf8(pem).ok());
        let pem = pem.ok_or("the answer holds no certificate")?;
        let fetched = certificates
            .prove(sn, &pem, self.clock.now())
            .map_err(|error| error.to_string())?;
        let sign = envelope.sign.ok_or("the answer is not signed")?;
        let mut verifiers = certificates.verifiers();
        verifiers.push(fetched.clone());
        let is_signed = verifiers
            .iter()
            .any(|verifier| genuine(verifier, envelope.node, &sign).is_some());
        is_signed
            .then_some(fetched)
            .ok_or_else(|| "the answer's signature does not fit".to_owned())
    }
}
