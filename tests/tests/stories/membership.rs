//! Members of a merchant whose own system has another shape than ours, mapped by its rule alone: joining, leaving, another phone
//! number; and what that system may do without anybody's payment waiting for it (INV-32, FLT-42).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::id::MchId;
use metropay_core::membership::{Joining, put_system};
use metropay_core::rule::{self, Level, NewRule};
use metropay_core::rules::Kind;
use metropay_server::demo::client::App;
use metropay_simulator::CLUB_SECRET;
use metropay_tests::{World, story};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const RULE: &str = include_str!("../../../scripts/examples/membership/signed_get.luau");
const RULE_TESTS: &str = include_str!("../../../scripts/examples/membership/signed_get.test.luau");
const PATH: &str = "merchants/M10001/membership";
/// How long a membership may take after nothing stands in its way any more.
const SOON: Duration = Duration::from_secs(20);
/// A node follows a rule within a second.
const FOLLOWED: Duration = Duration::from_millis(1_100);

/// The merchant's rule in force, and its system set up.
async fn club(world: &World, joining: Joining) -> Result<()> {
    let engine = world.server.engine();
    let new = NewRule {
        kind: Kind::Membership,
        level: Level::Merchant,
        scope: "M10001".to_owned(),
        source: RULE.to_owned(),
        tests: RULE_TESTS.to_owned(),
        note: String::new(),
        author: "Lin".to_owned(),
    };
    let no = rule::draft(engine, new).await?.rule_no;
    if let Err(rule::Refused::Script(found)) = rule::check(engine, &no, "Lin").await {
        anyhow::bail!("{found:#?}");
    }
    rule::shadow(engine, &no, 100, "Lin").await?;
    rule::approve(engine, &no, "Wu").await?;
    rule::activate(engine, &no, "Wu").await?;
    sleep(FOLLOWED).await;
    let config =
        json!({ "url": format!("{}/club", world.frame().public_url), "sign": "secret", "secret": CLUB_SECRET });
    put_system(engine, &MchId::from("M10001"), ("http", &config), joining).await?;
    Ok(())
}

async fn shown(app: &App) -> Result<Value> {
    let reply = app.get(PATH).await?;
    ensure!(reply.status == 200, "{}", reply.body);
    Ok(reply.body["data"].clone())
}

