//! Deductions that are repeated, and notifications that are not acknowledged.

use metropay_simulator::{Effect, MovementKind};
use serde_json::json;

use super::merchant::{Merchant, deduction, fault, moved, simulator};
use super::receiver::{Receiver, until};

#[tokio::test]
async fn a_number_sent_many_times_at_once_is_debited_once() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (merchant, receiver, contract) = (merchant.clone(), receiver.clone(), contract.clone());
            tokio::spawn(async move { merchant.apply(&receiver, &contract, "ORDER1", 600).await })
        })
        .collect();
    let mut accepted = 0;
    for call in calls {
        let answer = call.await.unwrap();
        if answer["result_code"] == "SUCCESS" {
            accepted += 1;
        } else {
            assert!(
                matches!(answer["err_code"].as_str(), "ORDER_ACCEPTED" | "ORDERPAID"),
                "{answer:?}"
            );
        }
    }
    assert_eq!(accepted, 1);
    receiver.wait("/deduct/ORDER1", 1).await;
    assert_eq!(
        merchant.apply(&receiver, &contract, "ORDER1", 600).await["err_code"],
        "ORDERPAID"
    );
    assert_eq!(moved(&simulator, MovementKind::Debit, "ORDER1").len(), 1);
    assert_eq!(receiver.arrived("/deduct/ORDER1").len(), 1);
}

#[tokio::test]
async fn a_number_with_other_content_is_an_invalid_request() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    merchant.paid(&receiver, &contract, "ORDER1", 600).await;
    assert_eq!(
        merchant.apply(&receiver, &contract, "ORDER1", 601).await["err_code"],
        "INVALID_REQUEST"
    );
    let url = receiver.at("/elsewhere");
    let moved_notice = merchant
        .call("/pay/pappayapply", &deduction(&contract, "ORDER1", "600", &url))
        .await;
    assert_eq!(moved_notice["err_code"], "INVALID_REQUEST");
    assert_eq!(moved(&simulator, MovementKind::Debit, "ORDER1").len(), 1);
}

#[tokio::test]
async fn a_failed_deduction_tells_its_reason_and_its_number_is_used_up() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    fault(
        &simulator,
        "pappayapply",
        Effect::FailLater {
            ms: 10,
            code: "NOTENOUGH".into(),
        },
    );
    assert_eq!(
        merchant.apply(&receiver, &contract, "ORDER1", 600).await["result_code"],
        "SUCCESS"
    );
    let notice = receiver.wait("/deduct/ORDER1", 1).await;
    merchant.assert_signed(&notice, merchant.algorithm);
    assert_eq!(
        (notice["result_code"].as_str(), notice["trade_state"].as_str()),
        ("FAIL", "PAY_FAIL")
    );
    assert_eq!(
        (notice["err_code"].as_str(), notice["err_code_des"].as_str()),
        ("NOTENOUGH", "余额不足")
    );
    assert!(!notice.contains_key("transaction_id"));
    assert_eq!(merchant.query("ORDER1").await["trade_state"], "PAY_FAIL");
    merchant.wait_state("ORDER1", "PAYERROR").await;
    assert_eq!(
        merchant.apply(&receiver, &contract, "ORDER1", 600).await["err_code"],
        "ORDERCLOSED"
    );
    assert_eq!(simulator.frame().books(), []);
}

#[tokio::test]
async fn the_failure_notice_of_the_official_sample_says_success_without_an_amount() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::open(
        &simulator,
        &json!({"mode": "direct", "failure_notice_result": "SUCCESS"}),
    );
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    fault(
        &simulator,
        "pappayapply",
        Effect::FailLater {
            ms: 10,
            code: "BANKERROR".into(),
        },
    );
    merchant.apply(&receiver, &contract, "ORDER1", 600).await;
    let notice = receiver.wait("/deduct/ORDER1", 1).await;
    assert_eq!(notice["result_code"], "SUCCESS");
    assert!(
        !notice.contains_key("transaction_id") && !notice.contains_key("total_fee"),
        "{notice:?}"
    );
}

