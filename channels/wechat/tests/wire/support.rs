//! A gateway that answers as a test says, with a signer of its own, and an adapter with a held clock and known nonces.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use md5::{Digest, Md5};
use metropay_channel_wechat::WechatFactory;
use metropay_core::channel::{
    Channel, ChannelRegistry, CodePayQuestion, ContractRef, DeductQuestion, PaymentRef, Product, RefundQuestion,
    ReverseQuestion, Setting, SignQuestion,
};
use metropay_core::clock::{Clock, Time};
use metropay_core::id::{AccountId, ChannelId, ContractNo, PayNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::Random;
use metropay_core::secret::Secret;
use metropay_outbound::OutboundSettings;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(crate) const KEY: &str = "TESTONLYapiv2key0000000000000001";
pub(crate) const APPID: &str = "wxd0b1c2a3948576f0";
pub(crate) const MCH: &str = "1900009999";
pub(crate) const SHOP: &str = "1900012345";
pub(crate) const ORDER: &str = "MC20250301123456000000000000001";
pub(crate) const REFUND: &str = "MCR20250301150000000000000000001";
pub(crate) const CONTRACT: &str = "MCWX20250301000001";
pub(crate) const AUTH_CODE: &str = "134567890123456789";
pub(crate) const HANDLE: &str = "202503016600000001";

/// 2025-03-01 12:00:00 in China, the timestamp of vector C1.
pub(crate) const START: Time = Time(1_740_801_600_000);

#[derive(Clone)]
pub(crate) struct HeldClock(Arc<AtomicI64>);

impl HeldClock {
    pub(crate) fn set(&self, time: Time) {
        self.0.store(time.0, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

/// Gives one nonce, always.
struct KnownNonce(&'static str);

impl Random for KnownNonce {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn letters(&self, length: usize, _: &[u8]) -> String {
        assert_eq!(length, self.0.len());
        self.0.to_owned()
    }
}

pub(crate) struct Scene {
    pub(crate) gateway: MockServer,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) clock: HeldClock,
}

/// How an adapter is set up; `config` overrides fields of a service provider's with MD5.
pub(crate) struct SetUp {
    pub(crate) nonce: &'static str,
    pub(crate) notify_url: &'static str,
    pub(crate) config: Value,
}

impl Default for SetUp {
    fn default() -> Self {
        Self {
            nonce: "n0nce0000000000000000000000000zz",
            notify_url: "https://pay.example.test/notify/wechat/deduct",
            config: json!({}),
        }
    }
}

pub(crate) fn config(base_url: &str, over: &Value) -> Value {
    let mut config = json!({
        "mode": "provider", "appid": APPID, "mch_id": MCH, "sub_mch_id": SHOP, "api_key": KEY, "sign_type": "MD5",
        "plan_id": "123456", "base_url": base_url, "spbill_create_ip": "203.0.113.10",
    });
    let fields = config.as_object_mut().expect("an object");
    for (name, value) in over.as_object().expect("an object") {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    config
}

pub(crate) fn adapter(
    config: Value,
    notify_url: &str,
    nonce: &'static str,
    clock: &HeldClock,
) -> Result<Arc<dyn Channel>, String> {
    let registry = ChannelRegistry::new().with(WechatFactory::new(OutboundSettings::default()));
    let setting = Setting {
        account: AccountId::from("A1"),
        notify_url: notify_url.to_owned(),
        clock: Arc::new(clock.clone()),
        random: Arc::new(KnownNonce(nonce)),
    };
    registry
        .build(&ChannelId::from("wechat"), config, setting)
        .map_err(|error| error.to_string())
}

pub(crate) fn held_clock() -> HeldClock {
    HeldClock(Arc::new(AtomicI64::new(START.0)))
}

impl Scene {
    pub(crate) async fn new(set_up: SetUp) -> Self {
        let gateway = MockServer::start().await;
        let clock = held_clock();
        let config = config(&gateway.uri(), &set_up.config);
        let channel = adapter(config, set_up.notify_url, set_up.nonce, &clock).expect("a configuration that works");
        Self {
            gateway,
            channel,
            clock,
        }
    }

    pub(crate) async fn provider() -> Self {
        Self::new(SetUp::default()).await
    }

    /// Answers calls of this path with these bytes from now on; the first rule that fits counts.
    pub(crate) async fn answers(&self, at: &str, body: impl Into<Vec<u8>>) {
        self.responds(at, ResponseTemplate::new(200).set_body_bytes(body)).await;
    }

    pub(crate) async fn responds(&self, at: &str, response: ResponseTemplate) {
        Mock::given(method("POST"))
            .and(path(at))
            .respond_with(response)
            .mount(&self.gateway)
            .await;
    }

    /// Answers the next call of this path only.
    pub(crate) async fn answers_once(&self, at: &str, body: impl Into<Vec<u8>>) {
        Mock::given(method("POST"))
            .and(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_bytes(body))
            .up_to_n_times(1)
            .mount(&self.gateway)
            .await;
    }

    /// Bodies of the calls of this path so far.
    pub(crate) async fn sent(&self, at: &str) -> Vec<String> {
        let requests = self.gateway.received_requests().await.unwrap_or_default();
        let here = requests.into_iter().filter(|request| request.url.path() == at);
        here.map(|request| String::from_utf8_lossy(&request.body).into_owned())
            .collect()
    }
}

fn signature(fields: &BTreeMap<String, String>, key: &str, hmac_sha256: bool) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let text = format!("{}&key={key}", pairs.join("&"));
    if hmac_sha256 {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        hex::encode_upper(hmac::sign(&key, text.as_bytes()))
    } else {
        hex::encode_upper(Md5::digest(text.as_bytes()))
    }
}

/// A message of these fields, signed by this key.
pub(crate) fn signed_by(key: &str, fields: &[(&str, &str)], hmac_sha256: bool) -> String {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in fields {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    all.insert("sign".to_owned(), signature(&all, key, hmac_sha256));
    let elements: Vec<String> = all
        .iter()
        .map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>"))
        .collect();
    format!("<xml>{}</xml>", elements.concat())
}

const HEADS: &[(&str, &str)] = &[
    ("return_code", "SUCCESS"),
    ("return_msg", "OK"),
    ("appid", APPID),
    ("mch_id", MCH),
    ("sub_mch_id", SHOP),
    ("nonce_str", "gatewaynonce"),
];

/// A signed answer of success with these fields.
pub(crate) fn taken(fields: &[(&str, &str)]) -> String {
    signed_by(KEY, &[HEADS, &[("result_code", "SUCCESS")], fields].concat(), false)
}

/// A signed answer of failure with this code and a further field.
pub(crate) fn failed_with(code: &str, name: &str, value: &str) -> String {
    let result = [("result_code", "FAIL"), ("err_code", code), (name, value)];
    signed_by(KEY, &[HEADS, &result].concat(), false)
}

/// A signed answer of failure with this code.
pub(crate) fn failed(code: &str, text: &str) -> String {
    let result = [("result_code", "FAIL"), ("err_code", code), ("err_code_des", text)];
    signed_by(KEY, &[HEADS, &result].concat(), false)
}

/// How an order stands, as a query's answer says.
pub(crate) fn order(state: &str) -> String {
    taken(&[("out_trade_no", ORDER), ("trade_state", state), ("total_fee", "1280")])
}

pub(crate) const PAID: &[(&str, &str)] = &[
    ("out_trade_no", ORDER),
    ("trade_state", "SUCCESS"),
    ("total_fee", "1280"),
    ("cash_fee", "1230"),
    ("coupon_fee", "50"),
    ("fee_type", "CNY"),
    ("transaction_id", "4200000000202503010000000001"),
    ("time_end", "20250301120030"),
];

/// The fields of [`PAID`] with one changed; an empty value takes it away.
pub(crate) fn paid_but(name: &str, value: &str) -> String {
    let fields: Vec<(&str, &str)> = PAID
        .iter()
        .map(|(n, v)| if *n == name { (*n, value) } else { (*n, *v) })
        .collect();
    taken(&fields)
}

/// A message of the vectors.
pub(crate) fn vector(id: &str, word: &str) -> &'static str {
    let file = include_str!("../vectors/computed.txt");
    let block = file
        .split("\n\n")
        .find(|block| block.lines().next() == Some(&format!("id {id}")))
        .expect("a vector of this id");
    let line = block.lines().find_map(|line| line.strip_prefix(&format!("{word} ")));
    line.expect("a line of this word")
}

pub(crate) fn fen(amount: u64) -> Fen {
    Fen::new(amount).expect("a small amount")
}

pub(crate) fn payment() -> PaymentRef {
    PaymentRef {
        product: Product::Mandate,
        no: PayNo::from(ORDER),
        at: START,
        amount: fen(1280),
        channel_no: None,
    }
}

pub(crate) fn deduction() -> DeductQuestion {
    DeductQuestion {
        no: PayNo::from(ORDER),
        at: START,
        amount: fen(1280),
        body: "示例便利店-消费".to_owned(),
        store: "S0001".to_owned(),
        contract_handle: HANDLE.to_owned(),
    }
}

pub(crate) fn code_payment() -> CodePayQuestion {
    CodePayQuestion {
        no: PayNo::from(ORDER),
        at: START,
        amount: fen(1280),
        body: "示例便利店-消费".to_owned(),
        store: "S0001".to_owned(),
        code: Secret::from(AUTH_CODE),
    }
}

/// The same payment, as one that was made by code.
pub(crate) fn by_code() -> PaymentRef {
    PaymentRef {
        product: Product::PaymentCode,
        ..payment()
    }
}

pub(crate) fn code_reversal() -> ReverseQuestion {
    ReverseQuestion {
        payment: by_code(),
        ..reversal()
    }
}

pub(crate) fn refund() -> RefundQuestion {
    RefundQuestion {
        payment: payment(),
        no: RefundNo::from(REFUND),
        at: START.plus(Duration::from_secs(3_600)),
        amount: fen(300),
    }
}

pub(crate) fn reversal() -> ReverseQuestion {
    ReverseQuestion {
        payment: payment(),
        no: ReversalNo::from(REFUND),
        at: START,
    }
}

pub(crate) fn contract(handle: Option<&str>) -> ContractRef {
    ContractRef {
        no: ContractNo::from(CONTRACT),
        asked_at: START,
        handle: handle.map(str::to_owned),
    }
}

pub(crate) fn signing() -> SignQuestion {
    SignQuestion {
        contract: contract(None),
        sequence: 1_740_801_600_000_001,
        display: "消费码用户0001".to_owned(),
        return_url: "https://pay.example.test/back".to_owned(),
        user_ip: Some("203.0.113.77".to_owned()),
    }
}
