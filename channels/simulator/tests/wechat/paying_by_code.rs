//! Payments by code over APIv2.

use metropay_simulator::{Effect, MovementKind, Simulator};
use serde_json::json;

use super::merchant::{Merchant, fault, moved, simulator};
use super::phone::Phone;
use super::receiver::Receiver;
use super::wire::{Algorithm, Message};

async fn shop() -> (Simulator, Merchant, Phone) {
    let simulator = simulator().await;
    let merchant = Merchant::direct(&simulator);
    let phone = Phone::of(&merchant, "小明");
    (simulator, merchant, phone)
}

async fn pay(merchant: &Merchant, code: &str, number: &str, fen: &str) -> Message {
    let fields = [
        ("body", "示例便利店-消费"),
        ("attach", "store=S0001"),
        ("device_info", "TILL-1"),
        ("out_trade_no", number),
        ("total_fee", fen),
        ("spbill_create_ip", "203.0.113.10"),
        ("auth_code", code),
    ];
    merchant.call("/pay/micropay", &fields).await
}

async fn reverse(merchant: &Merchant, number: &str) -> (String, String, String) {
    let answer = merchant.call("/secapi/pay/reverse", &[("out_trade_no", number)]).await;
    let text = |name: &str| answer.get(name).cloned().unwrap_or_default();
    (text("result_code"), text("err_code"), text("recall"))
}

async fn state(merchant: &Merchant, number: &str) -> String {
    let answer = merchant.call("/pay/orderquery", &[("out_trade_no", number)]).await;
    answer.get("trade_state").unwrap_or_else(|| &answer["err_code"]).clone()
}

fn told(result: &str, code: &str, recall: &str) -> (String, String, String) {
    (result.to_owned(), code.to_owned(), recall.to_owned())
}

#[tokio::test]
async fn a_shown_code_pays_one_order_and_stands_in_the_books() {
    let (simulator, merchant, phone) = shop().await;
    let code = phone.code().await;
    assert!(code.len() == 18 && ("10".."16").contains(&&code[..2]), "{code}");
    let paid = pay(&merchant, &code, "ORDER1", "1280").await;
    assert_eq!(
        (paid["result_code"].as_str(), paid["trade_type"].as_str()),
        ("SUCCESS", "MICROPAY")
    );
    assert_eq!(
        (paid["total_fee"].as_str(), paid["cash_fee"].as_str()),
        ("1280", "1280")
    );
    assert_eq!((paid["attach"].as_str(), paid["time_end"].len()), ("store=S0001", 14));
    let debits = moved(&simulator, MovementKind::Debit, "ORDER1");
    assert_eq!(debits.len(), 1);
    assert_eq!(
        (&debits[0].payer, &debits[0].gateway_no, debits[0].amount_fen),
        (&paid["openid"], &paid["transaction_id"], 1_280)
    );
    let query = merchant.call("/pay/orderquery", &[("out_trade_no", "ORDER1")]).await;
    assert_eq!(
        (
            query["trade_state"].as_str(),
            query["trade_type"].as_str(),
            query["device_info"].as_str()
        ),
        ("SUCCESS", "MICROPAY", "TILL-1")
    );
    assert_eq!(pay(&merchant, &code, "ORDER1", "1280").await["err_code"], "ORDERPAID");
    assert_eq!(
        pay(&merchant, &code, "ORDER1", "1281").await["err_code"],
        "INVALID_REQUEST"
    );
    assert_eq!(
        pay(&merchant, &code, "ORDER2", "1280").await["err_code"],
        "AUTHCODEEXPIRE"
    );
    let other = Phone::of(&merchant, "小红").code().await;
    assert_eq!(
        pay(&merchant, &other, "ORDER1", "1280").await["err_code"],
        "BUYER_MISMATCH"
    );
    assert_eq!(simulator.frame().books().len(), 1);
    let papay = merchant.call("/pay/paporderquery", &[("out_trade_no", "ORDER1")]).await;
    assert_eq!(papay["err_code_des"], "订单不是委托代扣场景");
}

#[tokio::test]
async fn a_merchant_who_signs_with_hmac_pays_and_reverses_alike() {
    let simulator = simulator().await;
    let mut merchant = Merchant::open(&simulator, &json!({"mode": "provider"}));
    merchant.algorithm = Algorithm::Hmac;
    let phone = Phone::of(&merchant, "小明");
    let paid = pay(&merchant, &phone.code().await, "ORDER1", "100").await;
    assert_eq!((paid["result_code"].as_str(), paid["sign"].len()), ("SUCCESS", 64));
    assert_eq!(paid.get("sub_mch_id"), merchant.sub_mch_id.as_ref());
    assert_eq!(reverse(&merchant, "ORDER1").await, told("SUCCESS", "", "N"));
}

