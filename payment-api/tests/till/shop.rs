//! Merchants with their tills and keys, riders with their codes, and the router that they meet at.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use metropay_core::Db;
use metropay_core::channel::ChannelRegistry;
use metropay_core::clock::Clock;
use metropay_core::code::form::{CodeType, PREFIX};
use metropay_core::code::issue;
use metropay_core::courier::NoCourier;
use metropay_core::engine::{Caps, Engine, Parts};
use metropay_core::id::{AccountId, ChannelId, MchId, Serial, StoreId, Uid};
use metropay_core::live::InProcessLive;
use metropay_core::mandate::{self, Signing};
use metropay_core::member::MemberRegistry;
use metropay_core::merchant::{ChannelAccount, Credential, Directory, MerchantFile, Standing};
use metropay_core::once::DatabaseOnce;
use metropay_core::people::{
    BuiltinDirectory, NewMerchant, PlatformKeys, add_credential, put_account, register, unlock_vault,
};
use metropay_core::random::SystemRandom;
use metropay_core::rule::{RuleScope, RuleSet};
use metropay_core::rules::code::CodeQuestion;
use metropay_core::secret::Secret;
use metropay_core::signing::{self, Algorithm, SigningKey, VerifyingKey};
use metropay_core::sms::NoSms;
use metropay_core::user;
use metropay_core::vault::MasterKey;
use metropay_migrations::Migrator;
use metropay_payment_api::app::AppDoor;
use metropay_payment_api::app::token::{AppIssuer, AppKey, TokenAlgorithm, TokenVerifier};
use metropay_payment_api::till::{self, BudgetSettings, Budgets};
use metropay_payment_api::{Doors, EntranceSettings, Entrances};
use metropay_scripts::LuauRules;
use metropay_web::layers::{Door, fit};
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::gateway::{AsUnionpay, AsWechat, Gateway, HeldClock};

/// Where the endpoints are.
pub(crate) const PREFIX_PATH: &str = "/metro/payment/v1/api/qrcode/";
/// The merchants of every test, with two stores each.
pub(crate) const MCH: &str = "1900000109";
pub(crate) const OTHER: &str = "1900000208";
/// When every test begins, in China time.
const OPENING: &str = "20260801120000";
/// How long a till waits here.
pub(crate) const TILL_WAIT: Duration = Duration::from_millis(700);

/// A key with which a till signs, and by which it verifies.
pub(crate) struct Key {
    pub(crate) mch_id: String,
    pub(crate) serial: Serial,
    pub(crate) algorithm: Algorithm,
    pub(crate) signing: SigningKey,
    /// The platform's public keys by serial; for a shared key, the key itself.
    pub(crate) verifying: HashMap<String, VerifyingKey>,
}

/// The directory of the platform, with switches that its consoles will have.
pub(crate) struct Switches {
    inner: BuiltinDirectory,
    pub(crate) merchants_off: Mutex<Vec<MchId>>,
    pub(crate) stores_off: Mutex<Vec<StoreId>>,
}

#[async_trait]
impl Directory for Switches {
    async fn merchant(&self, mch_id: &MchId) -> Result<Option<Arc<MerchantFile>>, DbErr> {
        let Some(file) = self.inner.merchant(mch_id).await? else {
            return Ok(None);
        };
        let mut file = (*file).clone();
        if self.merchants_off.lock().unwrap().contains(mch_id) {
            file.merchant.status = Standing::Disabled;
        }
        for store in self.stores_off.lock().unwrap().iter() {
            if let Some(store) = file.stores.get_mut(store) {
                store.status = Standing::Disabled;
            }
        }
        Ok(Some(Arc::new(file)))
    }

    async fn credential(&self, serial: &Serial) -> Result<Option<Arc<Credential>>, DbErr> {
        self.inner.credential(serial).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<Arc<ChannelAccount>>, DbErr> {
        self.inner.account(account).await
    }

    async fn rules(&self, scope: &RuleScope) -> Result<Arc<RuleSet>, DbErr> {
        self.inner.rules(scope).await
    }

    async fn forget(&self) {
        self.inner.forget().await;
    }
}

/// The platform with two merchants.
pub(crate) struct Shop {
    pub(crate) router: Router,
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<HeldClock>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) switches: Arc<Switches>,
    pub(crate) till: Key,
    pub(crate) other: Key,
    keys: Arc<PlatformKeys>,
    count: AtomicU64,
    _folder: tempfile::TempDir,
}

