//! The gateway behind TLS, and the calls that need the merchant's certificate there.

use metropay_simulator::{Gateway, Simulator, WechatTls};
use reqwest::{Certificate, Identity};
use serde_json::{Value, json};

use super::merchant::{Merchant, simulator};
use super::wire::{from_xml, to_xml};

struct Host {
    simulator: Simulator,
    tls: WechatTls,
}

impl Host {
    async fn open() -> Self {
        let simulator = simulator().await;
        let listen = "127.0.0.1:0".parse().unwrap();
        let tls = simulator.listen_wechat_tls(listen).await.unwrap();
        Self { simulator, tls }
    }

    /// A merchant whose client shows this account's certificate, or none.
    fn merchant(&self, account: &Value, shown: Option<&Value>) -> Merchant {
        let authority = Certificate::from_pem(self.tls.ca_pem().as_bytes()).unwrap();
        let mut http = reqwest::Client::builder().no_proxy().tls_certs_only([authority]);
        if let Some(shown) = shown {
            let text = |name: &str| shown[name].as_str().unwrap();
            let pem = format!("{}{}", text("api_key_pem"), text("api_cert_pem"));
            http = http.identity(Identity::from_pem(pem.as_bytes()).unwrap());
        }
        Merchant {
            base: format!("https://localhost:{}", self.tls.addr().port()),
            http: http.build().unwrap(),
            ..Merchant::of(account)
        }
    }

    fn account(&self) -> Value {
        let spec = json!({"mode": "direct"});
        self.simulator.frame().open_account(Gateway::Wechat, &spec).unwrap()
    }
}

async fn reverse(merchant: &Merchant) -> String {
    let request = merchant.signed("/secapi/pay/reverse", &[("out_trade_no", "NOTHING")]);
    let answer = from_xml(&merchant.send("/secapi/pay/reverse", to_xml(&request)).await, "xml");
    answer.get("err_code").unwrap_or_else(|| &answer["return_msg"]).clone()
}

#[tokio::test]
async fn only_the_merchant_s_own_certificate_opens_what_is_certified() {
    let host = Host::open().await;
    let (own, other) = (host.account(), host.account());
    assert_eq!(
        reverse(&host.merchant(&own, Some(&own))).await,
        "INVALID_REQUEST",
        "there is no such order"
    );
    for shown in [None, Some(&other)] {
        let merchant = host.merchant(&own, shown);
        assert!(reverse(&merchant).await.starts_with("证书错误"));
        let query = merchant.call("/pay/orderquery", &[("out_trade_no", "NOTHING")]).await;
        assert_eq!(query["err_code"], "ORDERNOTEXIST", "a query needs no certificate");
    }
    let mut below = host.merchant(&own, Some(&own));
    below.base.push_str("/wechat");
    assert_eq!(
        reverse(&below).await,
        "INVALID_REQUEST",
        "the prefix may stand there too"
    );
    assert_eq!(
        reverse(&Merchant::of(&own)).await,
        "INVALID_REQUEST",
        "plain HTTP sees no certificates"
    );
}

#[tokio::test]
async fn a_certificate_that_somebody_else_issued_is_cut_off() {
    let host = Host::open().await;
    let own = host.account();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, own["mch_id"].as_str().unwrap());
    let forged = json!({"api_key_pem": key.serialize_pem(), "api_cert_pem": params.self_signed(&key).unwrap().pem()});
    let merchant = host.merchant(&own, Some(&forged));
    let request = merchant.signed("/secapi/pay/reverse", &[("out_trade_no", "NOTHING")]);
    let url = format!("{}/secapi/pay/reverse", merchant.base);
    assert!(merchant.http.post(url).body(to_xml(&request)).send().await.is_err());
}
