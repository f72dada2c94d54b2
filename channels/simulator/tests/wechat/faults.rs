//! The fault script, as far as it speaks WeChat's words.

use metropay_simulator::{Effect, MovementKind, Simulator};

use super::merchant::{Merchant, deduction, fault, moved, simulator};
use super::receiver::{Receiver, until};
use super::wire::{Algorithm, from_xml, sign, to_xml, unseal};

async fn signed_up() -> (Simulator, Receiver, Merchant, String) {
    let simulator = simulator().await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::direct(&simulator);
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    (simulator, receiver, merchant, contract)
}

#[tokio::test]
async fn a_system_error_may_or_may_not_have_debited() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    fault(&simulator, "pappayapply", Effect::SystemErrorBefore);
    assert_eq!(
        merchant.apply(&receiver, &contract, "BEFORE", 100).await["err_code"],
        "SYSTEMERROR"
    );
    assert_eq!(merchant.query("BEFORE").await["err_code"], "ORDERNOTEXIST");
    fault(&simulator, "pappayapply", Effect::SystemErrorAfter);
    assert_eq!(
        merchant.apply(&receiver, &contract, "AFTER", 100).await["err_code"],
        "SYSTEMERROR"
    );
    merchant.wait_state("AFTER", "SUCCESS").await;
    assert_eq!(moved(&simulator, MovementKind::Debit, "AFTER").len(), 1);
    assert_eq!(moved(&simulator, MovementKind::Debit, "BEFORE").len(), 0);
}

#[tokio::test]
async fn a_refusal_keeps_no_order_and_the_number_stays_free() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    fault(
        &simulator,
        "pappayapply",
        Effect::Refuse {
            code: "RULELIMIT".into(),
        },
    );
    let refused = merchant.apply(&receiver, &contract, "ORDER1", 100).await;
    assert_eq!(
        (refused["result_code"].as_str(), refused["err_code"].as_str()),
        ("FAIL", "RULELIMIT")
    );
    assert_eq!(merchant.query("ORDER1").await["err_code"], "ORDERNOTEXIST");
    merchant.paid(&receiver, &contract, "ORDER1", 100).await;
}

#[tokio::test]
async fn a_broken_answer_comes_after_the_act() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    let effects = [
        Effect::ResetAfter,
        Effect::HangAfter { ms: 5 },
        Effect::HttpErrorAfter { status: 502 },
        Effect::Garbage { body: "<html>".into() },
        Effect::HalfBody,
    ];
    for (n, effect) in effects.into_iter().enumerate() {
        fault(&simulator, "pappayapply", effect);
        let (number, url) = (format!("ORDER{n}"), receiver.at("/n"));
        let request = merchant.signed("/pay/pappayapply", &deduction(&contract, &number, "100", &url));
        let sent = merchant
            .http
            .post(format!("{}/pay/pappayapply", merchant.base))
            .body(to_xml(&request))
            .send()
            .await;
        if let Ok(answer) = sent {
            let text = answer.text().await;
            assert!(text.is_err() || !text.unwrap().contains("result_code"));
        }
        merchant.wait_state(&number, "SUCCESS").await;
    }
    assert_eq!(simulator.frame().books().len(), 5);
}

#[tokio::test]
async fn a_blind_query_denies_what_exists() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    merchant.paid(&receiver, &contract, "ORDER1", 100).await;
    merchant.refund(&receiver, ("ORDER1", 100), "R1", 100).await;
    for (path, fields, code) in [
        ("/pay/paporderquery", vec![("out_trade_no", "ORDER1")], "ORDERNOTEXIST"),
        ("/pay/orderquery", vec![("out_trade_no", "ORDER1")], "ORDERNOTEXIST"),
        ("/pay/refundquery", vec![("out_refund_no", "R1")], "REFUNDNOTEXIST"),
        (
            "/papay/querycontract",
            vec![("contract_id", contract.as_str()), ("version", "1.0")],
            "CONTRACT_NOT_EXIST",
        ),
    ] {
        fault(&simulator, path.rsplit('/').next().unwrap(), Effect::Blind);
        assert_eq!(merchant.call(path, &fields).await["err_code"], code);
        assert_eq!(merchant.call(path, &fields).await["result_code"], "SUCCESS");
    }
}

#[tokio::test]
async fn answers_lie_about_amount_order_and_merchant_with_a_good_signature() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    merchant.paid(&receiver, &contract, "ORDER1", 100).await;
    fault(&simulator, "paporderquery", Effect::WrongAmount { fen: 1 });
    assert_eq!(merchant.query("ORDER1").await["total_fee"], "1");
    fault(
        &simulator,
        "paporderquery",
        Effect::WrongOrder {
            order_no: "ORDER9".into(),
        },
    );
    assert_eq!(merchant.query("ORDER1").await["out_trade_no"], "ORDER9");
    fault(
        &simulator,
        "paporderquery",
        Effect::WrongMerchant {
            account: "1999999999".into(),
        },
    );
    assert_eq!(merchant.query("ORDER1").await["mch_id"], "1999999999");
    assert_eq!(merchant.query("ORDER1").await["total_fee"], "100");
    merchant.refund(&receiver, ("ORDER1", 100), "R1", 30).await;
    fault(&simulator, "refundquery", Effect::WrongAmount { fen: 31 });
    let told = merchant.call("/pay/refundquery", &[("out_refund_no", "R1")]).await;
    assert_eq!(
        (told["refund_fee_0"].as_str(), told["total_fee"].as_str()),
        ("31", "100")
    );
}

