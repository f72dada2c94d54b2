//! The client: bounded in time and size, no redirects, no retries, no proxies from the environment.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use metrics::{counter, histogram};
use metropay_core::channel::CallError;
use metropay_core::metric;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Bounds of a client.
#[derive(Debug, Clone)]
pub struct OutboundSettings {
    /// Who is at the other side, as calls are counted: a word of few (`wechat`), never an address.
    pub peer: &'static str,
    /// How long a connection may take to stand.
    pub connect_timeout: Duration,
    /// How large an answer's body may be, in bytes.
    pub answer_max: usize,
    /// Client certificate and key as PEM, where the other side demands mutual TLS.
    pub identity_pem: Option<Vec<u8>>,
    /// The certificates, PEM, of the authorities that are believed instead of the system's: for a gateway of one's own.
    pub roots_pem: Option<Vec<u8>>,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            peer: "other",
            connect_timeout: Duration::from_secs(3),
            answer_max: 1 << 20,
            identity_pem: None,
            roots_pem: None,
        }
    }
}

impl OutboundSettings {
    /// The usual bounds towards this peer.
    pub fn to(peer: &'static str) -> Self {
        Self {
            peer,
            ..Self::default()
        }
    }
}

/// A request on its way out.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The full address.
    pub url: String,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
    /// How long the whole call may take.
    pub timeout: Duration,
}

impl Request {
    /// A POST with a body of this content type.
    pub fn post(url: impl Into<String>, content_type: &'static str, body: impl Into<Bytes>, timeout: Duration) -> Self {
        let headers = vec![(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self {
            method: Method::POST,
            url: url.into(),
            headers,
            body: body.into(),
            timeout,
        }
    }

    /// A GET.
    pub fn get(url: impl Into<String>, timeout: Duration) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout,
        }
    }
}

/// An answer that arrived whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, within the bound.
    pub body: Bytes,
}

/// An answer whose body went into a file.
#[derive(Debug)]
pub struct Download {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// How long the body is, in bytes.
    pub length: u64,
    /// The body, to be read from its beginning.
    pub file: std::fs::File,
}

/// A pool of connections with its bounds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    peer: &'static str,
    answer_max: usize,
}

/// A client that cannot be made: the identity or an authority is no readable PEM, or TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the outbound client cannot be made: {0}")]
pub struct Unusable(pub(crate) String);

impl Outbound {
    /// A client with these bounds.
    ///
    /// # Errors
    /// [`Unusable`] when the identity or an authority cannot be read or TLS cannot be set up.
    pub fn new(settings: &OutboundSettings) -> Result<Self, Unusable> {
        let mut builder = client_builder(settings.connect_timeout, settings.roots_pem.as_deref())?;
        if let Some(pem) = &settings.identity_pem {
            let identity =
                reqwest::Identity::from_pem(pem).map_err(|_| Unusable("the identity is no readable PEM".to_owned()))?;
            builder = builder.identity(identity);
        }
        let client = builder.build().map_err(|error| Unusable(error.to_string()))?;
        Ok(Self {
            client,
            peer: settings.peer,
            answer_max: settings.answer_max,
        })
    }