#[tokio::test]
async fn codes_expire_and_strange_ones_are_told_apart() {
    let (simulator, merchant, phone) = shop().await;
    for (code, wanted) in [
        ("134567890123456789", "AUTH_CODE_INVALID"),
        ("164567890123456789", "AUTH_CODE_ERROR"),
        ("13456789", "AUTH_CODE_ERROR"),
    ] {
        assert_eq!(
            pay(&merchant, code, "ORDER1", "100").await["err_code"],
            wanted,
            "{code}"
        );
    }
    let code = phone.code().await;
    simulator.frame().clock.set_offset_ms(60_000);
    assert_eq!(
        pay(&merchant, &code, "ORDER1", "100").await["err_code"],
        "AUTHCODEEXPIRE"
    );
    assert_eq!(state(&merchant, "ORDER1").await, "ORDERNOTEXIST");
}

#[tokio::test]
async fn a_password_is_waited_for_until_the_user_answers() {
    let (simulator, merchant, phone) = shop().await;
    let code = phone.code_with_password().await;
    let waiting = pay(&merchant, &code, "YES", "100").await;
    assert_eq!(
        (waiting["err_code"].as_str(), waiting["err_code_des"].as_str()),
        ("USERPAYING", "需要用户输入支付密码")
    );
    assert_eq!(state(&merchant, "YES").await, "USERPAYING");
    assert_eq!(pay(&merchant, &code, "YES", "100").await["err_code"], "USERPAYING");
    assert_eq!(phone.password("100000000000000000", true).await, 409);
    assert_eq!(phone.password(&code, true).await, 204);
    assert_eq!(phone.password(&code, true).await, 409);
    assert_eq!(state(&merchant, "YES").await, "SUCCESS");
    assert_eq!(moved(&simulator, MovementKind::Debit, "YES").len(), 1);

    let code = phone.code().await;
    let waiting = pay(&merchant, &code, "NO", "100001").await;
    assert_eq!(waiting["err_code"], "USERPAYING", "a large amount needs the password");
    assert_eq!(phone.password(&code, false).await, 204);
    assert_eq!(state(&merchant, "NO").await, "PAYERROR");
    assert_eq!(
        pay(&merchant, &code, "NO", "100001").await["err_code"],
        "OUT_TRADE_NO_USED"
    );

    let code = phone.code_with_password().await;
    pay(&merchant, &code, "NOBODY", "100").await;
    simulator.frame().clock.set_offset_ms(60_000);
    merchant.wait_state("NOBODY", "PAYERROR").await;
    assert_eq!(phone.password(&code, true).await, 409);
    assert_eq!(simulator.frame().books().len(), 1);
}

#[tokio::test]
async fn a_person_pays_on_the_page() {
    let (_simulator, merchant, phone) = shop().await;
    let page = phone.page("pay?needs_password=1").await;
    let (_, shown) = page.split_once("</p><h1>").unwrap();
    let code: String = shown.split_once('<').unwrap().0.replace(' ', "");
    assert_eq!(pay(&merchant, &code, "ORDER1", "100").await["err_code"], "USERPAYING");
    let page = phone.page("pay?").await;
    assert!(page.contains("输入密码并付款") && page.contains("1.00 元"), "{page}");
    assert_eq!(
        phone.post("pay", &[("code", &code), ("agree", "1")]).await.status(),
        303
    );
    assert_eq!(state(&merchant, "ORDER1").await, "SUCCESS");
    assert!(!phone.page("pay?").await.contains("输入密码并付款"));
}

