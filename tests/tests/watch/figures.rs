//! A few payments, and what the figures say of them.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use metropay_core::metric;
use metropay_server::demo::client::LiveEvents;
use metropay_simulator::Effect;
use metropay_tests::channel::{ALIPAY, WECHAT};
use metropay_tests::{App, World, story};
use serde_json::json;
use tokio::time::sleep;

use crate::ALONE;
use crate::collector::listen;
use crate::scrape::Scrape;

/// How much more the second scrape says.
struct More<'a>(&'a Scrape, &'a Scrape);

impl More<'_> {
    fn is(&self, name: &str, labels: &[(&str, &str)], expected: f64) -> Result<()> {
        let more = self.1.sum(name, labels) - self.0.sum(name, labels);
        ensure!(
            (more - expected).abs() < 1e-6,
            "{name}{labels:?}: {more} more, not {expected}"
        );
        Ok(())
    }

    fn at_least(&self, name: &str, labels: &[(&str, &str)], least: f64) -> Result<()> {
        let more = self.1.sum(name, labels) - self.0.sum(name, labels);
        ensure!(more >= least, "{name}{labels:?}: only {more} more, not {least}");
        Ok(())
    }
}

#[tokio::test]
async fn a_few_payments_are_told_to_the_figure() {
    let _alone = ALONE.lock().await;
    listen();
    story(async |world| {
        let before = Scrape::of(&world).await?;
        let app = world.rider("wechat").await?;
        let refused = play(&world, &app).await?;
        let live = LiveEvents::open(&app, None).await?;
        tracing::error!("a line that somebody should read");
        let after = Scrape::of(&world).await?;
        let more = More(&before, &after);
        payments(&more, &refused)?;
        channels(&more)?;
        doors(&more)?;
        work(&after)?;
        process(&after)?;
        nothing_private(&world, &after);
        drop(live);
        nobody_waits(&world).await
    })
    .await;
}

/// Two are paid, one of them given back in part, the other undone; one is refused by the channel; one code is none. Answers
/// the refusal of the last.
async fn play(world: &World, app: &App) -> Result<String> {
    for no in ["S1", "S2"] {
        let paid = world.pay(app, no, 600).await?;
        ensure!(paid.text("pay_status") == "PS_SUCCESS", "{}", paid.body);
    }
    let refuse = Effect::Refuse {
        code: WECHAT.poor.to_owned(),
    };
    world.fault(&WECHAT, WECHAT.deduct, refuse);
    let poor = world.pay(app, "S3", 600).await?;
    ensure!(poor.text("pay_status") == "PS_FAILED", "{}", poor.body);
    let wrong = world
        .till()
        .call("applypay", &World::order("S4", "7700000000000000", 600))
        .await?;
    ensure!(wrong.status == 422, "{}", wrong.body);
    world.refunded_in_time("S1", "R1", 100).await?;
    let undone = world.reversed_in_time("S2").await?;
    ensure!(undone.text("recall") == "N", "{}", undone.body);
    Ok(wrong.code().to_owned())
}

fn payments(more: &More<'_>, refused: &str) -> Result<()> {
    let wechat = [("channel", "wechat"), ("product", "mandate")];
    more.is(metric::PAYMENTS_PLACED, &wechat, 3.0)?;
    more.is(metric::PAYMENTS, &[wechat[0], wechat[1], ("state", "success")], 2.0)?;
    more.is(metric::PAYMENTS, &[wechat[0], wechat[1], ("state", "failed")], 1.0)?;
    more.is(metric::PAYMENTS, &[], 3.0)?;
    more.is("metropay_payment_duration_seconds_count", &[("state", "success")], 2.0)?;
    more.is(
        "metropay_payment_duration_seconds_bucket",
        &[("state", "success"), ("le", "+Inf")],
        2.0,
    )?;
    more.is(metric::PAYMENTS_REFUSED, &[("code", refused)], 1.0)?;
    let asked = [("channel", "wechat"), ("kind", "asked"), ("state", "done")];
    more.is(metric::REFUNDS, &asked, 1.0)?;
    let undone = [("channel", "wechat"), ("origin", "till"), ("result", "money_back")];
    more.is(metric::REVERSALS, &undone, 1.0)?;
    for state in ["pending", "active"] {
        more.is(metric::MANDATES, &[("channel", "wechat"), ("state", state)], 1.0)?;
    }
    more.is(metric::LOG_EVENTS, &[("level", "error")], 1.0)?;
    more.is(metric::ALARMS, &[], 0.0)
}

