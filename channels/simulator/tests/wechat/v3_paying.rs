//! Payments by code and refunds over APIv3.

use metropay_simulator::{Effect, MovementKind, Simulator};
use rsa::RsaPublicKey;
use serde_json::{Value, json};

use super::merchant::{Merchant, fault, moved, simulator};
use super::phone::Phone;
use super::receiver::{Receiver, until};
use super::v3_client::{Answer, Client, is_signed_by};

struct Shop {
    simulator: Simulator,
    client: Client,
    phone: Phone,
    platform: RsaPublicKey,
}

impl Shop {
    async fn open(spec: Value) -> Self {
        let simulator = simulator().await;
        let client = Client::open(&simulator, &spec);
        let (_, platform) = client.certificates(&simulator).await.remove(0);
        let phone = Phone::at(&client.base, "小明");
        Self {
            simulator,
            client,
            phone,
            platform,
        }
    }

    async fn pay(&self, number: &str, code: &str, fen: u64) -> Answer {
        let body = self.client.payment(number, code, fen);
        let answer = self
            .client
            .post(&self.simulator, &self.client.path("codepay"), &body)
            .await;
        assert!(answer.is_signed_by(&self.platform));
        answer
    }

    async fn query(&self, tail: &str) -> Answer {
        let target = format!("{}?{}", self.client.path(tail), self.client.query());
        self.client.get(&self.simulator, &target).await
    }

    async fn act(&self, number: &str, act: &str) -> Answer {
        let mut body = self.client.payment("X", "Y", 1);
        let heads = ["appid", "mchid", "sp_appid", "sp_mchid", "sub_mchid"];
        body.as_object_mut()
            .unwrap()
            .retain(|name, _| heads.contains(&name.as_str()) && !(act == "close" && name.ends_with("appid")));
        let target = self.client.path(&format!("out-trade-no/{number}/{act}"));
        self.client.post(&self.simulator, &target, &body).await
    }

    async fn refund(&self, number: &str, order: &str, fen: u64, total: u64, url: &str) -> Answer {
        let mut body = json!({
            "out_trade_no": order, "out_refund_no": number, "reason": "商品退货", "notify_url": url,
            "amount": {"refund": fen, "total": total, "currency": "CNY"},
        });
        if let Some(sub_mch_id) = self.client.account.get("sub_mch_id") {
            body["sub_mchid"] = sub_mch_id.clone();
        }
        self.client
            .post(&self.simulator, "/v3/refund/domestic/refunds", &body)
            .await
    }

    async fn ask_refund(&self, number: &str) -> Answer {
        let shop = self.client.account.get("sub_mch_id").and_then(Value::as_str);
        let query = shop.map(|shop| format!("?sub_mchid={shop}")).unwrap_or_default();
        let target = format!("/v3/refund/domestic/refunds/{number}{query}");
        self.client.get(&self.simulator, &target).await
    }
}

async fn live(shop: &Shop) {
    let receiver = Receiver::start().await;
    let paid = shop.pay("ORDER1", &shop.phone.code().await, 1_280).await;
    let told = paid.json();
    assert_eq!(paid.status, 200, "{told}");
    assert_eq!(
        (told["trade_state"].as_str(), told["trade_type"].as_str()),
        (Some("SUCCESS"), Some("MICROPAY"))
    );
    assert_eq!(
        told["amount"],
        json!({"total": 1_280, "payer_total": 1_280, "currency": "CNY", "payer_currency": "CNY"})
    );
    assert!(told["success_time"].as_str().unwrap().ends_with("+08:00"));
    let debits = moved(&shop.simulator, MovementKind::Debit, "ORDER1");
    assert_eq!(
        (debits.len(), Some(debits[0].gateway_no.as_str())),
        (1, told["transaction_id"].as_str())
    );
    let payer = told["payer"].get("openid").or(told["payer"].get("sp_openid"));
    assert_eq!(payer.and_then(Value::as_str), Some(debits[0].payer.as_str()));
    assert_eq!(shop.query("out-trade-no/ORDER1").await.json(), told);
    let by_id = format!("id/{}", told["transaction_id"].as_str().unwrap());
    assert_eq!(shop.query(&by_id).await.json(), told);

    let filed = shop
        .refund("REFUND1", "ORDER1", 300, 1_280, &receiver.at("/refund/1"))
        .await;
    let refund = filed.json();
    assert_eq!(
        (filed.status, refund["status"].as_str()),
        (200, Some("PROCESSING")),
        "{refund}"
    );
    assert_eq!(refund["amount"]["payer_refund"], 300);
    let notice = receiver.wait_raw("/refund/1", 1).await;
    assert!(is_signed_by(&notice.headers, &notice.body, &shop.platform));
    let envelope: Value = serde_json::from_slice(&notice.body).unwrap();
    assert_eq!(
        (envelope["event_type"].as_str(), envelope["resource_type"].as_str()),
        (Some("REFUND.SUCCESS"), Some("encrypt-resource"))
    );
    let resource: Value = serde_json::from_str(&shop.client.unseal(&envelope["resource"])).unwrap();
    assert_eq!(
        (resource["refund_status"].as_str(), resource["out_refund_no"].as_str()),
        (Some("SUCCESS"), Some("REFUND1"))
    );
    assert_eq!(resource["refund_id"], refund["refund_id"]);
    assert_eq!(resource["amount"]["refund"], 300);
    let done = shop.ask_refund("REFUND1").await.json();
    assert_eq!(
        (done["status"].as_str(), done["success_time"].is_string()),
        (Some("SUCCESS"), true)
    );
    assert_eq!(shop.query("out-trade-no/ORDER1").await.json()["trade_state"], "REFUND");
    assert_eq!(
        moved(&shop.simulator, MovementKind::Refund, "ORDER1")[0].amount_fen,
        300
    );
}

