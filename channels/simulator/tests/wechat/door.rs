//! What does not get in.

use serde_json::json;

use super::merchant::{Merchant, deduction, fault, now_s, simulator};
use super::receiver::Receiver;
use super::wire::{Message, from_xml, to_xml};
use metropay_simulator::Effect;

const URL: &str = "http://127.0.0.1:9/notify";

async fn denied(merchant: &Merchant, path: &str, body: &str) -> String {
    let answer = from_xml(&merchant.send(path, body.to_owned()).await, "xml");
    assert_eq!(answer["return_code"], "FAIL", "{answer:?}");
    assert_eq!(
        answer.len(),
        2,
        "an unprocessed request gets a code, a text and no signature: {answer:?}"
    );
    answer["return_msg"].clone()
}

/// Sends a request with fields changed and signed anew; `None` removes.
async fn changed(merchant: &Merchant, path: &str, request: &Message, changes: &[(&str, Option<&str>)]) -> Message {
    let mut request = request.clone();
    for (name, value) in changes {
        match value {
            Some(value) => request.insert((*name).to_owned(), (*value).to_owned()),
            None => request.remove(*name),
        };
    }
    merchant.resign(&mut request);
    from_xml(&merchant.send(path, to_xml(&request)).await, "xml")
}

#[tokio::test]
async fn what_is_no_flat_utf8_xml_by_post_is_not_processed() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let path = "/pay/pappayapply";
    assert_eq!(denied(&merchant, path, "").await, "POST_DATA_EMPTY");
    assert_eq!(denied(&merchant, path, "{\"appid\":1}").await, "XML_FORMAT_ERROR");
    let dtd = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><appid>&e;</appid></xml>";
    assert_eq!(denied(&merchant, path, dtd).await, "XML_FORMAT_ERROR");
    assert_eq!(denied(&merchant, path, "<xml><body>😀</body></xml>").await, "NOT_UTF8");
    assert_eq!(
        denied(&merchant, path, "<xml><body>&#x1F600;</body></xml>").await,
        "NOT_UTF8"
    );
    let got = merchant
        .http
        .get(format!("{}{path}", merchant.base))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(from_xml(&got, "xml")["return_msg"], "REQUIRE_POST_METHOD");
    assert_eq!(
        denied(&merchant, "/pay/nonsense", "<xml></xml>").await,
        "请求的URL不存在"
    );
}

#[tokio::test]
async fn accounts_keys_and_signatures_must_fit() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let stranger = Merchant::direct(&simulator);
    let path = "/pay/pappayapply";
    let request = merchant.signed(path, &deduction("1", "ORDER1", "100", URL));
    let text = async |changes: &[(&str, Option<&str>)]| {
        let answer = changed(&merchant, path, &request, changes).await;
        assert_eq!(
            (answer["return_code"].as_str(), answer.len()),
            ("FAIL", 2),
            "{answer:?}"
        );
        answer["return_msg"].clone()
    };
    assert_eq!(
        text(&[("appid", Some(&stranger.appid))]).await,
        "appid and mch_id not match"
    );
    assert_eq!(
        text(&[("mch_id", Some("1999999999"))]).await,
        "appid and mch_id not match"
    );
    assert_eq!(text(&[("mch_id", Some("x"))]).await, "mch_id参数格式错误");
    assert_eq!(text(&[("mch_id", None)]).await, "缺少参数:mch_id");
    assert_eq!(text(&[("nonce_str", None)]).await, "缺少参数:nonce_str");
    assert_eq!(text(&[("body", Some(""))]).await, "缺少参数:body");
    assert_eq!(text(&[("sign_type", Some("SHA1"))]).await, "签名错误");

    let mut unsigned = request.clone();
    unsigned.remove("sign");
    assert_eq!(denied(&merchant, path, &to_xml(&unsigned)).await, "缺少参数:sign");
    let mut forged = request.clone();
    forged.insert(
        "sign".into(),
        stranger.signed(path, &deduction("1", "ORDER1", "100", URL))["sign"].clone(),
    );
    assert_eq!(denied(&merchant, path, &to_xml(&forged)).await, "签名错误");
    let mut other_algorithm = request.clone();
    other_algorithm.insert("sign_type".into(), "HMAC-SHA256".into());
    assert_eq!(denied(&merchant, path, &to_xml(&other_algorithm)).await, "签名错误");
    let lower = request["sign"].to_lowercase();
    let mut lower_case = request.clone();
    lower_case.insert("sign".into(), lower);
    assert_eq!(denied(&merchant, path, &to_xml(&lower_case)).await, "签名错误");
}

