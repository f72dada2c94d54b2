//! How trades stand.

use metropay_core::channel::{CallError, Standing};
use serde_json::{Value, json};

use crate::ground::*;

async fn standing(node: &Value) -> Result<Standing, CallError> {
    let ground = Ground::new().await;
    ground.says(QUERY, node);
    ground.says(REFUND_QUERY, &success(json!({})));
    ground.channel.query_payment(&payment()).await
}

fn is_paid(answer: &Result<Standing, CallError>) -> bool {
    matches!(answer, Ok(Standing::Paid(paid))
        if (paid.channel_no.as_str(), paid.amount, paid.coupon, paid.paid_at)
            == (TRADE_NO, fen(450), fen(100), at("2026-03-01 08:30:06")))
}

#[tokio::test]
async fn paid_trades_are_paid_and_stay_so_when_all_went_back() {
    for status in ["TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED"] {
        let answer = standing(&paid_trade(status)).await;
        assert!(is_paid(&answer), "{status}: {answer:?}");
    }
}

#[tokio::test]
async fn a_waiting_trade_is_open_and_a_closed_one_without_payment_is_not_paid() {
    assert_eq!(standing(&unpaid_trade("WAIT_BUYER_PAY")).await, Ok(Standing::Pending));
    let answer = standing(&unpaid_trade("TRADE_CLOSED")).await;
    assert!(
        matches!(&answer, Ok(Standing::NotPaid(refusal)) if refusal.code == "TRADE_CLOSED"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_closed_trade_without_a_date_is_paid_when_a_refund_under_its_own_number_is_known() {
    let ground = Ground::new().await;
    ground.says(QUERY, &unpaid_trade("TRADE_CLOSED"));
    let refund = json!({"out_trade_no": pay_no().0, "out_request_no": pay_no().0, "refund_amount": "4.50",
        "refund_status": "REFUND_SUCCESS", "trade_no": TRADE_NO});
    ground.says(REFUND_QUERY, &success(refund));
    let answer = ground.channel.query_payment(&payment()).await;
    assert!(
        matches!(&answer, Ok(Standing::Paid(paid)) if paid.amount == fen(450)),
        "{answer:?}"
    );
    assert_eq!(ground.calls()[1].biz["out_request_no"], pay_no().0);
}

#[tokio::test]
async fn a_closed_trade_proves_nothing_while_the_refund_query_fails() {
    let ground = Ground::new().await;
    ground.says(QUERY, &unpaid_trade("TRADE_CLOSED"));
    ground.says(REFUND_QUERY, &failure("20000", "isp.unknow-error"));
    let answer = ground.channel.query_payment(&payment()).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
}

#[tokio::test]
async fn an_unknown_trade_is_absent() {
    assert_eq!(
        standing(&failure("40004", "ACQ.TRADE_NOT_EXIST")).await,
        Ok(Standing::Absent)
    );
}

#[tokio::test]
async fn whatever_else_is_answered_nothing_is_known() {
    let bend = |name: &str, value: Value| {
        let mut node = paid_trade("TRADE_SUCCESS");
        node[name] = value;
        node
    };
    let mut other = failure("40004", "ACQ.TRADE_NOT_EXIST");
    other["out_trade_no"] = json!("MT202603010830050002");
    for node in [
        bend("out_trade_no", json!("MT202603010830050002")),
        bend("total_amount", json!("45.00")),
        bend("total_amount", Value::Null),
        bend("trade_status", json!("TRADE_DREAMT")),
        bend("trade_status", Value::Null),
        other,
        failure("40004", "ACQ.SYSTEM_ERROR"),
        failure("40004", "ACQ.SOMETHING_NEW"),
        failure("40002", "isv.invalid-signature"),
        failure("40005", "isv.app-call-limited"),
        failure("20000", "isp.unknow-error"),
    ] {
        let answer = standing(&node).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{node}: {answer:?}");
    }
}

#[tokio::test]
async fn an_unsigned_absence_is_no_absence() {
    let ground = Ground::new().await;
    let node = failure("40004", "ACQ.TRADE_NOT_EXIST");
    ground.sends(QUERY, &json!({ "alipay_trade_query_response": node }).to_string());
    let answer = ground.channel.query_payment(&payment()).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
}
