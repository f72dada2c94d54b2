//! A gateway that answers what a test wrote down, and the adapter in front of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_channel_alipay::{AlipayConfig, AlipayFactory};
use metropay_core::channel::{
    Channel, ChannelFactory, ContractRef, DeductQuestion, PaymentRef, Product, RefundQuestion, ReverseQuestion, Setting,
};
use metropay_core::clock::{Clock, Time};
use metropay_core::id::{AccountId, ContractNo, PayNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom as OwnRandom;
use metropay_outbound::OutboundSettings;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) const PAY: &str = "alipay.trade.pay";
pub(crate) const QUERY: &str = "alipay.trade.query";
pub(crate) const CANCEL: &str = "alipay.trade.cancel";
pub(crate) const REFUND: &str = "alipay.trade.refund";
pub(crate) const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";
pub(crate) const AGREEMENT_QUERY: &str = "alipay.user.agreement.query";
pub(crate) const UNSIGN: &str = "alipay.user.agreement.unsign";
pub(crate) const CLOSE: &str = "alipay.trade.close";
pub(crate) const BILL_URL: &str = "alipay.data.dataservice.bill.downloadurl.query";
pub(crate) const TOKEN: &str = "alipay.system.oauth.token";
pub(crate) const USER_INFO: &str = "alipay.user.info.share";
pub(crate) const CERT_DOWNLOAD: &str = "alipay.open.app.alipaycert.download";

pub(crate) const TRADE_NO: &str = "2026030122001400001400000001";
pub(crate) const AGREEMENT_NO: &str = "20265301000000000001";
pub(crate) const NOTIFY_URL: &str = "https://pay.example.com/alipay/sign-notify";

/// A file of `tests/vectors`, without the newline at its end.
pub(crate) fn vector(name: &str) -> String {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().trim_end_matches('\n').to_owned()
}

/// A moment on a Chinese wall clock.
pub(crate) fn at(text: &str) -> Time {
    Time::parse_china(text, "%Y-%m-%d %H:%M:%S").unwrap()
}

/// A clock that stands still until it is moved.
pub(crate) struct Held(AtomicI64);

impl Held {
    pub(crate) fn at(time: Time) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(time.0)))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let ms = i64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Held {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn config(gateway_url: &str) -> Value {
    json!({
        "app_id": "2021000000000001",
        "seller_id": "2088000000000001",
        "app_private_key": vector("app_private.pem"),
        "alipay_public_key": vector("alipay_public.pem"),
        "gateway_url": gateway_url,
        "sign_scene": "INDUSTRY|METRO",
        "pay_timeout_ms": 1000,
        "query_timeout_ms": 1000,
        "refund_timeout_ms": 1000,
    })
}

pub(crate) fn build(config: Value, clock: Arc<Held>) -> Arc<dyn Channel> {
    let config: AlipayConfig = serde_json::from_value(config).unwrap();
    let setting = Setting {
        account: AccountId::from("A1"),
        notify_url: NOTIFY_URL.to_owned(),
        clock,
        random: Arc::new(OwnRandom),
    };
    AlipayFactory::new(OutboundSettings::default())
        .build(config, setting)
        .unwrap()
}

/// Signs as Alipay does, with the key of the vectors.
pub(crate) fn alipay_signs(text: &str) -> String {
    alipay_signs_bytes(text.as_bytes())
}

/// Signs bytes of any charset.
pub(crate) fn alipay_signs_bytes(text: &[u8]) -> String {
    let der = pem::parse(vector("alipay_private.pem")).unwrap();
    let key = KeyPair::from_pkcs8(der.contents()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
        .unwrap();
    STANDARD.encode(signature)
}

/// A whole answer to this method, signed.
pub(crate) fn signed(method: &str, node: &Value) -> String {
    let node = node.to_string();
    let root = method.replace('.', "_");
    format!(r#"{{"{root}_response":{node},"sign":"{}"}}"#, alipay_signs(&node))
}

/// A whole answer to this method, signed, in certificate mode.
pub(crate) fn signed_by(method: &str, node: &Value, cert_sn: &str) -> String {
    let body = signed(method, node);
    body.replacen(r#","sign":"#, &format!(r#","alipay_cert_sn":"{cert_sn}","sign":"#), 1)
}

/// The account of the vectors, in certificate mode.
pub(crate) fn certified() -> Value {
    json!({
        "alipay_public_key": null,
        "app_cert": vector("app_cert.crt"),
        "alipay_cert": vector("alipay_cert.crt"),
        "alipay_root_cert": vector("root_certs.crt"),
    })
}

/// A success with these members.
pub(crate) fn success(members: Value) -> Value {
    let node = json!({"code": "10000", "msg": "Success"});
    with(node, members)
}

/// The node with these members put in.
pub(crate) fn with(mut node: Value, members: Value) -> Value {
    let Value::Object(members) = members else {
        panic!("members are an object")
    };
    node.as_object_mut().unwrap().extend(members);
    node
}

/// A failure that names the trade of [`pay_no`].
pub(crate) fn failure(code: &str, sub_code: &str) -> Value {
    json!({"code": code, "msg": "Failed", "sub_code": sub_code, "sub_msg": "失败", "out_trade_no": pay_no().0})
}

/// What the gateway says to the calls of one method, in turn; the last answer repeats.
#[derive(Default, Clone)]
struct Script {
    answers: Arc<Mutex<BTreeMap<String, VecDeque<ResponseTemplate>>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// Under which name the file stands that is fetched with a GET.
pub(crate) const FILE: &str = "GET";

/// A call that reached the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) biz: Value,
    pub(crate) query: String,
}

impl Respond for Script {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let query = request.url.query().unwrap_or_default().as_bytes();
        let parameters: BTreeMap<String, String> = form_urlencoded::parse(query)
            .chain(form_urlencoded::parse(&request.body))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if request.method.as_str() == "GET" {
            let files = self.answers.lock().unwrap();
            return files.get(FILE).and_then(|files| files.front()).cloned().unwrap();
        }
        verify_request(&parameters);
        let method = parameters["method"].clone();
        let biz = parameters.get("biz_content");
        let call = Call {
            // A sealed content stays as it is.
            biz: biz.and_then(|biz| serde_json::from_str(biz).ok()).unwrap_or_default(),
            method: method.clone(),
            query: request.url.query().unwrap_or_default().to_owned(),
            parameters,
        };
        self.calls.lock().unwrap().push(call);
        let mut answers = self.answers.lock().unwrap();
        let queue = answers
            .get_mut(&method)
            .unwrap_or_else(|| panic!("no answer to {method} was written down"));
        if queue.len() > 1 {
            queue.pop_front().unwrap()
        } else {
            queue.front().unwrap().clone()
        }
    }
}

fn verify_request(parameters: &BTreeMap<String, String>) {
    let text: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| *name != "sign")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let public = pem::parse(vector("app_public.pem")).unwrap();
    let signature = STANDARD.decode(&parameters["sign"]).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.contents())
        .verify(text.join("&").as_bytes(), &signature)
        .expect("the request's signature fits");
}

/// The adapter, its clock, and the scripted gateway.
pub(crate) struct Ground {
    server: MockServer,
    script: Script,
    pub(crate) clock: Arc<Held>,
    pub(crate) channel: Arc<dyn Channel>,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// With these fields of the configuration, instead of or beside the usual ones; `null` takes one out.
    pub(crate) async fn with(fields: Value) -> Self {
        let server = MockServer::start().await;
        let script = Script::default();
        Mock::given(wiremock::matchers::any())
            .respond_with(script.clone())
            .mount(&server)
            .await;
        let clock = Held::at(at("2026-03-01 08:30:05"));
        let config = with(config(&format!("{}/gateway.do", server.uri())), fields);
        let channel = build(config, Arc::clone(&clock));
        Self {
            server,
            script,
            clock,
            channel,
        }
    }

    /// Writes down the next answer to a method: signed as it should be.
    pub(crate) fn says(&self, method: &str, node: &Value) {
        self.sends(method, &signed(method, node));
    }

    /// Writes down the next answer to a method: this very body.
    pub(crate) fn sends(&self, method: &str, body: &str) {
        // The content type that the real gateway was seen with.
        let template = ResponseTemplate::new(200).set_body_raw(body, "text/html;charset=utf-8");
        self.answers(method, template);
    }

    /// Writes down the next answer to a method.
    pub(crate) fn answers(&self, method: &str, answer: ResponseTemplate) {
        let mut answers = self.script.answers.lock().unwrap();
        answers.entry(method.to_owned()).or_default().push_back(answer);
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.script.calls.lock().unwrap().clone()
    }

    /// The methods that were called so far.
    pub(crate) fn called(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.method).collect()
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }
}

