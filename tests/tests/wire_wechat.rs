//! The WeChat Pay adapter against the simulated gateway, over the real wire. The two share no code, so a mistake in either
//! shows here.

#[path = "wire_wechat/world.rs"]
mod world;

use std::time::Duration;

use metropay_core::channel::{
    CallError, ContractRef, ContractStanding, EndedBy, Hint, News, NoticeRefused, Outcome, PaymentRef, RefundStanding,
    Reversed, Standing,
};
use metropay_core::clock::Clock;
use metropay_core::id::ContractNo;
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use metropay_simulator::{Effect, Gateway, MovementKind};
use serde_json::json;

use crate::world::{World, amount, build, is_unknown, payment, sign_question, until, with};

const SIGN_TYPES: [&str; 2] = ["MD5", "HMAC-SHA256"];

#[tokio::test]
async fn a_contract_lives_from_its_signing_to_its_end() {
    for mode in ["direct", "provider"] {
        for sign_type in SIGN_TYPES {
            let world = World::new(mode, sign_type).await;
            let contract = world.signed("li").await;
            assert_eq!(
                world.channel.contract_scope(),
                format!(
                    "wechat:{}:{}",
                    world.config["mch_id"].as_str().unwrap(),
                    world.config["plan_id"].as_str().unwrap()
                )
            );

            let payment = world.paid(&contract, 1_280).await;
            let told = world
                .news(|news| match news {
                    News::Payment {
                        no,
                        standing: Some(Standing::Paid(paid)),
                    } if *no == payment.no => Some(paid.clone()),
                    _ => None,
                })
                .await;
            assert_eq!(world.until_paid(&payment).await, told);
            assert_eq!((told.amount, told.coupon), (amount(1_280), amount(50)));
            assert!(world.clock.now().since(told.paid_at) < Duration::from_secs(60));

            given_back_in_two_parts(&world, &payment).await;
            ended(&world, &contract).await;
        }
    }
}

/// Two partial refunds: the coupon goes back in proportion, and no fen more than was paid.
async fn given_back_in_two_parts(world: &World, payment: &PaymentRef) {
    let mut coupons = 0;
    for part in [300, 980] {
        let refund = world.refund(payment, part);
        assert_eq!(world.channel.refund(&refund).await, Ok(Outcome::Pending));
        let refunded = world.until_refunded(&refund).await;
        assert_eq!(refunded.amount, amount(part));
        coupons += refunded.coupon.get();
        world
            .news(|news| matches!(news, News::Refund { no, .. } if *no == refund.no).then_some(()))
            .await;
    }
    assert_eq!(coupons, 50);
    let too_much = world.channel.refund(&world.refund(payment, 1)).await;
    assert!(matches!(too_much, Ok(Outcome::Refused(_))), "{too_much:?}");
    let expected = [
        (MovementKind::Debit, 1_280),
        (MovementKind::Refund, 300),
        (MovementKind::Refund, 980),
    ];
    assert_eq!(world.moved(payment), expected);
}

