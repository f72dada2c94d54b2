//! What is believed of the answers to deductions and queries.

use std::time::Duration;

use metropay_core::channel::{CallError, Hint, Outcome, Paid, Standing};
use metropay_core::clock::Time;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::support::{
    KEY, ORDER, PAID, Scene, adapter, config, deduction, failed, fen, held_clock, order, paid_but, payment, signed_by,
    taken, vector,
};

const DEDUCT: &str = "/pay/partner/pappayapply";
const QUERY: &str = "/pay/partner/paporderquery";
const GENERAL: &str = "/pay/orderquery";

fn the_payment() -> Paid {
    Paid {
        channel_no: "4200000000202503010000000001".to_owned(),
        amount: fen(1280),
        coupon: fen(50),
        paid_at: Time::parse_china("20250301120030", "%Y%m%d%H%M%S").expect("a time"),
    }
}

/// Answers to a request that was received, of which none may be believed.
fn unbelievable() -> Vec<ResponseTemplate> {
    let ok = |body: &str| ResponseTemplate::new(200).set_body_string(body);
    let forged = taken(PAID).replace("1280", "1");
    let resigned = signed_by(
        &KEY.replace('1', "2"),
        &[("return_code", "SUCCESS"), ("result_code", "SUCCESS")],
        false,
    );
    let good = taken(PAID);
    let half = good.get(..good.len() / 2).expect("only ASCII").to_owned();
    vec![
        ok(""),
        ok("OK"),
        ok("<html><body>502 Bad Gateway</body></html>"),
        ok(&half),
        ok(&good.replace("<xml>", "<!DOCTYPE xml><xml>")),
        ok(&forged),
        ok(&resigned),
        ok("<xml><return_code>SUCCESS</return_code><result_code>SUCCESS</result_code></xml>"),
        ok("<xml><return_code>MAYBE</return_code></xml>"),
        ok(vector("C29.1", "wire")),
        ok("<xml><return_code>FAIL</return_code><return_msg>系统繁忙，请稍后再试</return_msg></xml>"),
        ok(&signed_by(
            KEY,
            &[
                ("return_code", "SUCCESS"),
                ("result_code", "SUCCESS"),
                ("mch_id", "1900000001"),
            ],
            false,
        )),
        ResponseTemplate::new(500).set_body_string(good.clone()),
        ResponseTemplate::new(502).set_body_string("<html></html>"),
        ResponseTemplate::new(429),
        ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
        ResponseTemplate::new(200).set_body_bytes(vec![0xff, 0xfe, 0x00]),
        ResponseTemplate::new(200).set_body_bytes(vec![b'x'; (1 << 20) + 1]),
    ]
}

#[tokio::test]
async fn an_answer_that_cannot_be_believed_leaves_the_outcome_unknown() {
    for (n, response) in unbelievable().into_iter().enumerate() {
        let scene = Scene::provider().await;
        for path in [DEDUCT, QUERY, GENERAL] {
            scene.responds(path, response.clone()).await;
        }
        let deducted = scene.channel.deduct(&deduction()).await;
        assert!(matches!(deducted, Err(CallError::MaybeDone(_))), "{n}: {deducted:?}");
        let standing = scene.channel.query_payment(&payment()).await;
        assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{n}: {standing:?}");
    }
}

