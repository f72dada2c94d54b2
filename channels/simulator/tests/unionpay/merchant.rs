//! A merchant of the tests' own: signs, sends, listens for notifications, believes nothing unverified.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::{Effect, Fault, Frame, Gateway, Movement, Settings, Simulator};
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use sha2::Sha256;
use x509_parser::pem::parse_x509_pem;

use super::verifier::{Fields, Verifier, digest, domain, form, scan};

/// The token that every test merchant has from the start.
pub(crate) const TOKEN: &str = "6235240000020757577";

/// How long a test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// The merchant's notification address.
#[derive(Clone, Default)]
struct Mailbox {
    letters: Arc<Mutex<Vec<Fields>>>,
    /// How many letters more are answered with an error.
    refusing: Arc<AtomicU32>,
}

pub(crate) struct Merchant {
    pub(crate) sim: Simulator,
    pub(crate) http: reqwest::Client,
    pub(crate) mer_id: String,
    pub(crate) tr_id: String,
    pub(crate) base_url: String,
    pub(crate) back_url: String,
    pub(crate) verifier: Verifier,
    key: RsaPrivateKey,
    cert_id: String,
    encrypt_cert_pem: String,
    mailbox: Mailbox,
    numbers: AtomicU32,
}

pub(crate) fn quick() -> Settings {
    Settings {
        settle_ms: 20,
        notice_pace_percent: 1,
        ..Settings::default()
    }
}

impl Merchant {
    /// A merchant of a fresh simulator.
    pub(crate) async fn new() -> Self {
        Self::at(Simulator::start(quick()).await.unwrap(), json!({"tokens": [TOKEN]})).await
    }

