//! The door of the channels' notifications.

use axum::body::Body;
use http::Request;
use metropay_core::limit;
use serde_json::json;

use super::gateway::{Deducts, REFUSED, SIGNATURE, TAKEN};
use super::platform::{PUBLIC_URL, Platform, Reply};

async fn posted(platform: &Platform, path: &str, signature: &str, body: Body) -> Reply {
    let request = Request::post(path).header(SIGNATURE.0, signature);
    platform.send(request.body(body).unwrap()).await
}

fn path(platform: &Platform, account: &str) -> String {
    let url = platform.gateway.books().notify_urls[account].clone();
    url.strip_prefix(PUBLIC_URL).unwrap().to_owned()
}

#[tokio::test]
async fn a_notification_settles_a_payment_and_is_answered_in_the_channels_own_words() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (code, digits) = anna.code().await;
    platform.gateway.books().deducts = Deducts::Waits;
    let payment = platform.scan(&digits, 600).await.unwrap();
    let told = platform.gateway.take(&payment.pay_no, 600);
    for _ in 0..3 {
        let reply = platform.notify("A1", &told).await;
        assert_eq!(
            (reply.status, reply.header("content-type"), reply.text()),
            (200, "text/xml", TAKEN)
        );
    }
    assert_eq!(anna.get(&format!("/app/v1/codes/{code}")).await.data()["state"], "PAID");
    let kinds = anna.get("/app/v1/events/poll?after=0&wait_s=0").await.data()["events"].clone();
    let paid = kinds
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "payment.succeeded");
    assert_eq!(paid.count(), 1, "told once, however often it came");
}

#[tokio::test]
async fn what_is_not_genuine_is_refused_in_the_channels_own_words() {
    let platform = Platform::start().await;
    platform.app("anna").open().await.signed().await;
    for body in [Body::from("{}"), Body::empty(), Body::from("<xml>")] {
        let reply = posted(&platform, &path(&platform, "A1"), "forged", body).await;
        assert_eq!(
            (reply.status, reply.header("content-type"), reply.text()),
            (401, "text/xml", REFUSED)
        );
    }
}

#[tokio::test]
async fn paths_that_are_not_ours_are_not_there_and_never_answer_in_our_envelope() {
    let platform = Platform::start().await;
    platform.app("anna").open().await.signed().await;
    let ours = path(&platform, "A1");
    let (rest, token) = ours.rsplit_once('/').unwrap();
    let paths = [
        format!("{rest}/{}", "0".repeat(token.len())),
        format!("/notify/posting/A1/{token}"),
        format!("/notify/redirecting/A2/{token}"),
        format!("/notify/redirecting/none/{token}"),
        "/notify/%ff/A1/x".to_owned(),
    ];
    for path in paths {
        let reply = posted(&platform, &path, SIGNATURE.1, Body::from("{}")).await;
        let known = (reply.status, reply.header("content-type"), reply.text());
        assert_eq!(known, (404, "text/plain; charset=utf-8", "Not Found"), "{path}");
    }
    let read = platform.browse(&ours).await;
    assert_eq!((read.status, read.text()), (405, "Method Not Allowed"));
}

#[tokio::test]
async fn a_notification_may_be_larger_than_other_requests_and_has_a_bound() {
    let platform = Platform::start().await;
    platform.app("anna").open().await.signed().await;
    let path = path(&platform, "A1");
    let padded = |bytes: usize| {
        let body = json!({ "contract": "none" }).to_string();
        Body::from(format!("{body}{}", " ".repeat(bytes - body.len())))
    };
    assert_eq!(
        posted(&platform, &path, SIGNATURE.1, padded(limit::NOTICE_BODY_MAX))
            .await
            .status,
        200
    );
    assert_eq!(
        posted(&platform, &path, SIGNATURE.1, padded(limit::NOTICE_BODY_MAX + 1))
            .await
            .status,
        413
    );
}