#[tokio::test]
async fn fields_of_the_wrong_form_fail_with_a_signed_answer() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let path = "/pay/pappayapply";
    let request = merchant.signed(path, &deduction("1", "ORDER1", "100", URL));
    let long = "长".repeat(43);
    for (name, value) in [
        ("total_fee", "0"),
        ("total_fee", "1.00"),
        ("out_trade_no", "order@1"),
        ("out_trade_no", "123456789012345678901234567890123"),
        ("notify_url", "http://127.0.0.1:9/notify?token=1"),
        ("notify_url", "127.0.0.1:9/notify"),
        ("body", long.as_str()),
        ("attach", long.as_str()),
        ("spbill_create_ip", "2001:db8::1"),
        ("trade_type", "APP"),
        ("fee_type", "USD"),
        ("nonce_str", "123456789012345678901234567890123"),
    ] {
        let answer = changed(&merchant, path, &request, &[(name, Some(value))]).await;
        assert_eq!(
            (answer["return_code"].as_str(), answer["result_code"].as_str()),
            ("SUCCESS", "FAIL")
        );
        assert_eq!(answer["err_code"], "PARAM_ERROR", "{name}={value}");
        assert!(answer["err_code_des"].ends_with(name), "{answer:?}");
        merchant.assert_signed(&answer, merchant.algorithm);
    }
    let answer = changed(&merchant, path, &request, &[]).await;
    assert_eq!(
        answer["err_code"], "CONTRACT_NOT_EXIST",
        "the unchanged request passes the door"
    );
}

#[tokio::test]
async fn signing_calls_take_no_nonce_and_no_unknown_fields() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let now = now_s(&simulator);
    let path = "/papay/preentrustweb";
    let request = merchant.signed(path, &merchant.signing_fields("CODE1", URL, &now));
    for name in ["nonce_str", "contract_expired_time", "sub_mch_id"] {
        let answer = changed(&merchant, path, &request, &[(name, Some("1"))]).await;
        assert_eq!(answer["return_code"], "FAIL", "{name}");
        assert!(answer["return_msg"].starts_with("参数构造错误"), "{answer:?}");
    }
    let version = changed(&merchant, path, &request, &[("version", Some("2.0"))]).await;
    assert_eq!(version["err_code"], "PARAM_ERROR");
    let symbol = changed(
        &merchant,
        path,
        &request,
        &[("contract_display_account", Some("138 0001"))],
    )
    .await;
    assert_eq!(symbol["err_code"], "PARAM_ERROR");
    let plan = changed(&merchant, path, &request, &[("plan_id", Some("999"))]).await;
    assert_eq!(plan["err_code"], "PARAM_ERROR");
    assert_eq!(changed(&merchant, path, &request, &[]).await["result_code"], "SUCCESS");

    let path = "/papay/querycontract";
    let fields = [("contract_id", "1"), ("version", "1.0"), ("nonce_str", "1")];
    let query = merchant.signed(path, &fields);
    assert_eq!(
        changed(&merchant, path, &query, &[]).await["return_msg"],
        "参数构造错误:nonce_str"
    );
    let both = changed(&merchant, path, &query, &[("nonce_str", None), ("plan_id", Some("1"))]).await;
    assert_eq!(both["err_code"], "PARAM_ERROR", "one pair only");

    let path = "/papay/deletecontract";
    let fields = [
        ("contract_id", "1"),
        ("version", "1.0"),
        ("contract_termination_remark", "x"),
    ];
    let delete = merchant.signed(path, &fields);
    let answer = changed(&merchant, path, &delete, &[("sign_type", Some("HMAC-SHA256"))]).await;
    assert_eq!(answer["return_msg"], "签名错误", "deletecontract is MD5 only");
    let answer = changed(&merchant, path, &delete, &[("plan_id", Some("x"))]).await;
    assert_eq!(answer["err_code"], "PARAMETER FAIL");
}

#[tokio::test]
async fn paths_and_shops_must_belong_to_the_account() {
    let simulator = simulator().await;
    let direct = Merchant::direct(&simulator);
    let provider = Merchant::open(&simulator, &json!({"mode": "provider"}));
    let other = Merchant::open(&simulator, &json!({"mode": "provider"}));
    let fields = deduction("1", "ORDER1", "100", URL);
    let refused = direct.call("/pay/partner/pappayapply", &fields).await;
    assert_eq!(refused["err_code_des"], "商户号代扣产品权限校验失败");
    let refused = provider.call("/pay/pappayapply", &fields).await;
    assert_eq!(refused["err_code_des"], "商户号代扣产品权限校验失败");

    let path = "/pay/partner/pappayapply";
    let request = provider.signed(path, &fields);
    let missing = changed(&provider, path, &request, &[("sub_mch_id", None)]).await;
    assert_eq!(missing["return_msg"], "缺少参数:sub_mch_id");
    let foreign = changed(
        &provider,
        path,
        &request,
        &[("sub_mch_id", other.sub_mch_id.as_deref())],
    )
    .await;
    assert_eq!(foreign["err_code"], "PARAM_ERROR");
    assert!(foreign["err_code_des"].contains("sub_mch_id"), "{foreign:?}");
    let shared = direct.signed("/pay/orderquery", &[("out_trade_no", "ORDER1")]);
    let answer = changed(&direct, "/pay/orderquery", &shared, &[("sub_mch_id", Some("1"))]).await;
    assert_eq!(answer["err_code"], "PARAM_ERROR");
}

