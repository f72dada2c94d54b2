//! Many messages at once: whatever the order in which they arrive, the money is right.

use std::sync::Arc;

use metropay_simulator::MovementKind;

use super::merchant::Merchant;
use super::verifier::Fields;

/// Sends all of them at once and returns the codes, sorted.
async fn all_at_once(shop: &Arc<Merchant>, messages: Vec<Fields>) -> Vec<String> {
    let send = |message: Fields| {
        let shop = Arc::clone(shop);
        tokio::spawn(async move { shop.send(&message).await["respCode"].clone() })
    };
    let sent: Vec<_> = messages.into_iter().map(send).collect();
    let mut codes = Vec::new();
    for answer in sent {
        codes.push(answer.await.unwrap());
    }
    codes.sort();
    codes
}

fn count(codes: &[String], code: &str) -> usize {
    codes.iter().filter(|c| *c == code).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_payment_sent_many_times_at_once_is_debited_once() {
    let shop = Arc::new(Merchant::new().await);
    let order = shop.consumption(900);
    let codes = all_at_once(&shop, vec![order.clone(); 12]).await;
    assert_eq!((count(&codes, "00"), count(&codes, "12")), (1, 11));
    shop.decided(&order).await;
    assert_eq!(shop.books().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refunds_at_once_never_exceed_the_payment() {
    let shop = Arc::new(Merchant::new().await);
    let (_, paid) = shop.pay(1000).await;
    let refunds: Vec<Fields> = (0..14).map(|_| shop.giving_back("04", &paid["queryId"], 100)).collect();
    let codes = all_at_once(&shop, refunds.clone()).await;
    assert_eq!((count(&codes, "00"), count(&codes, "36")), (10, 4));
    for refund in &refunds {
        if shop.query(refund).await["respCode"] == "00" {
            shop.decided(refund).await;
        }
    }
    let refunded: u64 = shop
        .books()
        .iter()
        .filter(|m| m.kind == MovementKind::Refund)
        .map(|m| m.amount_fen)
        .sum();
    assert_eq!(refunded, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_undo_a_reversal_and_a_refund_at_once_give_the_money_back_once() {
    let shop = Arc::new(Merchant::new().await);
    let (order, paid) = shop.pay(1000).await;
    let ways = vec![
        shop.giving_back("31", &paid["queryId"], 1000),
        shop.giving_back("04", &paid["queryId"], 1000),
        shop.reversal(&order),
    ];
    let codes = all_at_once(&shop, ways.clone()).await;
    assert_eq!(count(&codes, "00"), 1, "{codes:?}");
    for way in &ways[..2] {
        if shop.query(way).await["respCode"] == "00" {
            shop.decided(way).await;
        }
    }
    let books = shop.books();
    assert_eq!((books.len(), books[1].amount_fen), (2, 1000));
}
