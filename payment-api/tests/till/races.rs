//! Many at once: the same order, the same code, the same money back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use crate::gateway::Deduct;
use crate::shop::{Reply, Shop};

/// Asks all of them at the same time, each from a task of its own.
async fn at_once(shop: &Arc<Shop>, endpoint: &'static str, bodies: Vec<serde_json::Value>) -> Vec<Reply> {
    let asking = bodies.into_iter().map(|body| {
        let shop = Arc::clone(shop);
        tokio::spawn(async move { shop.post(endpoint, body).await })
    });
    join_all(asking).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_identical_requests_are_one_deduction() {
    let shop = Arc::new(Shop::open().await);
    for deduct in [Deduct::Pays, Deduct::PaysAndIsSilent] {
        shop.gateway.will(deduct);
        shop.gateway.thinks_for(Duration::from_millis(100));
        shop.gateway.books().deductions.clear();
        let sale = shop.sale(&shop.code().await);
        let replies = at_once(&shop, "applypay", vec![sale; 50]).await;
        let numbers: BTreeSet<&str> = replies
            .iter()
            .map(|reply| reply.data()["pay_out_trade_no"].as_str().unwrap())
            .collect();
        assert_eq!(numbers.len(), 1);
        assert!(
            replies.iter().all(|reply| reply.data()["pay_status"] == "PS_SUCCESS"),
            "{deduct:?}"
        );
        assert_eq!(shop.gateway.deductions(), 1, "{deduct:?}");
    }
    assert_eq!(shop.gateway.net(), 1_200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_scanned_at_two_tills_is_debited_once() {
    let shop = Arc::new(Shop::open().await);
    shop.gateway.thinks_for(Duration::from_millis(30));
    for round in 0..10 {
        let code = shop.code().await;
        let replies = at_once(&shop, "applypay", vec![shop.sale(&code), shop.sale(&code)]).await;
        let mut codes: Vec<&str> = replies.iter().map(Reply::code).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["CODE_USED", "OK"], "round {round}");

        let code = shop.code().await;
        let (ours, theirs) = (shop.sale(&code), shop.sale(&code));
        let (ours, theirs) = tokio::join!(
            shop.post("applypay", ours),
            shop.post_as(&shop.other, "applypay", theirs)
        );
        let mut codes = [ours.code(), theirs.code()];
        codes.sort_unstable();
        assert_eq!(codes, ["CODE_INVALID", "OK"], "round {round}");
    }
    assert_eq!((shop.gateway.deductions(), shop.gateway.net()), (20, 20 * 600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_refunds_at_once_never_exceed_what_was_paid() {
    let shop = Arc::new(Shop::open().await);
    let (sale, _) = shop.paid().await;
    shop.gateway.thinks_for(Duration::from_millis(20));
    let ask = |number: String, fee: u64| json!({ "out_request_no": sale["out_request_no"], "out_refund_no": number, "refund_fee": fee });
    let asks = (0..50u64).map(|nth| ask(format!("R-{nth}"), 17 + nth % 40)).collect();
    let replies = at_once(&shop, "refund", asks).await;
    let done: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 200).collect();
    let refunded: u64 = done
        .iter()
        .map(|reply| reply.data()["pay_refund_fee"].as_u64().unwrap())
        .sum();
    assert!(
        done.iter()
            .all(|reply| reply.data()["pay_refund_status"] == "RS_SUCCESS")
    );
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 200 || reply.code() == "REFUND_EXCEEDS")
    );
    assert!((600 - 56..=600).contains(&refunded), "{refunded}");
    assert_eq!(shop.gateway.net(), 600 - refunded);

    let (sale, _) = shop.paid().await;
    let same = json!({ "out_request_no": sale["out_request_no"], "out_refund_no": "R-SAME", "refund_fee": 100 });
    shop.gateway.books().refund_calls.clear();
    let replies = at_once(&shop, "refund", vec![same; 50]).await;
    let numbers: BTreeSet<&str> = replies
        .iter()
        .map(|reply| reply.data()["pay_refund_id"].as_str().unwrap())
        .collect();
    assert_eq!((numbers.len(), shop.gateway.refund_calls()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refund_and_a_reversal_at_once_exclude_each_other() {
    let shop = Arc::new(Shop::open().await);
    for round in 0..10 {
        let (sale, _) = shop.paid().await;
        let before = shop.gateway.net();
        let refund = json!({ "out_request_no": sale["out_request_no"], "out_refund_no": format!("R-{round}"), "refund_fee": 200 });
        let reverse = json!({ "out_request_no": sale["out_request_no"] });
        let (refund, reverse) = tokio::join!(shop.post("refund", refund), shop.post("reverse", reverse));
        let back = before - shop.gateway.net();
        match (refund.code(), reverse.code()) {
            ("OK", "REVERSE_REFUSED") => assert_eq!(back, 200),
            ("ORDER_REVERSED", "OK") => assert_eq!(back, 600),
            other => panic!("round {round}: {other:?}"),
        }
    }
}
