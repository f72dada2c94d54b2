//! The v3 protocol: the same gateway behind paths, headers and HTTP statuses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::merchant::Merchant;
use crate::shop::{APP_ID, PAY, Shop, code_order, fits, vector};

/// An answer: status, body, and whether its signature fits.
struct Answer {
    status: u16,
    body: Value,
    fits: bool,
    sn: Option<String>,
}

impl Answer {
    #[track_caller]
    fn says(&self, status: u16, words: &str) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        for (name, value) in words.split(' ').filter_map(|word| word.split_once('=')) {
            assert_eq!(
                self.body[name].as_str().unwrap_or_default(),
                value,
                "{name} in {}",
                self.body
            );
        }
        self
    }
}

impl Shop {
    /// A signed request of the v3 protocol. What is signed of the target begins at `/v3/`.
    async fn rest(&self, verb: &str, target: &str, body: &str, auth: &str, headers: &[(&str, &str)]) -> Answer {
        let now_ms = self.sim.frame().clock.now_ms();
        let auth = format!("app_id={APP_ID}{auth},nonce=5f9fba93,timestamp={now_ms}");
        let token = headers.iter().find(|(name, _)| *name == "alipay-app-auth-token");
        let token = token.map(|(_, token)| format!("{token}\n")).unwrap_or_default();
        let content = format!("{auth}\n{verb}\n{target}\n{body}\n{token}");
        let key = RsaPrivateKey::from_pkcs8_pem(vector("app private key")).unwrap();
        let signature = key
            .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(content.as_bytes()))
            .unwrap();
        let header = format!("ALIPAY-SHA256withRSA {auth},sign={}", STANDARD.encode(signature));
        let verb = reqwest::Method::from_bytes(verb.as_bytes()).unwrap();
        let mut request = self
            .client
            .request(verb, format!("{}/alipay{target}", self.sim.url()))
            .header("authorization", header)
            .body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("alipay-request-id", "1")];
        self.rest("POST", &format!("/v3/{path}"), &body.to_string(), "", &headers)
            .await
    }
}

async fn read(answer: reqwest::Response) -> Answer {
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let signed = (
        header("alipay-timestamp"),
        header("alipay-nonce"),
        header("alipay-signature"),
    );
    let (status, sn) = (answer.status().as_u16(), header("alipay-sn"));
    assert!(header("alipay-trace-id").is_some());
    let text = answer.text().await.unwrap();
    let fits = match signed {
        (Some(time), Some(nonce), Some(signature)) => fits(&format!("{time}\n{nonce}\n{text}\n"), &signature),
        _ => false,
    };
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, body, fits, sn }
}

#[tokio::test]
async fn the_references_request_is_accepted_as_it_stands() {
    let shop = Shop::open(json!({})).await;
    shop.set_clock("2026-03-01T08:30:05");
    let request = shop
        .client
        .post(format!("{}/alipay/v3/alipay/trade/query", shop.sim.url()))
        .header("authorization", vector("T9 authorization"))
        .header("content-type", "application/json");
    let body = r#"{"out_trade_no":"MT202603010830050001"}"#;
    let answer = read(request.body(body).send().await.unwrap()).await;
    assert!(answer.says(400, "code=ACQ.TRADE_NOT_EXIST message=交易不存在").fits);
}

#[tokio::test]
async fn a_payment_lives_its_life_behind_paths() {
    let merchant = Merchant::start(&[]).await;
    let shop = Shop::open(json!({})).await;
    let agreement_no = shop.sign("S1", &[]).await;
    let target = format!("/v3/alipay/user/agreement/query?agreement_no={agreement_no}");
    shop.rest("GET", &target, "", "", &[])
        .await
        .says(200, "status=NORMAL external_agreement_no=S1");
    let mut order = crate::shop::order("P1", &agreement_no, "3.00");
    order["notify_url"] = json!(merchant.at("paid"));
    let paid = shop.post("alipay/trade/pay", &order).await;
    assert!(paid.says(200, "out_trade_no=P1 total_amount=3.00 code= msg=").fits);
    assert!(merchant.wait("out_trade_no=P1").await.is_signed());
    let refund = json!({"out_trade_no": "P1", "out_request_no": "R1", "refund_amount": "1.00"});
    shop.post("alipay/trade/refund", &refund)
        .await
        .says(200, "fund_change=Y refund_fee=1.00");
    let ask = json!({"out_trade_no": "P1", "out_request_no": "R1"});
    shop.post("alipay/trade/fastpay/refund/query", &ask)
        .await
        .says(200, "refund_status=REFUND_SUCCESS");
    shop.post("alipay/trade/cancel", &json!({"out_trade_no": "P1"}))
        .await
        .says(400, "code=ACQ.CANCEL_NOT_ALLOWED");
    let code = shop.code("小明", "1").await;
    shop.post("alipay/trade/pay", &code_order("P2", &code, "1.00"))
        .await
        .says(202, "out_trade_no=P2");
    let bill = "/v3/alipay/data/dataservice/bill/downloadurl/query?bill_type=trade&bill_date=2026-13-01";
    shop.rest("GET", bill, "", "", &[])
        .await
        .says(400, "code=INVAILID_ARGUMENTS");
    shop.post("alipay/user/agreement/unsign", &json!({"agreement_no": agreement_no}))
        .await
        .says(200, "");
    assert_eq!(shop.books(), ["Debit P1 300", "Refund R1 100"]);
}