#[tokio::test]
async fn an_empty_wallet_and_a_slow_bank_are_told_as_such() {
    let (simulator, merchant, phone) = shop().await;
    assert_eq!(phone.post("balance", &[("fen", "99")]).await.status(), 204);
    let refused = pay(&merchant, &phone.code().await, "POOR", "100").await;
    assert_eq!(refused["err_code"], "NOTENOUGH");
    assert_eq!(state(&merchant, "POOR").await, "PAYERROR");
    pay(&merchant, &phone.code().await, "RICH", "99").await;
    assert_eq!(state(&merchant, "RICH").await, "SUCCESS");
    assert_eq!(reverse(&merchant, "RICH").await, told("SUCCESS", "", "N"));
    pay(&merchant, &phone.code().await, "AGAIN", "99").await;
    assert_eq!(
        state(&merchant, "AGAIN").await,
        "SUCCESS",
        "what was given back can be spent"
    );

    let receiver = Receiver::start().await;
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    merchant.apply(&receiver, &contract, "DEBT", 100).await;
    let notice = receiver.wait("/deduct/DEBT", 1).await;
    assert_eq!(
        notice["err_code"], "NOTENOUGH",
        "deductions come out of the same wallet"
    );

    phone.post("balance", &[]).await;
    let shown = phone.post("code", &[("bank_ms", "200")]).await.text().await.unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let slow = pay(&merchant, shown["code"].as_str().unwrap(), "SLOW", "100").await;
    assert_eq!(slow["err_code"], "BANKERROR");
    merchant.wait_state("SLOW", "SUCCESS").await;
    assert_eq!(moved(&simulator, MovementKind::Debit, "SLOW").len(), 1);
}

#[tokio::test]
async fn a_reverse_ends_what_is_open_and_gives_back_what_is_paid() {
    let (simulator, merchant, phone) = shop().await;
    pay(&merchant, &phone.code().await, "PAID", "500").await;
    assert_eq!(reverse(&merchant, "PAID").await, told("SUCCESS", "", "N"));
    assert_eq!(reverse(&merchant, "PAID").await, told("SUCCESS", "", "N"));
    assert_eq!(state(&merchant, "PAID").await, "REVOKED");
    let back = moved(&simulator, MovementKind::Reversal, "PAID");
    assert_eq!(
        back.iter().map(|movement| movement.amount_fen).collect::<Vec<_>>(),
        [500]
    );
    assert!(back[0].gateway_no.starts_with("50"));
    assert_eq!(
        pay(&merchant, &phone.code().await, "PAID", "500").await["err_code"],
        "ORDERREVERSED"
    );

    let code = phone.code_with_password().await;
    pay(&merchant, &code, "OPEN", "500").await;
    assert_eq!(reverse(&merchant, "OPEN").await, told("FAIL", "USERPAYING", "Y"));
    simulator.frame().clock.set_offset_ms(15_000);
    assert_eq!(reverse(&merchant, "OPEN").await, told("SUCCESS", "", "N"));
    assert_eq!(state(&merchant, "OPEN").await, "REVOKED");
    assert_eq!(phone.password(&code, true).await, 409);
    assert_eq!(moved(&simulator, MovementKind::Debit, "OPEN").len(), 0);

    assert_eq!(
        reverse(&merchant, "NOTHING").await,
        told("FAIL", "INVALID_REQUEST", "N")
    );
    let unknown = merchant.call("/secapi/pay/reverse", &[("transaction_id", "42")]).await;
    assert_eq!(unknown["err_code"], "INVALID_TRANSACTIONID");
    pay(&merchant, &phone.code().await, "OLD", "500").await;
    simulator.frame().clock.set_offset_ms(8 * 86_400_000);
    assert_eq!(reverse(&merchant, "OLD").await, told("FAIL", "REVERSE_EXPIRE", "N"));
}

#[tokio::test]
async fn reverse_and_close_keep_to_their_own_orders() {
    let (simulator, merchant, phone) = shop().await;
    let receiver = Receiver::start().await;
    let contract = merchant.contract(&simulator, &receiver, "CODE1", "小明").await;
    merchant.paid(&receiver, &contract, "PAP", 100).await;
    assert_eq!(reverse(&merchant, "PAP").await, told("FAIL", "INVALID_REQUEST", "N"));
    pay(&merchant, &phone.code().await, "CODE", "100").await;
    let close = merchant.call("/pay/closeorder", &[("out_trade_no", "CODE")]).await;
    assert_eq!(close["err_code"], "TRADE_STATE_ERROR");
    assert!(close["err_code_des"].contains("撤销"));
    merchant.refund(&receiver, ("CODE", 100), "R1", 40).await;
    receiver.wait("/refund/R1", 1).await;
    assert_eq!(state(&merchant, "CODE").await, "REFUND");
    assert_eq!(reverse(&merchant, "CODE").await, told("FAIL", "TRADE_ERROR", "N"));
    assert_eq!(moved(&simulator, MovementKind::Refund, "CODE").len(), 1);
}

