//! A day's bill: not before the day is over, exact, and the same for ever (INV-04, INV-23).

use std::time::Duration;

use anyhow::Result;
use metropay_core::clock::Clock;
use metropay_tests::channel::ALL;
use metropay_tests::{App, Reply, World, story};
use serde_json::{Value, json};

async fn bill(world: &World, day: &str) -> Result<Reply> {
    world.till().call("bill", &json!({ "date": day })).await
}

/// Moves to five past midnight and some.
fn to_next_morning(world: &World) {
    let (now, midnight) = (world.clock.now(), world.today().end());
    world.advance(midnight.since(now) + Duration::from_secs(6 * 60));
}

async fn three_days_of_traffic(world: &World) -> Result<()> {
    for (day, first) in ALL.iter().enumerate() {
        let app = world.app(0);
        for (n, channel) in ALL.iter().enumerate() {
            let issued = app.post("codes", &json!({ "method": channel.id })).await?;
            let order = World::order(&format!("LATER{day}{n}"), &issued.text("digits"), 50);
            let paid = world.till().call("applypay", &order).await?;
            assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        }
        // What goes back of the first day's orders belongs to the day on which it goes.
        let back = world
            .refunded_in_time(&format!("{}-0", first.id), &format!("LATE{day}"), 10)
            .await?;
        assert_eq!(back.text("pay_refund_status"), "RS_SUCCESS", "{}", back.body);
        to_next_morning(world);
    }
    Ok(())
}

/// Three payments (100, 200, 300), a refund of 30 and a reversal of 200 through a channel.
async fn a_day_of(world: &World, app: &App, channel: &str) -> Result<()> {
    for (n, fen) in [100, 200, 300].into_iter().enumerate() {
        let mut issued = app.post("codes", &json!({ "method": channel })).await?;
        if issued.code() == "RATE_LIMITED" {
            world.advance(Duration::from_secs(61));
            issued = app.post("codes", &json!({ "method": channel })).await?;
        }
        let order = World::order(&format!("{channel}-{n}"), &issued.text("digits"), fen);
        let paid = world.till().call("applypay", &order).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
    }
    let back = world
        .refunded_in_time(&format!("{channel}-2"), &format!("R-{channel}"), 30)
        .await?;
    assert_eq!(back.text("pay_refund_status"), "RS_SUCCESS", "{}", back.body);
    let undone = world.reversed_in_time(&format!("{channel}-1")).await?;
    assert_eq!(undone.text("recall"), "N", "{}", undone.body);
    Ok(())
}

#[tokio::test]
async fn a_bill_is_exact_when_the_day_is_over_and_the_same_after_three_more_days() {
    story(async |world| {
        let app = world.rider("wechat").await?;
        world.sign(&app, "alipay").await?;
        world.sign(&app, "unionpay").await?;
        let first = world.today().to_string();
        for channel in &ALL {
            a_day_of(&world, &app, channel.id).await?;
        }
        let early = bill(&world, &first).await?;
        assert_eq!((early.status, early.code()), (422, "BILL_NOT_READY"), "{}", early.body);
        assert!(early.body["ready_at"].is_string(), "{}", early.body);
        to_next_morning(&world);

        let ready = bill(&world, &first).await?;
        assert_eq!(
            (ready.status, &ready.body["data"]["date"]),
            (200, &Value::from(first.as_str())),
            "{}",
            ready.body
        );
        let infos = ready.body["data"]["bill_infos"].as_array().cloned().unwrap_or_default();
        assert_eq!(infos.len(), 3, "{}", ready.body);
        for channel in &ALL {
            let expected = json!({
                "pay_type": channel.pay_type, "total_count": 3, "total_amount": 600, "reverse_count": 1,
                "reverse_amount": 200, "refund_count": 1, "refund_amount": 30,
            });
            assert!(infos.contains(&expected), "{} in {}", channel.id, ready.body);
        }
        let second = world.today().to_string();
        three_days_of_traffic(&world).await?;
        assert_eq!(
            bill(&world, &first).await?.body["data"],
            ready.body["data"],
            "a day that is over never changes"
        );
        let next = bill(&world, &second).await?;
        let infos = next.body["data"]["bill_infos"].as_array().cloned().unwrap_or_default();
        let wechat = infos
            .iter()
            .find(|info| info["pay_type"] == "CT_WECHAT")
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            (&wechat["total_amount"], &wechat["refund_amount"]),
            (&json!(50), &json!(10)),
            "{}",
            next.body
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_day_without_anything_is_empty_and_a_day_to_come_is_refused() {
    story(async |world| {
        let today = world.today();
        let tomorrow = today.end().day().to_string();
        let to_come = bill(&world, &tomorrow).await?;
        assert_eq!(
            (to_come.status, to_come.code()),
            (400, "PARAM_INVALID"),
            "{}",
            to_come.body
        );
        to_next_morning(&world);
        let empty = bill(&world, &today.to_string()).await?;
        assert_eq!(empty.body["data"]["bill_infos"], json!([]), "{}", empty.body);
        world.advance(Duration::from_secs(367 * 86_400));
        let old = bill(&world, &today.to_string()).await?;
        assert_eq!((old.status, old.code()), (400, "PARAM_INVALID"), "{}", old.body);
        Ok(())
    })
    .await;
}