#[tokio::test]
async fn a_direct_merchant_pays_and_refunds() {
    live(&Shop::open(json!({"mode": "direct"})).await).await;
}

#[tokio::test]
async fn a_provider_pays_and_refunds_for_a_shop() {
    live(&Shop::open(json!({"mode": "provider"})).await).await;
}

#[tokio::test]
async fn a_payment_that_waits_is_accepted_and_can_be_reversed() {
    let shop = Shop::open(json!({"mode": "direct"})).await;
    let code = shop.phone.code_with_password().await;
    let waiting = shop.pay("ORDER1", &code, 100).await;
    assert_eq!(
        (waiting.status, waiting.json()["trade_state"].as_str()),
        (202, Some("USERPAYING"))
    );
    assert_eq!(
        shop.act("ORDER1", "reverse").await.refusal(),
        (202, "USERPAYING".to_owned())
    );
    assert_eq!(shop.phone.password(&code, true).await, 204);
    assert_eq!(shop.query("out-trade-no/ORDER1").await.json()["trade_state"], "SUCCESS");
    for _ in 0..2 {
        let reversed = shop.act("ORDER1", "reverse").await;
        assert_eq!(
            (reversed.status, reversed.json()["out_trade_no"].as_str()),
            (200, Some("ORDER1"))
        );
    }
    assert_eq!(shop.query("out-trade-no/ORDER1").await.json()["trade_state"], "REVOKED");
    assert_eq!(moved(&shop.simulator, MovementKind::Reversal, "ORDER1").len(), 1);
    assert_eq!(
        shop.pay("ORDER1", &code, 100).await.refusal(),
        (400, "ORDER_REVERSED".to_owned())
    );
    assert_eq!(
        shop.act("NOTHING", "reverse").await.refusal(),
        (404, "ORDER_NOT_EXIST".to_owned())
    );
    assert_eq!(shop.act("ORDER1", "close").await.status, 400);

    let mut change = json!({"codepay_waiting": "error"});
    change["mch_id"] = shop.client.account["mch_id"].clone();
    shop.simulator
        .frame()
        .open_account(metropay_simulator::Gateway::Wechat, &change)
        .unwrap();
    let waiting = shop.pay("ORDER2", &shop.phone.code_with_password().await, 100).await;
    assert_eq!(waiting.refusal(), (202, "USERPAYING".to_owned()));
}