#[tokio::test]
async fn a_contract_that_ends_while_the_deduction_runs_fails_it() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    fault(&simulator, "pappayapply", Effect::Pending { ms: 3_600_000 });
    merchant.apply(&receiver, &contract, "ORDER1", 600).await;
    let fields = [
        ("contract_id", contract.as_str()),
        ("contract_termination_remark", "x"),
        ("version", "1.0"),
    ];
    assert_eq!(
        merchant.call("/papay/deletecontract", &fields).await["result_code"],
        "SUCCESS"
    );
    simulator.frame().clock.set_offset_ms(3_600_000);
    let notice = receiver.wait("/deduct/ORDER1", 1).await;
    assert_eq!(notice["err_code"], "CONTRACT_NOT_EXIST");
    assert_eq!(simulator.frame().books(), []);
}

#[tokio::test]
async fn a_notification_comes_again_until_it_is_acknowledged_and_then_no_more() {
    let simulator = simulator().await;
    let receiver = Receiver::refusing(3).await;
    let merchant = Merchant::direct(&simulator);
    let now = super::merchant::now_s(&simulator);
    let url = receiver.at("/signed");
    let fields = merchant.signing_fields("CODE1", &url, &now);
    let id = merchant.call("/papay/preentrustweb", &fields).await["pre_entrustweb_id"].clone();
    merchant.decide(&id, true, "小明").await;
    receiver.wait("/signed", 4).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let arrived = receiver.arrived("/signed");
    assert_eq!(arrived.len(), 4);
    assert!(
        arrived
            .iter()
            .all(|notice| notice["contract_id"] == arrived[0]["contract_id"])
    );
    let attempts = simulator.frame().notices.attempts();
    let verdicts: Vec<bool> = attempts.iter().map(|attempt| attempt.acknowledged).collect();
    assert_eq!(verdicts, [false, false, false, true]);
}

#[tokio::test]
async fn a_coupon_pays_a_part() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::open(&simulator, &json!({"mode": "direct", "coupon_fen": 50}));
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    let notice = merchant.paid(&receiver, &contract, "ORDER1", 1280).await;
    assert_eq!(
        (notice["total_fee"].as_str(), notice["cash_fee"].as_str()),
        ("1280", "1230")
    );
    assert_eq!(
        (notice["coupon_fee"].as_str(), notice["coupon_count"].as_str()),
        ("50", "1")
    );
    let mut back = 0;
    for (number, fen) in [("R1", 300), ("R2", 301), ("R3", 679)] {
        let filed = merchant.refund(&receiver, ("ORDER1", 1280), number, fen).await;
        let coupon: u64 = filed["coupon_refund_fee"].parse().unwrap();
        let cash: u64 = filed["cash_refund_fee"].parse().unwrap();
        assert_eq!(coupon + cash, fen);
        back += coupon;
    }
    assert_eq!(back, 50);
    let all = merchant.call("/pay/refundquery", &[("out_trade_no", "ORDER1")]).await;
    assert_eq!(all["coupon_refund_fee_0"], all["coupon_refund_fee_0_0"]);
}

#[tokio::test]
async fn the_papay_query_forgets_an_order_after_a_month_and_the_general_one_does_not() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    merchant.paid(&receiver, &contract, "ORDER1", 1280).await;
    simulator.frame().clock.set_offset_ms(32 * 86_400_000);
    assert_eq!(merchant.query("ORDER1").await["err_code"], "ORDERNOTEXIST");
    merchant.wait_state("ORDER1", "SUCCESS").await;
}

#[tokio::test]
async fn moving_the_clock_ends_a_long_wait() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    fault(&simulator, "pappayapply", Effect::Pending { ms: 3_600_000 });
    merchant.apply(&receiver, &contract, "ORDER1", 1280).await;
    assert_eq!(merchant.query("ORDER1").await["trade_state"], "NOTPAY");
    simulator.frame().clock.set_offset_ms(3_600_000);
    until("the debit", async || {
        moved(&simulator, MovementKind::Debit, "ORDER1").pop()
    })
    .await;
}

#[tokio::test]
async fn a_contract_that_expired_is_not_usable() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    simulator.frame().clock.set_offset_ms(31 * 366 * 86_400_000);
    let refused = merchant.apply(&receiver, &contract, "ORDER1", 100).await;
    assert_eq!(refused["err_code"], "CONTRACTERROR");
    let query = [("contract_id", contract.as_str()), ("version", "1.0")];
    assert_eq!(
        merchant.call("/papay/querycontract", &query).await["contract_state"],
        "1"
    );
}
