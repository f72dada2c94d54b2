//! Who is let in by APIv3, and whose signature the answers bear.

use metropay_simulator::{Effect, Simulator};
use serde_json::{Value, json};

use super::merchant::{fault, simulator};
use super::v3_client::{Answer, Client};

async fn shop(spec: Value) -> (Simulator, Client) {
    let simulator = simulator().await;
    let client = Client::open(&simulator, &spec);
    (simulator, client)
}

async fn ask(client: &Client, simulator: &Simulator) -> Answer {
    let target = format!("/v3/pay/transactions/out-trade-no/NOTHING1?{}", client.query());
    client.get(simulator, &target).await
}

#[tokio::test]
async fn certificates_bootstrap_a_client_and_rotate_under_it() {
    let (simulator, client) = shop(json!({"mode": "direct"})).await;
    let first = client.certificates(&simulator).await;
    assert_eq!((first.len(), first[0].0.len()), (1, 40));
    let answer = ask(&client, &simulator).await;
    assert_eq!(answer.refusal(), (404, "ORDER_NOT_EXIST".to_owned()));
    assert_eq!(answer.headers["wechatpay-serial"], first[0].0);
    assert!(answer.is_signed_by(&first[0].1), "errors are signed too");
    assert!(answer.headers["request-id"].ends_with("-268512771"));

    let rotate = client
        .http
        .post(format!("{}/desk/rotate", client.base))
        .body("overlap_s=3600");
    let rotated: Value = serde_json::from_str(&rotate.send().await.unwrap().text().await.unwrap()).unwrap();
    let both = client.certificates(&simulator).await;
    assert_eq!(
        both.iter().map(|(serial, _)| serial).collect::<Vec<_>>(),
        [&first[0].0, rotated["serial_no"].as_str().unwrap()]
    );
    let answer = ask(&client, &simulator).await;
    assert_eq!(answer.headers["wechatpay-serial"], both[1].0);
    assert!(answer.is_signed_by(&both[1].1) && !answer.is_signed_by(&both[0].1));
    simulator.frame().clock.set_offset_ms(3_600_000);
    assert_eq!(client.certificates(&simulator).await.len(), 1);
}

#[tokio::test]
async fn the_request_s_serial_decides_between_certificate_and_public_key() {
    let (simulator, mut client) = shop(json!({"mode": "direct"})).await;
    let platform = client.certificates(&simulator).await.remove(0);
    let public_key_id = client.text("public_key_id").to_owned();
    client.serial = Some(public_key_id.clone());
    let answer = ask(&client, &simulator).await;
    assert_eq!(answer.headers["wechatpay-serial"], public_key_id);
    assert!(answer.is_signed_by(&client.public_key()) && !answer.is_signed_by(&platform.1));
    client.serial = Some(platform.0.clone());
    assert!(ask(&client, &simulator).await.is_signed_by(&platform.1));

    let newer = Client::open(&simulator, &json!({"mode": "direct", "v3_mode": "public_key"}));
    assert_eq!(newer.certificates(&simulator).await.len(), 0);
    assert!(
        ask(&newer, &simulator).await.is_signed_by(&platform.1),
        "who forgets the header gets the certificate"
    );
    let mut older = Client::open(&simulator, &json!({"mode": "direct", "v3_mode": "certificate"}));
    older.serial = Some(older.text("public_key_id").to_owned());
    assert!(ask(&older, &simulator).await.is_signed_by(&platform.1));
}

#[tokio::test]
async fn a_path_may_be_signed_with_and_without_the_gateway_s_own_prefix() {
    let (simulator, mut client) = shop(json!({"mode": "direct"})).await;
    assert_eq!(ask(&client, &simulator).await.status, 404);
    client.signed_prefix = "/wechat";
    assert_eq!(ask(&client, &simulator).await.status, 404);
    client.signed_prefix = "/other";
    let refused = ask(&client, &simulator).await;
    assert_eq!(refused.refusal(), (401, "SIGN_ERROR".to_owned()));
    let detail = &refused.json()["detail"];
    assert_eq!(
        (detail["field"].as_str(), detail["location"].as_str()),
        (Some("signature"), Some("authorization"))
    );
    let information = &detail["sign_information"];
    assert_eq!(information["method"], "GET");
    assert!(
        information["truncated_sign_message"]
            .as_str()
            .unwrap()
            .starts_with("GET\n/v3/pay/transactions/out-trade-no/NOTHING1?mchid=")
    );
    assert!(information["sign_message_length"].as_u64().unwrap() > 80);
}

