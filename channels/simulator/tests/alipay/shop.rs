//! A simulator with the reference's account, and a client of that merchant.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::{Fault, Gateway, Settings, Simulator};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const APP_ID: &str = "2021000000000001";
pub(crate) const USER: &str = "2088000000000099";

pub(crate) const PAGE_SIGN: &str = "alipay.user.agreement.page.sign";
pub(crate) const AGREEMENT_QUERY: &str = "alipay.user.agreement.query";
pub(crate) const UNSIGN: &str = "alipay.user.agreement.unsign";
pub(crate) const PAY: &str = "alipay.trade.pay";
pub(crate) const QUERY: &str = "alipay.trade.query";
pub(crate) const CANCEL: &str = "alipay.trade.cancel";
pub(crate) const CLOSE: &str = "alipay.trade.close";
pub(crate) const REFUND: &str = "alipay.trade.refund";
pub(crate) const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";

/// A vector of the reference, section 2.
pub(crate) fn vector(name: &str) -> &'static str {
    let text = include_str!("../../src/alipay/vectors.txt");
    let (_, rest) = text.split_once(&format!("\n## {name}\n")).unwrap();
    rest.split("\n## ").next().unwrap().trim()
}

pub(crate) fn settings() -> Settings {
    Settings {
        notice_pace_percent: 1,
        settle_ms: 20,
        ..Settings::default()
    }
}

/// Whether a signature of the gateway fits the text.
pub(crate) fn fits(text: &str, signature: &str) -> bool {
    fits_bytes(text.as_bytes(), signature)
}

/// Whether a signature of the gateway fits the bytes.
pub(crate) fn fits_bytes(bytes: &[u8], signature: &str) -> bool {
    let key = RsaPublicKey::from_public_key_pem(vector("alipay public key")).unwrap();
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    let digest = Sha256::digest(bytes);
    key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, &signature).is_ok()
}

/// The merchant's signature under a request.
pub(crate) fn signature(params: &BTreeMap<String, String>) -> String {
    let covered = params
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.trim().is_empty());
    let parts: Vec<String> = covered.map(|(name, value)| format!("{name}={value}")).collect();
    let key = RsaPrivateKey::from_pkcs8_pem(vector("app private key")).unwrap();
    let digest = Sha256::digest(parts.join("&").as_bytes());
    STANDARD.encode(key.sign(Pkcs1v15Sign::new::<Sha256>(), &digest).unwrap())
}

pub(crate) fn form(params: &BTreeMap<String, String>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// The id of a consent page.
pub(crate) fn page_id(page: &str) -> String {
    let (_, rest) = page
        .split_once("name=\"id\" value=\"")
        .unwrap_or_else(|| panic!("no consent page: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The content of a deduction.
pub(crate) fn order(number: &str, agreement_no: &str, yuan: &str) -> Value {
    json!({"out_trade_no": number, "total_amount": yuan, "subject": "地铁便利店 消费码",
        "product_code": "GENERAL_WITHHOLDING", "agreement_params": {"agreement_no": agreement_no},
        "query_options": ["fund_bill_list", "voucher_detail_list", "discount_amount", "mdiscount_amount"]})
}

/// The content of a payment by code, as a till sends it.
pub(crate) fn code_order(number: &str, code: &str, yuan: &str) -> Value {
    json!({"out_trade_no": number, "scene": "bar_code", "auth_code": code, "product_code": "FACE_TO_FACE_PAYMENT",
        "subject": "地铁便利店", "total_amount": yuan, "store_id": "S031", "operator_id": "C07", "terminal_id": "T0001",
        "timeout_express": "2m",
        "query_options": ["fund_bill_list", "voucher_detail_list", "discount_amount", "mdiscount_amount"]})
}

/// A content that names only the order.
pub(crate) fn trade(number: &str) -> Value {
    json!({"out_trade_no": number})
}

/// An answer: its root, its node, and whether it was signed, and rightly.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) root: String,
    pub(crate) node: Value,
    pub(crate) signed: bool,
    pub(crate) fits: bool,
    /// The certificate that it names.
    pub(crate) cert_sn: Option<String>,
    /// The signature, and the text that it should fit.
    pub(crate) signature: String,
    pub(crate) raw: String,
}

impl Answer {
    pub(crate) fn read(body: &str) -> Self {
        let inner = body.strip_prefix("{\"").unwrap();
        let (root, rest) = inner.split_once("\":").unwrap();
        let mut nodes = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let node = nodes.next().unwrap().unwrap();
        let (raw, tail) = rest.split_at(nodes.byte_offset());
        let (cert_sn, tail) = match tail.strip_prefix(",\"alipay_cert_sn\":\"") {
            Some(tail) => {
                let (sn, tail) = tail.split_at(32);
                (Some(sn.to_owned()), tail.strip_prefix('"').unwrap())
            }
            None => (None, tail),
        };
        let signature = tail
            .strip_prefix(",\"sign\":\"")
            .map(|tail| tail.strip_suffix("\"}").unwrap());
        let fits = signature.is_some_and(|signature| fits(raw, signature));
        Self {
            root: root.to_owned(),
            node,
            signed: signature.is_some(),
            fits,
            cert_sn,
            signature: signature.unwrap_or_default().to_owned(),
            raw: raw.to_owned(),
        }
    }

    /// A member, empty when it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.node[name].as_str().unwrap_or_default()
    }

    /// Checks that all these `name=value` hold.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        for (name, value) in words.split(' ').filter_map(|word| word.split_once('=')) {
            assert_eq!(self.text(name), value, "{name} in {}", self.node);
        }
        self
    }
}