#[tokio::test]
async fn statuses_tell_what_went_wrong() {
    let shop = Shop::open(json!({})).await;
    let path = "alipay/trade/query";
    let body = json!({"out_trade_no": "P1"});
    let bare = |header: &'static str| {
        let request = shop.client.post(format!("{}/alipay/v3/{path}", shop.sim.url()));
        request.header("authorization", header).body("{}").send()
    };
    let answer = read(bare("Bearer x").await.unwrap()).await;
    assert!(!answer.says(401, "code=missing-signature").fits);
    let unknown = bare("ALIPAY-SHA256withRSA app_id=2021000000009999,nonce=1,timestamp=1,sign=AAAA").await;
    assert!(!read(unknown.unwrap()).await.says(400, "code=invalid-app-id").fits);
    let old = bare("ALIPAY-SHA256withRSA app_id=2021000000000001,nonce=1,timestamp=1,sign=AAAA").await;
    assert!(read(old.unwrap()).await.says(400, "code=invalid-timestamp").fits);
    let long_dead = shop
        .rest("POST", &format!("/v3/{path}"), "{}", ",expired_seconds=x", &[])
        .await;
    long_dead.says(400, "code=invalid-timestamp");
    let wrong = shop
        .rest(
            "POST",
            &format!("/v3/{path}"),
            "{}",
            "",
            &[("alipay-app-auth-token", "x")],
        )
        .await;
    wrong.says(401, "code=invalid-app-auth-token");
    shop.post("alipay/trade/precreate", &body)
        .await
        .says(404, "code=invalid-method");
    shop.rest("GET", &format!("/v3/{path}"), "", "", &[])
        .await
        .says(404, "code=invalid-method");
    shop.rest("POST", &format!("/v3/{path}"), "{", "", &[])
        .await
        .says(400, "code=illegal-json");
    for (code, status, told) in [
        ("isv.app-call-limited", 429, "app-call-limited"),
        ("isv.insufficient-isv-permissions", 403, "insufficient-isv-permissions"),
        ("isp.unknow-error", 500, "unknow-error"),
        ("SYSTEM_ERROR", 400, "ACQ.SYSTEM_ERROR"),
    ] {
        shop.fault(json!({"operation": "alipay.trade.query", "order_no": "P1", "effect": "refuse", "code": code}));
        shop.post(path, &body).await.says(status, &format!("code={told}"));
    }
    shop.fault(json!({"operation": "alipay.trade.query", "effect": "wrong_signature"}));
    assert!(!shop.post(path, &body).await.fits);
    shop.fault(json!({"operation": "alipay.trade.query", "effect": "no_signature"}));
    assert!(!shop.post(path, &body).await.fits);
    assert!(shop.post(path, &body).await.fits);
    let forged = shop
        .client
        .post(format!("{}/alipay/v3/alipay/trade/pay", shop.sim.url()));
    let now_ms = shop.sim.frame().clock.now_ms();
    let header = format!("ALIPAY-SHA256withRSA app_id={APP_ID},nonce=1,timestamp={now_ms},sign=AAAA");
    let answer = forged.header("authorization", header).body("{}").send().await.unwrap();
    assert!(read(answer).await.says(401, "code=invalid-signature").fits);
    assert!(shop.call(PAY, json!({})).await.fits);
}

#[tokio::test]
async fn certificates_and_sealed_contents_go_through_headers() {
    let alipay = format!("{}\n{}", vector("alipay certificate"), vector("middle certificate"));
    let shop = Shop::open(json!({"mode": "certificate", "app_cert_pem": vector("app certificate"),
        "alipay_cert_pem": alipay, "alipay_root_cert_pem": vector("root certificates"),
        "encrypt_key": "AQIDBAUGBwgJCgsMDQ4PEA=="}))
    .await;
    let path = "/v3/alipay/trade/query";
    shop.rest("POST", path, "{}", "", &[])
        .await
        .says(400, "code=missing-app-cert-sn");
    let own = ",app_cert_sn=0011657fb565810f4281ac37785787b7";
    let root = "5b411b75aeb7a48531c3162ae2314c20_b660cbcf128599c88757a8f815406cb8";
    let headers = [
        ("alipay-root-cert-sn", root),
        ("alipay-encrypt-type", "AES"),
        ("content-type", "text/plain"),
    ];
    let sealed = "N/Gz606IbBJGjbXKsdqbog==";
    let answer = shop.rest("POST", path, sealed, own, &headers).await;
    assert!(answer.fits && answer.status == 400, "{}", answer.body);
    assert_eq!(answer.sn.as_deref(), Some("c6204f0b049ee8a2e17785eb0b82e74c"));
    assert!(
        answer
            .body
            .as_str()
            .is_some_and(|sealed| STANDARD.decode(sealed).is_ok()),
        "{}",
        answer.body
    );
    let broken = shop.rest("POST", path, "nonsense", own, &headers).await;
    assert_eq!(broken.status, 400);
}
