//! Every row of bad input to the App's API, each with the answer it must get.

use std::time::Duration;

use metropay_payment_api::app::token::TokenClaims;
use serde_json::{Value, json};

use super::phone::Phone;
use super::platform::{App, BOOKS, PHONE, Platform, Reply, SHOP, text};

#[tokio::test]
async fn who_is_not_proven_is_told_why() {
    let platform = Platform::start().await;
    let claims = platform.claims("anna");
    let changed = |token: Option<String>| App {
        token,
        ..platform.app("anna")
    };
    let revoked = platform.app("anna");
    revoked.post("/app/v1/devices/revoke", None).await.data();
    let bound = TokenClaims {
        jkt: Some(Phone::new().thumbprint()),
        ..claims.clone()
    };
    let expired = TokenClaims {
        issued_at: claims.issued_at.minus(Duration::from_secs(7_200)),
        expires_at: claims.issued_at.minus(Duration::from_secs(60)),
        ..claims.clone()
    };
    let other_device = App {
        phone: Some(Phone::new()),
        ..platform.app_with(&bound)
    };
    let cases = [
        (changed(None), "TOKEN_MISSING"),
        (changed(Some(String::new())), "TOKEN_MISSING"),
        (changed(Some("not.a.token".to_owned())), "TOKEN_INVALID"),
        (platform.app_with(&expired), "TOKEN_EXPIRED"),
        (revoked, "TOKEN_REVOKED"),
        (platform.app_with(&bound), "DEVICE_PROOF_MISSING"),
        (other_device, "DEVICE_PROOF_INVALID"),
    ];
    for (app, code) in cases {
        let refused = app.get("/app/v1/code-account").await;
        assert_eq!(refused.refusal(), (401, code.to_owned()));
        assert!(is_chinese(&text(&refused.json()["message"])), "{code}");
    }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// A body, and what it is refused with: code and field.
type Refused<'a> = (Value, &'a str, &'a str);

async fn all_refused(app: &App<'_>, path: &str, status: u16, cases: &[Refused<'_>]) {
    for (body, code, field) in cases {
        let refused = app.post(path, Some(body.clone())).await;
        assert_eq!(refused.refusal(), (status, (*code).to_owned()), "{path} {body}");
        assert_eq!(refused.json()["field"], *field, "{path} {body}");
    }
}

#[tokio::test]
async fn a_phone_that_is_none_or_is_not_verified_opens_nothing() {
    let platform = Platform::start().await;
    let anna = platform.app("anna");
    let path = "/app/v1/code-account";
    let invalid = [
        "",
        "1380013800",
        "138001380000",
        "1380013800a",
        "+8613800138000",
        "１３８００１３８０００",
    ];
    let invalid = invalid.map(|phone| (json!({ "phone": phone }), "PARAM_INVALID", "phone"));
    all_refused(&anna, path, 400, &invalid).await;
    let odd = [
        (json!({ "phone": 13_800_138_000_u64 }), "PARAM_INVALID", "phone"),
        (json!({ "phone": PHONE, "role": "operator" }), "PARAM_INVALID", "role"),
    ];
    all_refused(&anna, path, 400, &odd).await;
    let other = [(json!({ "phone": "13900139000" }), "PHONE_UNVERIFIED", "phone")];
    all_refused(&anna, path, 422, &other).await;
    let unverified = platform.app_with(&TokenClaims {
        phone_number_verified: false,
        ..platform.claims("anna")
    });
    let own = [(json!({ "phone": PHONE }), "PHONE_UNVERIFIED", "phone")];
    all_refused(&unverified, path, 422, &own).await;
    assert_eq!(anna.get(path).await.data()["status"], "NOT_OPENED");
}

#[tokio::test]
async fn a_seventh_code_within_a_minute_is_refused() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    for _ in 0..6 {
        anna.code().await;
    }
    let refused = anna.post("/app/v1/codes", None).await;
    assert_eq!(refused.refusal(), (429, "RATE_LIMITED".to_owned()));
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    platform.clock.advance(Duration::from_secs(61));
    anna.code().await;
}

