//! What one message costs beside its bare cryptography: a deduction of APIv2 and a refund of APIv3, each built, signed and
//! written, and its answer verified and read.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use criterion::Criterion;
use http::{HeaderMap, HeaderValue, StatusCode};
use md5::{Digest, Md5};
use metropay_channel_wechat::measure::Desk;
use metropay_channel_wechat::{SignType, WechatConfig};
use metropay_core::channel::{DeductQuestion, PaymentRef, Product, RefundQuestion, Setting};
use metropay_core::clock::{Clock, SystemClock};
use metropay_core::id::{AccountId, PayNo, RefundNo};
use metropay_core::money::Fen;
use metropay_core::random::SystemRandom as Chance;
use metropay_outbound::Answer;
use serde_json::json;

const KEY: &str = "TESTONLYapiv2key0000000000000001";
const MERCHANT_KEY: &str = include_str!("../tests/vectors/merchant.key.pem");
const PUBLIC_KEY: &str = include_str!("../tests/vectors/public.key.pem");
const PUBLIC_PEM: &str = include_str!("../tests/vectors/public.pub.pem");
const PUBLIC_ID: &str = "PUB_KEY_ID_0119000099992025030100000000000001";

fn desk(sign_type: &str) -> Desk {
    let config: WechatConfig = serde_json::from_value(json!({
        "mode": "provider", "appid": "wxd0b1c2a3948576f0", "mch_id": "1900009999", "sub_mch_id": "1900012345",
        "api_key": KEY, "sign_type": sign_type, "plan_id": "123456", "spbill_create_ip": "203.0.113.10",
        "client_cert_pem": include_str!("../tests/vectors/merchant.crt.pem"), "client_key_pem": MERCHANT_KEY,
        "api_v3_key": "TESTONLYapiv3key0000000000000001", "public_key_id": PUBLIC_ID, "public_key_pem": PUBLIC_PEM,
        "refund_api": "v3",
    }))
    .expect("a configuration");
    let setting = Setting {
        account: AccountId::from("A1"),
        notify_url: "https://pay.example.test/notify/wechat/deduct".to_owned(),
        clock: Arc::new(SystemClock),
        random: Arc::new(Chance),
    };
    Desk::new(config, setting).expect("a desk")
}

fn deduction() -> DeductQuestion {
    DeductQuestion {
        no: PayNo::from("MC20250301123456000000000000001"),
        at: SystemClock.now(),
        amount: Fen::new(1_280).expect("a small amount"),
        body: "示例便利店-消费".to_owned(),
        store: "S0001".to_owned(),
        contract_handle: "202503016600000001".to_owned(),
    }
}

fn refund() -> RefundQuestion {
    RefundQuestion {
        payment: PaymentRef {
            product: Product::Mandate,
            no: PayNo::from("MC20250301123456000000000000001"),
            at: SystemClock.now(),
            amount: Fen::new(1_280).expect("a small amount"),
            channel_no: None,
        },
        no: RefundNo::from("MCR20250301150000000000000000001"),
        at: SystemClock.now(),
        amount: Fen::new(300).expect("a small amount"),
    }
}

/// A word of a vector.
fn vector(file: &'static str, id: &str, word: &str) -> &'static str {
    let mut blocks = file.split("\n\n");
    let block = blocks.find(|block| block.lines().next() == Some(&format!("id {id}")));
    let mut lines = block.expect("a vector").lines();
    let line = lines.find_map(|line| line.strip_prefix(&format!("{word} ")));
    line.expect("a line of this word")
}

const V2: &str = include_str!("../tests/vectors/computed.txt");
const V3: &str = include_str!("../tests/vectors/v3.txt");

fn sign_v2(text: &str, kind: SignType) -> String {
    let text = format!("{text}&key={KEY}");
    match kind {
        SignType::Md5 => hex::encode_upper(Md5::digest(text.as_bytes())),
        SignType::HmacSha256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
            hex::encode_upper(hmac::sign(&key, text.as_bytes()))
        }
    }
}

/// The answer of vector C6, signed by this algorithm.
fn accepted(kind: SignType) -> Answer {
    let source = vector(V2, "C6", "source");
    let wire = vector(V2, "C6", "wire").replace(vector(V2, "C6", "sign"), &sign_v2(source, kind));
    Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Bytes::from(wire),
    }
}

