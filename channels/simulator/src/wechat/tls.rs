//! The gateway behind TLS, where calls under `/secapi` can really demand the merchant's certificate (wechat reference,
//! 1.5 and 11.2). It stands under `/wechat` as elsewhere, and under the bare paths of the real host too.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::authority;
use crate::frame::Frame;

/// Connections whose handshake is done and that nobody has taken yet.
const BACKLOG: usize = 64;

/// The WeChat Pay gateway on a TLS listener. Dropping it stops it.
pub struct WechatTls {
    addr: SocketAddr,
    ca_pem: String,
    _stop: oneshot::Sender<()>,
}

impl WechatTls {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The certificate of the authority that issued the server's certificate and the merchants', PEM. The server's is for
    /// `localhost`, `127.0.0.1` and the names of the real hosts.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

/// Who is at the other end: the common name of the certificate that was shown.
#[derive(Debug, Clone)]
pub(super) struct ClientCertificate(pub Option<String>);

/// Starts the gateway on a TLS listener of its own.
pub(crate) async fn start(frame: &Arc<Frame>, listen: SocketAddr) -> io::Result<WechatTls> {
    let making = Arc::clone(frame);
    // Making keys takes a while; it must not hold up the gateways.
    let (acceptor, ca_pem) = tokio::task::spawn_blocking(move || acceptor(&making))
        .await
        .map_err(io::Error::other)??;
    let listener = TcpListener::bind(listen).await?;
    let addr = listener.local_addr()?;
    let (done, handshakes) = mpsc::channel(BACKLOG);
    let accepting = tokio::spawn(accept(listener, acceptor, done));
    let app = Router::new()
        .nest("/wechat", super::router())
        .merge(super::router())
        .with_state(Arc::clone(frame))
        .into_make_service_with_connect_info::<ClientCertificate>();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let serving = axum::serve(Handshakes { handshakes, addr }, app).with_graceful_shutdown(async {
            stopped.await.ok();
        });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the TLS door of the WeChat gateway stopped: {error}");
        }
        accepting.abort();
    });
    Ok(WechatTls {
        addr,
        ca_pem,
        _stop: stop,
    })
}

/// Takes certificates of the gateway's own authority, and callers without any: which calls need one is the door's matter.
fn acceptor(frame: &Frame) -> io::Result<(TlsAcceptor, String)> {
    let root = authority::root(frame);
    let server = authority::issue_to_server(frame).map_err(io::Error::other)?;
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other);
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&root.ca_pem)?).map_err(io::Error::other)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes()).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(&server.cert_pem)?], key)
        .map_err(io::Error::other)?;
    Ok((TlsAcceptor::from(Arc::new(config)), root.ca_pem))
}

/// Each handshake has a task of its own, so that a slow caller holds up nobody.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, done: mpsc::Sender<Shaken>) {
    while let Ok((stream, addr)) = listener.accept().await {
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            // Who cannot shake hands is simply cut off, as by the real gateway.
            if let Ok(stream) = acceptor.accept(stream).await {
                done.send((stream, addr)).await.ok();
            }
        });
    }
}

type Shaken = (TlsStream<TcpStream>, SocketAddr);

struct Handshakes {
    handshakes: mpsc::Receiver<Shaken>,
    addr: SocketAddr,
}

impl Listener for Handshakes {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.handshakes.recv().await {
            Some(shaken) => shaken,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.addr)
    }
}

impl Connected<IncomingStream<'_, Handshakes>> for ClientCertificate {
    fn connect_info(stream: IncomingStream<'_, Handshakes>) -> Self {
        let shown = stream.io().get_ref().1.peer_certificates();
        let first = shown.and_then(<[_]>::first);
        Self(first.and_then(|certificate| common_name(certificate)))
    }
}

fn common_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}
