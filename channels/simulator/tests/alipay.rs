//! The Alipay gateway from outside: over HTTP, with a client of its own that signs and verifies by the reference.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{OriginalUri, State};
use axum::{Router, routing::post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metropay_simulator::{Fault, Gateway, MovementKind, Settings, Simulator};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const APP_ID: &str = "2021000000000001";
const USER: &str = "2088000000000099";
const PAGE_SIGN: &str = "alipay.user.agreement.page.sign";

/// A vector of the reference, section 2.
fn vector(name: &str) -> &'static str {
    let text = include_str!("../src/alipay/vectors.txt");
    let (_, rest) = text.split_once(&format!("\n## {name}\n")).unwrap();
    rest.split("\n## ").next().unwrap().trim()
}

fn settings() -> Settings {
    Settings {
        notice_pace_percent: 1,
        settle_ms: 20,
        ..Settings::default()
    }
}

/// What the merchant's server received: path, and the form's pairs.
type Notices = Arc<Mutex<Vec<(String, BTreeMap<String, String>)>>>;

/// A merchant's server that takes notifications and answers with these bodies, then with `success`.
struct Merchant {
    url: String,
    received: Notices,
}

impl Merchant {
    async fn start(first_answers: &[&'static str]) -> Self {
        let received = Notices::default();
        let answers = Arc::new(Mutex::new(first_answers.to_vec()));
        let taken = Arc::clone(&received);
        let take = move |OriginalUri(uri): OriginalUri, State(()): State<()>, body: String| async move {
            let pairs = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            taken.lock().unwrap().push((uri.path().to_owned(), pairs));
            let mut answers = answers.lock().unwrap();
            if answers.is_empty() {
                "success"
            } else {
                answers.remove(0)
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/shop", listener.local_addr().unwrap());
        let app: Router = Router::new()
            .route("/shop", post(take.clone()))
            .route("/shop/{*path}", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, received }
    }

    /// Waits for the next notification that fits, and checks its signature.
    async fn wait(&self, fits: impl Fn(&str, &BTreeMap<String, String>) -> bool) -> BTreeMap<String, String> {
        for _ in 0..400 {
            let found = self
                .received
                .lock()
                .unwrap()
                .iter()
                .find(|(path, pairs)| fits(path, pairs))
                .cloned();
            if let Some((_, pairs)) = found {
                assert!(notice_is_signed(&pairs), "a notification's signature fits: {pairs:?}");
                return pairs;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no such notification; received: {:?}", self.received.lock().unwrap());
    }

    async fn wait_status(&self, order_no: &str, status: &str) -> BTreeMap<String, String> {
        self.wait(|_, pairs| is(pairs, "out_trade_no", order_no) && is(pairs, "trade_status", status))
            .await
    }

    fn count(&self, fits: impl Fn(&str, &BTreeMap<String, String>) -> bool) -> usize {
        self.received
            .lock()
            .unwrap()
            .iter()
            .filter(|(path, pairs)| fits(path, pairs))
            .count()
    }
}

fn is(pairs: &BTreeMap<String, String>, name: &str, value: &str) -> bool {
    pairs.get(name).is_some_and(|found| found == value)
}

fn fits(text: &str, signature: &str) -> bool {
    let key = RsaPublicKey::from_public_key_pem(vector("alipay public key")).unwrap();
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    key.verify(
        Pkcs1v15Sign::new::<Sha256>(),
        &Sha256::digest(text.as_bytes()),
        &signature,
    )
    .is_ok()
}

fn notice_is_signed(pairs: &BTreeMap<String, String>) -> bool {
    let covered = pairs
        .iter()
        .filter(|(name, _)| !["sign", "sign_type"].contains(&name.as_str()));
    let text: Vec<String> = covered.map(|(name, value)| format!("{name}={value}")).collect();
    fits(&text.join("&"), &pairs["sign"])
}

/// A simulator with the reference's account, and a client of that merchant.
struct Shop {
    sim: Simulator,
    client: reqwest::Client,
}

/// An answer: the raw node, its members, and whether it was signed, and rightly.
#[derive(Debug)]
struct Answer {
    root: String,
    node: Value,
    signed: bool,
    fits: bool,
}

impl Answer {
    fn read(body: &str) -> Self {
        let inner = body.strip_prefix("{\"").unwrap();
        let (root, rest) = inner.split_once("\":").unwrap();
        let mut nodes = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let node = nodes.next().unwrap().unwrap();
        let (raw, tail) = rest.split_at(nodes.byte_offset());
        let signature = tail
            .strip_prefix(",\"sign\":\"")
            .map(|tail| tail.strip_suffix("\"}").unwrap());
        let fits = signature.is_some_and(|signature| fits(raw, signature));
        Self {
            root: root.to_owned(),
            node,
            signed: signature.is_some(),
            fits,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.node[name].as_str().unwrap_or_default()
    }

    fn code(&self) -> &str {
        self.text("code")
    }

    fn sub_code(&self) -> &str {
        self.text("sub_code")
    }
}

impl Shop {
    async fn open(spec: Value) -> Self {
        Self::open_with(settings(), spec).await
    }

    async fn open_with(settings: Settings, mut spec: Value) -> Self {
        let sim = Simulator::start(settings).await.unwrap();
        let fixed = json!({
            "app_id": APP_ID, "seller_id": "2088000000000001",
            "app_public_key_pem": vector("app public key"), "alipay_private_key_pem": vector("alipay private key"),
        });
        for (name, value) in fixed.as_object().unwrap() {
            spec[name] = value.clone();
        }
        sim.frame().open_account(Gateway::Alipay, &spec).unwrap();
        Self { sim, client: client() }
    }

    fn gateway(&self) -> String {
        format!("{}/alipay/gateway.do", self.sim.url())
    }

    fn fault(&self, line: Value) {
        self.sim
            .frame()
            .faults
            .add(serde_json::from_value::<Fault>(line).unwrap());
    }

    fn set_clock(&self, china_time: &str) {
        let time = chrono::DateTime::parse_from_rfc3339(&format!("{china_time}+08:00")).unwrap();
        let clock = &self.sim.frame().clock;
        clock.set_offset_ms(time.timestamp_millis() - (clock.now_ms() - clock.offset_ms()));
    }

    fn advance(&self, seconds: i64) {
        let clock = &self.sim.frame().clock;
        clock.set_offset_ms(clock.offset_ms() + seconds * 1_000);
    }

    fn params(&self, method: &str, biz: &Value, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let timestamp = self.sim.frame().clock.now().format("%Y-%m-%d %H:%M:%S").to_string();
        let common = [
            ("app_id", APP_ID),
            ("method", method),
            ("format", "JSON"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &timestamp),
            ("version", "1.0"),
        ];
        let mut params: BTreeMap<String, String> = common
            .iter()
            .chain(more)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        params.insert("biz_content".to_owned(), biz.to_string());
        params.insert("sign".to_owned(), sign(&params));
        params
    }

    async fn send(&self, params: &BTreeMap<String, String>) -> Result<String, reqwest::Error> {
        let mut query = params.clone();
        let biz = query.remove("biz_content").unwrap_or_default();
        let url = format!("{}?{}", self.gateway(), form(&query));
        let body = form(&BTreeMap::from([("biz_content".to_owned(), biz)]));
        let request = self
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded;charset=utf-8");
        request.body(body).send().await?.text().await
    }

    async fn call(&self, method: &str, biz: Value) -> Answer {
        self.call_with(method, biz, &[]).await
    }

    async fn call_with(&self, method: &str, biz: Value, more: &[(&str, &str)]) -> Answer {
        let answer = Answer::read(&self.send(&self.params(method, &biz, more)).await.unwrap());
        assert_eq!(answer.root, format!("{}_response", method.replace('.', "_")));
        answer
    }

    /// Opens the consent page and agrees; the agreement's number.
    async fn sign(&self, external_no: &str, more: &[(&str, &str)]) -> String {
        let page = self.open_page(external_no, more).await;
        let answer = self.agree(&page_id(&page), USER).await;
        assert!(answer.status().is_redirection() || answer.status().is_success());
        let biz = json!({"external_agreement_no": external_no, "personal_product_code": "GENERAL_WITHHOLDING_P",
            "sign_scene": "INDUSTRY|METRO"});
        let found = self.call("alipay.user.agreement.query", biz).await;
        assert_eq!(found.text("status"), "NORMAL", "{found:?}");
        found.text("agreement_no").to_owned()
    }

    async fn open_page(&self, external_no: &str, more: &[(&str, &str)]) -> String {
        let biz = json!({"personal_product_code": "GENERAL_WITHHOLDING_P", "product_code": "GENERAL_WITHHOLDING",
            "sign_scene": "INDUSTRY|METRO", "external_agreement_no": external_no,
            "access_params": {"channel": "ALIPAYAPP"}});
        let url = format!("{}?{}", self.gateway(), form(&self.params(PAGE_SIGN, &biz, more)));
        self.client.get(url).send().await.unwrap().text().await.unwrap()
    }

    async fn agree(&self, page_id: &str, user: &str) -> reqwest::Response {
        self.phone("sign", &[("id", page_id), ("agree", "1"), ("user", user)])
            .await
    }

    async fn phone(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let request = self.client.post(format!("{}/alipay/phone/{path}", self.sim.url()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(form(&fields)).send().await.unwrap()
    }

    async fn pay(&self, number: &str, agreement_no: &str, yuan: &str) -> Answer {
        self.call("alipay.trade.pay", order(number, agreement_no, yuan)).await
    }

    async fn status(&self, number: &str) -> String {
        let answer = self.call("alipay.trade.query", json!({"out_trade_no": number})).await;
        if answer.code() == "10000" {
            answer.text("trade_status").to_owned()
        } else {
            answer.sub_code().to_owned()
        }
    }

    async fn wait_status(&self, number: &str, status: &str) {
        for _ in 0..200 {
            if self.status(number).await == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{number} never became {status}");
    }

    /// The books in short: kind, number, amount.
    fn books(&self) -> Vec<(MovementKind, String, u64)> {
        self.sim
            .frame()
            .books()
            .into_iter()
            .map(|m| (m.kind, m.order_no, m.amount_fen))
            .collect()
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

fn order(number: &str, agreement_no: &str, yuan: &str) -> Value {
    json!({"out_trade_no": number, "total_amount": yuan, "subject": "地铁便利店 消费码",
        "product_code": "GENERAL_WITHHOLDING", "agreement_params": {"agreement_no": agreement_no},
        "query_options": ["fund_bill_list", "voucher_detail_list", "discount_amount", "mdiscount_amount"]})
}

fn sign(params: &BTreeMap<String, String>) -> String {
    let parts: Vec<String> = params
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.trim().is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let key = RsaPrivateKey::from_pkcs8_pem(vector("app private key")).unwrap();
    let digest = Sha256::digest(parts.join("&").as_bytes());
    STANDARD.encode(key.sign(Pkcs1v15Sign::new::<Sha256>(), &digest).unwrap())
}

fn form(params: &BTreeMap<String, String>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .finish()
}

fn page_id(page: &str) -> String {
    let (_, rest) = page
        .split_once("name=\"id\" value=\"")
        .unwrap_or_else(|| panic!("no consent page: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

fn debit(number: &str, fen: u64) -> (MovementKind, String, u64) {
    (MovementKind::Debit, number.to_owned(), fen)
}

#[tokio::test]
async fn the_references_requests_are_accepted_as_they_stand() {
    let shop = Shop::open(json!({"coupon_fen": 100})).await;
    // The vectors' addresses belong to nobody here.
    shop.fault(json!({"operation": "notify", "effect": "notice_lost", "times": 0}));
    shop.set_clock("2026-03-01T07:00:01");
    let page = shop
        .client
        .get(format!("{}?{}", shop.gateway(), vector("T10 query")))
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    let back = shop.agree(&page_id(&page), USER).await;
    assert_eq!(back.status(), 302);
    assert_eq!(back.headers()["location"], "https://app.example.com/pay/code");

    shop.set_clock("2026-03-01T08:30:06");
    let request = shop.client.post(format!("{}?{}", shop.gateway(), vector("T1 query")));
    let request = request.header("content-type", "application/x-www-form-urlencoded;charset=utf-8");
    let answer = request.body(vector("T1 body")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html;charset=utf-8");
    assert!(answer.headers().contains_key("trace_id"));
    let answer = Answer::read(&answer.text().await.unwrap());
    assert!(answer.fits);
    let mut expected = Answer::read(vector("T3")).node;
    expected.as_object_mut().unwrap().remove("store_name");
    let mut node = answer.node.clone();
    let vouchers = node.as_object_mut().unwrap().remove("voucher_detail_list").unwrap();
    assert_eq!(node, expected);
    assert_eq!(vouchers[0]["other_contribute"], "1.00");
    assert_eq!(shop.books(), [debit("MT202603010830050001", 450)]);
    // The same request once more is the same payment.
    let repeat = shop.client.post(format!("{}?{}", shop.gateway(), vector("T1 query")));
    let repeat = repeat
        .header("content-type", "application/x-www-form-urlencoded")
        .body(vector("T1 body"));
    assert_eq!(
        Answer::read(&repeat.send().await.unwrap().text().await.unwrap()).node,
        answer.node
    );
    assert_eq!(shop.books().len(), 1);
}

#[tokio::test]
async fn a_wrong_signature_is_refused_with_the_string_that_was_expected() {
    let shop = Shop::open(json!({})).await;
    let mut params = shop.params("alipay.trade.query", &json!({"out_trade_no": "A1"}), &[]);
    params.insert("biz_content".to_owned(), "{\"out_trade_no\":\"A2\"}".to_owned());
    let answer = Answer::read(&shop.send(&params).await.unwrap());
    assert_eq!((answer.code(), answer.sub_code()), ("40002", "isv.invalid-signature"));
    assert!(answer.fits, "this refusal is signed");
    let expected =
        "网关生成的验签字符串为：app_id=2021000000000001&amp;biz_content={\"out_trade_no\":\"A2\"}&amp;charset=utf-8";
    assert!(answer.text("sub_msg").contains(expected), "{}", answer.text("sub_msg"));
}

#[tokio::test]
async fn the_door_checks_in_the_references_order() {
    let shop = Shop::open(json!({})).await;
    let mut unknown = shop.params("alipay.trade.pay", &json!({}), &[("app_id", "2021000000009999")]);
    assert_eq!(
        shop.send(&unknown).await.unwrap(),
        vector("T5b"),
        "unknown app: unsigned, before the signature"
    );
    unknown.remove("sign");
    let answer = Answer::read(&shop.send(&unknown).await.unwrap());
    assert_eq!(
        (answer.code(), answer.sub_code(), answer.signed),
        ("40001", "isv.missing-signature", false)
    );

    let far = "2020-01-01 00:00:00";
    let cases: [(&str, &str, &str, &str); 10] = [
        ("method", "", "40001", "isv.missing-method"),
        ("timestamp", " ", "40001", "isv.missing-timestamp"),
        ("method", "alipay.trade.precreate", "40002", "isv.invalid-method"),
        ("charset", "GBK", "40002", "isv.invalid-charset"),
        ("format", "XML", "40002", "isv.invalid-format"),
        ("sign_type", "RSA", "40002", "isv.invalid-signature-type"),
        ("timestamp", far, "40002", "isv.invalid-timestamp"),
        (
            "encrypt_type",
            "AES",
            "40002",
            "isv.decryption-error-not-valid-encrypt-key",
        ),
        ("app_auth_token", "202603BB", "20001", "aop.invalid-app-auth-token"),
        ("biz_content", "{", "40002", "isv.illegal-json"),
    ];
    for (name, value, code, sub_code) in cases {
        let mut params = shop.params("alipay.trade.query", &json!({"out_trade_no": "A1"}), &[]);
        params.insert(name.to_owned(), value.to_owned());
        params.insert("sign".to_owned(), sign(&params));
        let answer = Answer::read(&shop.send(&params).await.unwrap());
        assert_eq!((answer.code(), answer.sub_code()), (code, sub_code), "{name}={value}");
        assert_eq!(answer.fits, code != "40001", "{name}={value}");
        let root = if name == "method" {
            "error_response"
        } else {
            "alipay_trade_query_response"
        };
        assert_eq!(answer.root, root);
    }
}

#[tokio::test]
async fn an_agreement_and_its_payments_live_their_whole_life() {
    let merchant = Merchant::start(&[]).await;
    let at = |path: &str| format!("{}/{path}", merchant.url);
    let shop = Shop::open(json!({"coupon_fen": 100, "app_gateway_url": at("app")})).await;
    let urls = [("notify_url", at("signed")), ("return_url", at("back"))];
    let urls: Vec<(&str, &str)> = urls.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let agreement_no = shop.sign("MTSIGN1", &urls).await;
    let notice = merchant
        .wait(|path, pairs| path == "/shop/signed" && is(pairs, "status", "NORMAL"))
        .await;
    assert_eq!(notice["agreement_no"], agreement_no);
    assert_eq!(notice["external_agreement_no"], "MTSIGN1");
    assert_eq!(notice["invalid_time"], "2115-02-01 00:00:00");
    assert_eq!(notice["notify_type"], "dut_user_sign");

    let paid = at("paid");
    let more = [("notify_url", paid.as_str())];
    let answer = shop
        .call_with("alipay.trade.pay", order("P1", &agreement_no, "4.50"), &more)
        .await;
    assert_eq!(
        (answer.code(), answer.text("buyer_pay_amount"), answer.fits),
        ("10000", "3.50", true),
        "{answer:?}"
    );
    assert_eq!(
        (answer.text("discount_amount"), answer.text("mdiscount_amount")),
        ("1.00", "0.00")
    );
    let trade_no = answer.text("trade_no").to_owned();
    let notice = merchant.wait_status("P1", "TRADE_SUCCESS").await;
    assert_eq!(
        (notice["trade_no"].as_str(), notice["total_amount"].as_str()),
        (trade_no.as_str(), "4.50")
    );
    assert_eq!(notice["agreement_no"], agreement_no);
    assert!(!notice.contains_key("refund_fee"));
    let query = json!({"trade_no": trade_no, "out_trade_no": "other",
        "query_options": ["fund_bill_list", "voucher_detail_list"]});
    let found = shop.call("alipay.trade.query", query).await;
    assert_eq!(
        (found.text("trade_status"), found.text("out_trade_no")),
        ("TRADE_SUCCESS", "P1")
    );
    assert_eq!(
        found.node["fund_bill_list"][1],
        json!({"amount": "1.00", "fund_channel": "DISCOUNT"})
    );

    refunds_go_back_in_parts(&shop, &merchant).await;

    let second = shop
        .call_with("alipay.trade.pay", order("P2", &agreement_no, "2.00"), &more)
        .await;
    assert_eq!(second.code(), "10000");
    let cancelled = shop.call("alipay.trade.cancel", json!({"out_trade_no": "P2"})).await;
    assert_eq!(
        (cancelled.text("action"), cancelled.text("retry_flag")),
        ("refund", "N")
    );
    let again = shop.call("alipay.trade.cancel", json!({"out_trade_no": "P2"})).await;
    assert_eq!((again.text("action"), again.text("retry_flag")), ("refund", "N"));
    assert_eq!(shop.status("P2").await, "TRADE_CLOSED");
    let whole = shop
        .call(
            "alipay.trade.fastpay.refund.query",
            json!({"out_trade_no": "P2", "out_request_no": "P2"}),
        )
        .await;
    assert_eq!(
        (whole.text("refund_status"), whole.text("refund_amount")),
        ("REFUND_SUCCESS", "2.00")
    );

    let ended = at("ended");
    let unsign = json!({"agreement_no": agreement_no});
    let answer = shop
        .call_with(
            "alipay.user.agreement.unsign",
            unsign.clone(),
            &[("notify_url", &ended)],
        )
        .await;
    assert_eq!(answer.code(), "10000");
    let notice = merchant
        .wait(|path, pairs| path == "/shop/ended" && is(pairs, "status", "UNSIGN"))
        .await;
    assert_eq!(
        (notice["notify_type"].as_str(), notice["agreement_no"].as_str()),
        ("dut_user_unsign", agreement_no.as_str())
    );
    let again = shop.call("alipay.user.agreement.unsign", unsign).await;
    assert_eq!(again.sub_code(), "USER_AGREEMENT_STATUS_IS_NOT_NORMAL");
    assert_eq!(
        shop.pay("P3", &agreement_no, "1.00").await.sub_code(),
        "ACQ.AGREEMENT_NOT_EXIST"
    );
    assert_eq!(shop.status("P3").await, "ACQ.TRADE_NOT_EXIST");

    let expected = [
        debit("P1", 450),
        (MovementKind::Refund, "R1".to_owned(), 200),
        (MovementKind::Refund, "R2".to_owned(), 250),
        debit("P2", 200),
        (MovementKind::Reversal, "P2".to_owned(), 200),
    ];
    assert_eq!(shop.books(), expected);
    let movement = shop.sim.frame().books().remove(1);
    assert_eq!(
        (movement.account.as_str(), movement.payment_no.as_str()),
        (APP_ID, "P1")
    );
    assert_eq!((movement.gateway_no, movement.payer.as_str()), (trade_no, USER));
}

/// P1 is 4.50 = 3.50 own money + 1.00 coupon.
async fn refunds_go_back_in_parts(shop: &Shop, merchant: &Merchant) {
    let refund = |number: &str, yuan: &str| {
        json!({"out_trade_no": "P1", "out_request_no": number, "refund_amount": yuan, "refund_reason": "退货",
            "query_options": ["refund_detail_item_list"]})
    };
    let first = shop.call("alipay.trade.refund", refund("R1", "2.00")).await;
    assert_eq!(
        (first.text("fund_change"), first.text("refund_fee")),
        ("Y", "2.00"),
        "{first:?}"
    );
    assert_eq!(
        first.node["refund_detail_item_list"],
        json!([{"amount": "2.00", "fund_channel": "ALIPAYACCOUNT"}])
    );
    let again = shop.call("alipay.trade.refund", refund("R1", "2.00")).await;
    assert_eq!((again.text("fund_change"), again.text("refund_fee")), ("N", "2.00"));
    let other = shop.call("alipay.trade.refund", refund("R1", "2.01")).await;
    assert_eq!(other.sub_code(), "ACQ.DISCORDANT_REPEAT_REQUEST");
    let notice = merchant.wait(|_, pairs| is(pairs, "out_biz_no", "R1")).await;
    assert_eq!(
        (notice["trade_status"].as_str(), notice["refund_fee"].as_str()),
        ("TRADE_SUCCESS", "2.00")
    );
    assert_eq!(notice["gmt_refund"].len(), "2026-03-02 10:00:01.312".len());
    assert_eq!(
        shop.status("P1").await,
        "TRADE_SUCCESS",
        "stays so after a partial refund"
    );
    assert_eq!(
        shop.call("alipay.trade.cancel", json!({"out_trade_no": "P1"}))
            .await
            .sub_code(),
        "ACQ.CANCEL_NOT_ALLOWED"
    );
    let much = shop.call("alipay.trade.refund", refund("R9", "2.51")).await;
    assert_eq!(much.sub_code(), "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");

    let second = shop.call("alipay.trade.refund", refund("R2", "2.50")).await;
    assert_eq!(
        (second.text("fund_change"), second.text("refund_fee")),
        ("Y", "4.50"),
        "cumulative"
    );
    let split =
        json!([{"amount": "1.50", "fund_channel": "ALIPAYACCOUNT"}, {"amount": "1.00", "fund_channel": "DISCOUNT"}]);
    assert_eq!(second.node["refund_detail_item_list"], split);
    let notice = merchant.wait(|_, pairs| is(pairs, "out_biz_no", "R2")).await;
    assert_eq!(
        (notice["trade_status"].as_str(), notice["refund_fee"].as_str()),
        ("TRADE_CLOSED", "4.50")
    );
    assert_eq!(shop.status("P1").await, "TRADE_CLOSED");
    assert_eq!(
        shop.call("alipay.trade.refund", refund("R3", "0.01")).await.sub_code(),
        "ACQ.TRADE_HAS_CLOSE"
    );

    let ask = json!({"out_trade_no": "P1", "out_request_no": "R1", "query_options": ["gmt_refund_pay"]});
    let found = shop.call("alipay.trade.fastpay.refund.query", ask).await;
    assert_eq!(
        (found.text("refund_status"), found.text("refund_amount")),
        ("REFUND_SUCCESS", "2.00")
    );
    assert_eq!(
        (found.text("total_amount"), found.text("refund_reason")),
        ("4.50", "退货")
    );
    assert!(!found.text("gmt_refund_pay").is_empty());
    let none = json!({"out_trade_no": "P1", "out_request_no": "R8"});
    let none = shop.call("alipay.trade.fastpay.refund.query", none).await;
    assert_eq!(none.node, json!({"code": "10000", "msg": "Success"}));
}

#[tokio::test]
async fn a_repeated_payment_is_debited_once_and_another_content_is_refused() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let first = shop.pay("P1", &agreement_no, "4.50").await;
    let again = shop.pay("P1", &agreement_no, "4.50").await;
    assert_eq!(first.node, again.node);
    let other = shop.pay("P1", &agreement_no, "4.51").await;
    assert_eq!(other.sub_code(), "ACQ.CONTEXT_INCONSISTENT");
    assert_eq!(
        (other.text("out_trade_no"), other.text("receipt_amount")),
        ("P1", "0.00")
    );
    let spec = json!({"app_id": APP_ID, "repeat_says_has_success": true, "single_max_fen": 500});
    shop.sim.frame().open_account(Gateway::Alipay, &spec).unwrap();
    assert_eq!(
        shop.pay("P1", &agreement_no, "4.50").await.sub_code(),
        "ACQ.TRADE_HAS_SUCCESS"
    );
    assert_eq!(
        shop.pay("P2", &agreement_no, "5.01").await.sub_code(),
        "ACQ.PRODUCT_AMOUNT_LIMIT_ERROR"
    );
    let twins = futures_like_join(&shop, &agreement_no).await;
    assert_eq!(twins.0.node, twins.1.node);
    assert_eq!(shop.books(), [debit("P1", 450), debit("P3", 300)]);
}

async fn futures_like_join(shop: &Shop, agreement_no: &str) -> (Answer, Answer) {
    shop.sim
        .frame()
        .open_account(
            Gateway::Alipay,
            &json!({"app_id": APP_ID, "repeat_says_has_success": false}),
        )
        .unwrap();
    tokio::join!(
        shop.pay("P3", agreement_no, "3.00"),
        shop.pay("P3", agreement_no, "3.00")
    )
}

#[tokio::test]
async fn wrong_orders_are_refused_and_leave_no_trade() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let cases = [
        ("out_trade_no", json!("P-1"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("1.005"), "ACQ.INVALID_PARAMETER"),
        ("subject", json!("a=b"), "ACQ.INVALID_PARAMETER"),
        ("timeout_express", json!("16d"), "ACQ.INVALID_PARAMETER"),
        (
            "time_expire",
            json!("2020-01-01 00:00:00"),
            "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR",
        ),
        ("product_code", json!("CYCLE_PAY_AUTH"), "ACQ.AGREEMENT_ERROR"),
        (
            "agreement_params",
            json!({"agreement_no": "20260000000000000000"}),
            "ACQ.AGREEMENT_NOT_EXIST",
        ),
        ("agreement_params", json!(null), "ACQ.INVALID_PARAMETER"),
    ];
    for (name, value, sub_code) in cases {
        let mut biz = order("P1", &agreement_no, "1.00");
        biz[name] = value;
        let answer = shop.call("alipay.trade.pay", biz).await;
        assert_eq!(
            (answer.code(), answer.sub_code(), answer.fits),
            ("40004", sub_code, true),
            "{name}"
        );
    }
    assert_eq!(shop.status("P1").await, "ACQ.TRADE_NOT_EXIST");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn an_unknown_number_is_cancelled_without_action_and_then_refused() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let answer = shop.call("alipay.trade.cancel", json!({"out_trade_no": "P1"})).await;
    let expected = json!({"code": "10000", "msg": "Success", "out_trade_no": "P1", "retry_flag": "N"});
    assert_eq!(answer.node, expected);
    assert_eq!(
        shop.pay("P1", &agreement_no, "1.00").await.sub_code(),
        "ACQ.TRADE_HAS_CLOSE"
    );
    assert_eq!(shop.status("P1").await, "ACQ.TRADE_NOT_EXIST");
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn an_unpaid_trade_can_be_closed_cancelled_or_left_to_time() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    for number in ["P1", "P2", "P3"] {
        shop.fault(json!({"order_no": number, "operation": "alipay.trade.pay", "effect": "pending", "ms": 600_000}));
        let mut biz = order(number, &agreement_no, "1.00");
        biz["timeout_express"] = json!("5m");
        let answer = shop.call("alipay.trade.pay", biz).await;
        assert_eq!(
            (answer.code(), answer.text("msg")),
            ("10003", "order success pay inprocess")
        );
        assert_eq!(shop.status(number).await, "WAIT_BUYER_PAY");
    }
    assert_eq!(
        shop.call("alipay.trade.close", json!({"out_trade_no": "P1"}))
            .await
            .code(),
        "10000"
    );
    assert_eq!(
        shop.call("alipay.trade.cancel", json!({"out_trade_no": "P2"}))
            .await
            .text("action"),
        "close"
    );
    assert_eq!(shop.status("P1").await, "TRADE_CLOSED");
    assert_eq!(shop.status("P2").await, "TRADE_CLOSED");
    shop.advance(299);
    assert_eq!(shop.status("P3").await, "WAIT_BUYER_PAY");
    shop.advance(2);
    assert_eq!(shop.status("P3").await, "TRADE_CLOSED");
    assert_eq!(
        shop.pay("P3", &agreement_no, "1.00").await.sub_code(),
        "ACQ.TRADE_HAS_CLOSE"
    );
    assert!(shop.books().is_empty());
}

#[tokio::test]
async fn windows_for_cancelling_and_refunding_end() {
    let shop = Shop::open(json!({"cancel_window_s": 60, "refund_window_s": 3_600})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.pay("P1", &agreement_no, "1.00").await;
    assert_eq!(
        shop.call("alipay.trade.close", json!({"out_trade_no": "P1"}))
            .await
            .sub_code(),
        "ACQ.TRADE_STATUS_ERROR"
    );
    shop.advance(61);
    let late = shop.call("alipay.trade.cancel", json!({"out_trade_no": "P1"})).await;
    assert_eq!(late.sub_code(), "ACQ.TRADE_CANCEL_TIME_OUT");
    shop.advance(3_600);
    assert_eq!(shop.status("P1").await, "TRADE_FINISHED");
    let late = json!({"out_trade_no": "P1", "refund_amount": "1.00", "out_request_no": "R1"});
    assert_eq!(
        shop.call("alipay.trade.refund", late).await.sub_code(),
        "ACQ.TRADE_HAS_FINISHED"
    );
    assert_eq!(shop.books(), [debit("P1", 100)]);
}

#[tokio::test]
async fn asynchronous_deductions_are_accepted_first_and_paid_later() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let mut biz = order("P1", &agreement_no, "1.00");
    biz["is_async_pay"] = json!(true);
    biz["pay_params"] = json!({"async_type": "NORMAL_ASYNC", "retry_type": "NONE"});
    let answer = shop
        .call_with("alipay.trade.pay", biz, &[("notify_url", &merchant.url)])
        .await;
    assert_eq!(
        (answer.code(), answer.text("async_payment_mode")),
        ("10000", "NORMAL_ASYNC_PAY")
    );
    assert!(answer.text("gmt_payment").is_empty());
    merchant.wait_status("P1", "TRADE_SUCCESS").await;
    assert_eq!(shop.status("P1").await, "TRADE_SUCCESS");
    assert_eq!(shop.books(), [debit("P1", 100)]);
}

#[tokio::test]
async fn notifications_are_repeated_until_exactly_success_is_answered() {
    let merchant = Merchant::start(&["SUCCESS", "success\n", "fail"]).await;
    let shop = Shop::open_with(
        Settings {
            notice_pace_percent: 0,
            ..settings()
        },
        json!({}),
    )
    .await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.call_with(
        "alipay.trade.pay",
        order("P1", &agreement_no, "1.00"),
        &[("notify_url", &merchant.url)],
    )
    .await;
    for _ in 0..200 {
        if merchant.count(|_, _| true) >= 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(merchant.count(|_, pairs| is(pairs, "out_trade_no", "P1")), 4);
    let ids: std::collections::BTreeSet<String> = merchant
        .received
        .lock()
        .unwrap()
        .iter()
        .map(|(_, pairs)| pairs["notify_id"].clone())
        .collect();
    assert_eq!(ids.len(), 1, "one notification keeps its id");
}

#[tokio::test]
async fn the_user_ends_his_agreement_and_only_the_app_gateway_hears_of_it() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({"app_gateway_url": format!("{}/app", merchant.url)})).await;
    let signed = format!("{}/signed", merchant.url);
    let agreement_no = shop.sign("S1", &[("notify_url", &signed)]).await;
    let list = format!("{}/alipay/phone/agreements?user={USER}", shop.sim.url());
    let page = shop.client.get(&list).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&agreement_no) && page.contains("生效中"));

    let foreign = [
        ("user", "13800000000"),
        ("agreement_no", agreement_no.as_str()),
        ("act", "unsign"),
    ];
    assert_eq!(shop.phone("agreement", &foreign).await.status(), 400, "only his own");
    let stop = [("user", USER), ("agreement_no", agreement_no.as_str()), ("act", "stop")];
    assert_eq!(shop.phone("agreement", &stop).await.status(), 303);
    assert_eq!(
        shop.pay("P1", &agreement_no, "1.00").await.sub_code(),
        "ACQ.AGREEMENT_STATUS_NOT_NORMAL"
    );
    let end = [
        ("user", USER),
        ("agreement_no", agreement_no.as_str()),
        ("act", "unsign"),
    ];
    assert_eq!(shop.phone("agreement", &end).await.status(), 303);
    merchant
        .wait(|path, pairs| path == "/shop/app" && is(pairs, "notify_type", "dut_user_unsign"))
        .await;
    assert_eq!(
        merchant.count(|path, pairs| path != "/shop/app" && is(pairs, "status", "UNSIGN")),
        0
    );
    let found = shop
        .call("alipay.user.agreement.query", json!({"agreement_no": agreement_no}))
        .await;
    assert_eq!(found.sub_code(), "AGREEMENT_HAS_UNSIGNED");
}

#[tokio::test]
async fn a_page_is_signed_once_and_a_number_is_used_once() {
    let shop = Shop::open(json!({})).await;
    let page = page_id(&shop.open_page("S1", &[]).await);
    let twin = page_id(&shop.open_page("S1", &[]).await);
    let declined = shop
        .phone("sign", &[("id", &page), ("agree", "0"), ("user", USER)])
        .await;
    assert!(declined.text().await.unwrap().contains("已拒绝"));
    let first = shop.agree(&page, USER).await.text().await.unwrap();
    assert!(first.contains("签约成功"));
    assert_eq!(shop.agree(&page, USER).await.text().await.unwrap(), first);
    assert_eq!(shop.agree(&twin, USER).await.status(), 400);
    assert!(shop.open_page("S1", &[]).await.contains("商户签约号已被使用"));
    let by_user = json!({"alipay_user_id": USER, "personal_product_code": "GENERAL_WITHHOLDING_P",
        "sign_scene": "INDUSTRY|METRO"});
    assert_eq!(
        shop.call("alipay.user.agreement.query", by_user)
            .await
            .text("external_agreement_no"),
        "S1"
    );
    let wrong = shop.open_page("S<1>", &[]).await;
    assert!(wrong.contains("无法签约") && !wrong.contains("S<1>"));
}

#[tokio::test]
async fn an_agreement_with_an_end_expires_silently() {
    let shop = Shop::open(json!({})).await;
    let biz = json!({"personal_product_code": "GENERAL_WITHHOLDING_P", "sign_scene": "INDUSTRY|METRO",
        "external_agreement_no": "S1", "sign_validity_period": "2d", "access_params": {"channel": "QRCODE"}});
    let page = shop.send(&shop.params(PAGE_SIGN, &biz, &[])).await.unwrap();
    shop.agree(&page_id(&page), "13812345678").await;
    let ask = json!({"external_agreement_no": "S1", "personal_product_code": "GENERAL_WITHHOLDING_P",
        "sign_scene": "INDUSTRY|METRO"});
    let found = shop.call("alipay.user.agreement.query", ask.clone()).await;
    assert_eq!(
        (found.text("status"), found.text("alipay_logon_id")),
        ("NORMAL", "138****5678")
    );
    shop.advance(2 * 24 * 3600);
    assert_eq!(
        shop.call("alipay.user.agreement.query", ask).await.sub_code(),
        "USER_AGREEMENT_NOT_EXIST"
    );
    let pay = shop.pay("P1", found.text("agreement_no"), "1.00").await;
    assert_eq!(pay.sub_code(), "ACQ.AGREEMENT_INVALID");
}

#[tokio::test]
async fn the_fault_script_spoils_answers_but_not_the_books() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let spoil = |number: &str, fault: Value| {
        let mut line = json!({"gateway": "alipay", "operation": "alipay.trade.pay", "order_no": number});
        for (name, value) in fault.as_object().unwrap() {
            line[name] = value.clone();
        }
        shop.fault(line);
    };
    spoil("F1", json!({"effect": "wrong_signature"}));
    let answer = shop.pay("F1", &agreement_no, "1.00").await;
    assert!(answer.signed && !answer.fits && answer.code() == "10000");
    spoil("F2", json!({"effect": "no_signature"}));
    assert!(!shop.pay("F2", &agreement_no, "1.00").await.signed);
    spoil("F3", json!({"effect": "wrong_amount", "fen": 1}));
    let answer = shop.pay("F3", &agreement_no, "1.00").await;
    assert!(answer.fits && answer.text("total_amount") == "0.01");
    spoil("F4", json!({"effect": "wrong_order", "told": "X"}));
    let answer = shop.pay("F4", &agreement_no, "1.00").await;
    assert!(answer.fits && answer.text("out_trade_no") == "X");
    spoil("F5", json!({"effect": "system_error_after"}));
    let answer = shop.pay("F5", &agreement_no, "1.00").await;
    assert_eq!((answer.code(), answer.sub_code()), ("20000", "ACQ.SYSTEM_ERROR"));
    spoil("F6", json!({"effect": "system_error_before"}));
    assert_eq!(shop.pay("F6", &agreement_no, "1.00").await.code(), "20000");
    spoil("F7", json!({"effect": "refuse", "code": "BUYER_BALANCE_NOT_ENOUGH"}));
    let answer = shop.pay("F7", &agreement_no, "1.00").await;
    assert_eq!(
        (answer.code(), answer.sub_code()),
        ("40004", "ACQ.BUYER_BALANCE_NOT_ENOUGH")
    );
    spoil("F8", json!({"effect": "refuse", "code": "isv.app-call-limited"}));
    assert_eq!(shop.pay("F8", &agreement_no, "1.00").await.code(), "40005");
    spoil("F9", json!({"effect": "reset_after"}));
    assert!(
        shop.send(&shop.params("alipay.trade.pay", &order("F9", &agreement_no, "1.00"), &[]))
            .await
            .is_err()
    );
    let paid: Vec<String> = shop.books().into_iter().map(|(_, number, _)| number).collect();
    assert_eq!(paid, ["F1", "F2", "F3", "F4", "F5", "F9"]);
    shop.fault(json!({"operation": "alipay.trade.query", "order_no": "F1", "effect": "blind"}));
    assert_eq!(shop.status("F1").await, "ACQ.TRADE_NOT_EXIST");
    assert_eq!(shop.status("F1").await, "TRADE_SUCCESS");
}

#[tokio::test]
async fn the_fault_script_bends_the_course_of_trades() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let bend = |operation: &str, number: &str, effect: &str, ms: u64| {
        let mut line = json!({"operation": operation, "order_no": number, "effect": effect, "ms": ms});
        if effect == "fail_later" {
            line["code"] = json!("PAYMENT_FAIL");
        }
        shop.fault(line);
    };
    bend("alipay.trade.pay", "P1", "pending", 30);
    assert_eq!(shop.pay("P1", &agreement_no, "1.00").await.code(), "10003");
    shop.wait_status("P1", "TRADE_SUCCESS").await;
    bend("alipay.trade.pay", "P2", "fail_later", 30);
    assert_eq!(shop.pay("P2", &agreement_no, "1.00").await.code(), "10003");
    shop.wait_status("P2", "TRADE_CLOSED").await;

    bend("alipay.trade.pay", "P3", "pending", 600_000);
    shop.pay("P3", &agreement_no, "1.00").await;
    bend("alipay.trade.cancel", "P3", "paid_after_reverse", 40);
    assert_eq!(
        shop.call("alipay.trade.cancel", json!({"out_trade_no": "P3"}))
            .await
            .text("action"),
        "close"
    );
    assert_eq!(shop.status("P3").await, "TRADE_CLOSED");
    shop.wait_status("P3", "TRADE_SUCCESS").await;

    bend("alipay.trade.pay", "P4", "paid_after_reverse", 40);
    assert_eq!(shop.pay("P4", &agreement_no, "1.00").await.code(), "10003");
    bend("alipay.trade.cancel", "P4", "pending", 0);
    assert_eq!(
        shop.call("alipay.trade.cancel", json!({"out_trade_no": "P4"}))
            .await
            .text("retry_flag"),
        "Y"
    );
    assert_eq!(shop.status("P4").await, "WAIT_BUYER_PAY");
    assert_eq!(
        shop.call("alipay.trade.cancel", json!({"out_trade_no": "P4"}))
            .await
            .text("retry_flag"),
        "N"
    );
    shop.wait_status("P4", "TRADE_SUCCESS").await;
    let again = shop.call("alipay.trade.cancel", json!({"out_trade_no": "P4"})).await;
    assert_eq!(again.text("action"), "refund", "a late payment can be undone");

    let reversal = (MovementKind::Reversal, "P4".to_owned(), 100);
    assert_eq!(
        shop.books(),
        [debit("P1", 100), debit("P3", 100), debit("P4", 100), reversal]
    );
}

#[tokio::test]
async fn a_refund_can_stay_pending_or_fail_and_be_asked_again() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.pay("P1", &agreement_no, "3.00").await;
    let refund = |number: &str| json!({"out_trade_no": "P1", "out_request_no": number, "refund_amount": "1.00"});
    let ask = |number: &str| json!({"out_trade_no": "P1", "out_request_no": number});
    shop.fault(json!({"operation": "alipay.trade.refund", "order_no": "R1", "effect": "pending", "ms": 60}));
    let first = shop.call("alipay.trade.refund", refund("R1")).await;
    assert_eq!(
        (first.code(), first.text("fund_change"), first.text("refund_fee")),
        ("10000", "N", "0.00")
    );
    assert_eq!(
        shop.call("alipay.trade.fastpay.refund.query", ask("R1"))
            .await
            .text("refund_status"),
        ""
    );
    assert_eq!(
        shop.call("alipay.trade.refund", refund("R1")).await.text("fund_change"),
        "N"
    );
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(
        shop.call("alipay.trade.fastpay.refund.query", ask("R1"))
            .await
            .text("refund_status"),
        "REFUND_SUCCESS"
    );

    shop.fault(
        json!({"operation": "alipay.trade.refund", "order_no": "R2", "effect": "fail_later", "ms": 10,
        "code": "REFUND_CHARGE_ERROR"}),
    );
    shop.call("alipay.trade.refund", refund("R2")).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(
        shop.call("alipay.trade.fastpay.refund.query", ask("R2"))
            .await
            .text("refund_status"),
        ""
    );
    assert_eq!(
        shop.call("alipay.trade.refund", refund("R2")).await.text("fund_change"),
        "Y"
    );
    let numbers: Vec<String> = shop.books().into_iter().map(|(_, number, _)| number).collect();
    assert_eq!(numbers, ["P1", "R1", "R2"]);
}

#[tokio::test]
async fn notifications_can_lie_under_a_right_signature() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.fault(json!({"operation": "notify", "order_no": "P1", "effect": "wrong_amount", "fen": 1}));
    shop.fault(
        json!({"operation": "notify", "order_no": "P1", "effect": "wrong_merchant", "account": "2021999999999999"}),
    );
    shop.call_with(
        "alipay.trade.pay",
        order("P1", &agreement_no, "1.00"),
        &[("notify_url", &merchant.url)],
    )
    .await;
    let notice = merchant.wait_status("P1", "TRADE_SUCCESS").await;
    assert_eq!(
        (notice["total_amount"].as_str(), notice["app_id"].as_str()),
        ("0.01", "2021999999999999")
    );
    shop.fault(json!({"operation": "notify", "order_no": "P2", "effect": "notice_forged"}));
    shop.call_with(
        "alipay.trade.pay",
        order("P2", &agreement_no, "1.00"),
        &[("notify_url", &merchant.url)],
    )
    .await;
    for _ in 0..200 {
        if merchant.count(|_, pairs| is(pairs, "out_trade_no", "P2")) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let received = merchant.received.lock().unwrap();
    let (_, forged) = received
        .iter()
        .find(|(_, pairs)| is(pairs, "out_trade_no", "P2"))
        .unwrap();
    assert!(!notice_is_signed(forged));
}

#[tokio::test]
async fn a_call_that_arrived_is_carried_out_though_the_caller_hung_up() {
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    shop.fault(json!({"operation": "alipay.trade.pay", "effect": "delay", "ms": 150}));
    let params = shop.params("alipay.trade.pay", &order("P1", &agreement_no, "1.00"), &[]);
    let impatient = tokio::time::timeout(Duration::from_millis(50), shop.send(&params)).await;
    assert!(impatient.is_err());
    assert_eq!(shop.status("P1").await, "ACQ.TRADE_NOT_EXIST", "still travelling");
    shop.wait_status("P1", "TRADE_SUCCESS").await;
    assert_eq!(shop.books(), [debit("P1", 100)]);
}

/// The first life runs in a runtime of its own, so that its end takes all its timers along, like a crash.
#[test]
fn what_was_pending_is_settled_once_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        data_dir: Some(folder.path().to_owned()),
        ..settings()
    };
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    first.block_on(async {
        let shop = Shop::open_with(settings.clone(), json!({})).await;
        let agreement_no = shop.sign("S1", &[]).await;
        shop.pay("P0", &agreement_no, "2.00").await;
        shop.fault(json!({"operation": "alipay.trade.pay", "order_no": "P1", "effect": "pending", "ms": 250}));
        assert_eq!(shop.pay("P1", &agreement_no, "1.00").await.code(), "10003");
        shop.fault(json!({"operation": "alipay.trade.refund", "order_no": "R0", "effect": "pending", "ms": 250}));
        let refund = json!({"out_trade_no": "P0", "out_request_no": "R0", "refund_amount": "2.00"});
        assert_eq!(shop.call("alipay.trade.refund", refund).await.text("fund_change"), "N");
    });
    first.shutdown_background();
    runtime().block_on(async {
        let shop = Shop::open_with(settings, json!({})).await;
        // Without a question: the timers alone must settle it.
        for _ in 0..100 {
            if shop.books().len() == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(shop.status("P1").await, "TRADE_SUCCESS");
        assert_eq!(shop.status("P0").await, "TRADE_CLOSED");
        let mut books = shop.books();
        books.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(
            books,
            [
                debit("P0", 200),
                debit("P1", 100),
                (MovementKind::Refund, "R0".to_owned(), 200)
            ]
        );
    });
}

#[tokio::test]
async fn an_account_is_opened_with_keys_of_its_own_and_changed_by_opening_it_again() {
    let sim = Simulator::start(settings()).await.unwrap();
    let post = |spec: Value| {
        let request = client().post(format!("{}/control/accounts/alipay", sim.url()));
        request
            .header("content-type", "application/json")
            .body(spec.to_string())
            .send()
    };
    let made: Value =
        serde_json::from_str(&post(json!({"coupon_fen": 5})).await.unwrap().text().await.unwrap()).unwrap();
    let private = RsaPrivateKey::from_pkcs8_pem(made["app_private_key_pem"].as_str().unwrap()).unwrap();
    let public = RsaPublicKey::from_public_key_pem(made["app_public_key_pem"].as_str().unwrap()).unwrap();
    assert_eq!(private.to_public_key(), public);
    let gateway_key = RsaPublicKey::from_public_key_pem(made["alipay_public_key_pem"].as_str().unwrap()).unwrap();
    assert_ne!(gateway_key, public);
    assert_eq!(made["gateway_url"], format!("{}/alipay/gateway.do", sim.url()));
    assert_eq!(made["product_code"], "GENERAL_WITHHOLDING");
    let again = post(json!({"app_id": made["app_id"], "shop_name": "新名字"}))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["shop_name"], "新名字");
    assert_eq!(again["alipay_public_key_pem"], made["alipay_public_key_pem"]);
    assert!(again.get("app_private_key_pem").is_none(), "handed out once");
    assert_eq!(post(json!({"shop_nam": "x"})).await.unwrap().status(), 400);
    assert_eq!(
        post(json!({"app_public_key_pem": "nonsense"})).await.unwrap().status(),
        400
    );
}