pub(crate) fn fen(fen: u64) -> Fen {
    Fen::new(fen).unwrap()
}

pub(crate) fn pay_no() -> PayNo {
    PayNo::from("MT202603010830050001")
}

pub(crate) fn payment() -> PaymentRef {
    PaymentRef {
        product: Product::Mandate,
        no: pay_no(),
        at: at("2026-03-01 08:30:05"),
        amount: fen(450),
        channel_no: None,
    }
}

pub(crate) fn deduction() -> DeductQuestion {
    DeductQuestion {
        no: pay_no(),
        at: at("2026-03-01 08:30:05"),
        amount: fen(450),
        body: "地铁便利店 消费码".to_owned(),
        store: "SZTX001".to_owned(),
        contract_handle: AGREEMENT_NO.to_owned(),
    }
}

pub(crate) fn reversal() -> ReverseQuestion {
    ReverseQuestion {
        payment: payment(),
        no: ReversalNo::from("V20260301083100000ABCDEFGHJKLM"),
        at: at("2026-03-01 08:31:00"),
    }
}

pub(crate) fn refund(amount: u64) -> RefundQuestion {
    RefundQuestion {
        payment: payment(),
        no: RefundNo::from("RF202603020001"),
        at: at("2026-03-01 08:30:05"),
        amount: fen(amount),
    }
}

pub(crate) fn contract(handle: Option<&str>) -> ContractRef {
    ContractRef {
        no: ContractNo::from("MTSIGN20260301000001"),
        asked_at: at("2026-03-01 07:00:00"),
        handle: handle.map(str::to_owned),
    }
}

/// The answer to a query about a paid trade.
pub(crate) fn paid_trade(status: &str) -> Value {
    success(json!({
        "out_trade_no": pay_no().0, "trade_no": TRADE_NO, "trade_status": status, "total_amount": "4.50",
        "buyer_pay_amount": "3.50", "receipt_amount": "4.50", "send_pay_date": "2026-03-01 08:30:06",
    }))
}

/// The answer to a query about a trade that nobody paid.
pub(crate) fn unpaid_trade(status: &str) -> Value {
    success(json!({
        "out_trade_no": pay_no().0, "trade_no": TRADE_NO, "trade_status": status, "total_amount": "4.50",
        "buyer_pay_amount": "0.00", "receipt_amount": "0.00",
    }))
}