/// Who hung up is counted no more.
async fn nobody_waits(world: &World) -> Result<()> {
    for _ in 0..100 {
        if Scrape::of(world).await?.sum(metric::EVENT_CONNECTIONS, &[]) == 0.0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("a stream that was left is counted for ever")
}

fn channels(more: &More<'_>) -> Result<()> {
    let deduct = |outcome| [("channel", "wechat"), ("operation", "deduct"), ("outcome", outcome)];
    more.is(metric::CHANNEL_CALLS, &deduct("refused"), 1.0)?;
    more.is(metric::CHANNEL_CALLS, &deduct("maybe_done"), 0.0)?;
    more.is(metric::CHANNEL_CALLS, &deduct("not_sent"), 0.0)?;
    let all = [("channel", "wechat"), ("operation", "deduct")];
    more.is(metric::CHANNEL_CALLS, &all, 3.0)?;
    more.is("metropay_channel_call_duration_seconds_count", &all, 3.0)?;
    more.at_least(metric::OUTBOUND, &[("peer", "wechat"), ("outcome", "2xx")], 3.0)?;
    more.at_least(metric::NOTICES, &[("channel", "wechat"), ("outcome", "applied")], 1.0)?;
    let breakers = |state| more.1.sum(metric::BREAKERS, &[("channel", "wechat"), ("state", state)]);
    ensure!(breakers("closed") >= 1.0 && breakers("open") + breakers("trying") == 0.0);
    Ok(())
}

fn doors(more: &More<'_>) -> Result<()> {
    let applypay = ("route", "/metro/payment/v1/api/qrcode/applypay");
    let count = "metropay_http_request_duration_seconds_count";
    more.is(count, &[applypay, ("class", "2xx")], 3.0)?;
    more.is(count, &[applypay, ("class", "4xx")], 1.0)?;
    more.at_least(
        count,
        &[("route", "/notify/{channel}/{account}/{token}"), ("class", "2xx")],
        1.0,
    )?;
    more.is(metric::EVENT_CONNECTIONS, &[("kind", "stream")], 1.0)
}

/// Waits until so many of the merchants' endpoints stand so.
async fn endpoints_are(world: &World, state: &str, expected: f64) -> Result<()> {
    let mut seen = f64::NAN;
    for _ in 0..200 {
        let now = Scrape::of(world).await?;
        seen = now.sum(metric::ENDPOINTS, &[("state", state)]);
        if (seen - expected).abs() < 1e-6 {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    bail!("{seen} endpoints are {state}, not {expected}")
}

#[tokio::test]
async fn endpoints_are_counted_as_they_stand() {
    let _alone = ALONE.lock().await;
    listen();
    story(async |world| {
        let till = world.till();
        let mut made = Vec::new();
        for sink in ["rests", "gone", "off", "new"] {
            let url = format!("{}/sink/{sink}", world.frame().public_url);
            let wish = json!({ "url": url, "kinds": ["payment.succeeded"] });
            let reply = till.call("webhook/create", &wish).await?;
            let id = reply.body["data"]["endpoint"]["endpoint_id"].clone();
            ensure!(id.is_string(), "{}", reply.body);
            made.push(json!({ "endpoint_id": id }));
        }
        endpoints_are(&world, "unproven", 4.0).await?;
        for endpoint in made.iter().take(3) {
            till.call("webhook/prove", endpoint).await?;
        }
        endpoints_are(&world, "active", 3.0).await?;
        till.call("webhook/disable", &made[2]).await?;
        world.control.sink_mood("rests", "broken").await?;
        world.control.sink_mood("gone", "gone").await?;
        let app = world.rider("wechat").await?;
        for at in 0..3 {
            world.pay(&app, &format!("E{at}"), 100).await?;
        }
        for (state, count) in [
            ("resting", 1.0),
            ("gone", 1.0),
            ("disabled", 1.0),
            ("unproven", 1.0),
            ("active", 0.0),
        ] {
            endpoints_are(&world, state, count).await?;
        }
        Ok(())
    })
    .await;
}

fn work(after: &Scrape) -> Result<()> {
    ensure!(after.sum(metric::PAYMENTS_OPEN, &[]) == 0.0);
    for kind in [
        "payment",
        "refund",
        "reversal",
        "notice",
        "contract",
        "membership",
        "owed",
        "webhook",
    ] {
        let due = after
            .lines
            .iter()
            .any(|line| line.name == metric::WORK_DUE && line.labels["kind"] == kind);
        ensure!(due, "nothing is said of {kind}");
    }
    ensure!(after.sum(metric::DATABASE_CONNECTIONS_MAX, &[("pool", "write")]) == 1.0);
    ensure!(after.sum(metric::DATABASE_CONNECTIONS, &[("pool", "read")]) >= 1.0);
    for job in ["complete_payments", "seal_ledger"] {
        ensure!(after.sum(metric::JOB_LEASE, &[("job", job)]) == 1.0, "{job}");
        ensure!(after.sum(metric::JOB_LAST_SUCCESS, &[("job", job)]) > 1e9, "{job}");
    }
    Ok(())
}

fn process(after: &Scrape) -> Result<()> {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    ensure!(after.sum(metric::BUILD_INFO, &version) == 1.0);
    ensure!(after.sum(metric::PROCESS_MEMORY, &[]) > 1e6);
    ensure!(after.sum(metric::PROCESS_CPU, &[]) > 0.0);
    ensure!(after.sum(metric::PROCESS_FDS, &[]) > 3.0);
    ensure!(after.sum(metric::PROCESS_FDS_MAX, &[]) > 3.0);
    ensure!(after.sum(metric::PROCESS_START, &[]) > 1e9);
    Ok(())
}

/// Labels tell of no user, merchant, number, code or phone. Names of channels and of routes are all the letters and digits
/// that they hold.
fn nothing_private(world: &World, scrape: &Scrape) {
    let private = world
        .credentials
        .merchants
        .iter()
        .flat_map(|merchant| merchant.store_ids.iter().chain([&merchant.mch_id]))
        .map(String::as_str)
        .chain(["U10001", "U10002"]);
    let private: Vec<&str> = private.collect();
    assert!(!private.is_empty());
    for line in &scrape.lines {
        for (key, value) in &line.labels {
            let version = key == "version" || key == "le";
            let digits = value.bytes().filter(u8::is_ascii_digit).count();
            assert!(
                version || digits <= 3,
                "{}: {key}={value:?} looks like a number of somebody",
                line.name
            );
        }
    }
    for word in private {
        assert!(!scrape.text.contains(word), "a line tells of {word}");
    }
    let lines = scrape.lines.len();
    assert!(lines < 5_000, "{lines} lines are too many for a few payments");
}

#[tokio::test]
async fn what_is_lost_is_told_as_maybe_done_and_as_backlog() {
    let _alone = ALONE.lock().await;
    let wishes = metropay_tests::Wishes {
        till_wait_ms: 300,
        ..metropay_tests::Wishes::default()
    };
    metropay_tests::story_with(wishes, async |world| {
        let app = world.rider("alipay").await?;
        let before = Scrape::of(&world).await?;
        world.fault(&ALIPAY, ALIPAY.deduct, Effect::ResetBefore);
        let unknown = world.pay(&app, "S1", 600).await?;
        ensure!(unknown.text("pay_status") == "PS_PAYING", "{}", unknown.body);
        let after = Scrape::of(&world).await?;
        let more = More(&before, &after);
        let deduct = [
            ("channel", "alipay"),
            ("operation", "deduct"),
            ("outcome", "maybe_done"),
        ];
        more.is(metric::CHANNEL_CALLS, &deduct, 1.0)?;
        more.at_least(metric::OUTBOUND, &[("peer", "alipay"), ("outcome", "maybe_done")], 1.0)?;
        ensure!(after.sum(metric::PAYMENTS_OPEN, &[]) == 1.0);
        more.is(metric::PAYMENTS, &[], 0.0)?;
        world.ended_in_time("S1").await?;
        let ended = Scrape::of(&world).await?;
        More(&after, &ended).is(metric::PAYMENTS, &[("channel", "alipay"), ("state", "closed")], 1.0)?;
        ensure!(ended.sum(metric::PAYMENTS_OPEN, &[]) == 0.0);
        // The channel was asked, whoever did.
        let asked = [
            ("channel", "alipay"),
            ("operation", "query_payment"),
            ("outcome", "done"),
        ];
        More(&before, &ended).at_least(metric::CHANNEL_CALLS, &asked, 1.0)?;
        Ok(())
    })
    .await;
}
