//! The engine of a run: two merchants, three users, a clock that stands until it is moved.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use metropay_core::channel::{ChannelRegistry, RawNotice};
use metropay_core::clock::{Clock, Time};
use metropay_core::code::form::{CodeType, PREFIX};
use metropay_core::courier::NoCourier;
use metropay_core::engine::{Caps, Engine, Parts};
use metropay_core::id::{AccountId, ChannelId, MandateId, MchId, Serial, StoreId, Uid};
use metropay_core::mandate::{self, Signing};
use metropay_core::member::{MemberRegistry, PlatformSigner};
use metropay_core::money::Fen;
use metropay_core::node::SharedLive;
use metropay_core::once::DatabaseOnce;
use metropay_core::peers::{Alone, Peers};
use metropay_core::people::{BuiltinDirectory, NewMerchant, put_account, register, unlock_vault};
use metropay_core::problem::{Code, Problem};
use metropay_core::random::SystemRandom;
use metropay_core::rules::Rules;
use metropay_core::rules::code::CodeQuestion;
use metropay_core::signing::Algorithm;
use metropay_core::sms::NoSms;
use metropay_core::vault::MasterKey;
use metropay_core::{Db, Pools};
use metropay_core::{notice, user};
use metropay_migrations::Migrator;
use metropay_scripts::LuauRules;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::act::{MERCHANTS, USERS};
use crate::gateway::{self, Gateway, Linked};

/// When every run begins, in China time.
const OPENING: &str = "20260801120000";
/// One payment and one user's day at most, in fen.
pub(crate) const PER_PAYMENT_FEN: u64 = 500;
pub(crate) const PER_DAY_FEN: u64 = 1_000;
/// How long a till waits here.
const TILL_WAIT: Duration = Duration::from_millis(12);

/// Nothing is signed here: no merchant has a membership system.
struct NoSigner;

impl PlatformSigner for NoSigner {
    fn sign(&self, _: Algorithm, _: &[u8]) -> Result<(Serial, String), Problem> {
        Err(Problem::new(Code::Internal))
    }
}

/// A clock that stands until it is moved.
pub(crate) struct HeldClock(AtomicI64);

impl Clock for HeldClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

/// What a run happens on.
pub(crate) struct Ground {
    pub(crate) engine: Arc<Engine>,
    pub(crate) gateway: Arc<Gateway>,
    clock: Arc<HeldClock>,
    notices: AtomicU64,
    folder: TempDir,
}

impl Ground {
    /// A fresh engine whose gateway has these moods.
    pub(crate) async fn new(moods: Vec<u8>) -> Self {
        Self::with_rules(moods, Arc::new(LuauRules::new())).await
    }

    /// The same under other rules.
    pub(crate) async fn with_rules(moods: Vec<u8>, rules: Arc<dyn Rules>) -> Self {
        let (master, template) = TEMPLATE.get_or_init(template).await;
        let folder = folder();
        for entry in std::fs::read_dir(template.path()).expect("the template is there") {
            let entry = entry.expect("the template can be read");
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("there is room for a copy");
        }
        let gateway = Gateway::new(moods);
        let clock = held_clock();
        let engine = engine(folder.path(), master, &clock, &gateway, rules).await;
        let ground = Self {
            engine,
            gateway,
            clock,
            notices: AtomicU64::new(0),
            folder,
        };
        for who in 0..USERS {
            user::open(&ground.engine, &uid(who), None)
                .await
                .expect("the account opens");
            for merchant in 0..MERCHANTS {
                ground.sign(who, merchant).await.expect("the user signs");
            }
        }
        ground
    }

    /// Another node on the same database, with these others.
    pub(crate) async fn beside(&self, name: &str, peers: Arc<dyn Peers>) -> Node {
        let (master, _) = TEMPLATE.get_or_init(template).await;
        let rules = Arc::new(LuauRules::new());
        node(
            name,
            peers,
            self.folder.path(),
            master,
            &self.clock,
            &self.gateway,
            rules,
        )
        .await
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("a run is not that long");
        self.clock.0.fetch_add(by, Ordering::SeqCst);
    }

    /// The user signs with a merchant, and the engine learns it.
    pub(crate) async fn sign(&self, who: usize, merchant: usize) -> Result<MandateId, Problem> {
        let wish = Signing {
            uid: uid(who),
            mch_id: mch_id(merchant),
            channel: channel(),
            user_ip: None,
        };
        let started = mandate::sign(&self.engine, wish).await?.mandate.mandate_id;
        mandate::refresh(&self.engine, &uid(who), &started).await?;
        Ok(started)
    }

