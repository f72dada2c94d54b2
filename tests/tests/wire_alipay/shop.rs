//! A merchant's shop: the gateway on one end, the adapter on the other, and the door between them where notices arrive.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use metropay_channel_alipay::{AlipayConfig, AlipayFactory};
use metropay_core::channel::{
    CallError, Channel, ChannelFactory, ContractKey, ContractRef, ContractStanding, DeductQuestion, News,
    NoticeRefused, Outcome, PaymentRef, Product, RawNotice, RefundQuestion, ReverseQuestion, Reversed, Setting,
    SignPage, SignQuestion, SignedContract, Standing,
};
use metropay_core::clock::{Clock, MovedClock};
use metropay_core::id::{AccountId, ContractNo, PayNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use metropay_outbound::OutboundSettings;
use metropay_simulator::{Effect, Fault, Gateway, Movement, MovementKind, Settings, Simulator};
use serde_json::{Value, json};

pub(crate) const USER: &str = "2088000000000123";
pub(crate) const PAY: &str = "alipay.trade.pay";
pub(crate) const QUERY: &str = "alipay.trade.query";
pub(crate) const CANCEL: &str = "alipay.trade.cancel";
pub(crate) const REFUND: &str = "alipay.trade.refund";

pub(crate) type Read = Result<Vec<News>, NoticeRefused>;

/// What the notice door knows: the adapter that reads, and what it read.
#[derive(Default)]
pub(crate) struct Door {
    pub(crate) channel: OnceLock<Arc<dyn Channel>>,
    pub(crate) read: Mutex<Vec<Read>>,
}

async fn take(State(door): State<Arc<Door>>, body: Bytes) -> String {
    let channel = door.channel.get().unwrap();
    let notice = RawNotice {
        headers: Vec::new(),
        body: body.to_vec(),
        received_at: MovedClock::default().now(),
    };
    let read = channel.read_notice(&notice).await;
    let answer = channel.answer_notice(read.is_ok());
    door.read.lock().unwrap().push(read);
    answer.body
}

/// A merchant with an account at the simulated gateway and a signed agreement, if wished.
pub(crate) struct Shop {
    pub(crate) sim: Simulator,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) door: Arc<Door>,
    pub(crate) config: Value,
    pub(crate) browser: reqwest::Client,
}

