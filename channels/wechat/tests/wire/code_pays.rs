//! Payments by code over `micropay`: paid only by what is verified, never twice, and waited for while the user types.

use metropay_core::channel::{CallError, Called, CodePayQuestion, Hint, Outcome, Paid, Standing};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::{
    AUTH_CODE, KEY, ORDER, PAID, Scene, SetUp, by_code, code_payment, failed, fen, order, paid_but, signed_by, taken,
    vector,
};

const PAY: &str = "/pay/micropay";
const QUERY: &str = "/pay/orderquery";

async fn shop() -> Scene {
    Scene::new(SetUp {
        config: json!({"payment_code": true}),
        ..SetUp::default()
    })
    .await
}

async fn pay(scene: &Scene, question: &CodePayQuestion) -> Called<Paid> {
    let product = scene.channel.code_pay().expect("the product is switched on");
    product.pay_by_code(question).await
}

fn the_payment() -> Paid {
    Paid {
        channel_no: "4200000000202503010000000001".to_owned(),
        amount: fen(1280),
        coupon: fen(50),
        paid_at: metropay_core::clock::Time::parse_china("20250301120030", "%Y%m%d%H%M%S").expect("a time"),
    }
}

/// What `micropay` says to a payment that is done.
fn done() -> Vec<(&'static str, &'static str)> {
    let all = PAID.iter().filter(|(name, _)| *name != "trade_state");
    all.copied().chain([("trade_type", "MICROPAY")]).collect()
}

#[tokio::test]
async fn the_product_is_there_only_where_it_is_switched_on() {
    assert!(Scene::provider().await.channel.code_pay().is_none());
    assert!(shop().await.channel.code_pay().is_some());
}

#[tokio::test]
async fn a_payment_by_code_is_vector_c26_and_c27_is_waited_for() {
    let scene = Scene::new(SetUp {
        nonce: "c26nonce00000000000000000000000a",
        config: json!({"payment_code": true}),
        ..SetUp::default()
    })
    .await;
    scene.answers(PAY, vector("C27", "wire")).await;
    let mut question = code_payment();
    question.no = "MC20250301130000000000000000003".into();
    assert_eq!(pay(&scene, &question).await, Ok(Outcome::Pending));
    // Of the store only its number is known here.
    let unsigned = |body: &str| body.split("<sign>").next().unwrap_or_default().to_owned();
    let expected = vector("C26", "wire").replace(
        r#"{"store_info":{"id":"S0001","name":"示例便利店","area_code":"440305","address":"示例路1号"}}"#,
        r#"{"store_info":{"id":"S0001"}}"#,
    );
    assert_eq!(unsigned(&scene.sent(PAY).await[0]), unsigned(&expected));
    assert!(
        scene.sent(QUERY).await.is_empty(),
        "the engine asks on, five seconds later"
    );
}

#[tokio::test]
async fn a_verified_success_is_paid() {
    let scene = shop().await;
    scene.answers(PAY, taken(&done())).await;
    assert_eq!(pay(&scene, &code_payment()).await, Ok(Outcome::Done(the_payment())));
    assert_eq!(scene.sent(PAY).await.len(), 1);
}

