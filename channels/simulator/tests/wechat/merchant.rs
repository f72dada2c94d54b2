//! A merchant with an account at a gateway that was started for the test.

use metropay_simulator::{Effect, Fault, Gateway, Movement, MovementKind, Settings, Simulator};
use serde_json::{Value, json};

use super::receiver::{Receiver, until};
use super::wire::{Algorithm, Message, from_xml, message, sign, to_xml};

/// A simulator that settles and repeats fast.
pub(crate) async fn simulator() -> Simulator {
    simulator_with(settings()).await
}

pub(crate) fn settings() -> Settings {
    Settings {
        notice_pace_percent: 1,
        settle_ms: 20,
        ..Settings::default()
    }
}

pub(crate) async fn simulator_with(settings: Settings) -> Simulator {
    Simulator::start(settings).await.unwrap()
}

/// A merchant's server.
#[derive(Clone)]
pub(crate) struct Merchant {
    pub(crate) base: String,
    pub(crate) appid: String,
    pub(crate) mch_id: String,
    pub(crate) sub_mch_id: Option<String>,
    pub(crate) api_key: String,
    pub(crate) plan_id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) http: reqwest::Client,
}

impl Merchant {
    pub(crate) fn open(simulator: &Simulator, spec: &Value) -> Self {
        Self::of(&simulator.frame().open_account(Gateway::Wechat, spec).unwrap())
    }

    /// Of an account that is open.
    pub(crate) fn of(account: &Value) -> Self {
        let text = |name: &str| account[name].as_str().map(str::to_owned);
        Self {
            base: text("base_url").unwrap(),
            appid: text("appid").unwrap(),
            mch_id: text("mch_id").unwrap(),
            sub_mch_id: text("sub_mch_id"),
            api_key: text("api_key").unwrap(),
            plan_id: text("plan_id").unwrap(),
            algorithm: Algorithm::Md5,
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    /// A direct merchant without wishes.
    pub(crate) fn direct(simulator: &Simulator) -> Self {
        Self::open(simulator, &json!({"mode": "direct"}))
    }

    /// The provider without any of its shops.
    pub(crate) fn without_shop(&self) -> Self {
        Self {
            sub_mch_id: None,
            ..self.clone()
        }
    }

    /// Changes the terms of this account.
    pub(crate) fn change(&self, simulator: &Simulator, mut wishes: Value) {
        wishes["mch_id"] = json!(self.mch_id);
        simulator.frame().open_account(Gateway::Wechat, &wishes).unwrap();
    }

    /// A request with heads, nonce where it belongs, and signature.
    pub(crate) fn signed(&self, path: &str, fields: &[(&str, &str)]) -> Message {
        let mut request = message(fields);
        request.insert("appid".into(), self.appid.clone());
        request.insert("mch_id".into(), self.mch_id.clone());
        if let Some(sub_mch_id) = &self.sub_mch_id {
            request.insert("sub_mch_id".into(), sub_mch_id.clone());
        }
        if !path.contains("papay/") {
            request.insert("nonce_str".into(), format!("n{}", rand::random::<u64>()));
        }
        if self.algorithm == Algorithm::Hmac && !path.contains("deletecontract") && !path.contains("/entrustweb") {
            request.insert("sign_type".into(), "HMAC-SHA256".into());
        }
        self.resign(&mut request);
        request
    }

    /// Signs a request anew after it was changed.
    pub(crate) fn resign(&self, request: &mut Message) {
        let hmac = request.get("sign_type").is_some_and(|name| name == "HMAC-SHA256");
        let algorithm = if hmac { Algorithm::Hmac } else { Algorithm::Md5 };
        let sign = sign(request, &self.api_key, algorithm);
        request.insert("sign".into(), sign);
    }

    /// The path of this account's mode for calls that have a provider's twin.
    pub(crate) fn path(&self, family: &str, name: &str) -> String {
        let partner = if self.sub_mch_id.is_some() { "partner/" } else { "" };
        format!("/{family}/{partner}{name}")
    }

    pub(crate) async fn send(&self, path: &str, body: String) -> String {
        let sent = self
            .http
            .post(format!("{}{path}", self.base))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), 200);
        sent.text().await.unwrap()
    }

    /// Calls and verifies the answer's signature.
    pub(crate) async fn call(&self, path: &str, fields: &[(&str, &str)]) -> Message {
        let request = self.signed(path, fields);
        let answer = from_xml(&self.send(path, to_xml(&request)).await, "xml");
        let hmac = request.contains_key("sign_type");
        self.assert_signed(&answer, if hmac { Algorithm::Hmac } else { Algorithm::Md5 });
        answer
    }

    pub(crate) fn assert_signed(&self, message: &Message, algorithm: Algorithm) {
        assert_eq!(
            message.get("sign"),
            Some(&sign(message, &self.api_key, algorithm)),
            "{message:?}"
        );
    }