#[tokio::test]
async fn answers_can_be_signed_wrongly_or_not_at_all() {
    let (simulator, _receiver, merchant, _contract) = signed_up().await;
    let request = merchant.signed("/pay/orderquery", &[("out_trade_no", "ORDER1")]);
    fault(&simulator, "orderquery", Effect::WrongSignature);
    let answer = from_xml(&merchant.send("/pay/orderquery", to_xml(&request)).await, "xml");
    assert_eq!(answer["sign"].len(), 32);
    assert_ne!(answer["sign"], sign(&answer, &merchant.api_key, Algorithm::Md5));
    fault(&simulator, "orderquery", Effect::NoSignature);
    let answer = from_xml(&merchant.send("/pay/orderquery", to_xml(&request)).await, "xml");
    assert_eq!((answer["return_code"].as_str(), answer.get("sign")), ("SUCCESS", None));
}

#[tokio::test]
async fn notices_lie_are_forged_lost_and_repeated_and_no_request_takes_their_faults() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    fault(&simulator, "notify", Effect::WrongAmount { fen: 1 });
    assert_eq!(merchant.query("NOTHING").await["result_code"], "FAIL");
    let notice = merchant.paid(&receiver, &contract, "LIE", 100).await;
    merchant.assert_signed(&notice, Algorithm::Md5);
    assert_eq!(
        (notice["total_fee"].as_str(), notice["out_trade_no"].as_str()),
        ("1", "LIE")
    );
    assert_eq!(merchant.query("LIE").await["total_fee"], "100");

    fault(&simulator, "notify", Effect::NoticeForged);
    let notice = merchant.paid(&receiver, &contract, "FORGED", 100).await;
    assert_ne!(notice["sign"], sign(&notice, &merchant.api_key, Algorithm::Md5));

    fault(&simulator, "notify", Effect::NoticeRepeated { times: 2 });
    merchant.paid(&receiver, &contract, "THRICE", 100).await;
    receiver.wait("/deduct/THRICE", 3).await;

    fault(&simulator, "notify", Effect::NoticeLost);
    merchant.apply(&receiver, &contract, "LOST", 100).await;
    merchant.wait_state("LOST", "SUCCESS").await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(receiver.arrived("/deduct/LOST").len(), 0);
}

#[tokio::test]
async fn refund_notices_lie_and_can_be_sealed_with_a_foreign_key() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    merchant.paid(&receiver, &contract, "ORDER1", 100).await;
    fault(
        &simulator,
        "notify",
        Effect::WrongOrder {
            order_no: "OTHER".into(),
        },
    );
    merchant.refund(&receiver, ("ORDER1", 100), "R1", 10).await;
    let notice = receiver.wait("/refund/R1", 1).await;
    let inner = unseal(&notice["req_info"], &merchant.api_key).unwrap();
    assert_eq!(
        (inner["out_refund_no"].as_str(), inner["out_trade_no"].as_str()),
        ("OTHER", "ORDER1")
    );
    fault(
        &simulator,
        "notify",
        Effect::WrongMerchant {
            account: "1999999999".into(),
        },
    );
    merchant.refund(&receiver, ("ORDER1", 100), "R2", 10).await;
    assert_eq!(receiver.wait("/refund/R2", 1).await["mch_id"], "1999999999");
    fault(&simulator, "notify", Effect::NoticeForged);
    merchant.refund(&receiver, ("ORDER1", 100), "R3", 10).await;
    let notice = receiver.wait("/refund/R3", 1).await;
    assert_eq!(unseal(&notice["req_info"], &merchant.api_key), None);
}

#[tokio::test]
async fn a_line_for_one_number_strikes_that_number_only_however_the_request_names_it() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    let notice = merchant.paid(&receiver, &contract, "ORDER1", 100).await;
    merchant.paid(&receiver, &contract, "ORDER2", 100).await;
    let line = r#"{"gateway":"wechat","order_no":"ORDER1","effect":"refuse","code":"BUSY"}"#;
    let control = merchant.http.post(format!("{}/control/faults", simulator.url()));
    let added = control
        .header("content-type", "application/json")
        .body(line)
        .send()
        .await
        .unwrap();
    assert_eq!(added.status(), 200);
    assert_eq!(merchant.query("ORDER2").await["result_code"], "SUCCESS");
    let by_transaction = [("transaction_id", notice["transaction_id"].as_str())];
    assert_eq!(
        merchant.call("/pay/orderquery", &by_transaction).await["err_code"],
        "BUSY"
    );
    assert_eq!(
        merchant.call("/pay/orderquery", &by_transaction).await["result_code"],
        "SUCCESS"
    );
}

#[tokio::test]
async fn a_pending_refund_is_processing_until_its_time() {
    let (simulator, receiver, merchant, contract) = signed_up().await;
    merchant.paid(&receiver, &contract, "ORDER1", 100).await;
    fault(&simulator, "refund", Effect::Pending { ms: 3_600_000 });
    merchant.refund(&receiver, ("ORDER1", 100), "R1", 100).await;
    let told = merchant.call("/pay/refundquery", &[("out_refund_no", "R1")]).await;
    assert_eq!(told["refund_status_0"], "PROCESSING");
    assert_eq!(moved(&simulator, MovementKind::Refund, "ORDER1").len(), 0);
    simulator.frame().clock.set_offset_ms(3_600_000);
    until("the refund", async || {
        moved(&simulator, MovementKind::Refund, "ORDER1").pop()
    })
    .await;
}
