//! A crash and a new start on the same books.

use std::time::Duration;

use metropay_simulator::Settings;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::shop::{PAY, REFUND, Shop, settings};

/// Each life runs in a runtime of its own, so that its end takes all its timers along, like a crash.
fn life() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn what_was_pending_is_settled_once_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        data_dir: Some(folder.path().to_owned()),
        ..settings()
    };
    let first = life();
    first.block_on(async {
        let shop = Shop::open_with(settings.clone(), json!({})).await;
        let agreement_no = shop.sign("S1", &[]).await;
        shop.pay("P0", &agreement_no, "2.00").await.says("code=10000");
        shop.fault(json!({"operation": PAY, "order_no": "P1", "effect": "pending", "ms": 1_500}));
        shop.pay("P1", &agreement_no, "1.00").await.says("code=10003");
        shop.fault(json!({"operation": REFUND, "order_no": "R0", "effect": "pending", "ms": 1_500}));
        let refund = json!({"out_trade_no": "P0", "out_request_no": "R0", "refund_amount": "2.00"});
        shop.call(REFUND, refund).await.says("fund_change=N");
        assert_eq!(shop.books(), ["Debit P0 200"]);
    });
    first.shutdown_background();
    life().block_on(async {
        let shop = Shop::open_with(settings, json!({})).await;
        // Nobody asks: the timers alone must settle it.
        for _ in 0..400 {
            if shop.books().len() == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(shop.status("P1").await, "TRADE_SUCCESS");
        assert_eq!(shop.status("P0").await, "TRADE_CLOSED");
        let mut books = shop.books();
        books.sort();
        assert_eq!(books, ["Debit P0 200", "Debit P1 100", "Refund R0 200"]);
    });
}

#[test]
fn codes_questions_and_wallets_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        data_dir: Some(folder.path().to_owned()),
        ..settings()
    };
    let first = life();
    let (fresh, used, waiting) = first.block_on(async {
        let shop = Shop::open_with(settings.clone(), json!({})).await;
        let fresh = shop.code("小明", "0").await;
        let used = shop.code("小明", "0").await;
        let waiting = shop.code("小明", "1").await;
        shop.give("小明", "balance_fen", "350").await;
        shop.pay_by_code("P1", &used, "1.00").await.says("code=10000");
        shop.pay_by_code("P2", &waiting, "1.00").await.says("code=10003");
        (fresh, used, waiting)
    });
    first.shutdown_background();
    life().block_on(async {
        let shop = Shop::open_with(settings, json!({})).await;
        shop.pay_by_code("P3", &used, "1.00")
            .await
            .says("sub_code=ACQ.PAYMENT_AUTH_CODE_INVALID");
        assert_eq!(shop.password(&waiting, "1").await, 204);
        shop.pay_by_code("P4", &fresh, "1.51")
            .await
            .says("sub_code=ACQ.BUYER_BALANCE_NOT_ENOUGH");
        shop.pay_by_code("P5", &fresh, "1.50").await.says("code=10000");
        assert_eq!(shop.books(), ["Debit P1 100", "Debit P2 100", "Debit P5 150"]);
    });
}
