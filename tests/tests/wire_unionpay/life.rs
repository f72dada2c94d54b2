//! What goes well, and what is refused as it should be.

use std::time::Duration;

use metropay_core::channel::{ContractStanding, EndedBy, Hint, News, Outcome, RefundStanding, Reversed, Standing};
use metropay_simulator::Effect;
use serde_json::json;

use crate::shop::{Shop, fen, payment, refund_of, token_of};

#[tokio::test]
async fn a_contract_lives_from_its_opening_over_payment_and_refunds_to_its_end() {
    let shop = Shop::new().await;
    let contract = shop.opened().await;
    let payment = shop.paid_by(&contract, 1_280).await;
    for part in [300, 500, 480] {
        let refund = shop.refund(&payment, part);
        assert_eq!(shop.channel.query_refund(&refund).await, Ok(RefundStanding::Absent));
        assert_eq!(shop.channel.refund(&refund).await, Ok(Outcome::Pending));
        assert_eq!(refund_of(&shop.refunded(&refund).await), Some(fen(part)));
        let is_it = |news: &News| matches!(news, News::Refund { no, standing: Some(RefundStanding::Refunded(_)) } if *no == refund.no);
        let told = shop
            .told(|told| told.as_ref().is_ok_and(|news| news.iter().any(is_it)))
            .await;
        assert!(told.is_ok());
    }
    let too_much = shop.channel.refund(&shop.refund(&payment, 1)).await;
    assert!(
        matches!(&too_much, Ok(Outcome::Refused(why)) if why.code == "36"),
        "{too_much:?}"
    );
    assert_eq!(shop.taken_fen(), 0);

    for _ in 0..2 {
        assert_eq!(shop.channel.close_contract(&contract).await, Ok(Outcome::Done(())));
    }
    let ended = ContractStanding::Ended {
        by: EndedBy::Channel,
        at: None,
    };
    assert_eq!(shop.channel.query_contract(&contract).await, Ok(ended));
    let mut question = shop.deduction(100);
    question.contract_handle = contract.handle.unwrap_or_default();
    let gone = shop.channel.deduct(&question).await;
    assert!(
        matches!(&gone, Ok(Outcome::Refused(why)) if why.hint == Hint::ContractGone),
        "{gone:?}"
    );
}

#[tokio::test]
async fn a_user_who_declines_leaves_nothing_that_could_be_used_or_must_be_ended() {
    let shop = Shop::new().await;
    let contract = shop.contract();
    shop.sign(&contract, false).await;
    assert_eq!(
        shop.channel.query_contract(&contract).await,
        Ok(ContractStanding::Pending)
    );
    shop.advance(Duration::from_secs(3 * 3_600));
    assert_eq!(shop.channel.close_contract(&contract).await, Ok(Outcome::Done(())));
}

#[tokio::test]
async fn a_contract_whose_notification_was_lost_is_found_by_asking_and_can_be_ended() {
    let shop = Shop::new().await;
    let contract = shop.contract();
    shop.fault("notify", Effect::NoticeLost);
    shop.sign(&contract, true).await;
    let standing = shop.channel.query_contract(&contract).await.unwrap();
    assert!(token_of(&standing).is_some(), "{standing:?}");
    assert_eq!(shop.channel.close_contract(&contract).await, Ok(Outcome::Done(())));
    assert_eq!(
        shop.channel.close_contract(&contract).await,
        Ok(Outcome::Pending),
        "no token is left to be ended"
    );
}

#[tokio::test]
async fn a_discount_is_told_as_the_coupons_part_by_query_and_notification() {
    let shop = Shop::with(json!({"discount_fen": 100})).await;
    let payment = shop.paid(1_280).await;
    let Ok(Standing::Paid(paid)) = shop.channel.query_payment(&payment).await else {
        panic!("paid");
    };
    assert_eq!((paid.amount, paid.coupon), (fen(1_280), fen(100)));
    let news = News::Payment {
        no: payment.no.clone(),
        standing: Some(Standing::Paid(paid)),
    };
    shop.told(|told| told.as_deref() == Ok(std::slice::from_ref(&news)))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_payment_sent_again_is_debited_once() {
    let shop = Shop::new().await;
    let question = shop.deduction(1_280);
    for _ in 0..3 {
        assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Pending));
    }
    assert!(matches!(shop.settled(&payment(&question)).await, Standing::Paid(_)));
    assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Pending));
    assert_eq!(shop.books().len(), 1);
}

#[tokio::test]
async fn a_refund_of_everything_sent_again_is_never_called_refused() {
    let shop = Shop::new().await;
    let payment = shop.paid(1_280).await;
    let refund = shop.refund(&payment, 1_280);
    for _ in 0..3 {
        assert_eq!(shop.channel.refund(&refund).await, Ok(Outcome::Pending));
    }
    assert_eq!(refund_of(&shop.refunded(&refund).await), Some(fen(1_280)));
    assert_eq!(shop.channel.refund(&refund).await, Ok(Outcome::Pending));
    assert_eq!(shop.taken_fen(), 0);
    assert_eq!(shop.books().len(), 2);
}

#[tokio::test]
async fn a_payment_that_fails_after_its_acceptance_is_told_as_failed() {
    let shop = Shop::new().await;
    shop.fault(
        "01",
        Effect::FailLater {
            ms: 30,
            code: "64".to_owned(),
        },
    );
    let question = shop.deduction(1_280);
    assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Pending));
    let standing = shop.settled(&payment(&question)).await;
    assert!(
        matches!(&standing, Standing::NotPaid(why) if why.code == "64" && why.hint == Hint::Funds),
        "{standing:?}"
    );
    let failed = News::Payment {
        no: question.no.clone(),
        standing: Some(standing),
    };
    shop.told(|told| told.as_deref() == Ok(std::slice::from_ref(&failed)))
        .await
        .unwrap();
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn a_refusal_is_final_and_the_order_says_the_same_when_it_is_asked_for() {
    let shop = Shop::with(json!({"limit_fen": 1_000})).await;
    let question = shop.deduction(1_280);
    let refused = shop.channel.deduct(&question).await;
    assert!(
        matches!(&refused, Ok(Outcome::Refused(why)) if why.code == "33"),
        "{refused:?}"
    );
    let standing = shop.channel.query_payment(&payment(&question)).await;
    assert!(
        matches!(&standing, Ok(Standing::NotPaid(why)) if why.code == "33"),
        "{standing:?}"
    );
    assert_eq!(
        shop.reversed(&shop.reversal(&payment(&question))).await,
        Reversed::NeverPaid
    );
    assert!(shop.books().is_empty());
}
