//! Service providers: apps that act for merchants who authorised them.

use metropay_simulator::Gateway;
use serde_json::{Value, json};

use crate::merchant::Merchant;
use crate::shop::{
    AGREEMENT_QUERY, APP_ID, Answer, PAY, QUERY, Shop, USER, by_external, code_order, page_id, trade, vector,
};

const TOKEN: &str = "alipay.open.auth.token.app";
const MERCHANT_APP: &str = "2021000000000002";
const MERCHANT_PID: &str = "2088000000000002";

/// A provider's shop, and a merchant who has an account and no keys here.
async fn shop(merchant: Value) -> Shop {
    let shop = Shop::open(json!({"third_party": true})).await;
    let mut spec = json!({"app_id": MERCHANT_APP, "seller_id": MERCHANT_PID, "shop_name": "二号店",
        "app_public_key_pem": "", "alipay_private_key_pem": vector("alipay private key")});
    spec.as_object_mut()
        .unwrap()
        .extend(merchant.as_object().unwrap().clone());
    shop.sim.frame().open_account(Gateway::Alipay, &spec).unwrap();
    shop
}

/// The merchant agrees; the code that his browser brings back.
async fn authorise(shop: &Shop, merchant: &str) -> String {
    let page = format!(
        "{}/alipay/oauth2/appToAppAuth.htm?app_id={APP_ID}&redirect_uri=https%3A%2F%2Fisv.example.com%2Fback",
        shop.sim.url()
    );
    let page = shop.client.get(page).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("action=\"../phone/authorize-app\""), "{page}");
    let fields = [
        ("app_id", APP_ID),
        ("redirect_uri", "https://isv.example.com/back"),
        ("merchant", merchant),
        ("agree", "1"),
    ];
    let back = shop.phone("authorize-app", &fields).await;
    let location = back.headers()["location"].to_str().unwrap().to_owned();
    let (_, query) = location.split_once("https://isv.example.com/back?").unwrap();
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.into_owned().find(|(name, _)| name == "app_auth_code").unwrap().1
}

async fn token(shop: &Shop, merchant: &str) -> Answer {
    let code = authorise(shop, merchant).await;
    shop.call(TOKEN, json!({"grant_type": "authorization_code", "code": code}))
        .await
}

