//! Notifications of APIv3: verified over their raw bytes, at the time when they arrived, and opened only then.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_core::channel::{News, NoticeRefused, RawNotice, RefundStanding, Refunded};
use metropay_core::clock::{Clock, Time};
use metropay_core::id::RefundNo;
use serde_json::{Value, json};

use crate::keys::listing;
use crate::sealed::{By, V3_KEY, headers, time_of, v3_scene, v3_vector};
use crate::support::{MCH, ORDER, REFUND, SHOP, Scene, fen};

fn c18() -> RawNotice {
    let headers = ["timestamp", "nonce", "serial", "signature"]
        .iter()
        .map(|word| (format!("wechatpay-{word}"), v3_vector("C18", word).to_owned()))
        .collect();
    RawNotice {
        headers,
        body: v3_vector("C18", "body").as_bytes().to_vec(),
        received_at: time_of("C18"),
    }
}

fn the_refund() -> News {
    News::Refund {
        no: RefundNo::from(REFUND),
        standing: Some(RefundStanding::Refunded(Refunded {
            channel_no: Some("50300000002025030100000000001".to_owned()),
            amount: fen(300),
            coupon: fen(0),
            refunded_at: Time::parse_china("20250301150005", "%Y%m%d%H%M%S").expect("a time"),
        })),
    }
}

/// An object as the gateway encrypts and wraps it.
fn wrapped(event: &str, object: &Value) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, V3_KEY.as_bytes()).expect("a key"));
    let nonce = Nonce::try_assume_unique_for_key(b"gatewaynonce").expect("twelve bytes");
    let mut bytes = object.to_string().into_bytes();
    key.seal_in_place_append_tag(nonce, Aad::from(b"refund"), &mut bytes)
        .expect("encrypted");
    json!({
        "id": "EV-1", "create_time": "2025-03-01T15:00:06+08:00", "resource_type": "encrypt-resource", "event_type": event,
        "resource": {
            "original_type": "refund", "algorithm": "AEAD_AES_256_GCM", "ciphertext": STANDARD.encode(bytes),
            "associated_data": "refund", "nonce": "gatewaynonce",
        },
    })
    .to_string()
}

fn notice(by: By, at: Time, body: &str) -> RawNotice {
    RawNotice {
        headers: headers(by, at, body),
        body: body.as_bytes().to_vec(),
        received_at: at,
    }
}

fn object(status: &str) -> Value {
    json!({
        "sp_mchid": MCH, "sub_mchid": SHOP, "out_trade_no": ORDER, "transaction_id": "42", "out_refund_no": REFUND,
        "refund_id": "503", "refund_status": status, "success_time": "2025-03-01T15:00:05+08:00",
        "amount": {"total": 1280, "refund": 300, "payer_total": 1280, "payer_refund": 300},
    })
}

async fn read(scene: &Scene, event: &str, object: &Value) -> Result<Vec<News>, NoticeRefused> {
    let notice = notice(By::Public, scene.clock.now(), &wrapped(event, object));
    scene.channel.read_notice(&notice).await
}

#[tokio::test]
async fn vector_c18_tells_of_a_refund_also_when_it_is_read_later() {
    let scene = v3_scene(json!({})).await;
    assert_eq!(scene.channel.read_notice(&c18()).await, Ok(vec![the_refund()]));
    scene.clock.advance(30 * 24 * 3_600);
    assert_eq!(scene.channel.read_notice(&c18()).await, Ok(vec![the_refund()]));
}