#[tokio::test]
async fn silence_may_have_been_done_and_a_refused_connection_was_not_sent() {
    let scene = Scene::new(crate::support::SetUp {
        config: serde_json::json!({"deduct_timeout_s": 1}),
        ..crate::support::SetUp::default()
    })
    .await;
    scene
        .responds(DEDUCT, ResponseTemplate::new(200).set_delay(Duration::from_secs(10)))
        .await;
    let silent = scene.channel.deduct(&deduction()).await;
    assert!(matches!(silent, Err(CallError::MaybeDone(_))), "{silent:?}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = config(&format!("http://{closed}"), &serde_json::json!({}));
    let channel = adapter(
        config,
        "https://pay.example.test/n",
        "n0nce0000000000000000000000000zz",
        &held_clock(),
    )
    .unwrap();
    let unsent = channel.deduct(&deduction()).await;
    assert!(matches!(unsent, Err(CallError::NotSent(_))), "{unsent:?}");
}

#[tokio::test]
async fn an_answer_signed_by_the_key_before_is_believed_while_that_is_configured() {
    let old = "TESTONLYapiv2key0000000000000000";
    for (over, believed) in [
        (serde_json::json!({"old_api_key": old}), true),
        (serde_json::json!({}), false),
    ] {
        let scene = Scene::new(crate::support::SetUp {
            config: over,
            ..crate::support::SetUp::default()
        })
        .await;
        let heads = [
            ("return_code", "SUCCESS"),
            ("result_code", "SUCCESS"),
            ("mch_id", crate::support::MCH),
        ];
        scene.answers(DEDUCT, signed_by(old, &heads, false)).await;
        assert_eq!(
            scene.channel.deduct(&deduction()).await == Ok(Outcome::Pending),
            believed
        );
    }
}

#[tokio::test]
async fn each_state_of_an_order_is_told_as_what_it_is() {
    let cases = [
        ("ACCEPT", Standing::Pending),
        ("NOTPAY", Standing::Pending),
        ("USERPAYING", Standing::Pending),
        ("SOMETHING_NEW", Standing::Pending),
        ("SUCCESS", Standing::Paid(the_payment())),
        ("REFUND", Standing::Paid(the_payment())),
    ];
    for (state, expected) in cases {
        let scene = Scene::provider().await;
        scene.answers(QUERY, paid_but("trade_state", state)).await;
        assert_eq!(scene.channel.query_payment(&payment()).await, Ok(expected), "{state}");
    }
    for state in ["PAY_FAIL", "PAYERROR", "CLOSED", "REVOKED"] {
        let scene = Scene::provider().await;
        scene.answers(QUERY, order(state)).await;
        let standing = scene.channel.query_payment(&payment()).await.unwrap();
        let Standing::NotPaid(refusal) = standing else {
            panic!("{state}: {standing:?}")
        };
        assert_eq!((refusal.code.as_str(), refusal.hint), (state, Hint::None));
    }
    let scene = Scene::provider().await;
    let fields = [
        ("out_trade_no", ORDER),
        ("trade_state", "PAY_FAIL"),
        ("err_code", "NOTENOUGH"),
    ];
    scene.answers(QUERY, taken(&fields)).await;
    let standing = scene.channel.query_payment(&payment()).await.unwrap();
    assert!(
        matches!(&standing, Standing::NotPaid(refusal) if refusal.hint == Hint::Funds),
        "{standing:?}"
    );
}

#[tokio::test]
async fn an_answer_about_something_else_is_not_believed() {
    for (name, value) in [
        ("out_trade_no", "MC20250301123456000000000000002"),
        ("out_trade_no", ""),
        ("total_fee", "1"),
        ("total_fee", "1281"),
        ("total_fee", "1280.0"),
        ("total_fee", ""),
        ("fee_type", "HKD"),
        ("transaction_id", ""),
        ("time_end", "yesterday"),
        ("coupon_fee", "1281"),
        ("trade_state", ""),
    ] {
        let scene = Scene::provider().await;
        scene.answers(QUERY, paid_but(name, value)).await;
        let standing = scene.channel.query_payment(&payment()).await;
        assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{name}: {standing:?}");
    }
}

#[tokio::test]
async fn an_unknown_order_is_absent_and_a_fault_of_the_channel_says_nothing() {
    let scene = Scene::provider().await;
    scene.answers_once(QUERY, failed("ORDERNOTEXIST", "订单不存在")).await;
    scene.answers(QUERY, failed("SYSTEMERROR", "系统错误")).await;
    assert_eq!(scene.channel.query_payment(&payment()).await, Ok(Standing::Absent));
    let fault = scene.channel.query_payment(&payment()).await;
    assert!(matches!(fault, Err(CallError::MaybeDone(_))), "{fault:?}");
}

#[tokio::test]
async fn an_order_that_is_no_deduction_any_more_or_is_old_is_asked_for_generally() {
    let scene = Scene::provider().await;
    scene
        .answers_once(QUERY, failed("INVALID_REQUEST", "订单不是委托代扣场景"))
        .await;
    scene
        .answers_once(
            QUERY,
            "<xml><return_code>FAIL</return_code><return_msg>订单不是委托代扣场景</return_msg></xml>",
        )
        .await;
    scene.answers(GENERAL, order("CLOSED")).await;
    for _ in 0..2 {
        let standing = scene.channel.query_payment(&payment()).await.unwrap();
        assert!(matches!(standing, Standing::NotPaid(_)), "{standing:?}");
    }
    assert_eq!(scene.sent(QUERY).await.len(), 2);
    scene.clock.advance(40 * 24 * 3_600);
    let standing = scene.channel.query_payment(&payment()).await.unwrap();
    assert!(matches!(standing, Standing::NotPaid(_)), "{standing:?}");
    assert_eq!((scene.sent(QUERY).await.len(), scene.sent(GENERAL).await.len()), (2, 3));
}

#[tokio::test]
async fn a_refused_deduction_is_refused_only_after_the_order_was_asked_for() {
    for (code, hint) in [
        ("CONTRACT_NOT_EXIST", Hint::ContractGone),
        ("RULELIMIT", Hint::Funds),
        ("PARAM_ERROR", Hint::Setup),
        ("NOTENOUGH", Hint::Funds),
    ] {
        for (query, refused) in [
            (failed("ORDERNOTEXIST", ""), true),
            (order("CLOSED"), true),
            (order("NOTPAY"), false),
            (taken(PAID), false),
            (failed("SYSTEMERROR", ""), false),
        ] {
            let scene = Scene::provider().await;
            scene.answers(DEDUCT, failed(code, "")).await;
            scene.answers(QUERY, query).await;
            let outcome = scene.channel.deduct(&deduction()).await;
            let is_refused = matches!(&outcome, Ok(Outcome::Refused(refusal)) if refusal.hint == hint);
            assert_eq!(is_refused, refused, "{code}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_repeated_deduction_is_told_by_the_order_that_it_made() {
    let scene = Scene::provider().await;
    scene.answers_once(DEDUCT, failed("ORDER_ACCEPTED", "")).await;
    scene.answers(DEDUCT, failed("ORDERPAID", "")).await;
    scene.answers_once(QUERY, failed("ORDERNOTEXIST", "")).await;
    scene.answers(QUERY, taken(PAID)).await;
    assert_eq!(scene.channel.deduct(&deduction()).await, Ok(Outcome::Pending));
    let blind = scene.channel.deduct(&deduction()).await;
    assert!(matches!(blind, Err(CallError::MaybeDone(_))), "{blind:?}");
    assert_eq!(
        scene.channel.deduct(&deduction()).await,
        Ok(Outcome::Done(the_payment()))
    );

    let closed = Scene::provider().await;
    closed.answers(DEDUCT, failed("ORDERCLOSED", "")).await;
    closed.answers(QUERY, order("CLOSED")).await;
    let outcome = closed.channel.deduct(&deduction()).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Refused(refusal) if refusal.code == "CLOSED"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_code_that_proves_nothing_leaves_the_outcome_unknown() {
    for code in ["SYSTEMERROR", "FREQUENCY_LIMITED", "BANKERROR", "NEW_CODE_OF_2031", ""] {
        let scene = Scene::provider().await;
        scene.answers(DEDUCT, failed(code, "出错了")).await;
        scene.answers(QUERY, failed("ORDERNOTEXIST", "")).await;
        let outcome = scene.channel.deduct(&deduction()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{code}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_adapter_sends_a_deduction_once_whatever_comes_back() {
    for response in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(200).set_body_string(failed("SYSTEMERROR", "")),
    ] {
        let scene = Scene::provider().await;
        scene.responds(DEDUCT, response.clone()).await;
        scene.responds(QUERY, response).await;
        let outcome = scene.channel.deduct(&deduction()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{outcome:?}");
        assert_eq!(scene.sent(DEDUCT).await.len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_that_cannot_be_confirmed_leaves_the_outcome_unknown_although_the_query_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = config(
        &format!("http://{}", listener.local_addr().unwrap()),
        &serde_json::json!({}),
    );
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // From here on nobody can connect any more.
        drop(listener);
        let mut request = [0; 8192];
        let read = socket.read(&mut request).await.unwrap();
        assert!(read > 0);
        let body = failed("RULELIMIT", "");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(answer.as_bytes()).await.unwrap();
    });
    let channel = adapter(
        config,
        "https://pay.example.test/n",
        "n0nce0000000000000000000000000zz",
        &held_clock(),
    )
    .unwrap();
    let outcome = channel.deduct(&deduction()).await;
    assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_about_another_shop_of_the_provider_is_not_believed() {
    let scene = Scene::provider().await;
    let heads = [
        ("return_code", "SUCCESS"),
        ("result_code", "SUCCESS"),
        ("mch_id", crate::support::MCH),
        ("sub_mch_id", "1900000002"),
    ];
    let filed = [
        ("out_refund_no", crate::support::REFUND),
        ("refund_fee", "300"),
        ("out_trade_no", ORDER),
        ("total_fee", "1280"),
    ];
    scene.answers(DEDUCT, signed_by(KEY, &heads, false)).await;
    scene
        .answers(QUERY, signed_by(KEY, &[&heads, PAID].concat(), false))
        .await;
    scene
        .answers(
            "/secapi/pay/refund",
            signed_by(KEY, &[&heads[..], &filed].concat(), false),
        )
        .await;
    let (deduction, refund) = (deduction(), crate::support::refund());
    let deducted = scene.channel.deduct(&deduction).await;
    assert!(matches!(deducted, Err(CallError::MaybeDone(_))), "{deducted:?}");
    let standing = scene.channel.query_payment(&payment()).await;
    assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{standing:?}");
    let refunded = scene.channel.refund(&refund).await;
    assert!(matches!(refunded, Err(CallError::MaybeDone(_))), "{refunded:?}");
}