#[tokio::test]
async fn a_provider_acts_for_a_merchant_who_authorised_him() {
    let notices = Merchant::start(&[]).await;
    let shop = shop(json!({"merchant_coupon_fen": 50})).await;
    let granted = token(&shop, MERCHANT_PID).await;
    granted.says(&format!("code=10000 auth_app_id={MERCHANT_APP} user_id={MERCHANT_PID}"));
    assert_eq!(granted.node["expires_in"], 31_536_000);
    let token = granted.text("app_auth_token").to_owned();
    assert_eq!(token.len(), 40);

    let (signed, paid) = (notices.at("signed"), notices.at("paid"));
    let page = shop
        .open_page("S1", &[("app_auth_token", &token), ("notify_url", &signed)])
        .await;
    assert!(
        page.contains("二号店"),
        "the merchant's name, not the provider's: {page}"
    );
    shop.agree(&page_id(&page), USER).await;
    let notice = notices.wait("notify_type=dut_user_sign").await;
    assert!(notice.is_signed() && notice.says(&format!("app_id={APP_ID} auth_app_id={MERCHANT_APP}")));
    let found = shop
        .call_with(AGREEMENT_QUERY, by_external("S1"), &[("app_auth_token", &token)])
        .await;
    let number = found.says("status=NORMAL").text("agreement_no").to_owned();

    let more = [("app_auth_token", token.as_str()), ("notify_url", paid.as_str())];
    let answer = shop
        .call_with(PAY, crate::shop::order("P1", &number, "2.00"), &more)
        .await;
    answer.says("code=10000 mdiscount_amount=0.50");
    let notice = notices.wait("out_trade_no=P1").await;
    assert!(notice.says(&format!(
        "app_id={APP_ID} auth_app_id={MERCHANT_APP} seller_id={MERCHANT_PID}"
    )));
    assert!(notice.is_signed());
    shop.call_with(QUERY, trade("P1"), &more[..1])
        .await
        .says("trade_status=TRADE_SUCCESS");
    let movement = shop.sim.frame().books().remove(0);
    assert_eq!(movement.account, MERCHANT_APP, "the money is the merchant's");
    shop.fault(json!({"operation": QUERY, "order_no": "P1", "effect": "blind"}));
    let by_trade_no = json!({"trade_no": answer.text("trade_no")});
    shop.call_with(QUERY, by_trade_no, &more[..1])
        .await
        .says("sub_code=ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn without_a_good_token_a_provider_can_do_nothing() {
    let shop = shop(json!({})).await;
    let refused = async |more: &[(&str, &str)], words: &str| {
        let answer = shop.call_with(QUERY, trade("P1"), more).await;
        answer.says(words);
        assert!(answer.fits);
    };
    refused(&[], "code=40006 sub_code=isv.self-invoke-forbidden").await;
    refused(
        &[("app_auth_token", "x")],
        "code=20001 sub_code=aop.invalid-app-auth-token",
    )
    .await;
    shop.change(json!({"app_auth_s": 60}));
    let granted = token(&shop, MERCHANT_APP).await;
    let (old, refresh) = (
        granted.text("app_auth_token").to_owned(),
        granted.text("app_refresh_token").to_owned(),
    );
    refused(&[("app_auth_token", &old)], "code=40004 sub_code=ACQ.TRADE_NOT_EXIST").await;
    let other = json!({"app_id": "2021000000000003", "app_public_key_pem": vector("app public key"),
        "alipay_private_key_pem": vector("alipay private key")});
    shop.sim.frame().open_account(Gateway::Alipay, &other).unwrap();
    let foreign = [("app_auth_token", old.as_str()), ("app_id", "2021000000000003")];
    refused(&foreign, "code=20001 sub_code=aop.invalid-app-auth-token").await;
    shop.advance(61);
    refused(
        &[("app_auth_token", &old)],
        "code=20001 sub_code=aop.app-auth-token-time-out",
    )
    .await;
    let renewed = shop
        .call(TOKEN, json!({"grant_type": "refresh_token", "refresh_token": refresh}))
        .await;
    let fresh = renewed
        .says(&format!("auth_app_id={MERCHANT_APP}"))
        .text("app_auth_token")
        .to_owned();
    refused(&[("app_auth_token", &fresh)], "code=40004 sub_code=ACQ.TRADE_NOT_EXIST").await;
    refused(
        &[("app_auth_token", &old)],
        "code=20001 sub_code=aop.invalid-app-auth-token",
    )
    .await;
    let bad = [
        (
            json!({"grant_type": "refresh_token", "refresh_token": refresh}),
            "isv.refreshed-token-invalid",
        ),
        (
            json!({"grant_type": "refresh_token", "refresh_token": "x"}),
            "isv.refresh-token-invalid",
        ),
        (
            json!({"grant_type": "authorization_code", "code": "x"}),
            "isv.code-invalid",
        ),
        (json!({"grant_type": "password"}), "isv.grant-type-invalid"),
    ];
    for (biz, sub_code) in bad {
        shop.call(TOKEN, biz)
            .await
            .says(&format!("code=40002 sub_code={sub_code}"));
    }
    let nobody = [
        ("app_id", APP_ID),
        ("redirect_uri", "https://a"),
        ("merchant", "x"),
        ("agree", "1"),
    ];
    assert_eq!(shop.phone("authorize-app", &nobody).await.status(), 400);
}

#[tokio::test]
async fn products_that_were_not_signed_and_apps_that_are_not_online_are_refused() {
    let shop = shop(json!({"products": []})).await;
    let granted = token(&shop, MERCHANT_APP).await;
    let answer = shop
        .call_with(
            QUERY,
            trade("P1"),
            &[("app_auth_token", granted.text("app_auth_token"))],
        )
        .await;
    answer.says("code=20001 sub_code=aop.no-product-reg-by-partner");
    shop.change(json!({"third_party": false, "products": []}));
    let answer = shop.call(QUERY, trade("P1")).await;
    answer.says("code=40006 sub_code=isv.insufficient-isv-permissions");
    shop.change(json!({"products": ["FACE_TO_FACE_PAYMENT"]}));
    shop.pay("P1", "20260000000000000000", "1.00")
        .await
        .says("sub_code=ACQ.MERCHANT_AGREEMENT_NOT_EXIST");
    let page = shop.open_page("S1", &[]).await;
    assert!(page.contains("商户未开通该产品"), "{page}");
    let code = shop.code(USER, "0").await;
    shop.call(PAY, code_order("P2", &code, "1.00")).await.says("code=10000");
    let unsigned = shop.params(QUERY, &trade("P1"), &[("app_id", MERCHANT_APP)]);
    let answer = Answer::read(&shop.send(&unsigned).await.unwrap());
    answer.says("code=40003 sub_code=isv.missing-signature-config");
    shop.change(json!({"online": false}));
    shop.call(QUERY, trade("P1"))
        .await
        .says("code=40002 sub_code=not-online-app");
}
