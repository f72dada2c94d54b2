//! Platform certificates: fetched when they are needed, verified, replaced when the channel changes them, and never asked for
//! too often.

use metropay_core::channel::{CallError, RefundStanding};
use metropay_core::clock::Clock;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::sealed::{By, sealed, v3_scene, v3_vector};
use crate::support::{REFUND, Scene, refund};

const LIST: &str = "/v3/certificates";

fn query_path() -> String {
    format!("/v3/refund/domestic/refunds/{REFUND}")
}

/// The list of vector C19, signed now.
pub(crate) fn listing(scene: &Scene, by: By) -> ResponseTemplate {
    sealed(by, scene.clock.now(), 200, v3_vector("C19", "body"))
}

fn unknown() -> Value {
    json!({"code": "RESOURCE_NOT_EXISTS", "message": "x"})
}

async fn platform_scene() -> Scene {
    v3_scene(json!({"public_key_id": null, "public_key_pem": null})).await
}

/// Answers to the question for a refund that are signed by this key now.
async fn answers_by(scene: &Scene, by: By) {
    let answer = sealed(by, scene.clock.now(), 404, &unknown().to_string());
    scene.gives("GET", &query_path(), answer, Some(1)).await;
}

async fn ask(scene: &Scene) -> Result<RefundStanding, CallError> {
    scene.channel.query_refund(&refund()).await
}

#[tokio::test]
async fn the_first_list_is_authenticated_by_what_it_holds_and_is_kept_for_half_a_day() {
    let scene = platform_scene().await;
    for _ in 0..3 {
        scene.gives("GET", LIST, listing(&scene, By::Platform), Some(1)).await;
        answers_by(&scene, By::Platform).await;
        assert_eq!(ask(&scene).await, Ok(RefundStanding::Absent));
    }
    assert_eq!(scene.asked(LIST).await.len(), 1);
    scene.gateway.reset().await;
    scene.clock.advance(12 * 3_600);
    scene.gives("GET", LIST, listing(&scene, By::Platform), None).await;
    answers_by(&scene, By::Platform).await;
    assert_eq!(ask(&scene).await, Ok(RefundStanding::Absent));
    assert_eq!(scene.asked(LIST).await.len(), 1);
    assert_eq!(scene.verified().await, 2);
}

#[tokio::test]
async fn a_call_that_moves_money_does_not_wait_for_a_fresh_list() {
    let scene = platform_scene().await;
    scene.gives("GET", LIST, listing(&scene, By::Platform), None).await;
    answers_by(&scene, By::Platform).await;
    assert_eq!(ask(&scene).await, Ok(RefundStanding::Absent));
    scene.clock.advance(13 * 3_600);
    let refused = sealed(By::Platform, scene.clock.now(), 500, "{\"code\":\"SYSTEM_ERROR\"}");
    scene.gives("POST", "/v3/refund/domestic/refunds", refused, None).await;
    let outcome = scene.channel.refund(&refund()).await;
    assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{outcome:?}");
    assert_eq!(scene.asked(LIST).await.len(), 1);
}

#[tokio::test]
async fn without_a_key_nothing_is_asked_and_with_an_old_one_the_refresh_may_fail() {
    let scene = platform_scene().await;
    scene.gives("GET", LIST, ResponseTemplate::new(500), Some(1)).await;
    let unasked = ask(&scene).await;
    assert!(matches!(unasked, Err(CallError::NotSent(_))), "{unasked:?}");
    assert!(scene.asked(&query_path()).await.is_empty());
    // Within the minute the channel is left alone.
    scene.gives("GET", LIST, listing(&scene, By::Platform), Some(1)).await;
    let unasked = ask(&scene).await;
    assert!(matches!(unasked, Err(CallError::NotSent(_))), "{unasked:?}");
    assert_eq!(scene.asked(LIST).await.len(), 1);
    scene.clock.advance(60);
    answers_by(&scene, By::Platform).await;
    assert_eq!(ask(&scene).await, Ok(RefundStanding::Absent));
    scene.clock.advance(13 * 3_600);
    scene.gives("GET", LIST, ResponseTemplate::new(502), None).await;
    answers_by(&scene, By::Platform).await;
    assert_eq!(ask(&scene).await, Ok(RefundStanding::Absent));
}

