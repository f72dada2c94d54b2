//! Reversals: built of query, closing and a full refund, and called again until they are settled.

use metropay_core::channel::{CallError, Outcome, Reversed};

use crate::support::{ORDER, PAID, REFUND, Scene, failed, order, reversal, taken};

const QUERY: &str = "/pay/partner/paporderquery";
const GENERAL: &str = "/pay/orderquery";
const CLOSE: &str = "/pay/closeorder";
const FILE: &str = "/secapi/pay/refund";
const REFUND_QUERY: &str = "/pay/refundquery";

fn filed() -> String {
    let fields = [
        ("out_trade_no", ORDER),
        ("out_refund_no", REFUND),
        ("refund_fee", "1280"),
        ("total_fee", "1280"),
        ("refund_id", "503"),
    ];
    taken(&fields)
}

fn back(status: &str) -> String {
    let fields = [
        ("out_trade_no", ORDER),
        ("out_refund_no_0", REFUND),
        ("refund_id_0", "503"),
        ("refund_fee_0", "1280"),
        ("refund_status_0", status),
    ];
    taken(&fields)
}

fn is_money_back(outcome: &Outcome<Reversed>) -> bool {
    matches!(
        outcome,
        Outcome::Done(Reversed::MoneyBack { paid: Some(paid), channel_no: Some(no) })
            if paid.channel_no == "4200000000202503010000000001" && no == "503"
    )
}

#[tokio::test]
async fn a_paid_order_is_given_back_once_and_done_only_when_the_money_is_back() {
    let scene = Scene::provider().await;
    scene.answers(QUERY, taken(PAID)).await;
    scene.answers_once(REFUND_QUERY, failed("REFUNDNOTEXIST", "")).await;
    scene.answers_once(REFUND_QUERY, back("PROCESSING")).await;
    scene.answers_once(REFUND_QUERY, back("CHANGE")).await;
    scene.answers(REFUND_QUERY, back("SUCCESS")).await;
    scene.answers(FILE, filed()).await;
    for _ in 0..3 {
        assert_eq!(scene.channel.reverse(&reversal()).await, Ok(Outcome::Pending));
    }
    for _ in 0..2 {
        let done = scene.channel.reverse(&reversal()).await.unwrap();
        assert!(is_money_back(&done), "{done:?}");
    }
    let sent = scene.sent(FILE).await;
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].contains(&format!("<out_refund_no><![CDATA[{REFUND}]]>")),
        "{sent:?}"
    );
    assert!(sent[0].contains("<refund_fee>1280</refund_fee>"), "{sent:?}");
}

