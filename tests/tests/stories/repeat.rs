//! The same number again: the same order, for ever; with anything else changed, a conflict that names it (INV-10).

use std::time::Duration;

use metropay_simulator::Effect;
use metropay_simulator::MovementKind::Debit;
use metropay_tests::channel::{ALIPAY, UNIONPAY, WECHAT, Words};
use metropay_tests::{World, story};
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
