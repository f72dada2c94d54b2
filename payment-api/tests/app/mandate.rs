//! Signing, the way to the channel and back, closing, and which channel pays.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::platform::{App, BOOKS, PUBLIC_URL, Platform, Reply, SHOP, Wishes, text};

async fn begin(app: &App<'_>, mch_id: &str, channel: &str) -> Value {
    let wish = json!({ "mch_id": mch_id, "channel": channel });
    app.post("/app/v1/mandates", Some(wish)).await.data()
}

async fn state(app: &App<'_>, mandate: &str) -> Value {
    app.get(&format!("/app/v1/mandates/{mandate}")).await.data()["state"].clone()
}

async fn events(app: &App<'_>, after: u64) -> Vec<String> {
    let path = format!("/app/v1/events/poll?wait_s=0&after={after}");
    let data = app.get(&path).await.data();
    data["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| text(&event["kind"]))
        .collect()
}

#[tokio::test]
async fn signing_by_an_address_ends_in_a_usable_mandate() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let begun = begin(&anna, SHOP, "redirecting").await;
    let (id, no) = (text(&begun["mandate_id"]), platform.gateway.newest_contract());
    let expected = json!({
        "mandate_id": id, "state": "PENDING",
        "page": { "url": format!("https://gateway.example/sign?no={no}"), "sdk": { "pre_entrustweb_id": no } },
    });
    assert_eq!(begun, expected);
    assert_eq!(
        begin(&anna, SHOP, "redirecting").await["mandate_id"],
        begun["mandate_id"],
        "asked again, the same"
    );

    let told = platform.gateway.sign(&no);
    assert_eq!(platform.notify("A1", &told).await.status, 200);
    assert_eq!(events(&anna, 0).await, ["mandate.active"]);
    let shown = anna.get(&format!("/app/v1/mandates/{id}")).await.data();
    let known = ["merchant_name", "channel_name", "state", "ended_at"].map(|name| shown[name].clone());
    assert_eq!(
        known,
        ["便利店".into(), "跳转支付".into(), "ACTIVE".into(), Value::Null]
    );
    let ready = begin(&anna, SHOP, "redirecting").await;
    assert_eq!(ready, json!({ "mandate_id": id, "state": "ACTIVE", "page": null }));
}

#[tokio::test]
async fn signing_by_a_form_posts_exactly_what_the_channel_wants() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let begun = begin(&anna, SHOP, "posting").await;
    assert_eq!(begun["page"].get("sdk"), None);
    let url = text(&begun["page"]["url"]);
    let path = url.strip_prefix(PUBLIC_URL).unwrap();

    let page = platform.browse(path).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert_eq!(
        (page.header("cache-control"), page.header("x-frame-options")),
        ("no-store", "DENY")
    );
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let html = page.text();
    let policy = page.header("content-security-policy");
    let nonce = policy
        .split("script-src 'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("form-action https:"),
        "{policy}"
    );
    assert!(
        policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(html.matches("<script").count(), 1, "{html}");
    assert!(html.contains(&format!("<script nonce=\"{nonce}\">")));
    assert!(html.contains("<form method=\"post\" action=\"https://gateway.example/front?a=1&amp;b=2\""));
    assert!(html.contains("value=\"&quot;&gt;&lt;script&gt;alert(&#39;中&#39;)&lt;/script&gt;\""));
    assert!(
        html.contains("<button>继续</button>"),
        "there is a way on without scripts"
    );
    let again = platform.browse(path).await;
    assert_ne!(again.header("content-security-policy"), policy, "a nonce is used once");

    let told = platform.gateway.sign(&platform.gateway.newest_contract());
    assert_eq!(platform.notify("A2", &told).await.status, 200);
    assert_eq!(state(&anna, &text(&begun["mandate_id"])).await, "ACTIVE");
    assert_eq!(
        platform.browse(path).await.status,
        400,
        "what is signed is not signed again"
    );
}