#[tokio::test]
async fn a_success_about_something_else_is_not_believed() {
    for (name, value) in [
        ("out_trade_no", "MC20250301123456000000000000002"),
        ("out_trade_no", ""),
        ("total_fee", "1"),
        ("total_fee", "1280.0"),
        ("total_fee", ""),
        ("fee_type", "HKD"),
        ("transaction_id", ""),
        ("time_end", "yesterday"),
        ("coupon_fee", "1281"),
        ("trade_type", "JSAPI"),
    ] {
        let scene = shop().await;
        let changed: Vec<(&str, &str)> = done()
            .into_iter()
            .map(|(n, v)| if n == name { (n, value) } else { (n, v) })
            .collect();
        scene.answers(PAY, taken(&changed)).await;
        let outcome = pay(&scene, &code_payment()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_believed_leaves_the_outcome_unknown() {
    let good = taken(&done());
    let half = good.get(..good.len() / 2).expect("only ASCII").to_owned();
    let ok = |body: String| ResponseTemplate::new(200).set_body_string(body);
    let foreign = signed_by(
        KEY,
        &[
            ("return_code", "SUCCESS"),
            ("result_code", "SUCCESS"),
            ("mch_id", "1900000001"),
        ],
        false,
    );
    for (n, response) in [
        ok(String::new()),
        ok("<html><body>502 Bad Gateway</body></html>".to_owned()),
        ok(half),
        ok(good.replace("1280", "1281")),
        ok(good.replace("<sign>", "<other>").replace("</sign>", "</other>")),
        ok(foreign),
        ok(vector("C29.1", "wire").to_owned()),
        ok("<xml><return_code>FAIL</return_code><return_msg>系统繁忙，请稍后再试</return_msg></xml>".to_owned()),
        ok("{\"code\":\"SUCCESS\"}".to_owned()),
        ResponseTemplate::new(500).set_body_string(good.clone()),
        ResponseTemplate::new(429),
        ResponseTemplate::new(200).set_body_bytes(vec![b'x'; (1 << 20) + 1]),
    ]
    .into_iter()
    .enumerate()
    {
        let scene = shop().await;
        scene.responds(PAY, response).await;
        let outcome = pay(&scene, &code_payment()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{n}: {outcome:?}");
        let Err(error) = outcome else { continue };
        assert!(!error.to_string().contains(AUTH_CODE), "{error}");
        assert_eq!(scene.sent(PAY).await.len(), 1);
    }
}

#[tokio::test]
async fn a_refused_code_is_refused_only_after_the_order_was_asked_for() {
    for (code, hint) in [
        ("AUTHCODEEXPIRE", Hint::User),
        ("AUTH_CODE_INVALID", Hint::User),
        ("NOTENOUGH", Hint::Funds),
        ("RULELIMIT", Hint::Funds),
        ("PARAM_ERROR", Hint::Setup),
        ("SIGNERROR", Hint::Setup),
    ] {
        for (query, refused) in [
            (failed("ORDERNOTEXIST", ""), true),
            (order("PAYERROR"), true),
            (order("NOTPAY"), true),
            (order("USERPAYING"), false),
            (order("ACCEPT"), false),
            (taken(PAID), false),
            (failed("SYSTEMERROR", ""), false),
        ] {
            let scene = shop().await;
            scene.answers(PAY, failed(code, "")).await;
            scene.answers(QUERY, query.clone()).await;
            let outcome = pay(&scene, &code_payment()).await;
            let is_refused = matches!(&outcome, Ok(Outcome::Refused(refusal)) if refusal.hint == hint);
            assert_eq!(is_refused, refused, "{code}: {query}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_code_that_tells_of_an_earlier_request_is_decided_by_the_order() {
    for code in ["TRADE_ERROR", "INVALID_REQUEST", "BUYER_MISMATCH", "ORDERCLOSED"] {
        for (query, expected) in [
            (failed("ORDERNOTEXIST", ""), "refused"),
            (order("PAYERROR"), "refused"),
            (order("NOTPAY"), "pending"),
            (taken(PAID), "paid"),
        ] {
            let scene = shop().await;
            scene.answers(PAY, failed(code, "")).await;
            scene.answers(QUERY, query).await;
            let outcome = match pay(&scene, &code_payment()).await {
                Ok(Outcome::Refused(_)) => "refused",
                Ok(Outcome::Pending) => "pending",
                Ok(Outcome::Done(_)) => "paid",
                Err(_) => "unknown",
            };
            assert_eq!(outcome, expected, "{code}");
        }
    }
}

#[tokio::test]
async fn a_repeated_payment_is_told_by_the_order_that_it_made() {
    for code in ["ORDERPAID", "OUT_TRADE_NO_USED"] {
        let scene = shop().await;
        scene.answers(PAY, failed(code, "")).await;
        scene.answers_once(QUERY, failed("ORDERNOTEXIST", "")).await;
        scene.answers_once(QUERY, order("PAYERROR")).await;
        scene.answers(QUERY, taken(PAID)).await;
        let blind = pay(&scene, &code_payment()).await;
        assert!(matches!(blind, Err(CallError::MaybeDone(_))), "{blind:?}");
        let ended = pay(&scene, &code_payment()).await;
        assert!(matches!(ended, Ok(Outcome::Refused(_))), "{ended:?}");
        assert_eq!(pay(&scene, &code_payment()).await, Ok(Outcome::Done(the_payment())));
        let sent = scene.sent(PAY).await;
        assert!(sent.iter().all(|body| *body == sent[0]), "the same message every time");
    }
}

#[tokio::test]
async fn a_code_that_proves_nothing_leaves_the_outcome_unknown() {
    for code in ["SYSTEMERROR", "BANKERROR", "FREQUENCY_LIMITED", "NEW_CODE_OF_2031", ""] {
        let scene = shop().await;
        scene.answers(PAY, failed(code, "出错了")).await;
        let outcome = pay(&scene, &code_payment()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{code}: {outcome:?}");
        assert!(scene.sent(QUERY).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_paid_by_code_is_asked_for_by_the_general_query() {
    for (state, answer) in [("SUCCESS", taken(PAID)), ("REFUND", paid_but("trade_state", "REFUND"))] {
        let scene = shop().await;
        scene.answers(QUERY, answer).await;
        let standing = scene.channel.query_payment(&by_code()).await;
        assert_eq!(standing, Ok(Standing::Paid(the_payment())), "{state}");
    }
    for (state, pending) in [
        ("NOTPAY", true),
        ("USERPAYING", true),
        ("ACCEPT", true),
        ("CLOSED", false),
        ("REVOKED", false),
        ("PAYERROR", false),
    ] {
        let scene = shop().await;
        scene.answers(QUERY, order(state)).await;
        let standing = scene.channel.query_payment(&by_code()).await.unwrap();
        assert_eq!(standing == Standing::Pending, pending, "{state}");
        assert_eq!(matches!(standing, Standing::NotPaid(_)), !pending, "{state}");
    }
    let scene = shop().await;
    scene.answers(QUERY, failed("ORDERNOTEXIST", "")).await;
    assert_eq!(scene.channel.query_payment(&by_code()).await, Ok(Standing::Absent));
    let names = [("out_trade_no", ORDER)];
    assert!(scene.sent(QUERY).await[0].contains(&format!("<{}><![CDATA[{}]]>", names[0].0, names[0].1)));
}

#[tokio::test]
async fn a_refund_of_a_payment_by_code_is_the_same_call() {
    let scene = shop().await;
    scene.answers("/secapi/pay/refund", vector("C24", "wire")).await;
    let mut question = crate::support::refund();
    question.payment = by_code();
    assert_eq!(scene.channel.refund(&question).await, Ok(Outcome::Pending));
}
