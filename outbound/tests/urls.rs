//! The addresses that merchants may try, one a line of `hostile_urls.txt`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail like the test itself"
)]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use metropay_outbound::CallError;
use metropay_outbound::guard::{
    AddressPolicy, Guard, GuardSettings, GuardedRequest, Lookup, MerchantUrl, Reach, UrlRefused, Why,
};
use proptest::prelude::*;

const FILE: &str = include_str!("hostile_urls.txt");

/// The lines of the file: word and address.
fn lines() -> Vec<(&'static str, String)> {
    let lines = FILE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, text) = line.split_once('\t').expect("a word, a tab, an address");
            (word, unescaped(text))
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some('\\') => out.push('\\'),
            Some('u') => {
                let code: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                let code = u32::from_str_radix(&code, 16).expect("a hexadecimal number");
                out.push(char::from_u32(code).expect("a character"));
            }
            other => panic!("\\{other:?} means nothing"),
        }
    }
    out
}

/// Names that carry their address, as public services resolve them.
struct Carried;

impl Lookup for Carried {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let carried = host.split('.').take(4).collect::<Vec<_>>().join(".").parse();
        Box::pin(async move { carried.map(|address| vec![address]).map_err(io::Error::other) })
    }
}

fn plain() -> AddressPolicy {
    AddressPolicy::default()
}

/// A policy of an embedded set-up.
fn lan() -> AddressPolicy {
    AddressPolicy {
        allowed: vec![
            "127.0.0.0/8".parse().unwrap(),
            "192.168.0.0/16".parse().unwrap(),
            "::1".parse().unwrap(),
        ],
        own: vec!["192.168.0.1".parse().unwrap()],
    }
}

#[test]
fn every_hostile_address_gets_its_word() {
    let mut hostile = 0;
    for (word, text) in lines() {
        let parsed = MerchantUrl::parse(&text, &plain());
        let got = parsed.as_ref().map_or_else(|refused| refused.word(), |_| "OK");
        assert_eq!(got, if word == "AT_CONNECT" { "OK" } else { word }, "{text:?}");
        hostile += usize::from(word != "OK");
    }
    assert!(hostile >= 60, "{hostile}");
    let long = format!("https://api.shop.com/{}", "a".repeat(1024));
    assert_eq!(MerchantUrl::parse(&long, &plain()), Err(UrlRefused::TooLong));
}

#[tokio::test]
async fn names_that_lead_inside_fall_when_they_are_resolved() {
    let guard = Guard::with_lookup(&GuardSettings::default(), Arc::new(Carried)).unwrap();
    for (_, text) in lines().into_iter().filter(|(word, _)| *word == "AT_CONNECT") {
        let url = MerchantUrl::parse(&text, &plain()).unwrap();
        let request = GuardedRequest::new("POST", url.clone()).unwrap();
        for unanswered in [
            guard.probe(&url).await.unwrap_err(),
            guard.send(request).await.unwrap_err(),
        ] {
            assert!(matches!(unanswered.why, Why::Forbidden(_)), "{text}: {unanswered}");
            assert!(
                matches!(unanswered.error, CallError::NotSent(_)),
                "{text}: {unanswered}"
            );
        }
    }
}

#[test]
fn with_listed_networks_other_addresses_pass_and_are_bound_to_those_networks() {
    for text in [
        "http://127.0.0.1:8080/vip",
        "http://192.168.7.7/vip",
        "https://192.168.7.7:9443/vip",
        "http://[::1]:8080/vip",
        "http://localhost:3000/",
        "http://nas.lan/",
        "https://api.shop.com:9443/",
        "http://api.shop.com/",
    ] {
        assert_eq!(
            MerchantUrl::parse(text, &lan()).unwrap().reach(),
            Reach::Listed,
            "{text}"
        );
        assert!(MerchantUrl::parse(text, &plain()).is_err(), "{text}");
    }
    let usual = MerchantUrl::parse("https://api.shop.com:8443/", &lan()).unwrap();
    assert_eq!(usual.reach(), Reach::Public);
    // Not listed, our own, or in another than the plain spelling.
    for text in [
        "http://10.0.0.1/",
        "http://8.8.8.8/",
        "http://192.168.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://127.0.0.1./",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:0:0:1]/",
    ] {
        assert_eq!(MerchantUrl::parse(text, &lan()), Err(UrlRefused::IpLiteral), "{text}");
    }
    // What is wrong in any network stays wrong.
    for (word, text) in lines() {
        let elsewhere = [
            "URL_SCHEME",
            "URL_IP_LITERAL",
            "URL_HOST_NOT_PUBLIC",
            "URL_PORT",
            "AT_CONNECT",
            "OK",
        ];
        if !elsewhere.contains(&word) {
            assert_eq!(MerchantUrl::parse(&text, &lan()).unwrap_err().word(), word, "{text:?}");
        }
    }
    for text in [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_X",
        "http://127.0.0.1:0/",
    ] {
        assert!(MerchantUrl::parse(text, &lan()).is_err(), "{text}");
    }
}

