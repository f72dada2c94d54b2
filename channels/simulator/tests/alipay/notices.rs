//! Notifications: repeated until acknowledged, lost, forged and lying on command.

use std::time::Duration;

use metropay_simulator::Settings;
use serde_json::json;

use crate::merchant::{Merchant, Received};
use crate::shop::{PAY, Shop, order, settings};

#[tokio::test]
async fn notifications_are_repeated_until_exactly_success_is_answered() {
    let merchant = Merchant::start(&["SUCCESS", "success\n", "fail"]).await;
    let shop = Shop::open_with(
        Settings {
            notice_pace_percent: 0,
            ..settings()
        },
        json!({}),
    )
    .await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.call_with(
        PAY,
        order("P1", &agreement_no, "1.00"),
        &[("notify_url", &merchant.at("paid"))],
    )
    .await;
    merchant.wait_for("out_trade_no=P1", 4).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let received = merchant.received("out_trade_no=P1");
    assert_eq!(received.len(), 4);
    assert!(
        received
            .iter()
            .all(|notice| notice.text("notify_id") == received[0].text("notify_id"))
    );
    assert!(received.iter().all(Received::is_signed));
}

#[tokio::test]
async fn notifications_can_lie_under_a_right_signature() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let lie = |number: &str, effect: serde_json::Value| {
        let mut line = json!({"operation": "notify", "order_no": number});
        line.as_object_mut()
            .unwrap()
            .extend(effect.as_object().unwrap().clone());
        shop.fault(line);
    };
    lie("P1", json!({"effect": "wrong_amount", "fen": 1}));
    lie("P1", json!({"effect": "wrong_merchant", "account": "2021999999999999"}));
    lie("P2", json!({"effect": "wrong_order", "told": "X2"}));
    lie("P3", json!({"effect": "notice_forged"}));
    lie("P4", json!({"effect": "notice_lost"}));
    lie("P5", json!({"effect": "notice_repeated", "more": 2}));
    for number in ["P1", "P2", "P3", "P4", "P5"] {
        let answer = shop
            .call_with(
                PAY,
                order(number, &agreement_no, "1.00"),
                &[("notify_url", &merchant.at("paid"))],
            )
            .await;
        answer.says("code=10000 total_amount=1.00");
    }
    let notice = merchant.wait("out_trade_no=P1").await;
    assert!(notice.is_signed() && notice.says("total_amount=0.01 app_id=2021999999999999"));
    assert!(merchant.wait("out_trade_no=X2").await.is_signed());
    assert!(!merchant.wait("out_trade_no=P3").await.is_signed());
    assert_eq!(merchant.wait_for("out_trade_no=P5", 3).await.len(), 3);
    assert!(merchant.received("out_trade_no=P4").is_empty());
}
