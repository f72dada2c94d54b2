//! The requests of the wechat reference (section 14.2), sent byte for byte on their day to their account.

use std::collections::BTreeSet;

use metropay_simulator::{Effect, Fault, MovementKind, Simulator};
use serde_json::{Value, json};

use super::merchant::{Merchant, fault, moved, simulator};
use super::phone::Phone;
use super::receiver::until;
use super::wire::{Algorithm, Message, from_xml, to_xml};

const KEY: &str = "TESTONLYapiv2key0000000000000001";

/// 2025-03-01 12:00:00 in China, the `timestamp` of C1.
const DAY_MS: i64 = 1_740_801_600_000;

fn wire(id: &str) -> &'static str {
    let all = include_str!("../../src/wechat/vectors.txt");
    let block = all
        .split("\n\n")
        .find(|block| block.lines().next() == Some(&format!("id {id}")))
        .unwrap();
    block.lines().find_map(|line| line.strip_prefix("wire ")).unwrap()
}

/// The gateway on that day, with the account of the vectors. Its notifications go to a host that does not exist, so
/// they are not sent.
async fn that_day() -> (Simulator, Merchant) {
    let simulator = simulator().await;
    let clock = &simulator.frame().clock;
    clock.set_offset_ms(DAY_MS - clock.now_ms());
    let lost = Fault {
        id: 0,
        gateway: None,
        operation: Some("notify".to_owned()),
        order_no: None,
        times: 0,
        effect: Effect::NoticeLost,
    };
    simulator.frame().faults.add(lost);
    let spec = json!({
        "mode": "provider", "appid": "wxd0b1c2a3948576f0", "mch_id": "1900009999", "sub_mch_id": "1900012345",
        "plan_id": "123456", "api_key": KEY, "api_v3_key": "TESTONLYapiv3key0000000000000001",
        "api_cert_pem": include_str!("../../src/wechat/v3/vectors/mer.crt.pem"), "reverse_after_s": 0,
    });
    let merchant = Merchant::open(&simulator, &spec);
    (simulator, merchant)
}

async fn answer(merchant: &Merchant, path: &str, id: &str) -> Message {
    let algorithm = if id == "C5" { Algorithm::Hmac } else { Algorithm::Md5 };
    let answer = from_xml(&merchant.send(path, wire(id).to_owned()).await, "xml");
    merchant.assert_signed(&answer, algorithm);
    answer
}

/// The answer has every field of the reference's answer; further ones may be there.
fn assert_like(answer: &Message, id: &str, but: &[&str]) {
    let wanted: BTreeSet<String> = from_xml(wire(id), "xml").into_keys().collect();
    for name in wanted.iter().filter(|name| !but.contains(&name.as_str())) {
        assert!(answer.contains_key(name), "{id} has {name}: {answer:?}");
    }
}

#[tokio::test]
async fn the_reference_s_day_is_lived_through_with_the_reference_s_requests() {
    let (simulator, merchant) = that_day().await;
    let pre_sign = answer(&merchant, "/papay/partner/preentrustweb", "C1").await;
    assert_like(&pre_sign, "C2", &["miniprogram_username", "miniprogram_path"]);
    assert_eq!(
        merchant
            .decide(&pre_sign["pre_entrustweb_id"], true, "小明")
            .await
            .status(),
        200
    );

    let query = [("contract_id", "202503016600000001"), ("version", "1.0")];
    let contract = merchant.call("/papay/partner/querycontract", &query).await;
    assert_like(&contract, "C22", &[]);
    assert_eq!(contract["contract_state"], "0");
    assert!(
        contract["contract_expired_time"].starts_with("2055-03-01 12:0"),
        "{contract:?}"
    );

    let accepted = answer(&merchant, "/pay/partner/pappayapply", "C4").await;
    assert_like(&accepted, "C6", &[]);
    assert_eq!(accepted["result_code"], "SUCCESS");
    let paid = until("C9 to tell of success", async || {
        let told = answer(&merchant, "/pay/partner/paporderquery", "C9").await;
        assert_like(&told, "C10", &[]);
        (told["trade_state"] == "SUCCESS").then_some(told)
    })
    .await;
    assert_eq!(paid["transaction_id"], "4200000000202503010000000001");

    let again = answer(&merchant, "/pay/partner/pappayapply", "C5").await;
    assert_eq!(
        (again["result_code"].as_str(), again["err_code"].as_str()),
        ("FAIL", "ORDERPAID")
    );

    let filed = answer(&merchant, "/secapi/pay/refund", "C23").await;
    assert_like(&filed, "C24", &[]);
    assert_eq!(
        (filed["result_code"].as_str(), filed["cash_refund_fee"].as_str()),
        ("SUCCESS", "300")
    );
    assert_eq!(
        answer(&merchant, "/secapi/pay/refund", "C23").await["refund_id"],
        filed["refund_id"]
    );
    let back = until("the refund", async || {
        moved(&simulator, MovementKind::Refund, &paid["out_trade_no"]).pop()
    })
    .await;
    assert_eq!(
        (back.amount_fen, back.order_no.as_str()),
        (300, "MCR20250301150000000000000000001")
    );
    assert_eq!(simulator.frame().books().len(), 2);
}

/// A line of a message of APIv3.
fn v3_line(id: &str, name: &str) -> &'static str {
    let all = include_str!("../../src/wechat/v3/vectors/messages.txt");
    let wanted = format!("id {id}");
    let block = all
        .split("\n\n")
        .find(|block| block.lines().next() == Some(&wanted))
        .unwrap();
    block
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .unwrap()
}

