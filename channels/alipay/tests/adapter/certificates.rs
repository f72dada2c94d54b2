//! Certificate mode: what requests and answers name, and what happens when Alipay's certificate changes.

use std::time::Duration;

use metropay_core::channel::{CallError, Called, NoticeRefused, Outcome, Paid, RawNotice, SignQuestion};
use serde_json::{Value, json};

use crate::authority::*;
use crate::ground::*;

const APP_SN: &str = "0011657fb565810f4281ac37785787b7";
const ALIPAY_SN: &str = "c6204f0b049ee8a2e17785eb0b82e74c";
const ROOT_SN: &str = "5b411b75aeb7a48531c3162ae2314c20_b660cbcf128599c88757a8f815406cb8";

fn node() -> Value {
    let body: Value = serde_json::from_str(&vector("t3.json")).unwrap();
    body["alipay_trade_pay_response"].clone()
}

fn is_paid(answer: &Called<Paid>) -> bool {
    matches!(answer, Ok(Outcome::Done(paid)) if paid.amount == fen(450))
}

fn proves_nothing(answer: &Called<Paid>) -> bool {
    matches!(answer, Err(CallError::MaybeDone(_)))
}

/// A payment's answer, signed with Alipay's next key.
fn signed_next(sn: &str) -> String {
    let node = node().to_string();
    let sign = signs(&house().next_key, &node);
    format!(r#"{{"alipay_trade_pay_response":{node},"alipay_cert_sn":"{sn}","sign":"{sign}"}}"#)
}

#[tokio::test]
async fn requests_name_their_certificates_and_t4_is_a_payment() {
    let ground = Ground::with(certified()).await;
    ground.sends(PAY, &vector("t4.json"));
    let answer = ground.channel.deduct(&deduction()).await;
    assert!(is_paid(&answer), "{answer:?}");
    let call = &ground.calls()[0];
    assert_eq!(call.parameters["app_cert_sn"], APP_SN);
    assert_eq!(call.parameters["alipay_root_cert_sn"], ROOT_SN);
    // The names are part of the links of pages too.
    let question = SignQuestion {
        contract: contract(None),
        sequence: 1,
        display: String::new(),
        return_url: "https://app.example.com/pay/code".to_owned(),
        user_ip: None,
    };
    let page = format!("{:?}", ground.channel.sign_contract(&question).await);
    assert!(page.contains(APP_SN) && page.contains(ROOT_SN), "{page}");
}

#[tokio::test]
async fn odd_certificates_in_the_bundle_do_not_count() {
    let mut config = certified();
    let bundle = format!("{}\n{}", vector("odd_certs.crt"), vector("root_certs.crt"));
    config["alipay_root_cert"] = json!(bundle);
    let ground = Ground::with(config).await;
    ground.sends(PAY, &vector("t4.json"));
    ground.channel.deduct(&deduction()).await.unwrap();
    assert_eq!(ground.calls()[0].parameters["alipay_root_cert_sn"], ROOT_SN);
}

#[tokio::test]
async fn an_answer_without_a_name_or_with_a_wrong_signature_proves_nothing() {
    let t4 = vector("t4.json");
    for body in [
        vector("t3.json"),
        t4.replace(ALIPAY_SN, ""),
        t4.replace(ALIPAY_SN, "no name"),
        t4.replace(&format!("\"{ALIPAY_SN}\""), "7"),
        t4.replace("3.50", "3.51"),
        t4.replace("Y7R7v3", "Y7R7v4"),
    ] {
        let ground = Ground::with(certified()).await;
        ground.sends(PAY, &body);
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(proves_nothing(&answer), "{body}: {answer:?}");
        assert_eq!(ground.called(), [PAY], "what is no name is not asked for");
    }
}

#[tokio::test]
async fn a_new_certificate_is_fetched_once_proven_and_kept_beside_the_old_one() {
    let (config, old_sn) = house().config();
    let (next, sn) = house().next();
    // Signed with the key that it brings, or still with the old one: the roots prove the certificate, and it the answer.
    for key in [&house().next_key, &alipay_key()] {
        let ground = Ground::with(config.clone()).await;
        ground.sends(PAY, &signed_next(&sn));
        ground.sends(CERT_DOWNLOAD, &handed_out(&next, key, &sn));
        for _ in 0..2 {
            let answer = ground.channel.deduct(&deduction()).await;
            assert!(is_paid(&answer), "{answer:?}");
        }
        assert_eq!(ground.called(), [PAY, CERT_DOWNLOAD, PAY]);
        assert_eq!(ground.calls()[1].biz, json!({ "alipay_cert_sn": sn }));
        // Answers of machines that have not changed yet.
        ground.sends(QUERY, &signed_by(QUERY, &paid_trade("TRADE_SUCCESS"), &old_sn));
        assert!(ground.channel.query_payment(&payment()).await.is_ok());
    }
}

#[tokio::test]
async fn many_answers_at_once_fetch_it_once() {
    let (config, _) = house().config();
    let (next, sn) = house().next();
    let ground = Ground::with(config).await;
    ground.sends(PAY, &signed_next(&sn));
    ground.sends(CERT_DOWNLOAD, &handed_out(&next, &house().next_key, &sn));
    let question = deduction();
    let (one, two, three) = tokio::join!(
        ground.channel.deduct(&question),
        ground.channel.deduct(&question),
        ground.channel.deduct(&question)
    );
    assert!(
        [&one, &two, &three].into_iter().all(is_paid),
        "{one:?} {two:?} {three:?}"
    );
    let fetched = ground.called().iter().filter(|method| *method == CERT_DOWNLOAD).count();
    assert_eq!(fetched, 1);
}

/// Asks thrice while the download is answered so: nothing is believed, and a failed fetch is not repeated at once.
async fn is_never_believed(what: &str, body: &str, sn: &str) {
    let ground = Ground::with(house().config().0).await;
    ground.sends(PAY, &signed_next(sn));
    ground.sends(CERT_DOWNLOAD, body);
    for _ in 0..2 {
        let answer = ground.channel.deduct(&deduction()).await;
        assert!(proves_nothing(&answer), "{what}: {answer:?}");
    }
    assert_eq!(ground.called(), [PAY, CERT_DOWNLOAD, PAY], "{what}");
    ground.clock.advance(Duration::from_secs(10));
    let answer = ground.channel.deduct(&deduction()).await;
    assert!(proves_nothing(&answer), "{what}: {answer:?}");
    assert_eq!(ground.called().len(), 5, "{what}");
}

#[tokio::test]
async fn a_certificate_that_is_not_alipays_is_never_believed() {
    let house = house();
    let key = &house.next_key;
    let forged = |what: &'static str, (pem, sn): (String, String), above: &rcgen::Certificate| {
        let body = handed_out(&format!("{pem}{}", above.pem()), key, &sn);
        async move { is_never_believed(what, &body, &sn).await }
    };
    let ours = |wish: &Wish<'_>| house.authority.issue(wish, key);
    let expired = Wish {
        years: (2020, 2026),
        ..Wish::of(ALIPAY, 12)
    };
    let early = Wish {
        years: (2027, 2040),
        ..Wish::of(ALIPAY, 13)
    };
    let above = Wish {
        is_authority: true,
        ..Wish::of(ALIPAY, 14)
    };
    let middle = &house.authority.middle;
    forged("expired", ours(&expired), middle).await;
    forged("not valid yet", ours(&early), middle).await;
    forged("an authority", ours(&above), middle).await;
    let stranger = &house.stranger;
    forged(
        "a stranger's",
        stranger.issue(&Wish::of(ALIPAY, 15), key),
        &stranger.middle,
    )
    .await;
    // Certified under a root of the very bundle, but as the app of some merchant.
    let app = Wish::of("2088000000000009-2021000000000009", 99);
    forged(
        "a merchant's app",
        house.for_apps.issue(&app, key),
        &house.for_apps.middle,
    )
    .await;
    let self_made = params(&Wish::of(ALIPAY, 17)).self_signed(key).unwrap().pem();
    let name = format!("CN={ALIPAY},OU=Certification Authority,O=Sim Financial,C=CN17");
    let sn = hex::encode(<md5::Md5 as md5::Digest>::digest(name));
    forged("self-made", (self_made, sn), middle).await;
}