/// An answer, its signature not yet looked at.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("?")
    }

    pub(crate) fn data(&self) -> &Value {
        assert_eq!((self.status, self.code()), (200, "OK"), "{}", self.body);
        &self.body["data"]
    }

    /// Status, code and field of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str, Option<&str>) {
        (self.status, self.code(), self.body["field"].as_str())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.headers.contains_key("metropay-signature")
    }

    /// Verifies it as a merchant would.
    pub(crate) fn verify(&self, key: &Key, nonce: &str) {
        assert_eq!(self.header("metropay-nonce"), nonce);
        let text = signing::Answer {
            status: self.status,
            timestamp: self.header("metropay-timestamp").parse().unwrap(),
            nonce,
            body: &self.raw,
        }
        .text();
        let verifying = &key.verifying[self.header("metropay-serial")];
        assert_eq!(verifying.algorithm(), key.algorithm);
        verifying
            .verify(key.algorithm, text.as_bytes(), self.header("metropay-signature"))
            .expect("the answer carries the platform's signature");
    }
}

/// A request that is being written; every part of it can be changed before or after it is signed.
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) host: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
    pub(crate) timestamp: i64,
    pub(crate) nonce: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The address of the till's connection.
    pub(crate) from: &'static str,
}

impl Asked {
    /// The signature header under this key.
    pub(crate) fn signature(&self, key: &Key) -> String {
        let text = signing::Request {
            method: self.method,
            authority: &self.host,
            target: &self.target,
            body: &self.body,
        }
        .text(self.timestamp, &self.nonce);
        let signature = key.signing.sign(text.as_bytes()).unwrap();
        format!(
            r#"METROPAY-{} mch_id="{}",serial="{}",timestamp="{}",nonce="{}",signature="{signature}""#,
            key.algorithm, key.mch_id, key.serial, self.timestamp, self.nonce
        )
    }

