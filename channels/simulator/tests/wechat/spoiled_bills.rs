//! Bills that the fault script spoils.

use metropay_simulator::{Effect, Fault, Gateway};
use sha1::{Digest, Sha1};

use super::business_day::{Bill, Day};
use super::merchant::fault;

#[tokio::test]
async fn the_fault_script_spoils_bills() {
    let day = Day::direct().await;
    let asked = [("bill_date", "20250301")];
    fault(&day.simulator, "downloadbill", Effect::BillNotReady);
    assert_eq!(day.refusal(&asked).await, "Bill Creating");
    fault(&day.simulator, "downloadbill", Effect::BillEmpty);
    assert_eq!(day.refusal(&asked).await, "No Bill Exist");
    fault(&day.simulator, "downloadbill", Effect::BillTruncated);
    let cut = day.fetch(&asked).await;
    let whole = day.fetch(&asked).await;
    assert!(whole.starts_with(&cut) && !cut.ends_with(b"\n") && cut.len() > whole.len() / 2);
    fault(&day.simulator, "downloadbill", Effect::SystemErrorBefore);
    assert_eq!(day.refusal(&asked).await, "SYSTEMERROR");
    assert_eq!(day.bill().await.rows.len(), 5, "nothing of it stays");
}

#[tokio::test]
async fn the_fault_script_spoils_rows() {
    let day = Day::direct().await;
    let told = || "PAP1".to_owned();
    fault(&day.simulator, "downloadbill", Effect::BillDoubled);
    let doubled = day.bill().await;
    assert_eq!(
        (doubled.rows.len(), doubled.sums[0].as_str(), &doubled.rows[0]),
        (10, "10", &doubled.rows[1])
    );
    fault(
        &day.simulator,
        "downloadbill",
        Effect::BillRowMissing { order_no: told() },
    );
    let missing = day.bill().await;
    assert_eq!((missing.rows.len(), missing.sums[1].as_str()), (4, "10.00"));
    assert_eq!(missing.column("商户退款单号")[0], "REF1");
    let (order_no, fen) = ("GHOST".to_owned(), 777);
    fault(&day.simulator, "downloadbill", Effect::BillRowExtra { order_no, fen });
    let extra = day.bill().await;
    assert_eq!(
        (
            extra.column("商户订单号")[5],
            extra.column("订单金额")[5],
            extra.sums[0].as_str()
        ),
        ("GHOST", "7.77", "6")
    );
    fault(
        &day.simulator,
        "downloadbill",
        Effect::BillRowAmount {
            order_no: "REF1".into(),
            fen: 301,
        },
    );
    assert_eq!(day.bill().await.column("申请退款金额")[1], "3.01");
    fault(
        &day.simulator,
        "downloadbill",
        Effect::BillRowFee {
            order_no: told(),
            fen: 9,
        },
    );
    assert_eq!(day.bill().await.column("手续费")[0], "0.09000");
    fault(
        &day.simulator,
        "downloadbill",
        Effect::BillRowState { order_no: told() },
    );
    assert_eq!(day.bill().await.column("交易状态")[0], "REVOKED");
    fault(
        &day.simulator,
        "downloadbill",
        Effect::BillRowState {
            order_no: "REF1".into(),
        },
    );
    assert_eq!(day.bill().await.column("退款状态")[1], "FAIL");
    assert_eq!(day.bill().await.rows.len(), 5, "nothing of it stays");
}

#[tokio::test]
async fn the_fault_script_spoils_bills_of_apiv3_and_other_calls_do_not_take_its_lines() {
    let day = Day::direct().await;
    let line = Fault {
        id: 0,
        gateway: Some(Gateway::Wechat),
        operation: None,
        order_no: None,
        times: 1,
        effect: Effect::BillTruncated,
    };
    day.simulator.frame().faults.add(line);
    let query = format!("/v3/pay/transactions/out-trade-no/PAP100?{}", day.client.query());
    day.client.get(&day.simulator, &query).await;
    let link = async || {
        day.client
            .get(&day.simulator, "/v3/bill/tradebill?bill_date=2025-03-01")
            .await
    };
    let told = link().await.json();
    let target = told["download_url"]
        .as_str()
        .unwrap()
        .strip_prefix(&day.client.base)
        .unwrap();
    let cut = day.client.get(&day.simulator, target).await.body;
    assert_ne!(
        told["hash_value"],
        hex::encode(Sha1::digest(&cut)),
        "the hash is the whole file's"
    );
    assert!(!cut.ends_with(b"\n"));
    fault(&day.simulator, "tradebill", Effect::BillNotReady);
    assert_eq!(link().await.refusal(), (400, "STATEMENT_CREATING".to_owned()));
    fault(&day.simulator, "tradebill", Effect::BillEmpty);
    assert_eq!(link().await.refusal(), (400, "NO_STATEMENT_EXIST".to_owned()));
    fault(
        &day.simulator,
        "tradebill",
        Effect::BillRowMissing {
            order_no: "PAP1".into(),
        },
    );
    let told = link().await.json();
    let target = told["download_url"]
        .as_str()
        .unwrap()
        .strip_prefix(&day.client.base)
        .unwrap();
    let file = day.client.get(&day.simulator, target).await.body;
    assert_eq!(told["hash_value"], hex::encode(Sha1::digest(&file)));
    assert_eq!(Bill::read(&file).rows.len(), 4);
}
