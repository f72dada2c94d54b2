//! Another phone number: proven by a code, told to every merchant, and never by guessing.

use std::time::Duration;

use metropay_core::membership::{Joining, put_system};
use serde_json::json;

use super::club::Mood;
use super::membership::ask;
use super::platform::{PHONE, Platform, SHOP};

const CODE: &str = "/app/v1/phone/code";
const PATH: &str = "/app/v1/phone";
const NEW: &str = "13900139000";

#[tokio::test]
async fn a_new_number_is_proven_and_told_to_every_merchant() {
    let platform = Platform::start().await;
    let config = json!({});
    put_system(&platform.engine, &SHOP.into(), ("club", &config), Joining::AtOpening)
        .await
        .unwrap();
    let anna = platform.app("anna");
    anna.post("/app/v1/code-account", Some(json!({ "phone": PHONE })))
        .await
        .data();
    ask(&platform.engine).await;
    anna.post(CODE, Some(json!({ "phone": NEW }))).await.data();
    let (phone, code) = platform.sms.last();
    assert_eq!((phone.as_str(), code.len()), (NEW, 6));
    platform.club.books().mood = Mood::Away;
    let changed = anna.put(PATH, json!({ "phone": NEW, "code": code })).await.data();
    assert_eq!(changed["phone"], "139****9000");
    let told = || async { anna.get("/app/v1/memberships").await.data()["memberships"][0]["phone_up_to_date"].clone() };
    ask(&platform.engine).await;
    assert_eq!(told().await, false);
    assert_eq!(platform.club.books().members["anna"].as_deref(), Some(PHONE));
    platform.club.books().mood = Mood::Willing;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    platform.clock.advance(Duration::from_secs(60));
    ask(&platform.engine).await;
    assert_eq!(told().await, true);
    assert_eq!(platform.club.books().members["anna"].as_deref(), Some(NEW));
    // The App's token still tells of the old number; the account keeps the one that it has.
    anna.post("/app/v1/code-account", Some(json!({ "phone": PHONE })))
        .await
        .data();
    assert_eq!(ask(&platform.engine).await, 0);
    let again = anna.put(PATH, json!({ "phone": NEW, "code": code })).await.refusal();
    assert_eq!(again, (422, "PHONE_CODE_INVALID".to_owned()), "a code counts once");
}

#[tokio::test]
async fn a_code_is_not_guessed() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let wrong = |code: &str| json!({ "phone": NEW, "code": code });
    let invalid = (422, "PHONE_CODE_INVALID".to_owned());
    assert_eq!(
        anna.put(PATH, wrong("000000")).await.refusal(),
        invalid,
        "none was sent"
    );
    anna.post(CODE, Some(json!({ "phone": NEW }))).await.data();
    let (_, code) = platform.sms.last();
    let other = json!({ "phone": "13900139001", "code": code });
    assert_eq!(anna.put(PATH, other).await.refusal(), invalid, "another number");
    let bert = platform.app("bert").open().await;
    assert_eq!(bert.put(PATH, wrong(&code)).await.refusal(), invalid, "another user");
    for _ in 0..5 {
        let guess = if code == "123456" { "654321" } else { "123456" };
        assert_eq!(anna.put(PATH, wrong(guess)).await.refusal(), invalid);
    }
    assert_eq!(
        anna.put(PATH, wrong(&code)).await.refusal(),
        invalid,
        "five wrong ones end it"
    );
    platform.clock.advance(Duration::from_secs(61));
    anna.post(CODE, Some(json!({ "phone": NEW }))).await.data();
    let (_, code) = platform.sms.last();
    platform.clock.advance(Duration::from_secs(301));
    assert_eq!(anna.put(PATH, wrong(&code)).await.refusal(), invalid, "it is over");
}

#[tokio::test]
async fn codes_are_sent_at_a_pace() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    let wish = || Some(json!({ "phone": NEW }));
    anna.post(CODE, wish()).await.data();
    let soon = anna.post(CODE, wish()).await;
    assert_eq!(soon.refusal(), (429, "RATE_LIMITED".to_owned()));
    for _ in 1..10 {
        platform.clock.advance(Duration::from_secs(61));
        anna.post(CODE, wish()).await.data();
    }
    platform.clock.advance(Duration::from_secs(3_600));
    let anna = platform.app("anna");
    assert_eq!(anna.post(CODE, wish()).await.refusal().0, 429, "ten a day");
    assert_eq!(platform.sms.count(), 10);
    platform.clock.advance(Duration::from_secs(24 * 3_600));
    platform.app("anna").post(CODE, wish()).await.data();
    for other in ["bert", "carl"] {
        platform.app(other).open().await.post(CODE, wish()).await.data();
    }
    let dora = platform.app("dora").open().await;
    assert_eq!(
        dora.post(CODE, wish()).await.refusal().0,
        429,
        "one number is not flooded by many"
    );
}

#[tokio::test]
async fn a_number_that_is_none_or_the_same_is_refused_and_a_broken_line_is_told() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await;
    for phone in [
        "1390013900",
        "139001390000",
        "23900139000",
        "+8613900139000",
        "１３９００１３９０００",
    ] {
        let refusal = anna.post(CODE, Some(json!({ "phone": phone }))).await.refusal();
        assert_eq!(refusal, (400, "PARAM_INVALID".to_owned()), "{phone}");
        let refusal = anna
            .put(PATH, json!({ "phone": phone, "code": "123456" }))
            .await
            .refusal();
        assert_eq!(refusal, (400, "PARAM_INVALID".to_owned()), "{phone}");
    }
    let same = anna.post(CODE, Some(json!({ "phone": PHONE }))).await.refusal();
    assert_eq!(same, (400, "PARAM_INVALID".to_owned()));
    platform.sms.break_off(true);
    let broken = anna.post(CODE, Some(json!({ "phone": NEW }))).await.refusal();
    assert_eq!(broken, (503, "SMS_NOT_SENT".to_owned()));
    let bert = platform.app("bert");
    let refusal = bert.post(CODE, Some(json!({ "phone": NEW }))).await.refusal();
    assert_eq!(refusal, (422, "CODE_NOT_OPENED".to_owned()));
}
