//! Undoing payments in every state, and going on where a broken call left off.

use std::time::Duration;

use metropay_core::channel::{CallError, News, Outcome, Reversed, Standing};
use metropay_simulator::{Effect, MovementKind};
use serde_json::json;

use crate::shop::{Shop, fen, payment};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn a_paid_payment_is_undone_on_its_day_and_asking_again_says_the_same() {
    let shop = Shop::new().await;
    let payment = shop.paid(1_280).await;
    let reversal = shop.reversal(&payment);
    assert_eq!(
        shop.channel.reverse(&reversal).await,
        Ok(Outcome::Pending),
        "an accepted undo is not money back"
    );
    let reversed = shop.reversed(&reversal).await;
    let Reversed::MoneyBack {
        paid: Some(paid),
        channel_no: Some(_),
    } = &reversed
    else {
        panic!("{reversed:?}");
    };
    assert_eq!(paid.amount, fen(1_280));
    assert_eq!(shop.reversed(&reversal).await, reversed);
    assert_eq!(
        shop.books()[1..],
        [(MovementKind::Reversal, reversal.no.0.clone(), 1_280)]
    );
    let news = News::Payment {
        no: payment.no.clone(),
        standing: None,
    };
    shop.told(|told| told.as_deref() == Ok(std::slice::from_ref(&news)))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_payment_of_another_day_or_without_permission_to_undo_is_refunded_whole() {
    for undo_forbidden in [false, true] {
        let shop = Shop::new().await;
        let payment = shop.paid(1_280).await;
        if undo_forbidden {
            shop.change(json!({"no_permission": ["31"]}));
        } else {
            shop.advance(DAY);
        }
        let reversal = shop.reversal(&payment);
        let reversed = shop.reversed(&reversal).await;
        assert!(
            matches!(
                reversed,
                Reversed::MoneyBack {
                    channel_no: Some(_),
                    ..
                }
            ),
            "{reversed:?}"
        );
        assert_eq!(shop.reversed(&reversal).await, reversed);
        let number = reversal.no.0.replacen('V', "W", 1);
        assert_eq!(shop.books()[1..], [(MovementKind::Refund, number, 1_280)]);
        let news = News::Payment {
            no: payment.no.clone(),
            standing: None,
        };
        shop.told(|told| told.as_deref() == Ok(std::slice::from_ref(&news)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_undo_that_fails_after_its_acceptance_becomes_a_refund() {
    let shop = Shop::new().await;
    let payment = shop.paid(1_280).await;
    shop.fault(
        "31",
        Effect::FailLater {
            ms: 20,
            code: "62".to_owned(),
        },
    );
    let reversed = shop.reversed(&shop.reversal(&payment)).await;
    assert!(matches!(reversed, Reversed::MoneyBack { .. }), "{reversed:?}");
    assert_eq!(shop.taken_fen(), 0);
    assert_eq!(shop.books().len(), 2);
}

#[tokio::test]
async fn a_pending_payment_is_reversed_and_stays_so() {
    let shop = Shop::new().await;
    shop.fault("01", Effect::Pending { ms: 200 });
    let question = shop.deduction(1_280);
    assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Pending));
    let reversal = shop.reversal(&payment(&question));
    assert_eq!(
        shop.channel.reverse(&reversal).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(shop.reversed(&reversal).await, Reversed::NeverPaid);
    assert!(matches!(shop.settled(&payment(&question)).await, Standing::NotPaid(_)));
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn a_payment_of_unknown_outcome_is_undone_if_it_was_paid_and_closed_if_it_never_came() {
    let shop = Shop::new().await;
    shop.fault("01", Effect::ResetAfter);
    let paid = shop.deduction(1_280);
    assert!(matches!(shop.channel.deduct(&paid).await, Err(CallError::MaybeDone(_))));
    assert!(matches!(shop.settled(&payment(&paid)).await, Standing::Paid(_)));
    shop.fault("01", Effect::ResetBefore);
    let lost = shop.deduction(1_280);
    assert!(matches!(shop.channel.deduct(&lost).await, Err(CallError::MaybeDone(_))));

    let (of_paid, of_lost) = (shop.reversal(&payment(&paid)), shop.reversal(&payment(&lost)));
    // A reversal of an earlier call could be on its way, and the lost payment still arrive: neither is decided yet.
    assert_eq!(shop.channel.reverse(&of_paid).await, Ok(Outcome::Pending));
    assert_eq!(shop.channel.reverse(&of_lost).await, Ok(Outcome::Pending));
    assert_eq!(shop.taken_fen(), 1_280);
    shop.advance(Duration::from_secs(91));
    let reversed = shop.reversed(&of_paid).await;
    assert!(matches!(reversed, Reversed::MoneyBack { .. }), "{reversed:?}");
    assert_eq!(shop.reversed(&of_lost).await, Reversed::NeverPaid);
    assert_eq!(shop.taken_fen(), 0);
}

#[tokio::test]
async fn a_reversal_goes_on_where_a_broken_call_left_it_and_money_goes_back_once() {
    let broken = [
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::WrongSignature,
        Effect::SystemErrorBefore,
        Effect::SystemErrorAfter,
        Effect::HttpErrorAfter { status: 500 },
    ];
    let shop = Shop::new().await;
    for operation in ["31", "04"] {
        for effect in &broken {
            let payment = shop.paid(1_280).await;
            if operation == "04" {
                shop.fault("31", Effect::Refuse { code: "62".to_owned() });
            }
            shop.fault(operation, effect.clone());
            let reversal = shop.reversal(&payment);
            let first = shop.channel.reverse(&reversal).await;
            let open = matches!(first, Ok(Outcome::Pending) | Err(CallError::MaybeDone(_)));
            assert!(open, "{operation} {effect:?}: {first:?}");
            let reversed = shop.reversed(&reversal).await;
            assert!(
                matches!(reversed, Reversed::MoneyBack { .. }),
                "{operation} {effect:?}: {reversed:?}"
            );
            assert_eq!(shop.taken_fen(), 0, "{operation} {effect:?}");
        }
    }
    for effect in broken {
        shop.fault("01", Effect::Pending { ms: 60_000 });
        let question = shop.deduction(1_280);
        assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Pending));
        shop.fault("99", effect.clone());
        let reversal = shop.reversal(&payment(&question));
        let first = shop.channel.reverse(&reversal).await;
        let done = first == Ok(Outcome::Done(Reversed::NeverPaid));
        assert!(
            done || matches!(first, Ok(Outcome::Pending) | Err(CallError::MaybeDone(_))),
            "{effect:?}: {first:?}"
        );
        assert_eq!(shop.reversed(&reversal).await, Reversed::NeverPaid, "{effect:?}");
        assert_eq!(shop.taken_fen(), 0);
    }
}

#[tokio::test]
async fn the_worst_race_is_told_when_it_is_asked_for() {
    let shop = Shop::new().await;
    shop.fault("01", Effect::Pending { ms: 60_000 });
    shop.fault("99", Effect::PaidAfterReverse { ms: 50 });
    let question = shop.deduction(1_280);
    assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Pending));
    let reversal = shop.reversal(&payment(&question));
    assert_eq!(
        shop.channel.reverse(&reversal).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    let paid =
        |news: &News| matches!(news, News::Payment { no, standing: Some(Standing::Paid(_)) } if *no == question.no);
    shop.told(|told| told.as_ref().is_ok_and(|news| news.iter().any(paid)))
        .await
        .unwrap();
    shop.advance(Duration::from_secs(31));
    let reversed = shop.reversed(&reversal).await;
    assert!(matches!(reversed, Reversed::MoneyBack { .. }), "{reversed:?}");
    assert_eq!(shop.taken_fen(), 0);
}
