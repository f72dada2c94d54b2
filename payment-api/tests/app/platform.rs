//! A platform on a database of its own, with two merchants and the channels of [`gateway`](super::gateway).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use metropay_core::Db;
use metropay_core::channel::ChannelRegistry;
use metropay_core::clock::{Clock, MovedClock, SystemClock, Time};
use metropay_core::code::form::{CodeType, PREFIX};
use metropay_core::courier::NoCourier;
use metropay_core::engine::{Caps, Engine, Parts};
use metropay_core::id::{MchId, OutRequestNo, StoreId, Uid};
use metropay_core::limit;
use metropay_core::live::InProcessLive;
use metropay_core::member::MemberRegistry;
use metropay_core::money::Fen;
use metropay_core::once::DatabaseOnce;
use metropay_core::payment::pay::pay;
use metropay_core::payment::{PayAsk, Payment};
use metropay_core::people::{self, BuiltinDirectory, NewMerchant, PlatformKeys, unlock_vault};
use metropay_core::problem::Problem;
use metropay_core::random::{Random, SystemRandom};
use metropay_core::rules::code::CodeQuestion;
use metropay_core::secret::Secret;
use metropay_core::sms::{CallError, Sms, SmsMessage};
use metropay_core::vault::MasterKey;
use metropay_migrations::Migrator;
use metropay_payment_api::app::AppDoor;
use metropay_payment_api::app::token::{
    AppIssuer, AppKey, KeyPair, TokenAlgorithm, TokenClaims, TokenIssuer, TokenVerifier,
};
use metropay_payment_api::{Doors, EntranceSettings, Entrances, notify, router};
use metropay_scripts::LuauRules;
use metropay_web::layers::{Door, fit};
use sea_orm_migration::MigratorTrait;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::club::Club;
use super::gateway::{Gateway, Posting, Redirecting, SIGNATURE};
use super::phone::Phone;

pub(crate) const PUBLIC_URL: &str = "https://pay.example.com";
/// A merchant with both channels, and one with the first only.
pub(crate) const SHOP: &str = "M10001";
pub(crate) const BOOKS: &str = "M10002";
/// The verified phone of every user.
pub(crate) const PHONE: &str = "13800138000";

/// What a platform does otherwise than most.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) require_device_proof: bool,
    pub(crate) return_url: Option<&'static str>,
}

