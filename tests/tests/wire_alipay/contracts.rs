//! Agreements: signed, pending, suspended, ended; and who is not believed or cannot be reached.

use std::sync::Arc;

use metropay_core::channel::{CallError, ContractKey, ContractStanding, EndedBy, Hint, News, Outcome, Standing};
use metropay_simulator::Gateway;
use serde_json::json;

use crate::shop::{Shop, USER, build, contract, has_ended, money};

#[tokio::test]
async fn a_user_signs_pays_once_and_leaves() {
    let (shop, signed) = Shop::signed(json!({"coupon_fen": 30, "merchant_coupon_fen": 20})).await;
    assert_eq!(signed.payer.as_deref(), Some(USER));
    let handle = signed.handle.as_str();
    for key in [None, Some(handle)] {
        let standing = shop.channel.query_contract(&contract(key)).await;
        assert_eq!(standing, Ok(ContractStanding::Active(signed.clone())));
    }

    let question = shop.deduction("P1", 450, handle);
    let Outcome::Done(paid) = shop.channel.deduct(&question).await.unwrap() else {
        panic!("not paid")
    };
    assert_eq!((paid.amount, paid.coupon), (money(450), money(50)));
    let told = shop.news(|news| matches!(news, News::Payment { .. })).await;
    let expected = News::Payment {
        no: question.no.clone(),
        standing: Some(Standing::Paid(paid.clone())),
    };
    assert_eq!(told, expected);
    let standing = shop.channel.query_payment(&shop.payment("P1", 450)).await;
    assert_eq!(standing, Ok(Standing::Paid(paid.clone())));
    // The same question again is the same payment.
    assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Done(paid)));

    for _ in 0..2 {
        let closed = shop.channel.close_contract(&contract(Some(handle))).await;
        assert_eq!(closed, Ok(Outcome::Done(())));
    }
    let standing = shop.channel.query_contract(&contract(Some(handle))).await;
    let ended = ContractStanding::Ended {
        by: EndedBy::User,
        at: None,
    };
    assert_eq!(standing, Ok(ended));
    let news = shop.news(has_ended).await;
    assert!(matches!(news, News::Contract { contract: ContractKey::No(no), .. } if no == contract(None).no));
    let refused = shop.channel.deduct(&shop.deduction("P2", 450, handle)).await.unwrap();
    assert!(
        matches!(&refused, Outcome::Refused(refusal) if refusal.hint == Hint::ContractGone),
        "{refused:?}"
    );
    assert_eq!(shop.debits(), [450]);
}

#[tokio::test]
async fn an_agreement_is_pending_until_it_is_signed_and_the_user_may_suspend_or_end_it() {
    let shop = Shop::open(json!({})).await;
    assert_eq!(
        shop.channel.query_contract(&contract(None)).await,
        Ok(ContractStanding::Pending)
    );
    shop.open_page(&contract(None)).await;
    assert_eq!(
        shop.channel.query_contract(&contract(None)).await,
        Ok(ContractStanding::Pending)
    );
    let signed = shop.sign(&contract(None)).await;
    shop.act(&signed.handle, "stop").await;
    let standing = shop.channel.query_contract(&contract(Some(&signed.handle))).await;
    assert_eq!(standing, Ok(ContractStanding::Suspended));
    let refused = shop
        .channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    assert!(
        matches!(&refused, Outcome::Refused(refusal) if refusal.hint == Hint::ContractGone),
        "{refused:?}"
    );
    shop.act(&signed.handle, "unsign").await;
    let news = shop
        .news(|news| {
            matches!(
                news,
                News::Contract {
                    standing: Some(ContractStanding::Ended { .. }),
                    ..
                }
            )
        })
        .await;
    assert!(
        matches!(
            news,
            News::Contract {
                standing: Some(ContractStanding::Ended {
                    by: EndedBy::User,
                    at: Some(_)
                }),
                ..
            }
        ),
        "{news:?}"
    );
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn an_adapter_with_a_foreign_key_is_turned_away_and_calls_no_payment_failed() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let other = shop.sim.frame().open_account(Gateway::Alipay, &json!({})).unwrap();
    let mut config = shop.config.clone();
    config["app_private_key"] = other["app_private_key_pem"].clone();
    let stranger = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));

    let unknown =
        |error: CallError| matches!(&error, CallError::MaybeDone(why) if why.contains("isv.invalid-signature"));
    let deducted = stranger.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert!(deducted.is_err_and(unknown));
    let standing = stranger.query_payment(&shop.payment("P1", 450)).await;
    assert!(standing.is_err_and(unknown));
    let reversed = stranger.reverse(&shop.reversal("P1", 450)).await;
    assert!(reversed.is_err_and(unknown));
    let refunded = stranger.refund(&shop.refund("P1", 450, "R1", 100)).await;
    assert!(refunded.is_err_and(unknown));
    let contract_standing = stranger.query_contract(&contract(Some(&signed.handle))).await;
    assert!(contract_standing.is_err_and(unknown));
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn an_adapter_with_a_foreign_alipay_key_believes_nobody() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let other = shop.sim.frame().open_account(Gateway::Alipay, &json!({})).unwrap();
    let mut config = shop.config.clone();
    config["alipay_public_key"] = other["alipay_public_key_pem"].clone();
    let doubting = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));
    let answer = doubting.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    assert_eq!(shop.debits(), [450], "and indeed it was done");
    assert!(shop.is_paid("P1", 450).await);
}

#[tokio::test]
async fn an_app_that_the_gateway_does_not_know_fails_no_payment() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let mut config = shop.config.clone();
    config["app_id"] = json!("2021999999999999");
    let unknown = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));
    let answer = unknown.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    let Err(CallError::MaybeDone(why)) = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("isv.invalid-app-id"), "{why}");
}

#[tokio::test]
async fn a_gateway_that_is_gone_was_sent_nothing() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut config = shop.config.clone();
    config["gateway_url"] = json!(format!("http://{closed}/alipay/gateway.do"));
    let lonely = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));
    let answer = lonely.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert!(matches!(answer, Err(CallError::NotSent(_))), "{answer:?}");
}