pub(crate) struct Shop {
    pub(crate) sim: Simulator,
    pub(crate) client: reqwest::Client,
}

impl Shop {
    pub(crate) async fn open(spec: Value) -> Self {
        Self::open_with(settings(), spec).await
    }

    pub(crate) async fn open_with(settings: Settings, mut spec: Value) -> Self {
        let sim = Simulator::start(settings).await.unwrap();
        spec["app_id"] = json!(APP_ID);
        spec["seller_id"] = json!("2088000000000001");
        spec["app_public_key_pem"] = json!(vector("app public key"));
        spec["alipay_private_key_pem"] = json!(vector("alipay private key"));
        sim.frame().open_account(Gateway::Alipay, &spec).unwrap();
        Self { sim, client: client() }
    }

    pub(crate) fn change(&self, mut spec: Value) {
        spec["app_id"] = json!(APP_ID);
        self.sim.frame().open_account(Gateway::Alipay, &spec).unwrap();
    }

    pub(crate) fn gateway(&self) -> String {
        format!("{}/alipay/gateway.do", self.sim.url())
    }

    pub(crate) fn fault(&self, line: Value) {
        self.sim
            .frame()
            .faults
            .add(serde_json::from_value::<Fault>(line).unwrap());
    }

    pub(crate) fn set_clock(&self, china_time: &str) {
        let time = chrono::DateTime::parse_from_rfc3339(&format!("{china_time}+08:00")).unwrap();
        let clock = &self.sim.frame().clock;
        clock.set_offset_ms(time.timestamp_millis() - (clock.now_ms() - clock.offset_ms()));
    }

    pub(crate) fn advance(&self, seconds: i64) {
        let clock = &self.sim.frame().clock;
        clock.set_offset_ms(clock.offset_ms() + seconds * 1_000);
    }

    /// The signed parameters of a call.
    pub(crate) fn params(&self, method: &str, biz: &Value, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let timestamp = self.sim.frame().clock.now().format("%Y-%m-%d %H:%M:%S").to_string();
        let biz = biz.to_string();
        let common = [
            ("app_id", APP_ID),
            ("method", method),
            ("format", "JSON"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &timestamp),
            ("version", "1.0"),
            ("biz_content", &biz),
        ];
        let all = common.iter().chain(more);
        let mut params = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        sign(&mut params);
        params
    }

    /// Sends a call as the official SDKs do: `biz_content` in the body, the rest in the query.
    pub(crate) async fn send(&self, params: &BTreeMap<String, String>) -> Result<String, reqwest::Error> {
        let (body, query) = params.clone().into_iter().partition(|(name, _)| name == "biz_content");
        let request = self.client.post(format!("{}?{}", self.gateway(), form(&query)));
        let request = request.header("content-type", "application/x-www-form-urlencoded;charset=utf-8");
        request.body(form(&body)).send().await?.text().await
    }

    pub(crate) async fn call(&self, method: &str, biz: Value) -> Answer {
        self.call_with(method, biz, &[]).await
    }

