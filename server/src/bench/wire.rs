//! A light HTTP client: few allocations, connections that are kept, and nothing else, because it shares the machine with what
//! it measures.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer is waited for: longer than a till may have to.
const WAIT: Duration = Duration::from_secs(20);

/// The way to one server.
#[derive(Debug)]
pub(super) struct Wire {
    address: SocketAddr,
    authority: String,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Wire {
    /// The way to a server at an `http://` address.
    ///
    /// # Errors
    /// When the address is another, or is not found.
    pub(super) async fn to(base_url: &str) -> Result<Self> {
        let url = url::Url::parse(base_url).with_context(|| format!("the address {base_url:?}"))?;
        ensure!(
            url.scheme() == "http",
            "{base_url}: TLS would be measured, too; name the http:// address behind it"
        );
        let (host, port) = (url.host_str(), url.port_or_known_default());
        let (host, port) = host.zip(port).context("an address without host")?;
        let mut found = tokio::net::lookup_host((host, port)).await?;
        Ok(Self {
            address: found.next().with_context(|| format!("{host} has no address"))?,
            authority: match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            idle: Mutex::default(),
        })
    }

    /// `Host`, as it is sent.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks, on a kept connection where one is idle.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Reply> {
        timeout(WAIT, self.exchange(request))
            .await
            .context("no answer in time")?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply> {
        let mut connection = match self.kept() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        if connection.ready().await.is_ok() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
        Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }

    fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // A connection that breaks off fails its request, which is counted.
            let _ = connection.await;
        });
        Ok(sender)
    }
}
