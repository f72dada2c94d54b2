use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::routing::{get, post};
use futures::stream;
use http::{HeaderMap, StatusCode};
use metropay_core::clock::SystemClock;
use metropay_core::random::SeededRandom;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::answer::Answer;
use crate::seal::Seal;

static LATE_WORK_DONE: AtomicBool = AtomicBool::new(false);

async fn echo(call: Call, body: Bytes) -> Answer<String> {
    call.answer(Ok(String::from_utf8_lossy(&body).into_owned()))
}

async fn whence(call: Call) -> Answer<Option<String>> {
    let client = call.client.map(|address| address.to_string());
    call.answer(Ok(client))
}

async fn panicking() -> Response {
    panic!("canary-7f3a in a panic");
}

async fn late(call: Call) -> Answer<()> {
    tokio::time::sleep(Duration::from_secs(5)).await;
    LATE_WORK_DONE.store(true, Ordering::SeqCst);
    call.answer(Ok(()))
}

async fn kept() -> Response {
    ([(CACHE_CONTROL, "max-age=60")], "page").into_response()
}

fn app() -> Router {
    let router = Router::new()
        .route("/api/echo", post(echo))
        .route("/api/large/echo", post(echo))
        .route("/api/whence", get(whence))
        .route("/api/order/{id}", get(whence))
        .route("/api/panic", get(panicking))
        .route("/api/late", get(late))
        .route("/api/kept", get(kept))
        .route("/api/sealed", post(sealed));
    let mut door = Door::new(Arc::new(SystemClock), Arc::new(SeededRandom::new(1)));
    door.body_max_bytes = 100;
    door.body_max_bytes_under = vec![("/api/large/", 1_000), ("/api/", 100)];
    door.body_wait = Duration::from_secs(1);
    door.answer_wait = Duration::from_secs(2);
    door.proxies = Proxies::new(vec!["127.0.0.1".parse().unwrap()]);
    fit(router, door)
}

fn request(method: &str, path: &str, body: Body) -> Request {
    Request::builder().method(method).uri(path).body(body).unwrap()
}