    pub(crate) fn signed(mut self, key: &Key) -> Self {
        let signature = self.signature(key);
        self.headers.push(("authorization", signature));
        self
    }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(Caps::default(), BudgetSettings::default()).await
    }

    pub(crate) async fn open_with(caps: Caps, settings: BudgetSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("till.db");
        let (master, empty) = EMPTY.get_or_init(empty).await;
        std::fs::write(&file, empty).unwrap();
        let db = Db::open(&address(&file), metropay_core::Pools::default())
            .await
            .unwrap();
        let (clock, random) = (HeldClock::at(OPENING), Arc::new(SystemRandom));
        let vault = unlock_vault(&db, master, &*clock, &*random).await.unwrap();
        let keys = Arc::new(PlatformKeys::load(&db, &vault, &*clock, &*random).await.unwrap());
        let gateway = Gateway::new();
        let switches = Arc::new(Switches {
            inner: BuiltinDirectory::new(db.clone()),
            merchants_off: Mutex::default(),
            stores_off: Mutex::default(),
        });
        let once = Arc::new(DatabaseOnce::new(db.clone()));
        let engine = Arc::new(Engine::new(Parts {
            db,
            clock: clock.clone(),
            random,
            vault: vault.into(),
            rules: Arc::new(LuauRules::new()),
            code: CodeQuestion {
                prefix: PREFIX.to_owned(),
                kind: CodeType::Online,
            },
            live: Arc::new(InProcessLive::default()),
            once,
            directory: switches.clone(),
            channels: ChannelRegistry::new()
                .with(AsWechat(gateway.clone()))
                .with(AsUnionpay(gateway.clone())),
            members: MemberRegistry::new(),
            signer: keys.clone(),
            courier: Arc::new(NoCourier),
            sms: Arc::new(NoSms),
            caps: Caps {
                till_wait: TILL_WAIT,
                ..caps
            },
            public_url: "https://pay.example.com".to_owned(),
            node: "test".to_owned(),
        }));
        for mch_id in [MCH, OTHER] {
            merchant(&engine, mch_id).await;
        }
        let till = key(&engine, &keys, MCH, Algorithm::HmacSha256).await;
        let other = key(&engine, &keys, OTHER, Algorithm::HmacSha256).await;
        Self {
            router: router(&engine, &keys, settings),
            engine,
            clock,
            gateway,
            switches,
            till,
            other,
            keys,
            count: AtomicU64::new(0),
            _folder: folder,
        }
    }

    /// The other merchant's account with a channel takes the channel's own payment codes from now on.
    pub(crate) async fn take_codes_of(&self, channel: &str) {
        let account = AccountId(format!("{OTHER}-{channel}"));
        let config = json!({ "payment_code": true });
        put_account(&self.engine, &OTHER.into(), &account, &channel.into(), &config)
            .await
            .unwrap();
        self.engine.directory.forget().await;
    }

    /// A further key of a merchant.
    pub(crate) async fn key(&self, mch_id: &str, algorithm: Algorithm) -> Key {
        key(&self.engine, &self.keys, mch_id, algorithm).await
    }

    /// Lets the first merchant's tills call from these networks only.
    pub(crate) async fn allow_addresses(&self, networks: &[&str]) {
        let allowed = networks.iter().map(|network| network.parse().unwrap()).collect();
        register(
            &self.engine,
            NewMerchant {
                category: None,
                ip_allow: allowed,
                ..new_merchant(MCH)
            },
        )
        .await
        .unwrap();
    }

    pub(crate) fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::SeqCst)
    }

    /// A fresh number of a merchant's.
    pub(crate) fn number(&self) -> String {
        format!("SZTX001-{:06}", self.next())
    }

    /// A request to an endpoint, not yet signed.
    pub(crate) fn ask(&self, endpoint: &str, body: impl Into<Vec<u8>>) -> Asked {
        Asked {
            method: "POST",
            host: "pay.example.com".to_owned(),
            target: format!("{PREFIX_PATH}{endpoint}"),
            body: body.into(),
            timestamp: self.clock.now().unix_seconds(),
            nonce: format!("nonce-{:026}", self.next()),
            headers: vec![("content-type", "application/json".to_owned())],
            from: "203.0.113.7:40000",
        }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, asked: Asked) -> Reply {
        let mut request = Request::builder().method(asked.method).uri(&asked.target);
        if !asked.host.is_empty() {
            request = request.header("host", &asked.host);
        }
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        let from: SocketAddr = asked.from.parse().unwrap();
        let request = request
            .extension(ConnectInfo(from))
            .body(Body::from(asked.body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let raw = body.collect().await.unwrap().to_bytes();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&raw).unwrap_or_default(),
            raw,
        }
    }

    /// Sends a request under a key and verifies the answer.
    pub(crate) async fn send_as(&self, key: &Key, asked: Asked) -> Reply {
        let nonce = asked.nonce.clone();
        let reply = self.send(asked.signed(key)).await;
        reply.verify(key, &nonce);
        reply
    }

    /// Asks as the first merchant.
    pub(crate) async fn post(&self, endpoint: &str, body: Value) -> Reply {
        self.post_as(&self.till, endpoint, body).await
    }

    pub(crate) async fn post_as(&self, key: &Key, endpoint: &str, body: Value) -> Reply {
        self.send_as(key, self.ask(endpoint, body.to_string())).await
    }

    /// A user with an open code account and no mandate.
    pub(crate) async fn stranger(&self) -> Uid {
        let uid = Uid(format!("rider-{}", self.next()));
        user::open(&self.engine, &uid, Some("13800138000")).await.unwrap();
        uid
    }

    /// The user signs with a merchant through a channel.
    pub(crate) async fn sign(&self, uid: &Uid, mch_id: &str, channel: &str) {
        let wish = Signing {
            uid: uid.clone(),
            mch_id: mch_id.into(),
            channel: channel.into(),
            user_ip: None,
        };
        let start = mandate::sign(&self.engine, wish).await.unwrap();
        mandate::refresh(&self.engine, uid, &start.mandate.mandate_id)
            .await
            .unwrap();
    }

    /// A user with mandates for both merchants.
    pub(crate) async fn rider(&self) -> Uid {
        let uid = self.stranger().await;
        self.sign(&uid, MCH, "wechat").await;
        self.sign(&uid, OTHER, "wechat").await;
        uid
    }

    /// A fresh code of a user.
    pub(crate) async fn code_of(&self, uid: &Uid) -> String {
        issue::issue(&self.engine, uid, None, None).await.unwrap().digits
    }

    /// A fresh code of a fresh rider.
    pub(crate) async fn code(&self) -> String {
        self.code_of(&self.rider().await).await
    }

    /// What a till asks for ¥6 under a fresh number.
    pub(crate) fn sale(&self, code: &str) -> Value {
        json!({
            "out_request_no": self.number(),
            "qrcode": code,
            "body": "矿泉水 2 瓶",
            "total_fee": 600,
            "store_id": "SZTX001",
        })
    }

    /// An order of ¥6 that is paid; what was asked, and what was answered.
    pub(crate) async fn paid(&self) -> (Value, Value) {
        let sale = self.sale(&self.code().await);
        let reply = self.post("applypay", sale.clone()).await;
        assert_eq!(reply.data()["pay_status"], "PS_SUCCESS");
        (sale, reply.body["data"].clone())
    }
}

