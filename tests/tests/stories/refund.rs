//! Money back: once for a number, never more than came, and what the channel refuses is free again.

use std::time::Duration;

use metropay_simulator::Effect;
use metropay_simulator::MovementKind::{Debit, Refund};
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{Wishes, story, story_with};

#[tokio::test]
async fn a_refund_number_is_one_refund_of_wechat_for_ever() {
    one_number_one_refund(&WECHAT).await;
}

#[tokio::test]
async fn a_refund_number_is_one_refund_of_alipay_for_ever() {
    one_number_one_refund(&ALIPAY).await;
}

#[tokio::test]
async fn a_refund_number_is_one_refund_of_unionpay_for_ever() {
    one_number_one_refund(&UNIONPAY).await;
}

async fn one_number_one_refund(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        for no in ["S1", "S2"] {
            assert_eq!(world.pay(&app, no, 600).await?.text("pay_status"), "PS_SUCCESS");
        }
        let back = world.refunded_in_time("S1", "R1", 200).await?;
        assert_eq!(back.text("pay_refund_status"), "RS_SUCCESS", "{}", back.body);
        for later in [0, 1, 3_600, 340 * 86_400] {
            world.advance(Duration::from_secs(later));
            let same = world.refund("S1", "R1", 200).await?;
            assert_eq!(same.body["data"], back.body["data"], "after {later} s");
        }
        let amount = world.refund("S1", "R1", 201).await?;
        assert_eq!(
            (amount.status, amount.code()),
            (409, "OUT_REFUND_NO_CONFLICT"),
            "{}",
            amount.body
        );
        assert_eq!(amount.body["field"], "refund_fee", "{}", amount.body);
        let order = world.refund("S2", "R1", 200).await?;
        assert_eq!(
            (order.status, order.code()),
            (409, "OUT_REFUND_NO_CONFLICT"),
            "{}",
            order.body
        );
        let late = world.refund("S1", "R2", 1).await?;
        assert_eq!((late.status, late.code()), (422, "REFUND_EXPIRED"), "{}", late.body);
        assert_eq!(world.moved("S1").await?, [(Debit, 600), (Refund, 200)]);
        assert_eq!(world.moved("S2").await?, [(Debit, 600)]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refund_whose_answer_wechat_lost_is_made_once() {
    lost_answers(&WECHAT).await;
}

#[tokio::test]
async fn a_refund_whose_answer_alipay_lost_is_made_once() {
    lost_answers(&ALIPAY).await;
}

#[tokio::test]
async fn a_refund_whose_answer_unionpay_lost_is_made_once() {
    lost_answers(&UNIONPAY).await;
}

async fn lost_answers(channel: &Words) {
    let wishes = Wishes {
        till_wait_ms: 500,
        ..Wishes::default()
    };
    story_with(wishes, async |world| {
        let app = world.rider(channel.id).await?;
        world.pay(&app, "S1", 900).await?;
        assert_eq!(world.ended_in_time("S1").await?.text("pay_status"), "PS_SUCCESS");
        let broken = [
            Effect::HangAfter { ms: 600 },
            Effect::ResetAfter,
            Effect::ResetBefore,
            Effect::HttpErrorAfter { status: 502 },
            Effect::Garbage {
                body: "<html>".to_owned(),
            },
            Effect::HalfBody,
            Effect::NoSignature,
            Effect::SystemErrorAfter,
            Effect::SystemErrorBefore,
        ];
        for (n, effect) in broken.into_iter().enumerate() {
            let (no, name) = (format!("R{n}"), format!("{effect:?}"));
            world.faults(channel, "notify", 0, Effect::NoticeLost);
            world.fault(channel, channel.refund, effect);
            let first = world.refund("S1", &no, 100).await?;
            assert_ne!(first.text("pay_refund_status"), "RS_FAILED", "{name}: {}", first.body);
            let ended = world.refunded_in_time("S1", &no, 100).await?;
            assert_eq!(ended.text("pay_refund_status"), "RS_SUCCESS", "{name}: {}", ended.body);
            assert_eq!(ended.text("pay_refund_id"), first.text("pay_refund_id"), "{name}");
            world.clear_faults();
            assert_eq!(world.moved("S1").await?.len(), n + 2, "{name}: one movement each");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_wechat_refuses_to_give_back_is_free_again() {
    refused_and_free_again(&WECHAT).await;
}

#[tokio::test]
async fn what_alipay_refuses_to_give_back_is_free_again() {
    refused_and_free_again(&ALIPAY).await;
}

#[tokio::test]
async fn what_unionpay_refuses_to_give_back_is_free_again() {
    refused_and_free_again(&UNIONPAY).await;
}

async fn refused_and_free_again(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        assert_eq!(world.pay(&app, "S1", 600).await?.text("pay_status"), "PS_SUCCESS");
        let code = channel.refund_refused.to_owned();
        world.faults(channel, channel.refund, 0, Effect::Refuse { code });
        let refused = world.refunded_in_time("S1", "R1", 600).await?;
        assert_eq!(refused.text("pay_refund_status"), "RS_FAILED", "{}", refused.body);
        world.clear_faults();
        let same = world.refund("S1", "R1", 600).await?;
        assert_eq!(
            same.text("pay_refund_status"),
            "RS_FAILED",
            "an end is an end: {}",
            same.body
        );
        assert_eq!(world.moved("S1").await?, [(Debit, 600)]);
        let anew = world.refunded_in_time("S1", "R2", 600).await?;
        assert_eq!(anew.text("pay_refund_status"), "RS_SUCCESS", "{}", anew.body);
        assert_eq!(world.moved("S1").await?, [(Debit, 600), (Refund, 600)]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_was_not_paid_is_not_given_back() {
    let wishes = Wishes {
        till_wait_ms: 400,
        ..Wishes::default()
    };
    story_with(wishes, async |world| {
        let app = world.rider("wechat").await?;
        let nothing = world.refund("S0", "R1", 1).await?;
        assert_eq!(
            (nothing.status, nothing.code()),
            (404, "ORDER_NOT_FOUND"),
            "{}",
            nothing.body
        );
        world.fault(&WECHAT, WECHAT.deduct, Effect::Pending { ms: 3_600_000 });
        world.pay(&app, "S1", 600).await?;
        let early = world.refund("S1", "R1", 1).await?;
        assert_eq!((early.status, early.code()), (422, "ORDER_NOT_PAID"), "{}", early.body);
        let code = WECHAT.poor.to_owned();
        world.fault(&WECHAT, WECHAT.deduct, Effect::FailLater { ms: 30, code });
        world.pay(&app, "S2", 600).await?;
        let failed = world.ended_in_time("S2").await?;
        assert_eq!(failed.text("pay_status"), "PS_FAILED", "{}", failed.body);
        let never = world.refund("S2", "R2", 1).await?;
        assert_eq!((never.status, never.code()), (422, "ORDER_NOT_PAID"), "{}", never.body);
        world.reversed_in_time("S1").await?;
        Ok(())
    })
    .await;
}