#[tokio::test]
async fn forged_stale_and_strange_requests_stay_outside() {
    let (simulator, client) = shop(json!({"mode": "direct"})).await;
    let target = format!("/v3/pay/transactions/out-trade-no/NOTHING1?{}", client.query());
    let now_s = simulator.frame().clock.now_ms() / 1_000;
    let good = |at_s: i64| client.authorization("GET", &target, "", at_s, "NONCE1");
    let other = Client::open(&simulator, &json!({"mode": "direct"}));
    let serial = client.text("api_cert_serial").to_owned();
    let foreign = other.authorization("GET", &target, "", now_s, "NONCE1");
    let sent = async |authorization: &str| {
        let answer = client
            .send_as("GET", &target, "", &[("authorization", authorization)])
            .await;
        (
            answer.refusal(),
            answer.json()["detail"]["field"].as_str().map(str::to_owned),
        )
    };
    for (authorization, field) in [
        (String::new(), "authorization"),
        (good(now_s).replace("WECHATPAY2", "WECHATPAY"), "authorization"),
        (good(now_s).replace(client.text("mch_id"), "1999999999"), "mchid"),
        (
            good(now_s).replace(&serial, &serial.replace('A', "B").replace('1', "2")),
            "serial_no",
        ),
        (
            foreign.replace(other.text("mch_id"), client.text("mch_id")),
            "serial_no",
        ),
        (
            foreign
                .replace(other.text("mch_id"), client.text("mch_id"))
                .replace(other.text("api_cert_serial"), &serial),
            "signature",
        ),
        (good(now_s - 302), "timestamp"),
        (good(now_s + 302), "timestamp"),
        (good(now_s).replace("NONCE1", "NONCE2"), "signature"),
    ] {
        let (refusal, told) = sent(&authorization).await;
        assert_eq!(
            (refusal, told.as_deref()),
            ((401, "SIGN_ERROR".to_owned()), Some(field)),
            "{authorization}"
        );
    }
    for at_s in [now_s - 290, now_s, now_s + 290] {
        assert_eq!(sent(&good(at_s)).await.0, (404, "ORDER_NOT_EXIST".to_owned()));
    }
    simulator
        .frame()
        .open_account(
            metropay_simulator::Gateway::Wechat,
            &json!({"mch_id": client.text("mch_id"), "v3_nonce_once": true}),
        )
        .unwrap();
    assert_eq!(sent(&good(now_s)).await.0.0, 404);
    assert_eq!(
        sent(&good(now_s)).await.0.0,
        401,
        "where the account says so, a nonce is good once"
    );
}

#[tokio::test]
async fn headers_methods_and_bodies_have_their_form() {
    let (simulator, client) = shop(json!({"mode": "direct"})).await;
    let target = "/v3/refund/domestic/refunds";
    let body =
        json!({"out_trade_no": "A", "out_refund_no": "R", "amount": {"refund": 1, "total": 1, "currency": "CNY"}});
    let now_s = simulator.frame().clock.now_ms() / 1_000;
    let with = async |method: &str, body: &str, headers: &[(&str, &str)]| {
        let authorization = client.authorization(method, target, body, now_s, "N");
        let all = [&[("authorization", authorization.as_str())], headers].concat();
        client.send_as(method, target, body, &all).await
    };
    let text = body.to_string();
    assert_eq!(
        with("POST", &text, &[]).await.refusal(),
        (404, "RESOURCE_NOT_EXISTS".to_owned())
    );
    assert_eq!(with("POST", &text, &[("accept", "text/html")]).await.status, 406);
    assert_eq!(with("POST", &text, &[("content-type", "text/xml")]).await.status, 415);
    assert_eq!(with("PUT", &text, &[]).await.status, 405);
    assert_eq!(
        with("POST", &text, &[("user-agent", "")]).await.refusal(),
        (400, "PARAM_ERROR".to_owned())
    );
    assert_eq!(with("POST", "{", &[]).await.refusal(), (400, "PARAM_ERROR".to_owned()));
    for (change, field) in [
        (json!({"reason": null}), "/reason"),
        (json!({"unknown": 1}), "/unknown"),
        (json!({"out_refund_no": "号"}), "/out_refund_no"),
        (json!({"notify_url": "https://a.test/x?y=1"}), "/notify_url"),
        (
            json!({"amount": {"refund": "1", "total": 1, "currency": "CNY"}}),
            "/amount/refund",
        ),
        (json!({"amount": {"refund": 1, "total": 1}}), "/amount/currency"),
        (json!({"sub_mchid": "1"}), "/sub_mchid"),
    ] {
        let mut wrong = body.clone();
        wrong
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = client.post(&simulator, target, &wrong).await;
        assert_eq!(answer.refusal(), (400, "PARAM_ERROR".to_owned()), "{wrong}");
        let detail = &answer.json()["detail"];
        assert_eq!(
            (detail["field"].as_str(), detail["location"].as_str()),
            (Some(field), Some("body")),
            "{wrong}"
        );
    }
    let unknown = client.get(&simulator, "/v3/nothing/here").await;
    assert_eq!(unknown.refusal(), (404, "NOT_FOUND".to_owned()));
    let platform = client.certificates(&simulator).await.remove(0);
    assert!(unknown.is_signed_by(&platform.1));
}

