//! Notifications: what is believed, what is only a reason to query, what is refused.

use metropay_core::channel::{
    ContractKey, ContractStanding, EndedBy, News, NoticeRefused, Paid, RawNotice, SignedContract, Standing,
};
use metropay_core::clock::Time;
use metropay_core::id::{ContractNo, PayNo, RefundNo};
use serde_json::json;

use crate::support::{
    APPID, CONTRACT, HANDLE, KEY, MCH, ORDER, REFUND, SHOP, START, Scene, SetUp, fen, signed_by, vector,
};

fn notice(body: &str) -> RawNotice {
    RawNotice {
        headers: vec![("content-type".to_owned(), "text/xml".to_owned())],
        body: body.as_bytes().to_vec(),
        received_at: START,
    }
}

async fn read(body: &str) -> Result<Vec<News>, NoticeRefused> {
    Scene::provider().await.channel.read_notice(&notice(body)).await
}

fn at(text: &str) -> Option<Time> {
    Time::parse_china(text, "%Y-%m-%d %H:%M:%S")
}

#[tokio::test]
async fn vectors_c3_and_c11_tell_of_a_contract_signed_and_ended() {
    let contract = ContractKey::No(ContractNo::from(CONTRACT));
    let signed = SignedContract {
        handle: HANDLE.to_owned(),
        payer: Some("oTEST0000000000000000000001A".to_owned()),
        display: None,
        signed_at: at("2025-03-01 12:01:30"),
        expires_at: at("2055-03-01 12:01:30"),
    };
    let expected = News::Contract {
        contract: contract.clone(),
        standing: Some(ContractStanding::Active(signed)),
    };
    assert_eq!(read(vector("C3", "wire")).await, Ok(vec![expected]));
    let expected = News::Contract {
        contract,
        standing: Some(ContractStanding::Ended {
            by: EndedBy::User,
            at: at("2025-03-02 08:00:00"),
        }),
    };
    assert_eq!(read(vector("C11", "wire")).await, Ok(vec![expected]));
}

#[tokio::test]
async fn vector_c7_tells_of_a_payment_and_c8_is_a_reason_to_query() {
    let expected = News::Payment {
        no: PayNo::from(ORDER),
        standing: Some(Standing::Paid(Paid {
            channel_no: "4200000000202503010000000001".to_owned(),
            amount: fen(1280),
            coupon: fen(0),
            paid_at: at("2025-03-01 12:34:58").unwrap(),
        })),
    };
    assert_eq!(read(vector("C7", "wire")).await, Ok(vec![expected]));
    let expected = News::Payment {
        no: PayNo::from("MC20250301123456000000000000002"),
        standing: None,
    };
    assert_eq!(read(vector("C8", "wire")).await, Ok(vec![expected]));
}

#[tokio::test]
async fn a_forged_notice_is_refused() {
    let c7 = vector("C7", "wire");
    let c12 = vector("C12", "wire");
    for forged in [
        c7.replace("<total_fee>1280", "<total_fee>1"),
        c7.replace("keep me", "keep me not"),
        c7.replace("DF78E923305415FD3CE14ED941F3CBB9", "DF78E923305415FD3CE14ED941F3CBB8"),
        c7.replace("<sign><![CDATA[DF78E923305415FD3CE14ED941F3CBB9]]></sign>", ""),
        c7.replace("<xml>", "<xml><sign_type>NONE</sign_type>"),
        c7.replace("<xml>", "<xml><sign_type>HMAC-SHA256</sign_type>"),
        c7.replace("<xml>", "<!DOCTYPE xml><xml>"),
        c7.replace("</xml>", "<total_fee>1</total_fee></xml>"),
        vector("C3", "wire").replace(HANDLE, "202503016600000002"),
        vector("C11", "wire").replace("<change_type><![CDATA[DELETE", "<change_type><![CDATA[ADD"),
        c12.replace("x0tBd/hWVj3tJW98", "AAAAAAAAAAAAAAAA"),
        c12.replace("<req_info><![CDATA[x0tB", "<req_info><![CDATA["),
        "<xml><req_info>AAAA</req_info></xml>".to_owned(),
        "<xml></xml>".to_owned(),
        "{\"code\":\"SUCCESS\"}".to_owned(),
        String::new(),
    ] {
        let refused = read(&forged).await;
        assert!(
            matches!(refused, Err(NoticeRefused::NotGenuine(_))),
            "{refused:?}: {forged}"
        );
    }
}

