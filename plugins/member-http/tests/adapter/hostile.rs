//! What comes back from merchants whose systems are broken, misconfigured, down or malicious: each its own word, and none
//! believed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use metropay_core::member::{CallError, MEMBER_NO_MAX, MEMBER_REASON_MAX, MemberFailure, MemberTrouble, VipStatus};
use metropay_core::rules::Wrong;
use metropay_core::rules::membership::{CallBody, MembershipAnswer, MembershipCall, MembershipReply};
use proptest::prelude::*;
use serde_json::json;

use crate::world::{Shop, TestRules, World, question};

/// A rule as the platform's own: `vip_status` of a JSON object, or nothing.
fn usual(reply: &MembershipReply) -> Result<MembershipAnswer, Wrong> {
    let json = reply.json.clone().unwrap_or_default();
    Ok(MembershipAnswer {
        vip_status: match json["vip_status"].as_str() {
            Some("ACTIVE") => Some(VipStatus::Active),
            Some("PENDING") => Some(VipStatus::Pending),
            _ => None,
        },
        member_no: json["member_no"].as_str().map(str::to_owned),
        reason: json["message"].as_str().unwrap_or_default().to_owned(),
    })
}

fn world(read: impl Fn(&MembershipReply) -> Result<MembershipAnswer, Wrong> + Send + Sync + 'static) -> World {
    let call = || MembershipCall {
        method: "POST".to_owned(),
        path: "/open".to_owned(),
        query: Vec::new(),
        headers: BTreeMap::new(),
        body: CallBody::Json(json!({})),
        sign: None,
    };
    World::new(TestRules::new(move |_| Ok(call()), read))
}

async fn failure(shop: &Shop) -> MemberFailure {
    let failure = world(usual).member(shop.config()).open(&question()).await.unwrap_err();
    assert!(matches!(failure.error, CallError::MaybeDone(_)), "{failure}");
    failure
}

const ACTIVE: &str = r#"{"vip_status":"ACTIVE"}"#;