fn key(pem: &str) -> KeyPair {
    KeyPair::from_pkcs8(pem::parse(pem).expect("a PEM").contents()).expect("a key")
}

fn rsa(key: &KeyPair, text: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
        .expect("a signature");
    signature
}

/// The answer of vector C16, about our refund, signed with the public key's other half now.
fn refunded() -> (Answer, Vec<u8>, Vec<u8>) {
    let body = vector(V3, "C16", "body");
    let timestamp = SystemClock.now().unix_seconds().to_string();
    let message = format!("{timestamp}\nC16NONCE00000000000000000000000A\n{body}\n").into_bytes();
    let signature = rsa(&key(PUBLIC_KEY), &message);
    let mut headers = HeaderMap::new();
    let encoded = STANDARD.encode(&signature);
    for (name, value) in [
        ("wechatpay-timestamp", timestamp.as_str()),
        ("wechatpay-nonce", "C16NONCE00000000000000000000000A"),
        ("wechatpay-serial", PUBLIC_ID),
        ("wechatpay-signature", encoded.as_str()),
    ] {
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    let answer = Answer {
        status: StatusCode::OK,
        headers,
        body: Bytes::from_static(body.as_bytes()),
    };
    (answer, message, signature)
}

/// The mean time of one run, over some seconds.
fn mean(mut run: impl FnMut()) -> Duration {
    (0..50).for_each(|_| run());
    let (begun, mut runs) = (Instant::now(), 0u32);
    while begun.elapsed() < Duration::from_secs(2) {
        (0..50).for_each(|_| run());
        runs += 50;
    }
    begun.elapsed() / runs
}

/// Measures the work and the bare operations one after the other, and tells how many times the one is the other.
fn compare(criterion: &mut Criterion, name: &str, mut work: impl FnMut(), mut bare: impl FnMut()) -> String {
    criterion.bench_function(&format!("{name}, whole"), |bench| bench.iter(&mut work));
    criterion.bench_function(&format!("{name}, bare"), |bench| bench.iter(&mut bare));
    let (work, bare) = (mean(work), mean(bare));
    let thousandths = work.as_nanos() * 1_000 / bare.as_nanos().max(1);
    format!(
        "{name}: {work:?} beside {bare:?} of bare cryptography, {}.{:03} times",
        thousandths / 1_000,
        thousandths % 1_000
    )
}

fn v2(criterion: &mut Criterion, kind: SignType, name: &str) -> String {
    let (desk, question, answer) = (desk(name), deduction(), accepted(kind));
    assert!(desk.accepted(&answer, kind), "the answer is believed");
    let (request, reply) = (vector(V2, "C5", "source"), vector(V2, "C6", "source"));
    compare(
        criterion,
        &format!("APIv2 deduction and answer, {name}"),
        || {
            black_box(desk.deduction(black_box(&question)));
            black_box(desk.accepted(black_box(&answer), kind));
        },
        || {
            black_box(sign_v2(black_box(request), kind));
            black_box(sign_v2(black_box(reply), kind));
        },
    )
}

fn v3(criterion: &mut Criterion) -> String {
    let (desk, question, (answer, message, signature)) = (desk("MD5"), refund(), refunded());
    let read = || futures::executor::block_on(desk.refunded(&question, answer.clone()));
    assert!(read().is_ok(), "the answer is believed");
    let request = format!(
        "POST\n/v3/refund/domestic/refunds\n1740812400\nC15NONCE00000000000000000000000A\n{}\n",
        vector(V3, "C15", "body")
    );
    let private = key(MERCHANT_KEY);
    let public = pem::parse(PUBLIC_PEM).expect("a PEM");
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.contents()).expect("a key");
    compare(
        criterion,
        "APIv3 refund and answer",
        || {
            black_box(desk.refund(black_box(&question))).expect("a request");
            black_box(read()).expect("believed");
        },
        || {
            black_box(rsa(&private, black_box(request.as_bytes())));
            public
                .verify_sig(black_box(&message), &signature)
                .expect("a right signature");
        },
    )
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let lines = [
        v2(&mut criterion, SignType::Md5, "MD5"),
        v2(&mut criterion, SignType::HmacSha256, "HMAC-SHA256"),
        v3(&mut criterion),
    ];
    criterion.final_summary();
    for line in lines {
        println!("{line}");
    }
}
