//! The requests of the wechat reference (section 14.2), sent byte for byte on their day to their account.

use std::collections::BTreeSet;

use metropay_simulator::{Effect, Fault, MovementKind, Simulator};
use serde_json::json;

use super::merchant::{Merchant, moved, simulator};
use super::receiver::until;
use super::wire::{Algorithm, Message, from_xml};

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
        "plan_id": "123456", "api_key": KEY,
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
