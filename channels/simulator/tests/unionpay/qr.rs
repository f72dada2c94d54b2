//! Payment codes: shown on the user's phone, paid once, with and without the password.

use std::time::Duration;

use metropay_simulator::{Effect, MovementKind};
use serde_json::{Value, json};

use super::merchant::{Merchant, fields};
use super::verifier::Fields;

/// Shows a code of this user.
async fn shown(shop: &Merchant, wishes: &[(&str, &str)]) -> String {
    let (status, told) = shop.form("phone/code", wishes).await;
    assert_eq!(status, 200);
    let told: Value = serde_json::from_str(&told).unwrap();
    let left_ms = told["expires_at_ms"].as_i64().unwrap() - shop.frame().clock.now_ms();
    assert!((50_000..=60_000).contains(&left_ms), "{left_ms}");
    told["code"].as_str().unwrap().to_owned()
}

fn scanned(shop: &Merchant, code: &str, amount_fen: u64) -> Fields {
    let mut message = shop.message("01", "06", "000000");
    message.extend(fields(&[
        ("channelType", "08"),
        ("txnAmt", &amount_fen.to_string()),
        ("currencyCode", "156"),
        ("qrNo", code),
        ("termId", "00000001"),
        ("termInfo", "{ip=127.0.0.1}"),
        ("backUrl", &shop.back_url),
    ]));
    message
}

async fn answered(shop: &Merchant, code: &str, agree: &str) -> u16 {
    shop.form("phone/password", &[("code", code), ("agree", agree)]).await.0
}

#[tokio::test]
async fn a_code_pays_once_and_is_told_like_every_payment() {
    let shop = Merchant::new().await;
    let code = shown(&shop, &[("user", "小王")]).await;
    assert!(code.len() == 19 && code.starts_with("62"), "{code}");
    let order = scanned(&shop, &code, 1280);
    let accepted = shop.send(&order).await;
    assert_eq!(
        (
            accepted["respCode"].as_str(),
            accepted["txnSubType"].as_str(),
            accepted["qrNo"].as_str()
        ),
        ("00", "06", code.as_str())
    );
    let paid = shop.decided(&order).await;
    let letter = shop.letter(&order).await;
    for told in [&paid, &letter] {
        assert_eq!(
            (told["queryId"].as_str(), told["settleAmt"].as_str()),
            (accepted["queryId"].as_str(), "1280")
        );
        assert_eq!((told["txnType"].as_str(), told["txnSubType"].as_str()), ("01", "06"));
    }
    assert_eq!(shop.send(&order).await["respCode"], "12");
    assert_eq!(
        shop.send(&scanned(&shop, &code, 1)).await["respCode"],
        "61",
        "a code is good once"
    );
    let books = shop.books();
    assert_eq!((books.len(), books[0].kind), (1, MovementKind::Debit));
    assert!(
        books[0].payer.starts_with("621626******") && books[0].payer.len() == 16,
        "{}",
        books[0].payer
    );
    let other = shown(&shop, &[("user", "小李")]).await;
    let order = scanned(&shop, &other, 1);
    shop.send(&order).await;
    shop.decided(&order).await;
    assert_ne!(shop.books()[1].payer, books[0].payer);
}

#[tokio::test]
async fn a_payment_by_code_is_undone_refunded_and_reversed_like_any_other() {
    let shop = Merchant::new().await;
    let pay = async || {
        let order = scanned(&shop, &shown(&shop, &[("user", "小王")]).await, 1000);
        assert_eq!(shop.send(&order).await["respCode"], "00");
        let paid = shop.decided(&order).await;
        (order, paid)
    };
    let (_, paid) = pay().await;
    let mut undo = shop.giving_back("31", &paid["queryId"], 1000);
    undo.insert("bizType".to_owned(), "000000".to_owned());
    assert_eq!(shop.send(&undo).await["respCode"], "00");
    let (_, paid) = pay().await;
    let mut refund = shop.giving_back("04", &paid["queryId"], 400);
    refund.insert("bizType".to_owned(), "000000".to_owned());
    assert_eq!(shop.send(&refund).await["respCode"], "00");
    assert_eq!(shop.letter(&refund).await["origQryId"], paid["queryId"]);
    shop.decided(&undo).await;
    let (order, _) = pay().await;
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "00");
    let books = shop.books();
    let given_back: u64 = books
        .iter()
        .filter(|m| m.kind != MovementKind::Debit)
        .map(|m| m.amount_fen)
        .sum();
    assert_eq!(given_back, 2400);
}

