//! Deductions and questions about them.

use std::time::Duration;

use metropay_core::channel::{CallError, Hint, Outcome, Reversed, Standing};
use metropay_simulator::Effect;
use serde_json::json;

use crate::shop::{PAY, QUERY, Shop};

#[tokio::test]
async fn a_deduction_whose_answer_is_lost_or_false_is_unknown_and_the_query_tells() {
    let done: Vec<(Effect, &str)> = vec![
        (Effect::ResetAfter, "reset"),
        (Effect::HangAfter { ms: 1500 }, "silence"),
        (Effect::HttpErrorAfter { status: 502 }, "502"),
        (
            Effect::Garbage {
                body: "<html></html>".to_owned(),
            },
            "garbage",
        ),
        (Effect::HalfBody, "half"),
        (Effect::WrongSignature, "wrong signature"),
        (Effect::NoSignature, "no signature"),
        (Effect::SystemErrorAfter, "system error"),
        (Effect::WrongAmount { fen: 451 }, "wrong amount"),
        (
            Effect::WrongOrder {
                order_no: "P999".to_owned(),
            },
            "wrong order",
        ),
    ];
    let (shop, signed) = Shop::signed(json!({})).await;
    for (n, (effect, name)) in done.into_iter().enumerate() {
        let no = format!("PD{n}");
        shop.fault(PAY, effect);
        let answer = shop.channel.deduct(&shop.deduction(&no, 450, &signed.handle)).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{name}: {answer:?}");
        assert!(shop.is_paid(&no, 450).await, "{name}");
        assert_eq!(shop.debits().len(), n + 1, "{name}");
    }
}

#[tokio::test]
async fn a_deduction_that_was_lost_on_its_way_is_unknown_too_and_absent() {
    let (shop, signed) = Shop::signed(json!({})).await;
    for (n, effect) in [
        Effect::ResetBefore,
        Effect::HangBefore { ms: 1500 },
        Effect::HttpErrorBefore { status: 503 },
        Effect::SystemErrorBefore,
        Effect::Refuse {
            code: "SOMETHING_NEW".to_owned(),
        },
    ]
    .into_iter()
    .enumerate()
    {
        let (no, name) = (format!("PN{n}"), format!("{effect:?}"));
        shop.fault(PAY, effect);
        let answer = shop.channel.deduct(&shop.deduction(&no, 450, &signed.handle)).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{name}: {answer:?}");
        let standing = shop.channel.query_payment(&shop.payment(&no, 450)).await;
        assert_eq!(standing, Ok(Standing::Absent), "{name}");
        // Cancelled, the number can never be paid; asked twice, it stays so.
        for _ in 0..2 {
            let answer = shop.channel.reverse(&shop.reversal(&no, 450)).await;
            assert_eq!(answer, Ok(Outcome::Done(Reversed::NeverPaid)), "{name}");
        }
        let late = shop
            .channel
            .deduct(&shop.deduction(&no, 450, &signed.handle))
            .await
            .unwrap();
        assert!(!matches!(late, Outcome::Done(_)), "{name}: {late:?}");
    }
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn what_is_under_way_is_pending_and_ends_as_the_gateway_ends_it() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault(PAY, Effect::Pending { ms: 200 });
    let answer = shop.channel.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert_eq!(answer, Ok(Outcome::Pending));
    assert_eq!(
        shop.channel.query_payment(&shop.payment("P1", 450)).await,
        Ok(Standing::Pending)
    );
    let code = "BUYER_BALANCE_NOT_ENOUGH".to_owned();
    shop.fault(PAY, Effect::FailLater { ms: 200, code });
    let answer = shop.channel.deduct(&shop.deduction("P2", 450, &signed.handle)).await;
    assert_eq!(answer, Ok(Outcome::Pending));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(shop.is_paid("P1", 450).await);
    let standing = shop.channel.query_payment(&shop.payment("P2", 450)).await;
    assert!(matches!(&standing, Ok(Standing::NotPaid(_))), "{standing:?}");
    assert_eq!(shop.debits(), [450]);
}

#[tokio::test]
async fn a_plain_refusal_is_final_and_nothing_was_debited() {
    let (shop, signed) = Shop::signed(json!({"single_max_fen": 400})).await;
    let answer = shop
        .channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.hint == Hint::Funds),
        "{answer:?}"
    );
    let code = "BUYER_BALANCE_NOT_ENOUGH".to_owned();
    shop.fault(PAY, Effect::Refuse { code });
    let answer = shop
        .channel
        .deduct(&shop.deduction("P2", 300, &signed.handle))
        .await
        .unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.hint == Hint::Funds),
        "{answer:?}"
    );
    // The rate limit is no refusal: nothing was done, and nothing was decided.
    shop.fault(
        PAY,
        Effect::Refuse {
            code: "isv.app-call-limited".to_owned(),
        },
    );
    let answer = shop.channel.deduct(&shop.deduction("P3", 300, &signed.handle)).await;
    assert_eq!(answer, Ok(Outcome::Pending));
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn a_repeat_that_is_told_of_its_success_is_paid_once() {
    let (shop, signed) = Shop::signed(json!({"repeat_says_has_success": true})).await;
    let question = shop.deduction("P1", 450, &signed.handle);
    for _ in 0..2 {
        let answer = shop.channel.deduct(&question).await;
        assert!(matches!(answer, Ok(Outcome::Done(_))), "{answer:?}");
    }
    assert_eq!(shop.debits(), [450]);
}

#[tokio::test]
async fn a_query_that_is_false_or_broken_proves_nothing() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    for effect in [
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::WrongAmount { fen: 1 },
        Effect::WrongOrder {
            order_no: "P999".to_owned(),
        },
        Effect::SystemErrorBefore,
        Effect::ResetBefore,
        Effect::HalfBody,
    ] {
        let name = format!("{effect:?}");
        shop.fault(QUERY, effect);
        let standing = shop.channel.query_payment(&shop.payment("P1", 450)).await;
        assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{name}: {standing:?}");
    }
    // The gateway may be blind for a moment; that it says so is all the adapter can tell.
    shop.fault(QUERY, Effect::Blind);
    assert_eq!(
        shop.channel.query_payment(&shop.payment("P1", 450)).await,
        Ok(Standing::Absent)
    );
    assert!(shop.is_paid("P1", 450).await);
}