#[tokio::test]
async fn a_list_that_is_not_the_channels_is_not_taken() {
    let c19 = v3_vector("C19", "body");
    for (n, forge) in [
        |scene: &Scene, c19: &str| sealed(By::Platform, scene.clock.now(), 200, &c19.replace("syLbw85", "syLbw84")),
        |scene: &Scene, c19: &str| sealed(By::Public, scene.clock.now(), 200, c19),
        |scene: &Scene, c19: &str| sealed(By::Platform, scene.clock.now(), 500, c19),
        |_: &Scene, c19: &str| ResponseTemplate::new(200).set_body_string(c19),
        |scene: &Scene, c19: &str| {
            let then = metropay_core::clock::Time(scene.clock.now().0 - 301_000);
            sealed(By::Platform, then, 200, c19)
        },
        |scene: &Scene, _: &str| sealed(By::Platform, scene.clock.now(), 200, "{\"data\":[]}"),
        |scene: &Scene, c19: &str| {
            let signature = "AAAA";
            sealed(By::Platform, scene.clock.now(), 200, c19).insert_header("Wechatpay-Signature", signature)
        },
    ]
    .into_iter()
    .enumerate()
    {
        let scene = platform_scene().await;
        scene.gives("GET", LIST, forge(&scene, c19), None).await;
        answers_by(&scene, By::Platform).await;
        let unasked = ask(&scene).await;
        assert!(matches!(unasked, Err(CallError::NotSent(_))), "{n}: {unasked:?}");
    }
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_a_minute_and_never_believed_unseen() {
    let scene = v3_scene(json!({})).await;
    let stranger = || {
        let answer = sealed(By::Platform, scene.clock.now(), 404, &unknown().to_string());
        answer.insert_header("Wechatpay-Serial", "00112233445566778899AABBCCDDEEFF00112233")
    };
    scene.gives("GET", LIST, listing(&scene, By::Public), None).await;
    scene.gives("GET", &query_path(), stranger(), None).await;
    for _ in 0..3 {
        let unknown = ask(&scene).await;
        assert!(matches!(unknown, Err(CallError::MaybeDone(_))), "{unknown:?}");
    }
    assert_eq!(scene.asked(LIST).await.len(), 1);
    scene.gateway.reset().await;
    scene.clock.advance(60);
    scene.gives("GET", LIST, listing(&scene, By::Public), None).await;
    scene.gives("GET", &query_path(), stranger(), None).await;
    let unknown = ask(&scene).await;
    assert!(matches!(unknown, Err(CallError::MaybeDone(_))), "{unknown:?}");
    assert_eq!(scene.asked(LIST).await.len(), 1);
}

#[tokio::test]
async fn an_answer_by_the_other_kind_of_key_is_believed_after_its_certificate_was_fetched() {
    let scene = v3_scene(json!({})).await;
    scene.gives("GET", LIST, listing(&scene, By::Public), None).await;
    answers_by(&scene, By::Platform).await;
    assert_eq!(ask(&scene).await, Ok(RefundStanding::Absent));
    answers_by(&scene, By::Public).await;
    assert_eq!(ask(&scene).await, Ok(RefundStanding::Absent));
    assert_eq!(scene.asked(LIST).await.len(), 1);
}

#[tokio::test]
async fn many_answers_at_once_fetch_one_list() {
    let scene = platform_scene().await;
    scene.gives("GET", LIST, listing(&scene, By::Platform), None).await;
    let answer = sealed(By::Platform, scene.clock.now(), 404, &unknown().to_string());
    scene.gives("GET", &query_path(), answer, None).await;
    let all = (0..8).map(|_| ask(&scene));
    for outcome in futures::future::join_all(all).await {
        assert_eq!(outcome, Ok(RefundStanding::Absent));
    }
    assert_eq!(scene.asked(LIST).await.len(), 1);
}
