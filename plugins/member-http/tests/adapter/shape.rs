//! What leaves: methods, paths, queries, bodies and signatures, as a rule shapes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use metropay_core::member::{CallError, MemberTrouble, VipStatus};
use metropay_core::rules::Wrong;
use metropay_core::rules::membership::{
    CallAlgorithm, CallBody, CallEncoding, CallSign, MembershipAnswer, MembershipCall, MembershipQuestion,
    MembershipReply, SignPlace,
};
use metropay_core::signing::{Algorithm, Authorization, Request, VerifyingKey};
use serde_json::json;

use crate::world::{AT, PHONE, SECRET, Shop, TestRules, World, base64, hmac_by_hand, question};

fn post(body: CallBody) -> MembershipCall {
    MembershipCall {
        method: "POST".to_owned(),
        path: "/members/open".to_owned(),
        query: Vec::new(),
        headers: BTreeMap::new(),
        body,
        sign: None,
    }
}

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn sign(text: &str, encoding: CallEncoding, into: SignPlace, name: &str) -> Option<CallSign> {
    Some(CallSign {
        algorithm: CallAlgorithm::HmacSha256,
        text: text.to_owned(),
        encoding,
        into,
        name: name.to_owned(),
    })
}

/// A rule that reads `{"state":"IN","card":"…"}`: another shape than ours.
fn read(reply: &MembershipReply) -> Result<MembershipAnswer, Wrong> {
    let json = reply.json.clone().unwrap_or_default();
    Ok(MembershipAnswer {
        vip_status: match json["state"].as_str() {
            Some("IN") => Some(VipStatus::Active),
            Some("OUT") => Some(VipStatus::Closed),
            Some("WAIT") => Some(VipStatus::Pending),
            _ => None,
        },
        member_no: json["card"].as_str().map(str::to_owned),
        reason: json["note"].as_str().unwrap_or_default().to_owned(),
    })
}

fn world(shape: impl Fn(&MembershipQuestion) -> MembershipCall + Send + Sync + 'static) -> World {
    World::new(TestRules::new(move |question| Ok(shape(question)), read))
}

async fn shop() -> Shop {
    Shop::answers(200, "application/json", r#"{"state":"IN","card":"A-7","note":"欢迎"}"#).await
}

fn with_secret(shop: &Shop) -> serde_json::Value {
    let mut config = shop.config();
    config["sign"] = json!("secret");
    config["secret"] = json!(SECRET);
    config
}

#[tokio::test]
async fn json_leaves_as_the_rule_writes_it_with_the_calls_number() {
    let world = world(|question| MembershipCall {
        headers: BTreeMap::from([("X-App".to_owned(), "metro".to_owned())]),
        query: pairs(&[("v", "1"), ("a", "甲 &")]),
        ..post(CallBody::Json(
            json!({ "user": question.uid, "tel": question.phone, "act": question.action }),
        ))
    });
    let shop = shop().await;
    let standing = world.member(shop.config()).open(&question()).await.unwrap();
    assert_eq!(standing.status, VipStatus::Active);
    assert_eq!(
        (standing.member_no.as_deref(), standing.reason.as_str()),
        (Some("A-7"), "欢迎")
    );
    let seen = shop.seen();
    assert_eq!(seen.line, "POST /vip/members/open?v=1&a=%E7%94%B2+%26 HTTP/1.1");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("metropay-request-no"), Some("MB20260801000001"));
    assert_eq!(seen.header("x-app"), Some("metro"));
    assert_eq!(seen.header("authorization"), None);
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body, json!({ "user": "u-1", "tel": PHONE, "act": "open" }));
}

#[tokio::test]
async fn each_question_is_the_action_that_the_rule_hears() {
    let world = world(|question| MembershipCall {
        path: format!("/{}", question.action.word()),
        ..post(CallBody::None)
    });
    let shop = shop().await;
    let mut config = shop.config();
    assert!(world.member(config.clone()).query().is_none());
    config["queries"] = json!(true);
    let member = world.member(config);
    member.open(&question()).await.unwrap();
    assert!(shop.seen().line.starts_with("POST /vip/open "));
    member.close(&question()).await.unwrap();
    assert!(shop.seen().line.starts_with("POST /vip/close "));
    member.change_phone(&question()).await.unwrap();
    assert!(shop.seen().line.starts_with("POST /vip/change_phone "));
    member.query().unwrap().standing(&question()).await.unwrap();
    assert!(shop.seen().line.starts_with("POST /vip/query "));
    assert!(member.points().is_none());
    let mut nobody = question();
    nobody.phone = None;
    assert_eq!(
        member.change_phone(&nobody).await.unwrap_err().trouble,
        MemberTrouble::Call
    );
    member.open(&nobody).await.unwrap();
    assert_eq!(shop.count(), 5);
}

