//! A merchant with an adapter, a simulated UnionPay before it, and an address where notifications arrive.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use metropay_channel_unionpay::UnionpayFactory;
use metropay_core::channel::{
    Channel, ChannelRegistry, ContractKey, ContractRef, ContractStanding, DeductQuestion, News, NoticeRefused, Outcome,
    PaymentRef, Product, RawNotice, RefundQuestion, RefundStanding, ReverseQuestion, Reversed, Setting, SignPage,
    SignQuestion, Standing,
};
use metropay_core::clock::{Clock, MovedClock};
use metropay_core::id::{ContractNo, PayNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use metropay_outbound::OutboundSettings;
use metropay_simulator::{Effect, Fault, Gateway, MovementKind, Settings, Simulator};
use serde_json::{Value, json};

/// The token that a shop has from the start, where a test does not open one.
pub(crate) const TOKEN: &str = "6235240000020757577";
/// How long a test waits for something that happens in the background.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the adapter said to a notification.
pub(crate) type Told = Result<Vec<News>, NoticeRefused>;

#[derive(Clone)]
struct Ear {
    channel: Arc<dyn Channel>,
    clock: Arc<MovedClock>,
    told: Arc<Mutex<Vec<Told>>>,
}

pub(crate) struct Shop {
    pub(crate) sim: Simulator,
    pub(crate) account: Value,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) channel: Arc<dyn Channel>,
    told: Arc<Mutex<Vec<Told>>>,
    notify_url: String,
}