#[tokio::test]
async fn a_download_that_is_not_alipays_is_never_believed() {
    let house = house();
    let key = &house.next_key;
    let (good, sn) = house.next();
    let other = "0".repeat(32);
    is_never_believed("of another name", &handed_out(&good, key, &other), &other).await;
    let whole = handed_out(&good, key, &sn);
    let unsigned = format!("{}}}", whole.rsplit_once(r#","sign":"#).unwrap().0);
    is_never_believed("signed by nobody", &unsigned, &sn).await;
    is_never_believed("signed by somebody", &handed_out(&good, &app_key(), &sn), &sn).await;
    is_never_believed("no certificate", &handed_out("no certificate", key, &sn), &sn).await;
    let refused = signed(CERT_DOWNLOAD, &failure("40004", "INVALID_PARAMETER"));
    is_never_believed("refused", &refused, &sn).await;
    is_never_believed("a page", "<html></html>", &sn).await;
}

#[tokio::test]
async fn the_authority_between_need_not_come_along_where_the_configured_file_holds_it() {
    let house = house();
    let (good, sn) = house.next();
    let bare = good.replace(&house.authority.middle.pem(), "");
    let ground = Ground::with(house.config().0).await;
    ground.sends(PAY, &signed_next(&sn));
    ground.sends(CERT_DOWNLOAD, &handed_out(&bare, &house.next_key, &sn));
    let answer = ground.channel.deduct(&deduction()).await;
    assert!(is_paid(&answer), "{answer:?}");
}

fn notice(key: &rcgen::KeyPair, sn: Option<&str>) -> RawNotice {
    let mut pairs = vec![
        ("app_id", "2021000000000001"),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", "MT202603010830050001"),
        ("total_amount", "4.50"),
        ("trade_no", TRADE_NO),
        ("trade_status", "TRADE_SUCCESS"),
    ];
    pairs.extend(sn.map(|sn| ("alipay_cert_sn", sn)));
    pairs.sort_unstable();
    let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let sign = signs(key, &text.join("&"));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs)
        .append_pair("sign_type", "RSA2")
        .append_pair("sign", &sign);
    RawNotice {
        headers: Vec::new(),
        body: form.finish().into_bytes(),
        received_at: then(),
    }
}

#[tokio::test]
async fn notices_are_verified_by_every_known_certificate_and_may_name_a_new_one() {
    let house = house();
    let (config, old_sn) = house.config();
    let (next, sn) = house.next();
    let ground = Ground::with(config).await;
    ground.sends(CERT_DOWNLOAD, &handed_out(&next, &house.next_key, &sn));
    let read = async |notice: RawNotice| ground.channel.read_notice(&notice).await;
    assert!(read(notice(&alipay_key(), None)).await.is_ok());
    assert!(read(notice(&alipay_key(), Some(&old_sn))).await.is_ok());
    // A nameless one of an unknown certificate teaches nothing; Alipay sends it again.
    let unknown = read(notice(&house.next_key, None)).await;
    assert!(matches!(unknown, Err(NoticeRefused::NotGenuine(_))), "{unknown:?}");
    assert!(ground.called().is_empty());
    assert!(read(notice(&house.next_key, Some(&sn))).await.is_ok());
    assert!(read(notice(&house.next_key, None)).await.is_ok());
    assert_eq!(ground.called(), [CERT_DOWNLOAD]);
    // Signed with one certificate's key under another's name.
    assert!(read(notice(&house.next_key, Some(&old_sn))).await.is_err());
    assert!(read(notice(&app_key(), None)).await.is_err());
}

#[tokio::test]
async fn names_made_up_in_notices_cause_one_call_and_do_not_hold_up_answers() {
    let house = house();
    let (config, _) = house.config();
    let (next, sn) = house.next();
    let ground = Ground::with(config).await;
    ground.sends(
        CERT_DOWNLOAD,
        &signed(CERT_DOWNLOAD, &failure("40004", "INVALID_PARAMETER")),
    );
    ground.sends(CERT_DOWNLOAD, &handed_out(&next, &house.next_key, &sn));
    for digit in 0..9 {
        let made_up = notice(&app_key(), Some(&digit.to_string().repeat(32)));
        assert!(ground.channel.read_notice(&made_up).await.is_err());
    }
    assert_eq!(ground.called(), [CERT_DOWNLOAD]);
    ground.sends(PAY, &signed_next(&sn));
    let answer = ground.channel.deduct(&deduction()).await;
    assert!(is_paid(&answer), "{answer:?}");
}
