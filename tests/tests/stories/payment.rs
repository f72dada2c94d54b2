//! A code at a till.

use std::time::Duration;

use anyhow::Result;
use metropay_server::demo::client::LiveEvents;
use metropay_simulator::MovementKind::{Debit, Refund};
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{World, story};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_code_paid_by_wechat_is_told_live_and_given_back_in_parts() {
    paid_told_and_given_back(&WECHAT).await;
}

#[tokio::test]
async fn a_code_paid_by_alipay_is_told_live_and_given_back_in_parts() {
    paid_told_and_given_back(&ALIPAY).await;
}

#[tokio::test]
async fn a_code_paid_by_unionpay_is_told_live_and_given_back_in_parts() {
    paid_told_and_given_back(&UNIONPAY).await;
}

async fn paid_told_and_given_back(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        let mut live = LiveEvents::open(&app, None).await?;
        let (digits, code) = world.code(&app).await?;
        let paid = world.till().call("applypay", &World::order("S1", &digits, 600)).await?;
        assert_eq!((paid.status, paid.code()), (200, "OK"), "{}", paid.body);
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        assert_eq!(
            (paid.text("pay_type"), paid.text("uid")),
            (channel.pay_type.to_owned(), app.uid.clone())
        );
        let number = paid.text("pay_out_trade_no");
        assert_eq!(world.moved_for(&number), [(Debit, 600)]);

        for kind in ["payment.placed", "payment.succeeded"] {
            let told = live.next(kind, SOON, |_| true).await?;
            assert_eq!(told.text("pay_out_trade_no"), number);
            assert_eq!(told.body["code_id"], code);
        }
        let shown = app.get(&format!("codes/{code}")).await?;
        assert_eq!(shown.text("state"), "PAID", "{}", shown.body);

        give_back_in_parts(&world, channel, &mut live).await?;
        let record = app.get(&format!("records/{number}")).await?;
        assert_eq!(record.status, 200, "{}", record.body);
        Ok(())
    })
    .await;
}

async fn give_back_in_parts(world: &World, channel: &Words, live: &mut LiveEvents) -> Result<()> {
    for (no, fen) in [("R1", 100), ("R2", 250)] {
        let back = world.refunded_in_time("S1", no, fen).await?;
        assert_eq!(back.text("pay_refund_status"), "RS_SUCCESS", "{}", back.body);
        let told = live.next("payment.refunded", SOON, |_| true).await?;
        assert_eq!(told.body["data"]["refund_fee"], fen);
    }
    let too_much = world.refund("S1", "R3", 251).await?;
    assert_eq!(
        (too_much.status, too_much.code()),
        (422, "REFUND_EXCEEDS"),
        "{}",
        too_much.body
    );
    assert_eq!(too_much.body["remaining"], 250, "{}", too_much.body);
    let rest = world.refunded_in_time("S1", "R4", 250).await?;
    assert_eq!(rest.text("pay_refund_status"), "RS_SUCCESS", "{}", rest.body);
    let moved = world.moved("S1").await?;
    assert_eq!(
        moved,
        [(Debit, 600), (Refund, 100), (Refund, 250), (Refund, 250)],
        "{}",
        channel.id
    );
    let nothing_left = world.refund("S1", "R5", 1).await?;
    assert_eq!(nothing_left.code(), "REFUND_EXCEEDS", "{}", nothing_left.body);
    Ok(())
}
