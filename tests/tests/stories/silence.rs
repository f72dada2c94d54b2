//! A channel that is silent, broken or lies: nothing final is said before it is proven, and nothing is debited twice.

use std::time::{Duration, Instant};

use anyhow::Result;
use metropay_simulator::Effect;
use metropay_simulator::MovementKind::Debit;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{App, Reply, Wishes, World, story_with};

/// How long a till waits in these stories, in milliseconds: short, so that they are.
const TILL_WAIT_MS: u64 = 400;

fn impatient() -> Wishes {
    Wishes {
        till_wait_ms: TILL_WAIT_MS,
        // Channels are silent here for longer than the breaker would watch.
        breaker: false,
        ..Wishes::default()
    }
}

#[tokio::test]
async fn a_request_that_never_reached_wechat_is_closed_with_proof() {
    lost_before_acting(&WECHAT).await;
}

#[tokio::test]
async fn a_request_that_never_reached_alipay_is_closed_with_proof() {
    lost_before_acting(&ALIPAY).await;
}

#[tokio::test]
async fn a_request_that_never_reached_unionpay_is_closed_with_proof() {
    lost_before_acting(&UNIONPAY).await;
}

/// FLT-08.
async fn lost_before_acting(channel: &Words) {
    let wishes = Wishes {
        per_user_day_fen: 1_000,
        ..impatient()
    };
    story_with(wishes, async |world| {
        let app = world.rider(channel.id).await?;
        for (n, effect) in [Effect::HangBefore { ms: 700 }, Effect::ResetBefore]
            .into_iter()
            .enumerate()
        {
            world.fault(channel, channel.deduct, effect);
            let no = format!("S{n}");
            let begun = Instant::now();
            let unknown = world.pay(&app, &no, 700).await?;
            assert_eq!(
                (unknown.status, unknown.text("pay_status")),
                (200, "PS_PAYING".to_owned()),
                "{}",
                unknown.body
            );
            assert!(
                begun.elapsed() < Duration::from_millis(TILL_WAIT_MS + 600),
                "the till waited {:?}",
                begun.elapsed()
            );
            let over = world.pay(&app, "OVER", 700).await?;
            assert_eq!(
                (over.code(), &over.body["limit"]),
                ("LIMIT_EXCEEDED", &"per_user_day".into()),
                "{}",
                over.body
            );

            let ended = world.ended_in_time(&no).await?;
            assert_eq!(ended.text("pay_status"), "PS_CLOSED", "{}", ended.body);
            assert_eq!(world.moved(&no).await?, []);
        }
        // What was not debited does not count.
        world.pay(&app, "S9", 1_000).await?;
        let paid = world.ended("S9", Duration::from_secs(5)).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_of_wechat_is_found_by_asking() {
    lost_after_acting(&WECHAT).await;
}

#[tokio::test]
async fn a_lost_answer_of_alipay_is_found_by_asking() {
    lost_after_acting(&ALIPAY).await;
}

#[tokio::test]
async fn a_lost_answer_of_unionpay_is_found_by_asking() {
    lost_after_acting(&UNIONPAY).await;
}

/// FLT-09.
async fn lost_after_acting(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        world.faults(channel, "notify", 0, Effect::NoticeLost);
        for (n, effect) in [Effect::HangAfter { ms: 700 }, Effect::ResetAfter]
            .into_iter()
            .enumerate()
        {
            world.fault(channel, channel.deduct, effect);
            // Who asks before the till's time is over would learn it at once.
            world.faults(channel, channel.query, 2, Effect::ResetBefore);
            let no = format!("S{n}");
            let (digits, _) = world.code(&app).await?;
            let order = World::order(&no, &digits, 700);
            let unknown = world.till().call("applypay", &order).await?;
            assert_eq!(unknown.text("pay_status"), "PS_PAYING", "{}", unknown.body);
            // A till that repeats meanwhile does not send it a second time.
            let repeated = world.till().call("applypay", &order).await?;
            assert_eq!(repeated.text("pay_out_trade_no"), unknown.text("pay_out_trade_no"));
            let ended = world.ended_in_time(&no).await?;
            assert_eq!(ended.text("pay_status"), "PS_SUCCESS", "{}", ended.body);
            assert_eq!(world.moved(&no).await?, [(Debit, 700)]);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn no_answer_of_wechat_however_broken_is_taken_for_an_end() {
    broken_answers(&WECHAT).await;
}

#[tokio::test]
async fn no_answer_of_alipay_however_broken_is_taken_for_an_end() {
    broken_answers(&ALIPAY).await;
}

#[tokio::test]
async fn no_answer_of_unionpay_however_broken_is_taken_for_an_end() {
    broken_answers(&UNIONPAY).await;
}

fn broken_deductions() -> Vec<(Effect, bool)> {
    let garbage = |body: &str| Effect::Garbage { body: body.to_owned() };
    vec![
        (Effect::SystemErrorBefore, false),
        (Effect::SystemErrorAfter, true),
        (Effect::HttpErrorBefore { status: 502 }, false),
        (Effect::HttpErrorAfter { status: 502 }, true),
        (Effect::HttpErrorAfter { status: 404 }, true),
        (garbage(""), true),
        (garbage("<html>502</html>"), true),
        (garbage("{\"code\":\"OK\"}"), true),
        (Effect::HalfBody, true),
        (Effect::WrongSignature, true),
        (Effect::NoSignature, true),
        (Effect::WrongAmount { fen: 1 }, true),
        (
            Effect::WrongOrder {
                order_no: "P20200101000000000AAAAAAAAAAAA".to_owned(),
            },
            true,
        ),
        (
            Effect::WrongMerchant {
                account: "1600000999".to_owned(),
            },
            true,
        ),
    ]
}

async fn broken_answers(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        for (n, (effect, acted)) in broken_deductions().into_iter().enumerate() {
            let (no, name) = (format!("S{n}"), format!("{effect:?}"));
            world.fault(channel, channel.deduct, effect);
            let told = world.pay(&app, &no, 500).await?;
            one_true_end(&world, &no, &told, Some(acted))
                .await
                .map_err(|error| error.context(name))?;
        }
        Ok(())
    })
    .await;
}

/// Whatever the till was told first, the end is what the gateway did, and no final word is taken back (INV-08, INV-09).
async fn one_true_end(world: &World, no: &str, told: &Reply, acted: Option<bool>) -> Result<()> {
    assert_eq!(told.status, 200, "{}", told.body);
    let ended = world.ended_in_time(no).await?;
    world.clear_faults();
    let (first, last) = (told.text("pay_status"), ended.text("pay_status"));
    let moved = world.moved(no).await?;
    match last.as_str() {
        "PS_SUCCESS" => assert_eq!(moved, [(Debit, 500)], "{first} then {last}"),
        _ => assert_eq!(moved, [], "{first} then {last}"),
    }
    assert!(first == "PS_PAYING" || first == last, "first {first}, then {last}");
    if let Some(acted) = acted {
        assert_eq!(last == "PS_SUCCESS", acted, "{}", ended.body);
    }
    Ok(())
}

#[tokio::test]
async fn no_lie_of_wechat_about_an_order_is_taken_for_an_end() {
    lying_queries(&WECHAT).await;
}

#[tokio::test]
async fn no_lie_of_alipay_about_an_order_is_taken_for_an_end() {
    lying_queries(&ALIPAY).await;
}

#[tokio::test]
async fn no_lie_of_unionpay_about_an_order_is_taken_for_an_end() {
    lying_queries(&UNIONPAY).await;
}

async fn lying_queries(channel: &Words) {
    let lies = [
        Effect::WrongAmount { fen: 1 },
        Effect::WrongOrder {
            order_no: "P20200101000000000AAAAAAAAAAAA".to_owned(),
        },
        Effect::WrongMerchant {
            account: "1600000999".to_owned(),
        },
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::HalfBody,
        Effect::Garbage { body: "ok".to_owned() },
        Effect::SystemErrorBefore,
        Effect::HttpErrorAfter { status: 500 },
    ];
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        for (n, lie) in lies.into_iter().enumerate() {
            let (no, name) = (format!("S{n}"), format!("{lie:?}"));
            // An answer of Alipay names no merchant that it could lie about.
            if channel.id == ALIPAY.id && matches!(lie, Effect::WrongMerchant { .. }) {
                continue;
            }
            world.faults(channel, "notify", 0, Effect::NoticeLost);
            world.fault(channel, channel.deduct, Effect::ResetAfter);
            world.faults(channel, channel.query, 0, lie);
            let told = world.pay(&app, &no, 500).await?;
            assert_eq!(told.text("pay_status"), "PS_PAYING", "{name}: {}", told.body);
            for _ in 0..3 {
                world.advance(Duration::from_secs(5));
                let asked = world.query(&no).await?;
                assert_eq!(asked.text("pay_status"), "PS_PAYING", "{name}: {}", asked.body);
            }
            world.clear_faults();
            one_true_end(&world, &no, &told, Some(true))
                .await
                .map_err(|error| error.context(name))?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_wechat_that_cannot_be_reached_is_told_as_it_is() {
    unreachable(&WECHAT).await;
}

#[tokio::test]
async fn an_alipay_that_cannot_be_reached_is_told_as_it_is() {
    unreachable(&ALIPAY).await;
}

#[tokio::test]
async fn a_unionpay_that_cannot_be_reached_is_told_as_it_is() {
    unreachable(&UNIONPAY).await;
}

/// FLT-11.
async fn unreachable(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        world.stop_gateways();
        // What the pools still held is found out to be gone by the first who uses it.
        for n in 0..4 {
            let told = world.pay(&app, &format!("DOWN{n}"), 500).await?;
            let status = told.text("pay_status");
            assert!(["PS_PAYING", "PS_FAILED"].contains(&status.as_str()), "{}", told.body);
            if n == 3 {
                assert_eq!(status, "PS_FAILED", "nothing can have been sent: {}", told.body);
                assert!(told.text("pay_err_desc").contains("暂时无法访问"), "{}", told.body);
            }
        }
        world.start_gateways().await?;
        all_are_well_again(&world, channel, &app).await?;
        for n in 0..4 {
            let ended = world.ended_in_time(&format!("DOWN{n}")).await?;
            assert!(
                ["PS_CLOSED", "PS_FAILED"].contains(&ended.text("pay_status").as_str()),
                "{}",
                ended.body
            );
            assert_eq!(world.moved(&format!("DOWN{n}")).await?, []);
        }
        Ok(())
    })
    .await;
}

async fn all_are_well_again(world: &World, channel: &Words, app: &App) -> Result<()> {
    world.pay(app, "UP", 500).await?;
    let paid = world.ended("UP", Duration::from_secs(5)).await?;
    assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}: {}", channel.id, paid.body);
    Ok(())
}

#[tokio::test]
async fn an_accepted_order_outlives_a_wechat_that_goes_away() {
    away_and_back(&WECHAT).await;
}

#[tokio::test]
async fn an_accepted_order_outlives_an_alipay_that_goes_away() {
    away_and_back(&ALIPAY).await;
}

#[tokio::test]
async fn an_accepted_order_outlives_a_unionpay_that_goes_away() {
    away_and_back(&UNIONPAY).await;
}

async fn away_and_back(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        world.faults(channel, "notify", 0, Effect::NoticeLost);
        world.fault(channel, channel.deduct, Effect::Pending { ms: 900 });
        let accepted = world.pay(&app, "S1", 500).await?;
        assert_eq!(accepted.text("pay_status"), "PS_PAYING", "{}", accepted.body);
        world.stop_gateways();
        for _ in 0..4 {
            world.advance(Duration::from_secs(5));
            assert_eq!(world.query("S1").await?.text("pay_status"), "PS_PAYING");
        }
        world.start_gateways().await?;
        world.advance(Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        let ended = world.ended_in_time("S1").await?;
        assert_eq!(ended.text("pay_status"), "PS_SUCCESS", "{}", ended.body);
        all_are_well_again(&world, channel, &app).await
    })
    .await;
}