    /// The gateway tells how an order stands.
    pub(crate) async fn notify(&self, merchant: usize, no: &str) -> Result<(), Problem> {
        let account = account(merchant);
        let url = self.engine.notify_url(&channel(), &account);
        let token = url.rsplit('/').next().unwrap_or_default();
        let nth = self.notices.fetch_add(1, Ordering::SeqCst);
        let raw = RawNotice {
            headers: Vec::new(),
            body: gateway::notice(no, nth),
            received_at: self.now(),
        };
        let answer = notice::receive(&self.engine, &channel(), &account, token, raw).await?;
        assert_eq!(
            answer.map(|answer| answer.status),
            Some(200),
            "a true notification about {no} is taken"
        );
        Ok(())
    }
}

pub(crate) fn uid(who: usize) -> Uid {
    Uid(format!("user-{who}"))
}

pub(crate) fn mch_id(merchant: usize) -> MchId {
    MchId(format!("M{merchant}"))
}

pub(crate) fn account(merchant: usize) -> AccountId {
    AccountId(format!("M{merchant}-moody"))
}

pub(crate) fn channel() -> ChannelId {
    "moody".into()
}

/// In memory where the machine has such a place: a run may lose everything when it ends.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a folder can be made")
}

fn held_clock() -> Arc<HeldClock> {
    let opening = Time::parse_china(OPENING, "%Y%m%d%H%M%S").expect("a moment of the calendar");
    Arc::new(HeldClock(AtomicI64::new(opening.0)))
}

/// A database with the merchants and nothing else, and the key that opens it.
static TEMPLATE: OnceCell<(String, TempDir)> = OnceCell::const_new();

async fn template() -> (String, TempDir) {
    let folder = folder();
    let master = MasterKey::generate(&SystemRandom).text().expose().to_owned();
    let rules = Arc::new(LuauRules::new());
    let db = Db::open(&address(folder.path()), Pools::default())
        .await
        .expect("the database opens");
    db.migrate::<Migrator>().await.expect("the schema is made");
    let engine = engine(folder.path(), &master, &held_clock(), &Gateway::new(Vec::new()), rules).await;
    for merchant in 0..MERCHANTS {
        let stores = ["1", "2"].map(|n| (StoreId(format!("S{n}")), format!("{n} 号店")));
        let new = NewMerchant {
            mch_id: mch_id(merchant),
            name: format!("商户 {merchant}"),
            fee_rate: 60,
            category: None,
            ip_allow: Vec::new(),
            stores: stores.to_vec(),
        };
        register(&engine, new).await.expect("the merchant is registered");
        put_account(&engine, &mch_id(merchant), &account(merchant), &channel(), &json!({}))
            .await
            .expect("the account is set up");
    }
    (master, folder)
}

fn address(folder: &Path) -> String {
    format!("sqlite://{}/model.db?mode=rwc", folder.display())
}

async fn engine(
    folder: &Path,
    master: &str,
    clock: &Arc<HeldClock>,
    gateway: &Arc<Gateway>,
    rules: Arc<dyn Rules>,
) -> Arc<Engine> {
    let alone = Arc::new(Alone::default());
    node("model", alone, folder, master, clock, gateway, rules).await.engine
}

/// A node: an engine, and what it shares with others.
pub(crate) struct Node {
    pub(crate) engine: Arc<Engine>,
    pub(crate) live: Arc<SharedLive>,
    pub(crate) directory: Arc<BuiltinDirectory>,
}

async fn node(
    name: &str,
    peers: Arc<dyn Peers>,
    folder: &Path,
    master: &str,
    clock: &Arc<HeldClock>,
    gateway: &Arc<Gateway>,
    rules: Arc<dyn Rules>,
) -> Node {
    let db = Db::open(&address(folder), Pools::default())
        .await
        .expect("the database opens");
    let master = MasterKey::parse(&master.into()).expect("a key that was made here");
    let vault = unlock_vault(&db, &master, &**clock, &SystemRandom).await;
    let fen = |fen| Fen::new(fen).expect("an amount");
    let live = Arc::new(SharedLive::new(Arc::clone(&peers)));
    let directory = Arc::new(BuiltinDirectory::shared(db.clone(), peers));
    let engine = Arc::new(Engine::new(Parts {
        once: Arc::new(DatabaseOnce::new(db.clone())),
        db,
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
        vault: std::sync::Arc::new(vault.expect("the vault opens")),
        rules,
        code: CodeQuestion {
            prefix: PREFIX.to_owned(),
            kind: CodeType::Online,
        },
        live: live.clone(),
        directory: directory.clone(),
        channels: ChannelRegistry::new().with(Linked(Arc::clone(gateway))),
        members: MemberRegistry::new(),
        signer: Arc::new(NoSigner),
        courier: Arc::new(NoCourier),
        sms: Arc::new(NoSms),
        caps: Caps {
            per_payment: fen(PER_PAYMENT_FEN),
            per_user_day: fen(PER_DAY_FEN),
            till_wait: TILL_WAIT,
            // How long the gateway stays silent is not in the model.
            breaker: false,
            ..Caps::default()
        },
        public_url: "https://pay.example.com".to_owned(),
        node: name.to_owned(),
    }));
    Node {
        engine,
        live,
        directory,
    }
}
