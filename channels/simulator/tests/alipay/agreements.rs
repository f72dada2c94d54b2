//! The user's side: consenting, ending, suspending, and agreements that end by themselves.

use serde_json::json;

use crate::merchant::Merchant;
use crate::shop::{AGREEMENT_QUERY, PAGE_SIGN, Shop, UNSIGN, USER, by_external, page_id};

#[tokio::test]
async fn the_user_ends_his_agreement_and_only_the_app_gateway_hears_of_it() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({"app_gateway_url": merchant.at("app")})).await;
    let agreement_no = shop.sign("S1", &[("notify_url", &merchant.at("signed"))]).await;
    let list = format!("{}/alipay/phone/agreements?user={USER}", shop.sim.url());
    let page = shop.client.get(&list).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&agreement_no) && page.contains("生效中"));

    let act = |user: &'static str, act: &'static str| {
        let fields = [("user", user), ("agreement_no", agreement_no.as_str()), ("act", act)];
        let shop = &shop;
        async move { shop.phone("agreement", &fields).await.status() }
    };
    assert_eq!(act("13800000000", "unsign").await, 400, "only his own");
    assert_eq!(act(USER, "stop").await, 303);
    shop.call(AGREEMENT_QUERY, by_external("S1")).await.says("status=STOP");
    shop.pay("P1", &agreement_no, "1.00")
        .await
        .says("sub_code=ACQ.AGREEMENT_STATUS_NOT_NORMAL");
    assert_eq!(act(USER, "resume").await, 303);
    shop.pay("P1", &agreement_no, "1.00").await.says("code=10000");
    assert_eq!(act(USER, "unsign").await, 303);
    let notice = merchant.wait("notify_type=dut_user_unsign").await;
    assert!(notice.path == "/app" && notice.is_signed());
    assert_eq!(merchant.received("status=UNSIGN").len(), 1);
    assert_eq!(act(USER, "unsign").await, 400, "it ended already");
    let key = json!({"agreement_no": agreement_no});
    shop.call(AGREEMENT_QUERY, key)
        .await
        .says("sub_code=AGREEMENT_HAS_UNSIGNED");
    shop.pay("P2", &agreement_no, "1.00")
        .await
        .says("sub_code=ACQ.AGREEMENT_NOT_EXIST");
}

#[tokio::test]
async fn the_merchant_ends_an_agreement_without_an_address_and_the_app_gateway_hears_of_it() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({"app_gateway_url": merchant.at("app")})).await;
    shop.sign("S1", &[]).await;
    shop.call(UNSIGN, by_external("S1")).await.says("code=10000");
    assert_eq!(
        merchant
            .wait("notify_type=dut_user_unsign external_agreement_no=S1")
            .await
            .path,
        "/app"
    );
    shop.call(UNSIGN, by_external("S2"))
        .await
        .says("sub_code=AGREEMENT_NOT_EXIST");
    shop.call(AGREEMENT_QUERY, by_external("S2"))
        .await
        .says("sub_code=USER_AGREEMENT_NOT_EXIST");
    let incomplete = json!({"external_agreement_no": "S1"});
    shop.call(AGREEMENT_QUERY, incomplete)
        .await
        .says("code=40004 sub_code=INVALID_PARAMETER");
}

#[tokio::test]
async fn a_page_is_signed_once_and_a_number_is_used_once() {
    let shop = Shop::open(json!({})).await;
    let page = page_id(&shop.open_page("S1", &[]).await);
    let twin = page_id(&shop.open_page("S1", &[]).await);
    let declined = shop
        .phone("sign", &[("id", &page), ("agree", "0"), ("user", USER)])
        .await;
    assert!(declined.text().await.unwrap().contains("已拒绝"));
    shop.call(AGREEMENT_QUERY, by_external("S1"))
        .await
        .says("sub_code=USER_AGREEMENT_NOT_EXIST");
    let first = shop.agree(&page, USER).await.text().await.unwrap();
    assert!(first.contains("签约成功"));
    assert_eq!(shop.agree(&page, USER).await.text().await.unwrap(), first);
    assert_eq!(shop.agree(&twin, USER).await.status(), 400);
    assert!(shop.open_page("S1", &[]).await.contains("商户签约号已被使用"));
    let by_user = json!({"alipay_user_id": USER, "personal_product_code": "GENERAL_WITHHOLDING_P",
        "sign_scene": "INDUSTRY|METRO"});
    shop.call(AGREEMENT_QUERY, by_user)
        .await
        .says("external_agreement_no=S1");
    assert_eq!(shop.agree("nonsense", USER).await.status(), 400);
}

#[tokio::test]
async fn the_consent_page_shows_what_is_signed_and_nothing_of_it_is_markup() {
    let shop = Shop::open(json!({"shop_name": "<b>一号店</b>", "single_max_fen": 20_000})).await;
    let page = shop.open_page("S1", &[]).await;
    for part in ["&lt;b&gt;一号店&lt;/b&gt;", "长期有效", "200.00元", "同意", "拒绝"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<b>"));
    let wrong = shop.open_page("S<1>", &[]).await;
    assert!(wrong.contains("无法签约") && !wrong.contains("S<1>"));
}

#[tokio::test]
async fn an_agreement_with_an_end_expires_silently() {
    let shop = Shop::open(json!({})).await;
    let biz = json!({"personal_product_code": "GENERAL_WITHHOLDING_P", "sign_scene": "INDUSTRY|METRO",
        "external_agreement_no": "S1", "sign_validity_period": "2d", "access_params": {"channel": "QRCODE"}});
    let page = shop.send(&shop.params(PAGE_SIGN, &biz, &[])).await.unwrap();
    assert!(page.contains("2天"));
    shop.agree(&page_id(&page), "13812345678").await;
    let found = shop.call(AGREEMENT_QUERY, by_external("S1")).await;
    found.says("status=NORMAL alipay_logon_id=138****5678 principal_id=2088013812345678");
    shop.advance(2 * 24 * 3600);
    shop.call(AGREEMENT_QUERY, by_external("S1"))
        .await
        .says("sub_code=USER_AGREEMENT_NOT_EXIST");
    shop.pay("P1", found.text("agreement_no"), "1.00")
        .await
        .says("sub_code=ACQ.AGREEMENT_INVALID");
}
