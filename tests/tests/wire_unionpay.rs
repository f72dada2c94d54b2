//! The UnionPay adapter against the simulated gateway, over the real wire. The gateway's own books say who is right.

use std::time::Duration;

use metropay_core::channel::{
    CallError, ContractKey, ContractRef, ContractStanding, EndedBy, Hint, News, NoticeRefused, Outcome, PaymentRef,
    RefundStanding, Reversed, Standing,
};
use metropay_core::money::Fen;
use metropay_simulator::{Effect, Gateway, MovementKind};
use serde_json::json;

use shop::{Shop, eventually, payment, token_of};

#[cfg(test)]
#[path = "wire_unionpay/shop.rs"]
mod shop;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn fen(fen: u64) -> Fen {
    Fen::new(fen).unwrap_or_default()
}

fn refund_of(standing: &RefundStanding) -> Option<Fen> {
    match standing {
        RefundStanding::Refunded(refunded) => Some(refunded.amount),
        _ => None,
    }
}

/// Opens a contract on the gateway's page, and returns it as notification and query tell it.
async fn opened(shop: &Shop) -> ContractRef {
    let mut contract = shop.contract();
    assert_eq!(
        shop.channel.query_contract(&contract).await,
        Ok(ContractStanding::Pending)
    );
    shop.sign(&contract, true).await;
    let told = shop
        .told(|told| matches!(told.as_deref(), Ok([News::Contract { .. }])))
        .await;
    let Ok(
        [
            News::Contract {
                contract: key,
                standing: Some(ContractStanding::Active(signed)),
            },
        ],
    ) = told.as_deref()
    else {
        panic!("{told:?}");
    };
    assert_eq!(key, &ContractKey::No(contract.no.clone()));
    assert_eq!(signed.display.as_deref(), Some("尾号0018"));
    assert!(signed.expires_at > signed.signed_at);
    let queried = shop.channel.query_contract(&contract).await;
    assert_eq!(queried.ok().as_ref().and_then(token_of), Some(signed.handle.as_str()));
    contract.handle = Some(signed.handle.clone());
    contract
}

/// Pays by a contract; query and notification tell the same.
async fn paid_by(shop: &Shop, contract: &ContractRef, amount: u64) -> PaymentRef {
    let mut question = shop.deduction(amount);
    question.contract_handle = contract.handle.clone().unwrap_or_default();
    assert_eq!(
        shop.channel.deduct(&question).await,
        Ok(Outcome::Pending),
        "accepted is not paid"
    );
    let mut payment = payment(&question);
    let Standing::Paid(paid) = shop.settled(&payment).await else {
        panic!("paid");
    };
    assert_eq!((paid.amount, paid.coupon), (fen(amount), Fen::ZERO));
    let told = shop
        .told(|told| matches!(told.as_deref(), Ok([News::Payment { .. }])))
        .await;
    let news = News::Payment {
        no: question.no.clone(),
        standing: Some(Standing::Paid(paid.clone())),
    };
    assert_eq!(told, Ok(vec![news]));
    payment.channel_no = Some(paid.channel_no);
    payment
}

