//! The gateway misbehaving on command.

use std::time::Duration;

use metropay_simulator::Effect;
use serde_json::json;

use super::merchant::Merchant;
use super::verifier::{Doubt, scan};

#[tokio::test]
async fn a_certificate_that_is_not_the_gateways_is_never_believed() {
    let shop = Merchant::new().await;
    let doubts = [
        ("merchant_cert", Doubt::NotTheGateway),
        ("wrong_cn", Doubt::NotTheGateway),
        ("other_ca", Doubt::UnknownIssuer),
        ("expired", Doubt::OutOfDate),
    ];
    for (signer, doubt) in doubts {
        shop.change(json!({"signer": signer}));
        let order = shop.consumption(100);
        let answer = scan(&shop.post("backTransReq", &shop.sign(order.clone())).await.unwrap());
        assert_eq!(
            shop.verifier.verify(&answer, shop.frame().clock.now_ms() / 1_000),
            Err(doubt),
            "{signer}"
        );
        assert_eq!(answer["respCode"], "00");
        let letters = shop.first_letters(&order, 1).await;
        assert_eq!(
            letters[0]["signPubKeyCert"], answer["signPubKeyCert"],
            "the notification bears the same certificate"
        );
    }
    shop.change(json!({"signer": "gateway", "cn_name_check": false}));
    let answer = scan(
        &shop
            .post("backTransReq", &shop.sign(shop.consumption(1)))
            .await
            .unwrap(),
    );
    let now_s = shop.frame().clock.now_ms() / 1_000;
    assert_eq!(
        shop.verifier.verify(&answer, now_s),
        Err(Doubt::NotTheGateway),
        "the name of the test environment"
    );
}

#[tokio::test]
async fn a_signature_can_be_wrong_or_missing_though_the_payment_was_accepted() {
    let shop = Merchant::new().await;
    let faults = [
        (Effect::WrongSignature, Doubt::SignatureDoesNotFit),
        (Effect::NoSignature, Doubt::NoSignature),
    ];
    for (effect, doubt) in faults {
        shop.script("01", effect);
        let order = shop.consumption(100);
        let answer = scan(&shop.post("backTransReq", &shop.sign(order.clone())).await.unwrap());
        assert_eq!(
            shop.verifier.verify(&answer, shop.frame().clock.now_ms() / 1_000),
            Err(doubt)
        );
        assert_eq!(shop.decided(&order).await["origRespCode"], "00");
    }
}

#[tokio::test]
async fn a_system_error_leaves_the_outcome_open() {
    let shop = Merchant::new().await;
    shop.script("01", Effect::SystemErrorBefore);
    let never = shop.consumption(100);
    assert_eq!(shop.send(&never).await["respCode"], "03");
    assert_eq!(shop.query(&never).await["respCode"], "34");
    shop.script("01", Effect::SystemErrorAfter);
    let done = shop.consumption(100);
    assert_eq!(shop.send(&done).await["respCode"], "04");
    assert_eq!(shop.decided(&done).await["origRespCode"], "00");
    shop.script("01", Effect::ResetAfter);
    let cut = shop.consumption(100);
    assert!(shop.post("backTransReq", &shop.sign(cut.clone())).await.is_err());
    assert_eq!(shop.decided(&cut).await["origRespCode"], "00");
    assert_eq!(shop.books().len(), 2);
}

#[tokio::test]
async fn a_refusal_is_final_and_a_later_failure_is_told() {
    let shop = Merchant::new().await;
    shop.script("01", Effect::Refuse { code: "64".to_owned() });
    let refused = shop.consumption(100);
    assert_eq!(shop.send(&refused).await["respMsg"], "卡上的余额不足[5100064]");
    assert_eq!(shop.query(&refused).await["origRespCode"], "64");
    shop.script(
        "01",
        Effect::FailLater {
            ms: 20,
            code: "63".to_owned(),
        },
    );
    let failing = shop.consumption(100);
    assert_eq!(shop.send(&failing).await["respCode"], "00");
    let letter = shop.letter(&failing).await;
    assert_eq!((letter["respCode"].as_str(), letter["settleAmt"].as_str()), ("63", "0"));
    assert_eq!(shop.query(&failing).await["origRespCode"], "63");
    shop.script(
        "01",
        Effect::FailLater {
            ms: 20,
            code: "A6".to_owned(),
        },
    );
    let flawed = shop.consumption(100);
    shop.send(&flawed).await;
    assert_eq!(shop.letter(&flawed).await["respCode"], "A6");
    assert_eq!(shop.books().len(), 1, "a success with a defect is a success");
}

