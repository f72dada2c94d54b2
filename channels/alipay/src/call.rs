//! One call of the gateway: signed, sent once (alipay reference, 1.2 to 1.4). `read` says what the answer is worth.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metropay_core::channel::CallError;
use metropay_core::clock::Clock;
use metropay_core::secret::Secret;
use metropay_outbound::{Answer, Outbound, Request};
use serde::Serialize;

use crate::codes::Method;
use crate::crypt::ContentKey;
use crate::keys::Keys;
use crate::rotation::Gate;
use crate::said::Said;
use crate::sign::Signed;

/// How calls are posted.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded;charset=utf-8";

/// The way to the gateway for one app.
pub(crate) struct Gateway {
    /// The one way out.
    pub(crate) outbound: Outbound,
    /// The gateway's address.
    pub(crate) url: String,
    /// The calling app.
    pub(crate) app_id: String,
    /// Whose authorisation a service provider's app has.
    pub(crate) app_auth_token: Option<Secret>,
    /// The key of contents, where they are sealed.
    pub(crate) content_key: Option<ContentKey>,
    /// Its keys.
    pub(crate) keys: Keys,
    /// Where certificates wait for their turn to be fetched.
    pub(crate) gate: Gate,
    /// Where the time comes from.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Parameters of one call beside the common ones; empty values are left out.
type Further<'a> = [(&'static str, &'a str)];

impl Gateway {
    /// A signed link to a page of the gateway's: the user's browser goes there, and nothing is called. Contents of pages are
    /// never sealed.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when it cannot be signed.
    pub(crate) fn page<B: Serialize>(
        &self,
        method: Method,
        biz: &B,
        notify_url: &str,
        return_url: &str,
    ) -> Result<Signed, CallError> {
        let biz = json(biz);
        let further = [
            ("notify_url", notify_url),
            ("return_url", return_url),
            ("biz_content", &biz),
        ];
        self.signed(method, &further)
    }

    /// A signed call with this content, sealed where the app wants it so.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when it cannot be sealed or signed.
    pub(crate) fn request<B: Serialize>(
        &self,
        method: Method,
        biz: &B,
        notify_url: Option<&str>,
    ) -> Result<Signed, CallError> {
        let mut biz = json(biz);
        let mut encrypt_type = "";
        if let Some(key) = &self.content_key {
            let unsealed = || CallError::NotSent("the content could not be sealed".to_owned());
            biz = key.seal(&biz).ok_or_else(unsealed)?;
            encrypt_type = "AES";
        }
        let further = [
            ("notify_url", notify_url.unwrap_or_default()),
            ("encrypt_type", encrypt_type),
            ("biz_content", &biz),
        ];
        self.signed(method, &further)
    }

    /// Signs a call with its common parameters.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when it cannot be signed.
    pub(crate) fn signed(&self, method: Method, further: &Further<'_>) -> Result<Signed, CallError> {
        let timestamp = self.clock.now().text();
        let certificates = self.keys.certificates();
        // Alipay's certificates are Alipay's, whichever merchant it is about.
        let token = self.app_auth_token.as_ref().filter(|_| method != Method::CertDownload);
        let common = [
            ("app_id", self.app_id.as_str()),
            ("method", method.name()),
            ("format", "JSON"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &timestamp),
            ("version", "1.0"),
            ("app_cert_sn", certificates.map_or("", |known| &known.app_sn)),
            ("alipay_root_cert_sn", certificates.map_or("", |known| &known.root_sn)),
            ("app_auth_token", token.map_or("", Secret::expose)),
        ];
        let parameters: BTreeMap<String, String> = common
            .into_iter()
            .chain(further.iter().copied())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Signed::new(parameters, &self.keys).map_err(|error| CallError::NotSent(error.to_string()))
    }

    /// Calls the gateway once.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when nothing left the house; [`CallError::MaybeDone`] for every answer that is not a
    /// message that may be believed.
    pub(crate) async fn call<B: Serialize>(
        &self,
        method: Method,
        biz: &B,
        notify_url: Option<&str>,
        timeout: Duration,
    ) -> Result<Said, CallError> {
        let signed = self.request(method, biz, notify_url)?;
        self.ask(method, &signed, timeout).await
    }

    /// Calls the gateway once with parameters of its own instead of a content.
    ///
    /// # Errors
    /// As [`Gateway::call`].
    pub(crate) async fn call_with(
        &self,
        method: Method,
        fields: &Further<'_>,
        timeout: Duration,
    ) -> Result<Said, CallError> {
        let signed = self.signed(method, fields)?;
        self.ask(method, &signed, timeout).await
    }

    async fn ask(&self, method: Method, signed: &Signed, timeout: Duration) -> Result<Said, CallError> {
        let begun = self.clock.now();
        let answer = self.post(method, signed, timeout).await?;
        let said = self.read(method, &answer).await;
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

    /// Posts a signed call.
    ///
    /// # Errors
    /// As the way out judges.
    pub(crate) async fn post(&self, method: Method, signed: &Signed, timeout: Duration) -> Result<Answer, CallError> {
        let url = format!("{}?{}", self.url, signed.query());
        self.outbound
            .send(Request::post(url, CONTENT_TYPE, signed.body(), timeout))
            .await
            .inspect_err(|error| tracing::warn!(method = method.name(), %error, "alipay gave no answer: {error}"))
    }
}

fn json<B: Serialize>(biz: &B) -> String {
    serde_json::to_string(biz).expect("requests are plain structs of texts and lists")
}
