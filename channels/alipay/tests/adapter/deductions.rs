//! What a deduction's answers prove, and what they do not.

use std::time::Duration;

use metropay_core::channel::{CallError, Hint, Outcome, Paid};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::ground::*;

fn paid() -> Paid {
    Paid {
        channel_no: TRADE_NO.to_owned(),
        amount: fen(450),
        coupon: fen(100),
        paid_at: at("2026-03-01 08:30:06"),
    }
}

/// T3's node, to be bent by a test.
fn t3() -> Value {
    let body: Value = serde_json::from_str(&vector("t3.json")).unwrap();
    body["alipay_trade_pay_response"].clone()
}

#[tokio::test]
async fn a_verified_answer_with_our_number_and_amount_is_a_payment() {
    for file in ["t3.json", "t4.json"] {
        let ground = Ground::new().await;
        ground.sends(PAY, &vector(file));
        assert_eq!(
            ground.channel.deduct(&deduction()).await,
            Ok(Outcome::Done(paid())),
            "{file}"
        );
        let call = &ground.calls()[0];
        let expected = json!({
            "out_trade_no": "MT202603010830050001", "total_amount": "4.50", "subject": "地铁便利店 消费码",
            "product_code": "GENERAL_WITHHOLDING", "agreement_params": {"agreement_no": AGREEMENT_NO},
            "query_options": ["fund_bill_list", "voucher_detail_list", "discount_amount", "mdiscount_amount"],
            "timeout_express": "5m", "store_id": "SZTX001",
        });
        assert_eq!(call.biz, expected);
        assert_eq!(call.parameters["timestamp"], "2026-03-01 08:30:05");
        assert_eq!(call.parameters["notify_url"], NOTIFY_URL);
    }
}

#[tokio::test]
async fn a_payment_signed_before_its_slashes_were_escaped_is_one_too() {
    let ground = Ground::new().await;
    let mut node = t3();
    node["store_name"] = json!("A/B口");
    let plain = node.to_string();
    let escaped = plain.replace('/', r"\/");
    let body = format!(
        r#"{{"alipay_trade_pay_response":{escaped},"sign":"{}"}}"#,
        alipay_signs(&plain)
    );
    ground.sends(PAY, &body);
    assert_eq!(ground.channel.deduct(&deduction()).await, Ok(Outcome::Done(paid())));
}

#[tokio::test]
async fn t5_is_a_refusal_and_asks_the_user_to_sign_again() {
    let ground = Ground::new().await;
    ground.sends(PAY, &vector("t5.json"));
    let outcome = ground.channel.deduct(&deduction()).await.unwrap();
    let Outcome::Refused(refusal) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(refusal.code, "ACQ.AGREEMENT_NOT_EXIST");
    assert_eq!(refusal.text, "用户协议不存在或已解约");
    assert_eq!(refusal.hint, Hint::ContractGone);
    assert_eq!(ground.called(), [PAY]);
}

