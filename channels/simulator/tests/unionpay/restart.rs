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

async fn ask(sim: &Simulator, query: &Fields) -> Fields {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/unionpay/gateway/api/queryTrans.do", sim.url()));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    scan(&request.body(body).send().await.unwrap().text().await.unwrap())
}