#[tokio::test]
async fn a_blind_query_and_untrue_answers_are_validly_signed() {
    let shop = Merchant::new().await;
    let (order, _) = shop.pay(100).await;
    shop.script("00", Effect::Blind);
    assert_eq!(shop.query(&order).await["respCode"], "34");
    shop.script("00", Effect::WrongAmount { fen: 1 });
    assert_eq!(shop.query(&order).await["txnAmt"], "1");
    shop.script(
        "00",
        Effect::WrongOrder {
            order_no: "MCP00000000".to_owned(),
        },
    );
    assert_eq!(shop.query(&order).await["orderId"], "MCP00000000");
    shop.script(
        "00",
        Effect::WrongMerchant {
            account: "700000000000009".to_owned(),
        },
    );
    assert_eq!(shop.query(&order).await["merId"], "700000000000009");
    assert_eq!(shop.query(&order).await["txnAmt"], "100");
    shop.script("notify", Effect::WrongAmount { fen: 7 });
    let (other, paid) = shop.pay(100).await;
    assert_eq!(
        (shop.letter(&other).await["txnAmt"].as_str(), paid["txnAmt"].as_str()),
        ("7", "100")
    );
}

#[tokio::test]
async fn a_notification_is_repeated_until_it_is_answered_200() {
    let shop = Merchant::new().await;
    shop.refuse_letters(1);
    let (order, _) = shop.pay(100).await;
    let letters = shop.first_letters(&order, 2).await;
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0], letters[1]);
    // The gateway writes an attempt down when it has the answer.
    while shop.frame().notices.attempts().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let attempts = shop.frame().notices.attempts();
    assert_eq!(
        attempts.iter().map(|a| (a.status, a.acknowledged)).collect::<Vec<_>>(),
        [(500, false), (200, true)]
    );
}

#[tokio::test]
async fn a_notification_can_be_forged_or_unwanted() {
    let shop = Merchant::new().await;
    shop.script("notify", Effect::NoticeForged);
    let (order, _) = shop.pay(100).await;
    let forged = shop.first_letters(&order, 1).await.remove(0);
    let now_s = shop.frame().clock.now_ms() / 1_000;
    assert_eq!(shop.verifier.verify(&forged, now_s), Err(Doubt::SignatureDoesNotFit));
    let mut silent = shop.consumption(100);
    silent.insert("backUrl".to_owned(), "http://www.specialUrl.com".to_owned());
    shop.send(&silent).await;
    shop.decided(&silent).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        shop.frame()
            .notices
            .attempts()
            .iter()
            .all(|attempt| attempt.order_no == order["orderId"])
    );
    assert!(
        shop.all_letters()
            .iter()
            .all(|letter| letter["orderId"] == order["orderId"])
    );
}

#[tokio::test]
async fn every_code_of_the_reference_can_be_forced_and_has_words_of_its_own() {
    let shop = Merchant::new().await;
    let codes = [
        "01", "02", "03", "04", "05", "06", "10", "11", "12", "13", "14", "30", "31", "32", "33", "34", "35", "36",
        "37", "38", "39", "40", "41", "42", "43", "44", "45", "60", "61", "62", "63", "64", "65", "66", "67", "68",
        "69", "70", "71", "72", "73", "74", "75", "76", "77", "78", "79", "80", "81", "82", "83", "84", "90", "91",
        "92", "93", "94", "95", "96", "98",
    ];
    let unknown = {
        shop.script("01", Effect::Refuse { code: "97".to_owned() });
        shop.send(&shop.consumption(1)).await["respMsg"].clone()
    };
    for code in codes {
        shop.script("01", Effect::Refuse { code: code.to_owned() });
        let refused = shop.send(&shop.consumption(1)).await;
        assert_eq!(refused["respCode"], code);
        assert_ne!(refused["respMsg"], unknown, "{code}");
        assert!(!refused.contains_key("queryId"));
    }
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn the_new_messages_misbehave_like_the_old_ones() {
    let shop = Merchant::new().await;
    let mut ask = shop.message("95", "00", "000000");
    ask.insert("certType".to_owned(), "01".to_owned());
    shop.script("95", Effect::WrongSignature);
    let answer = scan(&shop.post("backTransReq", &shop.sign(ask.clone())).await.unwrap());
    let now_s = shop.frame().clock.now_ms() / 1_000;
    assert_eq!(shop.verifier.verify(&answer, now_s), Err(Doubt::SignatureDoesNotFit));
    shop.script("95", Effect::HttpErrorBefore { status: 502 });
    let page = shop.post("backTransReq", &shop.sign(ask.clone())).await.unwrap();
    assert!(page.contains("<h1>error</h1>"), "{page}");
    shop.script("95", Effect::HalfBody);
    assert!(shop.post("backTransReq", &shop.sign(ask.clone())).await.is_err());
    shop.script("95", Effect::SystemErrorBefore);
    assert_eq!(shop.send(&ask).await["respCode"], "03");
    shop.script("95", Effect::BillEmpty);
    assert_eq!(shop.send(&ask).await["respCode"], "00");
    assert_eq!(shop.frame().faults.list().len(), 1, "a flaw of files waits for a file");
}
