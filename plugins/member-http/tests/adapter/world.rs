//! A merchant's server of the test, and rules that are written in Rust instead of a script.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_core::clock::{Clock, Time};
use metropay_core::code::form::{CodeForm, Recognised};
use metropay_core::id::Serial;
use metropay_core::member::{ConfigError, Member, MemberFactory, MemberQuestion, MemberSetting, PlatformSigner};
use metropay_core::problem::{Code, Problem};
use metropay_core::random::SeededRandom;
use metropay_core::rules::check::{Refusal, TestRun};
use metropay_core::rules::code::{CodeQuestion, ScanQuestion};
use metropay_core::rules::fee::{FeeAnswer, FeeQuestion};
use metropay_core::rules::membership::{MembershipAnswer, MembershipCall, MembershipQuestion, MembershipReply};
use metropay_core::rules::route::{Choice, RouteQuestion};
use metropay_core::rules::{Kind, Needs, RuleError, Rules, Script, Wrong};
use metropay_core::secret::Secret;
use metropay_core::signing::{Algorithm, KeyPair, SigningKey, ed25519_pair};
use metropay_member_http::{MemberHttpConfig, MemberHttpFactory};
use metropay_outbound::guard::{AddressPolicy, Guard, GuardSettings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) const SECRET: &str = "canary-secret-5f1c-merchant";
pub(crate) const PHONE: &str = "+8613800138000";
pub(crate) const AT: Time = Time(1_785_542_400_000);

/// A request as the merchant saw it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(there, _)| there == name);
        found.map(|(_, value)| value.as_str())
    }

    fn read(raw: &str) -> Self {
        let (head, body) = raw.split_once("\r\n\r\n").unwrap_or((raw, ""));
        let mut lines = head.lines();
        Self {
            line: lines.next().unwrap_or_default().to_owned(),
            headers: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }
}

/// A merchant's server: says one thing to whoever comes.
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Shop {
    pub(crate) async fn says(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer.into()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut buffer = vec![0; 64 * 1024];
                let read = socket.read(&mut buffer).await.unwrap_or(0);
                let raw = String::from_utf8_lossy(&buffer[..read]).into_owned();
                log.lock().expect("a log").push(Seen::read(&raw));
                let _ = socket.write_all(&answer).await;
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
            }
        });
        Self { address, seen }
    }

    /// An answer of this kind with this body.
    pub(crate) async fn answers(status: u16, content_type: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\nconnection: close\r\n");
        Self::says(format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await
    }

    pub(crate) fn config(&self) -> Value {
        json!({ "url": format!("http://{}/vip", self.address) })
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().expect("a log").last().cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("a log").len()
    }
}

type Shape = dyn Fn(&MembershipQuestion) -> Result<MembershipCall, Wrong> + Send + Sync;
type Read = dyn Fn(&MembershipReply) -> Result<MembershipAnswer, Wrong> + Send + Sync;

/// Rules of which only those about memberships are asked.
pub(crate) struct TestRules {
    shape: Box<Shape>,
    read: Box<Read>,
}

impl TestRules {
    pub(crate) fn new(
        shape: impl Fn(&MembershipQuestion) -> Result<MembershipCall, Wrong> + Send + Sync + 'static,
        read: impl Fn(&MembershipReply) -> Result<MembershipAnswer, Wrong> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            shape: Box::new(shape),
            read: Box::new(read),
        })
    }
}

fn of<T>(script: &Script, answer: Result<T, Wrong>) -> Result<T, RuleError> {
    answer.map_err(|wrong| RuleError {
        version: script.version.clone(),
        wrong,
    })
}

