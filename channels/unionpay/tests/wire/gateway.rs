//! A gateway in a few lines, for tests of single answers: it signs what a test lets it say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom as Rng;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_channel_unionpay::{Unionpay, UnionpayFactory};
use metropay_core::channel::{
    Channel, ChannelRegistry, DeductQuestion, PaymentRef, Product, RefundQuestion, RegistryError, ReverseQuestion,
    Setting,
};
use metropay_core::clock::{Clock, Time};
use metropay_core::id::{ChannelId, PayNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::SeededRandom;
use metropay_outbound::OutboundSettings;
use serde_json::{Value, json};
use wiremock::{Match, Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) type Fields = BTreeMap<String, String>;

pub(crate) const TOKEN: &str = "6235240000020757577";
pub(crate) const PAY: &str = "MCP20250301123456000001";
pub(crate) const QUERY_ID: &str = "102503011234560000018";

/// A clock that stands until it is set.
pub(crate) struct Hands(AtomicI64);

impl Hands {
    pub(crate) fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(china(text).0)))
    }

    pub(crate) fn set(&self, text: &str) {
        self.0.store(china(text).0, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn china(text: &str) -> Time {
    Time::parse_china(text, "%Y%m%d%H%M%S").unwrap()
}

pub(crate) fn config(base_url: &str) -> Value {
    json!({
        "mer_id": "700000000000001",
        "tr_id": "62000000001",
        "sign_cert_pem": include_str!("../vectors/certificates/merchant.pem"),
        "sign_key_pem": include_str!("../vectors/certificates/merchant.key"),
        "root_certs_pem": include_str!("../vectors/certificates/root.pem"),
        "middle_certs_pem": include_str!("../vectors/certificates/middle.pem"),
        "base_url": base_url,
        "query_timeout_ms": 400,
        "file_timeout_ms": 400,
        "consume_timeout_ms": 400,
        "back_timeout_ms": 400,
    })
}

fn setting(clock: Arc<Hands>) -> Setting {
    Setting {
        account: "account-1".into(),
        notify_url: "https://pay.example.test/notify/unionpay".to_owned(),
        clock,
        random: Arc::new(SeededRandom::new(1)),
    }
}

pub(crate) fn build(config: Value, clock: Arc<Hands>) -> Result<Arc<dyn Channel>, RegistryError> {
    let setting = setting(clock);
    let id = ChannelId::from("unionpay");
    ChannelRegistry::new()
        .with(UnionpayFactory::new(OutboundSettings::default()))
        .build(&id, config, setting)
}

/// A gateway whose answers a closure makes, and an adapter that asks it.
pub(crate) struct Stage {
    pub(crate) server: MockServer,
    pub(crate) channel: Arc<dyn Channel>,
    /// The same, with what UnionPay has of its own.
    pub(crate) own: Arc<Unionpay>,
    pub(crate) clock: Arc<Hands>,
}

/// Everything is answered.
struct Anything;

impl Match for Anything {
    fn matches(&self, _: &Request) -> bool {
        true
    }
}

struct Script<F>(F);

impl<F: Fn(&Fields) -> ResponseTemplate + Send + Sync> Respond for Script<F> {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        (self.0)(&read(&request.body))
    }
}

pub(crate) fn read(body: &[u8]) -> Fields {
    form_urlencoded::parse(body).into_owned().collect()
}

impl Stage {
    pub(crate) async fn new(script: impl Fn(&Fields) -> ResponseTemplate + Send + Sync + 'static) -> Self {
        Self::with(|_| {}, script).await
    }

    pub(crate) async fn with(
        change: impl FnOnce(&mut Value),
        script: impl Fn(&Fields) -> ResponseTemplate + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::start().await;
        Mock::given(Anything).respond_with(Script(script)).mount(&server).await;
        let clock = Hands::at("20250301123456");
        let mut config = config(&server.uri());
        change(&mut config);
        let config = serde_json::from_value(config).unwrap();
        let own = UnionpayFactory::default().adapter(config, setting(clock.clone()));
        let own = Arc::new(own.unwrap());
        Self {
            server,
            channel: own.clone(),
            own,
            clock,
        }
    }

    /// The requests so far: path and fields.
    pub(crate) async fn asked(&self) -> Vec<(String, Fields)> {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .map(|request| (request.url.path().to_owned(), read(&request.body)))
            .collect()
    }

    /// The kinds of the requests so far.
    pub(crate) async fn kinds(&self) -> Vec<String> {
        self.asked()
            .await
            .iter()
            .map(|(_, fields)| fields["txnType"].clone())
            .collect()
    }
}

/// Who signs an answer.
#[derive(Clone, Copy)]
pub(crate) enum Signer {
    Unionpay,
    TestGateway,
    Merchant,
    OtherRoot,
}

impl Signer {
    fn pair(self) -> (&'static str, &'static str) {
        let gateway = include_str!("../vectors/certificates/gateway.key");
        match self {
            Self::Unionpay => (include_str!("../vectors/certificates/gateway_prod.pem"), gateway),
            Self::TestGateway => (include_str!("../vectors/certificates/gateway_test.pem"), gateway),
            Self::Merchant => (
                include_str!("../vectors/certificates/merchant.pem"),
                include_str!("../vectors/certificates/merchant.key"),
            ),
            Self::OtherRoot => (
                include_str!("../vectors/certificates/other_gateway.pem"),
                include_str!("../vectors/certificates/other_gateway.key"),
            ),
        }
    }
}

/// The echo of a request with a code, before it is signed.
pub(crate) fn echo(asked: &Fields, code: &str, more: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::new();
    for name in [
        "accessType",
        "bizType",
        "encoding",
        "merId",
        "orderId",
        "txnSubType",
        "txnTime",
        "txnType",
        "version",
        "reqReserved",
        "txnAmt",
        "origQryId",
    ] {
        if let Some(value) = asked.get(name) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    fields.insert("respCode".to_owned(), code.to_owned());
    fields.insert("respMsg".to_owned(), "说明[0000000]".to_owned());
    fields.insert("payCardType".to_owned(), String::new());
    for (name, value) in more {
        fields.insert((*name).to_owned(), (*value).to_owned());
    }
    fields
}

/// Signs fields as the gateway does.
pub(crate) fn sign(mut fields: Fields, signer: Signer) -> Fields {
    let (certificate, key) = signer.pair();
    fields.insert("signMethod".to_owned(), "01".to_owned());
    let certificate = certificate.trim_end().replace('\n', "\r\n");
    fields.insert("signPubKeyCert".to_owned(), certificate);
    let text = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    let hashed = hex::encode(digest(&SHA256, text.as_bytes()));
    let key = KeyPair::from_pkcs8(pem::parse(key).unwrap().contents()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &Rng::new(), hashed.as_bytes(), &mut signature)
        .unwrap();
    fields.insert("signature".to_owned(), BASE64.encode(signature));
    fields
}

/// Raw, as synchronous answers are.
pub(crate) fn raw(fields: &Fields) -> ResponseTemplate {
    with_status(200, fields)
}

/// The same with another HTTP status.
pub(crate) fn with_status(status: u16, fields: &Fields) -> ResponseTemplate {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={value}"));
    let body = pairs.collect::<Vec<_>>().join("&");
    ResponseTemplate::new(status).set_body_string(format!("{body}\r\n"))
}

/// A signed answer with this code.
pub(crate) fn answer(asked: &Fields, code: &str, more: &[(&str, &str)]) -> ResponseTemplate {
    raw(&sign(echo(asked, code, more), Signer::Unionpay))
}

/// A signed answer to a query that found an order of this kind and code.
pub(crate) fn found(asked: &Fields, kind: &str, code: &str, amount: &str) -> ResponseTemplate {
    answer(asked, "00", &order(kind, code, amount))
}

/// The fields of an order that a query found.
pub(crate) fn order<'a>(kind: &'a str, code: &'a str, amount: &'a str) -> [(&'a str, &'a str); 8] {
    [
        ("txnType", kind),
        ("origRespCode", code),
        ("origRespMsg", "说明[1000005]"),
        ("queryId", QUERY_ID),
        ("txnAmt", amount),
        ("currencyCode", "156"),
        ("settleDate", "0301"),
        ("traceTime", "0301123458"),
    ]
}

pub(crate) fn deduction() -> DeductQuestion {
    DeductQuestion {
        no: PayNo::from(PAY),
        at: china("20250301123456"),
        amount: Fen::new(1280).unwrap(),
        body: "矿泉水".to_owned(),
        store: "0017".to_owned(),
        contract_handle: TOKEN.to_owned(),
    }
}

pub(crate) fn payment(channel_no: Option<&str>) -> PaymentRef {
    PaymentRef {
        product: Product::Mandate,
        no: PayNo::from(PAY),
        at: china("20250301123456"),
        amount: Fen::new(1280).unwrap(),
        channel_no: channel_no.map(str::to_owned),
    }
}

pub(crate) fn refund(amount: u64) -> RefundQuestion {
    RefundQuestion {
        payment: payment(Some(QUERY_ID)),
        no: RefundNo::from("MCR20250301150000000001"),
        at: china("20250301123500"),
        amount: Fen::new(amount).unwrap(),
    }
}

pub(crate) fn reversal(channel_no: Option<&str>) -> ReverseQuestion {
    ReverseQuestion {
        payment: payment(channel_no),
        no: ReversalNo::from("V20250301123500000ABCDEFGHJKLM"),
        at: china("20250301123500"),
    }
}

/// A payment by code.
pub(crate) fn by_code(channel_no: Option<&str>) -> PaymentRef {
    PaymentRef {
        product: Product::PaymentCode,
        ..payment(channel_no)
    }
}
