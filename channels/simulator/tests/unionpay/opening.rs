//! Opening password-free payment on the gateway's page, and ending it.

use metropay_simulator::Effect;

use super::merchant::{Merchant, fields};
use super::verifier::{Fields, domain};

fn opening(shop: &Merchant) -> Fields {
    let mut message = shop.message("79", "00", "000902");
    message.extend(fields(&[
        ("frontUrl", "https://pay.example.test/sign/return"),
        ("backUrl", &shop.back_url),
        ("tokenPayData", &format!("{{trId={}&tokenType=01}}", shop.tr_id)),
        ("reqReserved", "bWFuZGF0ZT0x"),
    ]));
    message
}

fn open_query(shop: &Merchant, opening: &Fields) -> Fields {
    let mut message = shop.message("78", "02", "000902");
    message.insert("orderId".to_owned(), opening["orderId"].clone());
    message.insert("txnTime".to_owned(), opening["txnTime"].clone());
    message
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before} is missing in {text}"));
    rest.split_once(after).unwrap().0
}

/// Reads the hidden fields of the form that sends the browser back.
pub(crate) fn hidden(page: &str) -> Fields {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    let pair = |input: &str| {
        let value = between(input, "value=\"", "\"")
            .replace("&#13;", "\r")
            .replace("&#10;", "\n");
        (
            input.split_once('"').unwrap().0.to_owned(),
            value.replace("&#39;", "'").replace("&amp;", "&"),
        )
    };
    inputs.map(pair).collect()
}

async fn decide(shop: &Merchant, decision: &[(&str, &str)]) -> String {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(decision)
        .finish();
    let request = shop.http.post(format!("{}/sim/front/open", shop.base_url));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(body).send().await.unwrap().text().await.unwrap()
}

/// Opens with the card of this tail; returns the opening and the token domain.
async fn open(shop: &Merchant, tail: &str) -> (Fields, Fields) {
    let message = opening(shop);
    let page = shop.post("frontTransReq", &shop.sign(message.clone())).await.unwrap();
    let id = between(&page, "name=\"id\" value=\"", "\"");
    decide(shop, &[("id", id), ("agree", "1"), ("card", tail)]).await;
    let token = domain(&shop.letter(&message).await["tokenPayData"]);
    (message, token)
}

#[tokio::test]
async fn agreeing_makes_a_token_that_the_merchant_is_told_of_three_times() {
    let shop = Merchant::new().await;
    let message = opening(&shop);
    let signed = shop.sign(message.clone());
    let page = shop.post("frontTransReq", &signed).await.unwrap();
    assert!(
        page.contains("云闪付开通无卡支付") && page.contains("确认开通") && page.contains("取消"),
        "{page}"
    );
    assert_eq!(shop.send(&open_query(&shop, &message)).await["respCode"], "70");
    let id = between(&page, "name=\"id\" value=\"", "\"");
    assert_eq!(
        between(
            &shop.post("frontTransReq", &signed).await.unwrap(),
            "name=\"id\" value=\"",
            "\""
        ),
        id
    );

    assert!(
        decide(&shop, &[("id", id), ("agree", "1"), ("card", "9999")])
            .await
            .contains("请选择一张银行卡")
    );
    let decision = [("id", id), ("agree", "1"), ("card", "0026"), ("phone", "13900000000")];
    let back = decide(&shop, &decision).await;
    assert_eq!(
        between(&back, "action=\"", "\""),
        "https://pay.example.test/sign/return"
    );
    let returned = hidden(&back);
    assert_eq!(
        shop.verifier.verify(&returned, shop.frame().clock.now_ms() / 1_000),
        Ok(())
    );
    let letter = shop.letter(&message).await;
    assert_eq!(
        (letter["respMsg"].as_str(), returned["respMsg"].as_str()),
        ("Success!", "success")
    );
    for told in [&letter, &returned] {
        assert_eq!((told["txnType"].as_str(), told["activateStatus"].as_str()), ("79", "1"));
        assert_eq!(told["reqReserved"], "bWFuZGF0ZT0x");
        assert_eq!(shop.decrypt(&told["accNo"]), "6216261000000000026");
        assert_eq!(shop.phone(&told["customerInfo"]), "phoneNo=13900000000");
        assert!(!told.contains_key("queryId") && !told.contains_key("settleDate"));
    }
    let asked = shop.send(&open_query(&shop, &message)).await;
    assert_eq!(
        (asked["respCode"].as_str(), &asked["tokenPayData"]),
        ("00", &letter["tokenPayData"])
    );
    let token = domain(&letter["tokenPayData"]);
    assert_eq!(
        (token["token"].len(), &token["trId"], token["tokenType"].as_str()),
        (19, &shop.tr_id, "01")
    );
    assert_eq!((token["tokenBegin"].len(), token["tokenEnd"].len()), (14, 14));

    decide(&shop, &decision).await;
    decide(&shop, &[("id", id), ("agree", "0")]).await;
    assert_eq!(shop.letters(&message["orderId"]).len(), 1, "a decision is told once");
    assert_eq!(shop.send(&open_query(&shop, &message)).await["respCode"], "00");
}

