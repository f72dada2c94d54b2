//! The reference's own requests, and an agreement with its payments from beginning to end.

use serde_json::json;

use crate::merchant::Merchant;
use crate::shop::{
    APP_ID, Answer, CANCEL, PAY, QUERY, REFUND, REFUND_QUERY, Shop, UNSIGN, USER, order, page_id, vector,
};

#[tokio::test]
async fn the_references_requests_are_accepted_as_they_stand() {
    let shop = Shop::open(json!({"coupon_fen": 100})).await;
    // The vectors' addresses belong to nobody here.
    shop.fault(json!({"operation": "notify", "effect": "notice_lost", "times": 0}));
    shop.set_clock("2026-03-01T07:00:01");
    let page = shop.client.get(format!("{}?{}", shop.gateway(), vector("T10 query")));
    let page = page.send().await.unwrap().text().await.unwrap();
    let back = shop.agree(&page_id(&page), USER).await;
    assert_eq!(back.status(), 302);
    assert_eq!(back.headers()["location"], "https://app.example.com/pay/code");

    shop.set_clock("2026-03-01T08:30:06");
    let send = || {
        let request = shop.client.post(format!("{}?{}", shop.gateway(), vector("T1 query")));
        let request = request.header("content-type", "application/x-www-form-urlencoded;charset=utf-8");
        request.body(vector("T1 body")).send()
    };
    let answer = send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html;charset=utf-8");
    assert!(answer.headers().contains_key("trace_id"));
    let answer = Answer::read(&answer.text().await.unwrap());
    assert!(answer.fits);
    let mut expected = Answer::read(vector("T3")).node;
    expected.as_object_mut().unwrap().remove("store_name");
    let mut node = answer.node.clone();
    let vouchers = node.as_object_mut().unwrap().remove("voucher_detail_list").unwrap();
    assert_eq!(node, expected);
    assert_eq!(vouchers[0]["other_contribute"], "1.00");

    let again = Answer::read(&send().await.unwrap().text().await.unwrap());
    assert_eq!(
        again.node, answer.node,
        "the same request once more is the same payment"
    );
    assert_eq!(shop.books(), ["Debit MT202603010830050001 450"]);
}

#[tokio::test]
async fn an_agreement_and_its_payments_live_their_whole_life() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({"coupon_fen": 100, "app_gateway_url": merchant.at("app")})).await;
    let agreement_no = is_signed(&shop, &merchant).await;
    let trade_no = is_paid(&shop, &merchant, &agreement_no).await;
    is_refunded_in_parts(&shop, &merchant).await;
    another_is_cancelled(&shop, &agreement_no).await;
    is_unsigned(&shop, &merchant, &agreement_no).await;
    let books = [
        "Debit P1 450",
        "Refund R1 200",
        "Refund R2 250",
        "Debit P2 200",
        "Reversal P2 200",
    ];
    assert_eq!(shop.books(), books);
    let refund = shop.sim.frame().books().remove(1);
    assert_eq!(
        (
            refund.account.as_str(),
            refund.payment_no.as_str(),
            refund.payer.as_str()
        ),
        (APP_ID, "P1", USER)
    );
    assert_eq!(refund.gateway_no, trade_no);
}

async fn is_signed(shop: &Shop, merchant: &Merchant) -> String {
    let (signed, back) = (merchant.at("signed"), merchant.at("back"));
    let agreement_no = shop
        .sign("MTSIGN1", &[("notify_url", &signed), ("return_url", &back)])
        .await;
    let notice = merchant.wait("notify_type=dut_user_sign").await;
    assert!(notice.is_signed() && notice.path == "/signed");
    assert!(notice.says("status=NORMAL external_agreement_no=MTSIGN1 charset=UTF-8"));
    assert_eq!(notice.text("agreement_no"), agreement_no);
    assert_eq!(notice.text("invalid_time"), "2115-02-01 00:00:00");
    agreement_no
}

async fn is_paid(shop: &Shop, merchant: &Merchant, agreement_no: &str) -> String {
    let more = [("notify_url", merchant.at("paid"))];
    let answer = shop
        .call_with(PAY, order("P1", agreement_no, "4.50"), &[(more[0].0, &more[0].1)])
        .await;
    assert!(answer.fits);
    answer.says("code=10000 buyer_pay_amount=3.50 receipt_amount=4.50 discount_amount=1.00 mdiscount_amount=0.00");
    let trade_no = answer.text("trade_no").to_owned();
    let notice = merchant.wait("out_trade_no=P1 trade_status=TRADE_SUCCESS").await;
    assert!(notice.is_signed() && notice.path == "/paid");
    assert!(notice.says(&format!(
        "trade_no={trade_no} total_amount=4.50 refund_fee= agreement_no={agreement_no}"
    )));
    assert!(notice.says(&format!(
        "app_id={APP_ID} seller_id=2088000000000001 buyer_pay_amount=3.50"
    )));
    let both = json!({"trade_no": trade_no, "out_trade_no": "other", "query_options": ["fund_bill_list"]});
    let found = shop.call(QUERY, both).await;
    found.says("trade_status=TRADE_SUCCESS out_trade_no=P1 total_amount=4.50 buyer_pay_amount=3.50");
    assert_eq!(
        found.node["fund_bill_list"][1],
        json!({"amount": "1.00", "fund_channel": "DISCOUNT"})
    );
    trade_no
}

