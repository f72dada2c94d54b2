//! Opening accounts, and the control interface that everything can be done with from outside.

use metropay_simulator::{Gateway, Simulator};
use serde_json::{Value, json};

use super::merchant::{Merchant, quick};

#[tokio::test]
async fn an_account_gets_everything_that_a_merchant_needs_and_keeps_it() {
    let sim = Simulator::start(quick()).await.unwrap();
    let open = |wishes: Value| sim.frame().open_account(Gateway::Unionpay, &wishes);
    let first = open(json!({"shop_name": "人民广场站"})).unwrap();
    assert_eq!(first["mer_id"].as_str().unwrap().len(), 15);
    assert_eq!(
        (&first["tr_id"], &first["token_type"]),
        (&json!("62000000001"), &json!("01"))
    );
    assert_eq!(first["base_url"], format!("{}/unionpay", sim.url()));
    for name in ["cert_pem", "root_cert_pem", "middle_cert_pem", "encrypt_cert_pem"] {
        assert!(
            first[name].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"),
            "{name}"
        );
    }
    assert!(
        first["private_key_pem"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
    assert_eq!(
        open(json!({"mer_id": first["mer_id"], "discount_fen": 5})).unwrap(),
        first
    );
    assert_ne!(open(json!({})).unwrap()["mer_id"], first["mer_id"]);
}

#[tokio::test]
async fn a_wish_that_nobody_knows_is_refused() {
    let sim = Simulator::start(quick()).await.unwrap();
    let wishes = [
        json!({"discont_fen": 5}),
        json!({"signer": "nobody"}),
        json!({"mer_id": "short"}),
        json!({"cert_pem": "no certificate"}),
        json!({"clearing_cut": "25:00"}),
        json!("no object"),
    ];
    for wish in wishes {
        assert!(sim.frame().open_account(Gateway::Unionpay, &wish).is_err(), "{wish}");
    }
}

#[tokio::test]
async fn the_clearing_day_can_be_cut_elsewhere() {
    let shop = Merchant::new().await;
    let cut = shop.frame().clock.now() + chrono::TimeDelta::minutes(10);
    shop.change(json!({"clearing_cut": cut.format("%H:%M").to_string()}));
    let (_, paid) = shop.pay(100).await;
    shop.frame().clock.set_offset_ms(11 * 60 * 1_000);
    assert_eq!(
        shop.send(&shop.giving_back("31", &paid["queryId"], 100)).await["respCode"],
        "39"
    );
    let (_, later) = shop.pay(100).await;
    assert_ne!(later["settleDate"], paid["settleDate"]);
}

#[tokio::test]
async fn accounts_and_faults_can_be_had_over_the_control_interface() {
    let shop = Merchant::new().await;
    let control = |path: &str| shop.http.post(format!("{}/control/{path}", shop.sim.url()));
    let wishes = json!({"mer_id": shop.mer_id, "discount_fen": 30});
    let opened = control("accounts/unionpay")
        .header("content-type", "application/json")
        .body(wishes.to_string());
    assert_eq!(opened.send().await.unwrap().status(), 200);
    let line = json!({"gateway": "unionpay", "operation": "01", "effect": "refuse", "code": "38"});
    let added = control("faults")
        .header("content-type", "application/json")
        .body(line.to_string());
    assert_eq!(added.send().await.unwrap().status(), 200);
    assert_eq!(
        shop.send(&shop.consumption(100)).await["respMsg"],
        "银联风险受限[6138001]"
    );
    let (_, paid) = shop.pay(100).await;
    assert!(paid.contains_key("reserved"));
}
