//! What must not be seen: the merchant's secret and the user's phone number, in logs, errors and texts for people.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_core::member::VipStatus;
use metropay_core::rules::Wrong;
use metropay_core::rules::membership::{
    CallAlgorithm, CallBody, CallEncoding, CallSign, MembershipAnswer, MembershipCall, MembershipQuestion, SignPlace,
};
use metropay_core::signing::{RsaSize, rsa_pair};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{PHONE, SECRET, Shop, TestRules, World, question};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The phone number stands everywhere a rule can put it.
fn talkative(question: &MembershipQuestion) -> MembershipCall {
    let phone = question.phone.clone().unwrap_or_default();
    MembershipCall {
        method: "POST".to_owned(),
        path: format!("/{}", phone.trim_start_matches('+')),
        query: vec![("phone".to_owned(), phone.clone())],
        headers: BTreeMap::from([("X-Phone".to_owned(), phone.clone())]),
        body: CallBody::Json(json!({ "phone": phone })),
        sign: Some(CallSign {
            algorithm: CallAlgorithm::HmacSha256,
            text: phone,
            encoding: CallEncoding::Hex,
            into: SignPlace::Header,
            name: "X-Sign".to_owned(),
        }),
    }
}

/// Asks a merchant that says this, and gives everything that can be seen of it: logs, errors, texts.
fn seen(answer: &'static [u8], url: Option<&'static str>, fails: bool) -> String {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // While only one subscriber is known, a call site that another thread meets first is switched off by that thread, which has none.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let told = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let shop = Shop::says(answer).await;
            let mut config = shop.config();
            config["sign"] = json!("secret");
            config["secret"] = json!(SECRET);
            if let Some(url) = url {
                config["url"] = json!(url);
            }
            let rules = TestRules::new(
                move |question| {
                    let error = Wrong::Raised(format!("{:?}", question.phone));
                    if fails { Err(error) } else { Ok(talkative(question)) }
                },
                |reply| {
                    Ok(MembershipAnswer {
                        vip_status: (reply.status == 200).then_some(VipStatus::Active),
                        member_no: None,
                        reason: reply.text.clone(),
                    })
                },
            );
            let asked = World::new(rules).member(config).open(&question()).await;
            let error = asked.as_ref().err().map(ToString::to_string);
            format!("{:?} {asked:?} {error:?}", question())
        })
    });
    format!("{told}\n{}", log.text())
}

#[test]
fn secret_and_phone_are_seen_nowhere_whatever_the_merchant_answers() {
    let echo = concat!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n",
        "+8613800138000 13800138000 canary-secret-5f1c-merchant"
    );
    for (answer, url, fails) in [
        (echo.as_bytes(), None, false),
        (
            &b"HTTP/1.1 400 Bad\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n13800138000"[..],
            None,
            false,
        ),
        (
            b"HTTP/1.1 302 Found\r\nlocation: /13800138000\r\ncontent-length: 0\r\n\r\n",
            None,
            false,
        ),
        (b"13800138000 is no HTTP\r\n\r\n", None, false),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n13800138000", None, false),
        (b"", None, false),
        (b"", Some("http://127.0.0.1:1/"), false),
        (b"", None, true),
    ] {
        let seen = seen(answer, url, fails);
        assert!(
            seen.contains("membership open of 1900000109"),
            "nothing was logged: {seen}"
        );
        for hidden in [PHONE, "13800138000", SECRET, "canary"] {
            assert!(!seen.contains(hidden), "{hidden} in: {seen}");
        }
    }
}

#[tokio::test]
async fn a_phone_number_leaves_encrypted_where_the_merchant_has_set_a_key() {
    let pair = rsa_pair(RsaSize::Bits2048).unwrap();
    let rules = TestRules::new(
        |question| {
            Ok(MembershipCall {
                method: "POST".to_owned(),
                path: "/open".to_owned(),
                query: Vec::new(),
                headers: BTreeMap::new(),
                body: CallBody::Json(json!({ "phone": question.phone })),
                sign: None,
            })
        },
        |_| {
            Ok(MembershipAnswer {
                vip_status: Some(VipStatus::Active),
                member_no: None,
                reason: String::new(),
            })
        },
    );
    let shop = Shop::answers(200, "application/json", "{}").await;
    let mut config = shop.config();
    config["phone_key"] = json!(pair.public_pem);
    World::new(rules).member(config).open(&question()).await.unwrap();
    let seen = shop.seen();
    assert!(!seen.body.contains("138"), "{}", seen.body);
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    let sealed = STANDARD.decode(body["phone"].as_str().unwrap()).unwrap();
    let private = pem::parse(pair.private_pem.expose()).unwrap();
    let private = PrivateDecryptingKey::from_pkcs8(private.contents()).unwrap();
    let private = OaepPrivateDecryptingKey::new(private).unwrap();
    let mut plain = vec![0; private.min_output_size()];
    let plain = private
        .decrypt(&OAEP_SHA256_MGF1SHA256, &sealed, &mut plain, None)
        .unwrap();
    assert_eq!(plain, PHONE.as_bytes());
}
