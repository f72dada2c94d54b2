//! The Alipay adapter and the simulated gateway on the two ends of a real wire. They share no code, so what one of them
//! misunderstands shows here.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it must be"
)]

mod sealed;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use metropay_channel_alipay::{AlipayConfig, AlipayFactory};
use metropay_core::channel::{
    CallError, Channel, ChannelFactory, ContractKey, ContractRef, ContractStanding, DeductQuestion, EndedBy, Hint,
    News, NoticeRefused, Outcome, PaymentRef, Product, RawNotice, RefundQuestion, RefundStanding, ReverseQuestion,
    Reversed, Setting, SignPage, SignQuestion, SignedContract, Standing,
};
use metropay_core::clock::{Clock, MovedClock};
use metropay_core::id::{AccountId, ContractNo, PayNo, RefundNo, ReversalNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use metropay_outbound::OutboundSettings;
use metropay_simulator::{Effect, Fault, Gateway, Movement, MovementKind, Settings, Simulator};
use serde_json::{Value, json};

const USER: &str = "2088000000000123";
const PAY: &str = "alipay.trade.pay";
const QUERY: &str = "alipay.trade.query";
const CANCEL: &str = "alipay.trade.cancel";
const REFUND: &str = "alipay.trade.refund";

type Read = Result<Vec<News>, NoticeRefused>;

/// What the notice door knows: the adapter that reads, and what it read.
#[derive(Default)]
struct Door {
    channel: OnceLock<Arc<dyn Channel>>,
    read: Mutex<Vec<Read>>,
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
struct Shop {
    sim: Simulator,
    clock: Arc<MovedClock>,
    channel: Arc<dyn Channel>,
    door: Arc<Door>,
    config: Value,
    browser: reqwest::Client,
}

impl Shop {
    async fn open(spec: Value) -> Self {
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
    async fn signed(spec: Value) -> (Self, SignedContract) {
        let shop = Self::open(spec).await;
        let signed = shop.sign(&contract(None)).await;
        (shop, signed)
    }

    /// The user opens the signing page and agrees; the notice tells the agreement.
    async fn sign(&self, contract: &ContractRef) -> SignedContract {
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
    async fn open_page(&self, contract: &ContractRef) -> String {
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

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
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
    async fn act(&self, agreement_no: &str, act: &str) {
        let form = [("user", USER), ("agreement_no", agreement_no), ("act", act)];
        self.post("/alipay/phone/agreement", &form).await;
    }

    /// Waits until a notice was read that fits.
    async fn read(&self, fits: impl Fn(&Read) -> bool) -> Read {
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
    async fn news(&self, fits: impl Fn(&News) -> bool) -> News {
        let has = |read: &Read| read.as_ref().is_ok_and(|news| news.iter().any(&fits));
        let news = self.read(has).await.unwrap();
        news.into_iter().find(|news| fits(news)).unwrap()
    }

    /// Something goes wrong once at this operation.
    fn fault(&self, operation: &str, effect: Effect) {
        self.sim.frame().faults.add(Fault {
            id: 0,
            gateway: Some(Gateway::Alipay),
            operation: Some(operation.to_owned()),
            order_no: None,
            times: 1,
            effect,
        });
    }

    fn books(&self, kind: MovementKind) -> Vec<Movement> {
        let mut books = self.sim.frame().books();
        books.retain(|movement| movement.kind == kind);
        books
    }

    fn debits(&self) -> Vec<u64> {
        self.books(MovementKind::Debit)
            .iter()
            .map(|movement| movement.amount_fen)
            .collect()
    }

    fn returned(&self) -> u64 {
        let back = [self.books(MovementKind::Refund), self.books(MovementKind::Reversal)].concat();
        back.iter().map(|movement| movement.amount_fen).sum()
    }

    fn deduction(&self, no: &str, fen: u64, handle: &str) -> DeductQuestion {
        DeductQuestion {
            no: PayNo::from(no),
            at: self.clock.now(),
            amount: money(fen),
            body: "地铁便利店/矿泉水 2 瓶&🚇".to_owned(),
            store: "SZTX001".to_owned(),
            contract_handle: handle.to_owned(),
        }
    }

    fn payment(&self, no: &str, fen: u64) -> PaymentRef {
        PaymentRef {
            product: Product::Mandate,
            no: PayNo::from(no),
            at: self.clock.now(),
            amount: money(fen),
            channel_no: None,
        }
    }

    fn reversal(&self, no: &str, fen: u64) -> ReverseQuestion {
        ReverseQuestion {
            payment: self.payment(no, fen),
            no: ReversalNo(format!("V{no}")),
            at: self.clock.now(),
        }
    }

    fn refund(&self, no: &str, fen: u64, refund: &str, back: u64) -> RefundQuestion {
        RefundQuestion {
            payment: self.payment(no, fen),
            no: RefundNo::from(refund),
            at: self.clock.now(),
            amount: money(back),
        }
    }

    async fn is_paid(&self, no: &str, fen: u64) -> bool {
        let standing = self.channel.query_payment(&self.payment(no, fen)).await;
        matches!(&standing, Ok(Standing::Paid(paid)) if paid.amount == money(fen))
    }
}

fn money(fen: u64) -> Fen {
    Fen::new(fen).unwrap()
}

fn contract(handle: Option<&str>) -> ContractRef {
    ContractRef {
        no: ContractNo::from("C20260301070000000ABCDEFGHJKLM"),
        asked_at: MovedClock::default().now(),
        handle: handle.map(str::to_owned),
    }
}

/// What the gateway's merchant platform handed out, as an operator types it in.
fn config(handed_out: &Value) -> Value {
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

fn build(config: Value, notify_url: &str, clock: Arc<MovedClock>) -> Arc<dyn Channel> {
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

fn has_ended(news: &News) -> bool {
    let ended = |standing: &ContractStanding| matches!(standing, ContractStanding::Ended { .. });
    matches!(news, News::Contract { standing: Some(standing), .. } if ended(standing))
}

fn is_money_back(answer: &Result<Outcome<Reversed>, CallError>) -> bool {
    matches!(answer, Ok(Outcome::Done(Reversed::MoneyBack { .. })))
}

#[tokio::test]
async fn a_user_signs_pays_once_and_leaves() {
    let (shop, signed) = Shop::signed(json!({"coupon_fen": 30, "merchant_coupon_fen": 20})).await;
    assert_eq!(signed.payer.as_deref(), Some(USER));
    let handle = signed.handle.as_str();
    for key in [None, Some(handle)] {
        let standing = shop.channel.query_contract(&contract(key)).await;
        assert_eq!(standing, Ok(ContractStanding::Active(signed.clone())));
    }

    let question = shop.deduction("P1", 450, handle);
    let Outcome::Done(paid) = shop.channel.deduct(&question).await.unwrap() else {
        panic!("not paid")
    };
    assert_eq!((paid.amount, paid.coupon), (money(450), money(50)));
    let told = shop.news(|news| matches!(news, News::Payment { .. })).await;
    let expected = News::Payment {
        no: question.no.clone(),
        standing: Some(Standing::Paid(paid.clone())),
    };
    assert_eq!(told, expected);
    let standing = shop.channel.query_payment(&shop.payment("P1", 450)).await;
    assert_eq!(standing, Ok(Standing::Paid(paid.clone())));
    // The same question again is the same payment.
    assert_eq!(shop.channel.deduct(&question).await, Ok(Outcome::Done(paid)));

    for _ in 0..2 {
        let closed = shop.channel.close_contract(&contract(Some(handle))).await;
        assert_eq!(closed, Ok(Outcome::Done(())));
    }
    let standing = shop.channel.query_contract(&contract(Some(handle))).await;
    let ended = ContractStanding::Ended {
        by: EndedBy::User,
        at: None,
    };
    assert_eq!(standing, Ok(ended));
    let news = shop.news(has_ended).await;
    assert!(matches!(news, News::Contract { contract: ContractKey::No(no), .. } if no == contract(None).no));
    let refused = shop.channel.deduct(&shop.deduction("P2", 450, handle)).await.unwrap();
    assert!(
        matches!(&refused, Outcome::Refused(refusal) if refusal.hint == Hint::ContractGone),
        "{refused:?}"
    );
    assert_eq!(shop.debits(), [450]);
}

#[tokio::test]
async fn a_payment_goes_back_in_parts_and_its_coupons_last() {
    let (shop, signed) = Shop::signed(json!({"coupon_fen": 30, "merchant_coupon_fen": 20})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    for (refund, back, coupon) in [("R1", 100, 0), ("R2", 200, 0), ("R3", 150, 50)] {
        let question = shop.refund("P1", 450, refund, back);
        for _ in 0..2 {
            let answer = shop.channel.refund(&question).await.unwrap();
            let Outcome::Done(refunded) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!((refunded.amount, refunded.coupon), (money(back), money(coupon)));
            let known = shop.channel.query_refund(&question).await;
            assert_eq!(known, Ok(RefundStanding::Refunded(refunded)));
        }
        let news = shop
            .news(|news| matches!(news, News::Refund { no, .. } if no.as_str() == refund))
            .await;
        assert!(matches!(news, News::Refund { standing: None, .. }), "{news:?}");
    }
    assert_eq!(shop.returned(), 450);
    assert!(
        shop.is_paid("P1", 450).await,
        "a payment that all went back was paid all the same"
    );
    let more = shop.refund("P1", 450, "R4", 1);
    let answer = shop.channel.refund(&more).await;
    assert_eq!(
        answer,
        Ok(Outcome::Pending),
        "it might have been this one that closed the trade"
    );
    shop.clock.advance(Duration::from_secs(180));
    let answer = shop.channel.refund(&more).await.unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.code == "ACQ.TRADE_HAS_CLOSE"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_agreement_is_pending_until_it_is_signed_and_the_user_may_suspend_or_end_it() {
    let shop = Shop::open(json!({})).await;
    assert_eq!(
        shop.channel.query_contract(&contract(None)).await,
        Ok(ContractStanding::Pending)
    );
    shop.open_page(&contract(None)).await;
    assert_eq!(
        shop.channel.query_contract(&contract(None)).await,
        Ok(ContractStanding::Pending)
    );
    let signed = shop.sign(&contract(None)).await;
    shop.act(&signed.handle, "stop").await;
    let standing = shop.channel.query_contract(&contract(Some(&signed.handle))).await;
    assert_eq!(standing, Ok(ContractStanding::Suspended));
    let refused = shop
        .channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    assert!(
        matches!(&refused, Outcome::Refused(refusal) if refusal.hint == Hint::ContractGone),
        "{refused:?}"
    );
    shop.act(&signed.handle, "unsign").await;
    let news = shop
        .news(|news| {
            matches!(
                news,
                News::Contract {
                    standing: Some(ContractStanding::Ended { .. }),
                    ..
                }
            )
        })
        .await;
    assert!(
        matches!(
            news,
            News::Contract {
                standing: Some(ContractStanding::Ended {
                    by: EndedBy::User,
                    at: Some(_)
                }),
                ..
            }
        ),
        "{news:?}"
    );
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn a_deduction_whose_answer_is_lost_or_false_is_unknown_and_the_query_tells() {
    let done: Vec<(Effect, &str)> = vec![
        (Effect::ResetAfter, "reset"),
        (Effect::HangAfter { ms: 1500 }, "silence"),
        (Effect::HttpErrorAfter { status: 502 }, "502"),
        (
            Effect::Garbage {
                body: "<html></html>".to_owned(),
            },
            "garbage",
        ),
        (Effect::HalfBody, "half"),
        (Effect::WrongSignature, "wrong signature"),
        (Effect::NoSignature, "no signature"),
        (Effect::SystemErrorAfter, "system error"),
        (Effect::WrongAmount { fen: 451 }, "wrong amount"),
        (
            Effect::WrongOrder {
                order_no: "P999".to_owned(),
            },
            "wrong order",
        ),
    ];
    let (shop, signed) = Shop::signed(json!({})).await;
    for (n, (effect, name)) in done.into_iter().enumerate() {
        let no = format!("PD{n}");
        shop.fault(PAY, effect);
        let answer = shop.channel.deduct(&shop.deduction(&no, 450, &signed.handle)).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{name}: {answer:?}");
        assert!(shop.is_paid(&no, 450).await, "{name}");
        assert_eq!(shop.debits().len(), n + 1, "{name}");
    }
}

#[tokio::test]
async fn a_deduction_that_was_lost_on_its_way_is_unknown_too_and_absent() {
    let (shop, signed) = Shop::signed(json!({})).await;
    for (n, effect) in [
        Effect::ResetBefore,
        Effect::HangBefore { ms: 1500 },
        Effect::HttpErrorBefore { status: 503 },
        Effect::SystemErrorBefore,
        Effect::Refuse {
            code: "SOMETHING_NEW".to_owned(),
        },
    ]
    .into_iter()
    .enumerate()
    {
        let (no, name) = (format!("PN{n}"), format!("{effect:?}"));
        shop.fault(PAY, effect);
        let answer = shop.channel.deduct(&shop.deduction(&no, 450, &signed.handle)).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{name}: {answer:?}");
        let standing = shop.channel.query_payment(&shop.payment(&no, 450)).await;
        assert_eq!(standing, Ok(Standing::Absent), "{name}");
        // Cancelled, the number can never be paid; asked twice, it stays so.
        for _ in 0..2 {
            let answer = shop.channel.reverse(&shop.reversal(&no, 450)).await;
            assert_eq!(answer, Ok(Outcome::Done(Reversed::NeverPaid)), "{name}");
        }
        let late = shop
            .channel
            .deduct(&shop.deduction(&no, 450, &signed.handle))
            .await
            .unwrap();
        assert!(!matches!(late, Outcome::Done(_)), "{name}: {late:?}");
    }
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn what_is_under_way_is_pending_and_ends_as_the_gateway_ends_it() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault(PAY, Effect::Pending { ms: 200 });
    let answer = shop.channel.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert_eq!(answer, Ok(Outcome::Pending));
    assert_eq!(
        shop.channel.query_payment(&shop.payment("P1", 450)).await,
        Ok(Standing::Pending)
    );
    let code = "BUYER_BALANCE_NOT_ENOUGH".to_owned();
    shop.fault(PAY, Effect::FailLater { ms: 200, code });
    let answer = shop.channel.deduct(&shop.deduction("P2", 450, &signed.handle)).await;
    assert_eq!(answer, Ok(Outcome::Pending));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(shop.is_paid("P1", 450).await);
    let standing = shop.channel.query_payment(&shop.payment("P2", 450)).await;
    assert!(matches!(&standing, Ok(Standing::NotPaid(_))), "{standing:?}");
    assert_eq!(shop.debits(), [450]);
}

#[tokio::test]
async fn a_plain_refusal_is_final_and_nothing_was_debited() {
    let (shop, signed) = Shop::signed(json!({"single_max_fen": 400})).await;
    let answer = shop
        .channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.hint == Hint::Funds),
        "{answer:?}"
    );
    let code = "BUYER_BALANCE_NOT_ENOUGH".to_owned();
    shop.fault(PAY, Effect::Refuse { code });
    let answer = shop
        .channel
        .deduct(&shop.deduction("P2", 300, &signed.handle))
        .await
        .unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.hint == Hint::Funds),
        "{answer:?}"
    );
    // The rate limit is no refusal: nothing was done, and nothing was decided.
    shop.fault(
        PAY,
        Effect::Refuse {
            code: "isv.app-call-limited".to_owned(),
        },
    );
    let answer = shop.channel.deduct(&shop.deduction("P3", 300, &signed.handle)).await;
    assert_eq!(answer, Ok(Outcome::Pending));
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn a_repeat_that_is_told_of_its_success_is_paid_once() {
    let (shop, signed) = Shop::signed(json!({"repeat_says_has_success": true})).await;
    let question = shop.deduction("P1", 450, &signed.handle);
    for _ in 0..2 {
        let answer = shop.channel.deduct(&question).await;
        assert!(matches!(answer, Ok(Outcome::Done(_))), "{answer:?}");
    }
    assert_eq!(shop.debits(), [450]);
}

#[tokio::test]
async fn a_query_that_is_false_or_broken_proves_nothing() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    for effect in [
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::WrongAmount { fen: 1 },
        Effect::WrongOrder {
            order_no: "P999".to_owned(),
        },
        Effect::SystemErrorBefore,
        Effect::ResetBefore,
        Effect::HalfBody,
    ] {
        let name = format!("{effect:?}");
        shop.fault(QUERY, effect);
        let standing = shop.channel.query_payment(&shop.payment("P1", 450)).await;
        assert!(matches!(standing, Err(CallError::MaybeDone(_))), "{name}: {standing:?}");
    }
    // The gateway may be blind for a moment; that it says so is all the adapter can tell.
    shop.fault(QUERY, Effect::Blind);
    assert_eq!(
        shop.channel.query_payment(&shop.payment("P1", 450)).await,
        Ok(Standing::Absent)
    );
    assert!(shop.is_paid("P1", 450).await);
}

#[tokio::test]
async fn a_paid_order_is_reversed_once_however_often_it_is_asked() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(CANCEL, Effect::Pending { ms: 0 });
    let question = shop.reversal("P1", 450);
    assert_eq!(shop.channel.reverse(&question).await, Ok(Outcome::Pending));
    for effect in [Effect::ResetBefore, Effect::NoSignature] {
        shop.fault(CANCEL, effect);
        let answer = shop.channel.reverse(&question).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    }
    for _ in 0..2 {
        let answer = shop.channel.reverse(&question).await;
        assert!(is_money_back(&answer), "{answer:?}");
    }
    assert_eq!((shop.debits(), shop.returned()), (vec![450], 450));
    assert_eq!(shop.books(MovementKind::Reversal).len(), 1);
    let news = shop
        .news(|news| matches!(news, News::Payment { standing: None, .. }))
        .await;
    assert!(matches!(news, News::Payment { no, .. } if no.as_str() == "P1"));
}

#[tokio::test]
async fn a_cancellation_that_was_answered_with_an_error_is_found_done() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(CANCEL, Effect::SystemErrorAfter);
    let question = shop.reversal("P1", 450);
    assert_eq!(shop.channel.reverse(&question).await, Ok(Outcome::Pending));
    let answer = shop.channel.reverse(&question).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!(shop.returned(), 450);
}

#[tokio::test]
async fn a_blind_query_before_a_reversal_costs_nobody_money() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(QUERY, Effect::Blind);
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!(shop.returned(), 450);
}

#[tokio::test]
async fn an_order_that_waits_for_its_payer_is_closed() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault(PAY, Effect::Pending { ms: 60_000 });
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    for _ in 0..2 {
        let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
        assert_eq!(answer, Ok(Outcome::Done(Reversed::NeverPaid)));
    }
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn a_payment_that_succeeds_after_its_cancellation_is_not_hidden() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault(PAY, Effect::PaidAfterReverse { ms: 100 });
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
    assert_eq!(answer, Ok(Outcome::Done(Reversed::NeverPaid)));
    let news = shop
        .news(|news| {
            matches!(
                news,
                News::Payment {
                    standing: Some(Standing::Paid(_)),
                    ..
                }
            )
        })
        .await;
    assert!(matches!(news, News::Payment { no, .. } if no.as_str() == "P1"));
    assert!(shop.is_paid("P1", 450).await);
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await;
    assert!(is_money_back(&answer), "{answer:?}");
    assert_eq!((shop.debits(), shop.returned()), (vec![450], 450));
}

#[tokio::test]
async fn after_the_time_for_cancelling_the_whole_amount_is_refunded_once() {
    let (shop, signed) = Shop::signed(json!({"cancel_window_s": 0})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    shop.fault(REFUND, Effect::ResetAfter);
    let question = shop.reversal("P1", 450);
    let answer = shop.channel.reverse(&question).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    for _ in 0..2 {
        let answer = shop.channel.reverse(&question).await;
        assert!(is_money_back(&answer), "{answer:?}");
    }
    let refunds = shop.books(MovementKind::Refund);
    assert_eq!(refunds.len(), 1);
    assert_eq!((refunds[0].order_no.as_str(), refunds[0].amount_fen), ("VP1", 450));
}

#[tokio::test]
async fn an_order_that_was_refunded_in_part_cannot_be_reversed() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.channel.refund(&shop.refund("P1", 450, "R1", 100)).await.unwrap();
    let answer = shop.channel.reverse(&shop.reversal("P1", 450)).await.unwrap();
    assert!(
        matches!(&answer, Outcome::Refused(refusal) if refusal.code == "ACQ.CANCEL_NOT_ALLOWED"),
        "{answer:?}"
    );
    assert_eq!(shop.returned(), 100);
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_or_false_is_given_once() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 4_500, &signed.handle))
        .await
        .unwrap();
    for (n, effect) in [
        Effect::ResetAfter,
        Effect::ResetBefore,
        Effect::WrongSignature,
        Effect::NoSignature,
        Effect::SystemErrorAfter,
        Effect::SystemErrorBefore,
        Effect::WrongAmount { fen: 1 },
        Effect::WrongOrder {
            order_no: "P999".to_owned(),
        },
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{effect:?}");
        let question = shop.refund("P1", 4_500, &format!("R{n}"), 100);
        shop.fault(REFUND, effect);
        let answer = shop.channel.refund(&question).await;
        assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{name}: {answer:?}");
        let again = shop.channel.refund(&question).await;
        assert!(
            matches!(&again, Ok(Outcome::Done(refunded)) if refunded.amount == money(100)),
            "{name}: {again:?}"
        );
        let known = shop.channel.query_refund(&question).await;
        assert!(matches!(known, Ok(RefundStanding::Refunded(_))), "{name}: {known:?}");
        assert_eq!(shop.returned(), 100 * (n as u64 + 1), "{name}");
    }
}

#[tokio::test]
async fn a_refund_under_way_is_pending_and_one_that_never_came_is_absent_in_time() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.fault(REFUND, Effect::Pending { ms: 200 });
    let running = shop.refund("P1", 450, "R1", 100);
    assert_eq!(shop.channel.refund(&running).await, Ok(Outcome::Pending));
    assert_eq!(shop.channel.query_refund(&running).await, Ok(RefundStanding::Pending));
    tokio::time::sleep(Duration::from_millis(400)).await;
    let known = shop.channel.query_refund(&running).await;
    assert!(matches!(known, Ok(RefundStanding::Refunded(_))), "{known:?}");

    let never = shop.refund("P1", 450, "R2", 100);
    assert_eq!(shop.channel.query_refund(&never).await, Ok(RefundStanding::Pending));
    shop.clock.advance(Duration::from_secs(180));
    assert_eq!(shop.channel.query_refund(&never).await, Ok(RefundStanding::Absent));
    let sent = shop.channel.refund(&never).await;
    assert!(matches!(sent, Ok(Outcome::Done(_))), "{sent:?}");
    assert_eq!(shop.returned(), 200);
}