impl Shop {
    pub(crate) async fn open(spec: Value) -> Self {
        let settings = Settings {
            notice_pace_percent: 1,
            settle_ms: 20,
            ..Settings::default()
        };
        let sim = Simulator::start(settings).await.unwrap();
        let door = Arc::new(Door::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let notify_url = format!("http://{}/notify/k7Qf", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/notify/k7Qf", post(take))
            .with_state(Arc::clone(&door));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut spec = spec;
        spec["app_gateway_url"] = json!(notify_url);
        let handed_out = sim.frame().open_account(Gateway::Alipay, &spec).unwrap();
        let clock = Arc::new(MovedClock::default());
        let config = config(&handed_out);
        let channel = build(config.clone(), &notify_url, Arc::clone(&clock));
        assert!(door.channel.set(Arc::clone(&channel)).is_ok());
        let browser = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            sim,
            clock,
            channel,
            door,
            config,
            browser,
        }
    }

    /// A shop whose user has signed.
    pub(crate) async fn signed(spec: Value) -> (Self, SignedContract) {
        let shop = Self::open(spec).await;
        let signed = shop.sign(&contract(None)).await;
        (shop, signed)
    }

    /// The user opens the signing page and agrees; the notice tells the agreement.
    pub(crate) async fn sign(&self, contract: &ContractRef) -> SignedContract {
        let id = self.open_page(contract).await;
        let agreed = self
            .post("/alipay/phone/sign", &[("id", &id), ("agree", "1"), ("user", USER)])
            .await;
        assert_eq!(agreed.status().as_u16(), 302);
        assert_eq!(agreed.headers()["location"], "https://app.example.com/pay/code");
        let news = self.news(|news| {
            matches!(
                news,
                News::Contract {
                    standing: Some(ContractStanding::Active(_)),
                    ..
                }
            )
        });
        match news.await {
            News::Contract {
                contract: key,
                standing: Some(ContractStanding::Active(signed)),
            } => {
                assert_eq!(key, ContractKey::No(contract.no.clone()));
                signed
            }
            other => panic!("{other:?}"),
        }
    }

    /// Opens the signing page and returns the form's id.
    pub(crate) async fn open_page(&self, contract: &ContractRef) -> String {
        let wish = SignQuestion {
            contract: contract.clone(),
            sequence: 1,
            display: "138xxxx5678".to_owned(),
            return_url: "https://app.example.com/pay/code".to_owned(),
            user_ip: None,
        };
        let Outcome::Done(SignPage::Redirect { url, .. }) = self.channel.sign_contract(&wish).await.unwrap() else {
            panic!("a page of Alipay is an address");
        };
        let page = self.browser.get(url).send().await.unwrap().text().await.unwrap();
        let hidden = page
            .split("name=\"id\" value=\"")
            .nth(1)
            .unwrap_or_else(|| panic!("no form: {page}"));
        hidden.split('"').next().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.browser
            .post(format!("{}{path}", self.sim.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"))
            .send()
            .await
            .unwrap()
    }

    /// The user changes an agreement in Alipay's App.
    pub(crate) async fn act(&self, agreement_no: &str, act: &str) {
        let form = [("user", USER), ("agreement_no", agreement_no), ("act", act)];
        self.post("/alipay/phone/agreement", &form).await;
    }

    /// Waits until a notice was read that fits.
    pub(crate) async fn read(&self, fits: impl Fn(&Read) -> bool) -> Read {
        for _ in 0..500 {
            let found = self.door.read.lock().unwrap().iter().find(|read| fits(read)).cloned();
            if let Some(read) = found {
                return read;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no such notice; read were {:?}", self.door.read.lock().unwrap());
    }

    /// Waits for news that fits.
    pub(crate) async fn news(&self, fits: impl Fn(&News) -> bool) -> News {
        let has = |read: &Read| read.as_ref().is_ok_and(|news| news.iter().any(&fits));
        let news = self.read(has).await.unwrap();
        news.into_iter().find(|news| fits(news)).unwrap()
    }

    /// Something goes wrong once at this operation.
    pub(crate) fn fault(&self, operation: &str, effect: Effect) {
        self.sim.frame().faults.add(Fault {
            id: 0,
            gateway: Some(Gateway::Alipay),
            operation: Some(operation.to_owned()),
            order_no: None,
            times: 1,
            effect,
        });
    }

    pub(crate) fn books(&self, kind: MovementKind) -> Vec<Movement> {
        let mut books = self.sim.frame().books();
        books.retain(|movement| movement.kind == kind);
        books
    }

    pub(crate) fn debits(&self) -> Vec<u64> {
        self.books(MovementKind::Debit)
            .iter()
            .map(|movement| movement.amount_fen)
            .collect()
    }

    pub(crate) fn returned(&self) -> u64 {
        let back = [self.books(MovementKind::Refund), self.books(MovementKind::Reversal)].concat();
        back.iter().map(|movement| movement.amount_fen).sum()
    }

    pub(crate) fn deduction(&self, no: &str, fen: u64, handle: &str) -> DeductQuestion {
        DeductQuestion {
            no: PayNo::from(no),
            at: self.clock.now(),
            amount: money(fen),
            body: "地铁便利店/矿泉水 2 瓶&🚇".to_owned(),
            store: "SZTX001".to_owned(),
            contract_handle: handle.to_owned(),
        }
    }

    pub(crate) fn payment(&self, no: &str, fen: u64) -> PaymentRef {
        PaymentRef {
            product: Product::Mandate,
            no: PayNo::from(no),
            at: self.clock.now(),
            amount: money(fen),
            channel_no: None,
        }
    }

    pub(crate) fn reversal(&self, no: &str, fen: u64) -> ReverseQuestion {
        ReverseQuestion {
            payment: self.payment(no, fen),
            no: ReversalNo(format!("V{no}")),
            at: self.clock.now(),
        }
    }

    pub(crate) fn refund(&self, no: &str, fen: u64, refund: &str, back: u64) -> RefundQuestion {
        RefundQuestion {
            payment: self.payment(no, fen),
            no: RefundNo::from(refund),
            at: self.clock.now(),
            amount: money(back),
        }
    }

    pub(crate) async fn is_paid(&self, no: &str, fen: u64) -> bool {
        let standing = self.channel.query_payment(&self.payment(no, fen)).await;
        matches!(&standing, Ok(Standing::Paid(paid)) if paid.amount == money(fen))
    }
}

pub(crate) fn money(fen: u64) -> Fen {
    Fen::new(fen).unwrap()
}

pub(crate) fn contract(handle: Option<&str>) -> ContractRef {
    ContractRef {
        no: ContractNo::from("C20260301070000000ABCDEFGHJKLM"),
        asked_at: MovedClock::default().now(),
        handle: handle.map(str::to_owned),
    }
}

/// What the gateway's merchant platform handed out, as an operator types it in.
pub(crate) fn config(handed_out: &Value) -> Value {
    let mut config = json!({
        "app_id": handed_out["app_id"],
        "seller_id": handed_out["seller_id"],
        "app_private_key": handed_out["app_private_key_pem"],
        "gateway_url": handed_out["gateway_url"],
        "sign_scene": handed_out["sign_scene"],
        "payment_code": true,
        "identity_scope": "auth_user",
        "authorize_url": format!("{}/publicAppAuthorize.htm", handed_out["oauth_url"].as_str().unwrap()),
        "pay_timeout_ms": 1000,
        "query_timeout_ms": 1000,
        "refund_timeout_ms": 1000,
    });
    if handed_out["app_cert_pem"].is_string() {
        config["app_cert"] = handed_out["app_cert_pem"].clone();
        config["alipay_cert"] = handed_out["alipay_cert_pem"].clone();
        config["alipay_root_cert"] = handed_out["alipay_root_cert_pem"].clone();
    } else {
        config["alipay_public_key"] = handed_out["alipay_public_key_pem"].clone();
    }
    if handed_out["encrypt_key"].is_string() {
        config["encrypt_key"] = handed_out["encrypt_key"].clone();
    }
    config
}

pub(crate) fn build(config: Value, notify_url: &str, clock: Arc<MovedClock>) -> Arc<dyn Channel> {
    let config: AlipayConfig = serde_json::from_value(config).unwrap();
    let setting = Setting {
        account: AccountId::from("A1"),
        notify_url: notify_url.to_owned(),
        clock,
        random: Arc::new(SystemRandom),
    };
    AlipayFactory::new(OutboundSettings::default())
        .build(config, setting)
        .unwrap()
}

pub(crate) fn has_ended(news: &News) -> bool {
    let ended = |standing: &ContractStanding| matches!(standing, ContractStanding::Ended { .. });
    matches!(news, News::Contract { standing: Some(standing), .. } if ended(standing))
}

pub(crate) fn is_money_back(answer: &Result<Outcome<Reversed>, CallError>) -> bool {
    matches!(answer, Ok(Outcome::Done(Reversed::MoneyBack { .. })))
}
