//! Who asks, and that every answer is the platform's.

use std::time::Duration;

use metropay_core::people::revoke_credential;
use metropay_core::signing::Algorithm;
use serde_json::json;

use crate::shop::{Asked, Key, MCH, OTHER, PREFIX_PATH, Shop};

const UNKNOWN_ORDER: &str = r#"{"out_request_no":"NOBODY-HAS-IT"}"#;

fn query(shop: &Shop) -> Asked {
    shop.ask("orderquery", UNKNOWN_ORDER)
}

#[tokio::test]
async fn all_four_algorithms_are_taken_and_their_answers_verified() {
    let shop = Shop::open().await;
    for algorithm in Algorithm::ALL {
        let key = shop.key(MCH, algorithm).await;
        let sale = shop.sale(&shop.code().await);
        let paid = shop.post_as(&key, "applypay", sale).await;
        assert_eq!(paid.data()["pay_status"], "PS_SUCCESS", "{algorithm}");
        let refused = shop.send_as(&key, query(&shop)).await;
        assert_eq!(refused.refusal(), (404, "ORDER_NOT_FOUND", None), "{algorithm}");
        let malformed = shop.send_as(&key, shop.ask("orderquery", "[]")).await;
        assert_eq!(malformed.refusal(), (400, "JSON_INVALID", None), "{algorithm}");
    }
    assert_eq!(shop.gateway.deductions(), 4);
}

#[tokio::test]
async fn without_a_readable_header_nothing_is_answered_but_that() {
    let shop = Shop::open().await;
    let with = |headers: &[&str]| {
        let mut asked = query(&shop);
        asked
            .headers
            .extend(headers.iter().map(|value| ("authorization", (*value).to_owned())));
        asked
    };
    let good = query(&shop).signature(&shop.till);
    let cases: [(&[&str], &str); 6] = [
        (&[], "SIGN_MISSING"),
        (&[""], "SIGN_MISSING"),
        (&["Bearer abc"], "SIGN_MALFORMED"),
        (&[&good, &good], "SIGN_MALFORMED"),
        (
            &[&good.replace("METROPAY-HMAC-SHA256", "METROPAY-NONE")],
            "SIGN_MALFORMED",
        ),
        (&[&good.replace("serial=", "key=")], "SIGN_MALFORMED"),
    ];
    for (headers, code) in cases {
        let reply = shop.send(with(headers)).await;
        assert_eq!((reply.status, reply.code()), (401, code), "{headers:?}");
        assert!(!reply.is_signed(), "{headers:?}");
    }
}

#[tokio::test]
async fn a_request_without_one_host_cannot_be_verified() {
    let shop = Shop::open().await;
    let mut none = query(&shop);
    none.host = String::new();
    let none = none.signed(&shop.till);
    let mut two = query(&shop).signed(&shop.till);
    two.headers.push(("host", "pay.example.com".to_owned()));
    for asked in [none, two] {
        let reply = shop.send(asked).await;
        assert_eq!(reply.refusal(), (401, "SIGN_MALFORMED", Some("Host")));
    }
}

/// Who cannot prove himself: all of them are told the same, and nothing is sealed.
#[tokio::test]
async fn whatever_does_not_fit_is_told_by_one_word() {
    let shop = Shop::open().await;
    let ed25519 = shop.key(MCH, Algorithm::Ed25519).await;
    let mut requests: Vec<(&str, Asked)> = Vec::new();
    let mut add = |name, change: &dyn Fn(&mut Asked)| {
        let mut asked = query(&shop).signed(&shop.till);
        change(&mut asked);
        requests.push((name, asked));
    };
    let edit = |asked: &mut Asked, from: &str, to: &str| {
        let header = &mut asked.headers.last_mut().unwrap().1;
        assert!(header.contains(from));
        *header = header.replace(from, to);
    };
    add("another body", &|asked| {
        asked.body = br#"{"out_request_no":"ANOTHER"}"#.to_vec();
    });
    add("one blank more", &|asked| asked.body.push(b' '));
    add("another path", &|asked| asked.target = format!("{PREFIX_PATH}reverse"));
    add("a query more", &|asked| asked.target.push_str("?a=1"));
    add("another host", &|asked| asked.host = "pay.example.org".to_owned());
    add("another port", &|asked| asked.host.push_str(":8443"));
    add("another time", &|asked| {
        edit(asked, "timestamp=\"1785", "timestamp=\"1786");
    });
    add("another nonce", &|asked| {
        edit(asked, "nonce=\"nonce-0", "nonce=\"nonce-1");
    });
    add("an unknown merchant", &|asked| edit(asked, MCH, "1900000999"));
    add("another merchant", &|asked| edit(asked, MCH, OTHER));
    add("an unknown key", &|asked| {
        edit(asked, shop.till.serial.as_str(), "K000000000000000");
    });
    add("another merchant's key", &|asked| {
        edit(asked, shop.till.serial.as_str(), shop.other.serial.as_str());
    });
    add("an algorithm that is not the key's", &|asked| {
        edit(asked, "HMAC-SHA256", "RSA-SHA256");
    });
    let named = |key: &Key, serial: &Key| {
        let asked = query(&shop);
        let header = asked
            .signature(key)
            .replace(key.serial.as_str(), serial.serial.as_str());
        Asked {
            headers: [asked.headers.clone(), vec![("authorization", header)]].concat(),
            ..asked
        }
    };
    requests.push(("an HMAC key used as a signing key", named(&shop.till, &ed25519)));
    requests.push(("a signing key used as an HMAC key", named(&ed25519, &shop.till)));
    let method = Asked {
        method: "PUT",
        ..query(&shop)
    };
    let method = Asked {
        method: "POST",
        ..method.signed(&shop.till)
    };
    requests.push(("another method", method));

    for (name, asked) in requests {
        let reply = shop.send(asked).await;
        assert_eq!(reply.refusal(), (401, "SIGN_INVALID", None), "{name}");
        assert_eq!(reply.body.as_object().unwrap().len(), 3, "{name}: {}", reply.body);
        assert!(!reply.is_signed(), "{name}");
    }
}