#[tokio::test]
async fn the_numbers_within_must_be_the_caller_s() {
    let simulator = simulator().await;
    let direct = Client::open(&simulator, &json!({"mode": "direct"}));
    let provider = Client::open(&simulator, &json!({"mode": "provider"}));
    let asked = async |client: &Client, target: &str| client.get(&simulator, target).await.refusal();
    let no_auth = (403, "NO_AUTH".to_owned());
    let wrong = (400, "PARAM_ERROR".to_owned());
    assert_eq!(
        asked(&direct, "/v3/pay/transactions/out-trade-no/ORDER1?mchid=1").await,
        wrong
    );
    assert_eq!(asked(&direct, "/v3/pay/transactions/out-trade-no/ORDER1").await, wrong);
    assert_eq!(
        asked(&direct, "/v3/pay/partner/transactions/out-trade-no/ORDER1?mchid=1").await,
        no_auth
    );
    assert_eq!(
        asked(&provider, "/v3/pay/transactions/out-trade-no/ORDER1?mchid=1").await,
        no_auth
    );
    let strange = format!(
        "/v3/pay/partner/transactions/out-trade-no/ORDER1?sp_mchid={}&sub_mchid=1",
        provider.text("mch_id")
    );
    assert_eq!(asked(&provider, &strange).await, no_auth);
    let mut payment = direct.payment("ORDER1", "134567890123456789", 100);
    payment["appid"] = json!("wx0000000000000001");
    let answer = direct.post(&simulator, "/v3/pay/transactions/codepay", &payment).await;
    assert_eq!(answer.refusal(), (400, "APPID_MCHID_NOT_MATCH".to_owned()));
}

#[tokio::test]
async fn the_fault_script_strikes_apiv3_too() {
    let (simulator, client) = shop(json!({"mode": "direct"})).await;
    let platform = client.certificates(&simulator).await.remove(0);
    for _ in 0..8 {
        fault(&simulator, "orderquery", Effect::WrongSignature);
        let forged = ask(&client, &simulator).await;
        assert!(forged.headers.contains_key("wechatpay-signature") && !forged.is_signed_by(&platform.1));
    }
    fault(&simulator, "orderquery", Effect::NoSignature);
    assert!(
        !ask(&client, &simulator)
            .await
            .headers
            .contains_key("wechatpay-signature")
    );
    fault(&simulator, "orderquery", Effect::SystemErrorBefore);
    assert_eq!(
        ask(&client, &simulator).await.refusal(),
        (500, "SYSTEM_ERROR".to_owned())
    );
    for (code, status) in [
        ("RATELIMIT_EXCEEDED", 429),
        ("NOAUTH", 403),
        ("MCH_NOT_EXISTS", 404),
        ("ERROR", 500),
    ] {
        fault(&simulator, "orderquery", Effect::Refuse { code: code.into() });
        assert_eq!(ask(&client, &simulator).await.status, status, "{code}");
    }
    fault(&simulator, "orderquery", Effect::HttpErrorBefore { status: 502 });
    let html = ask(&client, &simulator).await;
    assert_eq!((html.status, html.json()), (502, Value::Null));
    fault(&simulator, "certificates", Effect::Garbage { body: "[]".into() });
    let garbage = client.get(&simulator, "/v3/certificates").await;
    assert_eq!((garbage.status, garbage.json()), (200, json!([])));
}
