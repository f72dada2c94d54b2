//! Codes that must not pay: expired, superseded, used, closed (INV-19).

use std::time::Duration;

use metropay_simulator::Effect;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{Wishes, World, story, story_with};
use serde_json::json;

#[tokio::test]
async fn a_code_lives_sixty_seconds_and_not_one_more() {
    story(async |world| {
        let app = world.rider("wechat").await?;
        let (digits, _) = world.code(&app).await?;
        world.advance(Duration::from_secs(58));
        let paid = world.till().call("applypay", &World::order("S1", &digits, 100)).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        let (digits, code) = world.code(&app).await?;
        world.advance(Duration::from_secs(60));
        let late = world.till().call("applypay", &World::order("S2", &digits, 100)).await?;
        assert_eq!((late.status, late.code()), (422, "CODE_INVALID"), "{}", late.body);
        assert_eq!(app.get(&format!("codes/{code}")).await?.text("state"), "ENDED");
        assert_eq!(world.control.books().await?.len(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_third_code_ends_the_oldest_and_the_use_of_one_ends_the_other() {
    story(async |world| {
        let app = world.rider("alipay").await?;
        let codes = [
            world.code(&app).await?.0,
            world.code(&app).await?.0,
            world.code(&app).await?.0,
        ];
        let pay = async |no: &str, digits: &str| world.till().call("applypay", &World::order(no, digits, 100)).await;
        assert_eq!(pay("S1", &codes[0]).await?.code(), "CODE_INVALID");
        assert_eq!(pay("S2", &codes[1]).await?.text("pay_status"), "PS_SUCCESS");
        assert_eq!(pay("S3", &codes[2]).await?.code(), "CODE_INVALID");
        assert_eq!(world.control.books().await?.len(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_used_code_is_known_to_who_used_it_and_to_nobody_else() {
    story(async |world| {
        let other = world.merchant_without_channels("M20001").await?;
        let app = world.rider("unionpay").await?;
        let (digits, _) = world.code(&app).await?;
        let paid = world.till().call("applypay", &World::order("S1", &digits, 100)).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        let again = world.till().call("applypay", &World::order("S2", &digits, 100)).await?;
        assert_eq!((again.status, again.code()), (422, "CODE_USED"), "{}", again.body);
        let mut theirs = World::order("S1", &digits, 100);
        theirs["store_id"] = other.store_ids[0].as_str().into();
        let elsewhere = world.till_of(&other).call("applypay", &theirs).await?;
        assert_eq!(
            (elsewhere.status, elsewhere.code()),
            (422, "CODE_INVALID"),
            "{}",
            elsewhere.body
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn closing_the_code_account_ends_its_codes_and_opening_it_again_does_not_revive_them() {
    story(async |world| {
        let app = world.rider("wechat").await?;
        let (digits, _) = world.code(&app).await?;
        let closed = app.delete("code-account").await?;
        assert_eq!(closed.text("status"), "CLOSED", "{}", closed.body);
        let order = World::order("S1", &digits, 100);
        let refused = world.till().call("applypay", &order).await?;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "CODE_ACCOUNT_CLOSED"),
            "{}",
            refused.body
        );
        assert_eq!(app.post("codes", &json!({})).await?.code(), "CODE_NOT_OPENED");
        app.post("code-account", &json!({})).await?;
        let refused = world.till().call("applypay", &order).await?;
        assert_eq!(refused.code(), "CODE_INVALID", "{}", refused.body);
        assert!(world.control.books().await?.is_empty());
        let paid = world.pay(&app, "S1", 100).await?;
        assert_eq!(
            paid.text("pay_status"),
            "PS_SUCCESS",
            "what was signed still stands: {}",
            paid.body
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_order_at_wechat_ends_though_the_account_was_closed_meanwhile() {
    closed_while_paying(&WECHAT).await;
}

#[tokio::test]
async fn an_order_at_alipay_ends_though_the_account_was_closed_meanwhile() {
    closed_while_paying(&ALIPAY).await;
}

#[tokio::test]
async fn an_order_at_unionpay_ends_though_the_account_was_closed_meanwhile() {
    closed_while_paying(&UNIONPAY).await;
}

async fn closed_while_paying(channel: &Words) {
    let wishes = Wishes {
        till_wait_ms: 400,
        ..Wishes::default()
    };
    story_with(wishes, async |world| {
        let app = world.rider(channel.id).await?;
        world.fault(channel, channel.deduct, Effect::Pending { ms: 900 });
        let accepted = world.pay(&app, "S1", 100).await?;
        assert_eq!(accepted.text("pay_status"), "PS_PAYING", "{}", accepted.body);
        assert_eq!(app.delete("code-account").await?.status, 200);
        let ended = world.ended("S1", Duration::from_secs(10)).await?;
        assert_eq!(ended.text("pay_status"), "PS_SUCCESS", "{}", ended.body);
        let record = app.get(&format!("records/{}", ended.text("pay_out_trade_no"))).await?;
        assert_eq!(record.status, 200, "his records stay his: {}", record.body);
        app.post("code-account", &json!({})).await?;
        world.pay(&app, "S2", 100).await?;
        let paid = world.ended("S2", Duration::from_secs(5)).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn only_the_channel_that_was_chosen_for_a_code_is_debited() {
    story(async |world| {
        let app = world.rider("wechat").await?;
        world.sign(&app, "alipay").await?;
        let issued = app.post("codes", &json!({ "method": "unionpay" })).await?;
        let refused = world
            .till()
            .call("applypay", &World::order("S1", &issued.text("digits"), 100))
            .await?;
        assert_eq!(
            refused.code(),
            "NEED_MANDATE",
            "nothing else is taken instead: {}",
            refused.body
        );
        let issued = app.post("codes", &json!({ "method": "alipay" })).await?;
        let paid = world
            .till()
            .call("applypay", &World::order("S1", &issued.text("digits"), 100))
            .await?;
        assert_eq!(
            (paid.text("pay_status"), paid.text("pay_type")),
            ("PS_SUCCESS".to_owned(), "CT_ALIPAY".to_owned())
        );
        Ok(())
    })
    .await;
}