async fn sent(request: Request) -> (u16, HeaderMap, Value) {
    let response = app().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        parts.status.as_u16(),
        parts.headers,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

#[tokio::test]
async fn an_answer_carries_its_id_and_the_usual_headers() {
    let mut asked = request("POST", "/api/echo", Body::from("hello"));
    asked
        .headers_mut()
        .insert(REQUEST_ID, HeaderValue::from_static("till-000001"));
    let (status, headers, body) = sent(asked).await;
    assert_eq!(
        (status, &body["data"], &body["request_id"]),
        (200, &"hello".into(), &"till-000001".into())
    );
    assert_eq!(headers[REQUEST_ID], "till-000001");
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[CACHE_CONTROL], "no-store");
    assert_eq!(headers[REFERRER_POLICY], "no-referrer");

    let (_, headers, body) = sent(request("GET", "/api/nowhere", Body::empty())).await;
    assert_eq!(headers[REQUEST_ID], body["request_id"].as_str().unwrap());
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    let (_, headers, _) = sent(request("GET", "/api/kept", Body::empty())).await;
    assert_eq!(headers[CACHE_CONTROL], "max-age=60");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_and_no_path_is_made_right() {
    let cases = [
        ("POST", "/api/echo", 200, "OK"),
        ("GET", "/api/echo", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/api/echo", 405, "METHOD_NOT_ALLOWED"),
        ("HEAD", "/api/echo", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/api/echo/", 404, "PATH_UNKNOWN"),
        ("POST", "/api//echo", 404, "PATH_UNKNOWN"),
        ("POST", "//api/echo", 404, "PATH_UNKNOWN"),
        ("POST", "/api/./echo", 404, "PATH_UNKNOWN"),
        ("POST", "/api/x/../echo", 404, "PATH_UNKNOWN"),
        ("POST", "/api/%65cho", 404, "PATH_UNKNOWN"),
        ("POST", "/api%2fecho", 404, "PATH_UNKNOWN"),
        ("POST", "/api/echo;x", 404, "PATH_UNKNOWN"),
        ("POST", "/API/echo", 404, "PATH_UNKNOWN"),
        ("GET", "/", 404, "PATH_UNKNOWN"),
    ];
    for (method, path, status, code) in cases {
        let (found, _, body) = sent(request(method, path, Body::empty())).await;
        assert_eq!(found, status, "{method} {path}");
        let told = if method == "HEAD" { Value::Null } else { code.into() };
        assert_eq!(body["code"], told, "{method} {path}");
    }
    let (_, headers, _) = sent(request("GET", "/api/echo", Body::empty())).await;
    assert_eq!(headers["allow"], "POST");
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_of_its_path() {
    let chunked = |bytes: usize| {
        let chunks = (0..bytes).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"x")));
        Body::from_stream(stream::iter(chunks.collect::<Vec<_>>()))
    };
    let cases = [
        ("/api/echo", Body::from("x".repeat(100)), 200),
        ("/api/echo", Body::from("x".repeat(101)), 413),
        ("/api/echo", chunked(100), 200),
        ("/api/echo", chunked(101), 413),
        ("/api/large/echo", chunked(1_000), 200),
        ("/api/large/echo", chunked(1_001), 413),
        ("/elsewhere", Body::from("x".repeat(101)), 413),
    ];
    for (path, body, status) in cases {
        let (found, _, answer) = sent(request("POST", path, body)).await;
        assert_eq!(found, status, "{path}");
        if status == 413 {
            assert_eq!(answer["code"], "BODY_TOO_LARGE");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_or_breaks_off_is_refused_not_unknown() {
    let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let broken = Body::from_stream(stream::iter([
        Ok(Bytes::from_static(b"{")),
        Err(std::io::Error::other("reset")),
    ]));
    for body in [endless, broken] {
        let (status, _, answer) = sent(request("POST", "/api/echo", body)).await;
        assert_eq!((status, &answer["rule"]), (400, &rule::WHOLE_BODY.into()));
    }
}

#[tokio::test]
async fn a_panic_is_a_fault_that_shows_nothing() {
    let (status, headers, body) = sent(request("GET", "/api/panic", Body::empty())).await;
    assert_eq!((status, &body["code"]), (500, &"INTERNAL".into()));
    assert!(!body.to_string().contains("canary-7f3a"));
    assert_eq!(body.as_object().unwrap().len(), 3);
    assert_eq!(headers[CACHE_CONTROL], "no-store");
}

#[tokio::test(start_paused = true)]
async fn a_late_handler_is_answered_as_unknown_and_still_ends_its_work() {
    let (status, _, body) = sent(request("GET", "/api/late", Body::empty())).await;
    assert_eq!((status, &body["code"]), (503, &"UNAVAILABLE".into()));
    assert!(!LATE_WORK_DONE.load(Ordering::SeqCst));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(LATE_WORK_DONE.load(Ordering::SeqCst));
}

/// Seals with the status and the length of the body.
struct Wax;

impl Seal for Wax {
    fn seal(&self, status: StatusCode, body: &[u8]) -> Result<HeaderMap, Problem> {
        if body.ends_with(br#""data":"break"}"#) {
            return Err(Problem::fault("no wax"));
        }
        let mark = format!("{}/{}", status.as_u16(), body.len());
        Ok(HeaderMap::from_iter([(
            HeaderName::from_static("wax"),
            HeaderValue::from_str(&mark).unwrap(),
        )]))
    }
}

async fn sealed(call: Call, body: Bytes) -> Answer<String> {
    if body == "unknown" {
        return call.answer(Err(Problem::new(Code::SignInvalid)));
    }
    call.seal_with(Arc::new(Wax));
    match &*body {
        b"panic" => panic!("after the seal"),
        b"late" => tokio::time::sleep(Duration::from_secs(5)).await,
        b"refused" => return call.answer(Err(Problem::new(Code::OrderNotFound))),
        _ => {}
    }
    call.answer(Ok(String::from_utf8_lossy(&body).into_owned()))
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_sealed_once_the_asker_is_known() {
    let cases = [
        ("fine", 200, true),
        ("refused", 404, true),
        ("panic", 500, true),
        ("late", 503, true),
        ("unknown", 401, false),
    ];
    for (body, status, is_sealed) in cases {
        let response = app()
            .oneshot(request("POST", "/api/sealed", Body::from(body)))
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let length = body.collect().await.unwrap().to_bytes().len();
        assert_eq!(parts.status, status);
        let mark = parts.headers.get("wax").map(|mark| mark.to_str().unwrap().to_owned());
        assert_eq!(mark, is_sealed.then(|| format!("{status}/{length}")));
    }
    let (status, headers, body) = sent(request("POST", "/api/sealed", Body::from("break"))).await;
    assert_eq!(
        (status, &body["code"], headers.get("wax")),
        (500, &"INTERNAL".into(), None)
    );
}

#[tokio::test]
async fn the_clients_address_is_the_sockets_or_what_our_proxy_says() {
    for (socket, expected) in [("127.0.0.1:9000", "198.51.100.1"), ("203.0.113.9:9000", "203.0.113.9")] {
        let mut asked = request("GET", "/api/whence", Body::empty());
        asked
            .headers_mut()
            .insert("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        asked
            .extensions_mut()
            .insert(ConnectInfo(socket.parse::<SocketAddr>().unwrap()));
        let (_, _, body) = sent(asked).await;
        assert_eq!(body["data"], expected, "{socket}");
    }
    let (_, _, body) = sent(request("GET", "/api/whence", Body::empty())).await;
    assert_eq!(body["data"], Value::Null);
}

#[tokio::test]
async fn the_language_of_an_answer_follows_the_request() {
    let mut asked = request("GET", "/api/nowhere", Body::empty());
    asked
        .headers_mut()
        .insert("accept-language", HeaderValue::from_static("en"));
    let (_, headers, body) = sent(asked).await;
    assert_eq!(headers["content-language"], "en");
    assert_eq!(body["message"], "No such interface: check the address.");
}
