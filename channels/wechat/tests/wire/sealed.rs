//! The gateway's side of APIv3: answers that are signed as the test says, and requests that are verified as the gateway does.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_core::clock::{Clock, Time};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, Request, ResponseTemplate};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::support::{MCH, Scene, SetUp};

pub(crate) const V3_KEY: &str = "TESTONLYapiv3key0000000000000001";
pub(crate) const PUBLIC_ID: &str = "PUB_KEY_ID_0119000099992025030100000000000001";
pub(crate) const PLATFORM_ID: &str = "5B2E8F4A6C0D1357BDF02468ACE13579BDF02468";
pub(crate) const MERCHANT_CERT: &str = include_str!("../vectors/merchant.crt.pem");
pub(crate) const MERCHANT_KEY: &str = include_str!("../vectors/merchant.key.pem");
pub(crate) const PUBLIC_PEM: &str = include_str!("../vectors/public.pub.pem");
const MERCHANT_SERIAL: &str = "3A1C0D5E7B9F2468ACE013579BDF02468ACE1357";
const NONCE: &str = "n0nce0000000000000000000000000zz";

/// With which key the gateway signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Platform,
    Public,
}

impl By {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Platform => PLATFORM_ID,
            Self::Public => PUBLIC_ID,
        }
    }

    fn key(self) -> KeyPair {
        let pem = match self {
            Self::Platform => include_str!("../vectors/platform.key.pem"),
            Self::Public => include_str!("../vectors/public.key.pem"),
        };
        KeyPair::from_pkcs8(pem::parse(pem).expect("a PEM").contents()).expect("a key")
    }

    pub(crate) fn sign(self, at: Time, nonce: &str, body: &str) -> String {
        let key = self.key();
        let message = format!("{}\n{nonce}\n{body}\n", at.unix_seconds());
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        )
        .expect("a signature");
        STANDARD.encode(signature)
    }
}

