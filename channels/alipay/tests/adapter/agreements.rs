//! Agreements: the page, the state, the end.

use std::time::Duration;

use metropay_core::channel::{CallError, ContractStanding, EndedBy, Hint, Outcome, SignPage, SignQuestion};
use serde_json::{Value, json};

use crate::ground::*;

fn wish() -> SignQuestion {
    SignQuestion {
        contract: contract(None),
        sequence: 1,
        display: String::new(),
        return_url: "https://app.example.com/pay/code".to_owned(),
        user_ip: None,
    }
}

async fn page(channel: &str, wish: &SignQuestion) -> (String, std::collections::BTreeMap<String, String>) {
    let mut config = config("https://openapi.alipay.com/gateway.do");
    config["sign_channel"] = json!(channel);
    let adapter = build(config, Held::at(at("2026-03-01 07:00:00")));
    match adapter.sign_contract(wish).await.unwrap() {
        Outcome::Done(SignPage::Redirect { url, sdk }) => (url, sdk),
        other => panic!("{other:?}"),
    }
}

fn known(members: Value) -> Value {
    let node = success(json!({
        "agreement_no": AGREEMENT_NO, "alipay_logon_id": "159****5620", "external_agreement_no": "MTSIGN20260301000001",
        "invalid_time": "2115-02-01 00:00:00", "principal_id": "2088000000000099", "sign_time": "2026-03-01 07:00:01",
        "status": "NORMAL", "sign_scene": "INDUSTRY|METRO", "personal_product_code": "GENERAL_WITHHOLDING_P",
    }));
    with(node, members)
}

#[tokio::test]
async fn the_scheme_that_wakes_the_app_is_t10_byte_for_byte() {
    let (url, sdk) = page("ALIPAYAPP", &wish()).await;
    assert_eq!(url, vector("t10.scheme"));
    assert_eq!(sdk["signStr"], vector("t10.query"));
}

#[tokio::test]
async fn the_page_for_browsers_is_a_signed_address_of_the_gateway() {
    let (url, sdk) = page("QRCODE", &wish()).await;
    assert!(sdk.is_empty());
    let (base, query) = url.split_once('?').unwrap();
    assert_eq!(base, "https://openapi.alipay.com/gateway.do");
    let mut expected = vector("t10.query").replace("ALIPAYAPP", "QRCODE");
    let sign = |query: &str| {
        query
            .split('&')
            .find(|pair| pair.starts_with("sign="))
            .unwrap()
            .to_owned()
    };
    expected = expected.replace(&sign(&expected), &sign(query));
    assert_eq!(query, expected);

    let (url, _) = page(
        "QRCODEORSMS",
        &SignQuestion {
            display: "138xxxx5678".to_owned(),
            ..wish()
        },
    )
    .await;
    let query: Vec<(String, String)> = url::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
    let biz = &query.iter().find(|(name, _)| name == "biz_content").unwrap().1;
    let biz: Value = serde_json::from_str(biz).unwrap();
    assert_eq!(biz["access_params"]["channel"], "QRCODEORSMS");
    assert_eq!(biz["external_logon_id"], "138xxxx5678");
}

#[tokio::test]
async fn a_signed_agreement_is_found_by_our_number_and_later_by_theirs() {
    for handle in [None, Some(AGREEMENT_NO)] {
        let ground = Ground::new().await;
        ground.says(AGREEMENT_QUERY, &known(json!({})));
        let standing = ground.channel.query_contract(&contract(handle)).await.unwrap();
        let ContractStanding::Active(signed) = standing else {
            panic!("{standing:?}")
        };
        assert_eq!(signed.handle, AGREEMENT_NO);
        assert_eq!(signed.payer.as_deref(), Some("2088000000000099"));
        assert_eq!(signed.display.as_deref(), Some("159****5620"));
        assert_eq!(signed.signed_at, Some(at("2026-03-01 07:00:01")));
        assert_eq!(signed.expires_at, None);
        let expected = match handle {
            Some(handle) => json!({ "agreement_no": handle }),
            None => json!({"external_agreement_no": "MTSIGN20260301000001",
                "personal_product_code": "GENERAL_WITHHOLDING_P", "sign_scene": "INDUSTRY|METRO"}),
        };
        assert_eq!(ground.calls()[0].biz, expected);
    }
}

