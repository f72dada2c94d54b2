//! The guard: the client for addresses that merchants give.
//!
//! 1. Only a [`MerchantUrl`] is called, and only at addresses that were judged at the moment of connecting.
//! 2. No redirect is followed, no proxy of the environment is used, nothing is decompressed, no cookie is kept.
//! 3. A call is bounded in time, its answer in size; headers are ours or of a short list.
//! 4. What went wrong is told apart ([`Why`]), and judged as all calls are: [`CallError::NotSent`] only where no byte can have
//!    reached the other side.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use metrics::{counter, histogram};
use metropay_core::channel::CallError;
use metropay_core::metric;

pub use crate::address::{AddressPolicy, Forbidden, Reach, public};
use crate::client::{Unusable, client_builder, judge, outcome};
pub use crate::guard_headers::{FurtherHeaders, HEADERS_MAX, HeaderRefused};
pub use crate::lookup::{ADDRESSES_MAX, Lookup, SystemLookup};
use crate::lookup::{Judge, NoWay, judged};
pub use crate::merchant_url::{CALL_URL_MAX, MerchantUrl, URL_MAX};
pub use crate::url_refused::UrlRefused;

/// Bytes of a call's body at most.
pub const CALL_BODY_MAX: usize = 256 * 1024;
/// Methods that may be used.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Bounds of a guard.
#[derive(Debug, Clone)]
pub struct GuardSettings {
    /// Who is at the other side, as calls are counted: a word of few (`member`), never an address.
    pub peer: &'static str,
    /// Which addresses may be called.
    pub addresses: AddressPolicy,
    /// How long a connection may take to stand, the name's resolution with it.
    pub connect_timeout: Duration,
    /// How long a call may take at most.
    pub timeout: Duration,
    /// Bytes of an answer's body at most.
    pub answer_max: usize,
    /// The certificates, PEM, of the authorities that are believed instead of the system's: for networks with their own.
    pub roots_pem: Option<Vec<u8>>,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            peer: "merchant",
            addresses: AddressPolicy::default(),
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            answer_max: 64 * 1024,
            roots_pem: None,
        }
    }
}

/// A call of a merchant's server.
#[derive(Clone)]
pub struct GuardedRequest {
    method: Method,
    url: MerchantUrl,
    headers: HeaderMap,
    body: Bytes,
}

/// A call that is not made as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefused {
    /// Another method than `GET`, `POST`, `PUT`, `PATCH` and `DELETE`.
    #[error("not a method that may be used")]
    Method,
    /// A header that may not be set, or not so.
    #[error("a header cannot be sent: {0}")]
    Header(#[from] HeaderRefused),
    /// A body above [`CALL_BODY_MAX`].
    #[error("the body is longer than {CALL_BODY_MAX} bytes")]
    Body,
}

impl GuardedRequest {
    /// A call without headers and body.
    ///
    /// # Errors
    /// [`RequestRefused::Method`].
    pub fn new(method: &str, url: MerchantUrl) -> Result<Self, RequestRefused> {
        let method = METHODS.into_iter().find(|known| known.as_str() == method);
        Ok(Self {
            method: method.ok_or(RequestRefused::Method)?,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    /// Adds a header whose name somebody else has chosen.
    ///
    /// # Errors
    /// [`RequestRefused::Header`] for a name that is none of the list, a second of the same name, or an unfit value.
    pub fn header(self, name: &str, value: &str) -> Result<Self, RequestRefused> {
        self.further_header(&FurtherHeaders::default(), name, value)
    }

    /// As [`GuardedRequest::header`], with these names too.
    ///
    /// # Errors
    /// As there.
    pub fn further_header(mut self, names: &FurtherHeaders, name: &str, value: &str) -> Result<Self, RequestRefused> {
        crate::guard_headers::add(&mut self.headers, names, name, value)?;
        Ok(self)
    }

    /// Sets the body and its content type.
    ///
    /// # Errors
    /// [`RequestRefused::Body`] when it is too long.
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Result<Self, RequestRefused> {
        let body = body.into();
        if body.len() > CALL_BODY_MAX {
            return Err(RequestRefused::Body);
        }
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body;
        Ok(self)
    }

    /// Where it goes.
    pub fn url(&self) -> &MerchantUrl {
        &self.url
    }
}

impl fmt::Debug for GuardedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "GuardedRequest({} {:?}, {} bytes)",
            self.method,
            self.url,
            self.body.len()
        )
    }
}