#[tokio::test]
async fn a_lost_filing_is_repeated_with_the_same_number() {
    let scene = Scene::provider().await;
    scene.answers(QUERY, taken(PAID)).await;
    scene.answers(REFUND_QUERY, failed("REFUNDNOTEXIST", "")).await;
    scene.answers_once(FILE, "").await;
    scene.answers(FILE, filed()).await;
    let lost = scene.channel.reverse(&reversal()).await;
    assert!(matches!(lost, Err(CallError::MaybeDone(_))), "{lost:?}");
    assert_eq!(scene.channel.reverse(&reversal()).await, Ok(Outcome::Pending));
    let sent = scene.sent(FILE).await;
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn a_closed_refund_and_a_refused_one_mean_that_this_way_is_barred() {
    let scene = Scene::provider().await;
    scene.answers(QUERY, taken(PAID)).await;
    scene.answers_once(REFUND_QUERY, back("REFUNDCLOSE")).await;
    scene.answers(REFUND_QUERY, failed("REFUNDNOTEXIST", "")).await;
    scene.answers(FILE, failed("TRADE_OVERDUE", "")).await;
    for code in ["REFUNDCLOSE", "TRADEOVERDUE"] {
        let outcome = scene.channel.reverse(&reversal()).await.unwrap();
        assert!(
            matches!(&outcome, Outcome::Refused(refusal) if refusal.code == code),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn an_order_that_hangs_is_closed_only_when_it_is_old_enough() {
    let scene = Scene::provider().await;
    for _ in 0..3 {
        scene.answers_once(QUERY, order("NOTPAY")).await;
    }
    scene
        .answers(QUERY, failed("INVALID_REQUEST", "订单不是委托代扣场景"))
        .await;
    scene.answers(GENERAL, order("CLOSED")).await;
    scene.answers(CLOSE, taken(&[])).await;
    assert_eq!(scene.channel.reverse(&reversal()).await, Ok(Outcome::Pending));
    scene.clock.advance(299);
    assert_eq!(scene.channel.reverse(&reversal()).await, Ok(Outcome::Pending));
    assert!(scene.sent(CLOSE).await.is_empty());
    scene.clock.advance(1);
    assert_eq!(
        scene.channel.reverse(&reversal()).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    assert_eq!(
        scene.channel.reverse(&reversal()).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    assert_eq!(scene.sent(CLOSE).await.len(), 1);
}

#[tokio::test]
async fn an_order_that_was_paid_while_it_was_being_closed_is_given_back() {
    let scene = Scene::provider().await;
    scene.clock.advance(400);
    scene.answers_once(QUERY, order("NOTPAY")).await;
    scene.answers(QUERY, taken(PAID)).await;
    scene.answers(CLOSE, failed("ORDERPAID", "")).await;
    scene.answers_once(REFUND_QUERY, failed("REFUNDNOTEXIST", "")).await;
    scene.answers(REFUND_QUERY, back("SUCCESS")).await;
    scene.answers(FILE, filed()).await;
    assert_eq!(scene.channel.reverse(&reversal()).await, Ok(Outcome::Pending));
    let done = scene.channel.reverse(&reversal()).await.unwrap();
    assert!(is_money_back(&done), "{done:?}");
}

#[tokio::test]
async fn closing_that_is_refused_proves_nothing() {
    for answer in [
        failed("INVALID_REQUEST", "下单五分钟内不能关单"),
        failed("ORDERNOTEXIST", ""),
        failed("ORDERCLOSED", ""),
        failed("SYSTEMERROR", ""),
        taken(&[]),
    ] {
        let scene = Scene::provider().await;
        scene.clock.advance(400);
        scene.answers(QUERY, order("NOTPAY")).await;
        scene.answers(CLOSE, answer).await;
        assert_eq!(scene.channel.reverse(&reversal()).await, Ok(Outcome::Pending));
    }
    let scene = Scene::provider().await;
    scene.clock.advance(400);
    scene.answers(QUERY, order("NOTPAY")).await;
    scene.answers(CLOSE, "").await;
    let unknown = scene.channel.reverse(&reversal()).await;
    assert!(matches!(unknown, Err(CallError::MaybeDone(_))), "{unknown:?}");
}

#[tokio::test]
async fn a_failed_order_was_never_paid() {
    for state in ["PAY_FAIL", "PAYERROR", "CLOSED"] {
        let scene = Scene::provider().await;
        scene.answers(QUERY, order(state)).await;
        assert_eq!(
            scene.channel.reverse(&reversal()).await,
            Ok(Outcome::Done(Reversed::NeverPaid))
        );
    }
}

#[tokio::test]
async fn an_unknown_order_was_never_paid_only_after_its_time_and_by_two_queries() {
    let scene = Scene::provider().await;
    scene.answers(QUERY, failed("ORDERNOTEXIST", "")).await;
    scene.answers_once(GENERAL, order("NOTPAY")).await;
    scene.answers(GENERAL, failed("ORDERNOTEXIST", "")).await;
    scene.clock.advance(30);
    let mut question = reversal();
    question.at = metropay_core::clock::Clock::now(&scene.clock);
    scene.clock.advance(59);
    assert_eq!(scene.channel.reverse(&question).await, Ok(Outcome::Pending));
    assert!(scene.sent(GENERAL).await.is_empty());
    scene.clock.advance(1);
    assert_eq!(scene.channel.reverse(&question).await, Ok(Outcome::Pending));
    assert_eq!(
        scene.channel.reverse(&question).await,
        Ok(Outcome::Done(Reversed::NeverPaid))
    );
    assert!(scene.sent(CLOSE).await.is_empty());
}

#[tokio::test]
async fn an_unreadable_query_stops_the_reversal_before_it_moves_anything() {
    let scene = Scene::provider().await;
    scene.clock.advance(400);
    scene.answers(QUERY, "").await;
    let unknown = scene.channel.reverse(&reversal()).await;
    assert!(matches!(unknown, Err(CallError::MaybeDone(_))), "{unknown:?}");
    assert!(scene.sent(CLOSE).await.is_empty() && scene.sent(FILE).await.is_empty());
}