/// A database with the platform's keys and nothing else, and the key that opens it: making them takes most of a second.
static EMPTY: OnceCell<(MasterKey, Vec<u8>)> = OnceCell::const_new();

async fn empty() -> (MasterKey, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.db");
    let db = Db::open(&address(&file), metropay_core::Pools::default())
        .await
        .unwrap();
    db.migrate::<Migrator>().await.unwrap();
    let (clock, random) = (HeldClock::at(OPENING), SystemRandom);
    let master = MasterKey::generate(&random);
    let vault = unlock_vault(&db, &master, &*clock, &random).await.unwrap();
    PlatformKeys::load(&db, &vault, &*clock, &random).await.unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    db.write().execute_unprepared(checkpoint).await.unwrap();
    (master, std::fs::read(file).unwrap())
}

fn address(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

fn new_merchant(mch_id: &str) -> NewMerchant {
    NewMerchant {
        mch_id: mch_id.into(),
        name: "便利店".to_owned(),
        fee_rate: 60,
        category: None,
        ip_allow: Vec::new(),
        stores: [("SZTX001", "一号店"), ("SZTX002", "二号店")]
            .map(|(id, name)| (id.into(), name.to_owned()))
            .into(),
    }
}

async fn merchant(engine: &Arc<Engine>, mch_id: &str) {
    register(engine, new_merchant(mch_id)).await.unwrap();
    for channel in ["wechat", "unionpay"] {
        let account = AccountId(format!("{mch_id}-{channel}"));
        let channel = ChannelId::from(channel);
        put_account(engine, &mch_id.into(), &account, &channel, &json!({}))
            .await
            .unwrap();
    }
}

async fn key(engine: &Engine, keys: &PlatformKeys, mch_id: &str, algorithm: Algorithm) -> Key {
    let made = add_credential(engine, &mch_id.into(), algorithm).await.unwrap();
    let verifying = if algorithm.is_shared() {
        let shared = VerifyingKey::parse(algorithm, made.private.expose()).unwrap();
        HashMap::from([(made.serial.0.clone(), shared)])
    } else {
        let public = keys.public().iter().filter(|key| key.algorithm == algorithm.word());
        public
            .map(|key| (key.serial.0.clone(), VerifyingKey::parse(algorithm, &key.pem).unwrap()))
            .collect()
    };
    Key {
        mch_id: mch_id.to_owned(),
        signing: SigningKey::parse(algorithm, &made.private).unwrap(),
        serial: made.serial,
        algorithm,
        verifying,
    }
}

fn router(engine: &Arc<Engine>, keys: &Arc<PlatformKeys>, settings: BudgetSettings) -> Router {
    let issuer = AppIssuer {
        issuer: "app".to_owned(),
        audience: "metropay".to_owned(),
        keys: vec![AppKey {
            kid: None,
            algorithm: TokenAlgorithm::HS256,
            public_key_pem: None,
            secret: Some(Secret::from("0123456789abcdef0123456789abcdef")),
        }],
    };
    let doors = Doors {
        engine: Arc::clone(engine),
        queries: Arc::clone(engine),
        keys: Arc::clone(keys),
        app: Arc::new(AppDoor {
            tokens: TokenVerifier::new(&issuer).unwrap(),
            require_device_proof: false,
            return_url: None,
        }),
        budgets: Arc::new(Budgets::new(settings)),
        entrances: Arc::new(Entrances::new(EntranceSettings::default(), engine, engine)),
        leaving: CancellationToken::new(),
    };
    let (router, _) = till::router().split_for_parts();
    fit(
        router.with_state(doors),
        Door::new(engine.clock.clone(), engine.random.clone()),
    )
}