/// An answer that arrived whole.
#[derive(Clone)]
pub struct GuardedAnswer {
    /// HTTP status.
    pub status: StatusCode,
    /// The content type, in lower case and without parameters; empty where there is none.
    pub content_type: String,
    /// Whether the body is compressed or otherwise encoded, although we asked for it as it is: it is not decoded.
    pub encoded: bool,
    /// The body, within the bound.
    pub body: Bytes,
    /// How long the other side wants to be left alone, where it said so in seconds.
    pub retry_after: Option<Duration>,
}

impl GuardedAnswer {
    /// Whether it sends us elsewhere, where we do not go.
    pub fn is_redirect(&self) -> bool {
        self.status.is_redirection()
    }
}

impl fmt::Debug for GuardedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuardedAnswer({}, {} bytes)", self.status, self.body.len())
    }
}

/// What went wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The host leads to an address that must not be called.
    Forbidden(Forbidden),
    /// The host's name cannot be resolved.
    Unresolved,
    /// No connection stood: refused, unreachable, too slow, or not believed (TLS).
    Connect,
    /// The answer was longer than the bound.
    TooLong,
    /// The time was over.
    Timeout,
    /// The connection broke, or what came was no HTTP.
    Broken,
}

impl Why {
    /// Its stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Forbidden(why) => why.word(),
            Self::Unresolved => "HOST_UNRESOLVED",
            Self::Connect => "CONNECT_FAILED",
            Self::TooLong => "ANSWER_TOO_LONG",
            Self::Timeout => "TIMEOUT",
            Self::Broken => "ANSWER_BROKEN",
        }
    }
}

/// A call that gave no answer: what went wrong, and the judgement.
#[must_use = "a call that was not sent may be repeated at once, the other may have acted"]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {error}", why.word())]
pub struct Unanswered {
    /// What went wrong.
    pub why: Why,
    /// Whether the other side may have acted.
    pub error: CallError,
}

/// A pool of connections to merchants' servers. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    /// For addresses of the public Internet.
    public: reqwest::Client,
    /// For addresses that only listed networks may have.
    listed: reqwest::Client,
    lookup: Arc<dyn Lookup>,
    policy: Arc<AddressPolicy>,
    peer: &'static str,
    timeout: Duration,
    answer_max: usize,
}

impl Guard {
    /// A guard that asks the operating system for addresses.
    ///
    /// # Errors
    /// [`Unusable`] when TLS cannot be set up or the authorities cannot be read.
    pub fn new(settings: &GuardSettings) -> Result<Self, Unusable> {
        Self::with_lookup(settings, Arc::new(SystemLookup::default()))
    }

    /// A guard that asks this for addresses.
    ///
    /// # Errors
    /// [`Unusable`] when TLS cannot be set up or the authorities cannot be read.
    pub fn with_lookup(settings: &GuardSettings, lookup: Arc<dyn Lookup>) -> Result<Self, Unusable> {
        let policy = Arc::new(settings.addresses.clone());
        let client = |reach: Reach| {
            let judge = Judge {
                lookup: Arc::clone(&lookup),
                policy: Arc::clone(&policy),
                reach,
            };
            client_builder(settings.connect_timeout, settings.roots_pem.as_deref())?
                .https_only(reach == Reach::Public)
                .http1_only()
                .referer(false)
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .pool_max_idle_per_host(2)
                .dns_resolver(judge)
                .build()
                .map_err(|error| Unusable(error.to_string()))
        };
        Ok(Self {
            public: client(Reach::Public)?,
            listed: client(Reach::Listed)?,
            lookup,
            policy,
            peer: settings.peer,
            timeout: settings.timeout,
            answer_max: settings.answer_max,
        })
    }

    /// The networks that this guard was given.
    pub fn policy(&self) -> &AddressPolicy {
        &self.policy
    }

