//! Undoing payments, whatever their state.

use metropay_core::channel::{CallError, Outcome, Reversed};
use serde_json::{Value, json};

use crate::ground::*;

fn cancelled(action: Option<&str>, retry_flag: &str) -> Value {
    let mut node = success(json!({"out_trade_no": pay_no().0, "retry_flag": retry_flag}));
    if let Some(action) = action {
        node["action"] = json!(action);
        node["trade_no"] = json!(TRADE_NO);
    }
    node
}

fn is_money_back(answer: &Result<Outcome<Reversed>, CallError>) -> bool {
    matches!(answer, Ok(Outcome::Done(Reversed::MoneyBack { paid: Some(paid), .. })) if paid.amount == fen(450))
}

#[tokio::test]
async fn a_paid_trade_is_cancelled_and_its_money_goes_back() {
    let ground = Ground::new().await;
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    ground.says(CANCEL, &cancelled(Some("refund"), "N"));
    ground.says(QUERY, &paid_trade("TRADE_CLOSED"));
    let answer = ground.channel.reverse(&reversal()).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!(ground.called(), [QUERY, CANCEL, QUERY]);
    assert_eq!(ground.calls()[1].biz, json!({"out_trade_no": pay_no().0}));
    // Asked again, it finds the trade undone and does nothing.
    let answer = ground.channel.reverse(&reversal()).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!(ground.called(), [QUERY, CANCEL, QUERY, QUERY]);
}