#[tokio::test]
async fn a_deduction_that_hangs_is_seen_and_closed_over_apiv3() {
    let shop = Shop::open(json!({"mode": "direct", "close_after_s": 0})).await;
    let receiver = Receiver::start().await;
    let merchant = Merchant::of(&shop.client.account);
    let contract = merchant.contract(&shop.simulator, &receiver, "CODE1", "小明").await;
    fault(&shop.simulator, "pappayapply", Effect::Pending { ms: 3_600_000 });
    merchant.apply(&receiver, &contract, "ORDER1", 100).await;
    let told = shop.query("out-trade-no/ORDER1").await.json();
    assert_eq!(
        (told["trade_state"].as_str(), told["trade_type"].as_str()),
        (Some("NOTPAY"), Some("PAP"))
    );
    assert_eq!(
        shop.act("ORDER1", "reverse").await.refusal(),
        (400, "INVALID_REQUEST".to_owned())
    );
    for _ in 0..2 {
        let closed = shop.act("ORDER1", "close").await;
        assert_eq!((closed.status, closed.body.len()), (204, 0));
        assert!(closed.is_signed_by(&shop.platform), "an empty answer is signed too");
    }
    assert_eq!(shop.query("out-trade-no/ORDER1").await.json()["trade_state"], "CLOSED");
    shop.pay("ORDER2", &shop.phone.code().await, 100).await;
    assert_eq!(
        shop.act("ORDER2", "close").await.refusal(),
        (400, "INVALID_REQUEST".to_owned())
    );
}

#[tokio::test]
async fn refusals_have_the_status_and_code_of_the_reference() {
    let shop = Shop::open(json!({"mode": "direct"})).await;
    for (code, refusal) in [
        ("134567890123456789".to_owned(), (400, "AUTH_CODE_INVALID")),
        ("12".to_owned(), (400, "AUTH_CODE_INVALID")),
    ] {
        let answer = shop.pay("ORDER1", &code, 100).await;
        assert_eq!(answer.refusal(), (refusal.0, refusal.1.to_owned()));
    }
    let code = shop.phone.code().await;
    assert_eq!(shop.pay("ORDER1", &code, 100).await.status, 200);
    assert_eq!(
        shop.pay("ORDER1", &code, 100).await.refusal(),
        (400, "ORDER_PAID".to_owned())
    );
    assert_eq!(
        shop.pay("ORDER1", &code, 101).await.refusal(),
        (400, "INVALID_REQUEST".to_owned())
    );
    assert_eq!(
        shop.pay("ORDER2", &code, 100).await.refusal(),
        (403, "AUTH_CODE_EXPIRE".to_owned())
    );
    assert_eq!(
        shop.refund("R1", "ORDER1", 101, 100, "https://a.test/x")
            .await
            .refusal(),
        (400, "INVALID_REQUEST".to_owned())
    );
    assert_eq!(
        shop.refund("R1", "ORDER9", 1, 100, "https://a.test/x").await.refusal(),
        (404, "RESOURCE_NOT_EXISTS".to_owned())
    );
    assert_eq!(
        shop.ask_refund("R1").await.refusal(),
        (404, "RESOURCE_NOT_EXISTS".to_owned())
    );
    assert_eq!(
        shop.query("out-trade-no/ORDER9").await.refusal(),
        (404, "ORDER_NOT_EXIST".to_owned())
    );
    shop.phone.post("balance", &[("fen", "1")]).await;
    let poor = shop.pay("ORDER3", &shop.phone.code().await, 100).await;
    assert_eq!(poor.refusal(), (403, "NOT_ENOUGH".to_owned()));
}

#[tokio::test]
async fn the_fault_script_tells_lies_over_apiv3() {
    let shop = Shop::open(json!({"mode": "direct"})).await;
    let receiver = Receiver::start().await;
    fault(&shop.simulator, "codepay", Effect::SystemErrorAfter);
    assert_eq!(
        shop.pay("ORDER1", &shop.phone.code().await, 100).await.refusal(),
        (500, "SYSTEM_ERROR".to_owned())
    );
    fault(&shop.simulator, "orderquery", Effect::Blind);
    assert_eq!(shop.query("out-trade-no/ORDER1").await.status, 404);
    fault(&shop.simulator, "orderquery", Effect::WrongAmount { fen: 1 });
    let lie = shop.query("out-trade-no/ORDER1").await;
    assert!(lie.is_signed_by(&shop.platform) && lie.json()["amount"]["total"] == 1);
    fault(&shop.simulator, "codepay", Effect::Pending { ms: 60 });
    assert_eq!(shop.pay("ORDER2", &shop.phone.code().await, 100).await.status, 202);
    until("the late payment", async || {
        moved(&shop.simulator, MovementKind::Debit, "ORDER2").pop()
    })
    .await;

    let (ms, code) = (10, "CHANGE".to_owned());
    fault(&shop.simulator, "refunds", Effect::FailLater { ms, code });
    fault(
        &shop.simulator,
        "notify",
        Effect::WrongOrder {
            order_no: "OTHER".into(),
        },
    );
    shop.refund("R1", "ORDER1", 40, 100, &receiver.at("/r1")).await;
    let notice: Value = serde_json::from_slice(&receiver.wait_raw("/r1", 1).await.body).unwrap();
    assert_eq!(notice["event_type"], "REFUND.ABNORMAL");
    let resource: Value = serde_json::from_str(&shop.client.unseal(&notice["resource"])).unwrap();
    assert_eq!(
        (resource["out_refund_no"].as_str(), resource["refund_status"].as_str()),
        (Some("OTHER"), Some("ABNORMAL"))
    );
    fault(&shop.simulator, "notify", Effect::NoticeForged);
    shop.refund("R2", "ORDER1", 40, 100, &receiver.at("/r2")).await;
    let forged = receiver.wait_raw("/r2", 1).await;
    assert!(!is_signed_by(&forged.headers, &forged.body, &shop.platform));
}

