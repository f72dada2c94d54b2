//! One APIv3 call: signature, sending, and what of the answer may be believed (wechat reference, 1.6 and 1.7).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use metropay_core::channel::{CallError, ConfigError, RawNotice};
use metropay_core::clock::Clock;
use metropay_outbound::{Answer, Download, Outbound, Request};
use serde::Serialize;
use url::Url;

use super::certificates::Platform;
use super::codes::Failure;
use super::credentials::Credentials;
use super::json::Json;
use super::sign::Signed;
use super::verify::{Seal, Unverified};
use crate::account::{Account, wrong};
use crate::call::{Gate, maybe};

/// An answer that was verified.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The channel took the request.
    Taken(Json),
    /// It did not, and says why.
    Failed(Failure),
}

/// The headers of an answer that are text, by lower-case names.
pub(super) fn headers(answer: &Answer) -> impl Iterator<Item = (&str, &str)> {
    let all = answer.headers.iter();
    all.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

/// The way to the gateway by APIv3 for one account.
pub(crate) struct Client {
    pub(super) credentials: Credentials,
    pub(super) platform: Platform,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) query_timeout: Duration,
    gate: Arc<Gate>,
    /// Scheme, host and port.
    origin: String,
    /// The path of the base address, which is signed like the rest.
    prefix: String,
}

impl Client {
    pub(crate) fn new(mut credentials: Credentials, account: &Account, gate: Arc<Gate>) -> Result<Self, ConfigError> {
        let base = Url::parse(&account.base_url).ok();
        let origin = base.as_ref().map(|base| base.origin().ascii_serialization());
        let (Some(base), Some(origin)) = (base, origin) else {
            return wrong("base_url", "must be an http or https address");
        };
        Ok(Self {
            platform: Platform::new(credentials.public_key.take()),
            credentials,
            clock: Arc::clone(&gate.clock),
            query_timeout: account.query_timeout,
            gate,
            origin,
            prefix: base.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// [`CallError`] when there was no answer, or one that cannot be believed.
    pub(crate) async fn get(&self, path: &str, timeout: Duration) -> Result<Reply, CallError> {
        self.ready().await?;
        self.refresh().await;
        let answer = self.fetch(path, timeout).await?;
        self.judge(answer).await
    }

    /// Sends something, once.
    ///
    /// # Errors
    /// [`CallError`] when there was no answer, or one that cannot be believed.
    pub(crate) async fn post(&self, path: &str, body: &impl Serialize, timeout: Duration) -> Result<Reply, CallError> {
        self.ready().await?;
        let request = self.written(path, body, timeout)?;
        let answer = self.outbound().send(request).await?;
        self.judge(answer).await
    }

    /// A request with a body, signed.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when it cannot be written or signed.
    pub(super) fn written(&self, path: &str, body: &impl Serialize, timeout: Duration) -> Result<Request, CallError> {
        let body = serde_json::to_vec(body).map_err(|_| CallError::NotSent("the body cannot be written".to_owned()))?;
        self.request(Method::POST, &self.target(path), body, timeout)
    }

    /// Fetches a file from an address that a verified answer named: its path and query as they are, at our gateway. What comes
    /// is not signed; a hash in the answer that named it is its proof.
    ///
    /// # Errors
    /// [`CallError`] when it did not arrive whole.
    pub(crate) async fn download(&self, url: &str, timeout: Duration, max: u64) -> Result<Download, CallError> {
        let Ok(url) = Url::parse(url) else {
            return Err(maybe("the address of the file cannot be read"));
        };
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut request = self.request(Method::GET, &target, Vec::new(), timeout)?;
        request.headers.retain(|(name, _)| name != ACCEPT);
        self.outbound().download(request, max).await
    }

    fn outbound(&self) -> &Outbound {
        self.gate.way(false)
    }

    /// Asks for something and takes what comes back, unverified.
    pub(super) async fn fetch(&self, path: &str, timeout: Duration) -> Result<Answer, CallError> {
        let request = self.request(Method::GET, &self.target(path), Vec::new(), timeout)?;
        self.outbound().send(request).await
    }

    fn target(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    fn request(&self, method: Method, target: &str, body: Vec<u8>, timeout: Duration) -> Result<Request, CallError> {
        let nonce = self.gate.nonce();
        let authorization = self.credentials.signer.authorization(&Signed {
            method: method.as_str(),
            target,
            timestamp: self.clock.now().unix_seconds(),
            nonce: &nonce,
            body: &body,
        });
        let authorization = authorization.map_err(|error| CallError::NotSent(error.to_string()))?;
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| CallError::NotSent("a header cannot be written".to_owned()))
        };
        let mut headers = vec![
            (ACCEPT, HeaderValue::from_static("application/json")),
            (AUTHORIZATION, value(&authorization)?),
        ];
        if let Some(id) = self.platform.public_id() {
            headers.push((HeaderName::from_static("wechatpay-serial"), value(id)?));
        }
        if !body.is_empty() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        Ok(Request {
            method,
            url: format!("{}{target}", self.origin),
            headers,
            body: Bytes::from(body),
            timeout,
        })
    }

    /// Verifies an answer, whatever its status, and reads it.
    pub(super) async fn judge(&self, answer: Answer) -> Result<Reply, CallError> {
        let status = answer.status;
        let request_id = headers(&answer)
            .find(|(name, _)| *name == "request-id")
            .map(|(_, id)| id);
        if !status.is_success() {
            tracing::info!(
                status = status.as_u16(),
                request_id,
                "WeChat Pay did not do what was asked for"
            );
        }
        let unbelieved = |error: Unverified| maybe(format!("HTTP status {}: {error}", status.as_u16()));
        let seal = Seal::read(headers(&answer)).map_err(unbelieved)?;
        self.check(&seal, &answer.body).await.map_err(unbelieved)?;
        if status == StatusCode::NO_CONTENT && answer.body.is_empty() {
            return Ok(Reply::Taken(Json::empty()));
        }
        let body = Json::read(&answer.body);
        let body = body.ok_or_else(|| maybe(format!("HTTP status {} without readable JSON", status.as_u16())))?;
        match status {
            StatusCode::OK | StatusCode::ACCEPTED if !body.has("/code") => Ok(Reply::Taken(body)),
            _ => Ok(Reply::Failed(Failure::read(status, &body))),
        }
    }

    /// Verifies a message of the channel that came just now.
    pub(super) async fn check(&self, seal: &Seal, body: &[u8]) -> Result<(), Unverified> {
        seal.fresh(self.clock.now())?;
        let key = self.key(&seal.serial).await?;
        seal.verify(&key, body)
    }

    /// Verifies a notification: at the time when it arrived, which may be some time ago.
    pub(super) async fn check_notice(&self, seal: &Seal, notice: &RawNotice) -> Result<(), Unverified> {
        seal.fresh(notice.received_at)?;
        let key = self.key(&seal.serial).await?;
        seal.verify(&key, &notice.body)
    }
}
