//! What the gateway promises across a restart.

use metropay_simulator::{Effect, MovementKind, Settings};

use super::merchant::{Merchant, fault, moved, settings, simulator_with};
use super::receiver::{Receiver, until};

#[tokio::test]
async fn what_was_pending_at_a_stop_is_settled_once_after_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Settings {
        data_dir: Some(folder.path().to_owned()),
        ..settings()
    };
    let receiver = Receiver::start().await;
    let first = simulator_with(kept.clone()).await;
    let mut merchant = Merchant::direct(&first);
    let contract = merchant.contract(&first, &receiver, "CODE1", "小明").await;
    merchant.paid(&receiver, &contract, "DONE", 500).await;
    fault(&first, "pappayapply", Effect::Pending { ms: 1_500 });
    assert_eq!(
        merchant.apply(&receiver, &contract, "OPEN", 700).await["result_code"],
        "SUCCESS"
    );
    fault(&first, "refund", Effect::Pending { ms: 1_500 });
    let filed = merchant.refund(&receiver, ("DONE", 500), "BACK", 200).await;
    assert_eq!(filed["result_code"], "SUCCESS", "{filed:?}");
    assert_eq!(moved(&first, MovementKind::Debit, "OPEN").len(), 0);
    drop(first);

    let second = simulator_with(kept).await;
    merchant.base = format!("{}/wechat", second.url());
    assert_eq!(merchant.query("OPEN").await["trade_state"], "NOTPAY");
    let again = merchant.apply(&receiver, &contract, "OPEN", 700).await;
    assert_eq!(again["err_code"], "ORDER_ACCEPTED");
    merchant.wait_state("OPEN", "SUCCESS").await;
    until("the refund", async || {
        moved(&second, MovementKind::Refund, "DONE").pop()
    })
    .await;
    receiver.wait("/refund/BACK", 1).await;
    receiver.wait("/deduct/OPEN", 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    assert_eq!(moved(&second, MovementKind::Debit, "OPEN").len(), 1);
    assert_eq!(moved(&second, MovementKind::Debit, "DONE").len(), 1);
    assert_eq!(moved(&second, MovementKind::Refund, "DONE").len(), 1);
    assert_eq!(
        receiver.arrived("/deduct/OPEN").len(),
        1,
        "the stopped gateway must not go on settling"
    );
    let numbers: Vec<u64> = second.frame().books().iter().map(|movement| movement.seq).collect();
    assert_eq!(numbers, [1, 2, 3]);
}