/// The headers of a message that was signed then.
pub(crate) fn headers(by: By, at: Time, body: &str) -> Vec<(String, String)> {
    let nonce = "gatewaynonce";
    [
        ("wechatpay-timestamp", at.unix_seconds().to_string()),
        ("wechatpay-nonce", nonce.to_owned()),
        ("wechatpay-serial", by.id().to_owned()),
        ("wechatpay-signature", by.sign(at, nonce, body)),
        ("request-id", "08F0A1B2C3-0".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A signed answer.
pub(crate) fn sealed(by: By, at: Time, status: u16, body: &str) -> ResponseTemplate {
    let mut response = ResponseTemplate::new(status).set_body_string(body);
    for (name, value) in headers(by, at, body) {
        response = response.insert_header(name.as_str(), value.as_str());
    }
    response
}

/// The fields of a configuration that speaks APIv3 with the public key.
pub(crate) fn v3_config(over: &Value) -> Value {
    let mut config = json!({
        "api_v3_key": V3_KEY, "client_cert_pem": MERCHANT_CERT, "client_key_pem": MERCHANT_KEY,
        "public_key_id": PUBLIC_ID, "public_key_pem": PUBLIC_PEM,
        "payment_code": true, "payment_code_api": "v3", "refund_api": "v3",
    });
    let fields = config.as_object_mut().expect("an object");
    for (name, value) in over.as_object().expect("an object") {
        fields.insert(name.clone(), value.clone());
    }
    config
}

/// A scene of an account that speaks APIv3.
pub(crate) async fn v3_scene(over: Value) -> Scene {
    Scene::new(SetUp {
        config: v3_config(&over),
        ..SetUp::default()
    })
    .await
}

impl Scene {
    /// Answers calls of this path, signed with the public key now.
    pub(crate) async fn says(&self, verb: &str, at: &str, status: u16, body: &Value) {
        let answer = sealed(By::Public, self.clock.now(), status, &body.to_string());
        self.gives(verb, at, answer, None).await;
    }

    pub(crate) async fn says_once(&self, verb: &str, at: &str, status: u16, body: &Value) {
        let answer = sealed(By::Public, self.clock.now(), status, &body.to_string());
        self.gives(verb, at, answer, Some(1)).await;
    }

    pub(crate) async fn gives(&self, verb: &str, at: &str, answer: ResponseTemplate, times: Option<u64>) {
        let mock = Mock::given(method(verb)).and(path(at)).respond_with(answer);
        let mock = match times {
            Some(times) => mock.up_to_n_times(times),
            None => mock,
        };
        mock.mount(&self.gateway).await;
    }

    /// The requests of this path so far.
    pub(crate) async fn asked(&self, at: &str) -> Vec<Request> {
        let requests = self.gateway.received_requests().await.unwrap_or_default();
        requests
            .into_iter()
            .filter(|request| request.url.path() == at)
            .collect()
    }

    /// Verifies every request of APIv3 so far as the gateway does, and tells how many there were.
    pub(crate) async fn verified(&self) -> usize {
        let requests = self.gateway.received_requests().await.unwrap_or_default();
        let v3 = requests.iter().filter(|request| request.url.path().starts_with("/v3/"));
        v3.map(|request| verify(request, self.clock.now())).count()
    }
}

fn verify(request: &Request, now: Time) {
    let header = |name: &str| {
        let value = request.headers.get(name).and_then(|value| value.to_str().ok());
        assert!(value.is_some(), "no {name}");
        value.unwrap_or_default().to_owned()
    };
    assert!(!header("user-agent").is_empty());
    assert!(!header("accept").is_empty());
    let authorization = header("authorization");
    let fields = authorization
        .strip_prefix("WECHATPAY2-SHA256-RSA2048 ")
        .expect("the scheme");
    let field = |name: &str| {
        let mut all = fields.split(',').filter_map(|field| field.split_once('='));
        let (_, value) = all.find(|(found, _)| *found == name).expect("a field");
        value.trim_matches('"').to_owned()
    };
    assert_eq!(
        (field("mchid").as_str(), field("serial_no").as_str()),
        (MCH, MERCHANT_SERIAL)
    );
    assert_eq!(field("nonce_str"), NONCE);
    let age = now.unix_seconds() - field("timestamp").parse::<i64>().expect("seconds");
    assert!(age >= 0, "signed in the future");
    let target = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let mut message = format!(
        "{}\n{target}\n{}\n{}\n",
        request.method,
        field("timestamp"),
        field("nonce_str")
    )
    .into_bytes();
    message.extend_from_slice(&request.body);
    message.push(b'\n');
    let certificate = pem::parse(MERCHANT_CERT).expect("a PEM");
    let (_, certificate) = X509Certificate::from_der(certificate.contents()).expect("a certificate");
    let signature = STANDARD.decode(field("signature")).expect("Base64");
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, certificate.public_key().raw);
    assert!(
        key.verify(&message, &signature).is_ok(),
        "a wrong signature of {target}"
    );
}

/// A word of a vector of APIv3.
pub(crate) fn v3_vector(id: &str, word: &str) -> &'static str {
    let file = include_str!("../vectors/v3.txt");
    let mut blocks = file.split("\n\n");
    let block = blocks.find(|block| block.lines().next() == Some(&format!("id {id}")));
    let mut lines = block.expect("a vector of this id").lines();
    let line = lines.find_map(|line| line.strip_prefix(&format!("{word} ")));
    line.expect("a line of this word")
}

/// A vector as the answer that it is.
pub(crate) fn answer_of(id: &str) -> ResponseTemplate {
    let status: u16 = v3_vector(id, "status").parse().expect("a status");
    ResponseTemplate::new(status)
        .set_body_string(v3_vector(id, "body"))
        .insert_header("Wechatpay-Timestamp", v3_vector(id, "timestamp"))
        .insert_header("Wechatpay-Nonce", v3_vector(id, "nonce"))
        .insert_header("Wechatpay-Serial", v3_vector(id, "serial"))
        .insert_header("Wechatpay-Signature", v3_vector(id, "signature"))
        .insert_header("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")
}

/// When a vector was signed.
pub(crate) fn time_of(id: &str) -> Time {
    Time(v3_vector(id, "timestamp").parse::<i64>().expect("seconds") * 1_000)
}
