//! What was pending when the simulator stopped is decided after it starts again.

use std::path::PathBuf;
use std::time::Duration;

use metropay_simulator::{Gateway, Settings, Simulator};
use serde_json::json;

use super::merchant::{Merchant, TOKEN, quick};
use super::verifier::{Fields, scan};

fn settings(folder: PathBuf, settle_ms: u64) -> Settings {
    Settings {
        data_dir: Some(folder),
        settle_ms,
        ..quick()
    }
}

#[test]
fn a_payment_that_was_pending_is_paid_once_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    // A runtime that is shut down takes every timer and connection with it, as the end of a process does.
    let first = tokio::runtime::Runtime::new().unwrap();
    let (mer_id, query, order_id) = first.block_on(async {
        let sim = Simulator::start(settings(path.clone(), 1_500)).await.unwrap();
        let shop = Merchant::at(sim, json!({"tokens": [TOKEN]})).await;
        let order = shop.consumption(700);
        assert_eq!(shop.send(&order).await["respCode"], "00");
        assert_eq!(shop.query(&order).await["origRespCode"], "05");
        let mut query = shop.message("00", "00", "000000");
        query.insert("orderId".to_owned(), order["orderId"].clone());
        query.insert("txnTime".to_owned(), order["txnTime"].clone());
        (shop.mer_id.clone(), shop.sign(query), order["orderId"].clone())
    });
    first.shutdown_background();

    let second = tokio::runtime::Runtime::new().unwrap();
    second.block_on(async {
        let sim = Simulator::start(settings(path, 20)).await.unwrap();
        assert!(sim.frame().books().is_empty());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while sim.frame().books().is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let books = sim.frame().books();
        assert_eq!(books.len(), 1, "paid once, after the restart");
        assert_eq!((&books[0].order_no, books[0].amount_fen), (&order_id, 700));
        // The hierarchy and the account are the same as before: the old certificate still signs in.
        let known = sim
            .frame()
            .open_account(Gateway::Unionpay, &json!({"mer_id": mer_id}))
            .unwrap();
        assert!(known["private_key_pem"].is_string());
        assert_eq!(ask(&sim, &query).await["origRespCode"], "00");
    });
}

#[test]
fn codes_questions_and_tokens_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let first = tokio::runtime::Runtime::new().unwrap();
    let (asked, unused, mer_id) = first.block_on(async {
        let sim = Simulator::start(settings(path.clone(), 20)).await.unwrap();
        let shop = Merchant::at(sim, json!({"tokens": [TOKEN]})).await;
        let asked = shown(&shop, "1").await;
        let mut order = shop.message("01", "06", "000000");
        for (name, value) in [
            ("txnAmt", "700"),
            ("currencyCode", "156"),
            ("qrNo", &asked),
            ("backUrl", &shop.back_url),
        ] {
            order.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(shop.send(&order).await["respCode"], "05");
        assert_eq!(shop.form("sim/encryption/renew", &[]).await.0, 200);
        (asked, shown(&shop, "0").await, shop.mer_id.clone())
    });
    first.shutdown_background();

    let second = tokio::runtime::Runtime::new().unwrap();
    second.block_on(async {
        let sim = Simulator::start(settings(path, 20)).await.unwrap();
        let shop = Merchant::at(sim, json!({"mer_id": mer_id})).await;
        assert_eq!(
            shop.form("phone/password", &[("code", &asked), ("agree", "1")]).await.0,
            204
        );
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while shop.books().is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(shop.books()[0].amount_fen, 700);
        let mut order = shop.message("01", "06", "000000");
        // The new merchant counts from the beginning, perhaps within the same second.
        order.insert("orderId".to_owned(), "MCPAFTERRESTART".to_owned());
        for (name, value) in [
            ("txnAmt", "1"),
            ("currencyCode", "156"),
            ("qrNo", &unused),
            ("backUrl", &shop.back_url),
        ] {
            order.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(shop.send(&order).await["respCode"], "00");
        shop.pay(5).await;
    });
}

#[test]
fn a_question_whose_time_ran_out_meanwhile_is_decided_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let first = tokio::runtime::Runtime::new().unwrap();
    let (order, mer_id) = first.block_on(async {
        let sim = Simulator::start(settings(path.clone(), 20)).await.unwrap();
        let shop = Merchant::at(sim, json!({"password_wait_s": 1})).await;
        let mut order = shop.message("01", "06", "000000");
        let code = shown(&shop, "1").await;
        for (name, value) in [
            ("txnAmt", "700"),
            ("currencyCode", "156"),
            ("qrNo", &code),
            ("backUrl", &shop.back_url),
        ] {
            order.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(shop.send(&order).await["respCode"], "05");
        (order, shop.mer_id.clone())
    });
    first.shutdown_background();
    std::thread::sleep(Duration::from_secs(1));
    let second = tokio::runtime::Runtime::new().unwrap();
    second.block_on(async {
        let sim = Simulator::start(settings(path, 20)).await.unwrap();
        let shop = Merchant::at(sim, json!({"mer_id": mer_id})).await;
        assert_eq!(shop.decided(&order).await["origRespCode"], "69");
        assert!(shop.books().is_empty());
    });
}

async fn shown(shop: &Merchant, needs_password: &str) -> String {
    let wishes = [("user", "小王"), ("needs_password", needs_password)];
    let (_, told) = shop.form("phone/code", &wishes).await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    told["code"].as_str().unwrap().to_owned()
}

async fn ask(sim: &Simulator, query: &Fields) -> Fields {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/unionpay/gateway/api/queryTrans.do", sim.url()));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    scan(&request.body(body).send().await.unwrap().text().await.unwrap())
}
