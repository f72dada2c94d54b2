//! Who a user is: the page's address, and what is believed of the answers.

use metropay_core::channel::{CallError, Called, ChannelUser, Hint, Outcome};
use metropay_core::secret::Secret;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer};

use crate::support::{APPID, Scene, SetUp};

const TOKEN: &str = "/sns/oauth2/access_token";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

async fn scene(user_info: &str) -> (Scene, MockServer) {
    let api = MockServer::start().await;
    let config = json!({"app_secret": SECRET, "user_info": user_info, "oauth_api_url": api.uri()});
    let scene = Scene::new(SetUp {
        config,
        ..SetUp::default()
    })
    .await;
    (scene, api)
}

async fn answers(api: &MockServer, at: &str, body: &Value) {
    let response = ResponseTemplate::new(200).set_body_raw(body.to_string(), "text/plain");
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(response)
        .mount(api)
        .await;
}

async fn user(scene: &Scene) -> Called<ChannelUser> {
    let identity = scene.channel.identity().expect("it is set up");
    identity.user(&Secret::from("c0de&x=1")).await
}

fn openid() -> Value {
    json!({"access_token": "T", "expires_in": 7200, "openid": "oTEST0000000000000000000001A", "scope": "snsapi_base"})
}

#[tokio::test]
async fn the_page_has_its_parameters_in_the_channels_order() {
    assert!(Scene::provider().await.channel.identity().is_none());
    for (kind, scope) in [("base", "snsapi_base"), ("profile", "snsapi_userinfo")] {
        let (scene, _api) = scene(kind).await;
        let identity = scene.channel.identity().unwrap();
        assert_eq!(
            identity.page("https://pay.example.test/back?a=1&b=2", "s1"),
            format!(
                "https://open.weixin.qq.com/connect/oauth2/authorize?appid={APPID}&redirect_uri=\
                 https%3A%2F%2Fpay.example.test%2Fback%3Fa%3D1%26b%3D2&response_type=code&scope={scope}&state=s1#wechat_redirect"
            )
        );
    }
}

#[tokio::test]
async fn a_code_is_changed_for_an_id_once() {
    let (scene, api) = scene("base").await;
    Mock::given(method("GET"))
        .and(path(TOKEN))
        .and(query_param("appid", APPID))
        .and(query_param("secret", SECRET))
        .and(query_param("code", "c0de&x=1"))
        .and(query_param("grant_type", "authorization_code"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(openid().to_string(), "text/plain"))
        .expect(1)
        .mount(&api)
        .await;
    let expected = ChannelUser {
        id: "oTEST0000000000000000000001A".to_owned(),
        union_id: None,
        nickname: None,
    };
    assert_eq!(user(&scene).await, Ok(Outcome::Done(expected)));
}

#[tokio::test]
async fn who_agreed_to_it_is_told_by_his_name_and_who_did_not_tell_it_is_known_none_the_less() {
    let profile = json!({"openid": "oTEST0000000000000000000001A", "nickname": "小明", "unionid": "oU1"});
    for (answer, name) in [
        (profile, Some("小明")),
        (json!({"errcode": 40001, "errmsg": "invalid credential"}), None),
        (json!({"openid": "oSOMEBODYELSE", "nickname": "小红"}), None),
    ] {
        let (scene, api) = scene("profile").await;
        answers(&api, TOKEN, &openid()).await;
        answers(&api, "/sns/userinfo", &answer).await;
        let Ok(Outcome::Done(user)) = user(&scene).await else {
            panic!("{answer}")
        };
        assert_eq!(user.nickname.as_deref(), name);
        assert_eq!(user.union_id.is_some(), name.is_some());
    }
}

#[tokio::test]
async fn a_mini_programs_code_goes_its_own_way() {
    let (scene, api) = scene("miniprogram").await;
    let answer = json!({"openid": "oM1", "session_key": "K", "unionid": "oU1"});
    Mock::given(method("GET"))
        .and(path("/sns/jscode2session"))
        .and(query_param("js_code", "c0de&x=1"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(answer.to_string(), "text/plain"))
        .mount(&api)
        .await;
    let expected = ChannelUser {
        id: "oM1".to_owned(),
        union_id: Some("oU1".to_owned()),
        nickname: None,
    };
    assert_eq!(user(&scene).await, Ok(Outcome::Done(expected)));
}

#[tokio::test]
async fn every_error_code_of_the_reference_has_its_class() {
    for (code, hint) in [
        (40029, Some(Hint::None)),
        (40163, Some(Hint::None)),
        (42001, Some(Hint::None)),
        (42002, Some(Hint::None)),
        (41008, Some(Hint::Setup)),
        (40013, Some(Hint::Setup)),
        (40125, Some(Hint::Setup)),
        (40001, Some(Hint::Setup)),
        (-1, None),
        (45011, None),
        (99_999, None),
    ] {
        let (scene, api) = scene("base").await;
        answers(&api, TOKEN, &json!({"errcode": code, "errmsg": "x"})).await;
        let outcome = user(&scene).await;
        match hint {
            Some(hint) => assert!(
                matches!(&outcome, Ok(Outcome::Refused(refusal)) if refusal.hint == hint && refusal.code == code.to_string()),
                "{code}: {outcome:?}"
            ),
            None => assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{code}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn a_visitor_of_a_snapshot_is_nobody_and_garbage_is_not_believed() {
    let (snapshot, api) = scene("base").await;
    let mut visitor = openid();
    visitor["is_snapshotuser"] = json!(1);
    answers(&api, TOKEN, &visitor).await;
    let outcome = user(&snapshot).await;
    assert!(
        matches!(&outcome, Ok(Outcome::Refused(refusal)) if refusal.hint == Hint::User),
        "{outcome:?}"
    );

    for response in [
        ResponseTemplate::new(200).set_body_string(""),
        ResponseTemplate::new(200).set_body_string("<html></html>"),
        ResponseTemplate::new(200).set_body_string("{}"),
        ResponseTemplate::new(200).set_body_string("{\"openid\":\"\"}"),
        ResponseTemplate::new(200).set_body_string("{\"openid\":1}"),
        ResponseTemplate::new(200).set_body_string(format!("{{\"openid\":\"{}\"}}", "o".repeat(129))),
        ResponseTemplate::new(200).set_body_string("{\"errcode\":\"40029\"}"),
        ResponseTemplate::new(500).set_body_string(openid().to_string()),
        ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; (1 << 20) + 1]),
    ] {
        let (scene, api) = scene("base").await;
        Mock::given(method("GET")).respond_with(response).mount(&api).await;
        let outcome = user(&scene).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{outcome:?}");
        assert!(!format!("{outcome:?}").contains(SECRET));
    }
}