#[tokio::test]
async fn agreements_are_pending_suspended_or_over() {
    for (members, expected) in [
        (json!({"status": "TEMP"}), ContractStanding::Pending),
        (json!({"status": "STOP"}), ContractStanding::Suspended),
    ] {
        let ground = Ground::new().await;
        ground.says(AGREEMENT_QUERY, &known(members));
        assert_eq!(ground.channel.query_contract(&contract(None)).await, Ok(expected));
    }
    let ground = Ground::new().await;
    let end = at("2026-04-01 00:00:00");
    ground.says(AGREEMENT_QUERY, &known(json!({"invalid_time": "2026-04-01 00:00:00"})));
    let standing = ground.channel.query_contract(&contract(None)).await.unwrap();
    assert!(
        matches!(&standing, ContractStanding::Active(signed) if signed.expires_at == Some(end)),
        "{standing:?}"
    );
    ground.clock.advance(Duration::from_secs(31 * 24 * 3600));
    let standing = ground.channel.query_contract(&contract(None)).await.unwrap();
    assert_eq!(
        standing,
        ContractStanding::Ended {
            by: EndedBy::Expiry,
            at: Some(end)
        }
    );
}

#[tokio::test]
async fn an_unknown_agreement_is_still_to_be_signed_or_ended() {
    let gone = json!({"code": "40004", "msg": "Business Failed", "sub_code": "USER_AGREEMENT_NOT_EXIST"});
    let ended = ContractStanding::Ended {
        by: EndedBy::User,
        at: None,
    };
    for (sub_code, handle, expected) in [
        ("USER_AGREEMENT_NOT_EXIST", None, ContractStanding::Pending),
        ("USER_AGREEMENT_NOT_EXIST", Some(AGREEMENT_NO), ended.clone()),
        ("AGREEMENT_HAS_UNSIGNED", None, ended),
    ] {
        let mut node = gone.clone();
        node["sub_code"] = json!(sub_code);
        let ground = Ground::new().await;
        ground.says(AGREEMENT_QUERY, &node);
        assert_eq!(ground.channel.query_contract(&contract(handle)).await, Ok(expected));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_changes_nothing() {
    for node in [
        known(json!({"external_agreement_no": "MTSIGN20260301000002"})),
        known(json!({"agreement_no": "20265301000000000002"})),
        known(json!({"status": "DREAMT"})),
        json!({"code": "40004", "sub_code": "SYSTEM_ERROR"}),
        json!({"code": "40004", "sub_code": "SOMETHING_NEW"}),
        json!({"code": "40004", "sub_code": "AUTHOREE_IS_NOT_MATCH"}),
    ] {
        let ground = Ground::new().await;
        ground.says(AGREEMENT_QUERY, &node);
        let answer = ground.channel.query_contract(&contract(Some(AGREEMENT_NO))).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{node}: {answer:?}");
    }
}

#[tokio::test]
async fn an_agreement_is_ended_once_and_for_all() {
    let ground = Ground::new().await;
    ground.says(UNSIGN, &success(json!({})));
    assert_eq!(
        ground.channel.close_contract(&contract(Some(AGREEMENT_NO))).await,
        Ok(Outcome::Done(()))
    );
    assert_eq!(ground.calls()[0].biz, json!({ "agreement_no": AGREEMENT_NO }));

    for sub_code in ["AGREEMENT_NOT_EXIST", "USER_AGREEMENT_STATUS_IS_NOT_NORMAL"] {
        let ground = Ground::new().await;
        ground.says(UNSIGN, &json!({"code": "40004", "sub_code": sub_code}));
        ground.says(
            AGREEMENT_QUERY,
            &json!({"code": "40004", "sub_code": "USER_AGREEMENT_NOT_EXIST"}),
        );
        let answer = ground.channel.close_contract(&contract(Some(AGREEMENT_NO))).await;
        assert_eq!(answer, Ok(Outcome::Done(())));
    }
}

#[tokio::test]
async fn an_agreement_that_still_stands_is_not_ended() {
    let ground = Ground::new().await;
    ground.says(UNSIGN, &json!({"code": "40004", "sub_code": "AGREEMENT_NOT_EXIST"}));
    ground.says(AGREEMENT_QUERY, &known(json!({})));
    let answer = ground.channel.close_contract(&contract(Some(AGREEMENT_NO))).await;
    assert_eq!(answer, Ok(Outcome::Pending));

    let ground = Ground::new().await;
    ground.says(UNSIGN, &json!({"code": "40004", "sub_code": "AUTHOREE_IS_NOT_MATCH"}));
    let answer = ground
        .channel
        .close_contract(&contract(Some(AGREEMENT_NO)))
        .await
        .unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.hint == Hint::Setup),
        "{answer:?}"
    );

    let ground = Ground::new().await;
    ground.says(UNSIGN, &json!({"code": "20000", "sub_code": "isp.unknow-error"}));
    let answer = ground.channel.close_contract(&contract(Some(AGREEMENT_NO))).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
}