#[tokio::test]
async fn another_amount_under_the_same_number_is_no_second_refund() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    shop.channel.refund(&shop.refund("P1", 450, "R1", 100)).await.unwrap();
    let answer = shop.channel.refund(&shop.refund("P1", 450, "R1", 200)).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    assert_eq!(shop.returned(), 100);
}

#[tokio::test]
async fn forged_and_foreign_notices_are_refused_and_repeated_until_they_are_right() {
    let (shop, signed) = Shop::signed(json!({})).await;
    shop.fault("notify", Effect::NoticeForged);
    shop.channel
        .deduct(&shop.deduction("P1", 450, &signed.handle))
        .await
        .unwrap();
    let read = shop.read(Result::is_err).await;
    assert!(matches!(read, Err(NoticeRefused::NotGenuine(_))), "{read:?}");
    let account = "2021000000009999".to_owned();
    shop.fault("notify", Effect::WrongMerchant { account });
    shop.channel
        .deduct(&shop.deduction("P2", 450, &signed.handle))
        .await
        .unwrap();
    let read = shop.read(|read| matches!(read, Err(NoticeRefused::Mismatch(_)))).await;
    assert!(read.is_err());
    let refused = shop.sim.frame().notices.attempts();
    let refused = refused
        .iter()
        .filter(|attempt| ["P1", "P2"].contains(&attempt.order_no.as_str()));
    assert!(
        refused
            .into_iter()
            .all(|attempt| !attempt.acknowledged && attempt.status == 200)
    );
    // The amount is the engine's to compare, and it is told as the notice has it.
    shop.fault("notify", Effect::WrongAmount { fen: 1 });
    shop.channel
        .deduct(&shop.deduction("P3", 450, &signed.handle))
        .await
        .unwrap();
    let news = shop
        .news(|news| matches!(news, News::Payment { no, .. } if no.as_str() == "P3"))
        .await;
    assert!(matches!(&news, News::Payment { standing: Some(Standing::Paid(paid)), .. } if paid.amount == money(1)));
}

