//! The rules of refunds.

use metropay_simulator::{Effect, MovementKind, Simulator};
use serde_json::{Value, json};

use super::merchant::{Merchant, fault, moved, simulator};
use super::receiver::{Receiver, until};
use super::wire::unseal;

/// A paid order of 1000 fen.
async fn paid(spec: &Value) -> (Simulator, Receiver, Merchant) {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::open(&simulator, spec);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    merchant.paid(&receiver, &contract, "ORDER1", 1_000).await;
    (simulator, receiver, merchant)
}

const ORDER: (&str, u64) = ("ORDER1", 1_000);

#[tokio::test]
async fn the_same_number_is_the_same_refund_and_must_say_the_same() {
    let (simulator, receiver, merchant) = paid(&json!({"mode": "direct"})).await;
    let first = merchant.refund(&receiver, ORDER, "R1", 400).await;
    let again = merchant.refund(&receiver, ORDER, "R1", 400).await;
    assert_eq!(
        (first["result_code"].as_str(), &first["refund_id"]),
        ("SUCCESS", &again["refund_id"])
    );
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R1", 401).await["err_code"],
        "REFUND_FEE_MISMATCH"
    );
    receiver.wait("/refund/R1", 1).await;
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R1", 400).await["refund_id"],
        first["refund_id"]
    );
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(moved(&simulator, MovementKind::Refund, "ORDER1").len(), 1);
    assert_eq!(receiver.arrived("/refund/R1").len(), 1);
}