    /// Sends a request once and reads the whole answer.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when no connection stood; [`CallError::MaybeDone`] for everything after that: time-outs,
    /// resets, half answers, answers above the bound.
    pub async fn send(&self, request: Request) -> Result<Answer, CallError> {
        let answer = self.begin(request).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        let mut stream = answer.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(judge)?;
            if body.len().saturating_add(chunk.len()) > self.answer_max {
                return Err(CallError::MaybeDone(format!(
                    "the answer is longer than {} bytes",
                    self.answer_max
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }
}

impl Outbound {
    /// Sends a request once and writes the answer's body into a file that has no name and vanishes when it is dropped: for
    /// bills, which may be larger than memory.
    ///
    /// # Errors
    /// As [`Outbound::send`]; a body above `body_max` bytes or one that cannot be written down is [`CallError::MaybeDone`].
    pub async fn download(&self, request: Request, body_max: u64) -> Result<Download, CallError> {
        let answer = self.begin(request).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let unwritable = |error: std::io::Error| CallError::MaybeDone(format!("the file cannot be written: {error}"));
        let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(unwritable)?);
        let mut stream = answer.bytes_stream();
        let mut length: u64 = 0;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(judge)?;
            length = length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if length > body_max {
                return Err(CallError::MaybeDone(format!(
                    "the file is longer than {body_max} bytes"
                )));
            }
            file.write_all(&chunk).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        file.rewind().await.map_err(unwritable)?;
        Ok(Download {
            status,
            headers,
            length,
            file: file.into_std().await,
        })
    }

    async fn begin(&self, request: Request) -> Result<reqwest::Response, CallError> {
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers {
            headers.append(name, value);
        }
        let begun = Instant::now();
        let sent = self
            .client
            .request(request.method, &request.url)
            .headers(headers)
            .body(request.body)
            .timeout(request.timeout)
            .send()
            .await;
        let sent = sent.map_err(judge);
        let outcome = outcome(sent.as_ref().map(reqwest::Response::status));
        counter!(metric::OUTBOUND, "peer" => self.peer, "outcome" => outcome).increment(1);
        histogram!(metric::OUTBOUND_DURATION, "peer" => self.peer).record(begun.elapsed());
        sent
    }
}

/// The word by which a request is counted.
pub(crate) fn outcome(sent: Result<StatusCode, &CallError>) -> &'static str {
    match sent {
        Ok(status) => match status.as_u16() {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        },
        Err(CallError::NotSent(_)) => "not_sent",
        Err(CallError::MaybeDone(_)) => "maybe_done",
    }
}

/// What all clients have in common: bounded in time, no redirects, no retries, no proxies from the environment.
pub(crate) fn client_builder(
    connect_timeout: Duration,
    roots_pem: Option<&[u8]>,
) -> Result<reqwest::ClientBuilder, Unusable> {
    let builder = reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("metropay/", env!("CARGO_PKG_VERSION")));
    let Some(pem) = roots_pem else {
        return Ok(builder);
    };
    let roots = reqwest::Certificate::from_pem_bundle(pem).unwrap_or_default();
    if roots.is_empty() {
        return Err(Unusable("the authorities are no readable PEM".to_owned()));
    }
    Ok(builder.tls_certs_only(roots))
}

/// The judgement. A URL in reqwest's errors may carry an unguessable path, so it is taken out.
pub(crate) fn judge(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    // A request that could not even be built, or whose connection never stood, left nothing on the wire. A connect
    // error that is also a time-out is the connect time-out.
    if error.is_builder() || error.is_connect() {
        CallError::NotSent(text)
    } else {
        CallError::MaybeDone(text)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    fn client(answer_max: usize) -> Outbound {
        Outbound::new(&OutboundSettings {
            answer_max,
            ..OutboundSettings::default()
        })
        .unwrap()
    }

    /// Serves one connection: reads the request, writes these bytes, closes.
    async fn serve(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/pay", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await.unwrap();
            socket.write_all(bytes).await.unwrap();
        });
        url
    }

    fn post(url: String) -> Request {
        Request::post(url, "text/plain", "x", Duration::from_millis(500))
    }

    #[tokio::test]
    async fn a_refused_connection_was_not_sent() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = client(100)
            .send(post(format!("http://{closed}/pay")))
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::NotSent(_)), "{error}");
    }

    #[tokio::test]
    async fn an_unknown_host_and_an_address_that_is_none_were_not_sent() {
        for url in ["http://host.invalid/pay", "no address"] {
            let error = client(100).send(post(url.to_owned())).await.unwrap_err();
            assert!(matches!(error, CallError::NotSent(_)), "{error}");
        }
    }

    #[tokio::test]
    async fn whatever_breaks_after_the_connection_stood_may_have_been_done() {
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        for bytes in [&b""[..], b"no http at all\r\n\r\n", half] {
            let error = client(1000).send(post(serve(bytes).await)).await.unwrap_err();
            assert!(matches!(error, CallError::MaybeDone(_)), "{error}");
        }
        let long = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n01234567890123456789").await;
        let error = client(10).send(post(long)).await.unwrap_err();
        assert!(matches!(error, CallError::MaybeDone(_)), "{error}");
    }

    #[tokio::test]
    async fn silence_may_have_been_done_and_its_error_does_not_tell_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
        let error = client(100).send(post(url)).await.unwrap_err();
        assert!(matches!(error, CallError::MaybeDone(_)), "{error}");
        assert!(!error.to_string().contains("secret-path"), "{error}");
    }

    #[tokio::test]
    async fn a_file_is_written_down_whole_or_not_at_all() {
        use std::io::Read;

        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nrows";
        let get = |url: String| Request::get(url, Duration::from_millis(500));
        let mut download = client(1).download(get(serve(whole).await), 4).await.unwrap();
        let mut text = String::new();
        download.file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), download.length), ("rows", 4));
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nrows";
        for (bytes, max) in [(&whole[..], 3), (&half[..], 100)] {
            let error = client(1).download(get(serve(bytes).await), max).await.unwrap_err();
            assert!(matches!(error, CallError::MaybeDone(_)), "{error}");
        }
    }

    #[test]
    fn what_is_no_identity_and_no_authority_makes_no_client() {
        for pem in [
            &b""[..],
            b"rubbish",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let identity = OutboundSettings {
                identity_pem: Some(pem.to_vec()),
                ..OutboundSettings::default()
            };
            let roots = OutboundSettings {
                roots_pem: Some(pem.to_vec()),
                ..OutboundSettings::default()
            };
            for settings in [identity, roots] {
                assert!(Outbound::new(&settings).is_err(), "{settings:?}");
            }
        }
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let url = serve(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client(100).send(post(url)).await.unwrap().status, StatusCode::FOUND);
    }
}