pub(crate) struct Platform {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) gateway: Gateway,
    pub(crate) sms: Arc<KeptSms>,
    pub(crate) club: Club,
    /// Cancelled when the node is about to stop.
    pub(crate) leaving: CancellationToken,
    router: Router,
    issuer: TokenIssuer,
    orders: AtomicU32,
    _dir: TempDir,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::start_with(Wishes::default()).await
    }

    pub(crate) async fn start_with(wishes: Wishes) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("metropay.db").display());
        let db = Db::open(&url, metropay_core::Pools::default()).await.unwrap();
        Migrator::up(db.write(), None).await.unwrap();
        let clock = Arc::new(MovedClock::default());
        let gateway = Gateway::default();
        let (sms, club) = (Arc::new(KeptSms::default()), Club::default());
        let engine = engine(db, &clock, &gateway, (&sms, &club)).await;
        merchants(&engine).await;
        let (issuer, tokens) = app_server();
        let app = AppDoor {
            tokens,
            require_device_proof: wishes.require_device_proof,
            return_url: wishes.return_url.map(str::to_owned),
        };
        let leaving = CancellationToken::new();
        let doors = Doors {
            engine: Arc::clone(&engine),
            queries: Arc::clone(&engine),
            keys: keys().await,
            app: Arc::new(app),
            budgets: Arc::default(),
            entrances: Arc::new(Entrances::new(EntranceSettings::default(), &engine, &engine)),
            leaving: leaving.clone(),
        };
        let mut door = Door::new(Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(SystemRandom));
        door.body_max_bytes_under = vec![(notify::PATHS, limit::NOTICE_BODY_MAX)];
        let (routes, _) = router().with_state(doors).split_for_parts();
        Self {
            engine,
            leaving,
            clock,
            gateway,
            sms,
            club,
            router: fit(routes, door),
            issuer,
            orders: AtomicU32::new(0),
            _dir: dir,
        }
    }

    /// Answers one request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// What a browser asks: no token, nothing but an address.
    pub(crate) async fn browse(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// A notification of a channel about an account.
    pub(crate) async fn notify(&self, account: &str, body: &Value) -> Reply {
        let url = self.gateway.books().notify_urls[account].clone();
        let path = url.strip_prefix(PUBLIC_URL).unwrap().to_owned();
        let request = Request::post(path).header(SIGNATURE.0, SIGNATURE.1);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Listens on the network.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// What the App's server says of a user for an hour.
    pub(crate) fn claims(&self, uid: &str) -> TokenClaims {
        let now = self.now();
        TokenClaims {
            uid: uid.into(),
            issued_at: now,
            expires_at: now.plus(Duration::from_secs(3_600)),
            jti: SystemRandom.digits(20),
            phone_number: Some(PHONE.into()),
            phone_number_verified: true,
            jkt: None,
        }
    }

    pub(crate) fn issue(&self, claims: &TokenClaims) -> String {
        self.issuer.issue(claims).unwrap()
    }

    /// The App of a user, signed in.
    pub(crate) fn app(&self, uid: &str) -> App<'_> {
        self.app_with(&self.claims(uid))
    }

    pub(crate) fn app_with(&self, claims: &TokenClaims) -> App<'_> {
        App {
            platform: self,
            uid: claims.uid.clone(),
            token: Some(self.issue(claims)),
            phone: None,
        }
    }

    /// The App of a user on a phone whose key his token is bound to.
    pub(crate) fn app_on(&self, uid: &str, phone: Phone) -> App<'_> {
        let claims = TokenClaims {
            jkt: Some(phone.thumbprint()),
            ..self.claims(uid)
        };
        App {
            phone: Some(phone),
            ..self.app_with(&claims)
        }
    }

    /// A till of the shop scans a code.
    pub(crate) async fn scan(&self, digits: &str, fen: u64) -> Result<Payment, Problem> {
        let number = self.orders.fetch_add(1, Ordering::SeqCst);
        let ask = PayAsk {
            out_request_no: OutRequestNo(format!("T-{number}")),
            qrcode: digits.to_owned(),
            body: "矿泉水 2 瓶".to_owned(),
            total_fee: Fen::new(fen).unwrap(),
            extra_data: None,
            store_id: "SZTX001".into(),
        };
        pay(&self.engine, &SHOP.into(), ask).await
    }
}

/// The platform's keys, which take a moment to make and are not what is tested here: the same for all.
async fn keys() -> Arc<PlatformKeys> {
    static KEYS: OnceCell<Arc<PlatformKeys>> = OnceCell::const_new();
    let make = || async {
        let db = Db::open("sqlite::memory:", metropay_core::Pools::default())
            .await
            .unwrap();
        Migrator::up(db.write(), None).await.unwrap();
        let master = MasterKey::generate(&SystemRandom);
        let vault = unlock_vault(&db, &master, &SystemClock, &SystemRandom).await.unwrap();
        Arc::new(
            PlatformKeys::load(&db, &vault, &SystemClock, &SystemRandom)
                .await
                .unwrap(),
        )
    };
    Arc::clone(KEYS.get_or_init(make).await)
}

/// Keeps what it was to send, or sends nothing.
#[derive(Default)]
pub(crate) struct KeptSms {
    sent: Mutex<Vec<(String, String)>>,
    broken: AtomicBool,
}

impl KeptSms {
    /// The last message: the number and the code.
    pub(crate) fn last(&self) -> (String, String) {
        self.sent.lock().unwrap().last().cloned().expect("a message was sent")
    }

    pub(crate) fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    pub(crate) fn break_off(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

#[async_trait]
impl Sms for KeptSms {
    async fn send(&self, phone: &Secret, message: &SmsMessage) -> Result<(), CallError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(CallError::NotSent("no line".to_owned()));
        }
        let SmsMessage::PhoneCode { code, .. } = message;
        let message = (phone.expose().to_owned(), code.expose().to_owned());
        self.sent.lock().unwrap().push(message);
        Ok(())
    }
}