#[tokio::test]
async fn a_forged_a_replayed_and_a_probing_notice_are_refused() {
    let scene = v3_scene(json!({})).await;
    let with = |name: &str, value: &str| {
        let mut notice = c18();
        notice.headers.retain(|(found, _)| found != name);
        notice.headers.push((name.to_owned(), value.to_owned()));
        notice
    };
    let without = |name: &str| {
        let mut notice = c18();
        notice.headers.retain(|(found, _)| found != name);
        notice
    };
    let at = |seconds: i64| RawNotice {
        received_at: Time(time_of("C18").0 + seconds * 1_000),
        ..c18()
    };
    let body = |body: String| RawNotice {
        body: body.into_bytes(),
        ..c18()
    };
    let text = v3_vector("C18", "body");
    let again: Value = serde_json::from_str(text).unwrap();
    for (n, forged) in [
        at(301),
        at(-301),
        at(300),
        with(
            "wechatpay-signature",
            "WECHATPAY/SIGNTEST/eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4",
        ),
        with("wechatpay-signature", ""),
        with("wechatpay-serial", "5B2E8F4A6C0D1357BDF02468ACE13579BDF02468"),
        with("wechatpay-timestamp", "1740812407"),
        with("wechatpay-nonce", "C18NONCE00000000000000000000000B"),
        without("wechatpay-signature"),
        without("wechatpay-serial"),
        without("wechatpay-timestamp"),
        without("wechatpay-nonce"),
        body(serde_json::to_string_pretty(&again).unwrap()),
        body(text.replace("REFUND.SUCCESS", "REFUND.CLOSED")),
        body(format!("{text} ")),
        body(String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        let refused = scene.channel.read_notice(&forged).await;
        assert!(matches!(refused, Err(NoticeRefused::NotGenuine(_))), "{n}: {refused:?}");
    }
    // What is signed and cannot be opened is not genuine either.
    let at = scene.clock.now();
    let good = wrapped("REFUND.SUCCESS", &object("SUCCESS"));
    for signed in [
        "{}".to_owned(),
        "[]".to_owned(),
        "<xml></xml>".to_owned(),
        good.replace("gatewaynonce", "gatewaynonc2"),
        good.replace("\"associated_data\":\"refund\"", "\"associated_data\":\"\""),
        good.replace("AEAD_AES_256_GCM", "NONE"),
    ] {
        let refused = scene.channel.read_notice(&notice(By::Public, at, &signed)).await;
        assert!(
            matches!(refused, Err(NoticeRefused::NotGenuine(_))),
            "{refused:?}: {signed}"
        );
    }
}

#[tokio::test]
async fn an_account_without_the_credentials_believes_none() {
    let scene = Scene::provider().await;
    let refused = scene.channel.read_notice(&c18()).await;
    assert!(matches!(refused, Err(NoticeRefused::NotGenuine(_))), "{refused:?}");
}

#[tokio::test]
async fn each_event_is_told_as_what_it_is() {
    let scene = v3_scene(json!({})).await;
    let told = async |event: &str, object: &Value| match read(&scene, event, object).await.unwrap().remove(0) {
        News::Refund { standing, .. } => standing,
        other => panic!("{other:?}"),
    };
    let success = told("REFUND.SUCCESS", &object("SUCCESS")).await;
    assert!(matches!(success, Some(RefundStanding::Refunded(_))), "{success:?}");
    let closed = told("REFUND.CLOSED", &object("CLOSED")).await;
    assert!(matches!(closed, Some(RefundStanding::NotRefunded(_))), "{closed:?}");
    let parked = told("REFUND.ABNORMAL", &object("ABNORMAL")).await;
    assert_eq!(parked, Some(RefundStanding::Pending));
    // Where event and object differ, or something is missing, it is a reason to query.
    assert_eq!(told("REFUND.SUCCESS", &object("CLOSED")).await, None);
    for name in ["/success_time", "/amount/refund", "/refund_status"] {
        let mut changed = object("SUCCESS");
        *changed.pointer_mut(name).unwrap() = json!(null);
        assert_eq!(told("REFUND.SUCCESS", &changed).await, None, "{name}");
    }
    let news = read(&scene, "TRANSACTION.SUCCESS", &object("SUCCESS")).await;
    assert_eq!(news, Ok(vec![News::Nothing]));
}

#[tokio::test]
async fn a_genuine_notice_for_somebody_else_does_not_fit() {
    let scene = v3_scene(json!({})).await;
    for (name, value) in [
        ("sp_mchid", json!("1900000001")),
        ("sp_mchid", json!(null)),
        ("sub_mchid", json!("1900000002")),
        ("sub_mchid", json!(null)),
    ] {
        let mut foreign = object("SUCCESS");
        foreign[name] = value;
        let refused = read(&scene, "REFUND.SUCCESS", &foreign).await;
        assert!(
            matches!(refused, Err(NoticeRefused::Mismatch(_))),
            "{name}: {refused:?}"
        );
    }
    let mut foreign = object("SUCCESS");
    foreign["amount"]["currency"] = json!("HKD");
    let refused = read(&scene, "REFUND.SUCCESS", &foreign).await;
    assert!(matches!(refused, Err(NoticeRefused::Mismatch(_))), "{refused:?}");
}

#[tokio::test]
async fn while_the_channel_changes_its_keys_both_are_believed() {
    let scene = v3_scene(json!({})).await;
    scene
        .gives("GET", "/v3/certificates", listing(&scene, By::Public), None)
        .await;
    let body = wrapped("REFUND.SUCCESS", &object("SUCCESS"));
    for by in [By::Public, By::Platform, By::Platform, By::Public] {
        let news = scene.channel.read_notice(&notice(by, scene.clock.now(), &body)).await;
        assert!(
            matches!(news.as_deref(), Ok([News::Refund { standing: Some(_), .. }])),
            "{news:?}"
        );
    }
    assert_eq!(scene.asked("/v3/certificates").await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_no_200_for_the_channel() {
    let scene = v3_scene(json!({})).await;
    assert_eq!(scene.channel.answer_notice(true).status, 200);
    assert_eq!(scene.channel.answer_notice(false).status, 500);
}
