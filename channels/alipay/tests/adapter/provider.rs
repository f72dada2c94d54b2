//! A service provider's app that acts for a merchant.

use metropay_core::channel::{News, NoticeRefused, Outcome, RawNotice, SignPage, SignQuestion};
use serde_json::{Value, json};

use crate::ground::*;

const TOKEN_TEXT: &str = "202603BB_D64b2be8afd4b6c8468cf585bd05E50";
const MERCHANT_APP: &str = "2021000000000002";

fn provider() -> Value {
    json!({"app_auth_token": TOKEN_TEXT, "auth_app_id": MERCHANT_APP, "service_provider_id": "2088000000000777"})
}

#[tokio::test]
async fn calls_carry_the_merchants_authorisation_and_never_in_their_address() {
    let ground = Ground::with(provider()).await;
    ground.sends(PAY, &vector("t3.json"));
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    ground.says(AGREEMENT_QUERY, &failure("40004", "USER_AGREEMENT_NOT_EXIST"));
    assert!(matches!(
        ground.channel.deduct(&deduction()).await,
        Ok(Outcome::Done(_))
    ));
    ground.channel.query_payment(&payment()).await.unwrap();
    ground.channel.query_contract(&contract(None)).await.unwrap();
    for call in ground.calls() {
        assert_eq!(call.parameters["app_auth_token"], TOKEN_TEXT, "{}", call.method);
        assert_eq!(call.parameters["app_id"], "2021000000000001");
        assert!(!call.query.contains(TOKEN_TEXT), "{}", call.query);
    }
    let extend = &ground.calls()[0].biz["extend_params"];
    assert_eq!(*extend, json!({"sys_service_provider_id": "2088000000000777"}));
}

#[tokio::test]
async fn agreements_are_the_merchants_own() {
    let scope = |ground: Ground| ground.channel.contract_scope();
    let mut other = provider();
    other["auth_app_id"] = json!("2021000000000003");
    let (one, two, none) = (
        scope(Ground::with(provider()).await),
        scope(Ground::with(other).await),
        scope(Ground::new().await),
    );
    assert_eq!(
        one,
        "alipay:2021000000000001/2021000000000002:GENERAL_WITHHOLDING_P:INDUSTRY|METRO"
    );
    assert!(one != two && one != none && two != none);
    let ground = Ground::with(provider()).await;
    let question = SignQuestion {
        contract: contract(None),
        sequence: 1,
        display: String::new(),
        return_url: "https://app.example.com".to_owned(),
        user_ip: None,
    };
    let Ok(Outcome::Done(SignPage::Redirect { url, .. })) = ground.channel.sign_contract(&question).await else {
        panic!("no page")
    };
    assert!(url.contains(&format!("app_auth_token={TOKEN_TEXT}")), "{url}");
}

fn notice(auth_app_id: Option<&str>, notify_type: Option<&str>) -> RawNotice {
    let mut pairs = vec![
        ("app_id", "2021000000000001"),
        ("out_trade_no", "MT202603010830050001"),
        ("total_amount", "4.50"),
        ("trade_no", TRADE_NO),
        ("trade_status", "TRADE_SUCCESS"),
    ];
    pairs.extend(auth_app_id.map(|app| ("auth_app_id", app)));
    pairs.extend(notify_type.map(|kind| ("notify_type", kind)));
    pairs.sort_unstable();
    let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let sign = alipay_signs(&text.join("&"));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs)
        .append_pair("sign_type", "RSA2")
        .append_pair("sign", &sign);
    RawNotice {
        headers: Vec::new(),
        body: form.finish().into_bytes(),
        received_at: at("2026-03-01 08:30:09"),
    }
}

#[tokio::test]
async fn notices_must_be_of_the_merchants_own_app() {
    let ground = Ground::with(provider()).await;
    let read = async |app: Option<&str>, kind: Option<&str>| ground.channel.read_notice(&notice(app, kind)).await;
    let paid = Some("trade_status_sync");
    assert!(matches!(
        &read(Some(MERCHANT_APP), paid).await.unwrap()[..],
        [News::Payment { standing: Some(_), .. }]
    ));
    for app in [None, Some("2021000000000001"), Some("2021000000000003")] {
        let news = read(app, paid).await;
        assert!(matches!(news, Err(NoticeRefused::Mismatch(_))), "{app:?}: {news:?}");
    }
    // Messages to the application gateway need not name the merchant.
    assert_eq!(read(None, None).await, Ok(vec![News::Nothing]));
}