#[tokio::test]
async fn a_get_is_signed_in_its_query() {
    let world = world(|question| {
        let query = pairs(&[("uid", question.uid.as_str()), ("time", "1785542400")]);
        MembershipCall {
            method: "GET".to_owned(),
            sign: sign("time=1785542400&uid=u-1", CallEncoding::Hex, SignPlace::Query, "sign"),
            query,
            ..post(CallBody::None)
        }
    });
    let shop = shop().await;
    world.member(with_secret(&shop)).open(&question()).await.unwrap();
    let expected = hex::encode(hmac_by_hand(SECRET, "time=1785542400&uid=u-1"));
    assert_eq!(
        shop.seen().line,
        format!("GET /vip/members/open?uid=u-1&time=1785542400&sign={expected} HTTP/1.1")
    );
    assert_eq!(shop.seen().body, "");
}

#[tokio::test]
async fn a_form_is_signed_in_a_field() {
    let world = world(|question| MembershipCall {
        sign: sign("甲", CallEncoding::Base64, SignPlace::Body, "sig"),
        ..post(CallBody::Form(pairs(&[
            ("uid", question.uid.as_str()),
            ("name", "甲&乙 ="),
        ])))
    });
    let shop = shop().await;
    world.member(with_secret(&shop)).open(&question()).await.unwrap();
    let seen = shop.seen();
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    let fields: Vec<(String, String)> = form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
    let expected = base64(&hmac_by_hand(SECRET, "甲"));
    assert_eq!(
        fields,
        pairs(&[("uid", "u-1"), ("name", "甲&乙 ="), ("sig", &expected)])
    );
}

#[tokio::test]
async fn json_is_signed_in_a_field_and_xml_in_a_header() {
    let json = world(|_| MembershipCall {
        sign: sign("t", CallEncoding::Hex, SignPlace::Body, "sig"),
        ..post(CallBody::Json(json!({ "uid": "u-1" })))
    });
    let shop = shop().await;
    json.member(with_secret(&shop)).open(&question()).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&shop.seen().body).unwrap();
    assert_eq!(
        body,
        json!({ "uid": "u-1", "sig": hex::encode(hmac_by_hand(SECRET, "t")) })
    );

    let document = "<?xml version=\"1.0\"?><open><uid>u-1</uid><name>甲</name></open>";
    for header in ["X-Sign", "Authorization"] {
        let xml = world(move |_| MembershipCall {
            method: "PUT".to_owned(),
            sign: sign(document, CallEncoding::Base64, SignPlace::Header, header),
            ..post(CallBody::Xml(document.to_owned()))
        });
        xml.member(with_secret(&shop)).open(&question()).await.unwrap();
        let seen = shop.seen();
        assert!(seen.line.starts_with("PUT /vip/members/open "));
        assert_eq!(seen.header("content-type"), Some("application/xml; charset=utf-8"));
        let expected = base64(&hmac_by_hand(SECRET, document));
        assert_eq!(seen.header(&header.to_ascii_lowercase()), Some(expected.as_str()));
        assert_eq!(seen.body, document);
    }
}

#[tokio::test]
async fn the_merchants_word_decides_whether_a_signature_is_made() {
    let signing = || MembershipCall {
        sign: sign("t", CallEncoding::Hex, SignPlace::Header, "X-Sign"),
        ..post(CallBody::None)
    };
    let shop = shop().await;
    world(move |_| signing())
        .member(shop.config())
        .open(&question())
        .await
        .unwrap();
    assert_eq!(shop.seen().header("x-sign"), None);
    // He wants one, and the rule describes none.
    let failure = world(|_| post(CallBody::None))
        .member(with_secret(&shop))
        .open(&question())
        .await
        .unwrap_err();
    assert_eq!(failure.trouble, MemberTrouble::Call);
    assert_eq!(shop.count(), 1);
}

