//! Closing orders, and payments that come after it.

use metropay_simulator::{Effect, MovementKind};
use serde_json::json;

use super::merchant::{Merchant, fault, moved, simulator};
use super::receiver::Receiver;

#[tokio::test]
async fn an_order_cannot_be_closed_before_five_minutes_have_passed() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    fault(&simulator, "pappayapply", Effect::Pending { ms: 3_600_000 });
    merchant.apply(&receiver, &contract, "ORDER1", 100).await;
    let close = [("out_trade_no", "ORDER1")];
    assert_eq!(
        merchant.call("/pay/closeorder", &close).await["err_code"],
        "INVALID_REQUEST"
    );
    simulator.frame().clock.set_offset_ms(301_000);
    assert_eq!(merchant.call("/pay/closeorder", &close).await["result_code"], "SUCCESS");
    assert_eq!(
        merchant.call("/pay/closeorder", &close).await["err_code"],
        "ORDERCLOSED"
    );
    assert_eq!(merchant.query("ORDER1").await["err_code_des"], "订单不是委托代扣场景");
    merchant.wait_state("ORDER1", "CLOSED").await;
    assert_eq!(
        merchant.apply(&receiver, &contract, "ORDER1", 100).await["err_code"],
        "ORDERCLOSED"
    );
    simulator.frame().clock.set_offset_ms(7_200_000);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(simulator.frame().books(), [], "what is closed is not debited");
    assert_eq!(receiver.arrived("/deduct/ORDER1").len(), 0);
}

#[tokio::test]
async fn a_paid_order_cannot_be_closed_and_an_unknown_one_is_unknown() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::open(&simulator, &json!({"mode": "direct", "close_after_s": 0}));
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    merchant.paid(&receiver, &contract, "ORDER1", 100).await;
    assert_eq!(
        merchant.call("/pay/closeorder", &[("out_trade_no", "ORDER1")]).await["err_code"],
        "ORDERPAID"
    );
    assert_eq!(
        merchant.call("/pay/closeorder", &[("out_trade_no", "ORDER2")]).await["err_code"],
        "ORDERNOTEXIST"
    );
}

#[tokio::test]
async fn the_day_s_share_of_a_closed_order_is_free_again() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let spec = json!({"mode": "direct", "close_after_s": 0, "daily_success_max": 1});
    let merchant = Merchant::open(&simulator, &spec);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    fault(&simulator, "pappayapply", Effect::Pending { ms: 3_600_000 });
    merchant.apply(&receiver, &contract, "ORDER1", 100).await;
    assert_eq!(
        merchant.apply(&receiver, &contract, "ORDER2", 100).await["err_code"],
        "RULELIMIT"
    );
    merchant.call("/pay/closeorder", &[("out_trade_no", "ORDER1")]).await;
    merchant.paid(&receiver, &contract, "ORDER2", 100).await;
}

#[tokio::test]
async fn a_closed_order_can_be_paid_all_the_same_once() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::open(&simulator, &json!({"mode": "direct", "close_after_s": 0}));
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    let hour_ms = 3_600_000;
    for (number, operation) in [("ORDER1", "pappayapply"), ("ORDER2", "closeorder")] {
        if operation == "closeorder" {
            fault(&simulator, "pappayapply", Effect::Pending { ms: hour_ms });
        }
        fault(&simulator, operation, Effect::PaidAfterReverse { ms: 2 * hour_ms });
        merchant.apply(&receiver, &contract, number, 100).await;
        let closed = merchant.call("/pay/closeorder", &[("out_trade_no", number)]).await;
        assert_eq!(closed["result_code"], "SUCCESS");
        merchant.wait_state(number, "CLOSED").await;
        let clock = &simulator.frame().clock;
        clock.set_offset_ms(clock.offset_ms() + 5_400_000);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(
            moved(&simulator, MovementKind::Debit, number).len(),
            0,
            "not before its time"
        );
        clock.set_offset_ms(clock.offset_ms() + 5_400_000);
        merchant.wait_state(number, "SUCCESS").await;
        let notice = receiver.wait(&format!("/deduct/{number}"), 1).await;
        assert_eq!(notice["result_code"], "SUCCESS");
        assert_eq!(moved(&simulator, MovementKind::Debit, number).len(), 1);
    }
}