#[tokio::test]
async fn a_genuine_notice_for_somebody_else_does_not_fit() {
    let deduction = |name: &str, value: &str| {
        let fields = [
            ("return_code", "SUCCESS"),
            ("result_code", "SUCCESS"),
            ("appid", APPID),
            ("mch_id", MCH),
            ("sub_mch_id", SHOP),
            ("out_trade_no", ORDER),
            ("total_fee", "1280"),
            ("fee_type", "CNY"),
            ("transaction_id", "42"),
            ("time_end", "20250301123458"),
        ];
        let changed: Vec<(&str, &str)> = fields
            .iter()
            .map(|(n, v)| if *n == name { (*n, value) } else { (*n, *v) })
            .collect();
        signed_by(KEY, &changed, false)
    };
    assert!(matches!(
        read(&deduction("", "")).await.unwrap().as_slice(),
        [News::Payment {
            standing: Some(Standing::Paid(_)),
            ..
        }]
    ));
    for (name, value) in [
        ("appid", "wx0000000000000000"),
        ("mch_id", "1900000001"),
        ("sub_mch_id", "1900000002"),
        ("fee_type", "HKD"),
    ] {
        let refused = read(&deduction(name, value)).await;
        assert!(
            matches!(refused, Err(NoticeRefused::Mismatch(_))),
            "{name}: {refused:?}"
        );
    }
    // Whatever does not say success with everything that belongs to it is a reason to query.
    for (name, value) in [
        ("result_code", "FAIL"),
        ("transaction_id", ""),
        ("total_fee", ""),
        ("total_fee", "0"),
        ("total_fee", "-1"),
        ("time_end", ""),
    ] {
        let news = read(&deduction(name, value)).await.unwrap();
        assert!(
            matches!(news.as_slice(), [News::Payment { standing: None, .. }]),
            "{name}: {news:?}"
        );
    }
    assert_eq!(read(&deduction("out_trade_no", "")).await, Ok(vec![News::Nothing]));
}

#[tokio::test]
async fn a_contract_notice_may_name_another_shop_but_no_other_plan() {
    let contract = |plan: &str, shop: &str| {
        let fields = [
            ("return_code", "SUCCESS"),
            ("result_code", "SUCCESS"),
            ("mch_id", MCH),
            ("sub_mch_id", shop),
            ("plan_id", plan),
            ("contract_code", CONTRACT),
            ("contract_id", HANDLE),
            ("change_type", "ADD"),
            ("operate_time", "2025-03-01 12:01:30"),
        ];
        signed_by(KEY, &fields, true)
    };
    // Signed by HMAC although the account now prefers MD5: the algorithm of the time of signing is told by nobody.
    let news = read(&contract("123456", "1900000002")).await.unwrap();
    assert!(matches!(
        news.as_slice(),
        [News::Contract {
            standing: Some(ContractStanding::Active(_)),
            ..
        }]
    ));
    let refused = read(&contract("1", SHOP)).await;
    assert!(matches!(refused, Err(NoticeRefused::Mismatch(_))), "{refused:?}");
}

#[tokio::test]
async fn vector_c12_is_a_reason_to_query_the_refund() {
    let expected = News::Refund {
        no: RefundNo::from(REFUND),
        standing: None,
    };
    assert_eq!(read(vector("C12", "wire")).await, Ok(vec![expected.clone()]));
    let scene = Scene::new(SetUp {
        config: json!({"api_key": "TESTONLYapiv2key0000000000000002", "old_api_key": KEY}),
        ..SetUp::default()
    })
    .await;
    assert_eq!(
        scene.channel.read_notice(&notice(vector("C12", "wire"))).await,
        Ok(vec![expected])
    );
    let foreign = vector("C12", "wire").replace(SHOP, "1900000002");
    let refused = read(&foreign).await;
    assert!(matches!(refused, Err(NoticeRefused::Mismatch(_))), "{refused:?}");
}

#[tokio::test]
async fn a_notice_is_answered_by_the_one_line_that_the_channel_reads() {
    let scene = Scene::provider().await;
    let taken = scene.channel.answer_notice(true);
    assert_eq!((taken.status, taken.content_type), (200, "text/xml; charset=utf-8"));
    assert_eq!(
        taken.body,
        "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
    );
    let refused = scene.channel.answer_notice(false);
    assert!(
        refused.status == 500 && refused.body.contains("<![CDATA[FAIL]]>"),
        "{refused:?}"
    );
}
