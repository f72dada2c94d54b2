//! A user's consent: needed, given, taken back, here or at the channel.

use std::time::Duration;

use anyhow::Result;
use metropay_server::demo::client::LiveEvents;
use metropay_simulator::MovementKind::Debit;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{App, Phone, World, story};
use serde_json::json;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn who_has_not_signed_with_wechat_signs_and_is_scanned_again() {
    sign_and_scan_again(&WECHAT).await;
}

#[tokio::test]
async fn who_has_not_signed_with_alipay_signs_and_is_scanned_again() {
    sign_and_scan_again(&ALIPAY).await;
}

#[tokio::test]
async fn who_has_not_signed_with_unionpay_signs_and_is_scanned_again() {
    sign_and_scan_again(&UNIONPAY).await;
}

async fn sign_and_scan_again(channel: &Words) {
    story(async |world| {
        let app = world.app(0);
        app.post("code-account", &json!({})).await?;
        let mut live = LiveEvents::open(&app, None).await?;
        let (digits, code) = world.code(&app).await?;
        let order = World::order("S1", &digits, 600);
        let refused = world.till().call("applypay", &order).await?;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "NEED_MANDATE"),
            "{}",
            refused.body
        );
        let told = live.next("mandate.needed", SOON, |_| true).await?;
        assert_eq!(told.body["code_id"], code);
        assert!(
            told.body["data"]["channels"].to_string().contains(channel.id),
            "{}",
            told.body
        );
        assert_eq!(app.get(&format!("codes/{code}")).await?.text("state"), "NEED_MANDATE");
        assert!(world.control.books().await?.is_empty());

        world.sign(&app, channel.id).await?;
        live.next("mandate.active", SOON, |_| true).await?;
        // The very code and number: neither was consumed.
        let paid = world.till().call("applypay", &order).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        assert_eq!(paid.text("pay_type"), channel.pay_type);
        live.next("payment.succeeded", SOON, |_| true).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_ended_on_wechats_own_page_needs_signing_anew() {
    ended_at_the_channel(&WECHAT).await;
}

#[tokio::test]
async fn what_is_ended_on_alipays_own_page_needs_signing_anew() {
    ended_at_the_channel(&ALIPAY).await;
}

async fn ended_at_the_channel(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        let first = only_mandate(&app).await?;
        let phone = Phone::new(&app.uid);
        phone.end(&world.credentials.simulator_url, channel.id).await?;
        let ended = world.mandate_becomes(&app, &first, "CLOSED").await?;
        assert_eq!(ended.text("ended_by"), "user", "{}", ended.body);
        let (digits, _) = world.code(&app).await?;
        let order = World::order("S1", &digits, 600);
        let refused = world.till().call("applypay", &order).await?;
        assert_eq!(refused.code(), "NEED_MANDATE", "{}", refused.body);
        let second = world.sign(&app, channel.id).await?;
        assert_ne!(first, second, "what has ended stays ended");
        let paid = world.till().call("applypay", &order).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        Ok(())
    })
    .await;
}