#[tokio::test]
async fn a_code_that_is_gone_or_never_was_does_not_pay() {
    let shop = Merchant::new().await;
    let never = scanned(&shop, "6225735053201615202", 100);
    assert_eq!(shop.send(&never).await["respCode"], "61");
    assert_eq!(shop.query(&never).await["origRespCode"], "61");
    let code = shown(&shop, &[("user", "小王")]).await;
    shop.frame().clock.set_offset_ms(60_000);
    assert_eq!(shop.send(&scanned(&shop, &code, 100)).await["respCode"], "69");
    for wrong in ["622573505320161520", "6325735053201615202", "622573505320161520A"] {
        assert_eq!(
            shop.send(&scanned(&shop, wrong, 100)).await["respMsg"],
            "[9100003]Invalid field[qrNo]"
        );
    }
    let mut without = scanned(&shop, "6225735053201615202", 100);
    without.remove("qrNo");
    assert_eq!(
        shop.send(&without).await["respMsg"],
        "[9100003]Mandatory field[qrNo] missed"
    );
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn a_payment_waits_for_the_password_and_the_user_enters_it() {
    let shop = Merchant::new().await;
    let code = shown(&shop, &[("user", "小王"), ("needs_password", "1")]).await;
    assert_eq!(answered(&shop, &code, "1").await, 409, "nothing waits yet");
    assert_eq!(answered(&shop, "6225735053201615202", "1").await, 404);
    let order = scanned(&shop, &code, 100);
    let hanging = shop.send(&order).await;
    assert_eq!(hanging["respCode"], "05");
    assert!(!hanging.contains_key("queryId"));
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(shop.query(&order).await["origRespCode"], "05");
    assert_eq!(answered(&shop, &code, "1").await, 204);
    assert_eq!(answered(&shop, &code, "0").await, 409, "an answer stands");
    assert_eq!(shop.letter(&order).await["respCode"], "00");
    assert_eq!(shop.decided(&order).await["origRespCode"], "00");
    assert_eq!(shop.books().len(), 1);
}

#[tokio::test]
async fn a_user_who_refuses_or_does_nothing_does_not_pay() {
    let shop = Merchant::new().await;
    let wishes = [("user", "小王"), ("needs_password", "1")];
    let code = shown(&shop, &wishes).await;
    let refused = scanned(&shop, &code, 100);
    shop.send(&refused).await;
    assert_eq!(answered(&shop, &code, "0").await, 204);
    assert_eq!(shop.letter(&refused).await["respCode"], "84");
    assert_eq!(shop.query(&refused).await["origRespCode"], "84");

    let code = shown(&shop, &wishes).await;
    let forgotten = scanned(&shop, &code, 100);
    shop.send(&forgotten).await;
    shop.frame().clock.set_offset_ms(59_000);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(shop.query(&forgotten).await["origRespCode"], "05");
    shop.frame().clock.set_offset_ms(60_001);
    assert_eq!(shop.letter(&forgotten).await["respCode"], "69");
    assert_eq!(answered(&shop, &code, "1").await, 409);
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn above_the_limit_the_password_is_asked_for_whatever_the_user_wished() {
    let shop = Merchant::new().await;
    shop.change(json!({"password_free_fen": 5000}));
    let code = shown(&shop, &[("user", "小王")]).await;
    let order = scanned(&shop, &code, 5001);
    assert_eq!(shop.send(&order).await["respCode"], "05");
    assert_eq!(answered(&shop, &code, "1").await, 204);
    shop.decided(&order).await;
    let code = shown(&shop, &[("user", "小王")]).await;
    assert_eq!(shop.send(&scanned(&shop, &code, 5000)).await["respCode"], "00");
}

#[tokio::test]
async fn a_payment_that_waits_can_be_reversed_and_the_password_comes_too_late() {
    let shop = Merchant::new().await;
    let code = shown(&shop, &[("user", "小王"), ("needs_password", "1")]).await;
    let order = scanned(&shop, &code, 100);
    shop.send(&order).await;
    assert_eq!(shop.send(&shop.reversal(&order)).await["respCode"], "00");
    assert_eq!(answered(&shop, &code, "1").await, 409);
    assert_eq!(shop.query(&order).await["origRespCode"], "01");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn the_fault_script_reaches_payments_by_code() {
    let shop = Merchant::new().await;
    let order = async || scanned(&shop, &shown(&shop, &[("user", "小王")]).await, 100);
    shop.script("01", Effect::Refuse { code: "38".to_owned() });
    assert_eq!(shop.send(&order().await).await["respCode"], "38");
    shop.script("01", Effect::Pending { ms: 30 });
    let hanging = order().await;
    assert_eq!(shop.send(&hanging).await["respCode"], "05");
    assert_eq!(shop.decided(&hanging).await["origRespCode"], "00");
    let code = "64".to_owned();
    shop.script("01", Effect::FailLater { ms: 20, code });
    let failing = order().await;
    assert_eq!(shop.send(&failing).await["respCode"], "00");
    assert_eq!(shop.letter(&failing).await["respCode"], "64");
    shop.script("01", Effect::PaidAfterReverse { ms: 20 });
    let raced = order().await;
    shop.send(&raced).await;
    assert_eq!(shop.send(&shop.reversal(&raced)).await["respCode"], "00");
    shop.first_letters(&raced, 1).await;
    assert_eq!(shop.decided(&raced).await["origRespCode"], "00");
    shop.script("01", Effect::ResetAfter);
    let cut = order().await;
    assert!(shop.post("backTransReq", &shop.sign(cut.clone())).await.is_err());
    assert_eq!(shop.decided(&cut).await["origRespCode"], "00");
    assert_eq!(shop.books().len(), 3);
}

#[tokio::test]
async fn the_page_shows_the_code_and_asks_for_the_password() {
    let shop = Merchant::new().await;
    let (status, page) = shop
        .form(
            "phone/code",
            &[("user", "<小王>"), ("needs_password", "1"), ("page", "1")],
        )
        .await;
    assert_eq!(status, 200, "the browser is led back to the page");
    assert!(page.contains("&lt;小王&gt;") && !page.contains("<小王>"), "{page}");
    let code = super::opening::between(&page, "<b id=\"code\">", "</b>").to_owned();
    shop.send(&scanned(&shop, &code, 1280)).await;
    let url = reqwest::Url::parse_with_params(&format!("{}/phone", shop.base_url), [("user", "<小王>")]).unwrap();
    let page = shop.http.get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("请您付款 ¥12.80") && page.contains(&code), "{page}");
    let answer = [
        ("code", code.as_str()),
        ("agree", "0"),
        ("user", "<小王>"),
        ("page", "1"),
    ];
    let (_, page) = shop.form("phone/password", &answer).await;
    assert!(!page.contains("请您付款"), "{page}");
}