#[tokio::test]
async fn a_waiting_trade_is_closed() {
    let ground = Ground::new().await;
    ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
    ground.says(CANCEL, &cancelled(Some("close"), "N"));
    ground.says(QUERY, &unpaid_trade("TRADE_CLOSED"));
    ground.says(REFUND_QUERY, &success(json!({})));
    assert_eq!(
        ground.channel.reverse(&reversal()).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
}

#[tokio::test]
async fn a_trade_that_was_never_there_is_cancelled_all_the_same_and_asked_for_again() {
    let ground = Ground::new().await;
    ground.says(QUERY, &failure("40004", "ACQ.TRADE_NOT_EXIST"));
    ground.says(CANCEL, &cancelled(None, "N"));
    assert_eq!(
        ground.channel.reverse(&reversal()).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    assert_eq!(ground.called(), [QUERY, CANCEL, QUERY]);
}

#[tokio::test]
async fn a_payment_that_crosses_the_cancellation_is_cancelled_again() {
    let ground = Ground::new().await;
    ground.says(QUERY, &failure("40004", "ACQ.TRADE_NOT_EXIST"));
    ground.says(CANCEL, &cancelled(None, "N"));
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    ground.says(CANCEL, &cancelled(Some("refund"), "N"));
    ground.says(QUERY, &paid_trade("TRADE_CLOSED"));
    assert_eq!(ground.channel.reverse(&reversal()).await, Ok(Outcome::Pending));
    let answer = ground.channel.reverse(&reversal()).await;
    assert!(is_money_back(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_cancellation_that_wants_to_be_repeated_is_pending() {
    let again = [
        cancelled(None, "Y"),
        success(json!({"out_trade_no": pay_no().0})),
        failure("40004", "ACQ.SYSTEM_ERROR"),
        failure("40004", "AQC.SYSTEM_ERROR"),
        failure("20000", "isp.unknow-error"),
        failure("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"),
    ];
    for node in again {
        let ground = Ground::new().await;
        ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
        ground.says(CANCEL, &node);
        assert_eq!(
            ground.channel.reverse(&reversal()).await,
            Ok(Outcome::Pending),
            "{node}"
        );
        assert_eq!(ground.called(), [QUERY, CANCEL]);
    }
}

#[tokio::test]
async fn after_the_time_for_cancelling_all_goes_back_as_one_refund() {
    let ground = Ground::new().await;
    ground.says(QUERY, &paid_trade("TRADE_FINISHED"));
    ground.says(CANCEL, &failure("40004", "ACQ.TRADE_CANCEL_TIME_OUT"));
    let refund = json!({"out_trade_no": pay_no().0, "fund_change": "Y", "refund_fee": "4.50", "trade_no": TRADE_NO});
    ground.says(REFUND, &success(refund));
    for _ in 0..2 {
        let answer = ground.channel.reverse(&reversal()).await;
        assert!(is_money_back(&answer), "{answer:?}");
    }
    let refunds: Vec<Value> = ground
        .calls()
        .into_iter()
        .filter(|call| call.method == REFUND)
        .map(|call| call.biz)
        .collect();
    assert_eq!(refunds.len(), 2);
    assert_eq!(refunds[0], refunds[1], "a repeat is the same refund");
    assert_eq!(refunds[0]["out_request_no"], reversal().no.0);
    assert_eq!(refunds[0]["refund_amount"], "4.50");
}

#[tokio::test]
async fn a_trade_that_will_not_be_cancelled_is_left_to_a_refund() {
    for sub_code in [
        "ACQ.CANCEL_NOT_ALLOWED",
        "ACQ.TRADE_HAS_FINISHED",
        "ACQ.REASON_TRADE_BEEN_FREEZEN",
    ] {
        let ground = Ground::new().await;
        ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
        ground.says(CANCEL, &failure("40004", sub_code));
        let outcome = ground.channel.reverse(&reversal()).await.unwrap();
        assert!(
            matches!(&outcome, Outcome::Refused(refusal) if refusal.code == sub_code),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_cancellation_of_a_trade_that_is_undone_is_done() {
    let ground = Ground::new().await;
    ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
    ground.says(CANCEL, &failure("40004", "ACQ.REASON_TRADE_REFUND_FEE_ERR"));
    ground.says(QUERY, &paid_trade("TRADE_CLOSED"));
    let answer = ground.channel.reverse(&reversal()).await;
    assert!(is_money_back(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_waiting_trade_that_will_not_be_cancelled_is_closed() {
    let close = |answer: &Value, then: &Value| {
        let (answer, then) = (answer.clone(), then.clone());
        async move {
            let ground = Ground::new().await;
            ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
            ground.says(QUERY, &unpaid_trade("WAIT_BUYER_PAY"));
            ground.says(QUERY, &then);
            ground.says(REFUND_QUERY, &success(json!({})));
            ground.says(CANCEL, &failure("40004", "ACQ.TRADE_CANCEL_TIME_OUT"));
            ground.says(CLOSE, &answer);
            let outcome = ground.channel.reverse(&reversal()).await;
            assert!(!ground.called().contains(&REFUND.to_owned()));
            outcome
        }
    };
    let closed = success(json!({"out_trade_no": pay_no().0, "trade_no": TRADE_NO}));
    let (done, open) = (unpaid_trade("TRADE_CLOSED"), unpaid_trade("WAIT_BUYER_PAY"));
    assert_eq!(close(&closed, &done).await, Ok(Outcome::Done(Reversed::NeverPaid)));
    // Whatever closing says, the query after it decides.
    let states = [
        "ACQ.TRADE_NOT_EXIST",
        "ACQ.TRADE_STATUS_ERROR",
        "ACQ.REASON_TRADE_STATUS_INVALID",
        "ACQ.REASON_ILLEGAL_STATUS",
    ];
    for sub_code in states {
        let answer = failure("40004", sub_code);
        assert_eq!(close(&answer, &done).await, Ok(Outcome::Done(Reversed::NeverPaid)));
        assert_eq!(close(&answer, &open).await, Ok(Outcome::Pending));
        assert_eq!(close(&answer, &paid_trade("TRADE_SUCCESS")).await, Ok(Outcome::Pending));
    }
    for sub_code in ["ACQ.SYSTEM_ERROR", "ACQ.INVALID_PARAMETER", "ACQ.SOMETHING_NEW"] {
        assert_eq!(close(&failure("40004", sub_code), &done).await, Ok(Outcome::Pending));
    }
    let mut other = closed.clone();
    other["out_trade_no"] = json!("MT202603010830050002");
    for answer in [other, failure("20000", "isp.unknow-error")] {
        let outcome = close(&answer, &done).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{answer}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_about_another_trade_or_none_proves_nothing() {
    let mut other = cancelled(Some("refund"), "N");
    other["out_trade_no"] = json!("MT202603010830050002");
    let mut nameless = cancelled(Some("refund"), "N");
    nameless["out_trade_no"] = Value::Null;
    for node in [other, nameless] {
        let ground = Ground::new().await;
        ground.says(QUERY, &paid_trade("TRADE_SUCCESS"));
        ground.says(CANCEL, &node);
        let answer = ground.channel.reverse(&reversal()).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{node}: {answer:?}");
    }
}

#[tokio::test]
async fn nothing_is_cancelled_before_a_query_was_understood() {
    let ground = Ground::new().await;
    ground.says(QUERY, &failure("20000", "isp.unknow-error"));
    let answer = ground.channel.reverse(&reversal()).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    assert_eq!(ground.called(), [QUERY]);
}