    pub(crate) async fn call_with(&self, method: &str, biz: Value, more: &[(&str, &str)]) -> Answer {
        let answer = Answer::read(&self.send(&self.params(method, &biz, more)).await.unwrap());
        assert_eq!(answer.root, format!("{}_response", method.replace('.', "_")));
        answer
    }

    /// Opens the consent page and agrees; the agreement's number.
    pub(crate) async fn sign(&self, external_no: &str, more: &[(&str, &str)]) -> String {
        let page = self.open_page(external_no, more).await;
        self.agree(&page_id(&page), USER).await;
        let found = self.call(AGREEMENT_QUERY, by_external(external_no)).await;
        found.says("code=10000 status=NORMAL").text("agreement_no").to_owned()
    }

    pub(crate) async fn open_page(&self, external_no: &str, more: &[(&str, &str)]) -> String {
        let biz = json!({"personal_product_code": "GENERAL_WITHHOLDING_P", "product_code": "GENERAL_WITHHOLDING",
            "sign_scene": "INDUSTRY|METRO", "external_agreement_no": external_no,
            "access_params": {"channel": "ALIPAYAPP"}});
        let url = format!("{}?{}", self.gateway(), form(&self.params(PAGE_SIGN, &biz, more)));
        self.client.get(url).send().await.unwrap().text().await.unwrap()
    }

    pub(crate) async fn agree(&self, page_id: &str, user: &str) -> reqwest::Response {
        self.phone("sign", &[("id", page_id), ("agree", "1"), ("user", user)])
            .await
    }

    /// A fresh payment code of this user.
    pub(crate) async fn code(&self, user: &str, needs_password: &str) -> String {
        let shown = self
            .phone("code", &[("user", user), ("needs_password", needs_password)])
            .await;
        let shown: Value = serde_json::from_str(&shown.text().await.unwrap()).unwrap();
        shown["code"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn pay_by_code(&self, number: &str, code: &str, yuan: &str) -> Answer {
        self.call(PAY, code_order(number, code, yuan)).await
    }

    /// The user's answer to the question for his password; the status.
    pub(crate) async fn password(&self, code: &str, agree: &str) -> u16 {
        let answer = self.phone("password", &[("code", code), ("agree", agree)]).await;
        answer.status().as_u16()
    }

    /// Gives something to a user.
    pub(crate) async fn give(&self, user: &str, name: &str, value: &str) {
        let given = self.phone("wallet", &[("user", user), (name, value)]).await;
        assert_eq!(given.status(), 200, "{name}={value}");
    }

    /// One step of the user on his phone.
    pub(crate) async fn phone(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let request = self.client.post(format!("{}/alipay/phone/{path}", self.sim.url()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(form(&fields)).send().await.unwrap()
    }

    pub(crate) async fn pay(&self, number: &str, agreement_no: &str, yuan: &str) -> Answer {
        self.call(PAY, order(number, agreement_no, yuan)).await
    }

    pub(crate) async fn cancel(&self, number: &str) -> Answer {
        self.call(CANCEL, trade(number)).await
    }

    /// The trade's state, or the code of the query's failure.
    pub(crate) async fn status(&self, number: &str) -> String {
        let answer = self.call(QUERY, trade(number)).await;
        let name = if answer.text("code") == "10000" {
            "trade_status"
        } else {
            "sub_code"
        };
        answer.text(name).to_owned()
    }

    pub(crate) async fn wait_status(&self, number: &str, status: &str) {
        for _ in 0..200 {
            if self.status(number).await == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{number} never became {status}");
    }

    /// The books in short: kind, number and fen of each movement.
    pub(crate) fn books(&self) -> Vec<String> {
        let movements = self.sim.frame().books().into_iter();
        movements
            .map(|m| format!("{:?} {} {}", m.kind, m.order_no, m.amount_fen))
            .collect()
    }
}

pub(crate) fn sign(params: &mut BTreeMap<String, String>) {
    let signature = signature(params);
    params.insert("sign".to_owned(), signature);
}

/// The key of an agreement by the merchant's own number.
pub(crate) fn by_external(external_no: &str) -> Value {
    json!({"external_agreement_no": external_no, "personal_product_code": "GENERAL_WITHHOLDING_P",
        "sign_scene": "INDUSTRY|METRO"})
}
