//! The simulator, an account with it, its adapter, the user's phone, and where notifications arrive.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use metropay_channel_wechat::WechatFactory;
use metropay_core::channel::{
    CallError, Called, Channel, ChannelRegistry, ContractKey, ContractRef, ContractStanding, DeductQuestion, News,
    NoticeRefused, Outcome, Paid, PaymentRef, Product, RawNotice, RefundQuestion, RefundStanding, Refunded,
    ReverseQuestion, Reversed, Setting, SignPage, SignQuestion, Standing,
};
use metropay_core::clock::{Clock, MovedClock};
use metropay_core::id::{AccountId, ChannelId, ContractNo, PayNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use metropay_outbound::OutboundSettings;
use metropay_simulator::{Effect, Fault, Gateway, MovementKind, Settings, Simulator};
use serde_json::{Value, json};

/// What a receiver of notifications made of one.
pub(crate) type Read = Result<Vec<News>, NoticeRefused>;

#[derive(Default)]
struct Receiver {
    channel: OnceLock<Arc<dyn Channel>>,
    read: Mutex<Vec<Read>>,
}

/// The simulator, an account with it, its adapter, and where notifications arrive.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) config: Value,
    pub(crate) notify_url: String,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) channel: Arc<dyn Channel>,
    receiver: Arc<Receiver>,
}

async fn receive(State(receiver): State<Arc<Receiver>>, body: Bytes) -> impl IntoResponse {
    let Some(channel) = receiver.channel.get() else {
        return (
            StatusCode::NOT_FOUND,
            [(header::CONTENT_TYPE, "text/plain")],
            String::new(),
        );
    };
    let read = channel
        .read_notice(&RawNotice {
            headers: Vec::new(),
            body: body.to_vec(),
            received_at: MovedClock::default().now(),
        })
        .await;
    let answer = channel.answer_notice(read.is_ok());
    receiver.read.lock().expect("no reader panics").push(read);
    let status = StatusCode::from_u16(answer.status).expect("a status");
    (status, [(header::CONTENT_TYPE, answer.content_type)], answer.body)
}

