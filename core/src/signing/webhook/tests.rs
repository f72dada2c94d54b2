//! The published vectors, the exchange of keys, and what must not be believed.

use proptest::prelude::*;

use super::*;
use crate::random::{SeededRandom, SystemRandom};

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: Time = Time(1_614_265_330_000);
const BODY: &[u8] = br#"{"test": 2432232314}"#;
/// The published vectors of Standard Webhooks.
const SHARED_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SHARED_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const PRIVATE_KEY: &str = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=";
const PRIVATE_SIGNATURE: &str =
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==";

fn key(text: &str) -> WebhookKey {
    WebhookKey::parse(&Secret::from(text)).unwrap()
}

fn verifying(text: &str) -> WebhookVerifyingKey {
    WebhookVerifyingKey::parse(&Secret::from(text)).unwrap()
}

fn public_of(text: &str) -> WebhookVerifyingKey {
    verifying(&key(text).public().unwrap())
}

fn verify(keys: &[WebhookVerifyingKey], headers: &WebhookHeaders) -> Result<(), WebhookRefused> {
    verify_webhook(keys, headers, BODY, AT, WEBHOOK_TOLERANCE)
}

#[test]
fn the_published_vectors_have_their_signatures() {
    let signed = |text| sign_webhook(&[key(text)], ID, AT, BODY).unwrap().signature;
    assert_eq!(signed(SHARED_KEY), SHARED_SIGNATURE);
    assert_eq!(signed(PRIVATE_KEY), PRIVATE_SIGNATURE);
    let headers = sign_webhook(&[key(SHARED_KEY)], ID, AT, BODY).unwrap();
    assert_eq!(
        headers.pairs(),
        [
            ("webhook-id", ID),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", SHARED_SIGNATURE)
        ]
    );
}

#[test]
fn while_keys_are_exchanged_either_receiver_believes_the_notice() {
    let keys = [key(SHARED_KEY), key(PRIVATE_KEY)];
    let headers = sign_webhook(&keys, ID, AT, BODY).unwrap();
    assert_eq!(headers.signature, format!("{SHARED_SIGNATURE} {PRIVATE_SIGNATURE}"));
    let other = verifying(webhook_secret(&SystemRandom).expose());
    for fits in [verifying(SHARED_KEY), public_of(PRIVATE_KEY)] {
        assert_eq!(verify(std::slice::from_ref(&fits), &headers), Ok(()));
        assert_eq!(verify(&[other.clone(), fits], &headers), Ok(()));
    }
    assert_eq!(verify(&[other], &headers), Err(WebhookRefused::Signature));
    assert_eq!(verify(&[], &headers), Err(WebhookRefused::Signature));
}

#[test]
fn a_signature_counts_for_its_own_version_and_later_versions_are_passed_over() {
    let with = |signature: String| WebhookHeaders {
        id: ID.to_owned(),
        timestamp: "1614265330".to_owned(),
        signature,
    };
    let shared = [verifying(SHARED_KEY)];
    let value = SHARED_SIGNATURE.trim_start_matches("v1,");
    assert_eq!(
        verify(&shared, &with(format!("v2,abc v1a,{value} {SHARED_SIGNATURE}"))),
        Ok(())
    );
    for wrong in [
        String::new(),
        value.to_owned(),
        format!("v1a,{value}"),
        format!("v2,{value}"),
        format!("V1,{value}"),
        format!("v1,{}", value.trim_end_matches('=')),
        format!("v1,{value}\n"),
        format!("v1,{value},"),
        "v1,".to_owned(),
        // The ninth is not read.
        format!("{}{SHARED_SIGNATURE}", "v2,abc ".repeat(WEBHOOK_SIGNATURES_MAX)),
    ] {
        assert_eq!(
            verify(&shared, &with(wrong.clone())),
            Err(WebhookRefused::Signature),
            "{wrong}"
        );
    }
    let long = format!("{SHARED_SIGNATURE} {}", "a".repeat(HEADER_MAX));
    assert_eq!(verify(&shared, &with(long)), Err(WebhookRefused::Malformed));
}

#[test]
fn a_notice_of_another_time_or_without_its_form_is_not_believed() {
    let signed = sign_webhook(&[key(SHARED_KEY)], ID, AT, BODY).unwrap();
    let keys = [verifying(SHARED_KEY)];
    for (seconds, expected) in [(0, Ok(())), (300, Ok(())), (301, Err(WebhookRefused::Time))] {
        let away = Duration::from_secs(seconds);
        for now in [AT.plus(away), AT.minus(away)] {
            assert_eq!(verify_webhook(&keys, &signed, BODY, now, WEBHOOK_TOLERANCE), expected);
        }
    }
    for timestamp in [
        "",
        "+1614265330",
        "01614265330",
        "1614265330.0",
        "1614265330 ",
        "-1",
        "9999999999999",
    ] {
        let headers = WebhookHeaders {
            timestamp: timestamp.to_owned(),
            ..signed.clone()
        };
        assert_eq!(verify(&keys, &headers), Err(WebhookRefused::Malformed), "{timestamp}");
    }
    for id in ["", "a.b", "a b", "é", &"a".repeat(65)] {
        let headers = WebhookHeaders {
            id: id.to_owned(),
            ..signed.clone()
        };
        assert_eq!(verify(&keys, &headers), Err(WebhookRefused::Malformed), "{id}");
        let unsigned = sign_webhook(&[key(SHARED_KEY)], id, AT, BODY);
        assert!(matches!(unsigned, Err(NotSigned::Id)), "{id}");
    }
    assert!(matches!(sign_webhook(&[], ID, AT, BODY), Err(NotSigned::Keys)));
    let nine: Vec<_> = (0..9).map(|_| key(SHARED_KEY)).collect();
    assert!(matches!(sign_webhook(&nine, ID, AT, BODY), Err(NotSigned::Keys)));
}

