//! A channel that answers nothing: new payments are refused before anything is written down, until it answers again.

use std::time::Duration;

use metropay_core::channel::health::Breaker;
use metropay_core::limit::{BREAKER_CALLS_MIN, BREAKER_OPEN_FOR};

use crate::gateway::Deduct;
use crate::shop::{MCH, Shop};

/// Contracts are asked about while a rider signs, and every answer counts: only payments of riders that signed before.
async fn riders(shop: &Shop, count: u64) -> Vec<metropay_core::id::Uid> {
    let mut riders = Vec::new();
    for _ in 0..count {
        riders.push(shop.rider().await);
    }
    shop.clock.advance(Duration::from_secs(61));
    riders
}

#[tokio::test]
async fn what_a_silent_channel_would_leave_open_is_not_begun() {
    let shop = Shop::open().await;
    let riders = riders(&shop, BREAKER_CALLS_MIN + 3).await;
    let (lost, further) = riders.split_at(usize::try_from(BREAKER_CALLS_MIN).unwrap());
    shop.gateway.will(Deduct::CannotBeReached);
    for rider in lost {
        let sale = shop.sale(&shop.code_of(rider).await);
        assert_eq!(shop.post("applypay", sale).await.data()["pay_status"], "PS_FAILED");
    }
    let asked = shop.gateway.deductions();

    let code = shop.code_of(&further[0]).await;
    let refused = shop.post("applypay", shop.sale(&code)).await;
    assert_eq!(refused.refusal(), (503, "CHANNEL_UNAVAILABLE", None));
    assert_eq!(refused.header("retry-after"), BREAKER_OPEN_FOR.as_secs().to_string());
    assert!(refused.is_signed());
    assert_eq!(shop.gateway.deductions(), asked, "the channel was left alone");

    // The first that may try again finds it answering, and everybody may.
    shop.gateway.will(Deduct::Pays);
    shop.clock.advance(BREAKER_OPEN_FOR);
    for code in [code, shop.code_of(&further[1]).await, shop.code_of(&further[2]).await] {
        let paid = shop.post("applypay", shop.sale(&code)).await;
        assert_eq!(
            paid.data()["pay_status"],
            "PS_SUCCESS",
            "the code was not used by the refusal"
        );
    }
}

#[tokio::test]
async fn whoever_has_another_way_is_not_held_up() {
    let shop = Shop::open().await;
    let riders = riders(&shop, BREAKER_CALLS_MIN + 1).await;
    let (lost, last) = riders.split_at(usize::try_from(BREAKER_CALLS_MIN).unwrap());
    shop.sign(&last[0], MCH, "unionpay").await;
    shop.gateway.will(Deduct::CannotBeReached);
    for rider in lost {
        let sale = shop.sale(&shop.code_of(rider).await);
        assert_eq!(shop.post("applypay", sale).await.data()["pay_type"], "CT_WECHAT");
    }
    shop.gateway.will(Deduct::Pays);
    let paid = shop.post("applypay", shop.sale(&shop.code_of(&last[0]).await)).await;
    assert_eq!(
        (&paid.data()["pay_status"], &paid.data()["pay_type"]),
        (&"PS_SUCCESS".into(), &"CT_UNION".into())
    );
    let health = shop.engine.health().all(shop.engine.clock.now());
    let ours = || {
        health
            .iter()
            .filter(|account| account.account.as_str().starts_with(MCH))
    };
    let breakers: Vec<(&str, Breaker)> = ours()
        .map(|account| (account.channel.as_str(), account.breaker))
        .collect();
    assert_eq!(breakers, [("unionpay", Breaker::Closed), ("wechat", Breaker::Open)]);
    let wechat = ours().find(|account| account.channel.as_str() == "wechat").unwrap();
    assert_eq!(wechat.last_error.as_ref().unwrap().call, "deduct");
}
