//! Reversals of payments whose outcome the merchant does not know.

use std::time::Duration;

use metropay_simulator::{Effect, MovementKind};

use super::merchant::Merchant;

#[tokio::test]
async fn a_reversed_pending_payment_never_moves_money() {
    let shop = Merchant::new().await;
    shop.script("01", Effect::Pending { ms: 1_000 });
    let order = shop.consumption(1000);
    let hanging = shop.send(&order).await;
    assert_eq!(hanging["respCode"], "05");
    assert!(!hanging.contains_key("queryId"));
    let reversed = shop.send(&shop.reversal(&order)).await;
    assert_eq!(
        (reversed["respCode"].as_str(), reversed["txnType"].as_str()),
        ("00", "99")
    );
    assert_eq!(shop.query(&order).await["origRespCode"], "01");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(shop.query(&order).await["origRespCode"], "01");
    assert!(shop.books().is_empty());
    assert!(shop.letters(&order["orderId"]).is_empty());
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "45");
}

#[tokio::test]
async fn a_reversed_paid_payment_gives_the_money_back_once() {
    let shop = Merchant::new().await;
    let (order, paid) = shop.pay(1000).await;
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "00");
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "45");
    assert_eq!(shop.query(&order).await["origRespCode"], "01");
    for txn_type in ["31", "04"] {
        assert_eq!(
            shop.send(&shop.giving_back(txn_type, &paid["queryId"], 1000)).await["respCode"],
            "35"
        );
    }
    let books = shop.books();
    assert_eq!(books.len(), 2);
    assert_eq!(
        (books[1].kind, &books[1].payment_no),
        (MovementKind::Reversal, &order["orderId"])
    );
}

#[tokio::test]
async fn an_unknown_payment_cannot_be_reversed() {
    let shop = Merchant::new().await;
    let refused = shop.send(&shop.reversal(&shop.consumption(1))).await;
    assert_eq!(
        (refused["respCode"].as_str(), refused["respMsg"].as_str()),
        ("35", "原交易不存在或状态不正确[2011001]")
    );
}

#[tokio::test]
async fn a_partly_refunded_payment_cannot_be_reversed() {
    let shop = Merchant::new().await;
    let (order, paid) = shop.pay(1000).await;
    let refund = shop.giving_back("04", &paid["queryId"], 100);
    shop.send(&refund).await;
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "35");
}

#[tokio::test]
async fn the_worst_race_pays_after_the_reversal_was_answered() {
    for operation in ["01", "99"] {
        let shop = Merchant::new().await;
        shop.script(operation, Effect::PaidAfterReverse { ms: 1_000 });
        shop.script("01", Effect::Pending { ms: 60_000 });
        let order = shop.consumption(1000);
        shop.send(&order).await;
        assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "00");
        assert_eq!(shop.query(&order).await["origRespCode"], "01");
        assert_eq!(shop.letter(&order).await["respCode"], "00");
        let paid = shop.query(&order).await;
        assert_eq!(paid["origRespCode"], "00");
        assert_eq!(shop.books().len(), 1);
        let refund = shop.giving_back("04", &paid["queryId"], 1000);
        assert_eq!(shop.send(&refund).await["respCode"], "00");
    }
}

#[tokio::test]
async fn the_race_is_decided_by_its_own_time_and_not_by_that_of_the_payment() {
    let shop = Merchant::new().await;
    shop.script("01", Effect::Pending { ms: 500 });
    shop.script("99", Effect::PaidAfterReverse { ms: 60_000 });
    let order = shop.consumption(1000);
    shop.send(&order).await;
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "00");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(shop.query(&order).await["origRespCode"], "01");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn a_paid_payment_whose_reversal_was_a_lie_is_debited_once() {
    let shop = Merchant::new().await;
    let (order, _) = shop.pay(1000).await;
    shop.script("99", Effect::PaidAfterReverse { ms: 20 });
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "00");
    assert_eq!(shop.first_letters(&order, 2).await[1]["respCode"], "00");
    assert_eq!(shop.query(&order).await["origRespCode"], "00");
    assert_eq!(shop.books().len(), 1);
}
