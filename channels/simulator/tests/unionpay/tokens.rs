//! Tokens without the gateway's page: by the merchant, from the cashier, changed, asked for, and how long and how much
//! they pay.

use serde_json::json;

use super::merchant::{Merchant, TOKEN, fields};
use super::opening::{between, hidden};
use super::verifier::{Fields, domain};

const CARD: &str = "6216261000000000018";
const PHONE: &str = "13800138000";

/// An SMS of this kind, with the numbers of the message that it is for.
async fn sms(shop: &Merchant, sub_type: &str, message: &Fields, card: &str, phone: &str) -> Fields {
    let mut sms = shop.message("77", sub_type, "000902");
    for name in ["orderId", "txnTime", "txnAmt", "currencyCode", "tokenPayData"] {
        if let Some(value) = message.get(name) {
            sms.insert(name.to_owned(), value.clone());
        }
    }
    shop.tell_holder(&mut sms, card, phone, "");
    shop.send(&sms).await
}

fn opening_by_merchant(shop: &Merchant, card: &str, phone: &str, sms_code: &str) -> Fields {
    let mut message = shop.message("79", "00", "000902");
    message.extend(fields(&[
        ("backUrl", &shop.back_url),
        ("tokenPayData", &format!("{{trId={}&tokenType=01}}", shop.tr_id)),
    ]));
    shop.tell_holder(&mut message, card, phone, sms_code);
    message
}

#[tokio::test]
async fn a_merchant_without_the_permission_cannot_open_and_gets_the_card_back_encrypted() {
    let shop = Merchant::new().await;
    let refused = shop.send(&opening_by_merchant(&shop, CARD, PHONE, "111111")).await;
    assert_eq!(refused["respMsg"], "无此交易权限[6131010]");
    assert_eq!(shop.decrypt(&refused["accNo"]), CARD);
}

#[tokio::test]
async fn a_merchant_opens_with_card_data_and_the_code_that_was_sent() {
    let shop = Merchant::new().await;
    shop.change(json!({"merchant_opening": true}));
    let message = opening_by_merchant(&shop, CARD, PHONE, "111111");
    assert_eq!(shop.send(&message).await["respCode"], "71", "no code was sent yet");
    assert_eq!(sms(&shop, "00", &message, CARD, "13800138001").await["respCode"], "66");
    assert_eq!(
        sms(&shop, "00", &message, "6216261999999999999", PHONE).await["respCode"],
        "61"
    );
    let sent = sms(&shop, "00", &message, CARD, PHONE).await;
    assert_eq!((sent["respCode"].as_str(), sent["txnType"].as_str()), ("00", "77"));

    let mut wrong = message.clone();
    shop.tell_holder(&mut wrong, CARD, PHONE, "123456");
    assert_eq!(shop.send(&wrong).await["respCode"], "71");
    let opened = shop.send(&message).await;
    assert_eq!(
        (opened["respCode"].as_str(), opened["activateStatus"].as_str()),
        ("00", "1")
    );
    let letter = shop.letter(&message).await;
    assert_eq!(letter["tokenPayData"], opened["tokenPayData"]);

    let mut order = shop.consumption(100);
    let token = domain(&opened["tokenPayData"])["token"].clone();
    order.insert(
        "tokenPayData".to_owned(),
        format!("{{trId={}&token={token}}}", shop.tr_id),
    );
    assert_eq!(shop.send(&order).await["respCode"], "00");
}

#[tokio::test]
async fn card_data_that_stands_open_or_is_encrypted_for_somebody_else_is_not_read() {
    let shop = Merchant::new().await;
    shop.change(json!({"merchant_opening": true}));
    let mut open = opening_by_merchant(&shop, CARD, PHONE, "111111");
    open.insert("accNo".to_owned(), CARD.to_owned());
    assert_eq!(shop.send(&open).await["respCode"], "10");
    let mut other = opening_by_merchant(&shop, CARD, PHONE, "111111");
    other.insert("encryptCertId".to_owned(), "69026275927".to_owned());
    assert_eq!(shop.send(&other).await["respCode"], "10");
}

