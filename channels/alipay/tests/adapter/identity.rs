//! Who a user is.

use metropay_core::channel::{CallError, Called, ChannelUser, Hint, Outcome};
use metropay_core::secret::Secret;
use serde_json::{Value, json};

use crate::ground::*;

/// The token's answer of the reference: without `code` and `msg`.
fn token() -> Value {
    json!({"access_token": "authusrB0123456789abcdef0123456789abcX99", "auth_start": "2026-03-01 07:00:00",
        "expires_in": 1_296_000, "open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5",
        "re_expires_in": 2_592_000, "refresh_token": "authusrB0123456789abcdef0123456789abcY99"})
}

async fn ground(scope: &str) -> Ground {
    Ground::with(json!({ "identity_scope": scope })).await
}

async fn user(ground: &Ground) -> Called<ChannelUser> {
    let identity = ground.channel.identity().unwrap();
    identity
        .user(&Secret::from("canary-code-4b203fe6c11548bcabd8da5bb087a83b"))
        .await
}

#[tokio::test]
async fn the_page_is_alipays_and_says_where_to_come_back_to() {
    for (scope, on_page) in [("auth_base", "auth_base"), ("auth_user", "auth_user")] {
        let ground = ground(scope).await;
        let page = ground
            .channel
            .identity()
            .unwrap()
            .page("https://app.example.com/oauth?a=1&b=2", "s t/1");
        assert_eq!(
            page,
            format!(
                "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?app_id=2021000000000001&scope={on_page}&\
                 redirect_uri=https%3A%2F%2Fapp.example.com%2Foauth%3Fa%3D1%26b%3D2&state=s%20t%2F1"
            )
        );
    }
    assert!(Ground::new().await.channel.identity().is_none());
    let own = Ground::with(json!({"identity_scope": "auth_base", "authorize_url": "http://127.0.0.1:9/oauth2/x.htm"}));
    let page = own.await.channel.identity().unwrap().page("https://a.b", "1");
    assert!(page.starts_with("http://127.0.0.1:9/oauth2/x.htm?app_id="), "{page}");
}

#[tokio::test]
async fn a_code_tells_who_he_is_by_either_name() {
    let with_user = |user_id: &str| with(token(), json!({ "user_id": user_id, "union_id": "U1" }));
    for (node, id, union_id) in [
        (token(), "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5", None),
        (with_user("2088000000000099"), "2088000000000099", Some("U1".to_owned())),
        (
            with(
                with_user("2088000000000099"),
                json!({"code": "10000", "msg": "Success"}),
            ),
            "2088000000000099",
            Some("U1".to_owned()),
        ),
    ] {
        let ground = ground("auth_base").await;
        ground.says(TOKEN, &node);
        let expected = ChannelUser {
            id: id.to_owned(),
            union_id,
            nickname: None,
        };
        assert_eq!(user(&ground).await, Ok(Outcome::Done(expected)));
        let call = &ground.calls()[0];
        assert_eq!(call.parameters["grant_type"], "authorization_code");
        assert_eq!(call.parameters["code"], "canary-code-4b203fe6c11548bcabd8da5bb087a83b");
        assert!(
            !call.parameters.contains_key("biz_content"),
            "the fields stand by themselves"
        );
        assert!(!call.query.contains("canary-code"), "the code is no part of an address");
    }
}

#[tokio::test]
async fn with_his_consent_he_is_called_by_his_nickname_and_without_it_he_is_who_he_is() {
    let info = |id: &str| success(json!({"user_id": id, "nick_name": "小明", "avatar": "https://a.b/c.png"}));
    let known = with(token(), json!({"user_id": "2088000000000099"}));
    for (answer, nickname) in [
        (info("2088000000000099"), Some("小明".to_owned())),
        (info("2088000000000001"), None),
        (failure("20001", "aop.invalid-auth-token"), None),
        (failure("20000", "isp.unknow-error"), None),
    ] {
        let ground = ground("auth_user").await;
        ground.says(TOKEN, &known);
        ground.says(USER_INFO, &answer);
        let told = user(&ground).await;
        assert!(
            matches!(&told, Ok(Outcome::Done(user)) if user.id == "2088000000000099" && user.nickname == nickname),
            "{answer}: {told:?}"
        );
        let call = &ground.calls()[1];
        assert_eq!(
            call.parameters["auth_token"],
            "authusrB0123456789abcdef0123456789abcX99"
        );
        assert!(!call.query.contains("authusrB"), "tokens are no part of an address");
    }
}

#[tokio::test]
async fn refusals_tell_whether_the_user_or_the_set_up_is_at_fault() {
    for (sub_code, hint) in [
        ("isv.code-invalid", Hint::User),
        ("isv.refresh-token-time-out", Hint::User),
        ("isv.unmatched-app-id", Hint::Setup),
        ("isv.grant-type-invalid", Hint::Setup),
    ] {
        let node = json!({"code": "40002", "msg": "Invalid Arguments", "sub_code": sub_code, "sub_msg": "无效"});
        let ground = ground("auth_base").await;
        // May arrive under the other root.
        let text = node.to_string();
        ground.sends(
            TOKEN,
            &format!(r#"{{"error_response":{text},"sign":"{}"}}"#, alipay_signs(&text)),
        );
        ground.says(TOKEN, &node);
        for _ in 0..2 {
            let told = user(&ground).await;
            assert!(
                matches!(&told, Ok(Outcome::Refused(refusal)) if refusal.hint == hint && refusal.code == sub_code),
                "{told:?}"
            );
        }
    }
}

#[tokio::test]
async fn nobody_is_told_by_an_answer_that_is_not_alipays() {
    let unsigned = json!({ "alipay_system_oauth_token_response": token() }).to_string();
    let good = signed(TOKEN, &token());
    let both = with(token(), json!({"code": "10000", "sub_code": "isv.invalid-app-id"}));
    for body in [
        unsigned,
        json!({ "alipay_system_oauth_token_response": both }).to_string(),
        good.replace("074a1", "074a2"),
        good.replace("alipay_system_oauth_token_response", "alipay_user_info_share_response"),
        signed(TOKEN, &json!({"access_token": "t"})),
        signed(TOKEN, &json!({"open_id": "o"})),
        signed(TOKEN, &failure("20000", "isp.unknow-error")),
        good[..good.len() / 2].to_owned(),
        "<html></html>".to_owned(),
        String::new(),
    ] {
        let ground = ground("auth_base").await;
        ground.sends(TOKEN, &body);
        let told = user(&ground).await;
        assert!(matches!(told, Err(CallError::MaybeDone(_))), "{body}: {told:?}");
        assert!(!format!("{told:?}").contains("canary"), "{told:?}");
    }
}
