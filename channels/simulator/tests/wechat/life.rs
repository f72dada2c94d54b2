//! The whole life of a contract, from the first call to the last.

use metropay_simulator::{MovementKind, Simulator};
use serde_json::json;

use super::merchant::{Merchant, moved, simulator};
use super::receiver::Receiver;
use super::wire::{Algorithm, unseal};

#[tokio::test]
async fn a_provider_signing_with_md5_lives_through_everything() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let spec = json!({"mode": "provider", "shop_name": "示例便利店", "termination_url": receiver.at("/ended")});
    let merchant = Merchant::open(&simulator, &spec);
    assert!(merchant.sub_mch_id.is_some());
    live(&simulator, &receiver, &merchant).await;
}

#[tokio::test]
async fn a_direct_merchant_signing_with_hmac_lives_through_everything() {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let spec = json!({"mode": "direct", "termination_url": receiver.at("/ended")});
    let mut merchant = Merchant::open(&simulator, &spec);
    assert_eq!(merchant.sub_mch_id, None);
    merchant.algorithm = Algorithm::Hmac;
    live(&simulator, &receiver, &merchant).await;
}

async fn live(simulator: &Simulator, receiver: &Receiver, merchant: &Merchant) {
    let contract_id = sign_up(simulator, receiver, merchant).await;
    deduct(simulator, receiver, merchant, &contract_id).await;
    refund(simulator, receiver, merchant).await;
    end(receiver, merchant, &contract_id).await;
}

async fn sign_up(simulator: &Simulator, receiver: &Receiver, merchant: &Merchant) -> String {
    let pre_sign = merchant.pre_sign(simulator, "CODE1", &receiver.at("/signed")).await;
    assert_eq!(pre_sign["result_code"], "SUCCESS");
    let id = &pre_sign["pre_entrustweb_id"];
    let page = merchant
        .http
        .get(format!("{}/phone/sign?id={id}", merchant.base))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("同意并开通") && page.contains("消费码用户0001"), "{page}");

    let query = [
        ("plan_id", merchant.plan_id.as_str()),
        ("contract_code", "CODE1"),
        ("version", "1.0"),
    ];
    let path = merchant.path("papay", "querycontract");
    assert_eq!(merchant.call(&path, &query).await["err_code"], "CONTRACT_NOT_EXIST");

    assert_eq!(merchant.decide(id, true, "小明").await.status(), 200);
    let notice = receiver.wait("/signed", 1).await;
    merchant.assert_signed(&notice, merchant.algorithm);
    assert_eq!(
        (notice["change_type"].as_str(), notice["contract_code"].as_str()),
        ("ADD", "CODE1")
    );
    assert_eq!(
        (&notice["mch_id"], notice.get("sub_mch_id")),
        (&merchant.mch_id, merchant.sub_mch_id.as_ref())
    );

    let contract = merchant.call(&path, &query).await;
    assert_eq!(
        (contract["contract_state"].as_str(), contract["err_code"].as_str()),
        ("0", "0")
    );
    assert_eq!(
        (&contract["contract_id"], &contract["openid"]),
        (&notice["contract_id"], &notice["openid"])
    );
    assert!(!contract.contains_key("nonce_str"));
    notice["contract_id"].clone()
}

async fn deduct(simulator: &Simulator, receiver: &Receiver, merchant: &Merchant, contract_id: &str) {
    let accepted = merchant.apply(receiver, contract_id, "ORDER1", 1280).await;
    assert_eq!(accepted["result_code"], "SUCCESS");
    assert!(!accepted.contains_key("transaction_id") && !accepted.contains_key("trade_state"));
    let notice = receiver.wait("/deduct/ORDER1", 1).await;
    merchant.assert_signed(&notice, merchant.algorithm);
    assert_eq!(
        (notice["result_code"].as_str(), notice["trade_state"].as_str()),
        ("SUCCESS", "SUCCESS")
    );
    assert_eq!(
        (notice["total_fee"].as_str(), notice["cash_fee"].as_str()),
        ("1280", "1280")
    );
    assert_eq!(
        (notice["attach"].as_str(), notice["contract_id"].as_str()),
        ("store=S0001", contract_id)
    );

    let answer = merchant.query("ORDER1").await;
    assert_eq!(
        (answer["trade_state"].as_str(), answer["trade_type"].as_str()),
        ("SUCCESS", "PAP")
    );
    assert_eq!(answer["transaction_id"], notice["transaction_id"]);
    let by_transaction = [("transaction_id", notice["transaction_id"].as_str())];
    assert_eq!(
        merchant.call("/pay/orderquery", &by_transaction).await["out_trade_no"],
        "ORDER1"
    );

    let debits = moved(simulator, MovementKind::Debit, "ORDER1");
    assert_eq!(debits.len(), 1);
    assert_eq!((debits[0].amount_fen, &debits[0].account), (1280, &merchant.mch_id));
    assert_eq!(
        (&debits[0].payer, &debits[0].gateway_no),
        (&notice["openid"], &notice["transaction_id"])
    );
}