    /// Asks where an address leads at present, without calling it: for the moment when it is set. What is true then may
    /// be otherwise later; each call asks again.
    ///
    /// # Errors
    /// [`Unanswered`] with [`Why::Forbidden`], [`Why::Unresolved`] or [`Why::Timeout`]; always not sent.
    pub async fn probe(&self, url: &MerchantUrl) -> Result<Vec<IpAddr>, Unanswered> {
        if let Some(address) = url.literal() {
            self.check_literal(url)?;
            return Ok(vec![address]);
        }
        let asked = judged(&*self.lookup, &self.policy, url.reach(), url.host());
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(found) => found.map_err(|no_way| not_sent(why_not(&no_way), no_way.to_string())),
            Err(_) => Err(not_sent(Why::Timeout, "the name was not resolved in time".to_owned())),
        }
    }

    /// Calls once, within the guard's time, and reads the whole answer. Redirects are answers like all others.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn send(&self, request: GuardedRequest) -> Result<GuardedAnswer, Unanswered> {
        self.send_within(request, self.timeout).await
    }

    /// As [`Guard::send`], within this time, where it is shorter.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn send_within(&self, request: GuardedRequest, within: Duration) -> Result<GuardedAnswer, Unanswered> {
        let begun = Instant::now();
        let answered = self.exchange(request, within.min(self.timeout)).await;
        let outcome = match &answered {
            Ok(answer) => outcome(Ok(answer.status)),
            Err(unanswered) => outcome(Err(&unanswered.error)),
        };
        counter!(metric::OUTBOUND, "peer" => self.peer, "outcome" => outcome).increment(1);
        histogram!(metric::OUTBOUND_DURATION, "peer" => self.peer).record(begun.elapsed());
        answered
    }

    async fn exchange(&self, request: GuardedRequest, within: Duration) -> Result<GuardedAnswer, Unanswered> {
        // The client asks no resolver about an address that stands in the URL itself.
        self.check_literal(&request.url)?;
        let client = match request.url.reach() {
            Reach::Public => &self.public,
            Reach::Listed => &self.listed,
        };
        let answer = client
            .request(request.method, request.url.as_str())
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .headers(request.headers)
            .body(request.body)
            .timeout(within)
            .send()
            .await
            .map_err(unanswered)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let too_long = || Unanswered {
            why: Why::TooLong,
            error: CallError::MaybeDone(format!("the answer is longer than {} bytes", self.answer_max)),
        };
        let declared = answer.content_length().and_then(|length| usize::try_from(length).ok());
        if declared.is_some_and(|length| length > self.answer_max) {
            return Err(too_long());
        }
        let mut body = BytesMut::new();
        let mut stream = answer.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(unanswered)?;
            if body.len().saturating_add(chunk.len()) > self.answer_max {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(read_head(status, &headers, body.freeze()))
    }

    fn check_literal(&self, url: &MerchantUrl) -> Result<(), Unanswered> {
        let Some(address) = url.literal() else {
            return Ok(());
        };
        self.policy
            .check(address, url.reach())
            .map_err(|why| not_sent(Why::Forbidden(why), NoWay::Forbidden(address, why).to_string()))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.peer)
    }
}

fn read_head(status: StatusCode, headers: &HeaderMap, body: Bytes) -> GuardedAnswer {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let content_type = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    let encoding = text(CONTENT_ENCODING).trim();
    // Only the form in seconds: a date would have to be believed.
    let retry_after = text(http::header::RETRY_AFTER).trim().parse().ok();
    GuardedAnswer {
        status,
        content_type: content_type.to_ascii_lowercase(),
        encoded: headers.contains_key(CONTENT_ENCODING) && !encoding.eq_ignore_ascii_case("identity"),
        body,
        retry_after: retry_after.map(Duration::from_secs),
    }
}

fn not_sent(why: Why, text: String) -> Unanswered {
    Unanswered {
        why,
        error: CallError::NotSent(text),
    }
}

fn why_not(no_way: &NoWay) -> Why {
    match no_way {
        NoWay::Unresolved(_) => Why::Unresolved,
        NoWay::Forbidden(_, why) => Why::Forbidden(*why),
    }
}

/// What went wrong, beside the judgement that all calls get.
fn unanswered(error: reqwest::Error) -> Unanswered {
    let mut source = std::error::Error::source(&error);
    let mut no_way = None;
    while let Some(cause) = source {
        no_way = no_way.or_else(|| cause.downcast_ref::<NoWay>().map(why_not));
        source = cause.source();
    }
    let why = match no_way {
        Some(why) => why,
        None if error.is_connect() || error.is_builder() => Why::Connect,
        None if error.is_timeout() => Why::Timeout,
        None => Why::Broken,
    };
    Unanswered {
        why,
        error: judge(error),
    }
}