#[tokio::test]
async fn an_adapter_with_a_foreign_key_is_turned_away_and_calls_no_payment_failed() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let other = shop.sim.frame().open_account(Gateway::Alipay, &json!({})).unwrap();
    let mut config = shop.config.clone();
    config["app_private_key"] = other["app_private_key_pem"].clone();
    let stranger = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));

    let unknown =
        |error: CallError| matches!(&error, CallError::MaybeDone(why) if why.contains("isv.invalid-signature"));
    let deducted = stranger.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert!(deducted.is_err_and(unknown));
    let standing = stranger.query_payment(&shop.payment("P1", 450)).await;
    assert!(standing.is_err_and(unknown));
    let reversed = stranger.reverse(&shop.reversal("P1", 450)).await;
    assert!(reversed.is_err_and(unknown));
    let refunded = stranger.refund(&shop.refund("P1", 450, "R1", 100)).await;
    assert!(refunded.is_err_and(unknown));
    let contract_standing = stranger.query_contract(&contract(Some(&signed.handle))).await;
    assert!(contract_standing.is_err_and(unknown));
    assert_eq!(shop.debits(), [0; 0]);
}

#[tokio::test]
async fn an_adapter_with_a_foreign_alipay_key_believes_nobody() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let other = shop.sim.frame().open_account(Gateway::Alipay, &json!({})).unwrap();
    let mut config = shop.config.clone();
    config["alipay_public_key"] = other["alipay_public_key_pem"].clone();
    let doubting = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));
    let answer = doubting.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert!(matches!(answer, Err(CallError::MaybeDone(_))), "{answer:?}");
    assert_eq!(shop.debits(), [450], "and indeed it was done");
    assert!(shop.is_paid("P1", 450).await);
}

#[tokio::test]
async fn an_app_that_the_gateway_does_not_know_fails_no_payment() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let mut config = shop.config.clone();
    config["app_id"] = json!("2021999999999999");
    let unknown = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));
    let answer = unknown.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    let Err(CallError::MaybeDone(why)) = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("isv.invalid-app-id"), "{why}");
}

#[tokio::test]
async fn a_gateway_that_is_gone_was_sent_nothing() {
    let (shop, signed) = Shop::signed(json!({})).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut config = shop.config.clone();
    config["gateway_url"] = json!(format!("http://{closed}/alipay/gateway.do"));
    let lonely = build(config, "http://127.0.0.1:1/notify", Arc::clone(&shop.clock));
    let answer = lonely.deduct(&shop.deduction("P1", 450, &signed.handle)).await;
    assert!(matches!(answer, Err(CallError::NotSent(_))), "{answer:?}");
}