pub(crate) fn build(config: &Value, notify_url: &str, clock: &Arc<MovedClock>) -> Arc<dyn Channel> {
    let setting = Setting {
        account: AccountId::from("A1"),
        notify_url: notify_url.to_owned(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(SystemRandom),
    };
    let registry = ChannelRegistry::new().with(WechatFactory::new(OutboundSettings::default()));
    let wechat = ChannelId::from("wechat");
    // The gateway hands out more than the adapter asks for.
    let schema = registry.schema(&wechat).expect("the channel is linked").to_value();
    let mut config = config.clone();
    let fields = config.as_object_mut().expect("an object");
    for (ours, theirs) in [("client_cert_pem", "api_cert_pem"), ("client_key_pem", "api_key_pem")] {
        if let Some(handed_out) = fields.get(theirs).cloned() {
            fields.entry(ours).or_insert(handed_out);
        }
    }
    fields.retain(|name, _| schema["properties"].get(name).is_some());
    registry
        .build(&wechat, config, setting)
        .expect("the simulator's account makes a configuration that works")
}

/// Fields of `over` laid over those of `base`.
pub(crate) fn with(mut base: Value, over: &Value) -> Value {
    let fields = base.as_object_mut().expect("an object");
    fields.extend(over.as_object().expect("an object").clone());
    base
}

impl World {
    pub(crate) async fn new(mode: &str, sign_type: &str) -> Self {
        Self::with_config(mode, &json!({"sign_type": sign_type})).await
    }

    pub(crate) async fn with_config(mode: &str, over: &Value) -> Self {
        let settings = Settings {
            settle_ms: 100,
            notice_pace_percent: 1,
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).await.expect("a free port");
        let receiver = Arc::new(Receiver::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let notify_url = format!("http://{}/notify/a1b2", listener.local_addr().expect("an address"));
        let app = Router::new()
            .route("/notify/a1b2", post(receive))
            .with_state(Arc::clone(&receiver));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let wishes = json!({
            "mode": mode, "termination_url": notify_url, "coupon_fen": 50,
            "daily_success_max": 1_000, "daily_max_fen": 100_000_000,
        });
        let account = simulator
            .frame()
            .open_account(Gateway::Wechat, &wishes)
            .expect("an account as wished");
        let page = json!({"signing_page_url": format!("{}/wechat/phone/sign", simulator.url()), "deduct_timeout_s": 1});
        let config = with(with(account, &page), over);
        let clock = Arc::new(MovedClock::default());
        let channel = build(&config, &notify_url, &clock);
        receiver
            .channel
            .set(Arc::clone(&channel))
            .unwrap_or_else(|_| unreachable!("set once"));
        Self {
            simulator,
            config,
            notify_url,
            clock,
            channel,
            receiver,
        }
    }

    /// Moves the platform's clock and the gateway's together.
    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
        let clock = &self.simulator.frame().clock;
        let ms = i64::try_from(duration.as_millis()).expect("a test's time");
        clock.set_offset_ms(clock.offset_ms() + ms);
    }

    /// The next call of this operation goes wrong in this way.
    pub(crate) fn fault(&self, operation: &str, effect: Effect) {
        self.simulator.frame().faults.add(Fault {
            id: 0,
            gateway: Some(Gateway::Wechat),
            operation: Some(operation.to_owned()),
            order_no: None,
            times: 1,
            effect,
        });
    }

    /// The next time the pages of the phone let this user agree to a contract, and its notification is awaited.
    pub(crate) async fn signed(&self, user: &str) -> ContractRef {
        let mut contract = ContractRef {
            no: ContractNo::fresh(self.clock.as_ref(), &SystemRandom),
            asked_at: self.clock.now(),
            handle: None,
        };
        let page = self.channel.sign_contract(&sign_question(&contract)).await;
        let Ok(Outcome::Done(SignPage::Redirect { url, .. })) = page else {
            unreachable!("{page:?}")
        };
        let browser = browser();
        let opened = browser.get(&url).send().await.expect("the page opens");
        // A page inside WeChat is answered by the way to the phone's page.
        let url = match opened.headers().get(header::LOCATION) {
            Some(location) => location.to_str().expect("an address").to_owned(),
            None => url,
        };
        let id = url
            .split("id=")
            .nth(1)
            .expect("an address with the signing's id")
            .to_owned();
        let form = format!("id={id}&agree=1&user={user}");
        let phone = format!("{}/wechat/phone/sign", self.simulator.url());
        let agreed = browser.post(phone).body(form).send().await.expect("the phone answers");
        assert!(
            agreed.status().is_success() || agreed.status().is_redirection(),
            "{agreed:?}"
        );
        let standing = self
            .news(|news| match news {
                News::Contract {
                    contract: ContractKey::No(no),
                    standing: Some(standing),
                } if *no == contract.no => Some(standing.clone()),
                _ => None,
            })
            .await;
        let ContractStanding::Active(signed) = standing else {
            unreachable!("{standing:?}")
        };
        let queried = self.channel.query_contract(&contract).await;
        let Ok(ContractStanding::Active(queried)) = queried else {
            unreachable!("{queried:?}")
        };
        assert_eq!((&queried.handle, &queried.payer), (&signed.handle, &signed.payer));
        assert_eq!(queried.display.as_deref(), Some("1381234"));
        contract.handle = Some(signed.handle);
        contract
    }

    /// Waits for a piece of news that fits.
    pub(crate) async fn news<T>(&self, fits: impl Fn(&News) -> Option<T>) -> T {
        self.read(|read| read.as_ref().ok()?.iter().find_map(&fits)).await
    }

    /// Waits for a notification that fits.
    pub(crate) async fn read<T>(&self, fits: impl Fn(&Read) -> Option<T>) -> T {
        until(|| async {
            self.receiver
                .read
                .lock()
                .expect("no reader panics")
                .iter()
                .find_map(&fits)
        })
        .await
    }

    pub(crate) fn deduction(&self, contract: &ContractRef, fen: u64) -> DeductQuestion {
        DeductQuestion {
            no: PayNo::fresh(self.clock.as_ref(), &SystemRandom),
            at: self.clock.now(),
            amount: amount(fen),
            body: "地铁便利店-饮料🥤".to_owned(),
            store: "S0001".to_owned(),
            contract_handle: contract.handle.clone().expect("a signed contract"),
        }
    }

    /// A payment that went through.
    pub(crate) async fn paid(&self, contract: &ContractRef, fen: u64) -> PaymentRef {
        let deduction = self.deduction(contract, fen);
        assert_eq!(self.channel.deduct(&deduction).await, Ok(Outcome::Pending));
        let payment = payment(&deduction);
        self.until_paid(&payment).await;
        payment
    }

    pub(crate) async fn until_paid(&self, payment: &PaymentRef) -> Paid {
        until(|| async {
            match self.channel.query_payment(payment).await {
                Ok(Standing::Paid(paid)) => Some(paid),
                _ => None,
            }
        })
        .await
    }

    pub(crate) fn refund(&self, payment: &PaymentRef, fen: u64) -> RefundQuestion {
        RefundQuestion {
            payment: payment.clone(),
            no: RefundNo::fresh(self.clock.as_ref(), &SystemRandom),
            at: self.clock.now(),
            amount: amount(fen),
        }
    }

    pub(crate) async fn until_refunded(&self, refund: &RefundQuestion) -> Refunded {
        until(|| async {
            match self.channel.query_refund(refund).await {
                Ok(RefundStanding::Refunded(refunded)) => Some(refunded),
                _ => None,
            }
        })
        .await
    }

    pub(crate) fn reversal(&self, payment: &PaymentRef) -> ReverseQuestion {
        ReverseQuestion {
            payment: payment.clone(),
            no: ReversalNo::fresh(self.clock.as_ref(), &SystemRandom),
            at: self.clock.now(),
        }
    }

    pub(crate) async fn until_reversed(&self, reversal: &ReverseQuestion) -> Reversed {
        until(|| async {
            match self.channel.reverse(reversal).await {
                Ok(Outcome::Done(reversed)) => Some(reversed),
                _ => None,
            }
        })
        .await
    }

    /// What moved for a payment, by the gateway's own books.
    pub(crate) fn moved(&self, payment: &PaymentRef) -> Vec<(MovementKind, u64)> {
        let books = self.simulator.frame().books().into_iter();
        let own = books.filter(|movement| movement.payment_no == payment.no.as_str());
        own.map(|movement| (movement.kind, movement.amount_fen)).collect()
    }
}

/// Asks again and again, for twenty seconds at most.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> T {
    for _ in 0..1_000 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("it did not come within twenty seconds")
}

fn browser() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.no_proxy().build().expect("a client without special needs")
}

pub(crate) fn amount(fen: u64) -> Fen {
    Fen::new(fen).expect("a small amount")
}

pub(crate) fn sign_question(contract: &ContractRef) -> SignQuestion {
    SignQuestion {
        contract: contract.clone(),
        sequence: 1_740_801_600_000_001,
        display: "138****1234".to_owned(),
        return_url: "https://pay.example.test/back".to_owned(),
        user_ip: Some("203.0.113.77".to_owned()),
    }
}

pub(crate) fn payment(deduction: &DeductQuestion) -> PaymentRef {
    PaymentRef {
        product: Product::Mandate,
        no: deduction.no.clone(),
        at: deduction.at,
        amount: deduction.amount,
        channel_no: None,
    }
}

pub(crate) fn is_unknown<T>(called: &Called<T>) -> bool {
    matches!(called, Err(CallError::MaybeDone(_)))
}
