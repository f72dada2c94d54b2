//! Merchants are told: signed, the oldest first, as often as it takes, and each for itself (INV-17, FLT-43).

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use metropay_core::clock::Clock;
use metropay_core::secret::Secret;
use metropay_core::signing::{WEBHOOK_TOLERANCE, WebhookHeaders, WebhookVerifyingKey, verify_webhook};
use metropay_server::demo::client::{Reply, Till};
use metropay_tests::{World, story};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long a notice may take when nothing stands in its way.
const SOON: Duration = Duration::from_secs(30);

struct Endpoint {
    id: String,
    secret: String,
    public: String,
}

fn url(world: &World, sink: &str) -> String {
    format!("{}/sink/{sink}", world.frame().public_url)
}

async fn done(till: &Till, operation: &str, body: Value) -> Result<Reply> {
    let reply = till.call(operation, &body).await?;
    ensure!(reply.status == 200, "{operation}: {}", reply.body);
    Ok(reply)
}

fn made(reply: &Reply) -> Endpoint {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let data = &reply.body["data"];
    Endpoint {
        id: text(&data["endpoint"]["endpoint_id"]),
        secret: text(&data["secret"]),
        public: text(&data["public_key"]),
    }
}

/// An endpoint at this sink, proven.
async fn endpoint(world: &World, sink: &str) -> Result<Endpoint> {
    let till = world.till();
    let reply = done(
        &till,
        "webhook/create",
        json!({ "url": url(world, sink), "description": sink }),
    )
    .await?;
    let endpoint = made(&reply);
    ensure!(reply.body["data"]["endpoint"]["state"] == "UNPROVEN");
    let proven = done(&till, "webhook/prove", json!({ "endpoint_id": endpoint.id })).await?;
    ensure!(proven.text("state") == "ACTIVE", "{}", proven.body);
    Ok(endpoint)
}