#[test]
fn what_is_no_key_is_refused_and_never_shown() {
    let b64 = |length: usize| STANDARD.encode(vec![7u8; length]);
    let refused = |text: &str| WebhookKey::parse(&Secret::from(text)).err();
    assert_eq!(refused(&b64(32)), Some(WebhookKeyRefused::Prefix));
    assert_eq!(refused(&format!("whpk_{}", b64(32))), Some(WebhookKeyRefused::Prefix));
    assert_eq!(refused("whsec_%"), Some(WebhookKeyRefused::Base64));
    for length in [0, 23, 65, 1_000] {
        assert_eq!(
            refused(&format!("whsec_{}", b64(length))),
            Some(WebhookKeyRefused::Length)
        );
    }
    for length in [0, 31, 33, 63, 65] {
        assert_eq!(
            refused(&format!("whsk_{}", b64(length))),
            Some(WebhookKeyRefused::Length)
        );
    }
    assert_eq!(refused(&format!("whsk_{}", b64(64))), Some(WebhookKeyRefused::Pair));
    let refused = |text: &str| WebhookVerifyingKey::parse(&Secret::from(text)).err();
    assert_eq!(refused(PRIVATE_KEY), Some(WebhookKeyRefused::Prefix));
    assert_eq!(refused(&format!("whpk_{}", b64(31))), Some(WebhookKeyRefused::Length));
    for shown in [format!("{:?}", key(SHARED_KEY)), format!("{:?}", verifying(SHARED_KEY))] {
        assert!(!shown.contains("MfKQ"), "{shown}");
    }
}

#[test]
fn a_private_key_is_read_with_its_public_half_or_without() {
    let (private, public) = webhook_pair().unwrap();
    assert_eq!(key(private.expose()).public(), Some(public.clone()));
    let seed = STANDARD.decode(private.expose().trim_start_matches("whsk_")).unwrap();
    let half = STANDARD.decode(public.trim_start_matches("whpk_")).unwrap();
    let both = format!("whsk_{}", STANDARD.encode([seed, half].concat()));
    assert_eq!(key(&both).public(), Some(public));
    assert_eq!(key(webhook_secret(&SystemRandom).expose()).public(), None);
}

proptest! {
    #[test]
    fn what_is_signed_is_believed_and_what_was_changed_is_not(
        seed: u64, id in "[0-9A-Za-z_-]{1,64}", at in 1i64..4_000_000_000, body: Vec<u8>, bit in 0usize..8, place: prop::sample::Index,
    ) {
        let shared = webhook_secret(&SeededRandom::new(seed));
        let (private, public) = webhook_pair().unwrap();
        let at = Time(at * 1_000);
        for (signs, verifies) in [(shared.clone(), shared), (private, Secret::from(public))] {
            let keys = [WebhookVerifyingKey::parse(&verifies).unwrap()];
            let signed = sign_webhook(&[WebhookKey::parse(&signs).unwrap()], &id, at, &body).unwrap();
            let believed = |headers: &WebhookHeaders, body: &[u8]| {
                verify_webhook(&keys, headers, body, at, WEBHOOK_TOLERANCE).is_ok()
            };
            prop_assert!(believed(&signed, &body));
            if !body.is_empty() {
                let mut changed = body.clone();
                changed[place.index(body.len())] ^= 1 << bit;
                prop_assert!(!believed(&signed, &changed));
            }
            let longer = [&body[..], b" "].concat();
            prop_assert!(!believed(&signed, &longer));
            let later = WebhookHeaders { timestamp: at.plus(Duration::from_secs(1)).unix_seconds().to_string(), ..signed.clone() };
            prop_assert!(!believed(&later, &body));
            let renamed = WebhookHeaders { id: format!("{id}x"), ..signed };
            prop_assert!(!believed(&renamed, &body));
        }
    }

    #[test]
    fn no_header_makes_a_receiver_fall_over(id: String, timestamp: String, signature: String, body: Vec<u8>) {
        let headers = WebhookHeaders { id, timestamp, signature };
        prop_assert!(verify_webhook(&[verifying(SHARED_KEY)], &headers, &body, AT, WEBHOOK_TOLERANCE).is_err());
    }
}
