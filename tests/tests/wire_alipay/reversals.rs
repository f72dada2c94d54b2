//! Orders undone.

use std::time::Duration;

use metropay_core::channel::{CallError, News, Outcome, Reversed, Standing};
use metropay_simulator::{Effect, MovementKind};
use serde_json::json;

use crate::shop::{CANCEL, PAY, QUERY, REFUND, Shop, is_money_back};

#[tokio::test]
async fn a_paid_order_is_reversed_once_however_often_it_is_asked() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(CANCEL, Effect::Pending { ms: 0 });
    let question = shop.reversal("P1", 450);
    assert_eq!(shop.channel.reverse(&question).await, Ok(Outcome::Pending));
    for effect in [Effect::ResetBefore, Effect::NoSignature] {
        shop.fault(CANCEL, effect);
        let answer = shop.channel.reverse(&question).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    }
    for _ in 0..2 {
        let answer = shop.channel.reverse(&question).await;
        assert!(is_money_back(&answer), "{answer:?}");
    }
    assert_eq!((shop.debits(), shop.returned()), (vec![450], 450));
    assert_eq!(shop.books(MovementKind::Reversal).len(), 1);
    let news = shop
        .news(|news| matches!(news, News::Payment { standing: None, .. }))
        .await;
    assert!(matches!(news, News::Payment { no, .. } if no.as_str() == "P1"));
}

#[tokio::test]
async fn a_cancellation_that_was_answered_with_an_error_is_found_done() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(CANCEL, Effect::SystemErrorAfter);
    let question = shop.reversal("P1", 450);
    assert_eq!(shop.channel.reverse(&question).await, Ok(Outcome::Pending));
    let answer = shop.channel.reverse(&question).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!(shop.returned(), 450);
}

#[tokio::test]
async fn a_blind_query_before_a_reversal_costs_nobody_money() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(QUERY, Effect::Blind);
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!(shop.returned(), 450);
}

#[tokio::test]
async fn an_order_that_waits_for_its_payer_is_closed() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault(PAY, Effect::Pending { ms: 60_000 });
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    for _ in 0..2 {
        let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
        assert_eq!(answer, Ok(Outcome::Done(Reversed::NeverPaid)));
    }
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn a_payment_that_succeeds_after_its_cancellation_is_not_hidden() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault(PAY, Effect::PaidAfterReverse { ms: 100 });
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
    assert_eq!(answer, Ok(Outcome::Done(Reversed::NeverPaid)));
    let news = shop
        .news(|news| {
            matches!(
                news,
                News::Payment {
                    standing: Some(Standing::Paid(_)),
                    ..
                }
            )
        })
        .await;
    assert!(matches!(news, News::Payment { no, .. } if no.as_str() == "P1"));
    assert!(shop.is_paid("P1", 450).await);
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!((shop.debits(), shop.returned()), (vec![450], 450));
}

#[tokio::test]
async fn after_the_time_for_cancelling_the_whole_amount_is_refunded_once() {
    let (shop, signed) = Shop::signed(json!({"cancel_window_s": 0})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    shop.fault(REFUND, Effect::ResetAfter);
    let question = shop.reversal("P1", 450);
    let answer = shop.channel.reverse(&question).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    for _ in 0..2 {
        let answer = shop.channel.reverse(&question).await;
        assert!(is_money_back(&answer), "{answer:?}");
    }
    let refunds = shop.books(MovementKind::Refund);
    assert_eq!(refunds.len(), 1);
    assert_eq!((refunds[0].order_no.as_str(), refunds[0].amount_fen), ("VP1", 450));
}

#[tokio::test]
async fn an_order_that_was_refunded_in_part_cannot_be_reversed() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.channel.refund(&shop.refund("P1", 450, "R1", 100)).await.unwrap();
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await.unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.code == "ACQ.CANCEL_NOT_ALLOWED"),
        "{answer:?}"
    );
    assert_eq!(shop.returned(), 100);
}
