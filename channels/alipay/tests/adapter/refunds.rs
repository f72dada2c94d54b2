//! Refunds and their queries.

use std::time::Duration;

use metropay_core::channel::{CallError, Outcome, RefundStanding, Refunded};
use serde_json::{Value, json};

use crate::ground::*;

fn moved(change: &str, so_far: &str) -> Value {
    success(json!({
        "out_trade_no": pay_no().0, "trade_no": TRADE_NO, "fund_change": change, "refund_fee": so_far,
        "gmt_refund_pay": "2026-03-02 10:00:01",
        "refund_detail_item_list": [{"amount": "1.50", "fund_channel": "ALIPAYACCOUNT"},
            {"amount": "0.50", "fund_channel": "COUPON"}],
    }))
}

fn known(amount: &str) -> Value {
    success(json!({
        "out_trade_no": pay_no().0, "out_request_no": "RF202603020001", "refund_amount": amount,
        "refund_status": "REFUND_SUCCESS", "gmt_refund_pay": "2026-03-02 10:00:01", "total_amount": "4.50",
        "refund_detail_item_list": [{"amount": "1.50", "fund_channel": "ALIPAYACCOUNT"}], "trade_no": TRADE_NO,
    }))
}

fn refunded() -> Refunded {
    Refunded {
        channel_no: None,
        amount: fen(200),
        coupon: fen(50),
        refunded_at: at("2026-03-02 10:00:01"),
    }
}

#[tokio::test]
async fn a_refund_that_moved_money_is_done_whatever_went_back_before() {
    for so_far in ["2.00", "3.00", "4.50"] {
        let ground = Ground::new().await;
        ground.says(REFUND, &moved("Y", so_far));
        assert_eq!(ground.channel.refund(&refund(200)).await, Ok(Outcome::Done(refunded())));
        let expected = json!({"out_trade_no": pay_no().0, "refund_amount": "2.00", "out_request_no": "RF202603020001",
            "query_options": ["refund_detail_item_list"]});
        assert_eq!(ground.calls()[0].biz, expected);
    }
}

#[tokio::test]
async fn a_sum_that_cannot_be_or_another_number_proves_nothing() {
    let mut other = moved("Y", "2.00");
    other["out_trade_no"] = json!("MT202603010830050002");
    for node in [moved("Y", "1.99"), moved("Y", "4.51"), moved("Y", "many"), other] {
        let ground = Ground::new().await;
        ground.says(REFUND, &node);
        let answer = ground.channel.refund(&refund(200)).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{node}: {answer:?}");
    }
}

#[tokio::test]
async fn a_repeat_that_moved_nothing_is_answered_by_the_refund_query() {
    let ground = Ground::new().await;
    ground.says(REFUND, &moved("N", "2.00"));
    ground.says(REFUND_QUERY, &known("2.00"));
    assert_eq!(ground.channel.refund(&refund(200)).await, Ok(Outcome::Done(refunded())));
    assert_eq!(ground.called(), [REFUND, REFUND_QUERY]);

    let ground = Ground::new().await;
    ground.says(REFUND, &moved("N", "0.00"));
    ground.says(REFUND_QUERY, &success(json!({})));
    assert_eq!(ground.channel.refund(&refund(200)).await, Ok(Outcome::Pending));
}

#[tokio::test]
async fn a_refusal_counts_unless_the_refund_is_known_as_done() {
    for sub_code in [
        "ACQ.TRADE_NOT_ALLOW_REFUND",
        "ACQ.INVALID_PARAMETER",
        "ACQ.REFUND_FEE_ERROR",
    ] {
        let ground = Ground::new().await;
        ground.says(REFUND, &failure("40004", sub_code));
        ground.says(REFUND_QUERY, &success(json!({})));
        let outcome = ground.channel.refund(&refund(200)).await.unwrap();
        assert!(
            matches!(&outcome, Outcome::Refused(refusal) if refusal.code == sub_code),
            "{outcome:?}"
        );

        let ground = Ground::new().await;
        ground.says(REFUND, &failure("40004", sub_code));
        ground.says(REFUND_QUERY, &known("2.00"));
        assert_eq!(ground.channel.refund(&refund(200)).await, Ok(Outcome::Done(refunded())));
    }
}

