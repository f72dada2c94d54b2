//! Money back in parts.

use std::time::Duration;

use metropay_core::channel::{CallError, News, Outcome, RefundStanding};
use metropay_simulator::Effect;
use serde_json::json;

use crate::shop::{REFUND, Shop, money};

#[tokio::test]
async fn a_payment_goes_back_in_parts_and_its_coupons_last() {
    let (shop, signed) = Shop::signed(json!({"coupon_fen": 30, "merchant_coupon_fen": 20})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    for (refund, back, coupon) in [("R1", 100, 0), ("R2", 200, 0), ("R3", 150, 50)] {
        let question = shop.refund("P1", 450, refund, back);
        for _ in 0..2 {
            let answer = shop.channel.refund(&question).await.unwrap();
            let Outcome::Done(refunded) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!((refunded.amount, refunded.coupon), (money(back), money(coupon)));
            let known = shop.channel.query_refund(&question).await;
            assert_eq!(known, Ok(RefundStanding::Refunded(refunded)));
        }
        let news = shop
            .news(|news| matches!(news, News::Refund { no, .. } if no.as_str() == refund))
            .await;
        assert!(matches!(news, News::Refund { standing: None, .. }), "{news:?}");
    }
    assert_eq!(shop.returned(), 450);
    assert!(
        shop.is_paid("P1", 450).await,
        "a payment that all went back was paid all the same"
    );
    let more = shop.refund("P1", 450, "R4", 1);
    let answer = shop.channel.refund(&more).await;
    assert_eq!(
        answer,
        Ok(Outcome::Pending),
        "it might have been this one that closed the trade"
    );
    shop.clock.advance(Duration::from_secs(180));
    let answer = shop.channel.refund(&more).await.unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.code == "ACQ.TRADE_HAS_CLOSE"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_or_false_is_given_once() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 4_500, &signed.handle))
        .await
        .unwrap();
    for (n, effect) in [
        Effect::ResetAfter,
        Effect::ResetBefore,
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::SystemErrorAfter,
        Effect::SystemErrorBefore,
        Effect::WrongAmount { fen: 1 },
        Effect::WrongOrder {
            order_no: "P999".to_owned(),
        },
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{effect:?}");
        let question = shop.refund("P1", 4_500, &format!("R{n}"), 100);
        shop.fault(REFUND, effect);
        let answer = shop.channel.refund(&question).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{name}: {answer:?}");
        let again = shop.channel.refund(&question).await;
        assert!(
            matches!(&again, Ok(Outcome::Done(refunded)) if refunded.amount == money(100)),
            "{name}: {again:?}"
        );
        let known = shop.channel.query_refund(&question).await;
        assert!(matches!(known, Ok(RefundStanding::Refunded(_))), "{name}: {known:?}");
        assert_eq!(shop.returned(), 100 * (n as u64 + 1), "{name}");
    }
}

#[tokio::test]
async fn a_refund_under_way_is_pending_and_one_that_never_came_is_absent_in_time() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(REFUND, Effect::Pending { ms: 200 });
    let running = shop.refund("P1", 450, "R1", 100);
    assert_eq!(shop.channel.refund(&running).await, Ok(Outcome::Pending));
    assert_eq!(shop.channel.query_refund(&running).await, Ok(RefundStanding::Pending));
    tokio::time::sleep(Duration::from_millis(400)).await;
    let known = shop.channel.query_refund(&running).await;
    assert!(matches!(known, Ok(RefundStanding::Refunded(_))), "{known:?}");

    let never = shop.refund("P1", 450, "R2", 100);
    assert_eq!(shop.channel.query_refund(&never).await, Ok(RefundStanding::Pending));
    shop.clock.advance(Duration::from_secs(180));
    assert_eq!(shop.channel.query_refund(&never).await, Ok(RefundStanding::Absent));
    let sent = shop.channel.refund(&never).await;
    assert!(matches!(sent, Ok(Outcome::Done(_))), "{sent:?}");
    assert_eq!(shop.returned(), 200);
}

#[tokio::test]
async fn another_amount_under_the_same_number_is_no_second_refund() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.channel.refund(&shop.refund("P1", 450, "R1", 100)).await.unwrap();
    let answer = shop.channel.refund(&shop.refund("P1", 450, "R1", 200)).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    assert_eq!(shop.returned(), 100);
}
