//! Refunds: filed is not refunded, and the same number is the same refund.

use metropay_core::channel::{CallError, Hint, Outcome, RefundStanding, Refunded};
use metropay_core::clock::Time;

use crate::support::{ORDER, REFUND, Scene, failed, fen, refund, taken, vector};

const FILE: &str = "/secapi/pay/refund";
const QUERY: &str = "/pay/refundquery";

fn back(status: &str) -> String {
    taken(&[
        ("out_trade_no", ORDER),
        ("total_fee", "1280"),
        ("refund_count", "1"),
        ("out_refund_no_0", REFUND),
        ("refund_id_0", "50300000002025030100000000001"),
        ("refund_fee_0", "300"),
        ("refund_status_0", status),
        ("refund_success_time_0", "2025-03-01 15:00:05"),
    ])
}

#[tokio::test]
async fn vector_c25_tells_of_a_refund_with_its_coupon_and_of_one_under_way() {
    let scene = Scene::provider().await;
    scene.answers(QUERY, vector("C25", "wire")).await;
    let expected = Refunded {
        channel_no: Some("50300000002025030100000000001".to_owned()),
        amount: fen(300),
        coupon: fen(50),
        refunded_at: Time::parse_china("20250301150005", "%Y%m%d%H%M%S").unwrap(),
    };
    assert_eq!(
        scene.channel.query_refund(&refund()).await,
        Ok(RefundStanding::Refunded(expected))
    );
    let mut second = refund();
    second.no = "MCR20250301150200000000000000002".into();
    second.amount = fen(200);
    assert_eq!(scene.channel.query_refund(&second).await, Ok(RefundStanding::Pending));
    second.amount = fen(300);
    let other_amount = scene.channel.query_refund(&second).await;
    assert!(matches!(other_amount, Err(CallError::MaybeDone(_))), "{other_amount:?}");
    second.no = "MCR20250301150200000000000000003".into();
    let other_number = scene.channel.query_refund(&second).await;
    assert!(matches!(other_number, Err(CallError::MaybeDone(_))), "{other_number:?}");
}

#[tokio::test]
async fn a_parked_refund_is_pending_and_only_a_closed_one_is_not_refunded() {
    for (status, pending) in [
        ("PROCESSING", true),
        ("CHANGE", true),
        ("NEW", true),
        ("REFUNDCLOSE", false),
    ] {
        let scene = Scene::provider().await;
        scene.answers(QUERY, back(status)).await;
        let standing = scene.channel.query_refund(&refund()).await.unwrap();
        assert_eq!(standing == RefundStanding::Pending, pending, "{status}");
        assert_eq!(matches!(standing, RefundStanding::NotRefunded(_)), !pending, "{status}");
    }
    let scene = Scene::provider().await;
    scene.answers(QUERY, failed("REFUNDNOTEXIST", "")).await;
    assert_eq!(scene.channel.query_refund(&refund()).await, Ok(RefundStanding::Absent));
}

#[tokio::test]
async fn a_filing_that_was_not_taken_now_is_unknown_and_a_refused_one_is_confirmed() {
    for code in [
        "SYSTEMERROR",
        "BIZERR_NEED_RETRY",
        "FREQUENCY_LIMITED",
        "NOTENOUGH",
        "ORDER_NOT_READY",
        "INVALID_REQ_TOO_MUCH",
        "NEW_CODE",
    ] {
        let scene = Scene::provider().await;
        scene.answers(FILE, failed(code, "")).await;
        scene.answers(QUERY, failed("REFUNDNOTEXIST", "")).await;
        let outcome = scene.channel.refund(&refund()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{code}: {outcome:?}");
    }
    for code in ["TRADE_OVERDUE", "USER_ACCOUNT_ABNORMAL", "ERROR", "NOAUTH"] {
        for (query, refused) in [
            (failed("REFUNDNOTEXIST", ""), true),
            (back("PROCESSING"), false),
            (back("SUCCESS"), false),
            (failed("SYSTEMERROR", ""), false),
        ] {
            let scene = Scene::provider().await;
            scene.answers(FILE, failed(code, "")).await;
            scene.answers(QUERY, query).await;
            let outcome = scene.channel.refund(&refund()).await;
            assert_eq!(
                matches!(outcome, Ok(Outcome::Refused(_))),
                refused,
                "{code}: {outcome:?}"
            );
        }
    }
    let scene = Scene::provider().await;
    scene.answers(FILE, failed("CERT_ERROR", "证书错误")).await;
    scene.answers(QUERY, failed("REFUNDNOTEXIST", "")).await;
    let outcome = scene.channel.refund(&refund()).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Refused(refusal) if refusal.hint == Hint::Setup),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_answer_about_another_refund_or_without_signature_is_unknown() {
    let c24 = vector("C24", "wire");
    let changed = [
        c24.replace("<refund_fee>300", "<refund_fee>301"),
        c24.replace("<sign>", "<other>").replace("</sign>", "</other>"),
        vector("C29.1", "wire").to_owned(),
        taken(&[
            ("out_refund_no", REFUND),
            ("out_trade_no", ORDER),
            ("refund_fee", "299"),
            ("total_fee", "1280"),
        ]),
        taken(&[
            ("out_refund_no", "R2"),
            ("out_trade_no", ORDER),
            ("refund_fee", "300"),
            ("total_fee", "1280"),
        ]),
        taken(&[
            ("out_refund_no", REFUND),
            ("out_trade_no", "P2"),
            ("refund_fee", "300"),
            ("total_fee", "1280"),
        ]),
    ];
    for answer in changed {
        let scene = Scene::provider().await;
        scene.answers(FILE, answer.clone()).await;
        let outcome = scene.channel.refund(&refund()).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{answer}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_repeated_refund_is_the_same_message_but_for_nonce_and_signature() {
    let scene = Scene::provider().await;
    scene.answers(FILE, vector("C24", "wire")).await;
    for _ in 0..2 {
        assert_eq!(scene.channel.refund(&refund()).await, Ok(Outcome::Pending));
    }
    let sent = scene.sent(FILE).await;
    assert_eq!(sent[0], sent[1]);
}