/// Waits until the membership is shown so.
async fn until(app: &App, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let shown = shown(app).await?;
        if is(&shown) {
            return Ok(shown);
        }
        ensure!(begun.elapsed() < SOON, "{what}: {shown}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn known(world: &World, uid: &str) -> Result<Option<Value>> {
    Ok(world.control.club().await?["members"].get(uid).cloned())
}

async fn member(world: &World, app: &App) -> Result<()> {
    ensure!(app.post("code-account", &json!({})).await?.status == 200);
    until(app, "a member", |shown| shown["vip_status"] == "ACTIVE").await?;
    ensure!(known(world, "U10001").await?.is_some());
    Ok(())
}

#[tokio::test]
async fn opening_the_code_makes_a_member_and_a_new_number_reaches_the_merchant() {
    story(async |world| {
        club(&world, Joining::AtOpening).await?;
        let app = world.app(0);
        member(&world, &app).await?;
        let shown = shown(&app).await?;
        assert_eq!(shown["member_no"], "CLUBU10001");
        let sent = app.post("phone/code", &json!({ "phone": "13911112222" })).await?;
        ensure!(sent.status == 200, "{}", sent.body);
        let (phone, code) = world.last_sms()?;
        assert_eq!(phone, "13911112222");
        let changed = app.put("phone", &json!({ "phone": phone, "code": code })).await?;
        ensure!(changed.status == 200, "{}", changed.body);
        until(&app, "the number is told", |shown| shown["phone_up_to_date"] == true).await?;
        assert_eq!(known(&world, "U10001").await?.context("a member")?, "13911112222");
        ensure!(app.delete(PATH).await?.status == 200);
        until(&app, "no member", |shown| shown["vip_status"] == "CLOSED").await?;
        assert_eq!(known(&world, "U10001").await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_club_that_misbehaves_delays_its_members_alone_and_no_payment() {
    story(async |world| {
        club(&world, Joining::OnRequest).await?;
        let app = world.rider("wechat").await?;
        for (mood, no) in [
            ("redirecting", "MB-1"),
            ("page", "MB-2"),
            ("broken", "MB-3"),
            ("mute", "MB-4"),
            ("hanging", "MB-5"),
        ] {
            world.control.club_mood(mood).await?;
            ensure!(app.put(PATH, &json!({})).await?.status == 200);
            let told = world.pay(&app, no, 600).await?;
            assert_eq!(told.text("pay_status"), "PS_SUCCESS", "{mood}: {}", told.body);
            sleep(Duration::from_millis(1_500)).await;
            let shown = shown(&app).await?;
            assert_eq!(
                (&shown["vip_status"], &shown["wish"]),
                (&"PENDING".into(), &"OPEN".into()),
                "{mood}"
            );
        }
        world.control.club_mood("undecided").await?;
        world.advance(Duration::from_secs(7 * 3_600));
        sleep(Duration::from_secs(2)).await;
        world.control.club_mood("willing").await?;
        world.advance(Duration::from_secs(7 * 3_600));
        let app = world.app(0);
        let begun = Instant::now();
        // The merchant rests by the wall's time, its question waits by ours.
        loop {
            let shown = shown(&app).await?;
            if shown["vip_status"] == "ACTIVE" {
                break;
            }
            ensure!(begun.elapsed() < Duration::from_secs(90), "{shown}");
            world.advance(Duration::from_secs(600));
            sleep(Duration::from_secs(1)).await;
        }
        // However often it was asked, it was asked one thing.
        let books = world.control.club().await?;
        let asked = books["asked"].as_array().context("questions")?;
        let opened = asked.iter().filter(|question| question[0] == "member.open");
        let numbers: std::collections::BTreeSet<String> = opened.map(|question| question[1].to_string()).collect();
        assert_eq!(numbers.len(), 1, "{asked:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_merchant_that_says_no_is_heard() {
    story(async |world| {
        club(&world, Joining::OnRequest).await?;
        let app = world.app(0);
        ensure!(app.post("code-account", &json!({})).await?.status == 200);
        world.control.club_mood("unwilling").await?;
        ensure!(app.put(PATH, &json!({})).await?.status == 200);
        let shown = until(&app, "an answer", |shown| shown["wish"].is_null()).await?;
        assert_eq!(shown["vip_status"], "CLOSED");
        let events = app.get("events/poll?after=0&wait_s=0").await?;
        let told = events.body["data"]["events"]
            .as_array()
            .is_some_and(|events| events.iter().any(|event| event["kind"] == "member.refused"));
        ensure!(told, "{}", events.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_first_payment_makes_a_member_and_points_come_and_go_with_money() {
    story(async |world| {
        let levels = json!([{ "name": "银卡", "from_points": 10 }]);
        let config = json!({ "number_prefix": "SZ", "points_per_yuan": 1, "levels": levels });
        let engine = world.server.engine();
        put_system(
            engine,
            &MchId::from("M10001"),
            ("builtin", &config),
            Joining::AtFirstPayment,
        )
        .await?;
        let app = world.rider("wechat").await?;
        assert_eq!(shown(&app).await?["vip_status"], "UNACTIVE");
        world.pay(&app, "MP-1", 300).await?;
        let member = until(&app, "a member", |shown| shown["vip_status"] == "ACTIVE").await?;
        assert_eq!(member["points"], 0, "what made him one does not count");
        world.pay(&app, "MP-2", 1_250).await?;
        let silver = until(&app, "points", |shown| shown["points"] == 12).await?;
        assert_eq!(silver["level"], "银卡");
        for (no, fee, left) in [("R1", 333, 9), ("R2", 917, 0)] {
            let refund = json!({ "out_request_no": "MP-2", "out_refund_no": no, "refund_fee": fee });
            let done = world.till().call("refund", &refund).await?;
            ensure!(done.status == 200, "{}", done.body);
            let after = until(&app, "fewer points", |shown| shown["points"] == left).await?;
            assert_eq!(after["level"], Value::Null);
        }
        world.pay(&app, "MP-3", 2_000).await?;
        until(&app, "points", |shown| shown["points"] == 20).await?;
        let undone = world
            .till()
            .call("reverse", &json!({ "out_request_no": "MP-3" }))
            .await?;
        ensure!(undone.status == 200, "{}", undone.body);
        until(&app, "none left", |shown| shown["points"] == 0).await?;
        Ok(())
    })
    .await;
}