/// P1 is 4.50 = 3.50 own money + 1.00 coupon.
async fn is_refunded_in_parts(shop: &Shop, merchant: &Merchant) {
    let refund = |number: &str, yuan: &str| {
        json!({"out_trade_no": "P1", "out_request_no": number, "refund_amount": yuan, "refund_reason": "退货",
            "query_options": ["refund_detail_item_list"]})
    };
    let first = shop.call(REFUND, refund("R1", "2.00")).await;
    first.says("code=10000 fund_change=Y refund_fee=2.00 send_back_fee=2.00");
    let own = json!([{"amount": "2.00", "fund_channel": "ALIPAYACCOUNT"}]);
    assert_eq!(first.node["refund_detail_item_list"], own);
    shop.call(REFUND, refund("R1", "2.00"))
        .await
        .says("code=10000 fund_change=N refund_fee=2.00");
    shop.call(REFUND, refund("R1", "2.01"))
        .await
        .says("code=40004 sub_code=ACQ.DISCORDANT_REPEAT_REQUEST");
    let notice = merchant.wait("out_biz_no=R1").await;
    assert!(notice.is_signed() && notice.says("trade_status=TRADE_SUCCESS refund_fee=2.00"));
    assert_eq!(notice.text("gmt_refund").len(), "2026-03-02 10:00:01.312".len());
    assert_eq!(
        shop.status("P1").await,
        "TRADE_SUCCESS",
        "stays so after a partial refund"
    );
    shop.cancel("P1").await.says("sub_code=ACQ.CANCEL_NOT_ALLOWED");
    shop.call(REFUND, refund("R9", "2.51"))
        .await
        .says("sub_code=ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");

    let second = shop.call(REFUND, refund("R2", "2.50")).await;
    second.says("fund_change=Y refund_fee=4.50");
    let own_first =
        json!([{"amount": "1.50", "fund_channel": "ALIPAYACCOUNT"}, {"amount": "1.00", "fund_channel": "DISCOUNT"}]);
    assert_eq!(second.node["refund_detail_item_list"], own_first);
    let notice = merchant.wait("out_biz_no=R2").await;
    assert!(notice.is_signed() && notice.says("trade_status=TRADE_CLOSED refund_fee=4.50"));
    assert_eq!(shop.status("P1").await, "TRADE_CLOSED");
    shop.call(REFUND, refund("R3", "0.01"))
        .await
        .says("sub_code=ACQ.TRADE_HAS_CLOSE");

    let ask = json!({"out_trade_no": "P1", "out_request_no": "R1", "query_options": ["gmt_refund_pay"]});
    let found = shop.call(REFUND_QUERY, ask).await;
    found.says("refund_status=REFUND_SUCCESS refund_amount=2.00 total_amount=4.50 refund_reason=退货");
    assert!(!found.text("gmt_refund_pay").is_empty());
    let none = shop
        .call(REFUND_QUERY, json!({"out_trade_no": "P1", "out_request_no": "R8"}))
        .await;
    assert_eq!(none.node, json!({"code": "10000", "msg": "Success"}));
}

async fn another_is_cancelled(shop: &Shop, agreement_no: &str) {
    shop.pay("P2", agreement_no, "2.00").await.says("code=10000");
    let node = shop
        .cancel("P2")
        .await
        .says("code=10000 action=refund retry_flag=N")
        .node
        .clone();
    assert_eq!(
        shop.call(CANCEL, json!({"out_trade_no": "P2"})).await.node,
        node,
        "repeatable"
    );
    assert_eq!(shop.status("P2").await, "TRADE_CLOSED");
    let whole = shop
        .call(REFUND_QUERY, json!({"out_trade_no": "P2", "out_request_no": "P2"}))
        .await;
    whole.says("refund_status=REFUND_SUCCESS refund_amount=2.00");
}

async fn is_unsigned(shop: &Shop, merchant: &Merchant, agreement_no: &str) {
    let key = json!({"agreement_no": agreement_no});
    shop.call_with(UNSIGN, key.clone(), &[("notify_url", &merchant.at("ended"))])
        .await
        .says("code=10000");
    let notice = merchant.wait("notify_type=dut_user_unsign").await;
    assert!(notice.is_signed() && notice.path == "/ended");
    assert!(notice.says(&format!("status=UNSIGN agreement_no={agreement_no} sign_time=")));
    shop.call(UNSIGN, key)
        .await
        .says("sub_code=USER_AGREEMENT_STATUS_IS_NOT_NORMAL");
    shop.pay("P3", agreement_no, "1.00")
        .await
        .says("sub_code=ACQ.AGREEMENT_NOT_EXIST");
    assert_eq!(shop.status("P3").await, "ACQ.TRADE_NOT_EXIST");
}