async fn only_mandate(app: &App) -> Result<String> {
    let list = app.get("mandates").await?;
    let mandates = list.body["data"]["mandates"].as_array().cloned().unwrap_or_default();
    assert_eq!(mandates.len(), 1, "{}", list.body);
    Ok(mandates[0]["mandate_id"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_is_closed_in_the_app_is_closed_at_wechat() {
    closed_in_the_app(&WECHAT).await;
}

#[tokio::test]
async fn what_is_closed_in_the_app_is_closed_at_alipay() {
    closed_in_the_app(&ALIPAY).await;
}

#[tokio::test]
async fn what_is_closed_in_the_app_is_closed_at_unionpay() {
    closed_in_the_app(&UNIONPAY).await;
}

async fn closed_in_the_app(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        let first = only_mandate(&app).await?;
        let closed = app.delete(&format!("mandates/{first}")).await?;
        assert_eq!(
            (closed.status, closed.text("state")),
            (200, "CLOSED".to_owned()),
            "{}",
            closed.body
        );
        assert_eq!(
            app.delete(&format!("mandates/{first}")).await?.body["data"],
            closed.body["data"]
        );
        nothing_stands(&world, &app, channel).await;
        let refused = world.pay(&app, "S1", 600).await?;
        assert_eq!(refused.code(), "NEED_MANDATE", "{}", refused.body);

        // The channel does not hear it at once, and the consent is withdrawn all the same.
        let second = world.sign(&app, channel.id).await?;
        world.stop_gateways();
        let closed = app.delete(&format!("mandates/{second}")).await?;
        assert_eq!(
            (closed.status, closed.text("state")),
            (200, "CLOSED".to_owned()),
            "{}",
            closed.body
        );
        let refused = world.pay(&app, "S1", 600).await?;
        assert_eq!(refused.code(), "NEED_MANDATE", "{}", refused.body);
        world.start_gateways().await?;
        world.advance(Duration::from_secs(120));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        nothing_stands(&world, &app, channel).await;
        assert!(world.control.books().await?.is_empty());
        Ok(())
    })
    .await;
}

/// At the channel nothing is in use any more, as far as its pages show.
async fn nothing_stands(world: &World, app: &App, channel: &Words) {
    if channel.id != UNIONPAY.id {
        let phone = Phone::new(&app.uid);
        let ended = phone.end(&world.credentials.simulator_url, channel.id).await;
        assert!(ended.is_err(), "{} still has a contract in use", channel.id);
    }
}

#[tokio::test]
async fn a_late_signed_of_wechat_does_not_revive_what_was_closed() {
    late_signed(&WECHAT).await;
}

#[tokio::test]
async fn a_late_signed_of_alipay_does_not_revive_what_was_closed() {
    late_signed(&ALIPAY).await;
}

#[tokio::test]
async fn a_late_signed_of_unionpay_does_not_revive_what_was_closed() {
    late_signed(&UNIONPAY).await;
}

async fn late_signed(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        let first = only_mandate(&app).await?;
        let mut signed = None;
        for _ in 0..100 {
            signed = world.frame().notices.attempts().into_iter().next();
            if signed.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let signed = signed.expect("the channel has told that it was signed");
        app.delete(&format!("mandates/{first}")).await?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        for _ in 0..2 {
            let again = client.post(&signed.url).body(signed.body.clone());
            let kind = if channel.id == "wechat" {
                "text/xml"
            } else {
                "application/x-www-form-urlencoded"
            };
            let told = again.header("content-type", kind).send().await?;
            assert_eq!(told.status(), 200);
        }
        assert_eq!(app.get(&format!("mandates/{first}")).await?.text("state"), "CLOSED");
        let refused = world.pay(&app, "S1", 600).await?;
        assert_eq!(refused.code(), "NEED_MANDATE", "{}", refused.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_contract_that_has_run_out_carries_no_payment() {
    story(async |world| {
        world.rider("unionpay").await?;
        // A token lives for five years.
        world.advance(Duration::from_secs(5 * 366 * 86_400));
        let app = world.app(0);
        let refused = world.pay(&app, "S1", 600).await?;
        assert_eq!(refused.code(), "NEED_MANDATE", "{}", refused.body);
        let mandate = only_mandate(&app).await;
        if let Ok(mandate) = mandate {
            let ended = world.mandate_becomes(&app, &mandate, "CLOSED").await?;
            assert_eq!(ended.text("ended_by"), "expiry", "{}", ended.body);
        }
        world.sign(&app, "unionpay").await?;
        let paid = world.pay(&app, "S1", 600).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_merchants_on_one_wechat_plan_share_the_users_contract() {
    story(async |world| {
        let other = world.merchant_on_the_same_plan("M20001").await?;
        let app = world.rider("wechat").await?;
        let first = only_mandate(&app).await?;
        let begun = app
            .post("mandates", &json!({ "mch_id": other.mch_id, "channel": "wechat" }))
            .await?;
        assert_eq!(
            begun.text("state"),
            "ACTIVE",
            "the contract stands already: {}",
            begun.body
        );
        assert!(begun.body["data"]["page"].is_null(), "{}", begun.body);
        let second = begun.text("mandate_id");

        let pay_there = async |no: &str| {
            let (digits, _) = world.code(&app).await?;
            let mut order = World::order(no, &digits, 300);
            order["store_id"] = other.store_ids[0].as_str().into();
            world.till_of(&other).call("applypay", &order).await
        };
        assert_eq!(pay_there("T1").await?.text("pay_status"), "PS_SUCCESS");
        assert_eq!(world.pay(&app, "S1", 600).await?.text("pay_status"), "PS_SUCCESS");

        // Closing one leaves the other, and the contract.
        app.delete(&format!("mandates/{first}")).await?;
        assert_eq!(world.pay(&app, "S2", 600).await?.code(), "NEED_MANDATE");
        assert_eq!(pay_there("T2").await?.text("pay_status"), "PS_SUCCESS");
        // The user ends it at WeChat: both know.
        Phone::new(&app.uid)
            .end(&world.credentials.simulator_url, "wechat")
            .await?;
        world.mandate_becomes(&app, &second, "CLOSED").await?;
        assert_eq!(pay_there("T3").await?.code(), "NEED_MANDATE");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn closing_the_last_of_two_mandates_closes_the_contract_at_wechat() {
    story(async |world| {
        let other = world.merchant_on_the_same_plan("M20001").await?;
        let app = world.rider("wechat").await?;
        let first = only_mandate(&app).await?;
        let second = world.sign_with(&app, &other.mch_id, "wechat").await?;
        for mandate in [first, second] {
            app.delete(&format!("mandates/{mandate}")).await?;
        }
        nothing_stands(&world, &app, &WECHAT).await;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_debited_after_a_close_was_acknowledged() {
    story(async |world| {
        for round in 0..6 {
            let app = world.rider_of(&format!("U5000{round}"), "alipay").await?;
            let mandate = only_mandate(&app).await?;
            let (digits, _) = world.code(&app).await?;
            let (till, order) = (world.till(), World::order(&format!("S{round}"), &digits, 100));
            let path = format!("mandates/{mandate}");
            let (closed, told) = tokio::try_join!(app.delete(&path), till.call("applypay", &order))?;
            assert_eq!(closed.text("state"), "CLOSED", "{}", closed.body);
            match told.text("pay_status").as_str() {
                "" => assert_eq!(told.code(), "NEED_MANDATE", "{}", told.body),
                "PS_SUCCESS" => assert_eq!(world.moved(&format!("S{round}")).await?, [(Debit, 100)]),
                other => assert!(["PS_FAILED", "PS_PAYING"].contains(&other), "{}", told.body),
            }
            let after = world.pay(&app, &format!("A{round}"), 100).await?;
            assert_eq!(after.code(), "NEED_MANDATE", "{}", after.body);
        }
        Ok(())
    })
    .await;
}
