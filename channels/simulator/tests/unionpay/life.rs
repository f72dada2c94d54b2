//! Payments, refunds and undos from beginning to end, and that the money adds up.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::MovementKind;
use serde_json::json;

use super::merchant::{Merchant, TOKEN};

#[tokio::test]
async fn an_accepted_payment_is_pending_until_it_settles_and_is_then_told() {
    let shop = Merchant::new().await;
    shop.script(
        "01",
        metropay_simulator::Effect::FailLater {
            ms: 1_000,
            code: "00".to_owned(),
        },
    );
    let order = shop.consumption(1280);
    let accepted = shop.send(&order).await;
    assert_eq!(accepted["respMsg"], "成功[0000000]");
    assert_eq!(
        (accepted["queryId"].len(), accepted["currencyCode"].as_str()),
        (21, "156")
    );
    assert_eq!(accepted["reqReserved"], "c2hvcD0wMDE3");

    let pending = shop.query(&order).await;
    assert_eq!(
        (pending["respCode"].as_str(), pending["origRespCode"].as_str()),
        ("00", "05")
    );
    assert_eq!(
        (pending["settleAmt"].as_str(), pending["txnType"].as_str()),
        ("0", "01")
    );
    assert!(pending["origRespMsg"].ends_with("[6154037]"), "{pending:?}");
    for absent in ["queryId", "traceNo", "settleDate"] {
        assert!(!pending.contains_key(absent), "{absent} is not known yet");
    }
    assert!(shop.books().is_empty(), "nothing has moved yet");

    let letter = shop.letter(&order).await;
    let paid = shop.decided(&order).await;
    for told in [&letter, &paid] {
        assert_eq!(
            (told["queryId"].as_str(), told["settleAmt"].as_str()),
            (accepted["queryId"].as_str(), "1280")
        );
        assert_eq!(told["traceTime"], order["txnTime"][4..]);
        assert_eq!(told["payCardType"], "", "a blank field that verifiers must not drop");
    }
    assert_eq!(
        (letter["respCode"].as_str(), paid["origRespCode"].as_str()),
        ("00", "00")
    );
    assert_eq!(
        (letter["bizType"].as_str(), paid["bizType"].as_str()),
        ("000902", "000000")
    );
    let books = shop.books();
    assert_eq!(books.len(), 1);
    assert_eq!((books[0].kind, books[0].amount_fen), (MovementKind::Debit, 1280));
    assert_eq!(
        (books[0].account.as_str(), books[0].payer.as_str()),
        (shop.mer_id.as_str(), TOKEN)
    );
    assert_eq!(
        (&books[0].order_no, &books[0].gateway_no),
        (&order["orderId"], &accepted["queryId"])
    );
}

#[tokio::test]
async fn a_repeated_payment_is_a_duplicate_and_is_debited_once() {
    let shop = Merchant::new().await;
    let (order, _) = shop.pay(500).await;
    let again = shop.send(&order).await;
    assert_eq!(
        (again["respCode"].as_str(), again["respMsg"].as_str()),
        ("12", "重复交易[2010002]")
    );
    assert!(!again.contains_key("queryId"));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(shop.books().len(), 1);
}

#[tokio::test]
async fn a_payment_is_refunded_in_parts_until_nothing_is_left() {
    let shop = Merchant::new().await;
    let (order, paid) = shop.pay(1000).await;
    for part_fen in [300, 300, 400] {
        let refund = shop.giving_back("04", &paid["queryId"], part_fen);
        let accepted = shop.send(&refund).await;
        assert_eq!(
            (accepted["respCode"].as_str(), accepted["origQryId"].as_str()),
            ("00", paid["queryId"].as_str())
        );
        assert!(!accepted.contains_key("currencyCode"));
        let letter = shop.letter(&refund).await;
        assert_eq!(
            (letter["respCode"].as_str(), letter["origQryId"].as_str()),
            ("00", paid["queryId"].as_str())
        );
        let told = shop.decided(&refund).await;
        assert_eq!(
            (told["txnType"].as_str(), told["txnAmt"].as_str()),
            ("04", part_fen.to_string().as_str())
        );
        assert_eq!(told["queryId"], accepted["queryId"]);
    }
    let over = shop.send(&shop.giving_back("04", &paid["queryId"], 1)).await;
    assert_eq!(
        (over["respCode"].as_str(), over["respMsg"].as_str()),
        ("36", "与原交易信息不符[2031003]")
    );
    assert_eq!(
        shop.send(&shop.giving_back("31", &paid["queryId"], 1000)).await["respCode"],
        "45"
    );
    assert_eq!(
        shop.query(&order).await["origRespCode"],
        "00",
        "the payment itself stays a success"
    );
    let refunds: Vec<_> = shop
        .books()
        .into_iter()
        .filter(|m| m.kind == MovementKind::Refund)
        .collect();
    assert_eq!(refunds.iter().map(|m| m.amount_fen).sum::<u64>(), 1000);
    assert!(
        refunds
            .iter()
            .all(|m| m.payment_no == order["orderId"] && m.order_no != m.payment_no)
    );
}

