//! Payments by code over APIv3: what leaves, and what is believed of signed answers.

use metropay_core::channel::{CallError, Called, Hint, Outcome, Paid, Reversed, Standing};
use metropay_core::clock::{Clock, Time};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::sealed::{By, PUBLIC_ID, answer_of, sealed, time_of, v3_scene};
use crate::support::{APPID, AUTH_CODE, MCH, ORDER, SHOP, Scene, by_code, code_payment, code_reversal, fen};

const PAY: &str = "/v3/pay/partner/transactions/codepay";

fn order_path() -> String {
    format!("/v3/pay/partner/transactions/out-trade-no/{ORDER}")
}

fn reverse_path() -> String {
    format!("{}/reverse", order_path())
}

async fn shop() -> Scene {
    v3_scene(json!({})).await
}

async fn pay(scene: &Scene) -> Called<Paid> {
    let product = scene.channel.code_pay().expect("the product is switched on");
    product.pay_by_code(&code_payment()).await
}

fn order(state: &str) -> Value {
    json!({
        "sp_appid": APPID, "sp_mchid": MCH, "sub_mchid": SHOP, "out_trade_no": ORDER, "trade_type": "MICROPAY",
        "trade_state": state, "trade_state_desc": "x", "amount": {"total": 1280, "currency": "CNY"},
    })
}

fn paid_order(state: &str) -> Value {
    let mut order = order(state);
    order["transaction_id"] = json!("4200000000202503010000000001");
    order["success_time"] = json!("2025-03-01T12:00:30+08:00");
    order["amount"] = json!({"total": 1280, "payer_total": 1230, "currency": "CNY", "payer_currency": "CNY"});
    order
}

fn the_payment() -> Paid {
    Paid {
        channel_no: "4200000000202503010000000001".to_owned(),
        amount: fen(1280),
        coupon: fen(50),
        paid_at: Time::parse_china("20250301120030", "%Y%m%d%H%M%S").expect("a time"),
    }
}

fn error(code: &str) -> Value {
    json!({"code": code, "message": "x"})
}

