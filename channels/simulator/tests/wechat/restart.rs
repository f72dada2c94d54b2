//! What the gateway promises across a restart.

use metropay_simulator::{Effect, Gateway, MovementKind, Settings, Simulator};
use serde_json::json;

use super::merchant::{Merchant, fault, moved, settings, simulator_with};
use super::phone::Phone;
use super::receiver::{Receiver, until};
use super::v3_client::Client;

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

#[tokio::test]
async fn codes_waiting_payments_keys_and_links_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Settings {
        data_dir: Some(folder.path().to_owned()),
        ..settings()
    };
    let first = simulator_with(kept.clone()).await;
    let account = first
        .frame()
        .open_account(Gateway::Wechat, &json!({"mode": "direct"}))
        .unwrap();
    let (mut client, mut phone) = (
        Client::of(account.clone()),
        Phone::at(account["base_url"].as_str().unwrap(), "小明"),
    );
    let platform = client.certificates(&first).await;
    let (fresh, waiting) = (phone.code().await, phone.code_with_password().await);
    let pay = async |client: &Client, simulator: &Simulator, number: &str, code: &str| {
        let body = client.payment(number, code, 100);
        client
            .post(simulator, "/v3/pay/transactions/codepay", &body)
            .await
            .status
    };
    assert_eq!(pay(&client, &first, "WAITS1", &waiting).await, 202);
    drop(first);

    let second = simulator_with(kept).await;
    client.base = format!("{}/wechat", second.url());
    phone.base = format!("{}/phone", client.base);
    let again = client.certificates(&second).await;
    assert_eq!(
        again[0].0, platform[0].0,
        "the same certificate, and the merchant's own is known"
    );
    assert_eq!(pay(&client, &second, "WAITS1", &waiting).await, 202);
    assert_eq!(phone.password(&waiting, true).await, 204);
    assert_eq!(pay(&client, &second, "FRESH1", &fresh).await, 200);
    assert_eq!(
        pay(&client, &second, "FRESH2", &fresh).await,
        403,
        "one use, whatever happens in between"
    );
    let offset_ms = 36 * 3_600_000;
    second.frame().clock.set_offset_ms(offset_ms);
    let day = (second.frame().clock.now() - chrono::TimeDelta::milliseconds(offset_ms)).format("%Y-%m-%d");
    let link = client
        .get(&second, &format!("/v3/bill/tradebill?bill_date={day}"))
        .await;
    assert_eq!(link.status, 200, "{}", link.json());
    assert_eq!(second.frame().books().len(), 2);
}