#[tokio::test]
async fn host_and_query_are_verified_as_they_were_sent() {
    let shop = Shop::open().await;
    let mut asked = query(&shop);
    asked.host = "PAY.Example.com:8443".to_owned();
    asked.target.push_str("?trace=%7E1&x=");
    assert_eq!(shop.send_as(&shop.till, asked).await.code(), "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn a_request_of_another_time_is_refused_with_our_time_under_our_signature() {
    let shop = Shop::open().await;
    for (seconds, code) in [
        (-301, "TIMESTAMP_OUT_OF_WINDOW"),
        (301, "TIMESTAMP_OUT_OF_WINDOW"),
        (-300, "ORDER_NOT_FOUND"),
    ] {
        let mut asked = query(&shop);
        let now = asked.timestamp;
        asked.timestamp += seconds;
        let reply = shop.send_as(&shop.till, asked).await;
        assert_eq!(reply.code(), code, "{seconds}");
        if code == "TIMESTAMP_OUT_OF_WINDOW" {
            assert_eq!((reply.status, &reply.body["server_time"]), (401, &json!(now)));
        }
    }
}

#[tokio::test]
async fn a_nonce_is_used_once_for_each_key() {
    let shop = Shop::open().await;
    let second = shop.key(MCH, Algorithm::HmacSha256).await;
    let again = || {
        let mut asked = query(&shop);
        asked.nonce = "the-nonce-that-is-used-twice".to_owned();
        asked
    };
    assert_eq!(shop.send_as(&shop.till, again()).await.code(), "ORDER_NOT_FOUND");
    let reply = shop.send_as(&shop.till, again()).await;
    assert_eq!(reply.refusal(), (401, "NONCE_REPLAYED", None));
    assert_eq!(shop.send_as(&second, again()).await.code(), "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn a_key_that_was_revoked_or_is_not_valid_yet_is_told_so_under_our_signature() {
    let shop = Shop::open().await;
    let revoked = shop.key(MCH, Algorithm::RsaSha256).await;
    assert!(revoke_credential(&shop.engine, &revoked.serial).await.unwrap());
    let reply = shop.send_as(&revoked, query(&shop)).await;
    assert_eq!(reply.refusal(), (401, "CERT_REVOKED", None));

    shop.clock.set("20260801115959");
    let reply = shop.send_as(&shop.till, query(&shop)).await;
    assert_eq!(reply.refusal(), (401, "CERT_EXPIRED", None));
}

#[tokio::test]
async fn a_disabled_merchant_is_told_so_and_its_neighbour_is_not_touched() {
    let shop = Shop::open().await;
    shop.switches.merchants_off.lock().unwrap().push(MCH.into());
    let reply = shop.send_as(&shop.till, query(&shop)).await;
    assert_eq!(reply.refusal(), (403, "MERCHANT_DISABLED", None));
    assert_eq!(shop.send_as(&shop.other, query(&shop)).await.code(), "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn a_merchant_with_a_list_of_addresses_is_served_from_those_only() {
    let shop = Shop::open().await;
    shop.allow_addresses(&["198.51.100.0/24", "2001:db8::/32"]).await;
    for (from, served) in [
        ("198.51.100.200:4000", true),
        ("[2001:db8::7]:4000", true),
        ("[::ffff:198.51.100.9]:4000", true),
        ("203.0.113.7:4000", false),
        ("[2001:db9::7]:4000", false),
    ] {
        let reply = shop.send_as(&shop.till, Asked { from, ..query(&shop) }).await;
        let expected = if served {
            (404, "ORDER_NOT_FOUND", None)
        } else {
            (403, "IP_NOT_ALLOWED", None)
        };
        assert_eq!(reply.refusal(), expected, "{from}");
    }
    // Nobody talks his way in by a header.
    let mut forged = query(&shop);
    forged.headers.push(("x-forwarded-for", "198.51.100.200".to_owned()));
    assert_eq!(shop.send_as(&shop.till, forged).await.code(), "IP_NOT_ALLOWED");
    assert_eq!(shop.send_as(&shop.other, query(&shop)).await.code(), "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn nothing_is_read_from_a_request_before_it_is_verified() {
    let shop = Shop::open().await;
    let asked = Asked {
        body: b"not JSON at all".to_vec(),
        headers: vec![("content-type", "text/plain".to_owned())],
        ..query(&shop)
    };
    assert_eq!(shop.send(asked).await.code(), "SIGN_MISSING");
    let stale = shop.ask("orderquery", "not JSON at all").signed(&shop.till);
    shop.clock.advance(Duration::from_secs(301));
    assert_eq!(shop.send(stale).await.code(), "TIMESTAMP_OUT_OF_WINDOW");
}
