//! Event streams over the listener: what one costs, and how a stopping server ends them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metropay_core::clock::{Clock, SystemClock};
use metropay_core::random::SystemRandom;
use metropay_core::vault::MasterKey;
use metropay_payment_api::app::token::{AppKey, KeyPair, TokenAlgorithm, TokenClaims, TokenIssuer};
use metropay_server::config::{Config, Profile};
use metropay_server::serve::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Memory that one stream may take.
const STREAM_BYTES_MAX: usize = 24 * 1024;
/// Streams that are opened to measure it: each takes two of a process's files here.
const STREAMS: usize = 2_000;

/// A server, and whoever makes its tokens.
struct Ground {
    server: Server,
    issuer: TokenIssuer,
    _folder: tempfile::TempDir,
}

async fn ground(change: impl FnOnce(&mut Config)) -> Ground {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::load(Profile::Default, Path::new("no such folder")).unwrap();
    let pair = KeyPair::generate(&SystemRandom).unwrap();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.database.url = format!("sqlite://{}/metropay.db?mode=rwc", folder.path().display());
    config.secrets.master_key = MasterKey::generate(&SystemRandom).text();
    config.app.issuer = "an-app".to_owned();
    config.app.keys = vec![AppKey {
        kid: None,
        algorithm: TokenAlgorithm::EdDSA,
        public_key_pem: Some(pair.public_key_pem.clone()),
        secret: None,
    }];
    change(&mut config);
    let issuer = TokenIssuer::new(&config.app.issuer(), None, &pair.private_key_pem).unwrap();
    let server = Server::start(&config, Arc::new(SystemClock)).await.unwrap();
    Ground {
        server,
        issuer,
        _folder: folder,
    }
}

impl Ground {
    fn token(&self, uid: &str) -> String {
        let now = SystemClock.now();
        let claims = TokenClaims {
            uid: uid.into(),
            issued_at: now,
            expires_at: now.plus(Duration::from_secs(3_600)),
            jti: format!("jti-{uid}"),
            phone_number: None,
            phone_number_verified: false,
            jkt: None,
        };
        self.issuer.issue(&claims).unwrap()
    }

    /// Opens a user's stream, and waits for its first frame.
    async fn stream(&self, uid: &str) -> TcpStream {
        let token = self.token(uid);
        let ask = format!("GET /app/v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
        let mut socket = TcpStream::connect(self.server.addr()).await.unwrap();
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut told = Vec::new();
        while !String::from_utf8_lossy(&told).contains("event: ready") {
            let mut buffer = [0; 1024];
            let read = timeout(Duration::from_secs(30), socket.read(&mut buffer))
                .await
                .unwrap()
                .unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&told));
            told.extend_from_slice(&buffer[..read]);
        }
        socket
    }
}

/// The status of a request on a connection of its own; nothing when nobody takes it.
async fn status(addr: std::net::SocketAddr, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(addr).await.ok()?;
    let ask = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).await.ok()?;
    let mut told = String::new();
    socket.read_to_string(&mut told).await.ok()?;
    told.split(' ').nth(1).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_is_not_ready_and_ends_its_streams_at_once() {
    let ground = ground(|config| config.server.unready_s = 2).await;
    let addr = ground.server.addr();
    assert_eq!(status(addr, "/readyz").await.as_deref(), Some("200"));
    let mut stream = ground.stream("anna").await;
    let begun = Instant::now();
    let stopping = tokio::spawn(ground.server.stop());
    // It ends as streams end, so that the App comes back and does not guess.
    let ended = async {
        let (mut rest, mut buffer) = (Vec::new(), [0; 1024]);
        while !rest.ends_with(b"0\r\n\r\n") {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&rest));
            rest.extend_from_slice(&buffer[..read]);
        }
    };
    timeout(Duration::from_secs(1), ended)
        .await
        .expect("the stream ends at once");
    assert_eq!(
        status(addr, "/readyz").await.as_deref(),
        Some("503"),
        "load balancers look elsewhere"
    );
    assert_eq!(
        status(addr, "/healthz").await.as_deref(),
        Some("200"),
        "what still comes is served"
    );
    stopping.await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2) && begun.elapsed() < Duration::from_secs(8));
    assert_eq!(status(addr, "/healthz").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_stops_too() {
    let ground = ground(|config| config.server.connections_max = 1).await;
    let _stream = ground.stream("anna").await;
    timeout(Duration::from_secs(5), ground.server.stop())
        .await
        .expect("it does not wait for room");
}

/// What the process keeps in memory, in bytes.
fn memory() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = told.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_takes_little_memory_and_is_woken_among_thousands() {
    let ground = ground(|_| {}).await;
    let mut streams = Vec::with_capacity(STREAMS);
    // What is made once is made before it is measured.
    for nth in 0..50 {
        streams.push(ground.stream(&format!("first-{nth}")).await);
    }
    let before = memory();
    let asked: Vec<String> = (0..STREAMS).map(|nth| format!("user-{nth}")).collect();
    for some in asked.chunks(20) {
        streams.extend(futures::future::join_all(some.iter().map(|uid| ground.stream(uid))).await);
    }
    let each = memory().saturating_sub(before) / STREAMS;
    eprintln!("{each} bytes a stream, over {STREAMS} streams");
    assert!(each < STREAM_BYTES_MAX, "{each} bytes a stream");

    // Nobody is read for who is not woken; a wake-up without news says nothing.
    ground
        .server
        .engine()
        .live
        .wake(&format!("user-{}", STREAMS - 1).as_str().into());
    let mut buffer = [0; 64];
    let newest = streams.last_mut().unwrap();
    let woken = timeout(Duration::from_millis(300), newest.read(&mut buffer)).await;
    assert!(woken.is_err(), "nothing to tell, nothing told");
    let begun = Instant::now();
    timeout(Duration::from_secs(10), ground.server.stop())
        .await
        .expect("thousands of streams end at once");
    eprintln!("{STREAMS} streams ended in {:?}", begun.elapsed());
}