#[tokio::test]
async fn refunds_together_never_pass_the_payment() {
    let (simulator, receiver, merchant) = paid(&json!({"mode": "direct"})).await;
    let calls: Vec<_> = (0..10)
        .map(|n| {
            let (merchant, receiver) = (merchant.clone(), receiver.clone());
            tokio::spawn(async move { merchant.refund(&receiver, ORDER, &format!("R{n}"), 300).await })
        })
        .collect();
    let mut filed = 0;
    for call in calls {
        let answer = call.await.unwrap();
        filed += usize::from(answer["result_code"] == "SUCCESS");
        assert!(
            answer["result_code"] == "SUCCESS" || answer["err_code"] == "REFUND_FEE_MISMATCH",
            "{answer:?}"
        );
    }
    assert_eq!(filed, 3);
    until("three refunds", async || {
        (moved(&simulator, MovementKind::Refund, "ORDER1").len() == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_the_order_is_refused() {
    let (simulator, receiver, merchant) = paid(&json!({"mode": "direct"})).await;
    assert_eq!(
        merchant.refund(&receiver, ("ORDER1", 999), "R1", 1).await["err_code"],
        "INVALID_REQUEST"
    );
    assert_eq!(
        merchant.refund(&receiver, ("ORDER2", 1_000), "R1", 1).await["err_code"],
        "ORDERNOTEXIST"
    );
    assert_eq!(
        merchant.call("/pay/refundquery", &[("out_refund_no", "R1")]).await["err_code"],
        "REFUNDNOTEXIST"
    );
    assert_eq!(
        merchant.call("/pay/refundquery", &[("out_trade_no", "ORDER1")]).await["err_code"],
        "REFUNDNOTEXIST"
    );
    simulator.frame().clock.set_offset_ms(366 * 86_400_000);
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R1", 1).await["err_code"],
        "TRADE_OVERDUE"
    );
}

#[tokio::test]
async fn an_order_takes_fifty_refunds_and_the_query_shows_them_ten_at_a_time() {
    let (_simulator, receiver, merchant) = paid(&json!({"mode": "direct"})).await;
    for n in 0..50 {
        let filed = merchant.refund(&receiver, ORDER, &format!("R{n}"), 1).await;
        assert_eq!(filed["result_code"], "SUCCESS", "{filed:?}");
    }
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R50", 1).await["err_code"],
        "INVALID_REQUEST"
    );
    let page = merchant
        .call("/pay/refundquery", &[("out_trade_no", "ORDER1"), ("offset", "10")])
        .await;
    assert_eq!(
        (page["refund_count"].as_str(), page["total_refund_count"].as_str()),
        ("10", "50")
    );
    assert_eq!(
        (page["out_refund_no_0"].as_str(), page["out_refund_no_9"].as_str()),
        ("R10", "R19")
    );
    assert!(!page.contains_key("out_refund_no_10"));
}

#[tokio::test]
async fn a_closed_refund_gives_nothing_back_and_may_be_filed_again_under_its_number() {
    let (simulator, receiver, merchant) = paid(&json!({"mode": "direct"})).await;
    fault(
        &simulator,
        "refund",
        Effect::FailLater {
            ms: 10,
            code: "REFUNDCLOSE".into(),
        },
    );
    let first = merchant.refund(&receiver, ORDER, "R1", 1_000).await;
    let notice = receiver.wait("/refund/R1", 1).await;
    assert_eq!(
        unseal(&notice["req_info"], &merchant.api_key).unwrap()["refund_status"],
        "REFUNDCLOSE"
    );
    let told = merchant.call("/pay/refundquery", &[("out_refund_no", "R1")]).await;
    assert_eq!(told["refund_status_0"], "REFUNDCLOSE");
    assert!(!told.contains_key("refund_success_time_0"));
    assert_eq!(moved(&simulator, MovementKind::Refund, "ORDER1").len(), 0);
    let again = merchant.refund(&receiver, ORDER, "R1", 1_000).await;
    assert_eq!(
        (again["result_code"].as_str(), &again["refund_id"]),
        ("SUCCESS", &first["refund_id"])
    );
    receiver.wait("/refund/R1", 2).await;
    assert_eq!(moved(&simulator, MovementKind::Refund, "ORDER1").len(), 1);
    let all = merchant.call("/pay/refundquery", &[("out_trade_no", "ORDER1")]).await;
    assert_eq!(all["refund_count"], "1");
}

#[tokio::test]
async fn a_card_that_takes_nothing_leaves_the_refund_to_a_person() {
    let (simulator, receiver, merchant) = paid(&json!({"mode": "direct"})).await;
    fault(
        &simulator,
        "refund",
        Effect::FailLater {
            ms: 10,
            code: "CHANGE".into(),
        },
    );
    merchant.refund(&receiver, ORDER, "R1", 1_000).await;
    let notice = receiver.wait("/refund/R1", 1).await;
    assert_eq!(
        unseal(&notice["req_info"], &merchant.api_key).unwrap()["refund_status"],
        "CHANGE"
    );
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R2", 1).await["err_code"],
        "REFUND_FEE_MISMATCH"
    );
    assert_eq!(moved(&simulator, MovementKind::Refund, "ORDER1").len(), 0);
}

#[tokio::test]
async fn funds_and_spacing_count_where_the_account_says_so() {
    let spec = json!({"mode": "direct", "refund_funds_fen": 500, "refund_spacing_s": 60});
    let (simulator, receiver, merchant) = paid(&spec).await;
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R1", 501).await["err_code"],
        "NOTENOUGH"
    );
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R1", 300).await["result_code"],
        "SUCCESS"
    );
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R2", 100).await["err_code"],
        "FREQUENCY_LIMITED"
    );
    simulator.frame().clock.set_offset_ms(61_000);
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R2", 201).await["err_code"],
        "NOTENOUGH"
    );
    merchant.change(&simulator, json!({"refund_funds_fen": 1_000}));
    assert_eq!(
        merchant.refund(&receiver, ORDER, "R2", 201).await["result_code"],
        "SUCCESS"
    );
}

#[tokio::test]
async fn a_refund_without_an_address_is_told_to_the_account_s_own() {
    let (simulator, receiver, merchant) = paid(&json!({"mode": "direct"})).await;
    merchant.change(&simulator, json!({"refund_notify_url": receiver.at("/console")}));
    let fields = [
        ("out_trade_no", "ORDER1"),
        ("out_refund_no", "R1"),
        ("total_fee", "1000"),
        ("refund_fee", "1"),
    ];
    assert_eq!(
        merchant.call("/secapi/pay/refund", &fields).await["result_code"],
        "SUCCESS"
    );
    let notice = receiver.wait("/console", 1).await;
    assert_eq!(
        unseal(&notice["req_info"], &merchant.api_key).unwrap()["out_refund_no"],
        "R1"
    );
}
