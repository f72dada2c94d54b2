//! What breaks, lies or is signed by strangers: the outcome stays open until the books can be asked.

use metropay_core::channel::{CallError, Hint, News, NoticeRefused, Outcome, RefundStanding, Standing};
use metropay_simulator::{Effect, Gateway};
use serde_json::json;

use crate::shop::{Shop, eventually, fen, payment, refund_of};

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
