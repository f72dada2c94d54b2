//! A deduction on its way out and its answer on its way in, beside the bare signatures of the same lengths.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom as Rng;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use criterion::Criterion;
use metropay_channel_unionpay::{Unionpay, UnionpayFactory};
use metropay_core::channel::{DeductQuestion, Setting};
use metropay_core::clock::{Clock, Time};
use metropay_core::id::PayNo;
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom;
use serde_json::json;

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../tests/vectors/", $name))
    };
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Time {
        noon()
    }
}

fn noon() -> Time {
    Time::parse_china("20250301123456", "%Y%m%d%H%M%S").expect("a moment")
}

fn adapter() -> Unionpay {
    let config = json!({
        "mer_id": "700000000000001",
        "tr_id": "62000000001",
        "sign_cert_pem": vector!("certificates/merchant.pem"),
        "sign_key_pem": vector!("certificates/merchant.key"),
        "root_certs_pem": vector!("certificates/root.pem"),
        "middle_certs_pem": vector!("certificates/middle.pem"),
        "check_cn": false,
        "base_url": "http://127.0.0.1:1",
    });
    let setting = Setting {
        account: "account-1".into(),
        notify_url: "https://pay.example.test/notify/unionpay".to_owned(),
        clock: Arc::new(Noon),
        random: Arc::new(SystemRandom),
    };
    let config = serde_json::from_value(config).expect("a configuration");
    UnionpayFactory::default().adapter(config, setting).expect("an adapter")
}

/// The deduction of vector 1.
fn deduction() -> DeductQuestion {
    DeductQuestion {
        no: PayNo::from("MCP20250301123456000001"),
        at: noon(),
        amount: Fen::new(1280).expect("an amount"),
        body: "矿泉水".to_owned(),
        store: "0017".to_owned(),
        contract_handle: "6235240000020757577".to_owned(),
    }
}

/// What the scheme cannot do without: both hashes and the signature, over as many bytes.
struct Bare {
    key: KeyPair,
    gateway: ParsedPublicKey,
    sent: Vec<u8>,
    answered: Vec<u8>,
    signature: Vec<u8>,
}

impl Bare {
    fn new(answer_signature: &str, answered: Vec<u8>) -> Self {
        let read = |pem: &str| {
            let pem = pem::parse(pem).expect("a PEM");
            KeyPair::from_pkcs8(pem.contents()).expect("a key")
        };
        let gateway = aws_lc_rs::signature::KeyPair::public_key(&read(vector!("certificates/gateway.key"))).clone();
        Self {
            key: read(vector!("certificates/merchant.key")),
            gateway: ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, gateway.as_ref()).expect("a key"),
            sent: vector!("v1.sorted").as_bytes().to_vec(),
            answered,
            signature: BASE64.decode(answer_signature).expect("a signature"),
        }
    }

    fn sign(&self) -> Vec<u8> {
        let hashed = hex::encode(digest(&SHA256, &self.sent));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signed = self
            .key
            .sign(&RSA_PKCS1_SHA256, &Rng::new(), hashed.as_bytes(), &mut signature);
        signed.expect("a signature");
        signature
    }

    fn verify(&self) {
        let hashed = hex::encode(digest(&SHA256, &self.answered));
        let verified = self.gateway.verify_sig(hashed.as_bytes(), &self.signature);
        verified.expect("genuine");
    }
}

/// How long one of them takes, the best of some rounds: noise only ever adds.
fn best(mut run: impl FnMut()) -> Duration {
    const TIMES: u32 = 200;
    let rounds = (0..20).map(|_| {
        let begun = Instant::now();
        for _ in 0..TIMES {
            run();
        }
        begun.elapsed().checked_div(TIMES).unwrap_or_default()
    });
    rounds.min().unwrap_or_default()
}

fn main() {
    let (adapter, question) = (adapter(), deduction());
    let answer = BASE64.decode(vector!("v2.body.b64").trim()).expect("vector 2");
    let text = String::from_utf8(answer.clone()).expect("text");
    let (signed, signature) = text.split_once("&signature=").expect("a signature");
    let bare = Bare::new(signature.split('&').next().unwrap_or_default().trim(), {
        let pem = vector!("certificates/gateway_test.pem")
            .trim_end()
            .replace('\n', "\r\n");
        vector!("v2.sorted").replace("<PEM:gw_test>", &pem).into_bytes()
    });
    assert!(signed.len() > 1_000, "vector 2 has its certificate");
    let (sent, body) = adapter.bench_write(&question).expect("a message");
    assert_eq!(body, vector!("v1.body"));
    assert_eq!(adapter.bench_believe(&sent, &answer).expect("believed"), "00");

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("deduction: sign and build", |b| {
        b.iter(|| black_box(adapter.bench_write(&question)));
    });
    criterion.bench_function("bare: hash and sign", |b| b.iter(|| black_box(bare.sign())));
    criterion.bench_function("answer: verify and read", |b| {
        b.iter(|| black_box(adapter.bench_believe(&sent, &answer)));
    });
    criterion.bench_function("bare: hash and verify", |b| b.iter(|| bare.verify()));

    let ours = best(|| {
        let _ = black_box(adapter.bench_write(&question));
        let _ = black_box(adapter.bench_believe(&sent, &answer));
    });
    let theirs = best(|| {
        black_box(bare.sign());
        bare.verify();
    });
    let percent = ours
        .as_nanos()
        .saturating_mul(100)
        .checked_div(theirs.as_nanos())
        .unwrap_or_default();
    println!("one deduction and its answer: {ours:?}; the bare signatures: {theirs:?}; {percent} % of them");
}