#[tokio::test]
async fn a_contract_lives_from_its_opening_over_payment_and_refunds_to_its_end() {
    let shop = Shop::new().await;
    let contract = opened(&shop).await;
    let payment = paid_by(&shop, &contract, 1_280).await;
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
async fn a_refund_whose_answer_is_lost_is_found_or_sent_again() {
    let shop = Shop::new().await;
    let payment = shop.paid(1_280).await;
    for (effect, standing) in [
        (Effect::ResetAfter, Some(fen(300))),
        (Effect::ResetBefore, None),
        (Effect::SystemErrorAfter, Some(fen(300))),
        (Effect::SystemErrorBefore, None),
        (Effect::WrongSignature, Some(fen(300))),
    ] {
        let refund = shop.refund(&payment, 300);
        shop.fault("04", effect.clone());
        let sent = shop.channel.refund(&refund).await;
        assert!(
            matches!(sent, Ok(Outcome::Pending) | Err(CallError::MaybeDone(_))),
            "{effect:?}: {sent:?}"
        );
        let found = shop.refunded(&refund).await;
        assert_eq!(refund_of(&found), standing, "{effect:?}: {found:?}");
        if standing.is_none() {
            assert_eq!(found, RefundStanding::Absent);
        }
    }
    assert_eq!(shop.taken_fen(), 1_280 - 3 * 300);
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

#[tokio::test]
async fn whatever_breaks_on_the_wire_leaves_the_outcome_open_and_the_query_finds_the_books_truth() {
    let shop = Shop::new().await;
    let unknown = [
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::HangBefore { ms: 2_500 },
        Effect::HangAfter { ms: 2_500 },
        Effect::HttpErrorBefore { status: 502 },
        Effect::HttpErrorAfter { status: 500 },
        Effect::Garbage {
            body: "Invalid request.".to_owned(),
        },
        Effect::Garbage { body: String::new() },
        Effect::HalfBody,
        Effect::WrongAmount { fen: 1 },
        Effect::WrongOrder {
            order_no: "MCP20250301123456000001".to_owned(),
        },
        Effect::WrongMerchant {
            account: "700000000000001".to_owned(),
        },
    ];
    let pending = [
        Effect::SystemErrorBefore,
        Effect::SystemErrorAfter,
        Effect::Pending { ms: 100 },
        Effect::Delay { ms: 50 },
    ];
    let cases = unknown.into_iter().map(|effect| (effect, false));
    for (effect, clear) in cases.chain(pending.into_iter().map(|effect| (effect, true))) {
        let question = shop.deduction(1_280);
        shop.fault("01", effect.clone());
        match shop.channel.deduct(&question).await {
            Ok(Outcome::Pending) if clear => {}
            Err(CallError::MaybeDone(_)) if !clear => {}
            other => panic!("{effect:?}: {other:?}"),
        }
        let standing = shop.settled(&payment(&question)).await;
        let debited = shop.books().iter().any(|(_, order_no, _)| *order_no == question.no.0);
        match standing {
            Standing::Paid(_) => assert!(debited, "{effect:?}"),
            Standing::Absent => assert!(!debited, "{effect:?}"),
            other => panic!("{effect:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_believed_tells_nothing() {
    let shop = Shop::new().await;
    let payment = shop.paid(1_280).await;
    for effect in [
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::ResetBefore,
        Effect::SystemErrorBefore,
        Effect::HalfBody,
        Effect::WrongAmount { fen: 1 },
        Effect::WrongOrder {
            order_no: "MCP20250301123456000001".to_owned(),
        },
        Effect::WrongMerchant {
            account: "700000000000001".to_owned(),
        },
    ] {
        shop.fault("00", effect.clone());
        let standing = shop.channel.query_payment(&payment).await;
        assert!(
            matches!(standing, Err(CallError::MaybeDone(_))),
            "{effect:?}: {standing:?}"
        );
    }
    shop.fault("00", Effect::Blind);
    assert_eq!(shop.channel.query_payment(&payment).await, Ok(Standing::Absent));
    assert!(matches!(
        shop.channel.query_payment(&payment).await,
        Ok(Standing::Paid(_))
    ));
}

#[tokio::test]
async fn a_gateway_that_signs_with_anothers_certificate_is_believed_in_nothing() {
    let shop = Shop::new().await;
    let settled = shop.paid(1_280).await;
    for signer in ["merchant_cert", "wrong_cn", "other_ca", "expired"] {
        shop.change(json!({"signer": signer}));
        shop.forget();
        let question = shop.deduction(100);
        let deducted = shop.channel.deduct(&question).await;
        assert!(
            matches!(deducted, Err(CallError::MaybeDone(_))),
            "{signer}: {deducted:?}"
        );
        let standing = shop.channel.query_payment(&settled).await;
        assert!(
            matches!(standing, Err(CallError::MaybeDone(_))),
            "{signer}: {standing:?}"
        );
        let reversed = shop.channel.reverse(&shop.reversal(&settled)).await;
        assert!(
            matches!(reversed, Err(CallError::MaybeDone(_))),
            "{signer}: {reversed:?}"
        );
        let closed = shop.channel.close_contract(&shop.contract()).await;
        assert!(matches!(closed, Err(CallError::MaybeDone(_))), "{signer}: {closed:?}");
        let refused = shop.told(|_| true).await;
        assert!(
            matches!(refused, Err(NoticeRefused::NotGenuine(_))),
            "{signer}: {refused:?}"
        );
        shop.change(json!({"signer": "gateway"}));
        assert!(matches!(shop.settled(&payment(&question)).await, Standing::Paid(_)));
    }
    shop.change(json!({"cn_name_check": false}));
    let standing = shop.channel.query_payment(&settled).await;
    assert!(
        matches!(standing, Err(CallError::MaybeDone(_))),
        "the test gateway's name: {standing:?}"
    );
}

#[tokio::test]
async fn an_adapter_with_another_key_is_refused_and_nothing_is_debited() {
    let shop = Shop::new().await;
    let other = shop.sim.frame().open_account(Gateway::Unionpay, &json!({})).unwrap();
    let stranger = shop.with_the_key_of(&other);
    let question = shop.deduction(1_280);
    let refused = stranger.deduct(&question).await;
    let Ok(Outcome::Refused(why)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((why.code.as_str(), why.hint), ("11", Hint::Setup));
    assert!(matches!(
        stranger.query_payment(&payment(&question)).await,
        Err(CallError::MaybeDone(_))
    ));
    assert_eq!(
        shop.channel.query_payment(&payment(&question)).await,
        Ok(Standing::Absent)
    );
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let shop = Shop::new().await;
    let nowhere = shop.with_the_gateway_at("http://127.0.0.1:1");
    let sent = nowhere.deduct(&shop.deduction(100)).await;
    assert!(matches!(sent, Err(CallError::NotSent(_))), "{sent:?}");
}

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

#[tokio::test]
async fn notifications_that_lie_are_refused_and_those_that_come_again_say_the_same() {
    let shop = Shop::new().await;
    shop.fault("notify", Effect::NoticeForged);
    let forged = shop.paid(100).await;
    let refused = shop.told(Result::is_err).await;
    assert!(matches!(refused, Err(NoticeRefused::NotGenuine(_))), "{refused:?}");
    assert!(matches!(
        shop.channel.query_payment(&forged).await,
        Ok(Standing::Paid(_))
    ));

    shop.fault(
        "notify",
        Effect::WrongMerchant {
            account: "700000000000001".to_owned(),
        },
    );
    shop.paid(200).await;
    let refused = shop.told(|told| matches!(told, Err(NoticeRefused::Mismatch(_)))).await;
    assert!(refused.is_err());

    shop.fault("notify", Effect::NoticeRepeated { times: 2 });
    let repeated = shop.paid(300).await;
    let is_it = |news: &News| matches!(news, News::Payment { no, .. } if *no == repeated.no);
    eventually(async || {
        let attempts = shop.sim.frame().notices.attempts();
        let delivered = attempts
            .iter()
            .filter(|attempt| attempt.order_no == repeated.no.0 && attempt.acknowledged);
        (delivered.count() == 3).then_some(())
    })
    .await;
    let news = shop
        .told(|told| told.as_ref().is_ok_and(|news| news.iter().any(is_it)))
        .await
        .unwrap();
    let Ok(Standing::Paid(paid)) = shop.channel.query_payment(&repeated).await else {
        panic!("paid");
    };
    assert_eq!(
        news,
        [News::Payment {
            no: repeated.no.clone(),
            standing: Some(Standing::Paid(paid))
        }]
    );
}
