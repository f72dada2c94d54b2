//! What the guard makes of hostile names and hostile servers.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail like the test itself")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use metropay_outbound::CallError;
use metropay_outbound::guard::{
    AddressPolicy, CALL_BODY_MAX, Forbidden, Guard, GuardSettings, GuardedAnswer, GuardedRequest, Lookup, MerchantUrl,
    RequestRefused, Unanswered, Why,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server of a merchant, which does with a connection what it likes, and counts.
struct Stub {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn serve<F, R>(act: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, log) = (Arc::clone(&connections), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut buffer = vec![0; 64 * 1024];
                let read = socket.read(&mut buffer).await.unwrap_or(0);
                log.lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&buffer[..read]).into_owned());
                tokio::spawn(act(socket));
            }
        });
        Self {
            address,
            connections,
            requests,
        }
    }

    /// A server that says this and closes.
    async fn says(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<Vec<u8>> = Arc::new(bytes.into());
        Self::serve(move |mut socket| {
            let bytes = Arc::clone(&bytes);
            async move {
                let _ = socket.write_all(&bytes).await;
            }
        })
        .await
    }

    fn url(&self) -> MerchantUrl {
        MerchantUrl::parse(&format!("http://{}/secret-path", self.address), &lan()).unwrap()
    }

    fn named(&self, host: &str) -> MerchantUrl {
        MerchantUrl::parse(&format!("http://{host}:{}/secret-path", self.address.port()), &lan()).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A resolver whose answers change from question to question; the last repeats.
struct Changing {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Changing {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: answers.iter().map(parsed).collect(),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Lookup for Changing {
    fn addresses(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[asked.min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

/// A resolver that never answers.
struct Silent;

impl Lookup for Silent {
    fn addresses(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

fn lan() -> AddressPolicy {
    AddressPolicy {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        own: vec![],
    }
}

fn settings(addresses: AddressPolicy) -> GuardSettings {
    GuardSettings {
        addresses,
        connect_timeout: Duration::from_millis(300),
        timeout: Duration::from_millis(800),
        ..GuardSettings::default()
    }
}

fn local() -> Guard {
    Guard::new(&settings(lan())).unwrap()
}

fn post(url: MerchantUrl) -> GuardedRequest {
    GuardedRequest::new("POST", url)
        .unwrap()
        .body("application/json", "{}")
        .unwrap()
}

async fn lost(guard: &Guard, url: MerchantUrl) -> Unanswered {
    let unanswered = guard.send(post(url)).await.unwrap_err();
    let told = unanswered.to_string();
    assert!(!told.contains("secret-path"), "{told}");
    unanswered
}

fn was_not_sent(unanswered: &Unanswered, why: Why) {
    assert_eq!(unanswered.why, why, "{unanswered}");
    assert!(matches!(unanswered.error, CallError::NotSent(_)), "{unanswered}");
}

fn may_be_done(unanswered: &Unanswered, why: Why) {
    assert_eq!(unanswered.why, why, "{unanswered}");
    assert!(matches!(unanswered.error, CallError::MaybeDone(_)), "{unanswered}");
}

async fn answer(bytes: impl Into<Vec<u8>>) -> GuardedAnswer {
    let stub = Stub::says(bytes).await;
    local().send(post(stub.url())).await.unwrap()
}

const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// The set-up of the rebinding tests: the machine itself is a listed network for nobody.
async fn rebound(answers: &[&[&str]]) -> (Unanswered, usize) {
    let stub = Stub::says(EMPTY).await;
    // The URL is one of a listed network, so that the port of the stub may be named; the guard lists another one.
    let elsewhere = AddressPolicy {
        allowed: vec!["10.0.0.0/8".parse().unwrap(), "203.0.114.0/24".parse().unwrap()],
        own: vec![],
    };
    let guard = Guard::with_lookup(&settings(elsewhere), Changing::new(answers)).unwrap();
    let url = stub.named("shop.lan");
    if answers.len() > 1 {
        assert_eq!(guard.probe(&url).await.unwrap().len(), answers[0].len());
    }
    (lost(&guard, url).await, stub.connections())
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_when_it_is_called_reaches_nothing() {
    for inside in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "64:ff9b::7f00:1"] {
        let (unanswered, connections) = rebound(&[&["203.0.114.7"], &[inside]]).await;
        assert!(matches!(unanswered.why, Why::Forbidden(_)), "{inside}: {unanswered}");
        assert!(
            matches!(unanswered.error, CallError::NotSent(_)),
            "{inside}: {unanswered}"
        );
        assert_eq!(connections, 0, "{inside}");
    }
    let (unanswered, _) = rebound(&[&["203.0.114.7"], &["127.0.0.1"]]).await;
    was_not_sent(&unanswered, Why::Forbidden(Forbidden::Loopback));
}

#[tokio::test]
async fn one_false_address_condemns_the_true_ones_beside_it() {
    for mixed in [&["203.0.114.7", "127.0.0.1"], &["127.0.0.1", "203.0.114.7"]] {
        let (unanswered, connections) = rebound(&[mixed]).await;
        was_not_sent(&unanswered, Why::Forbidden(Forbidden::Loopback));
        assert_eq!(connections, 0);
    }
    let (unanswered, _) = rebound(&[&["8.8.8.8"]]).await;
    was_not_sent(&unanswered, Why::Forbidden(Forbidden::NotListed));
}

#[tokio::test]
async fn a_name_is_resolved_anew_for_every_connection() {
    let stub = Stub::says("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    let lookup = Changing::new(&[&["127.0.0.1"], &["127.0.0.1"], &["192.168.0.1"]]);
    let guard = Guard::with_lookup(&settings(lan()), lookup).unwrap();
    for _ in 0..2 {
        guard.send(post(stub.named("shop.lan"))).await.unwrap();
    }
    let unanswered = lost(&guard, stub.named("shop.lan")).await;
    was_not_sent(&unanswered, Why::Forbidden(Forbidden::Private));
    assert_eq!(stub.connections(), 2);
}

#[tokio::test]
async fn no_address_too_many_and_no_answer_of_the_resolver_are_not_sent() {
    let many: Vec<String> = (0..40).map(|n| format!("127.0.0.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for answers in [&[][..], &many] {
        let guard = Guard::with_lookup(&settings(lan()), Changing::new(&[answers])).unwrap();
        let url = MerchantUrl::parse("http://shop.lan/", &lan()).unwrap();
        was_not_sent(&lost(&guard, url).await, Why::Unresolved);
    }
    let guard = Guard::with_lookup(&settings(lan()), Arc::new(Silent)).unwrap();
    let url = MerchantUrl::parse("http://shop.lan/", &lan()).unwrap();
    let begun = Instant::now();
    was_not_sent(&lost(&guard, url.clone()).await, Why::Connect);
    was_not_sent(&guard.probe(&url).await.unwrap_err(), Why::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn an_address_in_the_url_itself_is_judged_by_the_guard_that_calls_it() {
    let stub = Stub::says(EMPTY).await;
    let strict = Guard::new(&settings(AddressPolicy::default())).unwrap();
    was_not_sent(&lost(&strict, stub.url()).await, Why::Forbidden(Forbidden::Loopback));
    let mut own = lan();
    own.own.push("127.0.0.1".parse().unwrap());
    let guard = Guard::new(&settings(own)).unwrap();
    was_not_sent(&lost(&guard, stub.url()).await, Why::Forbidden(Forbidden::Own));
    was_not_sent(
        &guard.probe(&stub.url()).await.unwrap_err(),
        Why::Forbidden(Forbidden::Own),
    );
    assert_eq!(stub.connections(), 0);
    assert_eq!(local().probe(&stub.url()).await.unwrap(), [stub.address.ip()]);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let other = Stub::says(EMPTY).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let to = format!(
            "HTTP/1.1 {status}\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
            other.address
        );
        let answer = answer(to).await;
        assert!(answer.is_redirect(), "{answer:?}");
    }
    assert_eq!(other.connections(), 0);
    assert!(!answer(EMPTY).await.is_redirect());
}

#[tokio::test]
async fn an_answer_of_a_gigabyte_ends_at_the_bound() {
    let declared = Stub::says("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n").await;
    may_be_done(&lost(&local(), declared.url()).await, Why::TooLong);

    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let endless = Stub::serve(move |mut socket| {
        let count = Arc::clone(&count);
        async move {
            let _ = socket
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            let chunk = [&b"10000\r\n"[..], &vec![b'a'; 0x10000], b"\r\n"].concat();
            while count.load(Ordering::SeqCst) < 1 << 30 && socket.write_all(&chunk).await.is_ok() {
                count.fetch_add(0x10000, Ordering::SeqCst);
            }
        }
    })
    .await;
    may_be_done(&lost(&local(), endless.url()).await, Why::TooLong);
    // What stood in the buffers of both machines, and not a gigabyte.
    assert!(written.load(Ordering::SeqCst) < 64 << 20);
}

#[tokio::test]
async fn an_answer_of_exactly_the_bound_is_taken_and_one_byte_more_is_not() {
    let body = |length: usize| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        bytes.resize(bytes.len() + length, b'a');
        bytes
    };
    assert_eq!(answer(body(64 * 1024)).await.body.len(), 64 * 1024);
    let stub = Stub::says(body(64 * 1024 + 1)).await;
    may_be_done(&lost(&local(), stub.url()).await, Why::TooLong);
}

#[tokio::test]
async fn slow_and_silent_servers_are_left_at_the_end_of_the_time() {
    let drip = |head: &'static str| {
        Stub::serve(move |mut socket| async move {
            let _ = socket.write_all(head.as_bytes()).await;
            while socket.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-slow: ",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4000\r\n",
    ] {
        let stub = drip(head).await;
        let begun = Instant::now();
        may_be_done(&lost(&local(), stub.url()).await, Why::Timeout);
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{head}");
    }
    let silent = Stub::serve(|socket| async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(socket);
    })
    .await;
    may_be_done(&lost(&local(), silent.url()).await, Why::Timeout);
    let begun = Instant::now();
    let shorter = local()
        .send_within(post(silent.url()), Duration::from_millis(100))
        .await;
    may_be_done(&shorter.unwrap_err(), Why::Timeout);
    assert!(begun.elapsed() < Duration::from_millis(600));
}

#[tokio::test]
async fn what_is_no_http_or_breaks_off_is_broken() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: b\r\n".repeat(1_000));
    let long = format!("HTTP/1.1 200 OK\r\nx-a: {}\r\n\r\n", "b".repeat(1 << 20));
    for bytes in [
        "",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        &many,
        &long,
    ] {
        let stub = Stub::says(bytes).await;
        let unanswered = lost(&local(), stub.url()).await;
        may_be_done(&unanswered, Why::Broken);
    }
}

#[tokio::test]
async fn other_kinds_of_answers_are_told_by_their_type_and_nothing_is_decompressed() {
    let html =
        answer("HTTP/1.1 200 OK\r\ncontent-type: Text/HTML; charset=utf-8\r\ncontent-length: 6\r\n\r\n<html>").await;
    assert_eq!((html.content_type.as_str(), html.encoded), ("text/html", false));
    assert_eq!(&html.body[..], b"<html>");
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: 4\r\n\r\n\x1f\x0b\x08\x00");
        let packed = answer(head).await;
        assert!(packed.encoded, "{encoding}");
        assert_eq!(packed.body.len(), 4, "{encoding}");
    }
    let busy = answer("HTTP/1.1 503 Busy\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(
        (busy.status.as_u16(), busy.retry_after),
        (503, Some(Duration::from_secs(120)))
    );
    let dated =
        answer("HTTP/1.1 503 Busy\r\nretry-after: Fri, 31 Dec 2027 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!((dated.content_type.as_str(), dated.retry_after), ("", None));
    assert!(!format!("{html:?}").contains("<html>"));
}

#[tokio::test]
async fn a_port_where_nobody_listens_and_a_server_without_tls_were_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = MerchantUrl::parse(&format!("http://{closed}/"), &lan()).unwrap();
    was_not_sent(&lost(&local(), url).await, Why::Connect);
    let stub = Stub::says(EMPTY).await;
    let url = MerchantUrl::parse(&format!("https://{}/", stub.address), &lan()).unwrap();
    was_not_sent(&lost(&local(), url).await, Why::Connect);
    assert!(!stub.requests.lock().unwrap()[0].contains("POST"));
}

#[tokio::test]
async fn a_request_has_our_headers_and_those_of_the_list() {
    let stub = Stub::says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let request = post(stub.url()).header("X-Sign", "abc").unwrap();
    assert_eq!(
        request.clone().header("Host", "evil").unwrap_err().to_string(),
        "a header cannot be sent: not a name that may be set"
    );
    assert!(!format!("{request:?}").contains("abc"));
    local().send(request).await.unwrap();
    let sent = stub.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(sent.starts_with("post /secret-path http/1.1\r\n"), "{sent}");
    for header in [
        "\r\nx-sign: abc",
        "\r\naccept-encoding: identity",
        "\r\ncontent-type: application/json",
        "\r\nuser-agent: metropay/",
    ] {
        assert!(sent.contains(header), "{header}: {sent}");
    }
    for header in ["cookie", "referer", "x-forwarded"] {
        assert!(!sent.contains(header), "{header}: {sent}");
    }
}

#[tokio::test]
async fn only_five_methods_and_bounded_bodies_are_sent() {
    let url = MerchantUrl::parse("https://api.shop.com/", &lan()).unwrap();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(GuardedRequest::new(method, url.clone()).is_ok(), "{method}");
    }
    for method in ["CONNECT", "TRACE", "OPTIONS", "HEAD", "get", "", "GET /x", "PURGE"] {
        let refused = GuardedRequest::new(method, url.clone()).unwrap_err();
        assert_eq!(refused, RequestRefused::Method, "{method}");
    }
    let request = GuardedRequest::new("POST", url).unwrap();
    let refused = request.body("text/plain", vec![0; CALL_BODY_MAX + 1]).unwrap_err();
    assert_eq!(refused, RequestRefused::Body);
}

/// Environment variables are read once, so a process of its own is asked.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    const CHILD: &str = "METROPAY_TEST_GUARD_TARGET";
    if let Ok(target) = std::env::var(CHILD) {
        let url = MerchantUrl::parse(&target, &lan()).unwrap();
        local().send(post(url)).await.unwrap();
        return;
    }
    let (target, proxy) = (Stub::says(EMPTY).await, Stub::says(EMPTY).await);
    let proxy_url = format!("http://{}", proxy.address);
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_proxy_of_the_environment_is_not_used"])
        .env(CHILD, target.url().as_str())
        .envs(
            [
                "http_proxy",
                "HTTP_PROXY",
                "https_proxy",
                "HTTPS_PROXY",
                "all_proxy",
                "ALL_PROXY",
            ]
            .map(|name| (name, &proxy_url)),
        )
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .await
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!((target.connections(), proxy.connections()), (1, 0));
}
