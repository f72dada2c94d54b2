//! Users who show who they are, and what an app may then read of them.

use std::collections::BTreeMap;

use serde_json::json;

use crate::shop::{AGREEMENT_QUERY, APP_ID, Answer, PAY, Shop, USER, code_order, form, page_id, sign};

const TOKEN: &str = "alipay.system.oauth.token";
const SHARE: &str = "alipay.user.info.share";

impl Shop {
    /// The user agrees on the page for this scope; the pairs that come back with the browser.
    async fn authorise(&self, scope: &str) -> BTreeMap<String, String> {
        let wish = BTreeMap::from(
            [
                ("app_id", APP_ID),
                ("scope", scope),
                ("redirect_uri", "https://m.example.com/back?x=1"),
                ("state", "s 1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let url = format!(
            "{}/alipay/oauth2/publicAppAuthorize.htm?{}",
            self.sim.url(),
            form(&wish)
        );
        let page = self.client.get(url).send().await.unwrap().text().await.unwrap();
        assert!(
            page.contains("action=\"../phone/authorize\"") && page.contains(scope),
            "{page}"
        );
        let mut fields: Vec<(&str, &str)> = wish
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.extend([("agree", "1"), ("user", USER)]);
        let back = self.phone("authorize", &fields).await;
        assert_eq!(back.status(), 302);
        let location = back.headers()["location"].to_str().unwrap().to_owned();
        let (address, query) = location.split_once('?').unwrap();
        assert_eq!(address, "https://m.example.com/back");
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// A call whose parameters stand beside the common ones, not in `biz_content`.
    async fn bare(&self, method: &str, more: &[(&str, &str)]) -> Answer {
        let mut params = self.params(method, &json!({}), more);
        params.remove("biz_content");
        sign(&mut params);
        Answer::read(&self.send(&params).await.unwrap())
    }

    async fn exchange(&self, grant_type: &str, name: &str, value: &str) -> Answer {
        self.bare(TOKEN, &[("grant_type", grant_type), (name, value)]).await
    }
}

#[tokio::test]
async fn a_user_shows_who_he_is_and_the_app_reads_it() {
    let shop = Shop::open(json!({})).await;
    let back = shop.authorise("auth_user").await;
    assert_eq!(
        (back["state"].as_str(), back["app_id"].as_str(), back["x"].as_str()),
        ("s 1", APP_ID, "1")
    );
    let answer = shop.exchange("authorization_code", "code", &back["auth_code"]).await;
    assert_eq!(answer.root, "alipay_system_oauth_token_response");
    assert!(answer.fits && answer.node.get("code").is_none() && answer.text("user_id") == USER);
    assert_eq!(answer.node["expires_in"], 1_296_000);
    let token = answer.text("access_token").to_owned();
    assert_eq!(token.len(), 40);
    let shared = shop.bare(SHARE, &[("auth_token", &token)]).await;
    shared.says(&format!("code=10000 user_id={USER} nick_name=159****5620"));

    let again = shop.exchange("authorization_code", "code", &back["auth_code"]).await;
    again.says("code=40002 sub_code=isv.code-invalid");
    assert!(again.root == "error_response" && again.fits, "a code is used once");
    let refreshed = shop
        .exchange("refresh_token", "refresh_token", answer.text("refresh_token"))
        .await;
    let fresh = refreshed.text("access_token").to_owned();
    assert_eq!(refreshed.text("auth_start"), answer.text("auth_start"));
    shop.bare(SHARE, &[("auth_token", &token)])
        .await
        .says("code=20001 sub_code=aop.invalid-auth-token");
    shop.bare(SHARE, &[("auth_token", &fresh)]).await.says("code=10000");
    shop.exchange("refresh_token", "refresh_token", answer.text("refresh_token"))
        .await
        .says("sub_code=isv.refreshed-token-invalid");
    shop.advance(1_296_001);
    shop.bare(SHARE, &[("auth_token", &fresh)])
        .await
        .says("code=20001 sub_code=aop.auth-token-time-out");
    shop.advance(2_592_000);
    shop.exchange("refresh_token", "refresh_token", refreshed.text("refresh_token"))
        .await
        .says("sub_code=isv.refresh-token-time-out");
}

#[tokio::test]
async fn what_was_not_granted_is_not_read() {
    let shop = Shop::open(json!({})).await;
    let back = shop.authorise("auth_base").await;
    let answer = shop.exchange("authorization_code", "code", &back["auth_code"]).await;
    shop.bare(SHARE, &[("auth_token", answer.text("access_token"))])
        .await
        .says("code=40006 sub_code=isv.insufficient-user-permissions");
    shop.exchange("password", "code", "x")
        .await
        .says("sub_code=isv.grant-type-invalid");
    shop.exchange("authorization_code", "code", "x")
        .await
        .says("sub_code=isv.code-invalid");
    shop.exchange("refresh_token", "refresh_token", "x")
        .await
        .says("sub_code=isv.refresh-token-invalid");
    shop.bare(SHARE, &[("auth_token", "x")])
        .await
        .says("code=20001 sub_code=aop.invalid-auth-token");
    let late = shop.authorise("auth_base").await;
    shop.advance(601);
    shop.exchange("authorization_code", "code", &late["auth_code"])
        .await
        .says("sub_code=isv.code-invalid");
    for wrong in ["app_id=2021000000009999&scope=auth_base", "scope=auth_all"] {
        let url = format!(
            "{}/alipay/oauth2/publicAppAuthorize.htm?redirect_uri=https://a&{wrong}",
            shop.sim.url()
        );
        let page = shop.client.get(url).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("页面出错了"), "{page}");
    }
}

#[tokio::test]
async fn an_app_with_open_ids_never_sees_a_user_id() {
    let merchant = crate::merchant::Merchant::start(&[]).await;
    let shop = Shop::open(json!({"open_id": true})).await;
    let back = shop.authorise("auth_base").await;
    let token = shop.exchange("authorization_code", "code", &back["auth_code"]).await;
    let name = token.text("open_id").to_owned();
    assert!(name.len() > 40 && token.node.get("user_id").is_none());
    let url = merchant.at("signed");
    let page = page_id(&shop.open_page("S1", &[("notify_url", &url)]).await);
    shop.agree(&page, USER).await;
    let notice = merchant.wait("notify_type=dut_user_sign").await;
    assert!(notice.is_signed() && notice.text("alipay_open_id") == name && notice.text("alipay_user_id").is_empty());
    let by_name = json!({"alipay_open_id": name, "personal_product_code": "GENERAL_WITHHOLDING_P",
        "sign_scene": "INDUSTRY|METRO"});
    let found = shop.call(AGREEMENT_QUERY, by_name).await;
    found.says(&format!("status=NORMAL principal_open_id={name} principal_id="));
    let code = shop.code(USER, "0").await;
    let url = merchant.at("paid");
    let paid = shop
        .call_with(PAY, code_order("P1", &code, "1.00"), &[("notify_url", &url)])
        .await;
    paid.says(&format!("code=10000 buyer_open_id={name} buyer_user_id="));
    let notice = merchant.wait("out_trade_no=P1").await;
    assert!(notice.text("buyer_open_id") == name && notice.text("buyer_id").is_empty());
    let products = json!({"alipay_open_id": name, "personal_product_code": "NONSENSE_P"});
    shop.call(AGREEMENT_QUERY, products)
        .await
        .says("sub_code=PRODUCT_CODE_NOT_SUPPORTED_ERROR");
    assert_eq!(found.node["agreement_no"].as_str().map(str::len), Some(20));
}
