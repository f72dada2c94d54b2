//! The three entries to signing, and the phone.

use serde_json::json;

use super::merchant::{Merchant, now_s, simulator};
use super::receiver::Receiver;
use super::wire::{Algorithm, Message, from_xml, sign};

/// A signing address: fields, signature with this algorithm, everything URL-encoded once.
fn address(merchant: &Merchant, path: &str, mut fields: Message, algorithm: Algorithm) -> String {
    fields.insert("appid".into(), merchant.appid.clone());
    fields.insert("mch_id".into(), merchant.mch_id.clone());
    let signed = sign(&fields, &merchant.api_key, algorithm);
    fields.insert("sign".into(), signed);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&fields)
        .finish();
    format!("{}{path}?{query}", merchant.base)
}

fn fields(merchant: &Merchant, code: &str, url: &str, now: &str, more: &[(&str, &str)]) -> Message {
    let fields = merchant.signing_fields(code, url, now);
    fields
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn an_official_account_page_signs_and_returns_to_where_it_came_from() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let (url, now) = (receiver.at("/signed"), now_s(&simulator));
    let entry = fields(&merchant, "CODE1", &url, &now, &[("return_web", "1")]);
    let entry = address(&merchant, "/papay/entrustweb", entry, Algorithm::Md5);
    let shop = "http://shop.example.test/my?tab=2#pay";
    let sent_on = merchant.http.get(&entry).header("referer", shop).send().await.unwrap();
    assert_eq!(sent_on.status(), 303);
    let page = sent_on.headers()["location"].to_str().unwrap().to_owned();
    let (_, id) = page.split_once("id=").unwrap();
    assert!(
        merchant
            .http
            .get(&page)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("同意并开通")
    );
    let decided = merchant.decide(id, true, "小明").await;
    assert_eq!(decided.status(), 303);
    assert_eq!(
        decided.headers()["location"],
        "http://shop.example.test/my?tab=2&from_wxpay=1#pay"
    );
    assert_eq!(receiver.wait("/signed", 1).await["change_type"], "ADD");
}

#[tokio::test]
async fn a_page_address_that_is_not_in_order_shows_a_page_and_signs_nothing() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let now = now_s(&simulator);
    let page = async |address: String| merchant.http.get(address).send().await.unwrap().text().await.unwrap();
    let url = "http://127.0.0.1:9/notify";
    let plain = fields(&merchant, "CODE1", url, &now, &[]);
    let hmac = address(&merchant, "/papay/entrustweb", plain.clone(), Algorithm::Hmac);
    assert!(page(hmac).await.contains("签名错误"), "entrustweb is MD5 only");
    let nonce = fields(&merchant, "CODE1", url, &now, &[("nonce_str", "1")]);
    assert!(
        page(address(&merchant, "/papay/entrustweb", nonce, Algorithm::Md5))
            .await
            .contains("参数构造错误")
    );
    let good = address(&merchant, "/papay/entrustweb", plain.clone(), Algorithm::Md5);
    assert!(
        page(good.replace("%3A%2F%2F", "%3a%2f%2f"))
            .await
            .contains("参数构造错误"),
        "upper-case escapes"
    );
    assert!(
        page(good.replace("%3A%2F%2F", "://")).await.contains("参数构造错误"),
        "encoded once"
    );
    let provider = address(&merchant, "/papay/partner/entrustweb", plain, Algorithm::Md5);
    assert!(page(provider).await.contains("商家系统错误"));
    assert_eq!(merchant.http.get(good).send().await.unwrap().status(), 303);
}

#[tokio::test]
async fn an_h5_address_is_signed_with_hmac_by_default_and_opens_once() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let (url, now) = (receiver.at("/signed"), now_s(&simulator));
    let entry = fields(&merchant, "CODE1", &url, &now, &[("clientip", "12.1.1.12")]);
    let md5 = address(&merchant, "/papay/h5entrustweb", entry.clone(), Algorithm::Md5);
    let refused = merchant.http.get(md5).send().await.unwrap().text().await.unwrap();
    assert_eq!(from_xml(&refused, "xml")["return_msg"], "签名错误");
    let hmac = address(&merchant, "/papay/h5entrustweb", entry, Algorithm::Hmac);
    let answer = merchant.http.get(hmac).send().await.unwrap().text().await.unwrap();
    let answer = from_xml(&answer, "xml");
    assert_eq!(
        (answer["result_code"].as_str(), answer.get("sign"), answer.len()),
        ("SUCCESS", None, 5)
    );
    let page = &answer["redirect_url"];
    assert_eq!(
        merchant
            .http
            .get(page)
            .header("referer", "http://h5.test/a")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(merchant.http.get(page).send().await.unwrap().status(), 410);
    let decided = merchant.decide(page.split_once("id=").unwrap().1, true, "小明").await;
    assert_eq!(decided.headers()["location"], "http://h5.test/a?from_wxpay=1");
    let notice = receiver.wait("/signed", 1).await;
    merchant.assert_signed(&notice, Algorithm::Hmac);
}