#[tokio::test]
async fn a_refund_that_its_card_cannot_take_is_paid_out_to_a_card_that_only_the_gateway_can_read() {
    let mut shop = Shop::open(json!({"mode": "direct"})).await;
    let receiver = Receiver::start().await;
    shop.pay("ORDER1", &shop.phone.code().await, 100).await;
    let (ms, code) = (10, "CHANGE".to_owned());
    fault(&shop.simulator, "refunds", Effect::FailLater { ms, code });
    let filed = shop.refund("R1", "ORDER1", 40, 100, &receiver.at("/r1")).await.json();
    receiver.wait_raw("/r1", 1).await;
    assert_eq!(shop.ask_refund("R1").await.json()["status"], "ABNORMAL");
    let target = format!(
        "/v3/refund/domestic/refunds/{}/apply-abnormal-refund",
        filed["refund_id"].as_str().unwrap()
    );
    let body = |key: &RsaPublicKey| {
        json!({
            "out_refund_no": "R1", "type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT",
            "bank_account": Client::seal(key, "6222020200112233445"), "real_name": Client::seal(key, "张三"),
        })
    };
    let own = shop.client.public_key();
    let without = shop.client.post(&shop.simulator, &target, &body(&own)).await;
    assert_eq!(
        without.refusal(),
        (400, "PARAM_ERROR".to_owned()),
        "the header must name the key"
    );
    shop.client.serial = Some(shop.client.text("public_key_id").to_owned());
    let mixed = shop.client.post(&shop.simulator, &target, &body(&shop.platform)).await;
    assert_eq!(mixed.json()["detail"]["field"], "/bank_account");
    let done = shop.client.post(&shop.simulator, &target, &body(&own)).await;
    assert_eq!((done.status, done.json()["status"].as_str()), (200, Some("PROCESSING")));
    receiver.wait_raw("/r1", 2).await;
    let told = shop.ask_refund("R1").await.json();
    assert_eq!(
        (told["status"].as_str(), told["user_received_account"].as_str()),
        (Some("SUCCESS"), Some("ICBC_DEBIT3445"))
    );
    assert_eq!(moved(&shop.simulator, MovementKind::Refund, "ORDER1").len(), 1);
    let again = shop.client.post(&shop.simulator, &target, &body(&own)).await;
    assert_eq!(again.refusal(), (400, "INVALID_REQUEST".to_owned()));
}

#[tokio::test]
async fn an_account_may_ask_to_be_told_of_payments_and_notices_change_keys_during_a_switch() {
    let receiver = Receiver::refusing(1).await;
    let spec = json!({
        "mode": "direct", "transaction_notify_url": receiver.at("/paid"), "public_key_notice_percent": 100,
    });
    let shop = Shop::open(spec).await;
    shop.pay("ORDER1", &shop.phone.code().await, 100).await;
    let (first, second) = (receiver.wait_raw("/paid", 1).await, receiver.wait_raw("/paid", 2).await);
    assert_eq!(first.body, second.body);
    assert_ne!(
        first.headers["wechatpay-nonce"], second.headers["wechatpay-nonce"],
        "each try is signed anew"
    );
    for notice in [&first, &second] {
        assert_eq!(notice.headers["wechatpay-serial"], shop.client.text("public_key_id"));
        assert!(is_signed_by(&notice.headers, &notice.body, &shop.client.public_key()));
    }
    let envelope: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(envelope["event_type"], "TRANSACTION.SUCCESS");
    let resource: Value = serde_json::from_str(&shop.client.unseal(&envelope["resource"])).unwrap();
    assert_eq!(
        (resource["out_trade_no"].as_str(), resource["amount"]["total"].as_u64()),
        (Some("ORDER1"), Some(100))
    );
}
