//! What depends on the card that pays, and on who bears a part of the amount.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::Effect;
use serde_json::json;

use super::merchant::{Merchant, fields};
use super::verifier::Fields;

async fn by_card(shop: &Merchant, tail: &str, amount_fen: u64) -> Fields {
    let (_, told) = shop.form("phone/code", &[("user", "小王"), ("card", tail)]).await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let mut message = shop.message("01", "06", "000000");
    message.extend(fields(&[
        ("channelType", "08"),
        ("txnAmt", &amount_fen.to_string()),
        ("currencyCode", "156"),
        ("qrNo", told["code"].as_str().unwrap()),
        ("backUrl", &shop.back_url),
    ]));
    assert_eq!(shop.send(&message).await["respCode"], "00");
    message
}

#[tokio::test]
async fn a_bank_declines_after_the_payment_was_accepted() {
    let shop = Merchant::new().await;
    for (tail, code) in [("0042", "64"), ("0059", "63"), ("0067", "73")] {
        let order = by_card(&shop, tail, 100).await;
        assert_eq!(shop.decided(&order).await["origRespCode"], code);
        assert_eq!(shop.letter(&order).await["respCode"], code);
    }
    assert!(shop.books().is_empty());
    let (status, _) = shop.form("phone/code", &[("user", "小王"), ("card", "9999")]).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_bank_that_takes_no_undos_takes_refunds() {
    let shop = Merchant::new().await;
    let order = by_card(&shop, "0075", 100).await;
    let paid = shop.decided(&order).await;
    let undo = shop.giving_back("31", &paid["queryId"], 100);
    assert_eq!(shop.send(&undo).await["respCode"], "62");
    assert_eq!(shop.query(&undo).await["origRespCode"], "62");
    assert_eq!(
        shop.send(&shop.giving_back("04", &paid["queryId"], 100)).await["respCode"],
        "00"
    );
}

fn discount(told: &Fields) -> String {
    told.get("reserved").map_or_else(String::new, |reserved| {
        String::from_utf8(STANDARD.decode(reserved).unwrap()).unwrap()
    })
}

#[tokio::test]
async fn a_discount_goes_back_in_proportion_and_whole_with_the_last_refund() {
    let shop = Merchant::new().await;
    shop.change(json!({"discount_fen": 100}));
    let (_, paid) = shop.pay(999).await;
    let mut returned = Vec::new();
    for part_fen in [333, 333, 333] {
        let refund = shop.giving_back("04", &paid["queryId"], part_fen);
        shop.send(&refund).await;
        let told = shop.decided(&refund).await;
        assert_eq!(discount(&told), discount(&shop.letter(&refund).await));
        returned.push(discount(&told));
    }
    assert_eq!(returned, ["{discountAmt=33}", "{discountAmt=33}", "{discountAmt=34}"]);
}

#[tokio::test]
async fn an_undo_returns_the_whole_discount_and_a_failed_refund_none() {
    let shop = Merchant::new().await;
    shop.change(json!({"discount_fen": 100}));
    let (_, paid) = shop.pay(1000).await;
    let code = "62".to_owned();
    shop.script("04", Effect::FailLater { ms: 10, code });
    let failing = shop.giving_back("04", &paid["queryId"], 500);
    shop.send(&failing).await;
    assert_eq!(discount(&shop.letter(&failing).await), "");
    let undo = shop.giving_back("31", &paid["queryId"], 1000);
    assert_eq!(shop.send(&undo).await["respCode"], "00");
    assert_eq!(discount(&shop.decided(&undo).await), "{discountAmt=100}");
    let (_, small) = shop.pay(60).await;
    assert_eq!(discount(&small), "{discountAmt=60}", "no more than the payment");
}