#[tokio::test]
async fn the_platform_signs_as_merchants_sign_and_its_public_key_verifies() {
    let world = world(|_| MembershipCall {
        query: pairs(&[("a", "1")]),
        ..post(CallBody::Json(json!({ "uid": "u-1" })))
    });
    let shop = shop().await;
    let mut config = shop.config();
    config["sign"] = json!("platform");
    config["algorithm"] = json!("ED25519");
    world.member(config).open(&question()).await.unwrap();
    let seen = shop.seen();
    let header = Authorization::read([seen.header("authorization").unwrap().as_bytes()]).unwrap();
    assert_eq!(
        (header.mch_id.as_str(), header.serial.as_str()),
        ("1900000109", "PLATFORM1")
    );
    assert_eq!(header.timestamp, AT.unix_seconds());
    let key = VerifyingKey::parse(Algorithm::Ed25519, &world.signer.pair.public_pem).unwrap();
    let authority = shop.address.to_string();
    assert_eq!(seen.header("host"), Some(authority.as_str()));
    let request = |target, body: &'static str| Request {
        method: "POST",
        authority: &authority,
        target,
        body: body.as_bytes(),
    };
    assert!(
        header
            .verify(&key, &request("/vip/members/open?a=1", r#"{"uid":"u-1"}"#))
            .is_ok()
    );
    assert!(
        header
            .verify(&key, &request("/vip/members/open?a=2", r#"{"uid":"u-1"}"#))
            .is_err()
    );
    assert!(
        header
            .verify(&key, &request("/vip/members/open?a=1", r#"{"uid":"u-2"}"#))
            .is_err()
    );
}

#[tokio::test]
async fn headers_of_other_names_leave_only_where_an_operator_has_listed_them() {
    let call = || MembershipCall {
        headers: BTreeMap::from([("appKey".to_owned(), "k".to_owned())]),
        ..post(CallBody::None)
    };
    let world = world(move |_| call());
    let shop = shop().await;
    let failure = world.member(shop.config()).open(&question()).await.unwrap_err();
    assert_eq!(failure.trouble, MemberTrouble::Call);
    let mut config = shop.config();
    config["headers"] = json!(["appKey"]);
    world.member(config).open(&question()).await.unwrap();
    assert_eq!(shop.seen().header("appkey"), Some("k"));
}

fn set(call: &mut MembershipCall, name: &str, value: &str) {
    call.headers.insert(name.to_owned(), value.to_owned());
}

#[tokio::test]
async fn a_call_that_may_not_be_sent_is_not_sent() {
    type Change = fn(&mut MembershipCall);
    let changes: [(&str, Change); 14] = [
        ("method", |call| call.method = "TRACE".to_owned()),
        ("method of small letters", |call| call.method = "post".to_owned()),
        ("path without slash", |call| call.path = "members".to_owned()),
        ("path to another host", |call| call.path = "//evil.cn/".to_owned()),
        ("path that climbs", |call| call.path = "/../admin".to_owned()),
        ("path with a query", |call| call.path = "/a?b".to_owned()),
        ("authorization", |call| {
            set(call, "Authorization", "Basic x");
        }),
        ("host", |call| {
            set(call, "Host", "evil.cn");
        }),
        ("a header of two lines", |call| {
            set(call, "X-A", "a\r\nHost: evil.cn");
        }),
        ("the number", |call| {
            set(call, "Metropay-Request-No", "1");
        }),
        ("a body too long", |call| call.body = CallBody::Xml("a".repeat(300_000))),
        ("a signature over another", |call| {
            call.headers.insert("x-sign".to_owned(), "forged".to_owned());
            call.sign = sign("t", CallEncoding::Hex, SignPlace::Header, "X-Sign");
        }),
        ("a field twice", |call| {
            call.body = CallBody::Json(json!({ "sig": "forged" }));
            call.sign = sign("t", CallEncoding::Hex, SignPlace::Body, "sig");
        }),
        ("a place that is not there", |call| {
            call.sign = sign("t", CallEncoding::Hex, SignPlace::Body, "sig");
        }),
    ];
    let shop = shop().await;
    for (what, change) in changes {
        let world = world(move |_| {
            let mut call = post(CallBody::None);
            call.sign = sign("t", CallEncoding::Hex, SignPlace::Query, "sign");
            change(&mut call);
            call
        });
        let failure = world.member(with_secret(&shop)).open(&question()).await.unwrap_err();
        assert_eq!(failure.trouble, MemberTrouble::Call, "{what}");
        assert!(matches!(failure.error, CallError::NotSent(_)), "{what}: {failure}");
        assert!(!failure.to_string().contains("evil"), "{what}: {failure}");
    }
    for request_no in ["", "a b", "a\r\nb", "甲", &"a".repeat(65)] {
        let mut asked = question();
        asked.request_no = request_no.to_owned();
        let world = world(|_| post(CallBody::None));
        let failure = world.member(shop.config()).open(&asked).await.unwrap_err();
        assert_eq!(failure.trouble, MemberTrouble::Call, "{request_no}");
    }
    assert_eq!(shop.count(), 0);
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_told_by_its_field() {
    let world = world(|_| post(CallBody::None));
    let good = json!({ "url": "https://api.shop.com/vip" });
    assert!(world.build(good.clone()).is_ok());
    for (changed, field) in [
        (json!({ "url": "https://10.0.0.1/" }), "url"),
        (json!({ "url": "ftp://api.shop.com/" }), "url"),
        (json!({ "sign": "secret" }), "secret"),
        (json!({ "sign": "secret", "secret": "" }), "secret"),
        (json!({ "sign": "secret", "secret": "short" }), "secret"),
        (json!({ "sign": "platform" }), "algorithm"),
        (json!({ "sign": "platform", "algorithm": "HMAC-SHA256" }), "algorithm"),
        (json!({ "phone_key": "rubbish" }), "phone_key"),
        (json!({ "headers": ["Host"] }), "headers"),
    ] {
        let mut config = good.clone();
        let changes = changed.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(changes);
        let error = world.build(config).err().unwrap();
        assert_eq!(error.field, field, "{changed}: {error}");
        assert!(
            !error.reason.contains("short") && !error.reason.contains("10.0.0.1"),
            "{error}"
        );
    }
    let _: Arc<dyn metropay_core::member::Member> = world.member(good);
}