/// A contract that is ended is told of, can be ended again, and cannot be deducted from.
async fn ended(world: &World, contract: &ContractRef) {
    assert_eq!(world.channel.close_contract(contract).await, Ok(Outcome::Done(())));
    assert_eq!(world.channel.close_contract(contract).await, Ok(Outcome::Done(())));
    let by = world
        .news(|news| match news {
            News::Contract {
                standing: Some(ContractStanding::Ended { by, at: Some(_) }),
                ..
            } => Some(*by),
            _ => None,
        })
        .await;
    assert_eq!(by, EndedBy::Platform);
    let standing = world.channel.query_contract(contract).await;
    assert!(
        matches!(
            standing,
            Ok(ContractStanding::Ended {
                by: EndedBy::Platform,
                ..
            })
        ),
        "{standing:?}"
    );
    let refused = world.channel.deduct(&world.deduction(contract, 100)).await;
    assert!(
        matches!(&refused, Ok(Outcome::Refused(r)) if r.hint == Hint::ContractGone),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_contract_can_be_signed_from_a_browser_and_from_a_page_inside_wechat() {
    for (entry, sign_type) in [
        ("h5entrustweb", "HMAC-SHA256"),
        ("h5entrustweb", "MD5"),
        ("entrustweb", "HMAC-SHA256"),
    ] {
        let over = json!({"sign_entry": entry, "sign_type": sign_type});
        let world = World::with_config("provider", &over).await;
        let contract = world.signed("wang").await;
        let payment = world.paid(&contract, 100).await;
        assert_eq!(world.moved(&payment), [(MovementKind::Debit, 100)]);
    }
}

#[tokio::test]
async fn a_contract_that_was_not_signed_is_pending_and_cannot_be_deducted_from() {
    let world = World::new("direct", "MD5").await;
    let contract = ContractRef {
        no: ContractNo::fresh(world.clock.as_ref(), &SystemRandom),
        asked_at: world.clock.now(),
        handle: None,
    };
    let page = world.channel.sign_contract(&sign_question(&contract)).await.unwrap();
    assert!(matches!(page, Outcome::Done(_)), "{page:?}");
    assert_eq!(
        world.channel.query_contract(&contract).await,
        Ok(ContractStanding::Pending)
    );
    let mut unsigned = contract.clone();
    unsigned.handle = Some("202503016600000001".to_owned());
    let refused = world.channel.deduct(&world.deduction(&unsigned, 100)).await.unwrap();
    assert!(
        matches!(&refused, Outcome::Refused(r) if r.hint == Hint::ContractGone),
        "{refused:?}"
    );
    world.advance(Duration::from_secs(3 * 3_600));
    let standing = world.channel.query_contract(&contract).await.unwrap();
    assert!(
        matches!(
            standing,
            ContractStanding::Ended {
                by: EndedBy::Expiry,
                ..
            }
        ),
        "{standing:?}"
    );
}

#[tokio::test]
async fn a_repeated_deduction_is_debited_once() {
    let world = World::new("provider", "HMAC-SHA256").await;
    let contract = world.signed("li").await;
    let deduction = world.deduction(&contract, 600);
    world.fault("pappayapply", Effect::Pending { ms: 2_000 });
    assert_eq!(world.channel.deduct(&deduction).await, Ok(Outcome::Pending));
    assert_eq!(world.channel.deduct(&deduction).await, Ok(Outcome::Pending));
    let paid = world.until_paid(&payment(&deduction)).await;
    assert_eq!(world.channel.deduct(&deduction).await, Ok(Outcome::Done(paid)));
    assert_eq!(world.moved(&payment(&deduction)), [(MovementKind::Debit, 600)]);
}

#[tokio::test]
async fn a_paid_order_is_undone_by_one_refund_however_often_it_is_asked_for() {
    for mode in ["direct", "provider"] {
        let world = World::new(mode, "MD5").await;
        let contract = world.signed("li").await;
        let payment = world.paid(&contract, 600).await;
        let reversal = world.reversal(&payment);
        world.fault("refund", Effect::Pending { ms: 2_000 });
        assert_eq!(world.channel.reverse(&reversal).await, Ok(Outcome::Pending));
        assert_eq!(world.channel.reverse(&reversal).await, Ok(Outcome::Pending));
        let reversed = world.until_reversed(&reversal).await;
        let Reversed::MoneyBack {
            paid: Some(paid),
            channel_no: Some(_),
        } = reversed
        else {
            panic!("{reversed:?}")
        };
        assert_eq!(paid.amount, payment.amount);
        assert!(matches!(world.channel.reverse(&reversal).await, Ok(Outcome::Done(_))));
        assert_eq!(
            world.moved(&payment),
            [(MovementKind::Debit, 600), (MovementKind::Refund, 600)]
        );
    }
}

#[tokio::test]
async fn an_order_that_hangs_is_closed_after_five_minutes_and_never_paid() {
    let world = World::new("provider", "HMAC-SHA256").await;
    let contract = world.signed("li").await;
    let deduction = world.deduction(&contract, 600);
    world.fault("pappayapply", Effect::Pending { ms: 3_600_000 });
    assert_eq!(world.channel.deduct(&deduction).await, Ok(Outcome::Pending));
    let reversal = world.reversal(&payment(&deduction));
    assert_eq!(world.channel.reverse(&reversal).await, Ok(Outcome::Pending));
    world.advance(Duration::from_secs(290));
    assert_eq!(world.channel.reverse(&reversal).await, Ok(Outcome::Pending));
    world.advance(Duration::from_secs(20));
    assert_eq!(world.until_reversed(&reversal).await, Reversed::NeverPaid);
    // The number is used up: whoever sends it again is refused.
    let again = world.channel.deduct(&deduction).await.unwrap();
    assert!(matches!(again, Outcome::Refused(_)), "{again:?}");
    world.advance(Duration::from_secs(7_200));
    assert_eq!(
        world.channel.reverse(&reversal).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    assert!(world.moved(&payment(&deduction)).is_empty());
}

#[tokio::test]
async fn an_order_that_never_arrived_was_never_paid_once_its_time_is_over() {
    let world = World::new("direct", "MD5").await;
    let contract = world.signed("li").await;
    let deduction = world.deduction(&contract, 600);
    world.fault("pappayapply", Effect::ResetBefore);
    assert!(is_unknown(&world.channel.deduct(&deduction).await));
    let reversal = world.reversal(&payment(&deduction));
    assert_eq!(world.channel.reverse(&reversal).await, Ok(Outcome::Pending));
    world.advance(Duration::from_secs(61));
    assert_eq!(
        world.channel.reverse(&reversal).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
}

#[tokio::test]
async fn a_deduction_that_fails_is_told_with_its_reason() {
    let world = World::new("provider", "MD5").await;
    let contract = world.signed("li").await;
    for (code, hint) in [
        ("NOTENOUGH", Hint::Funds),
        ("USER_ACCOUNT_ABNORMAL", Hint::User),
        ("TRADE_ERROR", Hint::None),
    ] {
        let deduction = world.deduction(&contract, 600);
        let effect = Effect::FailLater {
            ms: 50,
            code: code.to_owned(),
        };
        world.fault("pappayapply", effect);
        assert_eq!(world.channel.deduct(&deduction).await, Ok(Outcome::Pending));
        let payment = payment(&deduction);
        let refusal = until(|| async {
            match world.channel.query_payment(&payment).await {
                Ok(Standing::NotPaid(refusal)) => Some(refusal),
                _ => None,
            }
        })
        .await;
        assert_eq!(refusal.hint, hint, "{code}");
        // A notice of failure is only a reason to query.
        let about =
            |news: &News| matches!(news, News::Payment { no, standing: None } if *no == payment.no).then_some(());
        world.news(about).await;
        let again = world.channel.deduct(&deduction).await.unwrap();
        assert!(matches!(again, Outcome::Refused(_)), "{again:?}");
        assert_eq!(
            world.until_reversed(&world.reversal(&payment)).await,
            Reversed::NeverPaid
        );
    }
}

/// All that can happen to the answer of a money call; none of it says that no money moved.
fn answer_faults() -> Vec<Effect> {
    vec![
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::HangBefore { ms: 3_000 },
        Effect::HangAfter { ms: 3_000 },
        Effect::HttpErrorBefore { status: 502 },
        Effect::HttpErrorAfter { status: 500 },
        Effect::Garbage {
            body: "<html>劫持</html>".to_owned(),
        },
        Effect::HalfBody,
        Effect::SystemErrorBefore,
        Effect::SystemErrorAfter,
        Effect::WrongMerchant {
            account: "1999999999".to_owned(),
        },
        Effect::Refuse {
            code: "A_CODE_NOBODY_KNOWS".to_owned(),
        },
    ]
}

#[tokio::test]
async fn whatever_happens_to_a_deductions_answer_it_is_never_called_refused_and_debited_once() {
    for (mode, sign_type) in [("direct", "MD5"), ("provider", "HMAC-SHA256")] {
        let world = World::new(mode, sign_type).await;
        let contract = world.signed("li").await;
        for effect in answer_faults() {
            let deduction = world.deduction(&contract, 600);
            world.fault("pappayapply", effect.clone());
            let called = world.channel.deduct(&deduction).await;
            let system_error_after = effect == Effect::SystemErrorAfter;
            // The order was asked for after the system error, and the channel knew it.
            let asked = system_error_after && matches!(called, Ok(Outcome::Pending | Outcome::Done(_)));
            assert!(is_unknown(&called) || asked, "{effect:?}: {called:?}");
            // Asked for until it is known, or sent again with the same number: in the end there is one debit.
            let payment = payment(&deduction);
            if world.channel.query_payment(&payment).await == Ok(Standing::Absent) {
                assert_eq!(
                    world.channel.deduct(&deduction).await,
                    Ok(Outcome::Pending),
                    "{effect:?}"
                );
            }
            world.until_paid(&payment).await;
            assert_eq!(world.moved(&payment), [(MovementKind::Debit, 600)], "{effect:?}");
        }
    }
}

#[tokio::test]
async fn a_query_that_lies_is_not_believed() {
    let world = World::new("provider", "HMAC-SHA256").await;
    let contract = world.signed("li").await;
    let payment = world.paid(&contract, 600).await;
    let mut lies = answer_faults();
    lies.push(Effect::WrongAmount { fen: 1 });
    lies.push(Effect::WrongOrder {
        order_no: "P20250301120000000ABCDEFGHJKLM".to_owned(),
    });
    for lie in lies {
        if matches!(lie, Effect::HangBefore { .. } | Effect::HangAfter { .. }) {
            continue; // the time-out of queries is longer than the hang
        }
        world.fault("paporderquery", lie.clone());
        let standing = world.channel.query_payment(&payment).await;
        assert!(
            matches!(standing, Err(CallError::MaybeDone(_))),
            "{lie:?}: {standing:?}"
        );
    }
    world.fault("paporderquery", Effect::Blind);
    assert_eq!(world.channel.query_payment(&payment).await, Ok(Standing::Absent));
    // A reversal that meets the blind moment waits instead of calling it unpaid.
    world.fault("paporderquery", Effect::Blind);
    let reversal = world.reversal(&payment);
    assert_eq!(world.channel.reverse(&reversal).await, Ok(Outcome::Pending));
    assert!(matches!(
        world.until_reversed(&reversal).await,
        Reversed::MoneyBack { .. }
    ));
}

#[tokio::test]
async fn whatever_happens_to_a_refunds_answer_the_money_goes_back_once() {
    let world = World::with_config("provider", &json!({"sign_type": "MD5", "refund_timeout_s": 1})).await;
    let contract = world.signed("li").await;
    let payment = world.paid(&contract, 50_000).await;
    let mut faults = answer_faults();
    faults.push(Effect::WrongAmount { fen: 1 });
    faults.push(Effect::WrongOrder {
        order_no: "R20250301120000000ABCDEFGHJKLM".to_owned(),
    });
    let count = faults.len();
    for effect in faults {
        let refund = world.refund(&payment, 600);
        world.fault("refund", effect.clone());
        let called = world.channel.refund(&refund).await;
        assert!(is_unknown(&called), "{effect:?}: {called:?}");
        if world.channel.query_refund(&refund).await == Ok(RefundStanding::Absent) {
            assert_eq!(world.channel.refund(&refund).await, Ok(Outcome::Pending), "{effect:?}");
        }
        let refunded = world.until_refunded(&refund).await;
        assert_eq!(refunded.amount, amount(600));
        assert!(matches!(world.channel.refund(&refund).await, Ok(Outcome::Pending)));
    }
    let back: Vec<_> = world.moved(&payment).split_off(1);
    assert_eq!(back, vec![(MovementKind::Refund, 600); count]);
}

#[tokio::test]
async fn a_refund_without_funds_waits_and_one_that_is_closed_or_parked_is_told_as_such() {
    let world = World::new("direct", "MD5").await;
    let contract = world.signed("li").await;
    let payment = world.paid(&contract, 1_000).await;
    let account = |funds: u64| {
        let wishes = json!({"mch_id": world.config["mch_id"], "refund_funds_fen": funds});
        world
            .simulator
            .frame()
            .open_account(Gateway::Wechat, &wishes)
            .expect("changed terms");
    };
    account(0);
    let refund = world.refund(&payment, 100);
    assert!(is_unknown(&world.channel.refund(&refund).await));
    assert_eq!(world.channel.query_refund(&refund).await, Ok(RefundStanding::Absent));
    account(1_000);
    assert_eq!(world.channel.refund(&refund).await, Ok(Outcome::Pending));
    world.until_refunded(&refund).await;

    for (code, closed) in [("REFUNDCLOSE", true), ("CHANGE", false)] {
        let refund = world.refund(&payment, 100);
        let effect = Effect::FailLater {
            ms: 50,
            code: code.to_owned(),
        };
        world.fault("refund", effect);
        assert_eq!(world.channel.refund(&refund).await, Ok(Outcome::Pending));
        world
            .news(|news| matches!(news, News::Refund { no, .. } if *no == refund.no).then_some(()))
            .await;
        let standing = world.channel.query_refund(&refund).await.unwrap();
        assert_eq!(
            matches!(standing, RefundStanding::NotRefunded(_)),
            closed,
            "{standing:?}"
        );
        assert_eq!(standing == RefundStanding::Pending, !closed, "{standing:?}");
    }
}

#[tokio::test]
async fn notifications_that_lie_are_refused_or_carry_their_lie_openly() {
    let world = World::new("provider", "MD5").await;
    let contract = world.signed("li").await;
    let lie = |effect: Effect| world.fault("notify", effect);
    lie(Effect::NoticeForged);
    world.paid(&contract, 600).await;
    world
        .read(|read| matches!(read, Err(NoticeRefused::NotGenuine(_))).then_some(()))
        .await;
    lie(Effect::WrongMerchant {
        account: "1999999999".to_owned(),
    });
    world.paid(&contract, 600).await;
    world
        .read(|read| matches!(read, Err(NoticeRefused::Mismatch(_))).then_some(()))
        .await;
    // Correctly signed: only whoever knows the payment can see that the amount is not its own.
    lie(Effect::WrongAmount { fen: 77 });
    let payment = world.paid(&contract, 600).await;
    let told = world
        .news(|news| match news {
            News::Payment {
                no,
                standing: Some(Standing::Paid(paid)),
            } if *no == payment.no => Some(paid.amount),
            News::Payment { no, standing: None } if *no == payment.no => Some(Fen::ZERO),
            _ => None,
        })
        .await;
    assert_ne!(told, payment.amount);
}

#[tokio::test]
async fn an_adapter_with_one_wrong_byte_in_its_key_is_refused_by_the_gateway() {
    let world = World::new("direct", "HMAC-SHA256").await;
    let contract = world.signed("li").await;
    let mut key = world.config["api_key"].as_str().unwrap().to_owned();
    let last = key.pop().unwrap();
    key.push(if last == '0' { '1' } else { '0' });
    let forged = build(
        &with(world.config.clone(), &json!({"api_key": key})),
        &world.notify_url,
        &world.clock,
    );
    let deduction = world.deduction(&contract, 600);
    let called = forged.deduct(&deduction).await;
    assert!(
        matches!(&called, Err(CallError::MaybeDone(text)) if text.contains("签名")),
        "{called:?}"
    );
    let signed = forged.sign_contract(&sign_question(&contract)).await.unwrap();
    assert!(
        matches!(&signed, Outcome::Refused(r) if r.hint == Hint::Setup && r.text.contains("签名")),
        "{signed:?}"
    );
    // Nothing of it reached the books, and the right adapter is served.
    assert_eq!(
        world.channel.query_payment(&payment(&deduction)).await,
        Ok(Standing::Absent)
    );
    assert_eq!(world.channel.deduct(&deduction).await, Ok(Outcome::Pending));
    // After a change of the key the gateway takes both for a while, and so does the adapter.
    let wishes = json!({"mch_id": world.config["mch_id"], "api_key": key});
    world
        .simulator
        .frame()
        .open_account(Gateway::Wechat, &wishes)
        .expect("a new key");
    let keys = json!({"api_key": key, "old_api_key": world.config["api_key"]});
    let renewed = build(&with(world.config.clone(), &keys), &world.notify_url, &world.clock);
    for channel in [&world.channel, &renewed] {
        let standing = channel.query_payment(&payment(&deduction)).await;
        assert!(
            matches!(standing, Ok(Standing::Paid(_) | Standing::Pending)),
            "{standing:?}"
        );
    }
}
