//! Quotas as a merchant meets them.

use metropay_simulator::Effect;
use serde_json::json;

use super::merchant::{Merchant, fault, simulator};
use super::receiver::Receiver;

#[tokio::test]
async fn the_sixth_deduction_of_a_day_is_refused_and_the_next_day_is_a_new_one() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    fault(
        &simulator,
        "pappayapply",
        Effect::FailLater {
            ms: 1,
            code: "NOTENOUGH".into(),
        },
    );
    merchant.apply(&receiver, &contract, "FAILED", 100).await;
    receiver.wait("/deduct/FAILED", 1).await;
    for n in 1..=5 {
        merchant.paid(&receiver, &contract, &format!("ORDER{n}"), 100).await;
    }
    let refused = merchant.apply(&receiver, &contract, "ORDER6", 100).await;
    assert_eq!(
        (refused["result_code"].as_str(), refused["err_code"].as_str()),
        ("FAIL", "RULELIMIT")
    );
    assert_eq!(
        merchant.query("ORDER6").await["err_code"],
        "ORDERNOTEXIST",
        "a refused order is not kept"
    );
    simulator.frame().clock.set_offset_ms(86_400_000);
    merchant.paid(&receiver, &contract, "ORDER6", 100).await;
}

#[tokio::test]
async fn deductions_side_by_side_cannot_pass_the_limit_together() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let spec = json!({"mode": "direct", "daily_success_max": 99, "single_max_fen": 1_000, "daily_max_fen": 3_000});
    let merchant = Merchant::open(&simulator, &spec);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    assert_eq!(
        merchant.apply(&receiver, &contract, "BIG", 1_001).await["err_code"],
        "RULELIMIT"
    );
    let calls: Vec<_> = (0..10)
        .map(|n| {
            let (merchant, receiver, contract) = (merchant.clone(), receiver.clone(), contract.clone());
            tokio::spawn(async move { merchant.apply(&receiver, &contract, &format!("ORDER{n}"), 1_000).await })
        })
        .collect();
    let mut accepted = 0;
    for call in calls {
        accepted += usize::from(call.await.unwrap()["result_code"] == "SUCCESS");
    }
    assert_eq!(accepted, 3);
}
