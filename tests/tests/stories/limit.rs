//! What a user may spend on a China day (INV-21).

use std::num::NonZeroU32;
use std::time::Duration;

use metropay_core::clock::Clock;
use metropay_server::config::BudgetSettings;
use metropay_simulator::Effect;
use metropay_tests::channel::WECHAT;
use metropay_tests::{Wishes, World, story_with};
use serde_json::Value;

const CAP_FEN: u64 = 1_000;

/// Of a user's two codes the use of one ends the other; scanned all the same, it counts as an invalid one. A crowd at one
/// store has more of them than a store's day.
fn for_a_crowd() -> BudgetSettings {
    let many = NonZeroU32::new(1_000).expect("not nought");
    BudgetSettings {
        invalid_codes_per_store_minute: many,
        invalid_codes_per_store_day: many,
        invalid_codes_per_merchant_minute: many,
        invalid_codes_per_second: many,
        ..BudgetSettings::default()
    }
}

fn capped() -> Wishes {
    Wishes {
        per_user_day_fen: CAP_FEN,
        budgets: for_a_crowd(),
        ..Wishes::default()
    }
}

/// Of many orders at once, those that fit a user's day are paid, and no others.
#[tokio::test]
async fn a_hundred_orders_at_once_do_not_pass_the_cap_of_any_user() {
    story_with(capped(), async |world| {
        let mut riders = Vec::new();
        for n in 0..10 {
            riders.push(
                world
                    .rider_of(&format!("U4000{n}"), ["wechat", "alipay", "unionpay"][n % 3])
                    .await?,
            );
        }
        for round in 0..5 {
            // Two codes of a user live at a time, so each user is at two tills at once, ten users side by side.
            let orders = riders.iter().enumerate().map(async |(n, app)| {
                let codes = [world.code(app).await?.0, world.code(app).await?.0];
                let (till, of) = (world.till(), |k: usize| {
                    World::order(&format!("S{round}-{n}-{k}"), &codes[k], 280)
                });
                let (first, second) = (of(0), of(1));
                tokio::try_join!(till.call("applypay", &first), till.call("applypay", &second))
            });
            for (one, other) in futures::future::try_join_all(orders).await? {
                for told in [one, other] {
                    let expected = ["", "PS_SUCCESS"].contains(&told.text("pay_status").as_str());
                    assert!(expected, "{}", told.body);
                    let refused = told.code();
                    assert!(
                        ["OK", "LIMIT_EXCEEDED", "CODE_INVALID"].contains(&refused),
                        "{}",
                        told.body
                    );
                }
            }
        }
        world.rest().await?;
        let mut spent = std::collections::BTreeMap::new();
        for movement in world.frame().books() {
            *spent.entry((movement.gateway, movement.payer)).or_insert(0) += movement.amount_fen;
        }
        // Three of 280 fit into 1000, and the fourth does not: everybody got there.
        assert_eq!(spent.values().copied().collect::<Vec<u64>>(), vec![840; 10]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn midnight_in_china_opens_a_new_day_and_leaves_the_old_its_own() {
    let wishes = Wishes {
        till_wait_ms: 400,
        ..capped()
    };
    story_with(wishes, async |world| {
        world.rider("wechat").await?;
        let (now, midnight) = (world.clock.now(), world.today().end());
        world.advance(midnight.since(now) - Duration::from_secs(20));
        let app = world.app(0);
        let over = async |no: &str, fen: u64| {
            let told = world.pay(&app, no, fen).await?;
            assert_eq!(
                (told.code(), &told.body["limit"]),
                ("LIMIT_EXCEEDED", &Value::from("per_user_day"))
            );
            Ok::<_, anyhow::Error>(())
        };
        let paid = async |no: &str, fen: u64| {
            world.pay(&app, no, fen).await?;
            let told = world.ended(no, Duration::from_secs(5)).await?;
            assert_eq!(told.text("pay_status"), "PS_SUCCESS", "{}", told.body);
            Ok::<_, anyhow::Error>(())
        };
        paid("S1", 300).await?;
        world.fault(&WECHAT, WECHAT.deduct, Effect::ResetBefore);
        let lost = world.pay(&app, "LOST", 700).await?;
        assert_eq!(lost.text("pay_status"), "PS_PAYING", "{}", lost.body);
        over("OVER", 1).await?;

        world.advance(Duration::from_secs(21));
        paid("S2", 1_000).await?;
        over("OVER", 1).await?;
        // Yesterday's order ends without a debit, and gives nothing back to today.
        let ended = world.ended_in_time("LOST").await?;
        assert_eq!(ended.text("pay_status"), "PS_CLOSED", "{}", ended.body);
        over("OVER", 1).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_failed_or_was_reversed_does_not_count_and_what_was_refunded_does() {
    story_with(capped(), async |world| {
        let app = world.rider("wechat").await?;
        let code = WECHAT.poor.to_owned();
        world.fault(&WECHAT, WECHAT.deduct, Effect::FailLater { ms: 30, code });
        assert_eq!(world.pay(&app, "POOR", 1_000).await?.text("pay_status"), "PS_FAILED");
        assert_eq!(world.pay(&app, "S1", 1_000).await?.text("pay_status"), "PS_SUCCESS");
        assert_eq!(world.pay(&app, "S2", 1).await?.code(), "LIMIT_EXCEEDED");
        assert_eq!(world.reversed_in_time("S1").await?.text("recall"), "N");
        assert_eq!(world.pay(&app, "S3", 1_000).await?.text("pay_status"), "PS_SUCCESS");
        world.refunded_in_time("S3", "R1", 1_000).await?;
        assert_eq!(world.pay(&app, "S4", 1).await?.code(), "LIMIT_EXCEEDED");
        Ok(())
    })
    .await;
}
