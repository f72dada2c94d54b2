//! Contracts: the three ways of signing, their states, their end.

use metropay_core::channel::{CallError, ContractStanding, EndedBy, Hint, Outcome, SignPage, SignedContract};
use metropay_core::clock::Time;
use serde_json::json;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::support::{CONTRACT, HANDLE, Scene, SetUp, contract, failed, signing, taken, vector};

const QUERY: &str = "/papay/partner/querycontract";
const DELETE: &str = "/papay/deletecontract";
const SIGN: &str = "/papay/partner/preentrustweb";

fn china(text: &str) -> Option<Time> {
    Time::parse_china(text, "%Y-%m-%d %H:%M:%S")
}

#[tokio::test]
async fn a_live_contract_is_vector_c22() {
    let scene = Scene::provider().await;
    scene.answers(QUERY, vector("C22", "wire")).await;
    let standing = scene.channel.query_contract(&contract(None)).await;
    let expected = SignedContract {
        handle: HANDLE.to_owned(),
        payer: Some("oTEST0000000000000000000001A".to_owned()),
        display: Some("消费码用户0001".to_owned()),
        signed_at: china("2025-03-01 12:01:30"),
        expires_at: china("2055-03-01 12:01:30"),
    };
    assert_eq!(standing, Ok(ContractStanding::Active(expected)));
    assert_eq!(scene.channel.contract_scope(), "wechat:1900009999:123456");
}