/// Sends a signed request of the reference at the moment of its timestamp; `forge` may change its body.
async fn replay(simulator: &Simulator, merchant: &Merchant, id: &str, forge: fn(String) -> String) -> (u16, Value) {
    let message = v3_line(id, "message").replace("\\n", "\n");
    let parts: Vec<&str> = message.splitn(5, '\n').collect();
    let clock = &simulator.frame().clock;
    clock.set_offset_ms(clock.offset_ms() + parts[2].parse::<i64>().unwrap() * 1_000 - clock.now_ms());
    let body = forge(parts[4].strip_suffix('\n').unwrap().to_owned());
    let sent = merchant
        .http
        .request(parts[0].parse().unwrap(), format!("{}{}", merchant.base, parts[1]))
        .header("authorization", v3_line(id, "authorization"))
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("user-agent", "vectors")
        .body(body)
        .send()
        .await
        .unwrap();
    let status = sent.status().as_u16();
    (status, serde_json::from_str(&sent.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn the_reference_s_requests_of_apiv3_are_believed_and_forged_ones_are_not() {
    let (simulator, merchant) = that_day().await;
    let pre_sign = answer(&merchant, "/papay/partner/preentrustweb", "C1").await;
    merchant.decide(&pre_sign["pre_entrustweb_id"], true, "小明").await;
    answer(&merchant, "/pay/partner/pappayapply", "C4").await;
    merchant.wait_state("MC20250301123456000000000000001", "SUCCESS").await;

    let same = |body: String| body;
    let (status, filed) = replay(&simulator, &merchant, "C15", same).await;
    assert_eq!(status, 200, "{filed}");
    assert_eq!(
        (filed["out_refund_no"].as_str(), filed["amount"]["refund"].as_u64()),
        (Some("MCR20250301150000000000000000001"), Some(300))
    );
    let wanted: Value = serde_json::from_str(v3_line("C16", "body")).unwrap();
    for name in wanted.as_object().unwrap().keys() {
        assert!(filed.get(name).is_some(), "C16 has {name}: {filed}");
    }
    let forged = |body: String| body.replace("\"refund\":300", "\"refund\":301");
    let (status, refused) = replay(&simulator, &merchant, "C15", forged).await;
    assert_eq!((status, refused["code"].as_str()), (401, Some("SIGN_ERROR")));
    let wanted: Value = serde_json::from_str(v3_line("C30", "body")).unwrap();
    assert_eq!(
        refused["detail"]["sign_information"]["truncated_sign_message"],
        wanted["detail"]["sign_information"]["truncated_sign_message"]
    );
    for name in ["field", "issue", "location"] {
        assert_eq!(refused["detail"][name], wanted["detail"][name]);
    }

    let (status, link) = replay(&simulator, &merchant, "C14", same).await;
    assert_eq!(status, 200, "{link}");
    assert_eq!(link["hash_type"], "SHA1");
    let (status, listed) = replay(&simulator, &merchant, "C13", same).await;
    assert_eq!(
        (
            status,
            listed["data"][0]["encrypt_certificate"]["associated_data"].as_str()
        ),
        (200, Some("certificate"))
    );
}

#[tokio::test]
async fn a_payment_by_code_is_answered_as_in_c26_to_c28() {
    let (simulator, merchant) = that_day().await;
    let strange = answer(&merchant, "/pay/micropay", "C26").await;
    assert_eq!(
        strange["err_code"], "AUTH_CODE_INVALID",
        "nobody showed the reference's code"
    );
    let code = Phone::of(&merchant, "小明").code_with_password().await;
    let mut request = from_xml(wire("C26"), "xml");
    request.insert("auth_code".into(), code);
    merchant.resign(&mut request);
    let waiting = from_xml(&merchant.send("/pay/micropay", to_xml(&request)).await, "xml");
    assert_like(&waiting, "C27", &[]);
    assert_eq!(waiting["err_code_des"], from_xml(wire("C27"), "xml")["err_code_des"]);
    fault(&simulator, "reverse", Effect::SystemErrorBefore);
    let number = [("out_trade_no", "MC20250301130000000000000000003")];
    let again = merchant.call("/secapi/pay/reverse", &number).await;
    assert_like(&again, "C28", &[]);
    assert_eq!(
        (again["err_code"].as_str(), again["recall"].as_str()),
        ("SYSTEMERROR", "Y")
    );
    assert_eq!(merchant.call("/secapi/pay/reverse", &number).await["recall"], "N");
}

#[tokio::test]
async fn a_wrong_signature_is_answered_as_in_c29() {
    let (_simulator, merchant) = that_day().await;
    let forged = wire("C4").replace("<total_fee>1280<", "<total_fee>1281<");
    assert_eq!(merchant.send("/pay/partner/pappayapply", forged).await, wire("C29"));
}

#[tokio::test]
async fn a_pre_sign_from_another_day_is_refused() {
    let (simulator, merchant) = that_day().await;
    let clock = &simulator.frame().clock;
    clock.set_offset_ms(clock.offset_ms() + 301_000);
    let late = answer(&merchant, "/papay/partner/preentrustweb", "C1").await;
    assert_eq!(
        (late["result_code"].as_str(), late["err_code"].as_str()),
        ("FAIL", "PARAM_ERROR")
    );
}