#[tokio::test]
async fn a_second_shop_of_a_provider_shares_contracts_and_order_numbers_but_sees_no_orders() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let first = Merchant::open(&simulator, &json!({"mode": "provider"}));
    let second = Merchant::open(&simulator, &json!({"provider": first.mch_id, "shop_name": "二店"}));
    assert_eq!((&first.mch_id, &first.plan_id), (&second.mch_id, &second.plan_id));
    assert_ne!(first.sub_mch_id, second.sub_mch_id);
    let contract = first.contract(&simulator, &receiver, "CODE1", "小明").await;
    first.paid(&receiver, &contract, "ORDER1", 100).await;
    assert_eq!(second.query("ORDER1").await["err_code"], "ORDERNOTEXIST");
    let taken = second.apply(&receiver, &contract, "ORDER1", 100).await;
    assert_eq!(
        taken["err_code"], "INVALID_REQUEST",
        "another shop's request is another request"
    );
    second.paid(&receiver, &contract, "ORDER2", 100).await;
}

#[tokio::test]
async fn after_a_reset_the_old_key_lives_for_fifteen_days() {
    let simulator = simulator().await;
    let old = Merchant::direct(&simulator);
    old.change(&simulator, json!({"api_key": "abcdefghijabcdefghijabcdefghij12"}));
    let new = Merchant {
        api_key: "abcdefghijabcdefghijabcdefghij12".into(),
        ..old.clone()
    };
    for merchant in [&old, &new] {
        assert_eq!(merchant.query("ORDER1").await["err_code"], "ORDERNOTEXIST");
    }
    simulator.frame().clock.set_offset_ms(15 * 86_400_000);
    assert_eq!(new.query("ORDER1").await["err_code"], "ORDERNOTEXIST");
    let request = old.signed("/pay/orderquery", &[("out_trade_no", "ORDER1")]);
    assert_eq!(denied(&old, "/pay/orderquery", &to_xml(&request)).await, "签名错误");
}

#[tokio::test]
async fn secapi_needs_a_certificate_where_the_account_says_so() {
    let simulator = simulator().await;
    let merchant = Merchant::open(&simulator, &json!({"mode": "direct", "needs_certificate": true}));
    let fields = [
        ("out_trade_no", "A"),
        ("out_refund_no", "B"),
        ("total_fee", "1"),
        ("refund_fee", "1"),
    ];
    let request = merchant.signed("/secapi/pay/refund", &fields);
    assert!(
        denied(&merchant, "/secapi/pay/refund", &to_xml(&request))
            .await
            .starts_with("证书")
    );
    merchant.change(&simulator, json!({"needs_certificate": false}));
    assert_eq!(
        merchant.call("/secapi/pay/refund", &fields).await["err_code"],
        "ORDERNOTEXIST"
    );
}

#[tokio::test]
async fn every_fourth_answer_or_so_has_a_field_that_nobody_knows() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let mut strange = 0;
    for n in 0..64 {
        let request = merchant.signed("/pay/orderquery", &[("out_trade_no", &format!("ORDER{n}"))]);
        let first = from_xml(&merchant.send("/pay/orderquery", to_xml(&request)).await, "xml");
        let again = from_xml(&merchant.send("/pay/orderquery", to_xml(&request)).await, "xml");
        merchant.assert_signed(&first, merchant.algorithm);
        assert_eq!(
            first.contains_key("future_field"),
            again.contains_key("future_field"),
            "the same each time"
        );
        strange += usize::from(first.contains_key("future_field"));
    }
    assert!((1..40).contains(&strange), "{strange} of 64");
}

#[tokio::test]
async fn a_fault_line_strikes_one_request() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    fault(&simulator, "orderquery", Effect::SystemErrorBefore);
    let answer = merchant.call("/pay/orderquery", &[("out_trade_no", "ORDER1")]).await;
    assert_eq!(answer["err_code"], "SYSTEMERROR");
    let answer = merchant.call("/pay/orderquery", &[("out_trade_no", "ORDER1")]).await;
    assert_eq!(answer["err_code"], "ORDERNOTEXIST");
}
