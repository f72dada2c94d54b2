//! A merchant's client of APIv3, written apart from the gateway's own code.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::{Gateway, Simulator};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::{Oaep, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A merchant's server.
pub(crate) struct Client {
    pub(crate) account: Value,
    pub(crate) base: String,
    /// What its signatures cover in front of `/v3`.
    pub(crate) signed_prefix: &'static str,
    /// Sent as `Wechatpay-Serial`.
    pub(crate) serial: Option<String>,
    key: RsaPrivateKey,
    pub(crate) http: reqwest::Client,
}

/// An answer whose signature is not looked at yet.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Status and code of an error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether this key signed it.
    pub(crate) fn is_signed_by(&self, key: &RsaPublicKey) -> bool {
        is_signed_by(&self.headers, &self.body, key)
    }
}

/// Whether this key signed headers and body of an answer or a notification.
pub(crate) fn is_signed_by(headers: &BTreeMap<String, String>, body: &[u8], key: &RsaPublicKey) -> bool {
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let head = format!("{}\n{}\n", header("wechatpay-timestamp"), header("wechatpay-nonce"));
    let message = [head.as_bytes(), body, b"\n"].concat();
    let Ok(signature) = STANDARD.decode(header("wechatpay-signature")) else {
        return false;
    };
    key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), &signature)
        .is_ok()
}

impl Client {
    /// Of an account that is opened with these wishes.
    pub(crate) fn open(simulator: &Simulator, spec: &Value) -> Self {
        Self::of(simulator.frame().open_account(Gateway::Wechat, spec).unwrap())
    }

    pub(crate) fn of(account: Value) -> Self {
        Self {
            base: account["base_url"].as_str().unwrap().to_owned(),
            signed_prefix: "",
            serial: None,
            key: RsaPrivateKey::from_pkcs8_pem(account["api_key_pem"].as_str().unwrap()).unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            account,
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.account[name].as_str().unwrap()
    }

    /// The public key of the account's merchant platform.
    pub(crate) fn public_key(&self) -> RsaPublicKey {
        RsaPublicKey::from_public_key_pem(self.text("public_key_pem")).unwrap()
    }

    /// The header that signs a request at this moment.
    pub(crate) fn authorization(&self, method: &str, target: &str, body: &str, now_s: i64, nonce: &str) -> String {
        let message = format!("{method}\n{}{target}\n{now_s}\n{nonce}\n{body}\n", self.signed_prefix);
        let signature = self
            .key
            .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message.as_bytes()))
            .unwrap();
        format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{nonce}\",signature=\"{}\",timestamp=\"{now_s}\",serial_no=\"{}\"",
            self.text("mch_id"),
            STANDARD.encode(signature),
            self.text("api_cert_serial"),
        )
    }

    /// A request that is signed as it is sent.
    pub(crate) async fn send(&self, simulator: &Simulator, method: &str, target: &str, body: &str) -> Answer {
        let now_s = simulator.frame().clock.now_ms() / 1_000;
        let nonce = format!("N{:020}", rand::random::<u64>());
        let authorization = self.authorization(method, target, body, now_s, &nonce);
        self.send_as(method, target, body, &[("authorization", &authorization)])
            .await
    }

    /// A request with these headers; `accept`, `user-agent` and `content-type` are there unless given.
    pub(crate) async fn send_as(&self, method: &str, target: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all: BTreeMap<&str, &str> = BTreeMap::from([("accept", "application/json"), ("user-agent", "till/1")]);
        if !body.is_empty() {
            all.insert("content-type", "application/json");
        }
        if let Some(serial) = &self.serial {
            all.insert("wechatpay-serial", serial);
        }
        all.extend(headers.iter().copied());
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{target}", self.base))
            .body(body.to_owned());
        for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        let sent = request.send().await.unwrap();
        Answer {
            status: sent.status().as_u16(),
            headers: sent
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: sent.bytes().await.unwrap().to_vec(),
        }
    }

    pub(crate) async fn get(&self, simulator: &Simulator, target: &str) -> Answer {
        self.send(simulator, "GET", target, "").await
    }

    pub(crate) async fn post(&self, simulator: &Simulator, target: &str, body: &Value) -> Answer {
        self.send(simulator, "POST", target, &body.to_string()).await
    }

    /// The platform certificates that the gateway lists: serial and key, oldest first.
    pub(crate) async fn certificates(&self, simulator: &Simulator) -> Vec<(String, RsaPublicKey)> {
        let answer = self.get(simulator, "/v3/certificates").await;
        assert_eq!(answer.status, 200);
        let listed = answer.json();
        let certificates = listed["data"].as_array().unwrap().iter();
        certificates
            .map(|entry| {
                let pem = self.unseal(&entry["encrypt_certificate"]);
                let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
                let certificate = pem.parse_x509().unwrap();
                let serial = entry["serial_no"].as_str().unwrap().to_owned();
                assert_eq!(serial, hex::encode_upper(certificate.raw_serial()));
                let key = RsaPublicKey::from_public_key_der(certificate.public_key().raw).unwrap();
                (serial, key)
            })
            .collect()
    }

    /// Opens a sealed resource.
    pub(crate) fn unseal(&self, resource: &Value) -> String {
        let text = |name: &str| resource[name].as_str().unwrap();
        assert_eq!(text("algorithm"), "AEAD_AES_256_GCM");
        let cipher = Aes256Gcm::new_from_slice(self.text("api_v3_key").as_bytes()).unwrap();
        let sealed = STANDARD.decode(text("ciphertext")).unwrap();
        let payload = Payload {
            msg: &sealed,
            aad: text("associated_data").as_bytes(),
        };
        let plain = cipher.decrypt(Nonce::from_slice(text("nonce").as_bytes()), payload);
        String::from_utf8(plain.unwrap()).unwrap()
    }

    /// The fields of a payment by code.
    pub(crate) fn payment(&self, number: &str, code: &str, fen: u64) -> Value {
        let mut body = json!({
            "description": "示例便利店-消费", "out_trade_no": number, "attach": "store=S0001",
            "payer": {"auth_code": code}, "amount": {"total": fen, "currency": "CNY"},
            "scene_info": {"store_info": {"out_id": "S0001"}, "device_id": "TILL-1"},
        });
        match self.account.get("sub_mch_id") {
            None => {
                body["appid"] = self.account["appid"].clone();
                body["mchid"] = self.account["mch_id"].clone();
            }
            Some(sub_mch_id) => {
                body["sp_appid"] = self.account["appid"].clone();
                body["sp_mchid"] = self.account["mch_id"].clone();
                body["sub_mchid"] = sub_mch_id.clone();
            }
        }
        body
    }

    /// A path of payments, for this account's mode.
    pub(crate) fn path(&self, tail: &str) -> String {
        let partner = if self.account.get("sub_mch_id").is_some() {
            "partner/"
        } else {
            ""
        };
        format!("/v3/pay/{partner}transactions/{tail}")
    }

    /// The query that names the account.
    pub(crate) fn query(&self) -> String {
        match self.account.get("sub_mch_id").and_then(Value::as_str) {
            None => format!("mchid={}", self.text("mch_id")),
            Some(sub_mch_id) => format!("sp_mchid={}&sub_mchid={sub_mch_id}", self.text("mch_id")),
        }
    }

    /// Seals a field for the owner of a key.
    pub(crate) fn seal(key: &RsaPublicKey, plain: &str) -> String {
        let sealed = key.encrypt(&mut rand::thread_rng(), Oaep::new::<Sha1>(), plain.as_bytes());
        STANDARD.encode(sealed.unwrap())
    }
}