#[tokio::test]
async fn whether_a_card_is_open_can_be_asked_by_the_card() {
    let shop = Merchant::new().await;
    let ask = async |card: &str| {
        let mut message = shop.message("78", "00", "000301");
        shop.tell_holder(&mut message, card, PHONE, "");
        shop.send(&message).await
    };
    let open = ask(CARD).await;
    assert_eq!(
        (open["respCode"].as_str(), open["activateStatus"].as_str()),
        ("00", "1")
    );
    assert_eq!(shop.phone(&open["customerInfo"]), format!("phoneNo={PHONE}"));
    assert!(open.contains_key("payCardType") && !open.contains_key("tokenPayData"));
    assert_eq!(ask("6216261000000000026").await["respCode"], "77");
}

#[tokio::test]
async fn a_token_learns_another_phone() {
    let shop = Merchant::new().await;
    let mut message = shop.message("79", "03", "000902");
    let domain_of = |token: &str| format!("{{trId={}&token={token}&tokenType=01}}", shop.tr_id);
    message.insert("tokenPayData".to_owned(), domain_of(TOKEN));
    shop.tell_holder(&mut message, "", "13911112222", "");
    let updated = shop.send(&message).await;
    assert_eq!(updated["respCode"], "00");
    assert_eq!(shop.phone(&updated["customerInfo"]), "phoneNo=13911112222");
    message.insert("tokenPayData".to_owned(), domain_of("6235240000020757578"));
    assert_eq!(shop.send(&message).await["respCode"], "40");
    message.insert(
        "tokenPayData".to_owned(),
        format!("{{trId={}&tokenType=01}}", shop.tr_id),
    );
    assert_eq!(
        shop.send(&message).await["respMsg"],
        "[9100003]Invalid field[tokenPayData]"
    );
}

#[tokio::test]
async fn where_an_sms_is_wanted_a_payment_needs_the_one_that_was_sent_for_it() {
    let shop = Merchant::new().await;
    shop.change(json!({"sms_required": true}));
    let order = shop.consumption(100);
    assert_eq!(shop.send(&order).await["respCode"], "82");

    let mut order = shop.consumption(100);
    let mut dearer = order.clone();
    dearer.insert("txnAmt".to_owned(), "200".to_owned());
    let sent = sms(&shop, "02", &dearer, "", PHONE).await;
    assert_eq!((sent["respCode"].as_str(), sent["txnAmt"].as_str()), ("00", "200"));
    // {smsCode=111111}
    order.insert("customerInfo".to_owned(), "e3Ntc0NvZGU9MTExMTExfQ==".to_owned());
    assert_eq!(shop.send(&order).await["respCode"], "71", "sent for another amount");

    let mut order = shop.consumption(100);
    assert_eq!(sms(&shop, "02", &order, "", "13800138001").await["respCode"], "66");
    assert_eq!(sms(&shop, "02", &order, "", PHONE).await["respCode"], "00");
    order.insert("customerInfo".to_owned(), "e3Ntc0NvZGU9MTExMTExfQ==".to_owned());
    assert_eq!(shop.send(&order).await["respCode"], "00");
}

#[tokio::test]
async fn a_token_ends_when_its_domain_says_so_and_can_still_be_deleted() {
    let shop = Merchant::new().await;
    shop.change(json!({"token_days": 30, "tokens": ["6235240000020750000"]}));
    let pay_data = format!("{{trId={}&token=6235240000020750000}}", shop.tr_id);
    let mut order = shop.consumption(100);
    order.insert("tokenPayData".to_owned(), pay_data.clone());
    assert_eq!(shop.send(&order).await["respCode"], "00");
    shop.frame().clock.set_offset_ms(30 * 24 * 3_600 * 1_000);
    let mut order = shop.consumption(100);
    order.insert("tokenPayData".to_owned(), pay_data.clone());
    assert_eq!(shop.send(&order).await["respCode"], "80");
    let mut deletion = shop.message("74", "01", "000902");
    deletion.insert("tokenPayData".to_owned(), pay_data);
    assert_eq!(shop.send(&deletion).await["respCode"], "00");
    assert_eq!(shop.send(&deletion).await["respCode"], "40");
}