    /// The fields of a signing call.
    pub(crate) fn signing_fields<'a>(
        &'a self,
        code: &'a str,
        notify_url: &'a str,
        now: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        vec![
            ("plan_id", &self.plan_id),
            ("contract_code", code),
            ("request_serial", "1740801600000001"),
            ("contract_display_account", "消费码用户0001"),
            ("notify_url", notify_url),
            ("version", "1.0"),
            ("timestamp", now),
        ]
    }

    pub(crate) async fn pre_sign(&self, simulator: &Simulator, code: &str, notify_url: &str) -> Message {
        let now = now_s(simulator);
        let path = self.path("papay", "preentrustweb");
        self.call(&path, &self.signing_fields(code, notify_url, &now)).await
    }

    /// The user decides on the phone; returns the status of the page.
    pub(crate) async fn decide(&self, id: &str, agree: bool, user: &str) -> reqwest::Response {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("id", id)
            .append_pair("agree", if agree { "1" } else { "0" })
            .append_pair("user", user)
            .finish();
        self.http
            .post(format!("{}/phone/sign", self.base))
            .body(form)
            .send()
            .await
            .unwrap()
    }

    /// A contract of this user, and its number.
    pub(crate) async fn contract(&self, simulator: &Simulator, receiver: &Receiver, code: &str, user: &str) -> String {
        let path = format!("/contract/{code}");
        let id = self.pre_sign(simulator, code, &receiver.at(&path)).await["pre_entrustweb_id"].clone();
        assert_eq!(self.decide(&id, true, user).await.status(), 200);
        receiver.wait(&path, 1).await["contract_id"].clone()
    }

    pub(crate) async fn apply(&self, receiver: &Receiver, contract_id: &str, out_trade_no: &str, fen: u64) -> Message {
        let path = self.path("pay", "pappayapply");
        let (fen, url) = (fen.to_string(), receiver.at(&format!("/deduct/{out_trade_no}")));
        self.call(&path, &deduction(contract_id, out_trade_no, &fen, &url))
            .await
    }

    /// A deduction that is paid.
    pub(crate) async fn paid(&self, receiver: &Receiver, contract_id: &str, out_trade_no: &str, fen: u64) -> Message {
        let accepted = self.apply(receiver, contract_id, out_trade_no, fen).await;
        assert_eq!(accepted["result_code"], "SUCCESS", "{accepted:?}");
        let notice = receiver.wait(&format!("/deduct/{out_trade_no}"), 1).await;
        assert_eq!(notice["result_code"], "SUCCESS", "{notice:?}");
        notice
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Message {
        self.call(&self.path("pay", "paporderquery"), &[("out_trade_no", out_trade_no)])
            .await
    }

    /// Waits until the query tells this state.
    pub(crate) async fn wait_state(&self, out_trade_no: &str, state: &str) -> Message {
        until(&format!("{out_trade_no} to be {state}"), async || {
            let answer = self.call("/pay/orderquery", &[("out_trade_no", out_trade_no)]).await;
            (answer.get("trade_state").is_some_and(|now| now == state)).then_some(answer)
        })
        .await
    }

    pub(crate) async fn refund(&self, receiver: &Receiver, order: (&str, u64), number: &str, fen: u64) -> Message {
        let (total, fen) = (order.1.to_string(), fen.to_string());
        let url = receiver.at(&format!("/refund/{number}"));
        let fields = [
            ("out_trade_no", order.0),
            ("out_refund_no", number),
            ("total_fee", &total),
            ("refund_fee", &fen),
            ("notify_url", &url),
        ];
        self.call("/secapi/pay/refund", &fields).await
    }
}

/// The fields of a deduction.
pub(crate) fn deduction<'a>(contract: &'a str, number: &'a str, fen: &'a str, url: &'a str) -> [(&'a str, &'a str); 9] {
    [
        ("body", "示例便利店-消费"),
        ("attach", "store=S0001"),
        ("out_trade_no", number),
        ("total_fee", fen),
        ("fee_type", "CNY"),
        ("spbill_create_ip", "203.0.113.10"),
        ("notify_url", url),
        ("trade_type", "PAP"),
        ("contract_id", contract),
    ]
}

/// Unix seconds on the gateway's clock.
pub(crate) fn now_s(simulator: &Simulator) -> String {
    (simulator.frame().clock.now_ms() / 1_000).to_string()
}

/// Adds a line to the fault script, as the control interface would.
pub(crate) fn fault(simulator: &Simulator, operation: &str, effect: Effect) {
    simulator.frame().faults.add(Fault {
        id: 0,
        gateway: Some(Gateway::Wechat),
        operation: Some(operation.to_owned()),
        order_no: None,
        times: 1,
        effect,
    });
}

/// The movements of one kind that belong to a payment.
pub(crate) fn moved(simulator: &Simulator, kind: MovementKind, payment_no: &str) -> Vec<Movement> {
    let books = simulator.frame().books();
    books
        .into_iter()
        .filter(|movement| movement.kind == kind && movement.payment_no == payment_no)
        .collect()
}
