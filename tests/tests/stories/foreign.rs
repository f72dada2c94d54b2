//! A shopper shows the payment code of the channel's own App.

use std::time::Duration;

use metropay_simulator::Effect;
use metropay_simulator::MovementKind::Debit;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{Wishes, World, story, story_with};

#[tokio::test]
async fn a_wechat_code_is_paid_through_wechat() {
    paid(&WECHAT).await;
}

#[tokio::test]
async fn an_alipay_code_is_paid_through_alipay() {
    paid(&ALIPAY).await;
}

#[tokio::test]
async fn a_unionpay_code_is_paid_through_unionpay() {
    paid(&UNIONPAY).await;
}

async fn paid(channel: &Words) {
    story(async |world| {
        let code = world.shown_by("shopper", channel, false).await?;
        let told = world.till().call("applypay", &World::order("S1", &code, 600)).await?;
        assert_eq!(
            (told.text("pay_status").as_str(), told.text("pay_type").as_str()),
            ("PS_SUCCESS", channel.pay_type),
            "{}",
            told.body
        );
        assert!(told.body["data"].get("uid").is_none(), "{}", told.body);
        assert_eq!(world.moved("S1").await?, [(Debit, 600)]);

        // The code pays once: at the same till under another number, too.
        let again = world.till().call("applypay", &World::order("S2", &code, 600)).await?;
        assert_eq!(again.text("pay_status"), "PS_FAILED", "{}", again.body);
        let repeated = world.till().call("applypay", &World::order("S1", &code, 600)).await?;
        assert_eq!(repeated.text("pay_out_trade_no"), told.text("pay_out_trade_no"));

        for (no, fen) in [("R1", 100), ("R2", 500)] {
            let refunded = world.refunded_in_time("S1", no, fen).await?;
            assert_eq!(refunded.text("pay_refund_status"), "RS_SUCCESS", "{}", refunded.body);
        }
        assert_eq!(world.moved("S1").await?.len(), 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_wechat_code_whose_owner_types_is_paid_when_he_has() {
    typed(&WECHAT).await;
}

#[tokio::test]
async fn an_alipay_code_whose_owner_types_is_paid_when_he_has() {
    typed(&ALIPAY).await;
}

#[tokio::test]
async fn a_unionpay_code_whose_owner_types_is_paid_when_he_has() {
    typed(&UNIONPAY).await;
}

/// A till that does not wait long.
fn brisk() -> Wishes {
    Wishes {
        till_wait_ms: 400,
        ..Wishes::default()
    }
}

async fn typed(channel: &Words) {
    story_with(brisk(), async |world| {
        let code = world.shown_by("shopper", channel, true).await?;
        let told = world.till().call("applypay", &World::order("S1", &code, 600)).await?;
        assert_eq!(told.text("pay_status"), "PS_PAYING", "{}", told.body);
        world.typed(channel, &code).await?;
        world.advance(Duration::from_secs(6));
        let paid = world.ended("S1", Duration::from_secs(10)).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        assert_eq!(world.moved("S1").await?, [(Debit, 600)]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_wechat_code_for_which_nobody_types_is_closed_without_money() {
    nobody_types(&WECHAT).await;
}

#[tokio::test]
async fn an_alipay_code_for_which_nobody_types_is_closed_without_money() {
    nobody_types(&ALIPAY).await;
}

#[tokio::test]
async fn a_unionpay_code_for_which_nobody_types_is_closed_without_money() {
    nobody_types(&UNIONPAY).await;
}

async fn nobody_types(channel: &Words) {
    story_with(brisk(), async |world| {
        let code = world.shown_by("shopper", channel, true).await?;
        let told = world.till().call("applypay", &World::order("S1", &code, 600)).await?;
        assert_eq!(told.text("pay_status"), "PS_PAYING", "{}", told.body);
        let ended = world.ended_in_time("S1").await?;
        let end = ended.text("pay_status");
        assert!(["PS_CLOSED", "PS_FAILED"].contains(&end.as_str()), "{}", ended.body);
        assert_eq!(world.moved("S1").await?, []);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_to_a_wechat_code_is_found_by_asking() {
    lost(&WECHAT).await;
}

#[tokio::test]
async fn a_lost_answer_to_an_alipay_code_is_found_by_asking() {
    lost(&ALIPAY).await;
}

#[tokio::test]
async fn a_lost_answer_to_a_unionpay_code_is_found_by_asking() {
    lost(&UNIONPAY).await;
}

async fn lost(channel: &Words) {
    story_with(brisk(), async |world| {
        let code = world.shown_by("shopper", channel, false).await?;
        world.fault(channel, channel.code_pay, Effect::ResetAfter);
        let told = world.till().call("applypay", &World::order("S1", &code, 600)).await?;
        let first = told.text("pay_status");
        assert!(["PS_PAYING", "PS_SUCCESS"].contains(&first.as_str()), "{}", told.body);
        let found = world.ended_in_time("S1").await?;
        assert_eq!(found.text("pay_status"), "PS_SUCCESS", "{}", found.body);
        assert_eq!(world.moved("S1").await?, [(Debit, 600)]);
        let undone = world.reversed_in_time("S1").await?;
        assert_eq!(undone.text("recall"), "N", "{}", undone.body);
        assert_eq!(world.moved("S1").await?.len(), 2);
        Ok(())
    })
    .await;
}
