//! One deduction without the wire: signed and built, its answer verified and understood; beside the bare signature and the bare
//! verification of the same key over texts of the same lengths. The ratio is printed at the end.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops where something is not as it must be"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use criterion::Criterion;
use metropay_channel_alipay::AlipayConfig;
use metropay_channel_alipay::bench::Wire;
use metropay_core::channel::{DeductQuestion, Outcome, Setting};
use metropay_core::clock::{SystemClock, Time};
use metropay_core::id::{AccountId, PayNo};
use metropay_core::money::Fen;
use metropay_core::random;
use metropay_outbound::Answer;
use serde_json::json;

/// How many rounds the ratio is taken over.
const ROUNDS: u32 = 600;

fn vector(name: &str) -> String {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().trim_end_matches('\n').to_owned()
}

fn wire() -> Wire {
    let config: AlipayConfig = serde_json::from_value(json!({
        "app_id": "2021000000000001",
        "app_private_key": vector("app_private.pem"),
        "alipay_public_key": vector("alipay_public.pem"),
        "sign_scene": "INDUSTRY|METRO",
    }))
    .unwrap();
    let setting = Setting {
        account: AccountId::from("A1"),
        notify_url: "https://pay.example.com/alipay/notify".to_owned(),
        clock: Arc::new(SystemClock),
        random: Arc::new(random::SystemRandom),
    };
    Wire::new(config, setting).unwrap()
}

fn question() -> DeductQuestion {
    DeductQuestion {
        no: PayNo::from("MT202603010830050001"),
        at: Time::parse_china("2026-03-01 08:30:05", "%Y-%m-%d %H:%M:%S").unwrap(),
        amount: Fen::new(450).unwrap(),
        body: "地铁便利店 消费码".to_owned(),
        store: "SZTX001".to_owned(),
        contract_handle: "20265301000000000001".to_owned(),
    }
}

/// The bare operations: what no adapter can do without.
struct Bare {
    app: KeyPair,
    alipay: ParsedPublicKey,
    request: Vec<u8>,
    node: String,
    signature: Vec<u8>,
}

impl Bare {
    fn new(wire: &Wire) -> Self {
        let (query, body) = wire.build(&question()).unwrap();
        let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body.as_bytes()));
        let signed = pairs
            .filter(|(name, _)| name != "sign")
            .map(|(name, value)| name.len() + value.len() + 2);
        let length = signed.sum::<usize>() - 1;
        let answer = vector("t3.json");
        let (node, sign) = answer.split_once(r#","sign":""#).unwrap();
        let (_, node) = node.split_once(':').unwrap();
        let private = pem::parse(vector("app_private.pem")).unwrap();
        let public = pem::parse(vector("alipay_public.pem")).unwrap();
        Self {
            app: KeyPair::from_pkcs8(private.contents()).unwrap(),
            alipay: ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.contents()).unwrap(),
            request: vec![b'x'; length],
            node: node.to_owned(),
            signature: STANDARD.decode(sign.trim_end_matches("\"}")).unwrap(),
        }
    }

    fn sign(&self) {
        let mut signature = vec![0; self.app.public_modulus_len()];
        let random = SystemRandom::new();
        self.app
            .sign(&RSA_PKCS1_SHA256, &random, &self.request, &mut signature)
            .unwrap();
        black_box(signature);
    }

    fn verify(&self) {
        self.alipay.verify_sig(self.node.as_bytes(), &self.signature).unwrap();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (wire, question) = (wire(), question());
    let bare = Bare::new(&wire);
    let answer = Answer {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: vector("t3.json").into(),
    };
    let build = || black_box(wire.build(&question).unwrap());
    let read = || {
        let outcome = runtime.block_on(wire.read(&question, &answer)).unwrap();
        assert!(matches!(outcome, Outcome::Done(_)));
    };

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("bare: sign", |bencher| bencher.iter(|| bare.sign()));
    criterion.bench_function("alipay: sign and build a deduction", |bencher| bencher.iter(build));
    criterion.bench_function("bare: verify", |bencher| bencher.iter(|| bare.verify()));
    criterion.bench_function("alipay: verify and understand its answer", |bencher| bencher.iter(read));
    criterion.final_summary();

    // In turns, so that whatever else the machine does falls on both alike.
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        bare.sign();
        bare.verify();
        let middle = Instant::now();
        build();
        read();
        theirs += middle - begun;
        ours += middle.elapsed();
    }
    let percent = (ours.as_nanos() * 100).div_ceil(theirs.as_nanos());
    println!(
        "deduction and answer: {} µs, bare signature and verification: {} µs, ratio {}.{:02} (aim: at most 1.30)",
        ours.as_micros() / u128::from(ROUNDS),
        theirs.as_micros() / u128::from(ROUNDS),
        percent / 100,
        percent % 100
    );
}
