//! Joining, leaving, and a merchant whose system is away, undecided or unwilling.

use std::time::Duration;

use metropay_core::engine::Engine;
use metropay_core::job::Job;
use metropay_core::membership::{Joining, put_system};
use serde_json::{Value, json};

use super::club::Mood;

use super::platform::{App, BOOKS, PHONE, Platform, SHOP};

const SHOPS: &str = "/app/v1/merchants/M10001/membership";

async fn offer(platform: &Platform, mch_id: &str, joining: Joining) {
    let config = json!({});
    put_system(&platform.engine, &mch_id.into(), ("club", &config), joining)
        .await
        .unwrap();
}

/// Lets the job ask what is due, and waits until it is answered.
pub(crate) async fn ask(engine: &Engine) -> usize {
    let begun = Job::AskMembers.work(engine, 0).await.unwrap();
    // Answers come from this process; they are in the books when a turn finds nothing under way.
    tokio::time::sleep(Duration::from_millis(150)).await;
    begun
}

async fn status(anna: &App<'_>) -> Value {
    anna.get(SHOPS).await.data()["vip_status"].clone()
}

async fn kinds(anna: &App<'_>) -> Vec<String> {
    let events = anna.get("/app/v1/events/poll?after=0&wait_s=0").await.data()["events"].clone();
    let events = events.as_array().unwrap().clone();
    events
        .iter()
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn opening_the_code_registers_with_each_merchant_that_wants_it() {
    let platform = Platform::start().await;
    offer(&platform, SHOP, Joining::AtOpening).await;
    offer(&platform, BOOKS, Joining::OnRequest).await;
    let anna = platform.app("anna");
    anna.post("/app/v1/code-account", Some(json!({ "phone": PHONE })))
        .await
        .data();
    let shown = anna.get(SHOPS).await.data();
    assert_eq!(
        (&shown["vip_status"], &shown["wish"]),
        (&"PENDING".into(), &"OPEN".into())
    );
    assert_eq!(ask(&platform.engine).await, 1);
    let shown = anna.get(SHOPS).await.data();
    assert_eq!(
        (&shown["vip_status"], &shown["member_no"]),
        (&"ACTIVE".into(), &"VIP-1".into())
    );
    assert_eq!((&shown["wish"], &shown["next_try_at"]), (&Value::Null, &Value::Null));
    assert_eq!(platform.club.books().members["anna"].as_deref(), Some(PHONE));
    let books = anna.get("/app/v1/merchants/M10002/membership").await.data();
    assert_eq!(books["vip_status"], "UNACTIVE");
    let all = anna.get("/app/v1/memberships").await.data();
    assert_eq!(all["memberships"].as_array().unwrap().len(), 1, "{all}");
    assert_eq!(kinds(&anna).await, ["member.opened"]);
    // Whoever left stays away when he opens the code again.
    assert_eq!(anna.delete(SHOPS).await.data()["vip_status"], "PENDING");
    ask(&platform.engine).await;
    assert_eq!(status(&anna).await, "UNACTIVE");
    anna.delete("/app/v1/code-account").await.data();
    anna.post("/app/v1/code-account", None).await.data();
    assert_eq!(ask(&platform.engine).await, 0);
    assert_eq!(status(&anna).await, "UNACTIVE");
    assert_eq!(kinds(&anna).await, ["member.opened", "member.closed"]);
}

#[tokio::test]
async fn a_system_that_is_away_delays_a_membership_and_never_loses_it() {
    let platform = Platform::start().await;
    offer(&platform, SHOP, Joining::OnRequest).await;
    let anna = platform.app("anna").open().await;
    platform.club.books().mood = Mood::Away;
    assert_eq!(anna.put(SHOPS, json!({})).await.data()["vip_status"], "PENDING");
    for _ in 0..3 {
        ask(&platform.engine).await;
        assert_eq!(status(&platform.app("anna")).await, "PENDING");
        // By the wall's time the merchant's rest, by the platform's the question's.
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        platform.clock.advance(Duration::from_secs(7 * 3_600));
    }
    platform.club.books().mood = Mood::Undecided;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(ask(&platform.engine).await, 1);
    assert_eq!(status(&platform.app("anna")).await, "PENDING");
    platform.club.books().mood = Mood::Willing;
    platform.clock.advance(Duration::from_secs(3_600));
    assert_eq!(ask(&platform.engine).await, 1);
    assert_eq!(status(&platform.app("anna")).await, "ACTIVE");
    let asked = platform.club.books().asked.clone();
    assert!(asked.len() >= 3, "{asked:?}");
    assert!(
        asked.iter().all(|question| *question == asked[0]),
        "one number for one wish: {asked:?}"
    );
}

#[tokio::test]
async fn a_merchant_may_say_no_and_says_why() {
    let platform = Platform::start().await;
    offer(&platform, SHOP, Joining::OnRequest).await;
    let anna = platform.app("anna").open().await;
    platform.club.books().mood = Mood::Unwilling;
    anna.put(SHOPS, json!({})).await.data();
    ask(&platform.engine).await;
    let shown = anna.get(SHOPS).await.data();
    assert_eq!(
        (&shown["vip_status"], &shown["reason"]),
        (&"UNACTIVE".into(), &"仅限本地居民".into())
    );
    assert_eq!(kinds(&anna).await, ["member.refused"]);
    assert_eq!(ask(&platform.engine).await, 0, "nothing is owed any more");
}

#[tokio::test]
async fn memberships_that_are_not_offered_are_refused() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    for path in [
        SHOPS,
        "/app/v1/merchants/M9/membership",
        "/app/v1/merchants/%00/membership",
    ] {
        let refusal = (404, "MEMBERSHIP_NOT_OFFERED".to_owned());
        assert_eq!(anna.get(path).await.refusal(), refusal, "{path}");
        assert_eq!(anna.put(path, json!({})).await.refusal(), refusal, "{path}");
        assert_eq!(anna.delete(path).await.refusal(), refusal, "{path}");
    }
    offer(&platform, SHOP, Joining::OnRequest).await;
    let bert = platform.app("bert");
    assert_eq!(
        bert.put(SHOPS, json!({})).await.refusal(),
        (422, "CODE_NOT_OPENED".to_owned())
    );
    assert_eq!(
        bert.delete(SHOPS).await.data()["vip_status"],
        "UNACTIVE",
        "no member counts as done"
    );
    assert_eq!(ask(&platform.engine).await, 0);
}

#[tokio::test]
async fn a_system_is_checked_when_it_is_set() {
    let platform = Platform::start().await;
    for (system, config) in [
        ("clubs", json!({})),
        ("club", json!({ "url": 1 })),
        ("club", json!([1])),
    ] {
        let refused = put_system(&platform.engine, &SHOP.into(), (system, &config), Joining::OnRequest).await;
        assert_eq!(refused.unwrap_err().code.word(), "PARAM_INVALID", "{system} {config}");
    }
    let refused = put_system(&platform.engine, &"M9".into(), ("club", &json!({})), Joining::OnRequest).await;
    assert_eq!(refused.unwrap_err().code.word(), "MERCHANT_NOT_FOUND");
}