#[tokio::test]
async fn a_state_is_a_refusal_only_once_the_refund_had_time_to_show() {
    for sub_code in [
        "ACQ.TRADE_HAS_CLOSE",
        "ACQ.REASON_TRADE_REFUND_FEE_ERR",
        "ACQ.SOMETHING_NEW",
    ] {
        let ground = Ground::new().await;
        ground.says(REFUND, &failure("40004", sub_code));
        ground.says(REFUND_QUERY, &success(json!({})));
        assert_eq!(
            ground.channel.refund(&refund(200)).await,
            Ok(Outcome::Pending),
            "{sub_code}"
        );
        ground.clock.advance(Duration::from_secs(121));
        let outcome = ground.channel.refund(&refund(200)).await.unwrap();
        assert!(
            matches!(&outcome, Outcome::Refused(refusal) if refusal.code == sub_code),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_that_the_query_cannot_confirm_is_none() {
    let ground = Ground::new().await;
    ground.says(REFUND, &failure("40002", "isv.invalid-signature"));
    ground.says(REFUND_QUERY, &failure("40002", "isv.invalid-signature"));
    let answer = ground.channel.refund(&refund(200)).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
}

#[tokio::test]
async fn an_empty_purse_waits_and_a_failing_service_proves_nothing() {
    for sub_code in ["ACQ.SELLER_BALANCE_NOT_ENOUGH", "ACQ.REFUND_CHARGE_ERROR"] {
        let ground = Ground::new().await;
        ground.says(REFUND, &failure("40004", sub_code));
        assert_eq!(ground.channel.refund(&refund(200)).await, Ok(Outcome::Pending));
    }
    let ground = Ground::new().await;
    ground.says(REFUND, &failure("20000", "ACQ.SYSTEM_ERROR"));
    let answer = ground.channel.refund(&refund(200)).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
}

#[tokio::test]
async fn the_refund_query_tells_done_running_and_unknown() {
    let ground = Ground::new().await;
    ground.says(REFUND_QUERY, &known("2.00"));
    let standing = ground.channel.query_refund(&refund(200)).await;
    assert_eq!(standing, Ok(RefundStanding::Refunded(refunded())));

    let ground = Ground::new().await;
    ground.says(REFUND_QUERY, &success(json!({})));
    assert_eq!(
        ground.channel.query_refund(&refund(200)).await,
        Ok(RefundStanding::Pending)
    );
    ground.clock.advance(Duration::from_secs(121));
    assert_eq!(
        ground.channel.query_refund(&refund(200)).await,
        Ok(RefundStanding::Absent)
    );

    let ground = Ground::new().await;
    ground.says(REFUND_QUERY, &failure("40004", "TRADE_NOT_EXIST"));
    assert_eq!(
        ground.channel.query_refund(&refund(200)).await,
        Ok(RefundStanding::Absent)
    );
}

#[tokio::test]
async fn older_answers_without_a_status_count_only_with_our_number() {
    let mut node = known("2.00");
    node["refund_status"] = Value::Null;
    let ground = Ground::new().await;
    ground.says(REFUND_QUERY, &node);
    let standing = ground.channel.query_refund(&refund(200)).await;
    assert_eq!(standing, Ok(RefundStanding::Refunded(refunded())));
    node["out_request_no"] = Value::Null;
    let ground = Ground::new().await;
    ground.says(REFUND_QUERY, &node);
    let standing = ground.channel.query_refund(&refund(200)).await;
    assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{standing:?}");
}

#[tokio::test]
async fn a_refund_known_with_another_amount_or_number_proves_nothing() {
    let mut other = known("2.00");
    other["out_request_no"] = json!("RF202603020002");
    for node in [known("2.01"), other, failure("40004", "ACQ.SYSTEM_ERROR")] {
        let ground = Ground::new().await;
        ground.says(REFUND_QUERY, &node);
        let standing = ground.channel.query_refund(&refund(200)).await;
        assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{node}: {standing:?}");
    }
}

#[tokio::test]
async fn where_a_refund_of_everything_does_not_tell_its_coupons_they_are_the_payments() {
    let silent = |amount: &str| {
        let node = moved("Y", amount);
        let Value::Object(mut members) = node else {
            panic!("an object")
        };
        members.remove("refund_detail_item_list");
        Value::Object(members)
    };
    let coupon = async |ground: &Ground, amount: u64| match ground.channel.refund(&refund(amount)).await {
        Ok(Outcome::Done(refunded)) => refunded.coupon,
        other => panic!("{other:?}"),
    };
    let ground = Ground::new().await;
    ground.says(REFUND, &silent("4.50"));
    ground.says(QUERY, &paid_trade("TRADE_CLOSED"));
    assert_eq!(coupon(&ground, 450).await, fen(100));
    // A part of it: nobody knows.
    let ground = Ground::new().await;
    ground.says(REFUND, &silent("2.00"));
    assert_eq!(coupon(&ground, 200).await, fen(0));
    assert_eq!(ground.called(), [REFUND]);
    // A refund that is done does not fail over it.
    for answer in [
        failure("20000", "isp.unknow-error"),
        failure("40004", "ACQ.TRADE_NOT_EXIST"),
    ] {
        let ground = Ground::new().await;
        ground.says(REFUND, &silent("4.50"));
        ground.says(QUERY, &answer);
        assert_eq!(coupon(&ground, 450).await, fen(0));
    }
}

#[tokio::test]
async fn the_refund_query_tells_coupons_in_the_same_way() {
    let ground = Ground::new().await;
    let told = json!({"refund_amount": "4.50", "present_refund_discount_amount": "0.60", "present_refund_mdiscount_amount": "0.40"});
    ground.says(REFUND_QUERY, &with(known("4.50"), told));
    let standing = ground.channel.query_refund(&refund(450)).await;
    assert!(
        matches!(&standing, Ok(RefundStanding::Refunded(refunded)) if refunded.coupon == fen(100)),
        "{standing:?}"
    );
}

#[tokio::test]
async fn a_status_that_is_not_success_is_no_refund() {
    for status in ["REFUND_FAIL", "REFUND_PROCESSING", "SOMETHING_NEW"] {
        let ground = Ground::new().await;
        ground.says(REFUND_QUERY, &with(known("2.00"), json!({ "refund_status": status })));
        let standing = ground.channel.query_refund(&refund(200)).await;
        assert_eq!(standing, Ok(RefundStanding::Pending), "{status}");
    }
}