#[tokio::test]
async fn a_pre_sign_lives_two_minutes_and_works_once() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let id = merchant.pre_sign(&simulator, "CODE1", &receiver.at("/signed")).await["pre_entrustweb_id"].clone();
    assert_eq!(id.len(), 32);
    simulator.frame().clock.set_offset_ms(121_000);
    assert_eq!(merchant.decide(&id, true, "小明").await.status(), 410);
    let again = merchant.pre_sign(&simulator, "CODE1", &receiver.at("/signed")).await["pre_entrustweb_id"].clone();
    assert_ne!(id, again, "the same contract number may be pre-signed again");
    assert_eq!(merchant.decide(&again, true, "小明").await.status(), 200);
    assert_eq!(merchant.decide(&again, true, "小红").await.status(), 410);
    receiver.wait("/signed", 1).await;
    let signed = merchant.pre_sign(&simulator, "CODE1", &receiver.at("/signed")).await;
    assert_eq!(
        (signed["result_code"].as_str(), signed["err_code"].as_str()),
        ("FAIL", "CONTRACT_EXISTED")
    );
}

#[tokio::test]
async fn a_contract_number_that_was_not_signed_in_two_hours_is_used_up() {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let url = "http://127.0.0.1:9/notify";
    assert_eq!(
        merchant.pre_sign(&simulator, "CODE1", url).await["result_code"],
        "SUCCESS"
    );
    simulator.frame().clock.set_offset_ms(7_201_000);
    assert_eq!(
        merchant.pre_sign(&simulator, "CODE1", url).await["err_code"],
        "PARAM_ERROR"
    );
    assert_eq!(
        merchant.pre_sign(&simulator, "CODE2", url).await["result_code"],
        "SUCCESS"
    );
}

#[tokio::test]
async fn a_refusal_is_never_notified() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let id = merchant.pre_sign(&simulator, "CODE1", &receiver.at("/signed")).await["pre_entrustweb_id"].clone();
    assert_eq!(merchant.decide(&id, false, "小明").await.status(), 200);
    assert_eq!(merchant.decide(&id, true, "小明").await.status(), 410);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(receiver.arrived("/signed").len(), 0);
}

#[tokio::test]
async fn a_user_has_one_live_contract_under_a_plan() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let spec = json!({"mode": "direct", "termination_url": receiver.at("/ended")});
    let merchant = Merchant::open(&simulator, &spec);
    let first = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    let id = merchant.pre_sign(&simulator, "CODE2", &receiver.at("/second")).await["pre_entrustweb_id"].clone();
    assert_eq!(merchant.decide(&id, true, "小明").await.status(), 409);
    assert_eq!(
        merchant.decide(&id, true, "小红").await.status(),
        200,
        "another user may"
    );

    let contracts = format!("{}/phone/contracts?user=%E5%B0%8F%E6%98%8E", merchant.base);
    let page = merchant
        .http
        .get(&contracts)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("使用中") && page.contains(&first), "{page}");
    let terminate = format!("{}/phone/contracts/terminate", merchant.base);
    let body = format!("contract_id={first}&user=%E5%B0%8F%E7%BA%A2");
    assert_eq!(
        merchant.http.post(&terminate).body(body).send().await.unwrap().status(),
        404,
        "not her contract"
    );
    let body = format!("contract_id={first}&user=%E5%B0%8F%E6%98%8E");
    assert_eq!(
        merchant.http.post(&terminate).body(body).send().await.unwrap().status(),
        303
    );
    let notice = receiver.wait("/ended", 1).await;
    merchant.assert_signed(&notice, Algorithm::Md5);
    assert_eq!(
        (
            notice["change_type"].as_str(),
            notice["contract_termination_mode"].as_str()
        ),
        ("DELETE", "2")
    );
    let page = merchant
        .http
        .get(&contracts)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("已解约"), "{page}");
    let second = merchant.contract(&simulator, &receiver, "CODE3", "小明").await;
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_disabled_plan_takes_no_new_contracts_but_the_old_ones_go_on() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    merchant.change(&simulator, json!({"plan_disabled": true}));
    let refused = merchant.pre_sign(&simulator, "CODE2", &receiver.at("/signed")).await;
    assert_eq!(refused["err_code"], "PARAM_ERROR");
    merchant.paid(&receiver, &contract, "ORDER1", 100).await;
}

#[tokio::test]
async fn the_phone_lists_what_waits_for_the_user() {
    let simulator = simulator().await;
    let merchant = Merchant::open(&simulator, &json!({"mode": "direct", "shop_name": "<示例>便利店"}));
    let id = merchant.pre_sign(&simulator, "CODE1", "http://127.0.0.1:9/n").await["pre_entrustweb_id"].clone();
    let home = merchant
        .http
        .get(format!("{}/phone", merchant.base))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(home.contains(&id) && home.contains("&lt;示例&gt;便利店"), "{home}");
    merchant.decide(&id, false, "小明").await;
    let home = merchant
        .http
        .get(format!("{}/phone", merchant.base))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(!home.contains(&id), "{home}");
}