/// Spellings of an address that some reader takes for it.
fn spellings(bits: u32) -> Vec<String> {
    let [a, b, c, d] = bits.to_be_bytes();
    let tail = bits & 0x00ff_ffff;
    let half = bits & 0xffff;
    let wide = |text: &str| -> String {
        text.chars()
            .map(|c| {
                c.to_digit(10)
                    .and_then(|digit| char::from_u32(0xff10 + digit))
                    .unwrap_or(c)
            })
            .collect()
    };
    let dotted = format!("{a}.{b}.{c}.{d}");
    vec![
        wide(&dotted),
        dotted.replace('.', "\u{3002}"),
        dotted.replace('.', "\u{ff0e}"),
        format!("{dotted}."),
        format!("%{:02x}{}", dotted.as_bytes()[0], &dotted[1..]),
        dotted,
        format!("{bits}"),
        format!("0{bits:o}"),
        format!("0x{bits:x}"),
        format!("0X{bits:08X}"),
        format!("{a}.{tail}"),
        format!("{a}.{b}.{half}"),
        format!("0x{a:x}.0{b:o}.{c}.0x{d:02X}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.{b}.0x{half:x}"),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{:x}:{half:x}]", bits >> 16),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[2002:{:x}:{half:x}::]", bits >> 16),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_address_passes_in_no_spelling(bits: u32, v6: u128) {
        let mut spelt = spellings(bits);
        spelt.push(format!("[{}]", std::net::Ipv6Addr::from_bits(v6)));
        for host in spelt {
            for text in [format!("https://{host}/"), format!("https://{host}:8443/x?y")] {
                let refused = MerchantUrl::parse(&text, &plain()).map_err(UrlRefused::word);
                prop_assert!(refused.is_err(), "{text}");
            }
        }
    }

    #[test]
    fn with_listed_networks_only_the_plain_spelling_of_a_listed_address_passes(bits: u32, low: u16) {
        for bits in [bits, 0x7f00_0000 | u32::from(low), 0xc0a8_0000 | u32::from(low)] {
            let [a, b, c, d] = bits.to_be_bytes();
            let plainly = format!("{a}.{b}.{c}.{d}");
            let listed = bits >> 24 == 127 || (bits >> 16 == 0xc0a8 && bits != 0xc0a8_0001);
            for host in spellings(bits) {
                let parsed = MerchantUrl::parse(&format!("http://{host}:81/"), &lan());
                prop_assert_eq!(parsed.is_ok(), listed && host == plainly, "{}", host);
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_fall_over_and_what_passes_is_a_name_of_the_public_dns(text in r"(https?:)?/{0,3}[\PC]{0,40}(:[0-9]{0,6})?/?\PC{0,20}") {
        if let Ok(url) = MerchantUrl::parse(&text, &plain()) {
            prop_assert_eq!(url.reach(), Reach::Public);
            prop_assert!(url.host().parse::<IpAddr>().is_err());
            prop_assert!(url.host().contains('.') && url.host().is_ascii());
            prop_assert!(url.as_str().starts_with("https://"));
            prop_assert_eq!(MerchantUrl::parse(url.as_str(), &plain()).map(|again| again == url), Ok(true));
        }
    }
}
