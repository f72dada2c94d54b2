//! The same number again: the same order, for ever; with anything else changed, a conflict that names it (INV-10).

use std::time::Duration;

use metropay_simulator::Effect;
use metropay_simulator::MovementKind::Debit;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{Wishes, World, story, story_with};
use serde_json::json;

#[tokio::test]
async fn a_number_paid_by_wechat_is_the_same_order_for_ever() {
    the_same_for_ever(&WECHAT).await;
}

#[tokio::test]
async fn a_number_paid_by_alipay_is_the_same_order_for_ever() {
    the_same_for_ever(&ALIPAY).await;
}

#[tokio::test]
async fn a_number_paid_by_unionpay_is_the_same_order_for_ever() {
    the_same_for_ever(&UNIONPAY).await;
}

async fn the_same_for_ever(channel: &Words) {
    story(async |world| {
        let app = world.rider(channel.id).await?;
        let mut orders = Vec::new();
        for no in ["PAID", "POOR"] {
            if no == "POOR" {
                let code = channel.poor.to_owned();
                world.fault(channel, channel.deduct, Effect::Refuse { code });
            }
            let (digits, _) = world.code(&app).await?;
            let mut order = World::order(no, &digits, 600);
            order["extra_data"] = json!("桌号 7");
            let told = world.till().call("applypay", &order).await?;
            orders.push((order, told));
        }
        assert_eq!(orders[0].1.text("pay_status"), "PS_SUCCESS", "{}", orders[0].1.body);
        assert_eq!(orders[1].1.text("pay_status"), "PS_FAILED", "{}", orders[1].1.body);
        for later in [0, 1, 3_600, 400 * 86_400] {
            world.advance(Duration::from_secs(later));
            for (order, told) in &orders {
                let again = world.till().call("applypay", order).await?;
                assert_eq!(again.body["data"], told.body["data"], "after {later} s");
            }
        }
        let (order, told) = &orders[0];
        let other = world.code(&world.rider_of("U10002", channel.id).await?).await?.0;
        let mutants = [
            ("total_fee", json!(601)),
            ("qrcode", json!(other)),
            ("store_id", json!("SZTX002")),
            ("body", json!("矿泉水 3 瓶")),
            ("extra_data", json!("桌号 8")),
            ("extra_data", json!(null)),
        ];
        for (field, value) in mutants {
            let mut mutant = order.clone();
            mutant[field] = value;
            if mutant[field].is_null() {
                mutant.as_object_mut().expect("an order is an object").remove(field);
            }
            let conflict = world.till().call("applypay", &mutant).await?;
            assert_eq!(
                (conflict.status, conflict.code()),
                (409, "OUT_REQUEST_NO_CONFLICT"),
                "{}",
                conflict.body
            );
            assert_eq!(conflict.body["field"], field, "{}", conflict.body);
        }
        let query = world.query("PAID").await?;
        assert_eq!(query.text("pay_out_trade_no"), told.text("pay_out_trade_no"));
        assert_eq!(world.moved("PAID").await?, [(Debit, 600)]);
        assert_eq!(world.moved("POOR").await?, []);
        // The other user's code was not consumed by a conflict.
        let paid = world.till().call("applypay", &World::order("S2", &other, 100)).await?;
        assert_eq!(paid.text("pay_status"), "PS_SUCCESS", "{}", paid.body);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn both_numbers_of_an_order_find_it_and_two_that_disagree_do_not() {
    story(async |world| {
        let app = world.rider("alipay").await?;
        let (one, two) = (world.pay(&app, "S1", 100).await?, world.pay(&app, "S2", 200).await?);
        let ask = async |body| world.till().call("orderquery", &body).await;
        let ours = one.text("pay_out_trade_no");
        let both = ask(json!({ "out_request_no": "S1", "pay_out_trade_no": ours })).await?;
        assert_eq!(both.body["data"], one.body["data"]);
        let by_ours = ask(json!({ "pay_out_trade_no": two.text("pay_out_trade_no") })).await?;
        assert_eq!(by_ours.body["data"], two.body["data"]);
        let disagree = ask(json!({ "out_request_no": "S2", "pay_out_trade_no": ours })).await?;
        assert_eq!(
            (disagree.status, disagree.code()),
            (409, "IDS_DISAGREE"),
            "{}",
            disagree.body
        );
        let neither = ask(json!({})).await?;
        assert_eq!(
            (neither.status, neither.code()),
            (400, "PARAM_EITHER_OR"),
            "{}",
            neither.body
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_a_repeat_is_no_proof_that_wechat_was_not_paid() {
    repeat_is_refused(&WECHAT).await;
}

#[tokio::test]
async fn a_refusal_of_a_repeat_is_no_proof_that_alipay_was_not_paid() {
    repeat_is_refused(&ALIPAY).await;
}

#[tokio::test]
async fn a_refusal_of_a_repeat_is_no_proof_that_unionpay_was_not_paid() {
    repeat_is_refused(&UNIONPAY).await;
}

/// The answer to a deduction is lost, nobody can be asked, and the till's repeat is sent again in its place: "not enough
/// money" speaks of the second sending alone.
async fn repeat_is_refused(channel: &Words) {
    let wishes = Wishes {
        till_wait_ms: 400,
        send_lease_ms: Some(600),
        breaker: false,
        ..Wishes::default()
    };
    story_with(wishes, async |world| {
        let app = world.rider(channel.id).await?;
        for (no, lost, moved) in [
            ("PAID", Effect::ResetAfter, &[(Debit, 700)][..]),
            ("LOST", Effect::ResetBefore, &[]),
        ] {
            world.faults(channel, "notify", 0, Effect::NoticeLost);
            world.faults(channel, channel.query, 0, Effect::ResetBefore);
            world.fault(channel, channel.deduct, lost);
            let (digits, _) = world.code(&app).await?;
            let order = World::order(no, &digits, 700);
            let unknown = world.till().call("applypay", &order).await?;
            assert_eq!(unknown.text("pay_status"), "PS_PAYING", "{}", unknown.body);

            let code = channel.poor.to_owned();
            world.fault(channel, channel.deduct, Effect::Refuse { code });
            world.advance(Duration::from_secs(2));
            let refused = world.till().call("applypay", &order).await?;
            assert_eq!(refused.text("pay_status"), "PS_PAYING", "{no}: {}", refused.body);
            let waiting = world.frame().faults.list();
            let unused = waiting.iter().any(|line| matches!(line.effect, Effect::Refuse { .. }));
            assert!(!unused, "{no}: the repeat was not sent");

            world.clear_faults();
            let ended = world.ended_in_time(no).await?;
            assert_eq!(
                ended.text("pay_status") == "PS_SUCCESS",
                !moved.is_empty(),
                "{no}: {}",
                ended.body
            );
            assert_eq!(world.moved(no).await?, moved, "{no}");
        }
        Ok(())
    })
    .await;
}