#[tokio::test]
async fn a_card_pays_so_much_in_a_month_and_again_in_the_next() {
    let shop = Merchant::new().await;
    shop.change(json!({"month_limit_fen": 1000}));
    let (_, paid) = shop.pay(700).await;
    let refused = shop.consumption(301);
    assert_eq!(shop.send(&refused).await["respCode"], "81");
    assert_eq!(shop.query(&refused).await["origRespCode"], "81");
    let undo = shop.giving_back("31", &paid["queryId"], 700);
    assert_eq!(shop.send(&undo).await["respCode"], "00");
    shop.pay(1000).await;
    assert_eq!(shop.send(&shop.consumption(1)).await["respCode"], "81");
    shop.frame().clock.set_offset_ms(32 * 24 * 3_600 * 1_000);
    shop.pay(1000).await;
}

fn visit(shop: &Merchant, amount_fen: u64) -> Fields {
    let mut message = shop.message("01", "01", "000301");
    message.extend(fields(&[
        ("txnAmt", &amount_fen.to_string()),
        ("currencyCode", "156"),
        ("frontUrl", "https://pay.example.test/paid"),
        ("backUrl", &shop.back_url),
    ]));
    message
}

fn application(shop: &Merchant, visit: &Fields) -> Fields {
    let mut message = shop.message("79", "05", "000902");
    for name in ["orderId", "txnTime"] {
        message.insert(name.to_owned(), visit[name].clone());
    }
    message.insert(
        "tokenPayData".to_owned(),
        format!("{{trId={}&tokenType=01}}", shop.tr_id),
    );
    message
}

#[tokio::test]
async fn a_card_that_paid_at_the_cashier_becomes_a_token() {
    let shop = Merchant::new().await;
    let order = visit(&shop, 1280);
    let page = shop.post("frontTransReq", &shop.sign(order.clone())).await.unwrap();
    assert!(page.contains("银联收银台") && page.contains("¥12.80"), "{page}");
    assert_eq!(shop.send(&application(&shop, &order)).await["respCode"], "34");
    let id = between(&page, "name=\"id\" value=\"", "\"");
    let decision = [("id", id), ("agree", "1"), ("card", "0026")];
    let (_, back) = shop.form("sim/front/pay", &decision).await;
    let returned = hidden(&back);
    assert_eq!(
        shop.verifier.verify(&returned, shop.frame().clock.now_ms() / 1_000),
        Ok(())
    );
    assert_eq!(
        (returned["respCode"].as_str(), returned["respMsg"].as_str()),
        ("00", "success")
    );
    assert_eq!(shop.letter(&order).await["queryId"], returned["queryId"]);
    let books = shop.books();
    assert_eq!((books.len(), books[0].payer.as_str()), (1, "621626******0026"));
    shop.form("sim/front/pay", &decision).await;
    assert_eq!(shop.books().len(), 1, "agreeing again pays nothing more");

    let applied = shop.send(&application(&shop, &order)).await;
    assert_eq!(applied["respCode"], "00");
    let again = shop.send(&application(&shop, &order)).await;
    assert_eq!(again["tokenPayData"], applied["tokenPayData"]);
    let token = domain(&applied["tokenPayData"])["token"].clone();
    let mut consumption = shop.consumption(5);
    consumption.insert(
        "tokenPayData".to_owned(),
        format!("{{trId={}&token={token}}}", shop.tr_id),
    );
    assert_eq!(shop.send(&consumption).await["respCode"], "00");
    let (by_token, _) = shop.pay(1).await;
    assert_eq!(shop.send(&application(&shop, &by_token)).await["respCode"], "35");
}

#[tokio::test]
async fn what_fails_at_the_cashier_is_told_to_the_user_alone() {
    let shop = Merchant::new().await;
    let order = visit(&shop, 100);
    let page = shop.post("frontTransReq", &shop.sign(order.clone())).await.unwrap();
    let id = between(&page, "name=\"id\" value=\"", "\"");
    let (_, failed) = shop
        .form("sim/front/pay", &[("id", id), ("agree", "1"), ("card", "0042")])
        .await;
    assert!(failed.contains(">64<"), "{failed}");
    assert_eq!(shop.query(&order).await["origRespCode"], "64");
    let declined = visit(&shop, 100);
    let page = shop.post("frontTransReq", &shop.sign(declined.clone())).await.unwrap();
    let id = between(&page, "name=\"id\" value=\"", "\"");
    let (_, page) = shop.form("sim/front/pay", &[("id", id), ("agree", "0")]).await;
    assert!(page.contains("您已取消付款"), "{page}");
    assert_eq!(shop.query(&declined).await["respCode"], "34");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(shop.all_letters().is_empty() && shop.books().is_empty());
}