#[tokio::test]
async fn who_polls_faster_than_once_a_second_is_offered_the_long_poll() {
    let platform = Platform::start().await;
    let (anna, bert) = (platform.app("anna").open().await, platform.app("bert").open().await);
    let ((code, _), (other, _)) = (anna.code().await, bert.code().await);
    let path = format!("/app/v1/codes/{code}");
    let mut replies = Vec::new();
    for _ in 0..4 {
        replies.push(anna.get(&path).await);
    }
    assert_eq!(replies[0].status, 200);
    let refused = replies.pop().unwrap();
    assert_eq!(refused.refusal(), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(
        (refused.header("retry-after"), &refused.json()["long_poll"]),
        ("1", &"/app/v1/events/poll".into())
    );
    assert_eq!(
        bert.get(&format!("/app/v1/codes/{other}")).await.status,
        200,
        "others are not meant"
    );
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(anna.get(&path).await.status, 200);
}

#[tokio::test]
async fn what_is_somebody_elses_is_as_unknown_as_what_never_was() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (code, digits) = anna.code().await;
    let payment = platform.scan(&digits, 600).await.unwrap();
    let mandate = text(&anna.get("/app/v1/mandates").await.data()["mandates"][0]["mandate_id"]);
    let no = payment.pay_no.0;
    let bert = platform.app("bert").open().await;
    let asked = [
        ("/app/v1/codes/", code.as_str(), "", "CODE_NOT_FOUND"),
        ("/app/v1/mandates/", &mandate, "", "MANDATE_NOT_FOUND"),
        ("/app/v1/records/", &no, "", "RECORD_NOT_FOUND"),
        ("/app/v1/records/", &no, "/barcode.svg", "RECORD_NOT_FOUND"),
    ];
    for (before, name, after, expected) in asked {
        assert_eq!(anna.get(&format!("{before}{name}{after}")).await.status, 200);
        let none = name.replace(|c: char| c.is_ascii_digit(), "0");
        for name in [name, &none, "x", &"9".repeat(65), "%00", "%ff", "%E4%B8%AD"] {
            tokio::time::sleep(Duration::from_millis(if before.contains("codes") { 1_000 } else { 0 })).await;
            let refused = bert.get(&format!("{before}{name}{after}")).await;
            assert_eq!(refused.refusal(), (404, expected.to_owned()), "{before}{name}{after}");
        }
    }
    let refused = bert.delete(&format!("/app/v1/mandates/{mandate}")).await;
    assert_eq!(refused.refusal(), (404, "MANDATE_NOT_FOUND".to_owned()));
    let still = anna.get(&format!("/app/v1/mandates/{mandate}")).await.data();
    assert_eq!(still["state"], "ACTIVE");
    assert_eq!(bert.get("/app/v1/records").await.data()["records"], json!([]));
    assert_eq!(
        bert.get("/app/v1/mandates?ended=true").await.data()["mandates"],
        json!([])
    );
}

#[tokio::test]
async fn what_cannot_be_signed_is_refused() {
    let platform = Platform::start().await;
    let path = "/app/v1/mandates";
    let wish = |mch_id: &str, channel: &str| json!({ "mch_id": mch_id, "channel": channel });
    let stranger = platform.app("stranger");
    let refused = stranger.post(path, Some(wish(SHOP, "redirecting"))).await;
    assert_eq!(refused.refusal(), (422, "CODE_NOT_OPENED".to_owned()));

    let anna = platform.app("anna").open().await;
    let cases = [
        (wish(BOOKS, "posting"), 422, "CHANNEL_NOT_CONFIGURED"),
        (wish(BOOKS, "no-such-channel"), 422, "CHANNEL_NOT_CONFIGURED"),
        (wish("M99999", "redirecting"), 404, "MERCHANT_NOT_FOUND"),
        (json!({ "mch_id": SHOP }), 400, "PARAM_MISSING"),
        (json!({ "mch_id": SHOP, "channel": "" }), 400, "PARAM_MISSING"),
        (json!({ "mch_id": SHOP, "channel": 1 }), 400, "PARAM_INVALID"),
        (
            json!({ "mch_id": SHOP, "channel": "redirecting", "uid": "bert" }),
            400,
            "PARAM_INVALID",
        ),
    ];
    for (body, status, code) in cases {
        let refused = anna.post(path, Some(body.clone())).await;
        assert_eq!(refused.refusal(), (status, code.to_owned()), "{body}");
    }
    assert_eq!(anna.get(path).await.data()["mandates"], json!([]));

    // So far nobody has asked a channel for nothing more than a few times.
    let bert = platform.app("bert").open().await;
    platform.gateway.books().is_down = true;
    let down = bert.post(path, Some(wish(SHOP, "redirecting"))).await;
    assert_eq!(down.refusal(), (503, "CHANNEL_UNAVAILABLE".to_owned()));
    platform.gateway.books().is_down = false;
    let mut last = 200;
    for _ in 0..6 {
        last = bert.post(path, Some(wish(SHOP, "redirecting"))).await.status;
    }
    assert_eq!(last, 429, "a channel is not asked without end");
}

