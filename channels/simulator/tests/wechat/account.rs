//! Opening accounts through the control interface.

use metropay_simulator::Simulator;
use serde_json::{Value, json};

use super::merchant::simulator;

/// Opens an account over HTTP: the status, and what is answered.
async fn open(simulator: &Simulator, spec: Value) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/control/accounts/wechat", simulator.url());
    let request = http
        .post(url)
        .header("content-type", "application/json")
        .body(spec.to_string());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap(),
    )
}

#[tokio::test]
async fn accounts_are_opened_and_changed_over_http() {
    let simulator = simulator().await;
    let open = async |spec: Value| open(&simulator, spec).await;
    let (status, account) = open(json!({"mode": "provider"})).await;
    assert_eq!(status, 200);
    assert_eq!(account["api_key"].as_str().unwrap().len(), 32);
    assert_eq!(account["base_url"], format!("{}/wechat", simulator.url()));
    assert!(account["appid"].as_str().unwrap().starts_with("wx"));
    for (name, begin) in [
        ("api_cert_pem", "-----BEGIN CERTIFICATE-----"),
        ("api_key_pem", "-----BEGIN PRIVATE KEY-----"),
        ("public_key_pem", "-----BEGIN PUBLIC KEY-----"),
        ("ca_pem", "-----BEGIN CERTIFICATE-----"),
        ("public_key_id", "PUB_KEY_ID_01"),
    ] {
        assert!(account[name].as_str().unwrap().starts_with(begin), "{name}");
    }
    for (name, length) in [("api_v3_key", 32), ("api_cert_serial", 40), ("app_secret", 32)] {
        assert_eq!(account[name].as_str().unwrap().len(), length, "{name}");
    }
    let mch_id = account["mch_id"].as_str().unwrap();

    let (_, same) = open(json!({"mch_id": mch_id, "daily_success_max": 9})).await;
    assert_eq!(
        (&same["api_key"], &same["plan_id"]),
        (&account["api_key"], &account["plan_id"])
    );
    assert_eq!(same.get("sub_mch_id"), None, "a change of terms opens no shop");
    for name in [
        "api_v3_key",
        "api_cert_pem",
        "api_key_pem",
        "public_key_id",
        "app_secret",
    ] {
        assert_eq!(same[name], account[name], "{name} stays");
    }
    let (_, shop) = open(json!({"provider": mch_id, "plan_id": "777", "shop_name": "二店"})).await;
    assert_eq!(
        (shop["mch_id"].as_str(), shop["plan_id"].as_str()),
        (Some(mch_id), Some("777"))
    );
    assert_ne!(shop["sub_mch_id"], account["sub_mch_id"]);
    let (_, direct) = open(json!({"mode": "direct"})).await;
    assert_eq!(direct.get("sub_mch_id"), None);
}

#[tokio::test]
async fn impossible_wishes_are_named() {
    let simulator = simulator().await;
    let open = async |spec: Value| open(&simulator, spec).await;
    let (_, provider) = open(json!({"mode": "provider"})).await;
    let (_, direct) = open(json!({"mode": "direct"})).await;
    let mch_id = &provider["mch_id"];
    for (spec, word) in [
        (json!({}), "mode"),
        (json!([]), "object"),
        (json!({"mode": "direct", "api_key": "short"}), "api_key"),
        (json!({"mode": "direct", "appid": "abc"}), "appid"),
        (json!({"mode": "direct", "api_v3_key": "short"}), "api_v3_key"),
        (
            json!({"mode": "direct", "api_cert_pem": "no certificate"}),
            "api_cert_pem",
        ),
        (json!({"mode": "direct", "public_key_id": "KEY"}), "public_key_id"),
        (json!({"mode": "direct", "fee_rate": 10_001}), "fee_rate"),
        (json!({"mode": "direct", "v3_mode": "none"}), "v3_mode"),
        (json!({"mode": "direct", "mch_id": "12x"}), "mch_id"),
        (json!({"mode": "direct", "dayly_max_fen": 1}), "dayly_max_fen"),
        (json!({"provider": "404"}), "provider"),
        (json!({"provider": direct["mch_id"]}), "provider"),
        (json!({"mch_id": mch_id, "mode": "direct"}), "mode"),
    ] {
        let (status, refused) = open(spec.clone()).await;
        assert_eq!(status, 400, "{spec}");
        assert!(refused["error"].as_str().unwrap().contains(word), "{spec}: {refused}");
    }
}
