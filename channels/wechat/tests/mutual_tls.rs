//! Refunds as the real host wants them: over TLS, with the merchant's certificate, against a gateway of its own authority.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it must be"
)]

use std::sync::Arc;
use std::time::Duration;

use metropay_channel_wechat::WechatFactory;
use metropay_core::channel::{
    CallError, Called, Channel, ChannelRegistry, CodePayQuestion, Outcome, PaymentRef, Product, RefundQuestion,
    RefundStanding, Refunded, Setting, Standing,
};
use metropay_core::clock::{Clock, SystemClock};
use metropay_core::id::{AccountId, ChannelId};
use metropay_core::money::Fen;
use metropay_core::random::SeededRandom;
use metropay_core::secret::Secret;
use metropay_outbound::{Outbound, OutboundSettings, Request};
use metropay_simulator::{Gateway, MovementKind, Settings, Simulator, WechatTls};
use serde_json::{Value, json};

const ORDER: &str = "MC20250301123456000000000000001";
const REFUND: &str = "MCR20250301150000000000000000001";

/// The gateway, with and without TLS, and a merchant that was paid.
struct Host {
    simulator: Simulator,
    tls: WechatTls,
    account: Value,
}

impl Host {
    async fn open() -> Self {
        let settings = Settings {
            settle_ms: 20,
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).await.unwrap();
        let tls = simulator
            .listen_wechat_tls("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let account = another(&simulator);
        let host = Self {
            simulator,
            tls,
            account,
        };
        let channel = host.channel(&host.account, Some(host.tls.ca_pem()));
        let code = host.code().await;
        let question = CodePayQuestion {
            no: ORDER.into(),
            at: SystemClock.now(),
            amount: fen(1_280),
            body: "矿泉水".to_owned(),
            store: "SZTX001".to_owned(),
            code: Secret::from(code.as_str()),
        };
        let paid = channel.code_pay().unwrap().pay_by_code(&question).await;
        assert!(matches!(paid, Ok(Outcome::Done(_) | Outcome::Pending)), "{paid:?}");
        for _ in 0..100 {
            if matches!(channel.query_payment(&payment()).await, Ok(Standing::Paid(_))) {
                return host;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the order is not paid");
    }

    /// A code that a user shows.
    async fn code(&self) -> String {
        let form = "application/x-www-form-urlencoded";
        let url = format!("{}/wechat/phone/code", self.simulator.url());
        let body = "user=xiaoming&needs_password=0";
        let shown = Outbound::new(&OutboundSettings::default())
            .unwrap()
            .send(Request::post(url, form, body, Duration::from_secs(5)))
            .await
            .unwrap();
        let shown: Value = serde_json::from_slice(&shown.body).unwrap();
        shown["code"].as_str().unwrap().to_owned()
    }

    /// The merchant's adapter over TLS, with this account's certificate, believing these authorities or the system's.
    fn channel(&self, shown: &Value, roots: Option<&str>) -> Arc<dyn Channel> {
        let own = &self.account;
        let base = format!("https://localhost:{}", self.tls.addr().port());
        let config = json!({
            "mode": "direct", "appid": own["appid"], "mch_id": own["mch_id"], "api_key": own["api_key"],
            "plan_id": own["plan_id"], "base_url": base, "payment_code": true,
            "client_cert_pem": shown["api_cert_pem"], "client_key_pem": shown["api_key_pem"],
        });
        let setting = Setting {
            account: AccountId::from("A1"),
            notify_url: "https://pay.example.test/notify/wechat".to_owned(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SeededRandom::new(1)),
        };
        let outbound = OutboundSettings {
            roots_pem: roots.map(|pem| pem.as_bytes().to_vec()),
            ..OutboundSettings::default()
        };
        ChannelRegistry::new()
            .with(WechatFactory::new(outbound))
            .build(&ChannelId::from("wechat"), config, setting)
            .unwrap()
    }

    /// What was given back, in fen.
    fn given_back(&self) -> Vec<u64> {
        let books = self.simulator.frame().books();
        let refunds = books.iter().filter(|movement| movement.kind == MovementKind::Refund);
        refunds.map(|movement| movement.amount_fen).collect()
    }
}

fn another(simulator: &Simulator) -> Value {
    let spec = json!({"mode": "direct"});
    simulator.frame().open_account(Gateway::Wechat, &spec).unwrap()
}

fn fen(fen: u64) -> Fen {
    Fen::new(fen).unwrap()
}

fn payment() -> PaymentRef {
    PaymentRef {
        product: Product::PaymentCode,
        no: ORDER.into(),
        at: SystemClock.now(),
        amount: fen(1_280),
        channel_no: None,
    }
}

fn question() -> RefundQuestion {
    RefundQuestion {
        no: REFUND.into(),
        at: SystemClock.now(),
        payment: payment(),
        amount: fen(300),
    }
}

async fn refund(channel: &Arc<dyn Channel>) -> Called<Refunded> {
    channel.refund(&question()).await
}

#[tokio::test]
async fn a_refund_goes_through_with_the_merchants_own_certificate() {
    let host = Host::open().await;
    let channel = host.channel(&host.account, Some(host.tls.ca_pem()));
    let filed = refund(&channel).await;
    assert!(matches!(filed, Ok(Outcome::Done(_) | Outcome::Pending)), "{filed:?}");
    for _ in 0..100 {
        let standing = channel.query_refund(&question()).await.unwrap();
        if let RefundStanding::Refunded(refunded) = standing {
            assert_eq!(refunded.amount, fen(300));
            assert_eq!(host.given_back(), [300]);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the refund is not done");
}

/// The gateway knows the authority and not the merchant: it answers, unsigned, and that proves nothing.
#[tokio::test]
async fn a_refund_with_another_merchants_certificate_is_not_said_to_be_refused() {
    let host = Host::open().await;
    let channel = host.channel(&another(&host.simulator), Some(host.tls.ca_pem()));
    let told = refund(&channel).await;
    assert!(
        matches!(&told, Err(CallError::MaybeDone(text)) if text.contains("证书")),
        "{told:?}"
    );
    assert!(host.given_back().is_empty());
}

/// The gateway ends a connection whose certificate it cannot place. With TLS 1.3 the request is on its way by then.
#[tokio::test]
async fn a_refund_with_a_certificate_of_a_strange_authority_may_have_been_done() {
    let host = Host::open().await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let forged = json!({"api_cert_pem": certificate.pem(), "api_key_pem": key.serialize_pem()});
    let channel = host.channel(&forged, Some(host.tls.ca_pem()));
    let told = refund(&channel).await;
    assert!(matches!(told, Err(CallError::MaybeDone(_))), "{told:?}");
    assert!(host.given_back().is_empty());
    // What needs no certificate goes without one.
    let standing = channel.query_payment(&payment()).await;
    assert!(matches!(standing, Ok(Standing::Paid(_))), "{standing:?}");
}

/// Whom we do not believe, we send nothing to.
#[tokio::test]
async fn nothing_is_sent_to_a_gateway_of_an_authority_that_is_not_believed() {
    let host = Host::open().await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let other = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
    for roots in [None, Some(other.as_str())] {
        let channel = host.channel(&host.account, roots);
        let told = refund(&channel).await;
        assert!(matches!(told, Err(CallError::NotSent(_))), "{told:?}");
        let standing = channel.query_payment(&payment()).await;
        assert!(matches!(standing, Err(CallError::NotSent(_))), "{standing:?}");
    }
    assert!(host.given_back().is_empty());
}