    /// A merchant of this simulator, with these wishes.
    pub(crate) async fn at(sim: Simulator, wishes: Value) -> Self {
        let account = sim.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
        let said = |name: &str| account[name].as_str().unwrap().to_owned();
        let mailbox = Mailbox::default();
        let app = Router::new()
            .route("/notify", post(receive))
            .with_state(mailbox.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let back_url = format!("http://{}/notify", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (_, pem) = parse_x509_pem(said("cert_pem").as_bytes()).unwrap();
        Self {
            sim,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            mer_id: said("mer_id"),
            tr_id: said("tr_id"),
            base_url: said("base_url"),
            back_url,
            verifier: Verifier {
                root_pem: said("root_cert_pem"),
                middle_pem: said("middle_cert_pem"),
                check_name: true,
            },
            key: RsaPrivateKey::from_pkcs8_pem(&said("private_key_pem")).unwrap(),
            cert_id: pem.parse_x509().unwrap().tbs_certificate.serial.to_string(),
            encrypt_cert_pem: said("encrypt_cert_pem"),
            mailbox,
            numbers: AtomicU32::new(1),
        }
    }

    pub(crate) fn frame(&self) -> &Arc<Frame> {
        self.sim.frame()
    }

    /// The certificate number and the text under this certificate of the gateway, as sensitive fields carry them.
    pub(crate) fn secret_with(cert_pem: &str, text: &str) -> (String, String) {
        let (_, pem) = parse_x509_pem(cert_pem.as_bytes()).unwrap();
        let cert = pem.parse_x509().unwrap();
        let key = RsaPublicKey::from_public_key_der(cert.public_key().raw).unwrap();
        let secret = key.encrypt(&mut rand::thread_rng(), Pkcs1v15Encrypt, text.as_bytes());
        (
            cert.tbs_certificate.serial.to_string(),
            STANDARD.encode(secret.unwrap()),
        )
    }

    /// Tells the gateway of a card and its holder in a message.
    pub(crate) fn tell_holder(&self, message: &mut Fields, card_number: &str, phone: &str, sms_code: &str) {
        let (cert_id, info) = Self::secret_with(&self.encrypt_cert_pem, &format!("phoneNo={phone}&cvn2=123"));
        let mut customer = format!("encryptedInfo={info}");
        if !sms_code.is_empty() {
            customer = format!("smsCode={sms_code}&{customer}");
        }
        message.insert("customerInfo".to_owned(), STANDARD.encode(format!("{{{customer}}}")));
        message.insert("encryptCertId".to_owned(), cert_id);
        if !card_number.is_empty() {
            let (_, secret) = Self::secret_with(&self.encrypt_cert_pem, card_number);
            message.insert("accNo".to_owned(), secret);
        }
    }

    /// Posts a form to a path that is no gateway's.
    pub(crate) async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> (u16, String) {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let request = self.http.post(format!("{}/{path}", self.base_url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Changes how the gateway behaves towards this merchant.
    pub(crate) fn change(&self, mut wishes: Value) {
        wishes["mer_id"] = json!(self.mer_id);
        self.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
    }

    pub(crate) fn script(&self, operation: &str, effect: Effect) {
        let (gateway, operation) = (Some(Gateway::Unionpay), Some(operation.to_owned()));
        self.frame().faults.add(Fault {
            id: 0,
            gateway,
            operation,
            order_no: None,
            times: 1,
            effect,
        });
    }

    pub(crate) fn now(&self) -> String {
        self.frame().clock.now().format("%Y%m%d%H%M%S").to_string()
    }

    /// A message of this type with a fresh order number, not yet signed.
    pub(crate) fn message(&self, txn_type: &str, sub_type: &str, biz_type: &str) -> Fields {
        let number = self.numbers.fetch_add(1, Ordering::SeqCst);
        let now = self.now();
        let order_id = format!("MCP{now}{number:06}");
        fields(&[
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("signMethod", "01"),
            ("txnType", txn_type),
            ("txnSubType", sub_type),
            ("bizType", biz_type),
            ("accessType", "0"),
            ("channelType", "07"),
            ("merId", &self.mer_id),
            ("orderId", &order_id),
            ("txnTime", &now),
        ])
    }

    pub(crate) fn consumption(&self, amount_fen: u64) -> Fields {
        let mut message = self.message("01", "01", "000902");
        message.extend(fields(&[
            ("txnAmt", &amount_fen.to_string()),
            ("currencyCode", "156"),
            ("backUrl", &self.back_url),
            ("tokenPayData", &format!("{{trId={}&token={TOKEN}}}", self.tr_id)),
            ("reqReserved", "c2hvcD0wMDE3"),
        ]));
        message
    }

    /// An undo (31) or refund (04) of this payment.
    pub(crate) fn giving_back(&self, txn_type: &str, query_id: &str, amount_fen: u64) -> Fields {
        let mut message = self.message(txn_type, "00", "000301");
        message.extend(fields(&[
            ("txnAmt", &amount_fen.to_string()),
            ("origQryId", query_id),
            ("backUrl", &self.back_url),
        ]));
        message
    }

    pub(crate) fn sign(&self, mut message: Fields) -> Fields {
        message.insert("certId".to_owned(), self.cert_id.clone());
        message.remove("signature");
        let signature = SigningKey::<Sha256>::new(self.key.clone()).sign(digest(&message).as_bytes());
        message.insert("signature".to_owned(), STANDARD.encode(signature.to_bytes()));
        message
    }

    /// Sends a message as it is and returns the body of the answer.
    pub(crate) async fn post(&self, door: &str, message: &Fields) -> Result<String, reqwest::Error> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(message)
            .finish();
        let url = format!("{}/gateway/api/{door}.do", self.base_url);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
        request.body(body).send().await?.text().await
    }

    /// Signs and sends a message to the back door, and verifies the answer.
    pub(crate) async fn send(&self, message: &Fields) -> Fields {
        let body = self.post("backTransReq", &self.sign(message.clone())).await.unwrap();
        self.believed(&body)
    }

    pub(crate) fn believed(&self, body: &str) -> Fields {
        let answer = scan(body);
        self.verifier
            .verify(&answer, self.frame().clock.now_ms() / 1_000)
            .unwrap_or_else(|doubt| panic!("{doubt:?}: {body}"));
        answer
    }

    /// Asks for the state of the order of this message.
    pub(crate) async fn query(&self, order: &Fields) -> Fields {
        let mut message = self.message("00", "00", "000000");
        message.insert("orderId".to_owned(), order["orderId"].clone());
        message.insert("txnTime".to_owned(), order["txnTime"].clone());
        message.remove("channelType");
        self.believed(&self.post("queryTrans", &self.sign(message)).await.unwrap())
    }

    /// Asks until the order is decided.
    pub(crate) async fn decided(&self, order: &Fields) -> Fields {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.query(order).await;
            if answer["respCode"] == "00" && answer["origRespCode"] != "05" {
                return answer;
            }
            assert!(tokio::time::Instant::now() < deadline, "never decided: {answer:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Pays and waits until it is paid; returns what the query says.
    pub(crate) async fn pay(&self, amount_fen: u64) -> (Fields, Fields) {
        let order = self.consumption(amount_fen);
        assert_eq!(self.send(&order).await["respCode"], "00");
        let paid = self.decided(&order).await;
        assert_eq!(paid["origRespCode"], "00");
        (order, paid)
    }

    /// The message of a reversal of this order.
    pub(crate) fn reversal(&self, order: &Fields) -> Fields {
        let mut message = self.message("99", "01", "000000");
        message.insert("orderId".to_owned(), order["orderId"].clone());
        message.insert("txnTime".to_owned(), order["txnTime"].clone());
        message
    }

    /// The letters about this order number so far.
    pub(crate) fn letters(&self, order_id: &str) -> Vec<Fields> {
        let letters = self.mailbox.letters.lock().unwrap();
        letters
            .iter()
            .filter(|letter| letter["orderId"] == order_id)
            .cloned()
            .collect()
    }

    /// Every letter so far.
    pub(crate) fn all_letters(&self) -> Vec<Fields> {
        self.mailbox.letters.lock().unwrap().clone()
    }

    /// Waits for the first letter about this order and verifies it.
    pub(crate) async fn letter(&self, order: &Fields) -> Fields {
        let letter = self.first_letters(order, 1).await.remove(0);
        self.verifier
            .verify(&letter, self.frame().clock.now_ms() / 1_000)
            .unwrap();
        letter
    }

    /// Waits for so many letters about this order; nothing is verified.
    pub(crate) async fn first_letters(&self, order: &Fields, count: usize) -> Vec<Fields> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let letters = self.letters(&order["orderId"]);
            if letters.len() >= count {
                return letters;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{} of {count} letters came",
                letters.len()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Answers the next letters with an error.
    pub(crate) fn refuse_letters(&self, times: u32) {
        self.mailbox.refusing.store(times, Ordering::SeqCst);
    }

    /// The books as kind, order, payment and amount.
    pub(crate) fn books(&self) -> Vec<Movement> {
        self.frame().books()
    }

    /// What only this merchant can read.
    pub(crate) fn decrypt(&self, secret: &str) -> String {
        let plain = self
            .key
            .decrypt(Pkcs1v15Encrypt, &STANDARD.decode(secret).unwrap())
            .unwrap();
        String::from_utf8(plain).unwrap()
    }

    /// The phone in a `customerInfo` of the gateway.
    pub(crate) fn phone(&self, customer_info: &str) -> String {
        let info = String::from_utf8(STANDARD.decode(customer_info).unwrap()).unwrap();
        self.decrypt(&domain(&info)["encryptedInfo"])
    }
}

pub(crate) fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

async fn receive(State(mailbox): State<Mailbox>, body: String) -> StatusCode {
    mailbox.letters.lock().unwrap().push(form(&body));
    let refused = mailbox
        .refusing
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok();
    if refused {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    }
}