impl Rules for TestRules {
    fn default_script(&self, kind: Kind) -> Arc<Script> {
        Arc::new(Script::new(kind, ""))
    }
    fn compile(&self, _: Kind, _: &str) -> Result<Needs, Vec<Refusal>> {
        Ok(Needs::default())
    }
    fn test(&self, _: &Script, _: &str) -> Result<Vec<TestRun>, Vec<Refusal>> {
        Ok(Vec::new())
    }
    fn form(&self, script: &Script, _: &CodeQuestion) -> Result<CodeForm, RuleError> {
        of(script, Err(Wrong::Budget))
    }
    fn recognise(&self, script: &Script, _: &ScanQuestion) -> Result<Recognised, RuleError> {
        of(script, Err(Wrong::Budget))
    }
    fn route(&self, script: &Script, _: &RouteQuestion) -> Result<Vec<Choice>, RuleError> {
        of(script, Err(Wrong::Budget))
    }
    fn fee(&self, script: &Script, _: &FeeQuestion) -> Result<FeeAnswer, RuleError> {
        of(script, Err(Wrong::Budget))
    }
    fn membership_call(&self, script: &Script, question: &MembershipQuestion) -> Result<MembershipCall, RuleError> {
        of(script, (self.shape)(question))
    }
    fn membership_answer(&self, script: &Script, reply: &MembershipReply) -> Result<MembershipAnswer, RuleError> {
        of(script, (self.read)(reply))
    }
}

/// A clock that stands still.
struct Held;

impl Clock for Held {
    fn now(&self) -> Time {
        AT
    }
}

/// The platform's key of the test.
pub(crate) struct Signer {
    key: SigningKey,
    pub(crate) pair: KeyPair,
}

impl Signer {
    fn new() -> Self {
        let pair = ed25519_pair().expect("a pair");
        Self {
            key: SigningKey::parse(Algorithm::Ed25519, &pair.private_pem).expect("a key"),
            pair,
        }
    }
}

impl PlatformSigner for Signer {
    fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Result<(Serial, String), Problem> {
        if algorithm != Algorithm::Ed25519 {
            return Err(Problem::new(Code::Internal));
        }
        Ok(("PLATFORM1".into(), self.key.sign(text)?))
    }
}

/// Everything that an adapter stands on.
pub(crate) struct World {
    pub(crate) signer: Arc<Signer>,
    rules: Arc<TestRules>,
    factory: MemberHttpFactory,
}

impl World {
    pub(crate) fn new(rules: Arc<TestRules>) -> Self {
        let addresses = AddressPolicy {
            allowed: vec!["127.0.0.0/8".parse().expect("a network")],
            own: Vec::new(),
        };
        let settings = GuardSettings {
            addresses,
            timeout: Duration::from_millis(600),
            ..GuardSettings::default()
        };
        Self {
            signer: Arc::new(Signer::new()),
            rules,
            factory: MemberHttpFactory::new(Guard::new(&settings).expect("a guard")),
        }
    }

    pub(crate) fn build(&self, config: Value) -> Result<Arc<dyn Member>, ConfigError> {
        let config: MemberHttpConfig = serde_json::from_value(config).expect("a configuration");
        let setting = MemberSetting {
            mch_id: "1900000109".into(),
            rules: self.rules.clone(),
            script: self.rules.default_script(Kind::Membership),
            signer: self.signer.clone(),
            clock: Arc::new(Held),
            random: Arc::new(SeededRandom::new(7)),
        };
        self.factory.build(config, setting)
    }

    pub(crate) fn member(&self, config: Value) -> Arc<dyn Member> {
        self.build(config).expect("a configuration that can work")
    }
}

pub(crate) fn question() -> MemberQuestion {
    MemberQuestion {
        uid: "u-1".into(),
        phone: Some(Secret::from(PHONE)),
        member_no: None,
        request_no: "MB20260801000001".to_owned(),
        at: AT,
    }
}

/// HMAC-SHA256 by its definition (RFC 2104), beside the library that the adapter uses.
pub(crate) fn hmac_by_hand(key: &str, text: &str) -> Vec<u8> {
    let mut block = key.as_bytes().to_vec();
    assert!(block.len() <= 64, "longer keys are hashed first");
    block.resize(64, 0);
    let pad = |with: u8| -> Vec<u8> { block.iter().map(|byte| byte ^ with).collect() };
    let inner = digest::digest(&digest::SHA256, &[&pad(0x36)[..], text.as_bytes()].concat());
    digest::digest(&digest::SHA256, &[&pad(0x5c)[..], inner.as_ref()].concat())
        .as_ref()
        .to_vec()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