async fn engine(
    db: Db,
    clock: &Arc<MovedClock>,
    gateway: &Gateway,
    (sms, club): (&Arc<KeptSms>, &Club),
) -> Arc<Engine> {
    let master = MasterKey::generate(&SystemRandom);
    let vault = unlock_vault(&db, &master, &**clock, &SystemRandom).await.unwrap();
    let channels = ChannelRegistry::new()
        .with(Redirecting(gateway.clone()))
        .with(Posting(gateway.clone()));
    let parts = Parts {
        directory: Arc::new(BuiltinDirectory::new(db.clone())),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(SystemRandom),
        vault: vault.into(),
        rules: Arc::new(LuauRules::new()),
        code: CodeQuestion {
            prefix: PREFIX.to_owned(),
            kind: CodeType::Online,
        },
        live: Arc::new(InProcessLive::default()),
        once: Arc::new(DatabaseOnce::new(db.clone())),
        db,
        channels,
        members: MemberRegistry::new().with(club.clone()),
        signer: keys().await,
        courier: Arc::new(NoCourier),
        sms: sms.clone(),
        caps: Caps {
            till_wait: Duration::from_millis(300),
            ..Caps::default()
        },
        public_url: PUBLIC_URL.to_owned(),
        node: "test".to_owned(),
    };
    Arc::new(Engine::new(parts))
}

async fn merchants(engine: &Engine) {
    let accounts = [
        (SHOP, "便利店", "A1", "redirecting"),
        (SHOP, "便利店", "A2", "posting"),
        (BOOKS, "书店", "A3", "redirecting"),
    ];
    for (mch_id, name, account, channel) in accounts {
        let new = NewMerchant {
            mch_id: mch_id.into(),
            name: name.to_owned(),
            fee_rate: 60,
            category: None,
            ip_allow: Vec::new(),
            stores: vec![(StoreId::from("SZTX001"), "车公庙店".to_owned())],
        };
        people::register(engine, new).await.unwrap();
        let mch_id = MchId::from(mch_id);
        let account = account.into();
        people::put_account(engine, &mch_id, &account, &channel.into(), &json!({}))
            .await
            .unwrap();
    }
}

fn app_server() -> (TokenIssuer, TokenVerifier) {
    let pair = KeyPair::generate(&SystemRandom).unwrap();
    let key = AppKey {
        kid: None,
        algorithm: TokenAlgorithm::EdDSA,
        public_key_pem: Some(pair.public_key_pem.clone()),
        secret: None,
    };
    let issuer = AppIssuer {
        issuer: "https://app.example".to_owned(),
        audience: "metropay".to_owned(),
        keys: vec![key],
    };
    let verifier = TokenVerifier::new(&issuer).unwrap();
    (
        TokenIssuer::new(&issuer, None, &pair.private_key_pem).unwrap(),
        verifier,
    )
}

/// The App of one user.
pub(crate) struct App<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) uid: Uid,
    pub(crate) token: Option<String>,
    pub(crate) phone: Option<Phone>,
}

impl App<'_> {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<Value>) -> Reply {
        self.ask(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.ask(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.ask(Method::DELETE, path, None).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = Request::builder().method(method.clone()).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
            if let Some(phone) = &self.phone {
                let url = format!("{PUBLIC_URL}{}", path.split('?').next().unwrap());
                let proof = phone.prove(method.as_str(), &url, token, self.platform.now());
                request = request.header("dpop", proof);
            }
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.platform.send(request.body(body).unwrap()).await
    }

    /// Opens the consumption code.
    pub(crate) async fn open(self) -> Self {
        self.post("/app/v1/code-account", None).await.data();
        self
    }

    /// A fresh code: its id and its digits.
    pub(crate) async fn code(&self) -> (String, String) {
        let data = self.post("/app/v1/codes", None).await.data();
        (text(&data["code_id"]), text(&data["digits"]))
    }

    /// Signs with the shop through the first channel, to the end.
    pub(crate) async fn signed(self) -> Self {
        let wish = json!({ "mch_id": SHOP, "channel": "redirecting" });
        self.post("/app/v1/mandates", Some(wish)).await.data();
        let told = self.platform.gateway.sign(&self.platform.gateway.newest_contract());
        assert_eq!(self.platform.notify("A1", &told).await.status, 200);
        self
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON: {}", self.text()))
    }

    /// The data of an answer that is no refusal.
    pub(crate) fn data(&self) -> Value {
        let json = self.json();
        assert_eq!((self.status, &json["code"]), (200, &"OK".into()), "{json}");
        json["data"].clone()
    }

    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, text(&self.json()["code"]))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
