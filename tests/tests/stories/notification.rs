//! Channels' notifications: in any number and order, forged, strange, of others.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use metropay_simulator::MovementKind::Debit;
use metropay_simulator::{Effect, NoticeAttempt};
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{App, Wishes, World, story, story_with};

fn impatient() -> Wishes {
    Wishes {
        till_wait_ms: 400,
        ..Wishes::default()
    }
}

/// An HTTP status and what was answered.
type Told = (u16, String);

/// Sends a notification as anybody could.
async fn send(channel: &Words, url: &str, body: &str) -> Result<Told> {
    let kind = if channel.id == "wechat" {
        "text/xml"
    } else {
        "application/x-www-form-urlencoded; charset=utf-8"
    };
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(url).header("content-type", kind).body(body.to_owned());
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Whether an answer acknowledges, in the channel's own words.
fn acknowledges(channel: &Words, told: &Told) -> bool {
    told.0 == 200
        && match channel.id {
            "wechat" => told.1.contains("SUCCESS"),
            "alipay" => told.1.trim() == "success",
            _ => true,
        }
}

/// The first notification about an order, once it was sent.
async fn notice(world: &World, pay_no: &str) -> Result<NoticeAttempt> {
    let mut all = notices(world, pay_no, 1).await?;
    Ok(all.swap_remove(0))
}

/// So many tries to deliver notifications about an order.
async fn notices(world: &World, pay_no: &str, count: usize) -> Result<Vec<NoticeAttempt>> {
    let mut found = Vec::new();
    for _ in 0..200 {
        let attempts = world.frame().notices.attempts();
        found = attempts
            .into_iter()
            .filter(|attempt| attempt.order_no == pay_no)
            .collect();
        if found.len() >= count {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    anyhow::bail!("{} notifications about {pay_no}, not {count}", found.len())
}

async fn events(app: &App, kind: &str) -> Result<usize> {
    let page = app.get("events/poll?after=0&wait_s=0").await?;
    let events = page.body["data"]["events"].as_array().context("no events")?;
    Ok(events.iter().filter(|event| event["kind"] == kind).count())
}

#[tokio::test]
async fn twenty_notifications_of_wechat_are_one_success() {
    duplicated(&WECHAT).await;
}

#[tokio::test]
async fn twenty_notifications_of_alipay_are_one_success() {
    duplicated(&ALIPAY).await;
}

#[tokio::test]
async fn twenty_notifications_of_unionpay_are_one_success() {
    duplicated(&UNIONPAY).await;
}

/// FLT-14.
async fn duplicated(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        world.fault(channel, channel.deduct, Effect::Pending { ms: 50 });
        world.fault(channel, "notify", Effect::NoticeRepeated { times: 19 });
        let paid = world.pay(&app, "S1", 600).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        let sent = notices(&world, &paid.text("pay_out_trade_no"), 20).await?;
        assert!(sent.iter().all(|attempt| attempt.acknowledged), "each is acknowledged");
        // And many at the same moment.
        let again = (0..20).map(|_| send(channel, &sent[0].url, &sent[0].body));
        for told in futures::future::try_join_all(again).await? {
            assert!(acknowledges(channel, &told), "{told:?}");
        }
        assert_eq!(events(&app, "payment.succeeded").await?, 1);
        assert_eq!(world.moved("S1").await?, [(Debit, 600)]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_forged_notification_of_wechat_changes_nothing() {
    forged(&WECHAT).await;
}

#[tokio::test]
async fn a_forged_notification_of_alipay_changes_nothing() {
    forged(&ALIPAY).await;
}

#[tokio::test]
async fn a_forged_notification_of_unionpay_changes_nothing() {
    forged(&UNIONPAY).await;
}

/// INV-18: mutants of a genuine one, each with something flipped.
async fn forged(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        let paid = world.pay(&app, "S1", 600).await?;
        let genuine = notice(&world, &paid.text("pay_out_trade_no")).await?;
        world.fault(channel, channel.deduct, Effect::Pending { ms: 3_600_000 });
        let hangs = world.pay(&app, "S2", 600).await?;
        assert_eq!(hangs.text("pay_status"), "PS_PAYING", "{}", hangs.body);

        let of_other = genuine
            .body
            .replace(&paid.text("pay_out_trade_no"), &hangs.text("pay_out_trade_no"));
        assert_ne!(of_other, genuine.body, "the number stands in the body");
        let shorter = genuine.body[..genuine.body.len() - 10].to_owned();
        for (n, mutant) in [of_other, genuine.body.replacen('6', "7", 1), shorter, String::new()]
            .iter()
            .enumerate()
        {
            let told = send(channel, &genuine.url, mutant).await?;
            assert!(!acknowledges(channel, &told), "mutant {n} is acknowledged: {told:?}");
        }
        assert!(world.alarms("notice_forged").await?.len() >= 3);
        // The path is a secret of its own.
        let elsewhere = format!("{}x", genuine.url);
        assert_eq!(send(channel, &elsewhere, &genuine.body).await?.0, 404);
        assert_eq!(world.query("S2").await?.text("pay_status"), "PS_PAYING");
        assert_eq!(world.moved("S2").await?, []);
        // And a gateway whose own signature does not fit is not believed either.
        world.fault(channel, "notify", Effect::NoticeForged);
        world.fault(channel, channel.deduct, Effect::Pending { ms: 50 });
        world.pay(&app, "S3", 600).await?;
        assert_eq!(world.ended_in_time("S3").await?.text("pay_status"), "PS_SUCCESS");
        let undone = world.reversed_in_time("S2").await?;
        assert_eq!(undone.text("recall"), "N", "{}", undone.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_notification_of_wechat_before_the_answer_ends_the_waiting() {
    before_the_answer(&WECHAT).await;
}

#[tokio::test]
async fn a_notification_of_alipay_before_the_answer_ends_the_waiting() {
    before_the_answer(&ALIPAY).await;
}

#[tokio::test]
async fn a_notification_of_unionpay_before_the_answer_ends_the_waiting() {
    before_the_answer(&UNIONPAY).await;
}

/// FLT-15: the notification overtakes the synchronous answer, which is lost besides.
async fn before_the_answer(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        world.fault(channel, channel.deduct, Effect::HangAfter { ms: 250 });
        world.faults(channel, channel.query, 0, Effect::ResetBefore);
        let begun = Instant::now();
        let paid = world.pay(&app, "S1", 600).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        // Nobody waits for the next question when the news is there.
        assert!(
            begun.elapsed() < Duration::from_millis(1_000),
            "it took {:?}",
            begun.elapsed()
        );
        assert_eq!(events(&app, "payment.succeeded").await?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_order_of_wechat_ends_without_any_notification() {
    lost_or_late(&WECHAT).await;
}

#[tokio::test]
async fn an_order_of_alipay_ends_without_any_notification() {
    lost_or_late(&ALIPAY).await;
}

#[tokio::test]
async fn an_order_of_unionpay_ends_without_any_notification() {
    lost_or_late(&UNIONPAY).await;
}

async fn lost_or_late(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        for (n, effect) in [Effect::NoticeLost, Effect::NoticeLate { ms: 800 }]
            .into_iter()
            .enumerate()
        {
            world.fault(channel, "notify", effect);
            world.fault(channel, channel.deduct, Effect::Pending { ms: 50 });
            world.pay(&app, &format!("S{n}"), 600).await?;
            let ended = world.ended_in_time(&format!("S{n}")).await?;
            assert_eq!(ended.text("pay_status"), "PS_SUCCESS", "{}", ended.body);
        }
        let late = notice(&world, &world.query("S1").await?.text("pay_out_trade_no")).await?;
        assert!(late.acknowledged, "what is known already is acknowledged all the same");
        // Even after more than a year.
        world.advance(Duration::from_secs(400 * 86_400));
        let told = send(channel, &late.url, &late.body).await?;
        assert!(acknowledges(channel, &told), "{told:?}");
        assert_eq!(world.query("S1").await?.text("pay_status"), "PS_SUCCESS");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_notification_of_wechat_with_another_amount_is_quarantined() {
    another_amount(&WECHAT).await;
}

#[tokio::test]
async fn a_notification_of_alipay_with_another_amount_is_quarantined() {
    another_amount(&ALIPAY).await;
}

#[tokio::test]
async fn a_notification_of_unionpay_with_another_amount_is_quarantined() {
    another_amount(&UNIONPAY).await;
}

/// FLT-18: correctly signed, about our order, and with an amount that is not ours.
async fn another_amount(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        world.fault(channel, channel.deduct, Effect::Pending { ms: 50 });
        world.faults(channel, channel.query, 0, Effect::ResetBefore);
        world.fault(channel, "notify", Effect::WrongAmount { fen: 1 });
        let unknown = world.pay(&app, "S1", 600).await?;
        assert_eq!(unknown.text("pay_status"), "PS_PAYING", "{}", unknown.body);
        let sent = notice(&world, &unknown.text("pay_out_trade_no")).await?;
        assert!(!sent.acknowledged, "it must not be acknowledged");
        assert!(!world.alarms("notice_mismatch").await?.is_empty(), "a person is told");
        assert_eq!(world.query("S1").await?.text("pay_status"), "PS_PAYING");
        assert_eq!(events(&app, "payment.succeeded").await?, 0);
        world.clear_faults();
        let ended = world.ended_in_time("S1").await?;
        assert_eq!(ended.text("pay_status"), "PS_SUCCESS", "{}", ended.body);
        assert_eq!(ended.body["data"]["total_fee"], 600);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn another_account_of_wechat_cannot_speak_of_our_orders_and_contracts() {
    another_account(&WECHAT).await;
}

#[tokio::test]
async fn another_account_of_alipay_cannot_speak_of_our_orders_and_contracts() {
    another_account(&ALIPAY).await;
}

#[tokio::test]
async fn another_account_of_unionpay_cannot_speak_of_our_orders_and_contracts() {
    another_account(&UNIONPAY).await;
}

/// A merchant knows the keys of its own account, so whatever that account says about others is worth nothing.
async fn another_account(channel: &Words) {
    story_with(impatient(), async |world| {
        let other = world.further_merchant("M20001").await?;
        let app = world.rider(channel.id).await?;
        world.fault(channel, channel.deduct, Effect::Pending { ms: 3_600_000 });
        let hangs = world.pay(&app, "S1", 600).await?;
        assert_eq!(hangs.text("pay_status"), "PS_PAYING", "{}", hangs.body);
        let ours = hangs.text("pay_out_trade_no");

        // Their user signs and pays, and their notifications tell of our order instead.
        let user = world.app_of("U20001");
        user.post("code-account", &serde_json::json!({})).await?;
        world.sign_with(&user, &other.mch_id, channel.id).await?;
        world.fault(channel, "notify", Effect::WrongOrder { order_no: ours.clone() });
        let (digits, _) = world.code(&user).await?;
        let mut order = World::order("T1", &digits, 600);
        order["store_id"] = other.store_ids[0].as_str().into();
        world.till_of(&other).call("applypay", &order).await?;
        for _ in 0..100 {
            if !world.alarms("notice_mismatch").await?.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert!(!world.alarms("notice_mismatch").await?.is_empty(), "a person is told");
        assert_eq!(world.query("S1").await?.text("pay_status"), "PS_PAYING");

        // A genuine one of theirs under our path, and of ours under theirs.
        let undone = world.reversed_in_time("S1").await?;
        assert_eq!(undone.text("recall"), "N", "{}", undone.body);
        let mine = world.pay(&app, "S2", 600).await?;
        let mine = notice(&world, &mine.text("pay_out_trade_no")).await?;
        let their_url = world.server.engine().notify_url(
            &channel.id.into(),
            &metropay_core::id::AccountId(format!("{}-{}", other.mch_id, channel.id)),
        );
        let told = send(channel, &their_url, &mine.body).await?;
        assert!(!acknowledges(channel, &told), "{told:?}");
        Ok(())
    })
    .await;
}