#[tokio::test]
async fn nothing_that_is_unreadable_unsigned_or_forged_proves_anything() {
    let t3 = vector("t3.json");
    let t5_sign = vector("t5.json").split(r#""sign":""#).nth(1).unwrap().to_owned();
    let (node_end, _) = t3.rsplit_once(r#","sign":"#).unwrap();
    let (_, root) = node_end.split_once('{').unwrap();
    let forged = [
        t3.replace("159****5620", "159****5621"),
        t3.replace("4.50", "45.0"),
        format!("{node_end}}}"),
        t3.replacen('{', &format!("{{{root},"), 1),
        t3.replacen('{', r#"{"error_response":{"code":"10000"},"#, 1),
        format!(r#"{node_end},"sign":"{t5_sign}"#),
        t3[..t3.len() / 2].to_owned(),
        t3.replace("alipay_trade_pay_response", "alipay_trade_query_response"),
        t3.replace("Y7R7v3", "Y7R7v4"),
        format!(r#"{node_end},"sign":"no base64!"}}"#),
        format!(r#"{node_end},"sign":""}}"#),
        vector("t4b.json"),
        vector("t5b.json"),
        r#"{"error_response":{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.missing-method"}}"#.to_owned(),
        "<html><body>502 Bad Gateway</body></html>".to_owned(),
        "not json".to_owned(),
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
    ];
    for body in forged {
        let ground = Ground::new().await;
        ground.sends(PAY, &body);
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn a_signed_answer_about_another_number_or_amount_proves_nothing() {
    let bend = |name: &str, value: Value| {
        let mut node = t3();
        node[name] = value;
        node
    };
    let nodes = [
        bend("out_trade_no", json!("MT202603010830050002")),
        bend("out_trade_no", Value::Null),
        bend("total_amount", json!("4.51")),
        bend("total_amount", json!("4.5e0")),
        bend("total_amount", Value::Null),
        bend("trade_no", json!("")),
        bend("code", Value::Null),
        // The refusal of another order, genuinely signed.
        json!({"code": "40004", "sub_code": "ACQ.AGREEMENT_NOT_EXIST", "out_trade_no": "MT202603010830050002"}),
    ];
    for node in nodes {
        let ground = Ground::new().await;
        ground.says(PAY, &node);
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{node}: {answer:?}");
    }
}

#[tokio::test]
async fn an_amount_written_as_a_number_is_the_same_amount() {
    let ground = Ground::new().await;
    let body = format!(
        r#"{{"code":"10000","out_trade_no":"{}","total_amount":4.50,"trade_no":"{TRADE_NO}"}}"#,
        pay_no()
    );
    let body = format!(
        r#"{{"alipay_trade_pay_response":{body},"sign":"{}"}}"#,
        alipay_signs(&body)
    );
    ground.sends(PAY, &body);
    let outcome = ground.channel.deduct(&deduction()).await.unwrap();
    let Outcome::Done(paid) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (paid.amount, paid.coupon, paid.paid_at),
        (fen(450), fen(0), deduction().at)
    );
}

#[tokio::test]
async fn other_statuses_and_silence_prove_nothing() {
    let answers = [
        ResponseTemplate::new(502).set_body_string("<html></html>"),
        ResponseTemplate::new(500).set_body_string(vector("t3.json")),
        ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
        ResponseTemplate::new(200)
            .set_body_string(vector("t3.json"))
            .set_delay(Duration::from_secs(3)),
    ];
    for template in answers {
        let ground = Ground::new().await;
        ground.answers(PAY, template);
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
        assert_eq!(ground.called(), [PAY], "a money call is sent once");
    }
}

#[tokio::test]
async fn a_gateway_that_cannot_be_reached_was_sent_nothing() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let channel = build(
        config(&format!("http://{closed}/gateway.do")),
        Held::at(at("2026-03-01 08:30:05")),
    );
    let answer = channel.deduct(&deduction()).await;
    assert!(matches!(answer, Err(CallError::NotSent(_))), "{answer:?}");
}

#[tokio::test]
async fn accepted_is_not_paid() {
    let mut nodes = vec![json!({"code": "10003", "msg": "order success pay inprocess", "out_trade_no": pay_no().0})];
    let modes = [
        "ASYNC_DELAY_PAY",
        "ASYNC_REALTIME_PAY",
        "NORMAL_ASYNC_PAY",
        "QUOTA_OCCUPYIED_ASYNC_PAY",
        "NEW_ONE",
    ];
    for mode in modes {
        let mut node = t3();
        node["async_payment_mode"] = json!(mode);
        nodes.push(node);
    }
    let mut applied = t3();
    applied["async_pay_apply_status"] = json!("S");
    nodes.push(applied);
    // The rate limit: not executed, so a query finds nothing later.
    nodes.push(failure("40005", "isv.app-call-limited"));
    for node in nodes {
        let ground = Ground::new().await;
        ground.says(PAY, &node);
        assert_eq!(
            ground.channel.deduct(&deduction()).await,
            Ok(Outcome::Pending),
            "{node}"
        );
    }
}

#[tokio::test]
async fn failures_inside_alipay_and_unknown_words_prove_nothing() {
    for (code, sub_code) in [
        ("20000", "isp.unknow-error"),
        ("20000", "ACQ.SYSTEM_ERROR"),
        ("40004", "ACQ.SYSTEM_ERROR"),
        ("40004", "ACQ.SOMETHING_NEW"),
        ("20000", "ACQ.PAYMENT_FAIL"),
    ] {
        let ground = Ground::new().await;
        ground.says(PAY, &failure(code, sub_code));
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{sub_code}: {answer:?}");
    }
}

#[tokio::test]
async fn a_repeat_that_was_paid_before_is_answered_by_a_query() {
    let ground = Ground::new().await;
    ground.says(PAY, &failure("40004", "ACQ.TRADE_HAS_SUCCESS"));
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    assert_eq!(ground.channel.deduct(&deduction()).await, Ok(Outcome::Done(paid())));
    assert_eq!(ground.called(), [PAY, QUERY]);
}

#[tokio::test]
async fn a_state_without_a_trade_stays_open() {
    let ground = Ground::new().await;
    ground.says(PAY, &failure("40004", "ACQ.TRADE_HAS_SUCCESS"));
    ground.says(QUERY, &failure("40004", "ACQ.TRADE_NOT_EXIST"));
    assert_eq!(ground.channel.deduct(&deduction()).await, Ok(Outcome::Pending));
}

#[tokio::test]
async fn a_mistake_of_ours_is_a_refusal_only_once_a_query_finds_no_trade() {
    let refusal = failure("40004", "ACQ.PARTNER_ERROR");
    let ground = Ground::new().await;
    ground.says(PAY, &refusal);
    ground.says(QUERY, &failure("40004", "ACQ.TRADE_NOT_EXIST"));
    let outcome = ground.channel.deduct(&deduction()).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Refused(refusal) if refusal.hint == Hint::Setup),
        "{outcome:?}"
    );

    let ground = Ground::new().await;
    ground.says(PAY, &refusal);
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    assert_eq!(ground.channel.deduct(&deduction()).await, Ok(Outcome::Done(paid())));

    let ground = Ground::new().await;
    ground.says(PAY, &refusal);
    ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
    assert_eq!(ground.channel.deduct(&deduction()).await, Ok(Outcome::Pending));
}

#[tokio::test]
async fn a_refusal_that_names_no_order_needs_a_query_too() {
    let nameless = json!({"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.AGREEMENT_NOT_EXIST"});
    let ground = Ground::new().await;
    ground.says(PAY, &nameless);
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    assert_eq!(ground.channel.deduct(&deduction()).await, Ok(Outcome::Done(paid())));
}

#[tokio::test]
async fn wrong_keys_on_our_side_are_no_failed_payment_and_leak_no_agreement() {
    let ground = Ground::new().await;
    let echo = json!({
        "code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.invalid-signature",
        "sub_msg": format!("验签出错，网关生成的验签字符串为：app_id=2021&amp;biz_content={{\"agreement_no\":\"{AGREEMENT_NO}\"}}"),
    });
    ground.says(PAY, &echo);
    ground.says(QUERY, &echo);
    let answer = ground.channel.deduct(&deduction()).await;
    let Err(CallError::MaybeDone(reason)) = answer else {
        panic!("{answer:?}")
    };
    assert!(reason.contains("isv.invalid-signature"), "{reason}");
    assert!(!reason.contains(AGREEMENT_NO), "{reason}");
}

#[tokio::test]
async fn the_same_question_is_sent_in_the_same_words() {
    let ground = Ground::new().await;
    ground.sends(PAY, &vector("t3.json"));
    for _ in 0..2 {
        ground.channel.deduct(&deduction()).await.unwrap();
        ground.clock.advance(Duration::from_secs(60));
    }
    let calls = ground.calls();
    assert_eq!(calls[0].parameters["biz_content"], calls[1].parameters["biz_content"]);
    assert_ne!(calls[0].parameters["timestamp"], calls[1].parameters["timestamp"]);
    assert!(ground.url().starts_with("http://127.0.0.1"));
}
