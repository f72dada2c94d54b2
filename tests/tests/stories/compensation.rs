//! Money that comes after an order was closed goes back by itself, once, and a person is told (INV-14).

use std::time::Duration;

use anyhow::Result;
use metropay_simulator::Effect;
use metropay_simulator::MovementKind::Debit;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{Wishes, World, story_with};

fn impatient() -> Wishes {
    Wishes {
        till_wait_ms: 400,
        ..Wishes::default()
    }
}

#[tokio::test]
async fn what_wechat_debits_after_a_reversal_goes_back() {
    paid_after_its_reversal(&WECHAT).await;
}

#[tokio::test]
async fn what_alipay_debits_after_a_reversal_goes_back() {
    paid_after_its_reversal(&ALIPAY).await;
}

#[tokio::test]
async fn what_unionpay_debits_after_a_reversal_goes_back() {
    paid_after_its_reversal(&UNIONPAY).await;
}

async fn paid_after_its_reversal(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        world.fault(channel, channel.deduct, Effect::Pending { ms: 3_600_000 });
        world.fault(channel, channel.undo[0], Effect::PaidAfterReverse { ms: 1_500 });
        world.faults(channel, "notify", 1, Effect::NoticeRepeated { times: 3 });
        let accepted = world.pay(&app, "S1", 600).await?;
        assert_eq!(accepted.text("pay_status"), "PS_PAYING", "{}", accepted.body);
        let undone = world.reversed_in_time("S1").await?;
        assert_eq!(undone.text("recall"), "N", "{}", undone.body);
        assert_eq!(world.query("S1").await?.text("pay_status"), "PS_CLOSED");
        assert_eq!(world.moved("S1").await?, [], "nothing has come yet");
        given_back_by_itself(&world, 600).await
    })
    .await;
}

#[tokio::test]
async fn what_a_blind_wechat_had_debited_goes_back() {
    blind(&WECHAT).await;
}

#[tokio::test]
async fn what_a_blind_alipay_had_debited_goes_back() {
    blind(&ALIPAY).await;
}

#[tokio::test]
async fn what_a_blind_unionpay_had_debited_goes_back() {
    blind(&UNIONPAY).await;
}

/// The channel says long and often that it knows no such order, and it had debited it.
async fn blind(channel: &Words) {
    story_with(impatient(), async |world| {
        let app = world.rider(channel.id).await?;
        world.fault(channel, channel.deduct, Effect::ResetAfter);
        world.faults(channel, "notify", 1, Effect::NoticeLate { ms: 4_000 });
        for query in [channel.query, "orderquery"] {
            world.faults(channel, query, 0, Effect::Blind);
        }
        let unknown = world.pay(&app, "S1", 600).await?;
        assert_eq!(unknown.text("pay_status"), "PS_PAYING", "{}", unknown.body);
        let ended = world.ended_in_time("S1").await?;
        // Alipay gives back what it cancels, whether or not it can be found: then it may be told as paid on the way.
        let words = if channel.id == ALIPAY.id {
            &["PS_CLOSED", "PS_SUCCESS"][..]
        } else {
            &["PS_CLOSED"]
        };
        assert!(words.contains(&ended.text("pay_status").as_str()), "{}", ended.body);
        world.clear_faults();
        given_back_by_itself(&world, 600).await
    })
    .await;
}

/// Waits for the money to come and to go; the order keeps its end.
async fn given_back_by_itself(world: &World, fen: u64) -> Result<()> {
    let mut moved = Vec::new();
    for _ in 0..150 {
        moved = world.moved("S1").await?;
        if moved.len() >= 2 && metropay_core::audit::open::count(world.server.engine()).await? == 0 {
            break;
        }
        if moved.len() == 1 {
            world.advance(Duration::from_secs(10));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(moved.len(), 2, "{moved:?}");
    assert!(
        moved[0] == (Debit, fen) && moved[1].0 != Debit && moved[1].1 == fen,
        "{moved:?}"
    );
    // Whatever is still on its way arrives, and changes nothing any more.
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.rest().await?;
    let closed = world.query("S1").await?;
    assert_eq!(closed.text("pay_status"), "PS_CLOSED", "{}", closed.body);
    let refused = world.refund("S1", "R1", 1).await?;
    assert!(
        ["ORDER_NOT_PAID", "ORDER_REVERSED"].contains(&refused.code()),
        "{}",
        refused.body
    );
    Ok(())
}