/// What a sink was told, when it is as much.
async fn heard(world: &World, sink: &str, least: usize) -> Result<Vec<Value>> {
    let begun = Instant::now();
    loop {
        let heard = world.control.heard(sink).await?;
        if heard.len() >= least {
            return Ok(heard);
        }
        ensure!(
            begun.elapsed() < SOON,
            "{sink} heard {} of {least}: {heard:#?}",
            heard.len()
        );
        sleep(Duration::from_millis(100)).await;
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn kinds(heard: &[Value]) -> Vec<String> {
    let kind = |notice: &Value| {
        let body: Value = serde_json::from_str(&text(notice, "body")).unwrap_or_default();
        text(&body, "type")
    };
    heard.iter().map(kind).collect()
}

fn is_signed_by(world: &World, notice: &Value, key: &str) -> Result<()> {
    let headers = WebhookHeaders {
        id: text(notice, "id"),
        timestamp: text(notice, "timestamp"),
        signature: text(notice, "signature"),
    };
    let key = WebhookVerifyingKey::parse(&Secret::from(key))?;
    let body = text(notice, "body");
    verify_webhook(&[key], &headers, body.as_bytes(), world.clock.now(), WEBHOOK_TOLERANCE)?;
    Ok(())
}

/// Waits until an attempt failed like this; time goes on, so that rests end.
async fn until_troubled(world: &World, endpoint: &Endpoint, trouble: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let all = done(
            &world.till(),
            "webhook/deliveries",
            json!({ "endpoint_id": endpoint.id }),
        )
        .await?;
        if all.body.to_string().contains(trouble) {
            return Ok(());
        }
        ensure!(begun.elapsed() < SOON, "no {trouble}: {}", all.body);
        sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn a_merchant_is_told_of_its_money_under_both_signatures() {
    story(async |world| {
        let endpoint = endpoint(&world, "shop").await?;
        let app = world.rider("wechat").await?;
        world.pay(&app, "WH-1", 600).await?;
        let refund = json!({ "out_request_no": "WH-1", "out_refund_no": "WH-1-R", "refund_fee": 200 });
        done(&world.till(), "refund", refund).await?;
        world.pay(&app, "WH-2", 700).await?;
        done(&world.till(), "reverse", json!({ "out_request_no": "WH-2" })).await?;
        // The mandate, two payments, a refund, a reversal.
        let heard = heard(&world, "shop", 5).await?;
        let told: BTreeSet<String> = kinds(&heard).into_iter().collect();
        let expected = [
            "mandate.active",
            "payment.succeeded",
            "refund.succeeded",
            "payment.reversed",
        ];
        assert_eq!(told, expected.map(str::to_owned).into());
        for notice in &heard {
            is_signed_by(&world, notice, &endpoint.secret)?;
            is_signed_by(&world, notice, &endpoint.public)?;
            assert!(!text(notice, "body").contains("phone"), "nothing personal");
        }
        let paid = heard
            .iter()
            .find(|notice| text(notice, "id").ends_with("-succeeded"))
            .context("paid")?;
        let body: Value = serde_json::from_str(&text(paid, "body"))?;
        assert_eq!(
            (&body["data"]["out_request_no"], &body["data"]["total_fee"]),
            (&"WH-1".into(), &600.into())
        );
        let ids: BTreeSet<String> = heard.iter().map(|notice| text(notice, "id")).collect();
        assert_eq!(ids.len(), heard.len(), "each once");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_was_down_is_told_everything_in_order_and_another_does_not_wait_for_it() {
    story(async |world| {
        let down = endpoint(&world, "down").await?;
        endpoint(&world, "well").await?;
        let app = world.rider("wechat").await?;
        heard(&world, "down", 1).await?;
        let moods = [
            ("broken", "HTTP_BUSY"),
            ("hanging", "TIMEOUT"),
            ("redirecting", "HTTP_REDIRECT"),
        ];
        for (at, (mood, trouble)) in moods.into_iter().enumerate() {
            world.control.sink_mood("down", mood).await?;
            world.pay(&app, &format!("WH-{at}"), 100).await?;
            heard(&world, "well", at + 2).await?;
            until_troubled(&world, &down, trouble).await?;
        }
        world.control.sink_mood("down", "mute").await?;
        world.pay(&app, "WH-4", 100).await?;
        heard(&world, "well", 5).await?;
        heard(&world, "down", 2).await.context("it is tried after its rest")?;
        world.control.sink_mood("down", "broken").await?;
        // Two days later.
        world.advance(Duration::from_secs(12 * 3_600));
        sleep(Duration::from_secs(2)).await;
        world.control.sink_mood("down", "willing").await?;
        world.advance(Duration::from_secs(36 * 3_600));
        let begun = Instant::now();
        let till = world.till();
        loop {
            let waiting = json!({ "endpoint_id": down.id, "state": "WAITING" });
            let waiting = done(&till, "webhook/deliveries", waiting).await?;
            if waiting.body["data"]["deliveries"].as_array().is_some_and(Vec::is_empty) {
                break;
            }
            ensure!(begun.elapsed() < SOON * 2, "{}", waiting.body);
            world.advance(Duration::from_secs(30));
            sleep(Duration::from_millis(500)).await;
        }
        let told = world.control.heard("down").await?;
        // Whoever keeps what he answers with a fault hears of it again.
        let mut seen = BTreeSet::new();
        let last: Vec<String> = told
            .iter()
            .rev()
            .map(|notice| text(notice, "id"))
            .filter(|id| seen.insert(id.clone()))
            .collect();
        let well: Vec<String> = world
            .control
            .heard("well")
            .await?
            .iter()
            .rev()
            .map(|notice| text(notice, "id"))
            .collect();
        assert_eq!(last, well, "the same, in the same order");
        Ok(())
    })
    .await;
}

/// INV-17: a server that lies, fails and hangs while people pay; in the end the set that it was told is the set that was owed.
#[tokio::test]
async fn what_is_owed_is_what_is_told_to_a_server_that_lies() {
    story(async |world| {
        let endpoint = endpoint(&world, "liar").await?;
        let till = world.till();
        let app = world.rider("wechat").await?;
        let mut owed = BTreeSet::new();
        for (round, mood) in ["broken", "mute", "redirecting", "willing", "mute", "broken"]
            .into_iter()
            .enumerate()
        {
            world.control.sink_mood("liar", mood).await?;
            for at in 0..4 {
                let told = world.pay(&app, &format!("WL-{round}-{at}"), 100).await?;
                owed.insert(format!("{}-succeeded", told.text("pay_out_trade_no")));
            }
            sleep(Duration::from_millis(700)).await;
        }
        world.control.sink_mood("liar", "willing").await?;
        let begun = Instant::now();
        loop {
            let waiting = json!({ "endpoint_id": endpoint.id, "state": "WAITING" });
            let waiting = done(&till, "webhook/deliveries", waiting).await?;
            let heard: BTreeSet<String> = world
                .control
                .heard("liar")
                .await?
                .iter()
                .map(|notice| text(notice, "id"))
                .collect();
            if waiting.body["data"]["deliveries"] == json!([]) && owed.is_subset(&heard) {
                // Beside them the mandate, which was there before the first payment.
                assert_eq!(heard.len(), owed.len() + 1);
                return Ok(());
            }
            ensure!(
                begun.elapsed() < SOON * 2,
                "{} owed, {} heard: {}",
                owed.len(),
                heard.len(),
                waiting.body
            );
            world.advance(Duration::from_secs(60));
            sleep(Duration::from_millis(500)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_exchanged_without_losing_a_notice_and_410_ends_it_until_it_is_proven_again() {
    story(async |world| {
        let old = endpoint(&world, "shop").await?;
        let till = world.till();
        let rotated = done(
            &till,
            "webhook/rotate",
            json!({ "endpoint_id": old.id, "overlap_s": 3_600 }),
        )
        .await?;
        let new = made(&rotated);
        done(&till, "webhook/ping", json!({ "endpoint_id": old.id })).await?;
        let first = heard(&world, "shop", 1).await?;
        for key in [&old.secret, &old.public, &new.secret, &new.public] {
            is_signed_by(&world, &first[0], key)?;
        }
        world.advance(Duration::from_secs(3_601));
        done(&till, "webhook/ping", json!({ "endpoint_id": old.id })).await?;
        let second = heard(&world, "shop", 2).await?;
        is_signed_by(&world, &second[1], &new.secret)?;
        assert!(is_signed_by(&world, &second[1], &old.secret).is_err(), "it is over");

        world.control.sink_mood("shop", "gone").await?;
        done(&till, "webhook/ping", json!({ "endpoint_id": old.id })).await?;
        let begun = Instant::now();
        while done(&till, "webhook/list", json!({})).await?.body["data"]["endpoints"][0]["state"] != "GONE" {
            ensure!(begun.elapsed() < SOON, "it goes on");
            sleep(Duration::from_millis(100)).await;
        }
        let refused = till.call("webhook/ping", &json!({ "endpoint_id": old.id })).await?;
        assert_eq!((refused.status, refused.code()), (422, "ENDPOINT_UNPROVEN"));
        world.control.sink_mood("shop", "willing").await?;
        done(&till, "webhook/prove", json!({ "endpoint_id": old.id })).await?;
        let third = heard(&world, "shop", 3).await?;
        let event_id = text(&third[2], "id");
        let again = done(
            &till,
            "webhook/replay",
            json!({ "endpoint_id": old.id, "event_id": event_id }),
        )
        .await?;
        assert_eq!(again.body["data"]["count"], 1);
        let fourth = heard(&world, "shop", 4).await?;
        assert_eq!(text(&fourth[3], "id"), event_id, "the same number");
        assert_eq!(fourth[3]["body"], third[2]["body"]);
        done(&till, "webhook/disable", json!({ "endpoint_id": old.id })).await?;
        done(&till, "webhook/remove", json!({ "endpoint_id": old.id })).await?;
        assert_eq!(
            done(&till, "webhook/list", json!({})).await?.body["data"]["endpoints"],
            json!([])
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn bad_endpoints_are_refused_and_nothing_changes() {
    story(async |world| {
        let till = world.till();
        for bad in [
            json!({ "url": "http://10.0.0.1/x" }),
            json!({ "url": "https://169.254.169.254/latest/meta-data" }),
            json!({ "url": "ftp://shop.example.com/" }),
            json!({ "url": "https://user:pass@shop.example.com/" }),
            json!({ "url": "" }),
            json!({ "url": 7 }),
            json!({ "url": "https://shop.example.com/x", "kinds": ["payment.stolen"] }),
            json!({ "url": "https://shop.example.com/x", "description": "长".repeat(65) }),
        ] {
            let refused = till.call("webhook/create", &bad).await?;
            assert_eq!(refused.status, 400, "{bad}: {}", refused.body);
        }
        let unknown = json!({ "endpoint_id": "WH0" });
        for operation in ["update", "remove", "prove", "disable", "rotate", "ping", "deliveries"] {
            let refused = till.call(&format!("webhook/{operation}"), &unknown).await?;
            assert_eq!(
                (refused.status, refused.code()),
                (404, "ENDPOINT_NOT_FOUND"),
                "{operation}"
            );
        }
        let replay = till.call("webhook/replay", &unknown).await?;
        assert_eq!((replay.status, replay.code()), (400, "PARAM_EITHER_OR"));
        world.control.sink_mood("strange", "strange").await?;
        let created = done(&till, "webhook/create", json!({ "url": url(&world, "strange") })).await?;
        let id = made(&created).id;
        let unproven = till.call("webhook/prove", &json!({ "endpoint_id": id })).await?;
        assert_eq!((unproven.status, unproven.code()), (422, "ENDPOINT_UNPROVEN"));
        assert_eq!(unproven.body["reason"], "HTTP_STATUS", "{}", unproven.body);
        // Another merchant does not see it.
        let other = world.further_merchant("M20001").await?;
        let theirs = world
            .till_of(&other)
            .call("webhook/remove", &json!({ "endpoint_id": id }))
            .await?;
        assert_eq!((theirs.status, theirs.code()), (404, "ENDPOINT_NOT_FOUND"));
        for _ in 1..16 {
            done(&till, "webhook/create", json!({ "url": url(&world, "many") })).await?;
        }
        let over = till
            .call("webhook/create", &json!({ "url": url(&world, "many") }))
            .await?;
        assert_eq!((over.status, over.code()), (422, "ENDPOINT_LIMIT"));
        Ok(())
    })
    .await;
}