#[tokio::test]
async fn declining_opens_nothing_and_notifies_nobody() {
    let shop = Merchant::new().await;
    let message = opening(&shop);
    let page = shop.post("frontTransReq", &shop.sign(message.clone())).await.unwrap();
    let id = between(&page, "name=\"id\" value=\"", "\"");
    assert!(
        decide(&shop, &[("id", id), ("agree", "0")])
            .await
            .contains("您已取消开通")
    );
    assert_eq!(shop.send(&open_query(&shop, &message)).await["respCode"], "01");
    decide(&shop, &[("id", id), ("agree", "1"), ("card", "0018")]).await;
    assert_eq!(shop.send(&open_query(&shop, &message)).await["respCode"], "01");
    assert!(shop.letters(&message["orderId"]).is_empty());
}

#[tokio::test]
async fn a_token_pays_until_it_is_deleted_and_another_opening_gives_another_token() {
    let shop = Merchant::new().await;
    let (message, token) = open(&shop, "0018").await;
    let pay_data = format!("{{trId={}&token={}}}", shop.tr_id, token["token"]);
    let consume = || {
        let mut order = shop.consumption(100);
        order.insert("tokenPayData".to_owned(), pay_data.clone());
        order
    };
    let order = consume();
    assert_eq!(shop.send(&order).await["respCode"], "00");
    assert_eq!(shop.decided(&order).await["origRespCode"], "00");

    let mut deletion = shop.message("74", "01", "000902");
    deletion.insert("tokenPayData".to_owned(), pay_data.clone());
    assert_eq!(shop.send(&deletion).await["respCode"], "00");
    assert_eq!(shop.send(&deletion).await["respCode"], "40");
    assert_eq!(shop.send(&open_query(&shop, &message)).await["respCode"], "40");
    let refused = consume();
    assert_eq!(shop.send(&refused).await["respCode"], "40");
    let failed = shop.query(&refused).await;
    assert_eq!(
        (failed["respCode"].as_str(), failed["origRespCode"].as_str()),
        ("00", "40")
    );
    assert_eq!(failed["settleAmt"], "0");
    assert_eq!(shop.books().len(), 1);
    let (_, other) = open(&shop, "0018").await;
    assert_ne!(other["token"], token["token"]);
}

#[tokio::test]
async fn an_expired_token_does_not_pay() {
    let shop = Merchant::new().await;
    shop.frame().clock.set_offset_ms(6 * 365 * 24 * 3_600 * 1_000);
    assert_eq!(shop.send(&shop.consumption(100)).await["respCode"], "80");
}

#[tokio::test]
async fn an_opening_with_a_wrong_signature_shows_a_page_that_says_so() {
    let shop = Merchant::new().await;
    let mut message = shop.sign(opening(&shop));
    message.insert("frontUrl".to_owned(), "https://elsewhere.example.test/".to_owned());
    let page = shop.post("frontTransReq", &message).await.unwrap();
    assert!(page.contains("验证签名失败") && page.contains(">11<"), "{page}");
}

#[tokio::test]
async fn an_opening_that_comes_too_late_or_for_another_requester_is_refused_on_the_page() {
    let shop = Merchant::new().await;
    let mut late = opening(&shop);
    let end = shop.frame().clock.now() + chrono::TimeDelta::minutes(5);
    late.insert("payTimeout".to_owned(), end.format("%Y%m%d%H%M%S").to_string());
    let page = shop.post("frontTransReq", &shop.sign(late.clone())).await.unwrap();
    let id = between(&page, "name=\"id\" value=\"", "\"");
    shop.frame().clock.set_offset_ms(6 * 60 * 1_000);
    assert!(
        decide(&shop, &[("id", id), ("agree", "1"), ("card", "0018")])
            .await
            .contains(">69<")
    );
    assert_eq!(shop.send(&open_query(&shop, &late)).await["respCode"], "70");

    let mut other = opening(&shop);
    other.insert("tokenPayData".to_owned(), "{trId=62000000002&tokenType=01}".to_owned());
    assert!(
        shop.post("frontTransReq", &shop.sign(other.clone()))
            .await
            .unwrap()
            .contains(">10<")
    );
    assert_eq!(shop.send(&open_query(&shop, &other)).await["respCode"], "34");
    assert!(
        decide(&shop, &[("id", "unknown"), ("agree", "1")])
            .await
            .contains(">34<")
    );
}

#[tokio::test]
async fn declining_leads_to_the_address_for_failures() {
    let shop = Merchant::new().await;
    let mut message = opening(&shop);
    message.insert(
        "frontFailUrl".to_owned(),
        "https://pay.example.test/sign/failed".to_owned(),
    );
    let page = shop.post("frontTransReq", &shop.sign(message)).await.unwrap();
    let id = between(&page, "name=\"id\" value=\"", "\"");
    let declined = decide(&shop, &[("id", id), ("agree", "0")]).await;
    assert_eq!(
        between(&declined, "href=\"", "\""),
        "https://pay.example.test/sign/failed"
    );
}

#[tokio::test]
async fn the_fault_script_reaches_the_page_and_the_question_after_it() {
    let shop = Merchant::new().await;
    shop.script("79", Effect::Refuse { code: "43".to_owned() });
    let page = shop.post("frontTransReq", &shop.sign(opening(&shop))).await.unwrap();
    assert!(page.contains("此业务暂未开通") && page.contains(">43<"), "{page}");
    let (message, _) = open(&shop, "0034").await;
    shop.script("78", Effect::Blind);
    assert_eq!(shop.send(&open_query(&shop, &message)).await["respCode"], "34");
    assert_eq!(shop.send(&open_query(&shop, &message)).await["respCode"], "00");
}