async fn refund(simulator: &Simulator, receiver: &Receiver, merchant: &Merchant) {
    for (number, fen) in [("REFUND1", 300), ("REFUND2", 980)] {
        let filed = merchant.refund(receiver, ("ORDER1", 1280), number, fen).await;
        assert_eq!(filed["result_code"], "SUCCESS", "{filed:?}");
        assert_eq!(
            (&filed["refund_fee"], filed["cash_refund_fee"].parse()),
            (&fen.to_string(), Ok(fen))
        );
        assert_eq!(merchant.query("ORDER1").await["trade_state"], "REFUND");
        let notice = receiver.wait(&format!("/refund/{number}"), 1).await;
        assert!(!notice.contains_key("sign"));
        let inner = unseal(&notice["req_info"], &merchant.api_key).unwrap();
        assert_eq!(
            (inner["refund_status"].as_str(), inner["out_refund_no"].as_str()),
            ("SUCCESS", number)
        );
        assert_eq!(inner["refund_id"], filed["refund_id"]);
    }
    let one = merchant.call("/pay/refundquery", &[("out_refund_no", "REFUND1")]).await;
    assert_eq!(
        (one["refund_count"].as_str(), one["refund_status_0"].as_str()),
        ("1", "SUCCESS")
    );
    let all = merchant.call("/pay/refundquery", &[("out_trade_no", "ORDER1")]).await;
    assert_eq!(
        (all["refund_count"].as_str(), all["out_refund_no_1"].as_str()),
        ("2", "REFUND2")
    );
    let refunds = moved(simulator, MovementKind::Refund, "ORDER1");
    assert_eq!(
        refunds.iter().map(|refund| refund.amount_fen).collect::<Vec<_>>(),
        [300, 980]
    );
}

async fn end(receiver: &Receiver, merchant: &Merchant, contract_id: &str) {
    let fields = [
        ("contract_id", contract_id),
        ("contract_termination_remark", "用户申请"),
        ("version", "1.0"),
    ];
    let answer = merchant.call("/papay/deletecontract", &fields).await;
    assert_eq!(
        (answer["result_code"].as_str(), answer["contract_id"].as_str()),
        ("SUCCESS", contract_id)
    );
    let notice = receiver.wait("/ended", 1).await;
    merchant.assert_signed(&notice, merchant.algorithm);
    assert_eq!(
        (
            notice["change_type"].as_str(),
            notice["contract_termination_mode"].as_str()
        ),
        ("DELETE", "3")
    );
    assert_eq!(
        merchant.call("/papay/deletecontract", &fields).await["err_code"],
        "CONTRACT_NOT_EXIST"
    );

    let query = [("contract_id", contract_id), ("version", "1.0")];
    let answer = merchant.call(&merchant.path("papay", "querycontract"), &query).await;
    assert_eq!(
        (
            answer["contract_state"].as_str(),
            answer["contract_termination_mode"].as_str()
        ),
        ("1", "3")
    );
    assert_eq!(answer["contract_termination_remark"], "用户申请");
    let refused = merchant.apply(receiver, contract_id, "ORDER2", 100).await;
    assert_eq!(
        (refused["result_code"].as_str(), refused["err_code"].as_str()),
        ("FAIL", "CONTRACT_NOT_EXIST")
    );
    assert_eq!(merchant.query("ORDER2").await["err_code"], "ORDERNOTEXIST");
}
