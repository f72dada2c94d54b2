//! Tenant walls: what belongs to another answers exactly like what never was (INV-20).

use anyhow::Result;
use metropay_tests::{Reply, World, story};
use serde_json::{Value, json};

/// An answer without what differs between any two.
fn bare(reply: &Reply) -> (u16, Value) {
    let mut body = reply.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    (reply.status, body)
}

#[tokio::test]
async fn another_merchants_numbers_answer_like_random_ones() {
    story(async |world| {
        let other = world.merchant_without_channels("M20001").await?;
        let (till, theirs) = (world.till(), world.till_of(&other));
        let app = world.rider("wechat").await?;
        let paid = world.pay(&app, "S1", 600).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        world.refunded_in_time("S1", "R1", 100).await?;
        let ours = paid.text("pay_out_trade_no");
        let random = "P20261124120000000AAAAAAAAAAAA";

        let pairs = [
            (
                "orderquery",
                json!({ "out_request_no": "S1" }),
                json!({ "out_request_no": "S1X" }),
            ),
            (
                "orderquery",
                json!({ "pay_out_trade_no": ours }),
                json!({ "pay_out_trade_no": random }),
            ),
            (
                "reverse",
                json!({ "pay_out_trade_no": ours }),
                json!({ "pay_out_trade_no": random }),
            ),
            (
                "refund",
                json!({ "pay_out_trade_no": ours, "out_refund_no": "R1", "refund_fee": 100 }),
                json!({ "pay_out_trade_no": random, "out_refund_no": "R1", "refund_fee": 100 }),
            ),
            (
                "refund",
                json!({ "out_request_no": "S1", "out_refund_no": "R9", "refund_fee": 1 }),
                json!({ "out_request_no": "S1X", "out_refund_no": "R9", "refund_fee": 1 }),
            ),
        ];
        for (operation, known, unknown) in pairs {
            let (one, other) = (
                theirs.call(operation, &known).await?,
                theirs.call(operation, &unknown).await?,
            );
            assert_eq!(one.status, 404, "{operation}: {}", one.body);
            assert_eq!(bare(&one), bare(&other), "{operation}");
        }
        let at = |store: &str| {
            let mut order = World::order("T1", "77112345678901234565", 100);
            order["store_id"] = store.into();
            order
        };
        let (one, random) = (
            theirs.call("applypay", &at("SZTX001")).await?,
            theirs.call("applypay", &at("NONE")).await?,
        );
        assert_eq!((one.code(), bare(&one)), ("STORE_UNKNOWN", bare(&random)));
        assert_eq!(
            till.call("orderquery", &json!({ "out_request_no": "S1" })).await?.body["data"]["pay_status"],
            "PS_SUCCESS"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn two_merchants_may_use_the_same_numbers_each_for_itself() {
    story(async |world| {
        let other = world.merchant_on_the_same_plan("M20001").await?;
        let app = world.rider("wechat").await?;
        world.sign_with(&app, &other.mch_id, "wechat").await?;
        // A number that one has buried is free for the other.
        let theirs = world.till_of(&other);
        assert_eq!(
            theirs
                .call("reverse", &json!({ "out_request_no": "S1" }))
                .await?
                .text("recall"),
            "N"
        );
        assert_eq!(world.pay(&app, "S1", 600).await?.text("pay_status"), "PS_SUCCESS");
        let (digits, _) = world.code(&app).await?;
        let mut order = World::order("S2", &digits, 300);
        order["store_id"] = other.store_ids[0].as_str().into();
        assert_eq!(theirs.call("applypay", &order).await?.text("pay_status"), "PS_SUCCESS");
        assert_eq!(world.pay(&app, "S2", 200).await?.text("pay_status"), "PS_SUCCESS");
        let refund = json!({ "out_request_no": "S2", "out_refund_no": "R1", "refund_fee": 300 });
        assert_eq!(theirs.call("refund", &refund).await?.status, 200);
        let back = world.refunded_in_time("S2", "R1", 200).await?;
        assert_eq!(back.text("pay_refund_status"), "RS_SUCCESS", "{}", back.body);
        let closed = theirs.call("orderquery", &json!({ "out_request_no": "S1" })).await?;
        assert_eq!(closed.code(), "ORDER_NOT_FOUND", "{}", closed.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn another_users_things_answer_like_random_ones() {
    story(async |world| {
        let (app, stranger) = (world.rider("alipay").await?, world.app(1));
        stranger.post("code-account", &json!({})).await?;
        let (digits, code) = world.code(&app).await?;
        let paid = world.till().call("applypay", &World::order("S1", &digits, 600)).await?;
        let mandate = app.get("mandates").await?.body["data"]["mandates"][0]["mandate_id"].clone();
        let pairs = [
            (format!("codes/{code}"), "codes/Q20261124120000000AAAAAAAAAAAA"),
            (
                format!("records/{}", paid.text("pay_out_trade_no")),
                "records/P20261124120000000AAAAAAAAAAAA",
            ),
            (
                format!("mandates/{}", mandate.as_str().unwrap_or_default()),
                "mandates/M20261124120000000AAAAAAAAAAAA",
            ),
        ];
        for (known, random) in pairs {
            same_for_a_stranger(&app, &stranger, &known, random).await?;
        }
        let closed = stranger
            .delete(&format!("mandates/{}", mandate.as_str().unwrap_or_default()))
            .await?;
        assert_eq!(closed.status, 404, "{}", closed.body);
        assert_eq!(
            world.pay(&app, "S2", 100).await?.text("pay_status"),
            "PS_SUCCESS",
            "the mandate still stands"
        );
        let heard = stranger.get("events/poll?after=0&wait_s=0").await?;
        assert_eq!(heard.body["data"]["events"], json!([]), "{}", heard.body);
        let listed = stranger.get("records").await?;
        assert_eq!(listed.body["data"]["records"], json!([]), "{}", listed.body);
        Ok(())
    })
    .await;
}

async fn same_for_a_stranger(
    app: &metropay_tests::App,
    stranger: &metropay_tests::App,
    known: &str,
    random: &str,
) -> Result<()> {
    assert_eq!(app.get(known).await?.status, 200, "{known} is his");
    let (one, other) = (stranger.get(known).await?, stranger.get(random).await?);
    assert_eq!(one.status, 404, "{known}: {}", one.body);
    assert_eq!(bare(&one), bare(&other), "{known}");
    Ok(())
}