#[tokio::test]
async fn what_leaves_is_signed_and_what_is_verified_is_paid() {
    let scene = shop().await;
    scene.says("POST", PAY, 200, &paid_order("SUCCESS")).await;
    assert_eq!(pay(&scene).await, Ok(Outcome::Done(the_payment())));
    assert_eq!(scene.verified().await, 1);
    let request = &scene.asked(PAY).await[0];
    assert_eq!(request.headers["wechatpay-serial"], PUBLIC_ID);
    assert_eq!(request.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let expected = json!({
        "sp_appid": APPID, "sp_mchid": MCH, "sub_mchid": SHOP, "description": "示例便利店-消费", "out_trade_no": ORDER,
        "payer": {"auth_code": AUTH_CODE}, "amount": {"total": 1280, "currency": "CNY"},
        "scene_info": {"device_ip": "203.0.113.10", "store_info": {"out_id": "S0001"}},
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_direct_merchant_speaks_its_own_words() {
    let scene = v3_scene(json!({"mode": "direct", "sub_mch_id": null})).await;
    let own = |mut order: Value| {
        let fields = order.as_object_mut().unwrap();
        for name in ["sp_appid", "sp_mchid", "sub_mchid"] {
            fields.remove(name);
        }
        fields.insert("mchid".to_owned(), json!(MCH));
        fields.insert("appid".to_owned(), json!(APPID));
        order
    };
    let path = format!("/v3/pay/transactions/out-trade-no/{ORDER}");
    scene
        .says("POST", "/v3/pay/transactions/codepay", 200, &own(paid_order("SUCCESS")))
        .await;
    scene.says("GET", &path, 200, &own(order("USERPAYING"))).await;
    assert_eq!(pay(&scene).await, Ok(Outcome::Done(the_payment())));
    assert_eq!(scene.channel.query_payment(&by_code()).await, Ok(Standing::Pending));
    assert_eq!(scene.asked(&path).await[0].url.query(), Some(&*format!("mchid={MCH}")));
    assert_eq!(scene.verified().await, 2);
}

#[tokio::test]
async fn vector_c31_is_waited_for_and_so_is_the_error_of_the_same_name() {
    let scene = shop().await;
    scene.clock.set(time_of("C31"));
    scene.gives("POST", PAY, answer_of("C31"), None).await;
    let mut question = code_payment();
    question.no = "MC20250301130000000000000000003".into();
    let product = scene.channel.code_pay().unwrap();
    assert_eq!(product.pay_by_code(&question).await, Ok(Outcome::Pending));

    for status in [202, 400, 403] {
        let scene = shop().await;
        scene.says("POST", PAY, status, &error("USERPAYING")).await;
        assert_eq!(pay(&scene).await, Ok(Outcome::Pending), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_believed_leaves_the_outcome_unknown() {
    let scene = shop().await;
    let now = scene.clock.now();
    let good = paid_order("SUCCESS").to_string();
    let right = || sealed(By::Public, now, 200, &good);
    let shifted = |seconds: i64| sealed(By::Public, Time(now.0 + seconds * 1_000), 200, &good);
    let forged = good.replace("1230", "1280");
    let mut unbelievable = vec![
        right().set_body_string(&*forged),
        right().insert_header(
            "Wechatpay-Signature",
            "WECHATPAY/SIGNTEST/eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4",
        ),
        right().insert_header("Wechatpay-Serial", "5B2E8F4A6C0D1357BDF02468ACE13579BDF02469"),
        right().insert_header("Wechatpay-Nonce", "another"),
        right().append_header("Wechatpay-Serial", PUBLIC_ID),
        right().insert_header("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
        shifted(-301),
        shifted(301),
        sealed(By::Public, now, 200, ""),
        sealed(By::Public, now, 200, "<html></html>"),
        sealed(By::Public, now, 200, good.get(..40).unwrap()),
        sealed(By::Public, now, 204, ""),
        sealed(By::Public, now, 302, &good),
        sealed(By::Public, now, 500, &good),
        sealed(By::Public, now, 500, &error("SYSTEM_ERROR").to_string()),
        sealed(By::Public, now, 502, "<html></html>"),
        ResponseTemplate::new(200).set_body_string(&*good),
        ResponseTemplate::new(403).set_body_string(error("NOT_ENOUGH").to_string()),
        ResponseTemplate::new(429),
        ResponseTemplate::new(200).set_body_bytes(vec![b'x'; (1 << 20) + 1]),
    ];
    for (name, value) in [
        ("/out_trade_no", json!("MC2")),
        ("/sp_mchid", json!("1900000001")),
        ("/sub_mchid", json!("1900000002")),
        ("/sp_appid", json!("wx0000000000000000")),
        ("/amount/total", json!(1)),
        ("/amount/total", json!("1280")),
        ("/amount/total", json!(1280.0)),
        ("/amount/currency", json!("HKD")),
        ("/amount/payer_total", json!(1281)),
        ("/amount/payer_total", json!(-1)),
        ("/transaction_id", json!("")),
        ("/success_time", json!("yesterday")),
        ("/trade_state", json!("")),
    ] {
        let mut changed = paid_order("SUCCESS");
        *changed.pointer_mut(name).unwrap() = value;
        unbelievable.push(sealed(By::Public, now, 200, &changed.to_string()));
    }
    for (n, answer) in unbelievable.into_iter().enumerate() {
        let scene = shop().await;
        scene.gives("POST", PAY, answer.clone(), None).await;
        scene.gives("GET", &order_path(), answer.clone(), None).await;
        scene.gives("POST", &reverse_path(), answer, None).await;
        let outcome = pay(&scene).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{n}: {outcome:?}");
        let standing = scene.channel.query_payment(&by_code()).await;
        assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{n}: {standing:?}");
        let reversed = scene.channel.reverse(&code_reversal()).await;
        assert!(matches!(reversed, Err(CallError::MaybeDone(_))), "{n}: {reversed:?}");
        assert_eq!(scene.asked(PAY).await.len(), 1, "{n}");
    }
}

#[tokio::test]
async fn a_refusal_is_confirmed_by_the_order() {
    for (status, code, hint) in [
        (403, "NOT_ENOUGH", Hint::Funds),
        (403, "AUTH_CODE_EXPIRE", Hint::User),
        (401, "SIGN_ERROR", Hint::Setup),
    ] {
        for (query, body, refused) in [
            (404, error("ORDER_NOT_EXIST"), true),
            (200, order("NOTPAY"), true),
            (200, order("PAYERROR"), true),
            (200, order("USERPAYING"), false),
            (200, paid_order("SUCCESS"), false),
            (404, error("NOT_FOUND"), false),
            (500, error("SYSTEM_ERROR"), false),
        ] {
            let scene = shop().await;
            scene.says("POST", PAY, status, &error(code)).await;
            scene.says("GET", &order_path(), query, &body).await;
            let outcome = pay(&scene).await;
            let is_refused = matches!(&outcome, Ok(Outcome::Refused(refusal)) if refusal.hint == hint);
            assert_eq!(is_refused, refused, "{code} {body}: {outcome:?}");
        }
    }
    // One that only says that the number is in use is never a refusal while the order may be paid.
    let scene = shop().await;
    scene.says("POST", PAY, 400, &error("INVALID_REQUEST")).await;
    scene.says("GET", &order_path(), 200, &order("NOTPAY")).await;
    assert_eq!(pay(&scene).await, Ok(Outcome::Pending));
}

#[tokio::test]
async fn an_order_is_asked_for_by_both_numbers_of_its_merchants() {
    let scene = shop().await;
    scene.says_once("GET", &order_path(), 200, &paid_order("SUCCESS")).await;
    scene.says_once("GET", &order_path(), 200, &paid_order("REFUND")).await;
    scene
        .says_once("GET", &order_path(), 404, &error("ORDER_NOT_EXIST"))
        .await;
    scene.says("GET", &order_path(), 200, &order("REVOKED")).await;
    let paid = Ok(Standing::Paid(the_payment()));
    assert_eq!(scene.channel.query_payment(&by_code()).await, paid);
    assert_eq!(scene.channel.query_payment(&by_code()).await, paid);
    assert_eq!(scene.channel.query_payment(&by_code()).await, Ok(Standing::Absent));
    let standing = scene.channel.query_payment(&by_code()).await.unwrap();
    assert!(matches!(standing, Standing::NotPaid(_)), "{standing:?}");
    let query = format!("sp_mchid={MCH}&sub_mchid={SHOP}");
    assert_eq!(scene.asked(&order_path()).await[0].url.query(), Some(&*query));
    assert_eq!(scene.verified().await, 4);
}

#[tokio::test]
async fn a_reversal_is_repeated_until_the_order_is_undone() {
    let scene = shop().await;
    scene.clock.advance(45);
    scene.says_once("GET", &order_path(), 200, &order("USERPAYING")).await;
    scene.says_once("GET", &order_path(), 200, &order("USERPAYING")).await;
    scene.says("GET", &order_path(), 200, &order("REVOKED")).await;
    scene
        .says_once("POST", &reverse_path(), 500, &error("SYSTEM_ERROR"))
        .await;
    let settled = json!({"sp_appid": APPID, "sp_mchid": MCH, "sub_mchid": SHOP, "out_trade_no": ORDER});
    scene.says("POST", &reverse_path(), 200, &settled).await;
    assert_eq!(scene.channel.reverse(&code_reversal()).await, Ok(Outcome::Pending));
    assert_eq!(
        scene.channel.reverse(&code_reversal()).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    let sent = scene.asked(&reverse_path()).await;
    let body: Value = serde_json::from_slice(&sent[0].body).unwrap();
    assert_eq!(body, json!({"sp_appid": APPID, "sp_mchid": MCH, "sub_mchid": SHOP}));
    assert_eq!(scene.verified().await, 5);

    let paid = shop().await;
    paid.clock.advance(45);
    paid.says_once("GET", &order_path(), 200, &paid_order("SUCCESS")).await;
    paid.says("GET", &order_path(), 200, &order("REVOKED")).await;
    paid.says("POST", &reverse_path(), 200, &settled).await;
    let outcome = paid.channel.reverse(&code_reversal()).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Done(Reversed::MoneyBack { paid: Some(paid), .. }) if *paid == the_payment()),
        "{outcome:?}"
    );
}