#[tokio::test]
async fn a_forged_ticket_shows_a_page_and_no_form() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let id = text(&begin(&anna, SHOP, "posting").await["mandate_id"]);
    for path in [
        format!("/app/sign/{id}/{}", "0".repeat(32)),
        "/app/sign/M1/x".to_owned(),
        "/app/sign/%ff/x".to_owned(),
    ] {
        is_refusal_page(&platform.browse(&path).await, &path);
    }
}

fn is_refusal_page(reply: &Reply, what: &str) {
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (400, "text/html; charset=utf-8"),
        "{what}"
    );
    assert!(
        reply.text().contains("未能完成") && !reply.text().contains("<form"),
        "{what}"
    );
    assert!(
        reply.header("content-security-policy").contains("form-action 'none'"),
        "{what}"
    );
}

#[tokio::test]
async fn the_way_back_shows_how_it_went_and_is_good_once() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let begun = begin(&anna, SHOP, "redirecting").await;

    let pending = platform.browse(&platform.gateway.way_back()).await;
    assert!(pending.status == 200 && pending.text().contains("处理中"));

    begin(&anna, SHOP, "redirecting").await;
    let back = platform.gateway.way_back();
    platform.gateway.sign(&platform.gateway.newest_contract());
    // The browser comes with a form of the channel's; nothing in it is believed or needed.
    let posted = Request::post(&back).header("content-type", "application/x-www-form-urlencoded");
    let posted = platform
        .send(posted.body(Body::from("respCode=00&activateStatus=1")).unwrap())
        .await;
    assert!(
        posted.status == 200 && posted.text().contains("已开通"),
        "{}",
        posted.text()
    );
    assert_eq!(
        state(&anna, &text(&begun["mandate_id"])).await,
        "ACTIVE",
        "the channel was asked"
    );
    assert_eq!(events(&anna, 0).await, ["mandate.active"]);

    is_refusal_page(&platform.browse(&back).await, "the same once more");
}

#[tokio::test]
async fn a_forged_way_back_changes_nothing_and_asks_nobody() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let mandate = text(&begin(&anna, SHOP, "redirecting").await["mandate_id"]);
    let back = platform.gateway.way_back();
    platform.gateway.sign(&platform.gateway.newest_contract());
    let (rest, proof) = back.rsplit_once('/').unwrap();
    let (rest, nonce) = rest.rsplit_once('/').unwrap();
    let (_, id) = rest.rsplit_once('/').unwrap();
    assert_eq!(id, mandate);
    let forged = [
        format!("/app/return/{id}/{nonce}/{}", "0".repeat(proof.len())),
        format!("/app/return/{id}/{nonce}/{}", proof.to_uppercase()),
        format!("/app/return/{id}/{nonce}x/{proof}"),
        format!("/app/return/M1/{nonce}/{proof}"),
        format!("/app/return/{id}/{nonce}/%ff"),
    ];
    for path in &forged {
        is_refusal_page(&platform.browse(path).await, path);
    }
    assert_eq!(platform.gateway.books().contract_queries, 0);
    assert_eq!(platform.browse(&back).await.status, 200, "the true one is still good");
}

#[tokio::test]
async fn an_app_with_a_page_of_its_own_gets_the_browser_back() {
    let wishes = Wishes {
        return_url: Some("https://app.example/wallet?from=pay"),
        ..Wishes::default()
    };
    let platform = Platform::start_with(wishes).await;
    let anna = platform.app("anna").open().await;
    let id = text(&begin(&anna, SHOP, "redirecting").await["mandate_id"]);
    platform.gateway.sign(&platform.gateway.newest_contract());
    let back = platform.browse(&platform.gateway.way_back()).await;
    let expected = format!("https://app.example/wallet?from=pay&mandate_id={id}&state=ACTIVE");
    assert_eq!((back.status, back.header("location")), (303, expected.as_str()));
    is_refusal_page(
        &platform.browse(&platform.gateway.way_back()).await,
        "the same once more",
    );
}

#[tokio::test]
async fn a_page_is_in_english_for_who_prefers_it() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    begin(&anna, SHOP, "redirecting").await;
    let request = Request::get(platform.gateway.way_back()).header("accept-language", "en");
    let page = platform.send(request.body(Body::empty()).unwrap()).await;
    assert!(page.text().contains("<html lang=\"en\">") && page.text().contains("In progress"));
}