/// Status, content type and body, and the word that they get.
const ANSWERS: &[(u16, &str, &str, MemberTrouble)] = &[
    (200, "text/html", "<html>ok</html>", MemberTrouble::Page),
    (200, "text/html; charset=gbk", ACTIVE, MemberTrouble::Page),
    (200, "application/json", "<!DOCTYPE html><p>login", MemberTrouble::Page),
    (200, "text/plain", "  <HTML>", MemberTrouble::Page),
    (404, "text/html", "<html>not found</html>", MemberTrouble::Page),
    (200, "image/png", "\u{1}PNG", MemberTrouble::Unreadable),
    (200, "image/svg+xml", "<svg/>", MemberTrouble::Unreadable),
    (200, "application/octet-stream", ACTIVE, MemberTrouble::Unreadable),
    (200, "application/pdf", "%PDF", MemberTrouble::Unreadable),
    (200, "application/json", "{", MemberTrouble::Unreadable),
    (
        200,
        "application/json",
        r#"{"vip_status":"ACTIVE"} x"#,
        MemberTrouble::Unreadable,
    ),
    (
        200,
        "application/json",
        r#"{"vip_status":"ACTIVE","vip_status":"CLOSED"}"#,
        MemberTrouble::Unreadable,
    ),
    (200, "application/problem+json", "nothing", MemberTrouble::Unreadable),
    (200, "text/plain", "a\0b", MemberTrouble::Unreadable),
    (200, "application/json", "", MemberTrouble::Empty),
    (200, "text/plain", " \r\n", MemberTrouble::Empty),
    (204, "", "", MemberTrouble::Empty),
    (200, "application/json", "null", MemberTrouble::Untold),
    (200, "application/json", "[]", MemberTrouble::Untold),
    (
        200,
        "application/json",
        r#"{"vip_status":"active"}"#,
        MemberTrouble::Untold,
    ),
    (
        200,
        "application/json",
        r#"{"vip_status":"GOLD"}"#,
        MemberTrouble::Untold,
    ),
    (
        200,
        "application/json",
        r#"{"vip_status":["ACTIVE"]}"#,
        MemberTrouble::Untold,
    ),
    (200, "text/plain", "ACTIVE", MemberTrouble::Untold),
    (
        200,
        "application/xml",
        "<vip_status>ACTIVE</vip_status>",
        MemberTrouble::Untold,
    ),
    (400, "application/json", r#"{"message":"bad"}"#, MemberTrouble::Untold),
    (301, "application/json", ACTIVE, MemberTrouble::Redirect),
    (302, "application/json", ACTIVE, MemberTrouble::Redirect),
    (304, "application/json", "", MemberTrouble::Redirect),
    (307, "application/json", ACTIVE, MemberTrouble::Redirect),
    (429, "application/json", ACTIVE, MemberTrouble::Busy),
    (500, "application/json", ACTIVE, MemberTrouble::Busy),
    (502, "text/html", "<html>", MemberTrouble::Busy),
    (503, "application/json", ACTIVE, MemberTrouble::Busy),
];

#[tokio::test]
async fn every_kind_of_answer_that_is_none_has_its_word() {
    for (status, content_type, body, trouble) in ANSWERS {
        let shop = Shop::answers(*status, content_type, body).await;
        assert_eq!(failure(&shop).await.trouble, *trouble, "{status} {content_type} {body}");
        assert_eq!(shop.count(), 1, "asked once");
    }
    let deep = Shop::answers(200, "application/json", &"[".repeat(1_000)).await;
    assert_eq!(failure(&deep).await.trouble, MemberTrouble::Unreadable);
}

#[tokio::test]
async fn what_is_no_whole_answer_has_its_word() {
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}",
        1 << 30,
        "a".repeat(1 << 17)
    );
    let undeclared = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "a".repeat(1 << 20));
    for (bytes, trouble) in [
        (long.as_bytes(), MemberTrouble::TooLong),
        (undeclared.as_bytes(), MemberTrouble::TooLong),
        (&b"rubbish\r\n\r\n"[..], MemberTrouble::Broken),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00", MemberTrouble::Encoded),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n\xff\xfe{", MemberTrouble::Encoded),
        (b"", MemberTrouble::Timeout),
    ] {
        let begun = Instant::now();
        let shop = Shop::says(bytes).await;
        assert_eq!(failure(&shop).await.trouble, trouble);
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
    let shop = Shop::says("HTTP/1.1 503 Busy\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(failure(&shop).await.retry_after, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn what_cannot_be_reached_was_not_sent() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let far = |url: String| json!({ "url": url });
    for (config, trouble) in [
        (far(format!("http://{closed}/")), MemberTrouble::Connect),
        (far(format!("https://{closed}/")), MemberTrouble::Connect),
        (
            far("https://host.that-is-not-there-5f1c.cn.invalid:8443/".to_owned()),
            MemberTrouble::Unresolved,
        ),
    ] {
        let failure = world(usual).member(config).open(&question()).await.unwrap_err();
        assert_eq!(failure.trouble, trouble);
        assert!(matches!(failure.error, CallError::NotSent(_)), "{failure}");
    }
}

#[tokio::test]
async fn a_rule_that_fails_before_or_after_the_call_has_its_word() {
    let shop = Shop::answers(200, "application/json", r#"{"vip_status":"ACTIVE"}"#).await;
    let before = World::new(TestRules::new(|_| Err(Wrong::Budget), usual));
    let failure = before.member(shop.config()).open(&question()).await.unwrap_err();
    assert_eq!(failure.trouble, MemberTrouble::Rule);
    assert!(matches!(failure.error, CallError::NotSent(_)), "{failure}");
    assert_eq!(shop.count(), 0);
    let after = world(|_| Err(Wrong::Memory))
        .member(shop.config())
        .open(&question())
        .await
        .unwrap_err();
    assert_eq!(after.trouble, MemberTrouble::Answer);
    assert!(matches!(after.error, CallError::MaybeDone(_)), "{after}");
}

#[tokio::test]
async fn what_a_rule_passes_on_is_bounded() {
    let shop = Shop::answers(200, "application/json", "{}").await;
    let answering = |member_no: String| {
        world(move |_| {
            Ok(MembershipAnswer {
                vip_status: Some(VipStatus::Active),
                member_no: Some(member_no.clone()),
                reason: "会\n".repeat(10_000),
            })
        })
    };
    let ask = async |member_no: &str| {
        answering(member_no.to_owned())
            .member(shop.config())
            .open(&question())
            .await
    };
    for long in [&"9".repeat(MEMBER_NO_MAX + 1)[..], "A\u{0}7", "A\r\nB"] {
        assert_eq!(ask(long).await.unwrap_err().trouble, MemberTrouble::Answer, "{long:?}");
    }
    let standing = ask(&"9".repeat(MEMBER_NO_MAX)).await.unwrap();
    assert!(standing.reason.chars().count() <= MEMBER_REASON_MAX && !standing.reason.contains('\n'));
    assert_eq!(ask("").await.unwrap().member_no, None);
}

#[tokio::test]
async fn xml_and_text_are_for_the_rule_to_read() {
    for (content_type, body) in [
        ("application/xml", "\u{feff}<r><s>IN</s></r>"),
        ("text/xml; charset=utf-8", "<r><s>IN</s></r>"),
        ("text/plain", "IN"),
        ("application/x-www-form-urlencoded", "s=IN"),
        ("", "IN"),
    ] {
        let shop = Shop::answers(201, content_type, body).await;
        let world = world(|reply| {
            assert!(!reply.text.starts_with('\u{feff}'));
            Ok(MembershipAnswer {
                vip_status: (reply.status == 201 && reply.text.contains("IN")).then_some(VipStatus::Active),
                member_no: None,
                reason: String::new(),
            })
        });
        let standing = world.member(shop.config()).open(&question()).await.unwrap();
        assert_eq!(standing.status, VipStatus::Active, "{content_type} {body}");
    }
    // JSON is read as JSON whatever it calls itself.
    let shop = Shop::answers(200, "text/plain", r#"{"vip_status":"PENDING"}"#).await;
    let standing = world(usual).member(shop.config()).open(&question()).await.unwrap();
    assert_eq!(standing.status, VipStatus::Pending);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_of_a_merchant_make_it_fall_over_or_believe(bytes: Vec<u8>, head in prop::sample::select(vec![
        "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n{\"a\":",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ])) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // A connection that only ends is what `Shop` keeps open for nothing but an empty answer.
            let shop = Shop::says([head.as_bytes(), &bytes, b"\r\n"].concat()).await;
            let asked = world(usual).member(shop.config()).open(&question()).await;
            assert!(asked.is_err());
        });
    }
}