impl Shop {
    /// A shop whose orders settle at once.
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// A shop towards which the gateway behaves in this way.
    pub(crate) async fn with(mut wishes: Value) -> Self {
        let settings = Settings {
            settle_ms: 30,
            notice_pace_percent: 1,
            ..Settings::default()
        };
        let sim = Simulator::start(settings).await.unwrap();
        wishes["tokens"] = json!([TOKEN]);
        let account = sim.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let notify_url = format!("http://{}/notify/7f3a9c", listener.local_addr().unwrap());
        let clock = Arc::new(MovedClock::default());
        let channel = build(&config(&account), &notify_url, &clock);
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let ear = Ear {
            channel: Arc::clone(&channel),
            clock: Arc::clone(&clock),
            told: Arc::clone(&told),
        };
        let app = Router::new().route("/notify/7f3a9c", post(hear)).with_state(ear);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            sim,
            account,
            clock,
            channel,
            told,
            notify_url,
        }
    }

    /// Changes how the gateway behaves towards this shop.
    pub(crate) fn change(&self, mut wishes: Value) {
        wishes["mer_id"] = self.account["mer_id"].clone();
        self.sim.frame().open_account(Gateway::Unionpay, &wishes).unwrap();
    }

    /// Another adapter for this shop, with the key and certificate of that account.
    pub(crate) fn with_the_key_of(&self, other: &Value) -> Arc<dyn Channel> {
        let mut config = config(&self.account);
        config["sign_cert_pem"] = other["cert_pem"].clone();
        config["sign_key_pem"] = other["private_key_pem"].clone();
        build(&config, &self.notify_url, &self.clock)
    }

    /// Another adapter for this shop, whose gateway is somewhere else.
    pub(crate) fn with_the_gateway_at(&self, base_url: &str) -> Arc<dyn Channel> {
        let mut config = config(&self.account);
        config["base_url"] = base_url.into();
        build(&config, &self.notify_url, &self.clock)
    }

    /// Lets the next message of this type go wrong.
    pub(crate) fn fault(&self, operation: &str, effect: Effect) {
        self.sim.frame().faults.add(Fault {
            id: 0,
            gateway: Some(Gateway::Unionpay),
            operation: Some(operation.to_owned()),
            order_no: None,
            times: 1,
            effect,
        });
    }

    /// Moves the clocks of both sides on.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let clock = &self.sim.frame().clock;
        clock.set_offset_ms(clock.offset_ms() + i64::try_from(by.as_millis()).unwrap());
    }

    pub(crate) fn contract(&self) -> ContractRef {
        ContractRef {
            no: ContractNo::fresh(self.clock.as_ref(), &SystemRandom),
            asked_at: self.clock.now(),
            handle: None,
        }
    }

    /// Shows the signing page to the user, who agrees or not.
    pub(crate) async fn sign(&self, contract: &ContractRef, agree: bool) {
        let question = SignQuestion {
            contract: contract.clone(),
            sequence: 1,
            display: "138xxxx8000".to_owned(),
            return_url: "https://pay.example.test/sign/return".to_owned(),
            user_ip: None,
        };
        let Ok(Outcome::Done(SignPage::Form { action, fields })) = self.channel.sign_contract(&question).await else {
            panic!("a form");
        };
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let page = post_form(&http, &action, &fields).await;
        let id = page
            .split("name=\"id\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_else(|| panic!("a page that asks the user: {page}"));
        let decision = [("id", id), ("agree", if agree { "1" } else { "0" }), ("card", "0018")];
        let decision = decision.map(|(name, value)| (name.to_owned(), value.to_owned()));
        post_form(&http, &format!("{}/unionpay/sim/front/open", self.sim.url()), &decision).await;
    }

    /// Opens a contract on the gateway's page, and returns it as notification and query tell it.
    pub(crate) async fn opened(&self) -> ContractRef {
        let mut contract = self.contract();
        assert_eq!(
            self.channel.query_contract(&contract).await,
            Ok(ContractStanding::Pending)
        );
        self.sign(&contract, true).await;
        let told = self
            .told(|told| matches!(told.as_deref(), Ok([News::Contract { .. }])))
            .await;
        let Ok(
            [
                News::Contract {
                    contract: key,
                    standing: Some(ContractStanding::Active(signed)),
                },
            ],
        ) = told.as_deref()
        else {
            panic!("{told:?}");
        };
        assert_eq!(*key, ContractKey::No(contract.no.clone()));
        assert_eq!(signed.display.as_deref(), Some("尾号0018"));
        assert!(signed.expires_at > signed.signed_at);
        let queried = self.channel.query_contract(&contract).await;
        assert_eq!(queried.ok().as_ref().and_then(token_of), Some(signed.handle.as_str()));
        contract.handle = Some(signed.handle.clone());
        contract
    }

    /// Pays by a contract; query and notification tell the same.
    pub(crate) async fn paid_by(&self, contract: &ContractRef, amount: u64) -> PaymentRef {
        let mut question = self.deduction(amount);
        question.contract_handle = contract.handle.clone().unwrap_or_default();
        assert_eq!(
            self.channel.deduct(&question).await,
            Ok(Outcome::Pending),
            "accepted is not paid"
        );
        let mut payment = payment(&question);
        let Standing::Paid(paid) = self.settled(&payment).await else {
            panic!("paid");
        };
        assert_eq!((paid.amount, paid.coupon), (Fen::new(amount).unwrap(), Fen::ZERO));
        let told = self
            .told(|told| matches!(told.as_deref(), Ok([News::Payment { .. }])))
            .await;
        let news = News::Payment {
            no: question.no.clone(),
            standing: Some(Standing::Paid(paid.clone())),
        };
        assert_eq!(told, Ok(vec![news]));
        payment.channel_no = Some(paid.channel_no);
        payment
    }

    pub(crate) fn deduction(&self, fen: u64) -> DeductQuestion {
        DeductQuestion {
            no: PayNo::fresh(self.clock.as_ref(), &SystemRandom),
            at: self.clock.now(),
            amount: Fen::new(fen).unwrap(),
            body: "矿泉水 2 瓶".to_owned(),
            store: "SZTX001".to_owned(),
            contract_handle: TOKEN.to_owned(),
        }
    }

    /// Deducts, and waits until the gateway says that it is paid.
    pub(crate) async fn paid(&self, fen: u64) -> PaymentRef {
        let question = self.deduction(fen);
        assert_eq!(self.channel.deduct(&question).await, Ok(Outcome::Pending));
        let mut payment = payment(&question);
        let Standing::Paid(paid) = self.settled(&payment).await else {
            panic!("the payment is made");
        };
        assert_eq!(paid.amount, question.amount);
        payment.channel_no = Some(paid.channel_no);
        payment
    }

    /// Asks until the payment is no longer pending.
    pub(crate) async fn settled(&self, payment: &PaymentRef) -> Standing {
        eventually(async || {
            let standing = self.channel.query_payment(payment).await.unwrap();
            (standing != Standing::Pending).then_some(standing)
        })
        .await
    }

    pub(crate) fn refund(&self, payment: &PaymentRef, fen: u64) -> RefundQuestion {
        RefundQuestion {
            payment: payment.clone(),
            no: RefundNo::fresh(self.clock.as_ref(), &SystemRandom),
            at: self.clock.now(),
            amount: Fen::new(fen).unwrap(),
        }
    }

    /// Asks until the refund is no longer pending.
    pub(crate) async fn refunded(&self, question: &RefundQuestion) -> RefundStanding {
        eventually(async || {
            let standing = self.channel.query_refund(question).await.unwrap();
            (standing != RefundStanding::Pending).then_some(standing)
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

    /// Reverses, and calls again while the channel says so.
    pub(crate) async fn reversed(&self, question: &ReverseQuestion) -> Reversed {
        eventually(async || match self.channel.reverse(question).await.unwrap() {
            Outcome::Done(reversed) => Some(reversed),
            Outcome::Pending => None,
            Outcome::Refused(why) => panic!("refused: {why:?}"),
        })
        .await
    }

    /// Waits for a notification of which this is true.
    pub(crate) async fn told(&self, is_it: impl Fn(&Told) -> bool) -> Told {
        eventually(async || self.told.lock().unwrap().iter().find(|told| is_it(told)).cloned()).await
    }

    /// Forgets the notifications so far.
    pub(crate) fn forget(&self) {
        self.told.lock().unwrap().clear();
    }

    /// The gateway's own books of this shop: kind, number, and fen.
    pub(crate) fn books(&self) -> Vec<(MovementKind, String, u64)> {
        let movements = self.sim.frame().books().into_iter();
        movements
            .map(|movement| (movement.kind, movement.order_no, movement.amount_fen))
            .collect()
    }

    /// What the payer paid and did not get back, by the gateway's books.
    pub(crate) fn taken_fen(&self) -> i64 {
        let signed = |(kind, _, fen): (MovementKind, String, u64)| {
            let fen = i64::try_from(fen).unwrap();
            if kind == MovementKind::Debit { fen } else { -fen }
        };
        self.books().into_iter().map(signed).sum()
    }
}

/// A payment in a question, before the channel's number is known.
pub(crate) fn payment(question: &DeductQuestion) -> PaymentRef {
    PaymentRef {
        product: Product::Mandate,
        no: question.no.clone(),
        at: question.at,
        amount: question.amount,
        channel_no: None,
    }
}

pub(crate) fn fen(fen: u64) -> Fen {
    Fen::new(fen).unwrap()
}

/// How much went back, where it did.
pub(crate) fn refund_of(standing: &RefundStanding) -> Option<Fen> {
    match standing {
        RefundStanding::Refunded(refunded) => Some(refunded.amount),
        _ => None,
    }
}

/// Tries until there is something.
pub(crate) async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let tried = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    tried.await.expect("it should have happened by now")
}

/// Whether a contract stands and can be used.
pub(crate) fn token_of(standing: &ContractStanding) -> Option<&str> {
    match standing {
        ContractStanding::Active(signed) => Some(&signed.handle),
        _ => None,
    }
}

fn config(account: &Value) -> Value {
    json!({
        "mer_id": account["mer_id"],
        "tr_id": account["tr_id"],
        "sign_cert_pem": account["cert_pem"],
        "sign_key_pem": account["private_key_pem"],
        "root_certs_pem": account["root_cert_pem"],
        "middle_certs_pem": account["middle_cert_pem"],
        "base_url": account["base_url"],
        "consume_timeout_ms": 2_000,
        "back_timeout_ms": 2_000,
        "query_timeout_ms": 2_000,
    })
}

fn build(config: &Value, notify_url: &str, clock: &Arc<MovedClock>) -> Arc<dyn Channel> {
    let setting = Setting {
        account: "unionpay-1".into(),
        notify_url: notify_url.to_owned(),
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
    };
    ChannelRegistry::new()
        .with(UnionpayFactory::new(OutboundSettings::default()))
        .build(&"unionpay".into(), config.clone(), setting)
        .unwrap()
}

async fn hear(State(ear): State<Ear>, body: Bytes) -> (StatusCode, String) {
    let notice = RawNotice {
        headers: Vec::new(),
        body: body.to_vec(),
        received_at: ear.clock.now(),
    };
    let told = ear.channel.read_notice(&notice).await;
    let answer = ear.channel.answer_notice(told.is_ok());
    ear.told.lock().unwrap().push(told);
    (StatusCode::from_u16(answer.status).unwrap(), answer.body)
}

async fn post_form(http: &reqwest::Client, url: &str, fields: &[(String, String)]) -> String {
    let mut form = reqwest::Url::parse("http://form.invalid/").unwrap();
    form.query_pairs_mut().extend_pairs(fields);
    let sent = http
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.query().unwrap_or_default().to_owned());
    sent.send().await.unwrap().text().await.unwrap()
}