#[tokio::test]
async fn the_user_sees_chooses_and_closes_what_he_has_signed() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let channels = format!("/app/v1/merchants/{SHOP}/channels");
    let preferred = format!("/app/v1/merchants/{SHOP}/preferred-channel");
    let refused = anna.put(&preferred, json!({ "channel": "posting" })).await;
    assert_eq!(refused.refusal(), (422, "NEED_MANDATE".to_owned()));
    let chosen = anna.put(&preferred, json!({ "channel": "redirecting" })).await.data();
    assert_eq!(chosen, json!({ "mch_id": SHOP, "channel": "redirecting" }));

    let offered = anna.get(&channels).await.data()["channels"].clone();
    let known = |n: usize| {
        (
            offered[n]["channel"].clone(),
            offered[n]["mandate_state"].clone(),
            offered[n]["preferred"].clone(),
        )
    };
    assert_eq!(known(0), ("redirecting".into(), "ACTIVE".into(), true.into()));
    assert_eq!(known(1), ("posting".into(), Value::Null, false.into()));
    assert_eq!(
        anna.get("/app/v1/merchants/M99999/channels").await.refusal().1,
        "MERCHANT_NOT_FOUND"
    );

    let id = text(&anna.get("/app/v1/mandates").await.data()["mandates"][0]["mandate_id"]);
    for _ in 0..2 {
        let closed = anna.delete(&format!("/app/v1/mandates/{id}")).await.data();
        assert_eq!(
            (&closed["state"], &closed["ended_by"]),
            (&"CLOSED".into(), &"user".into())
        );
    }
    assert_eq!(
        platform.gateway.books().closed_contracts,
        1,
        "the channel heard of it, once"
    );
    assert_eq!(anna.get("/app/v1/mandates").await.data()["mandates"], json!([]));
    let all = anna.get("/app/v1/mandates?ended=true").await.data();
    assert_eq!(all["mandates"][0]["state"], "CLOSED");
    assert_eq!(events(&anna, 0).await, ["mandate.active", "mandate.closed"]);
    let (_, digits) = anna.code().await;
    assert!(platform.scan(&digits, 600).await.is_err());
}

#[tokio::test]
async fn taps_at_the_same_moment_begin_one_mandate() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let tap = || begin(&anna, BOOKS, "redirecting");
    let (one, two, three, four) = tokio::join!(tap(), tap(), tap(), tap());
    for other in [two, three, four] {
        assert_eq!(one["mandate_id"], other["mandate_id"]);
    }
    let listed = anna.get("/app/v1/mandates").await.data();
    assert_eq!(listed["mandates"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_contract_that_stands_carries_another_merchants_mandate_at_once() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let tap = || begin(&anna, BOOKS, "redirecting");
    let (one, two, three) = tokio::join!(tap(), tap(), tap());
    for begun in [&one, &two, &three] {
        assert_eq!((&begun["state"], &begun["page"]), (&"ACTIVE".into(), &Value::Null));
        assert_eq!(begun["mandate_id"], one["mandate_id"]);
    }
    assert_eq!(platform.gateway.books().signings.len(), 1, "the user signed once");
    assert_eq!(events(&anna, 0).await, ["mandate.active", "mandate.active"]);

    let listed = anna.get("/app/v1/mandates").await.data();
    for (closed, mandate) in listed["mandates"].as_array().unwrap().iter().enumerate() {
        assert_eq!(platform.gateway.books().closed_contracts, 0, "{closed} of two closed");
        let id = text(&mandate["mandate_id"]);
        anna.delete(&format!("/app/v1/mandates/{id}")).await.data();
    }
    assert_eq!(
        platform.gateway.books().closed_contracts,
        1,
        "the last closes the contract"
    );
}

#[tokio::test]
async fn a_channel_is_spared_by_who_asks_too_often() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let id = text(&begin(&anna, SHOP, "redirecting").await["mandate_id"]);
    for _ in 0..10 {
        assert_eq!(state(&anna, &id).await, "PENDING");
    }
    let asked = platform.gateway.books().contract_queries;
    assert!((1..=6).contains(&asked), "{asked}");
}
