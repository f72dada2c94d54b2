//! An order is undone.

use std::time::Duration;

use metropay_server::demo::client::LiveEvents;
use metropay_simulator::Effect;
use metropay_simulator::MovementKind::Debit;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{Wishes, World, story, story_with};

#[tokio::test]
async fn a_paid_order_is_undone_through_wechat() {
    paid_is_undone(&WECHAT).await;
}

#[tokio::test]
async fn a_paid_order_is_undone_through_alipay() {
    paid_is_undone(&ALIPAY).await;
}

#[tokio::test]
async fn a_paid_order_is_undone_through_unionpay() {
    paid_is_undone(&UNIONPAY).await;
}

async fn paid_is_undone(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        let mut live = LiveEvents::open(&app, None).await?;
        let (digits, _) = world.code(&app).await?;
        let order = World::order("S1", &digits, 600);
        let paid = world.till().call("applypay", &order).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);

        let undone = world.reversed_in_time("S1").await?;
        assert_eq!(
            (undone.status, undone.text("recall")),
            (200, "N".to_owned()),
            "{}",
            undone.body
        );
        let moved = world.moved("S1").await?;
        assert_eq!(moved.len(), 2, "{moved:?}");
        assert!(moved[0] == (Debit, 600) && moved[1].1 == 600, "{moved:?}");

        let closed = world.query("S1").await?;
        assert_eq!(closed.text("pay_status"), "PS_CLOSED", "{}", closed.body);
        let repeated = world.till().call("applypay", &order).await?;
        assert_eq!(repeated.text("pay_status"), "PS_FAILED", "{}", repeated.body);
        assert_eq!(repeated.text("pay_out_trade_no"), paid.text("pay_out_trade_no"));
        let refused = world.refund("S1", "R1", 1).await?;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "ORDER_REVERSED"),
            "{}",
            refused.body
        );
        let again = world.reverse("S1").await?;
        assert_eq!(again.body["data"], undone.body["data"], "a repeat answers the same");

        live.next("payment.reversed", Duration::from_secs(5), |_| true).await?;
        let record = app.get(&format!("records/{}", paid.text("pay_out_trade_no"))).await?;
        assert!(record.body.to_string().contains("REVERSED"), "{}", record.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_order_that_hangs_is_closed_through_wechat() {
    pending_is_undone(&WECHAT).await;
}

#[tokio::test]
async fn an_order_that_hangs_is_closed_through_alipay() {
    pending_is_undone(&ALIPAY).await;
}

#[tokio::test]
async fn an_order_that_hangs_is_closed_through_unionpay() {
    pending_is_undone(&UNIONPAY).await;
}

async fn pending_is_undone(channel: &Words) {
    let wishes = Wishes {
        till_wait_ms: 400,
        ..Wishes::default()
    };
    story_with(wishes, async |world| {
        let app = world.rider(channel.id).await?;
        let an_hour = Effect::Pending { ms: 3_600_000 };
        world.fault(channel, channel.deduct, an_hour);
        let accepted = world.pay(&app, "S1", 600).await?;
        assert_eq!(accepted.text("pay_status"), "PS_PAYING", "{}", accepted.body);
        assert_eq!(
            accepted.text("pay_type_trade_no"),
            "",
            "nothing is promised while it is paying"
        );

        let undone = world.reversed_in_time("S1").await?;
        assert_eq!(
            (undone.status, undone.text("recall")),
            (200, "N".to_owned()),
            "{}",
            undone.body
        );
        let closed = world.query("S1").await?;
        assert_eq!(closed.text("pay_status"), "PS_CLOSED", "{}", closed.body);
        assert_eq!(world.moved("S1").await?, []);
        // Nor does its hour bring it back.
        world.advance(Duration::from_secs(3_700));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(world.moved("S1").await?, []);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_number_that_was_reversed_before_it_came_is_never_paid_with() {
    story(async |world| {
        let app = world.rider("wechat").await?;
        let undone = world.reverse("S1").await?;
        assert_eq!(undone.text("recall"), "N", "{}", undone.body);
        assert_eq!(world.reverse("S1").await?.body["data"], undone.body["data"]);

        let (digits, code) = world.code(&app).await?;
        let late = world.till().call("applypay", &World::order("S1", &digits, 600)).await?;
        assert_eq!((late.status, late.code()), (422, "ORDER_CLOSED"), "{}", late.body);
        assert_eq!(app.get(&format!("codes/{code}")).await?.text("state"), "WAITING");
        assert!(world.control.books().await?.is_empty());
        // The code was not consumed by it.
        let other = world.till().call("applypay", &World::order("S2", &digits, 600)).await?;
        assert_eq!(other.text("pay_status"), "PS_SUCCESS", "{}", other.body);
        world.advance(Duration::from_secs(400 * 86_400));
        let still = world.till().call("applypay", &World::order("S1", &digits, 600)).await?;
        assert_eq!(still.code(), "ORDER_CLOSED", "{}", still.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_has_refunds_or_is_a_day_old_is_not_undone() {
    story(async |world| {
        let app = world.rider("alipay").await?;
        for no in ["S1", "S2"] {
            let paid = world.pay(&app, no, 600).await?;
            assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        }
        world.refunded_in_time("S1", "R1", 1).await?;
        let refused = world.reverse("S1").await?;
        assert_eq!(
            (refused.status, refused.code()),
            (422, "REVERSE_REFUSED"),
            "{}",
            refused.body
        );
        world.advance(Duration::from_secs(24 * 3_600 + 1));
        let late = world.reverse("S2").await?;
        assert_eq!((late.status, late.code()), (422, "REVERSE_REFUSED"), "{}", late.body);
        let back = world.refunded_in_time("S2", "R2", 600).await?;
        assert_eq!(back.text("pay_refund_status"), "RS_SUCCESS", "{}", back.body);
        Ok(())
    })
    .await;
}