#[tokio::test]
async fn a_contract_is_ended_by_whom_the_channel_names() {
    for (mode, by) in [
        ("1", EndedBy::Expiry),
        ("2", EndedBy::User),
        ("3", EndedBy::Platform),
        ("4", EndedBy::Platform),
        ("5", EndedBy::Channel),
        ("7", EndedBy::Channel),
        ("99", EndedBy::Channel),
    ] {
        let scene = Scene::provider().await;
        let fields = [
            ("contract_code", CONTRACT),
            ("contract_state", "1"),
            ("contract_termination_mode", mode),
            ("contract_terminated_time", "2025-03-02 08:00:00"),
        ];
        scene.answers(QUERY, taken(&fields)).await;
        let expected = ContractStanding::Ended {
            by,
            at: china("2025-03-02 08:00:00"),
        };
        assert_eq!(
            scene.channel.query_contract(&contract(None)).await,
            Ok(expected),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn a_contract_that_the_channel_does_not_know_is_pending_until_it_cannot_be_signed_any_more() {
    let never = [("contract_code", CONTRACT), ("contract_state", "1")];
    for unknown in [failed("CONTRACT_NOT_EXIST", ""), taken(&never)] {
        let scene = Scene::provider().await;
        scene.answers(QUERY, unknown).await;
        let never_signed = contract(None);
        let ask = || scene.channel.query_contract(&never_signed);
        assert_eq!(ask().await, Ok(ContractStanding::Pending));
        scene.clock.advance(2 * 3_600);
        assert_eq!(ask().await, Ok(ContractStanding::Pending));
        scene.clock.advance(3_600);
        let expired = ContractStanding::Ended {
            by: EndedBy::Expiry,
            at: None,
        };
        assert_eq!(ask().await, Ok(expired));
        let gone = ContractStanding::Ended {
            by: EndedBy::Channel,
            at: None,
        };
        assert_eq!(scene.channel.query_contract(&contract(Some(HANDLE))).await, Ok(gone));
    }
}

#[tokio::test]
async fn a_contract_is_not_believed_from_an_answer_about_another_or_without_a_state() {
    for fields in [
        &[
            ("contract_code", "OTHER"),
            ("contract_state", "0"),
            ("contract_id", HANDLE),
        ][..],
        &[("contract_state", "0"), ("contract_id", HANDLE)],
        &[("contract_code", CONTRACT), ("contract_state", "0")],
        &[("contract_code", CONTRACT), ("contract_id", HANDLE)],
        &[
            ("contract_code", CONTRACT),
            ("contract_state", "5"),
            ("contract_id", HANDLE),
        ],
    ] {
        let scene = Scene::provider().await;
        scene.answers(QUERY, taken(fields)).await;
        let standing = scene.channel.query_contract(&contract(None)).await;
        assert!(
            matches!(standing, Err(CallError::MaybeDone(_))),
            "{fields:?}: {standing:?}"
        );
    }
}

#[tokio::test]
async fn ending_a_contract_twice_is_done_whatever_the_channel_calls_it() {
    let scene = Scene::provider().await;
    scene.answers_once(DELETE, failed("CONTRACT_NOT_EXIST", "")).await;
    scene.answers_once(DELETE, failed("CONTRACT_IS_TERMINATED", "")).await;
    scene.answers(DELETE, failed("CONTRACT_IS_STRANGE", "")).await;
    let ended = [
        ("contract_code", CONTRACT),
        ("contract_state", "1"),
        ("contract_id", HANDLE),
    ];
    scene.answers_once(QUERY, taken(&ended)).await;
    scene.answers(QUERY, vector("C22", "wire")).await;
    for _ in 0..2 {
        let closed = scene.channel.close_contract(&contract(Some(HANDLE))).await;
        assert_eq!(closed, Ok(Outcome::Done(())));
    }
    let live = scene.channel.close_contract(&contract(Some(HANDLE))).await;
    assert!(matches!(live, Err(CallError::MaybeDone(_))), "{live:?}");
}

#[tokio::test]
async fn a_wrong_set_up_refuses_contract_calls_and_says_so() {
    let scene = Scene::provider().await;
    scene.answers(DELETE, failed("MERCHANT PERMISSION ERROR", "")).await;
    let closed = scene.channel.close_contract(&contract(None)).await.unwrap();
    assert!(
        matches!(&closed, Outcome::Refused(refusal) if refusal.hint == Hint::Setup),
        "{closed:?}"
    );
    for (answer, refused) in [
        (vector("C29.1", "wire").to_owned(), true),
        (failed("PLAN_NOT_EXIST", "模板不存在"), true),
        (failed("SYSTEMERROR", ""), false),
        (
            "<xml><return_code>FAIL</return_code><return_msg>系统繁忙，请稍后再试</return_msg></xml>".to_owned(),
            false,
        ),
        (taken(&[]), false),
    ] {
        let scene = Scene::provider().await;
        scene.answers(SIGN, answer.clone()).await;
        let signed = scene.channel.sign_contract(&signing()).await;
        let is_refused = matches!(&signed, Ok(Outcome::Refused(refusal)) if refusal.hint == Hint::Setup);
        assert_eq!(is_refused, refused, "{answer}: {signed:?}");
        assert_eq!(signed.is_err(), !refused, "{answer}: {signed:?}");
    }
}

#[tokio::test]
async fn a_browser_is_led_to_the_page_of_h5_signing() {
    let scene = Scene::new(SetUp {
        config: json!({"sign_entry": "h5entrustweb", "sign_type": "HMAC-SHA256"}),
        ..SetUp::default()
    })
    .await;
    Mock::given(method("GET"))
        .and(path("/papay/partner/h5entrustweb"))
        .respond_with(ResponseTemplate::new(200).set_body_string(vector("C29.3", "wire")))
        .mount(&scene.gateway)
        .await;
    let page = scene.channel.sign_contract(&signing()).await.unwrap();
    let Outcome::Done(SignPage::Redirect { url, .. }) = page else {
        panic!("{page:?}")
    };
    assert_eq!(
        url,
        "https://sim.example.test/papay/h5?token=c29token0000000000000000000000001"
    );
    let request = scene.gateway.received_requests().await.unwrap().remove(0);
    let query = request.url.query().unwrap().to_owned();
    assert!(
        query.contains("notify_url=https%3A%2F%2Fpay.example.test%2Fnotify%2Fwechat%2Fdeduct"),
        "{query}"
    );
    assert!(
        query.contains("clientip=203.0.113.77") && !query.contains("nonce_str"),
        "{query}"
    );
    let fields: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
    let borrowed: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(name, _)| name != "sign")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let sign = &fields.iter().find(|(name, _)| name == "sign").unwrap().1;
    assert!(crate::support::signed_by(crate::support::KEY, &borrowed, true).contains(sign.as_str()));
}

#[tokio::test]
async fn a_page_inside_wechat_is_signed_by_md5_and_nothing_is_sent() {
    let scene = Scene::new(SetUp {
        config: json!({"sign_entry": "entrustweb", "sign_type": "HMAC-SHA256"}),
        ..SetUp::default()
    })
    .await;
    let page = scene.channel.sign_contract(&signing()).await.unwrap();
    let Outcome::Done(SignPage::Redirect { url, .. }) = page else {
        panic!("{page:?}")
    };
    let url = Url::parse(&url).unwrap();
    assert_eq!(url.path(), "/papay/partner/entrustweb");
    let sign = url
        .query_pairs()
        .find(|(name, _)| name == "sign")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(sign.len(), 32);
    assert!(scene.gateway.received_requests().await.unwrap().is_empty());
}