#[tokio::test]
async fn the_fault_script_strikes_payments_by_code_too() {
    let (simulator, merchant, phone) = shop().await;
    merchant.change(&simulator, json!({"reverse_after_s": 0}));
    fault(&simulator, "micropay", Effect::SystemErrorBefore);
    assert_eq!(
        pay(&merchant, &phone.code().await, "NONE", "100").await["err_code"],
        "SYSTEMERROR"
    );
    assert_eq!(state(&merchant, "NONE").await, "ORDERNOTEXIST");
    fault(&simulator, "micropay", Effect::SystemErrorAfter);
    assert_eq!(
        pay(&merchant, &phone.code().await, "DONE", "100").await["err_code"],
        "SYSTEMERROR"
    );
    assert_eq!(state(&merchant, "DONE").await, "SUCCESS");
    let code = "NOTSUPORTCARD".to_owned();
    fault(&simulator, "micropay", Effect::Refuse { code });
    assert_eq!(
        pay(&merchant, &phone.code().await, "CARD", "100").await["err_code"],
        "NOTSUPORTCARD"
    );

    fault(&simulator, "micropay", Effect::Pending { ms: 100 });
    assert_eq!(
        pay(&merchant, &phone.code().await, "LATE", "100").await["err_code"],
        "USERPAYING"
    );
    merchant.wait_state("LATE", "SUCCESS").await;
    let (ms, code) = (50, "RULELIMIT".to_owned());
    fault(&simulator, "micropay", Effect::FailLater { ms, code });
    assert_eq!(
        pay(&merchant, &phone.code().await, "FAILS", "100").await["err_code"],
        "USERPAYING"
    );
    assert_eq!(merchant.wait_state("FAILS", "PAYERROR").await["err_code"], "RULELIMIT");

    fault(&simulator, "reverse", Effect::SystemErrorBefore);
    assert_eq!(reverse(&merchant, "DONE").await, told("FAIL", "SYSTEMERROR", "Y"));
    assert_eq!(state(&merchant, "DONE").await, "SUCCESS");
    fault(&simulator, "reverse", Effect::SystemErrorAfter);
    assert_eq!(reverse(&merchant, "DONE").await, told("FAIL", "SYSTEMERROR", "Y"));
    assert_eq!(state(&merchant, "DONE").await, "REVOKED");

    fault(&simulator, "micropay", Effect::PaidAfterReverse { ms: 50 });
    assert_eq!(
        pay(&merchant, &phone.code().await, "GHOST", "100").await["err_code"],
        "USERPAYING"
    );
    assert_eq!(reverse(&merchant, "GHOST").await, told("SUCCESS", "", "N"));
    assert_eq!(state(&merchant, "GHOST").await, "REVOKED");
    merchant.wait_state("GHOST", "SUCCESS").await;
    assert_eq!(moved(&simulator, MovementKind::Debit, "GHOST").len(), 1);

    fault(&simulator, "micropay", Effect::WrongAmount { fen: 1 });
    assert_eq!(
        pay(&merchant, &phone.code().await, "LIE", "100").await["total_fee"],
        "1"
    );
    fault(&simulator, "orderquery", Effect::Blind);
    assert_eq!(state(&merchant, "LIE").await, "ORDERNOTEXIST");
    assert_eq!(state(&merchant, "LIE").await, "SUCCESS");
}

#[tokio::test]
async fn a_code_that_was_looked_up_belongs_to_who_looked() {
    let (simulator, merchant, phone) = shop().await;
    let other = Merchant::direct(&simulator);
    let code = phone.code().await;
    let known = merchant.call("/tools/authcodetoopenid", &[("auth_code", &code)]).await;
    assert_eq!(
        pay(&other, &code, "ORDER1", "100").await["err_code"],
        "AUTH_CODE_INVALID"
    );
    let paid = pay(&merchant, &code, "ORDER1", "100").await;
    assert_eq!(paid["openid"], known["openid"]);
    let late = merchant.call("/tools/authcodetoopenid", &[("auth_code", &code)]).await;
    assert_eq!(late["err_code"], "AUTHCODEEXPIRE");
}

#[tokio::test]
async fn many_tills_with_one_code_make_one_payment() {
    let (simulator, merchant, phone) = shop().await;
    let code = phone.code().await;
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let (merchant, code) = (merchant.clone(), code.clone());
            tokio::spawn(async move { pay(&merchant, &code, &format!("ORDER{}", n % 10), "100").await })
        })
        .collect();
    let mut paid = 0;
    for call in calls {
        paid += usize::from(call.await.unwrap()["result_code"] == "SUCCESS");
    }
    assert_eq!((paid, simulator.frame().books().len()), (1, 1));
}