#[tokio::test]
async fn a_list_of_records_is_asked_for_within_its_bounds() {
    let platform = Platform::start().await;
    let anna = platform.app("anna");
    let cases = [
        ("limit=10000", "PARAM_INVALID", "limit"),
        ("limit=101", "PARAM_INVALID", "limit"),
        ("limit=0", "PARAM_INVALID", "limit"),
        ("limit=-1", "PARAM_INVALID", "limit"),
        ("limit=ten", "PARAM_INVALID", "limit"),
        ("from=20260802&to=20260801", "PARAM_INVALID", "to"),
        ("from=20260701&to=20260801", "PARAM_INVALID", "to"),
        ("from=20230229", "PARAM_INVALID", "from"),
        ("to=2026-08-01", "PARAM_INVALID", "to"),
        ("from=20260801&from=20260802", "PARAM_INVALID", ""),
        ("uid=bert", "PARAM_INVALID", "uid"),
        ("cursor=MjAyNjA3MDEuMjAyNjA3MzEuMC5QLjAw", "CURSOR_INVALID", ""),
        ("cursor=%27%20OR%201=1", "CURSOR_INVALID", ""),
        ("cursor=", "CURSOR_INVALID", ""),
    ];
    for (query, code, field) in cases {
        let refused = anna.get(&format!("/app/v1/records?{query}")).await;
        assert_eq!(refused.refusal(), (400, code.to_owned()), "{query}");
        assert_eq!(refused.json()["field"].as_str().unwrap_or_default(), field, "{query}");
    }
    let whole_month = anna.get("/app/v1/records?from=20260701&to=20260731&limit=100").await;
    assert_eq!(whole_month.data(), json!({ "records": [], "next_cursor": null }));
}

#[tokio::test]
async fn waits_and_positions_of_events_have_their_bounds() {
    let platform = Platform::start().await;
    let anna = platform.app("anna");
    for query in [
        "wait_s=26",
        "wait_s=-1",
        "wait_s=1.5",
        "after=-1",
        "after=x",
        "after=99999999999999999999",
        "until=1",
    ] {
        let refused = anna.get(&format!("/app/v1/events/poll?{query}")).await;
        assert_eq!(refused.refusal(), (400, "PARAM_INVALID".to_owned()), "{query}");
    }
    let refused = anna.get("/app/v1/events?last_event_id=x").await;
    assert_eq!(refused.refusal(), (400, "PARAM_INVALID".to_owned()));
    let mut last: Option<Reply> = None;
    for _ in 0..12 {
        last = Some(anna.get("/app/v1/events/poll?wait_s=0").await);
    }
    assert_eq!(
        last.unwrap().refusal(),
        (429, "RATE_LIMITED".to_owned()),
        "a long-poll that never waits is a poll"
    );
}

#[tokio::test]
async fn rules_are_told_in_english_to_who_prefers_it() {
    let platform = Platform::start().await;
    let token = platform.app("anna").token.unwrap();
    let paths = [
        "/app/v1/records?limit=0",
        "/app/v1/records?from=x",
        "/app/v1/records?from=20260802&to=20260801",
        "/app/v1/records?from=20260701&to=20260801",
        "/app/v1/events/poll?wait_s=26",
    ];
    for path in paths {
        let request = http::Request::get(path)
            .header("authorization", format!("Bearer {token}"))
            .header("accept-language", "en");
        let refused = platform
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await
            .json();
        assert!(
            text(&refused["rule"]).is_ascii() && text(&refused["message"]).is_ascii(),
            "{path} {refused}"
        );
    }
}
