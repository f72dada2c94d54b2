//! Orders as tills see them: paid, not known yet, failed, closed, reversed, and what a repeat answers.

use std::time::Duration;

use metropay_core::channel::Hint;
use metropay_core::money::Fen;
use metropay_core::reversal;
use serde_json::{Value, json};

use crate::gateway::{Back, Deduct, RAW};
use crate::shop::{Shop, TILL_WAIT};

fn by_number(sale: &Value) -> Value {
    json!({ "out_request_no": sale["out_request_no"] })
}

fn keys(data: &Value) -> Vec<&str> {
    data.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Everything but the text for people.
fn plain(data: &Value) -> Value {
    let mut data = data.clone();
    data.as_object_mut().unwrap().remove("pay_err_desc");
    data
}

const FIELDS: [&str; 9] = [
    "pay_coupon_fee",
    "pay_date",
    "pay_out_trade_no",
    "pay_status",
    "pay_time",
    "pay_type",
    "pay_type_trade_no",
    "total_fee",
    "uid",
];

#[tokio::test]
async fn a_paid_order_is_answered_with_all_fields_of_the_interface() {
    let shop = Shop::open().await;
    *shop.gateway.coupon.lock().unwrap() = Fen::new(50).unwrap();
    let rider = shop.rider().await;
    let mut sale = shop.sale(&shop.code_of(&rider).await);
    sale["extra_data"] = json!("收银台 3\n<b>会员</b>");
    sale["body"] = json!("<script>alert(1)</script>");
    let reply = shop.post("applypay", sale.clone()).await;
    let data = reply.data();
    assert_eq!(keys(data), FIELDS);
    let expected = json!({
        "pay_status": "PS_SUCCESS",
        "pay_date": "20260801",
        "pay_time": "20260801120000",
        "total_fee": 600,
        "pay_coupon_fee": 50,
        "pay_out_trade_no": data["pay_out_trade_no"],
        "uid": rider.as_str(),
        "pay_type": "CT_WECHAT",
        "pay_type_trade_no": data["pay_type_trade_no"],
    });
    assert_eq!(data, &expected);
    assert!(data["pay_type_trade_no"].as_str().unwrap().starts_with("4200"));
    assert_eq!(shop.post("orderquery", by_number(&sale)).await.data(), data);
    assert_eq!(
        shop.post("queryuid", json!({ "qrcode": sale["qrcode"] })).await.data(),
        &json!({ "uid": rider.as_str() })
    );
}

#[tokio::test]
async fn who_a_code_belongs_to_can_be_asked_before_it_is_paid_with() {
    let shop = Shop::open().await;
    let rider = shop.rider().await;
    let code = shop.code_of(&rider).await;
    let asked = shop.post("queryuid", json!({ "qrcode": format!("{code}\r\n") })).await;
    assert_eq!(asked.data(), &json!({ "uid": rider.as_str() }));
    assert_eq!(
        shop.post("applypay", shop.sale(&code)).await.data()["pay_status"],
        "PS_SUCCESS"
    );
}

#[tokio::test]
async fn an_outcome_that_is_not_known_in_time_is_paying_until_it_is() {
    let shop = Shop::open().await;
    shop.gateway.will(Deduct::Accepts);
    let sale = shop.sale(&shop.code().await);
    let begun = std::time::Instant::now();
    let reply = shop.post("applypay", sale.clone()).await;
    assert!(begun.elapsed() < TILL_WAIT * 4);
    let data = reply.data();
    assert_eq!(keys(data), FIELDS);
    assert_eq!(
        (&data["pay_status"], &data["pay_type_trade_no"]),
        (&json!("PS_PAYING"), &json!(""))
    );
    assert_eq!(
        (&data["pay_date"], &data["pay_time"]),
        (&json!("20260801"), &json!("20260801120000"))
    );

    let query = async || shop.post("orderquery", by_number(&sale)).await.body["data"].clone();
    assert_eq!(query().await["pay_status"], "PS_PAYING");
    shop.gateway.pay_now(data["pay_out_trade_no"].as_str().unwrap());
    shop.clock.advance(Duration::from_secs(10));
    let paid = query().await;
    assert_eq!(
        (&paid["pay_status"], &paid["pay_time"]),
        (&json!("PS_SUCCESS"), &json!("20260801120010"))
    );
    assert_eq!(paid["pay_out_trade_no"], data["pay_out_trade_no"]);
    assert_eq!(shop.post("applypay", sale).await.data(), &paid);
    assert_eq!(shop.gateway.deductions(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_never_debited_again() {
    let shop = Shop::open().await;
    shop.gateway.will(Deduct::PaysAndIsSilent);
    let reply = shop.post("applypay", shop.sale(&shop.code().await)).await;
    assert_eq!(reply.data()["pay_status"], "PS_SUCCESS");
    assert_eq!((shop.gateway.deductions(), shop.gateway.net()), (1, 600));
}

#[tokio::test]
async fn a_failed_order_says_what_to_do_in_the_callers_language_and_not_in_the_gateways_words() {
    let shop = Shop::open().await;
    let cases = [
        (Deduct::Refuses(Hint::Funds), "余额不足", "Not enough funds"),
        (
            Deduct::Refuses(Hint::ContractGone),
            "重新授权",
            "authorisation is no longer valid",
        ),
        (Deduct::Refuses(Hint::User), "完成验证", "channel's own App"),
        (
            Deduct::Refuses(Hint::Setup),
            "请联系平台",
            "set-up with the channel is wrong",
        ),
        (Deduct::Refuses(Hint::None), "未完成扣款", "did not debit"),
        (Deduct::CannotBeReached, "暂时无法访问", "cannot be reached"),
    ];
    for (deduct, zh, en) in cases {
        shop.gateway.will(deduct);
        let sale = shop.sale(&shop.code().await);
        let reply = shop.post("applypay", sale.clone()).await;
        let data = reply.data();
        assert_eq!(
            (&data["pay_status"], &data["pay_type_trade_no"]),
            (&json!("PS_FAILED"), &json!(""))
        );
        assert_eq!(keys(data).len(), FIELDS.len() + 1);
        assert!(
            data["pay_err_desc"].as_str().unwrap().contains(zh),
            "{deduct:?}: {data}"
        );
        let mut asked = shop.ask("orderquery", by_number(&sale).to_string());
        asked.headers.push(("accept-language", "en".to_owned()));
        let english = shop.send_as(&shop.till, asked).await;
        assert!(
            english.data()["pay_err_desc"].as_str().unwrap().contains(en),
            "{deduct:?}: {}",
            english.body
        );
        assert_eq!(plain(english.data()), plain(data));
        for reply in [reply, english] {
            let shown = String::from_utf8_lossy(&reply.raw).into_owned();
            assert!(!shown.contains(RAW) && !shown.contains("GATEWAY_CODE"), "{shown}");
        }
    }
    assert_eq!(shop.gateway.net(), 0);
}

#[tokio::test]
async fn the_same_number_answers_the_same_order_for_ever() {
    let shop = Shop::open().await;
    let (sale, paid) = shop.paid().await;
    for wait in [1, 3_600, 86_400, 400 * 86_400] {
        shop.clock.advance(Duration::from_secs(wait));
        assert_eq!(
            shop.post("applypay", sale.clone()).await.data(),
            &paid,
            "{wait} s later"
        );
        assert_eq!(shop.post("orderquery", by_number(&sale)).await.data(), &paid);
    }
    shop.switches.stores_off.lock().unwrap().push("SZTX001".into());
    assert_eq!(
        shop.post("applypay", sale).await.data(),
        &paid,
        "at a store that was disabled since"
    );
    assert_eq!(shop.gateway.deductions(), 1);
}

#[tokio::test]
async fn a_store_out_of_use_is_told_before_anything_about_the_code() {
    let shop = Shop::open().await;
    let mut sale = shop.sale("1234");
    assert_eq!(shop.post("applypay", sale.clone()).await.code(), "CODE_MALFORMED");
    shop.switches.stores_off.lock().unwrap().push("SZTX001".into());
    assert_eq!(shop.post("applypay", sale.clone()).await.code(), "STORE_DISABLED");
    sale["store_id"] = json!("SZTX404");
    assert_eq!(shop.post("applypay", sale).await.code(), "STORE_UNKNOWN");
}

#[tokio::test]
async fn the_same_number_with_anything_changed_is_a_conflict_that_names_it() {
    let shop = Shop::open().await;
    let (sale, paid) = shop.paid().await;
    let (live, invalid) = (json!(shop.code().await), json!("77112345678901234565"));
    let changes = [
        ("total_fee", json!(601)),
        ("qrcode", live),
        ("qrcode", invalid),
        ("qrcode", json!("77112345678901234560")),
        ("qrcode", json!("134567890123456789")),
        ("store_id", json!("SZTX002")),
        ("store_id", json!("SZTX999")),
        ("body", json!("矿泉水 3 瓶")),
        ("extra_data", json!("x")),
    ];
    for (field, value) in changes {
        let mut other = sale.clone();
        other[field] = value.clone();
        let reply = shop.post("applypay", other).await;
        assert_eq!(
            reply.refusal(),
            (409, "OUT_REQUEST_NO_CONFLICT", Some(field)),
            "{field} {value}"
        );
    }
    let mut same = sale.clone();
    same["extra_data"] = json!("");
    same["qrcode"] = json!(format!("{}\r\n", sale["qrcode"].as_str().unwrap()));
    assert_eq!(shop.post("applypay", same).await.data(), &paid);
    assert_eq!(shop.gateway.deductions(), 1);
}

#[tokio::test]
async fn two_merchants_may_use_the_same_number() {
    let shop = Shop::open().await;
    let (sale, paid) = shop.paid().await;
    let mut theirs = sale.clone();
    theirs["qrcode"] = json!(shop.code().await);
    let reply = shop.post_as(&shop.other, "applypay", theirs).await;
    assert_eq!(reply.data()["pay_status"], "PS_SUCCESS");
    assert_ne!(reply.data()["pay_out_trade_no"], paid["pay_out_trade_no"]);
}

#[tokio::test]
async fn a_paid_order_that_is_reversed_is_closed_and_never_paid_again() {
    let shop = Shop::open().await;
    let (sale, paid) = shop.paid().await;
    shop.clock.advance(Duration::from_secs(30));
    let undone = json!({ "recall": "N", "reverse_date": "20260801", "reverse_time": "20260801120030" });
    assert_eq!(shop.post("reverse", by_number(&sale)).await.data(), &undone);
    shop.clock.advance(Duration::from_secs(30));
    let again = json!({ "pay_out_trade_no": paid["pay_out_trade_no"] });
    assert_eq!(shop.post("reverse", again).await.data(), &undone);

    let closed = shop.post("orderquery", by_number(&sale)).await;
    assert_eq!(closed.data()["pay_status"], "PS_CLOSED");
    assert_eq!(keys(closed.data()), FIELDS);
    assert_eq!(closed.data()["pay_type_trade_no"], paid["pay_type_trade_no"]);
    let repeat = shop.post("applypay", sale.clone()).await;
    assert_eq!(
        (&repeat.data()["pay_status"], &repeat.data()["pay_out_trade_no"]),
        (&json!("PS_FAILED"), &paid["pay_out_trade_no"])
    );
    assert_eq!(
        repeat.data()["pay_err_desc"],
        "订单已撤销，款项已原路退回，如需收款请更换单号"
    );
    let refund = json!({ "out_request_no": sale["out_request_no"], "out_refund_no": "R-1", "refund_fee": 1 });
    assert_eq!(
        shop.post("refund", refund).await.refusal(),
        (422, "ORDER_REVERSED", None)
    );
    assert_eq!((shop.gateway.deductions(), shop.gateway.net()), (1, 0));
}

#[tokio::test]
async fn a_reversal_before_the_payment_leaves_a_tombstone() {
    let shop = Shop::open().await;
    let sale = shop.sale(&shop.code().await);
    let buried = shop.post("reverse", by_number(&sale)).await;
    assert_eq!(buried.data()["recall"], "N");
    shop.clock.advance(Duration::from_secs(5));
    assert_eq!(
        shop.post("applypay", sale.clone()).await.refusal(),
        (422, "ORDER_CLOSED", None)
    );
    assert_eq!(shop.post("reverse", by_number(&sale)).await.data(), buried.data());
    assert_eq!(
        shop.post("orderquery", by_number(&sale)).await.refusal(),
        (404, "ORDER_NOT_FOUND", None)
    );
    assert!(shop.gateway.deductions() == 0);
    // The number is dead, the code is not; and another merchant's same number is another number.
    let theirs = shop.post_as(&shop.other, "applypay", sale).await;
    assert_eq!(theirs.data()["pay_status"], "PS_SUCCESS");
}

#[tokio::test]
async fn an_order_that_is_undone_while_the_till_waits_is_answered_as_not_paid() {
    let shop = Shop::open().await;
    shop.gateway.will(Deduct::Accepts);
    let sale = shop.sale(&shop.code().await);
    let (paying, undone) = tokio::join!(shop.post("applypay", sale.clone()), async {
        tokio::time::sleep(TILL_WAIT / 3).await;
        shop.post("reverse", by_number(&sale)).await
    });
    assert_eq!(undone.data()["recall"], "N");
    assert_eq!(paying.data()["pay_status"], "PS_FAILED");
    assert_eq!(paying.data()["pay_err_desc"], "订单已撤销，未扣款，如需收款请更换单号");
    let closed = shop.post("orderquery", by_number(&sale)).await;
    assert_eq!(closed.data()["pay_status"], "PS_CLOSED");
    assert_eq!(shop.post("applypay", sale).await.data()["pay_status"], "PS_FAILED");
    assert_eq!(shop.gateway.net(), 0);
}

#[tokio::test]
async fn a_reversal_that_goes_on_is_called_again_until_it_is_certain() {
    let shop = Shop::open().await;
    let (sale, _) = shop.paid().await;
    shop.gateway.will_reverse(Back::Accepts);
    let going_on = shop.post("reverse", by_number(&sale)).await;
    assert_eq!(going_on.data()["recall"], "Y");
    assert_eq!(
        shop.post("orderquery", by_number(&sale)).await.data()["pay_status"],
        "PS_SUCCESS"
    );
    shop.gateway.will_reverse(Back::Gives);
    shop.clock.advance(Duration::from_secs(15));
    reversal::complete::complete_due(&shop.engine).await.unwrap();
    assert_eq!(shop.post("reverse", by_number(&sale)).await.data()["recall"], "N");
    assert_eq!(
        shop.post("orderquery", by_number(&sale)).await.data()["pay_status"],
        "PS_CLOSED"
    );
}

#[tokio::test]
async fn a_reversal_that_comes_too_late_or_that_the_channel_refuses_points_to_the_refund() {
    let shop = Shop::open().await;
    let (refused, _) = shop.paid().await;
    shop.gateway.will_reverse(Back::Refuses);
    let reply = shop.post("reverse", by_number(&refused)).await;
    assert_eq!(reply.refusal(), (422, "REVERSE_REFUSED", None));
    assert_eq!(reply.body["rule"], "支付渠道不支持撤销该订单，请使用退款");
    assert!(!String::from_utf8_lossy(&reply.raw).contains(RAW));
    let refund = json!({ "out_request_no": refused["out_request_no"], "out_refund_no": "R-1", "refund_fee": 600 });
    assert_eq!(
        shop.post("refund", refund).await.data()["pay_refund_status"],
        "RS_SUCCESS"
    );

    shop.gateway.will_reverse(Back::Gives);
    let (late, _) = shop.paid().await;
    shop.clock.advance(Duration::from_secs(24 * 3600 + 1));
    let reply = shop.post("reverse", by_number(&late)).await;
    assert_eq!(
        (reply.refusal(), &reply.body["rule"]),
        ((422, "REVERSE_REFUSED", None), &json!("撤销期限已过，请使用退款"))
    );
    assert_eq!(shop.gateway.net(), 600);
}
