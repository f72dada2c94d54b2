//! The listener on the wire: requests that two readers could read in two ways are refused, and the connection with them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metropay_core::clock::SystemClock;
use metropay_core::random::SystemRandom;
use metropay_core::vault::MasterKey;
use metropay_payment_api::app::token::{AppKey, TokenAlgorithm};
use metropay_server::config::{Config, Profile};
use metropay_server::serve::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn server(folder: &Path) -> Server {
    server_with(folder, |_| {}).await
}

/// A server on this folder, with a configuration that is changed before it starts.
pub(crate) async fn server_with(folder: &Path, change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::load(Profile::Default, Path::new("no such folder")).unwrap();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.database.url = format!("sqlite://{}/metropay.db?mode=rwc", folder.display());
    config.secrets.master_key = MasterKey::generate(&SystemRandom).text();
    config.app.issuer = "an-app".to_owned();
    config.app.keys = vec![AppKey {
        kid: None,
        algorithm: TokenAlgorithm::HS256,
        public_key_pem: None,
        secret: Some(MasterKey::generate(&SystemRandom).text()),
    }];
    change(&mut config);
    Server::start(&config, Arc::new(SystemClock)).await.unwrap()
}

/// Sends these bytes and reads until the server closes the connection (or `None` when it does not within two seconds).
async fn exchange(server: &Server, request: &[u8]) -> (String, bool) {
    let mut socket = TcpStream::connect(server.addr()).await.unwrap();
    // The server may close while we are still writing.
    let _ = socket.write_all(request).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    let reading = async {
        while let Ok(read) = socket.read(&mut buffer).await {
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&buffer[..read]);
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(2), reading).await.is_ok();
    (String::from_utf8_lossy(&answer).into_owned(), closed)
}

const PAY: &str = "POST /metro/payment/v1/api/qrcode/applypay HTTP/1.1\r\nhost: pay.example.com\r\n";

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let many: String = (0..150).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(1 << 20));
    for (what, headers) in [
        ("two lengths", "content-length: 2\r\ncontent-length: 3\r\n"),
        (
            "length and chunks",
            "content-length: 2\r\ntransfer-encoding: chunked\r\n",
        ),
        ("a folded header", "content-length: 2\r\nx-fold: a\r\n b\r\n"),
        ("a length that is no number", "content-length: +2\r\n"),
        ("a hundred and fifty headers", many.as_str()),
        ("a header of a mebibyte", long.as_str()),
    ] {
        let (answer, closed) = exchange(&server, format!("{PAY}{headers}\r\n{{}}").as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "431"), "{what}: {answer}");
        assert!(closed, "{what}: the connection stays open");
    }
}

#[tokio::test]
async fn other_methods_and_paths_that_look_alike_are_not_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let path = "/metro/payment/v1/api/qrcode/applypay";
    let ask = async |method: &str, path: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let (answer, _) = exchange(&server, request.as_bytes()).await;
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    for method in ["GET", "PUT", "HEAD", "DELETE", "PATCH"] {
        assert_eq!(ask(method, path).await, "405", "{method}");
    }
    for alike in [
        format!("{path}/"),
        path.replace("/api/", "//api/"),
        path.replace("/api/", "/x/../api/"),
        path.replace("applypay", "%61pplypay"),
        path.replace("applypay", "applypay;x"),
        path.replace("applypay", "ApplyPay"),
        path.replace("/api/", "/%2e/api/"),
    ] {
        assert_eq!(ask("POST", &alike).await, "404", "{alike}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let mut socket = TcpStream::connect(server.addr()).await.unwrap();
    socket.write_all(PAY.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = socket.read_to_end(&mut answer);
    assert!(
        tokio::time::timeout(Duration::from_secs(13), reading).await.is_ok(),
        "still open after 13 s"
    );
}