#[tokio::test]
async fn a_refund_holds_its_amount_while_it_is_pending_and_gives_it_back_when_it_fails() {
    let shop = Merchant::new().await;
    let (_, paid) = shop.pay(1000).await;
    shop.script(
        "04",
        metropay_simulator::Effect::FailLater {
            ms: 1_500,
            code: "62".to_owned(),
        },
    );
    let failing = shop.giving_back("04", &paid["queryId"], 800);
    assert_eq!(shop.send(&failing).await["respCode"], "00");
    let repeated = shop.send(&failing).await;
    assert_eq!(repeated["respCode"], "36", "the amount is judged before the duplicate");
    assert_eq!(
        shop.send(&shop.giving_back("04", &paid["queryId"], 300)).await["respCode"],
        "36"
    );
    assert_eq!(shop.letter(&failing).await["respCode"], "62");
    assert_eq!(shop.query(&failing).await["origRespCode"], "62");
    let whole = shop.giving_back("04", &paid["queryId"], 1000);
    assert_eq!(shop.send(&whole).await["respCode"], "00");
    assert_eq!(shop.decided(&whole).await["origRespCode"], "00");
    assert_eq!(
        shop.books().iter().filter(|m| m.kind == MovementKind::Refund).count(),
        1
    );
}

#[tokio::test]
async fn a_repeated_refund_with_enough_left_is_a_duplicate() {
    let shop = Merchant::new().await;
    let (_, paid) = shop.pay(1000).await;
    let refund = shop.giving_back("04", &paid["queryId"], 100);
    assert_eq!(shop.send(&refund).await["respCode"], "00");
    assert_eq!(shop.send(&refund).await["respCode"], "12");
    shop.decided(&refund).await;
    assert_eq!(shop.books().len(), 2);
}

#[tokio::test]
async fn a_payment_is_undone_whole_and_only_once() {
    let shop = Merchant::new().await;
    let (order, paid) = shop.pay(1000).await;
    assert_eq!(
        shop.send(&shop.giving_back("31", &paid["queryId"], 999)).await["respCode"],
        "36"
    );
    let mut same_number = shop.giving_back("31", &paid["queryId"], 1000);
    same_number.insert("orderId".to_owned(), order["orderId"].clone());
    same_number.insert("txnTime".to_owned(), order["txnTime"].clone());
    assert_eq!(shop.send(&same_number).await["respCode"], "12");

    let undo = shop.giving_back("31", &paid["queryId"], 1000);
    assert_eq!(shop.send(&undo).await["respCode"], "00");
    assert_eq!(shop.letter(&undo).await["respCode"], "00");
    let again = shop.send(&shop.giving_back("31", &paid["queryId"], 1000)).await;
    assert_eq!((again["respCode"].as_str(), again["txnAmt"].as_str()), ("45", "1000"));
    assert_eq!(
        shop.send(&shop.giving_back("04", &paid["queryId"], 1000)).await["respCode"],
        "45"
    );
    assert_eq!(shop.query(&order).await["origRespCode"], "00");
    let books = shop.books();
    assert_eq!(books.len(), 2);
    assert_eq!(
        (books[1].kind, &books[1].order_no),
        (MovementKind::Reversal, &undo["orderId"])
    );
    assert_eq!((&books[1].payment_no, books[1].amount_fen), (&order["orderId"], 1000));
}

#[tokio::test]
async fn after_the_cut_a_payment_can_be_refunded_but_not_undone_and_after_eleven_months_neither() {
    let shop = Merchant::new().await;
    let (order, paid) = shop.pay(1000).await;
    let day_ms = 24 * 3_600 * 1_000;
    shop.frame().clock.set_offset_ms(day_ms);
    assert_eq!(
        shop.send(&shop.giving_back("31", &paid["queryId"], 1000)).await["respCode"],
        "39"
    );
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "39");
    assert_eq!(
        shop.send(&shop.giving_back("04", &paid["queryId"], 400)).await["respCode"],
        "00"
    );
    shop.frame().clock.set_offset_ms(340 * day_ms);
    assert_eq!(
        shop.send(&shop.giving_back("04", &paid["queryId"], 100)).await["respCode"],
        "39"
    );
}

#[tokio::test]
async fn a_discount_is_told_in_query_and_notification() {
    let shop = Merchant::new().await;
    shop.change(json!({"discount_fen": 100}));
    let (order, paid) = shop.pay(1280).await;
    let letter = shop.letter(&order).await;
    for told in [&paid, &letter] {
        assert_eq!(STANDARD.decode(&told["reserved"]).unwrap(), b"{discountAmt=100}");
        assert_eq!((told["txnAmt"].as_str(), told["settleAmt"].as_str()), ("1280", "1280"));
    }
}

#[tokio::test]
async fn the_books_hold_together_over_a_mixed_day() {
    let shop = Merchant::new().await;
    let (_, first) = shop.pay(1000).await;
    let (_, second) = shop.pay(2000).await;
    let (third, _) = shop.pay(4000).await;
    let refund = shop.giving_back("04", &first["queryId"], 250);
    let undo = shop.giving_back("31", &second["queryId"], 2000);
    shop.send(&refund).await;
    shop.send(&undo).await;
    shop.decided(&refund).await;
    shop.decided(&undo).await;
    assert_eq!(shop.send(&shop.reversal(&third)).await["respCode"], "00");
    let total = |kind| -> u64 {
        shop.books()
            .iter()
            .filter(|m| m.kind == kind)
            .map(|m| m.amount_fen)
            .sum()
    };
    assert_eq!(total(MovementKind::Debit), 7000);
    assert_eq!(
        (total(MovementKind::Reversal), total(MovementKind::Refund)),
        (6000, 250)
    );
}
