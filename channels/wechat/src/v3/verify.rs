//! The signature of answers and notifications (wechat reference, 1.7). The checks come in the order of the reference; only
//! after all of them is anything read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metropay_core::clock::Time;

use super::platform_key::PlatformKey;

/// How far a message's time may be from ours, in seconds.
const WINDOW_S: u64 = 300;

/// The one kind of signature that is spoken here.
const KIND: &str = "WECHATPAY2-SHA256-RSA2048";

/// Why a message is not the channel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unverified {
    #[error("a header of the signature is missing, twice, or of another kind")]
    Headers,
    #[error("it was signed at another time than now")]
    Stale,
    #[error("it was signed by an unknown key")]
    UnknownKey,
    #[error("the signature does not fit")]
    Signature,
}

/// What the headers say about a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    timestamp: String,
    nonce: String,
    signature: String,
    /// Which key signed.
    pub(crate) serial: String,
}

impl Seal {
    /// From the headers of a message: lower-case names and values.
    ///
    /// # Errors
    /// [`Unverified::Headers`] where one is missing or there more than once.
    pub(crate) fn read<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Unverified> {
        let (mut timestamp, mut nonce, mut signature, mut serial, mut kind) = (None, None, None, None, None);
        for (name, value) in headers {
            let place = match name {
                "wechatpay-timestamp" => &mut timestamp,
                "wechatpay-nonce" => &mut nonce,
                "wechatpay-signature" => &mut signature,
                "wechatpay-serial" => &mut serial,
                "wechatpay-signature-type" => &mut kind,
                _ => continue,
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(Unverified::Headers);
            }
        }
        if kind.is_some_and(|kind| kind != KIND) {
            return Err(Unverified::Headers);
        }
        Ok(Self {
            timestamp: timestamp.ok_or(Unverified::Headers)?,
            nonce: nonce.ok_or(Unverified::Headers)?,
            signature: signature.ok_or(Unverified::Headers)?,
            serial: serial.ok_or(Unverified::Headers)?,
        })
    }

    /// Whether it was signed just now.
    ///
    /// # Errors
    /// [`Unverified::Stale`] where it was not: a replay, or a clock that is wrong.
    pub(crate) fn fresh(&self, now: Time) -> Result<(), Unverified> {
        let digits = self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: Option<i64> = self.timestamp.parse().ok().filter(|_| digits);
        let near = seconds.is_some_and(|at| now.unix_seconds().abs_diff(at) < WINDOW_S);
        if near { Ok(()) } else { Err(Unverified::Stale) }
    }

    /// Whether this key signed this body.
    ///
    /// # Errors
    /// [`Unverified::Signature`] where it did not. The channel's own probes (`WECHATPAY/SIGNTEST/…`) end here.
    pub(crate) fn verify(&self, key: &PlatformKey, body: &[u8]) -> Result<(), Unverified> {
        let mut message = format!("{}\n{}\n", self.timestamp, self.nonce).into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        let signature = STANDARD.decode(&self.signature).map_err(|_| Unverified::Signature)?;
        if key.verify(&message, &signature) {
            Ok(())
        } else {
            Err(Unverified::Signature)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::testing::{block, platform_key, public_key};
    use super::*;

    const ANSWERS: [&str; 6] = ["C16", "C17", "C18", "C30", "C31", "C32"];

    fn seal(vector: &BTreeMap<&str, &'static str>) -> Seal {
        let headers = [
            ("content-type", "application/json"),
            ("wechatpay-nonce", vector["nonce"]),
            ("wechatpay-serial", vector["serial"]),
            ("wechatpay-signature", vector["signature"]),
            ("wechatpay-signature-type", KIND),
            ("wechatpay-timestamp", vector["timestamp"]),
        ];
        Seal::read(headers.into_iter()).unwrap()
    }

    fn key(vector: &BTreeMap<&str, &'static str>) -> PlatformKey {
        [platform_key(), public_key()]
            .into_iter()
            .find(|key| key.id == vector["serial"])
            .unwrap()
    }

    #[test]
    fn vectors_c16_to_c18_and_c30_to_c32_are_verified_by_their_key_only() {
        for id in ANSWERS {
            let vector = block(id);
            let seal = seal(&vector);
            assert_eq!(seal.verify(&key(&vector), vector["body"].as_bytes()), Ok(()), "{id}");
            for wrong in [platform_key(), public_key()] {
                if wrong.id != vector["serial"] {
                    assert!(seal.verify(&wrong, vector["body"].as_bytes()).is_err(), "{id}");
                }
            }
        }
    }

    #[test]
    fn whatever_is_changed_breaks_the_signature() {
        for id in ANSWERS {
            let vector = block(id);
            let key = key(&vector);
            let body = vector["body"].as_bytes();
            let mut longer = body.to_vec();
            longer.push(b' ');
            assert!(seal(&vector).verify(&key, &longer).is_err(), "{id}");
            if !body.is_empty() {
                assert!(seal(&vector).verify(&key, &body[1..]).is_err(), "{id}");
                // The same JSON in other bytes is another message.
                let value: serde_json::Value = serde_json::from_slice(body).unwrap();
                let again = serde_json::to_vec_pretty(&value).unwrap();
                assert!(seal(&vector).verify(&key, &again).is_err(), "{id}");
            }
            for change in [
                |seal: &mut Seal| seal.timestamp.push('0'),
                |seal: &mut Seal| seal.nonce.push('0'),
                |seal: &mut Seal| seal.signature = seal.signature.replace('A', "B"),
                |seal: &mut Seal| seal.signature = String::new(),
                |seal: &mut Seal| {
                    seal.signature = "WECHATPAY/SIGNTEST/eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4".to_owned();
                },
            ] {
                let mut forged = seal(&vector);
                change(&mut forged);
                assert_eq!(forged.verify(&key, body), Err(Unverified::Signature), "{id}");
            }
        }
    }

    #[test]
    fn a_message_is_fresh_for_less_than_five_minutes_in_both_directions() {
        let seal = seal(&block("C18"));
        let at = |offset: i64| seal.fresh(Time((1_740_812_406 + offset) * 1_000));
        for offset in [-299, 0, 299] {
            assert_eq!(at(offset), Ok(()), "{offset}");
        }
        for offset in [-301, -300, 300, 301, i64::from(i32::MAX)] {
            assert_eq!(at(offset), Err(Unverified::Stale), "{offset}");
        }
        for bad in [
            "",
            "x",
            "-1740812406",
            "+1740812406",
            "1740812406.0",
            "99999999999999999999",
        ] {
            let mut seal = seal.clone();
            bad.clone_into(&mut seal.timestamp);
            assert_eq!(seal.fresh(Time(1_740_812_406_000)), Err(Unverified::Stale), "{bad}");
        }
    }

    #[test]
    fn all_four_headers_must_be_there_once() {
        let all = [
            ("wechatpay-nonce", "n"),
            ("wechatpay-serial", "s"),
            ("wechatpay-signature", "g"),
            ("wechatpay-timestamp", "1"),
        ];
        assert!(Seal::read(all.into_iter()).is_ok());
        for missing in 0..all.len() {
            let some = all
                .iter()
                .enumerate()
                .filter(|(n, _)| *n != missing)
                .map(|(_, pair)| *pair);
            assert_eq!(Seal::read(some), Err(Unverified::Headers));
            let twice = all.into_iter().chain([all[missing]]);
            assert_eq!(Seal::read(twice), Err(Unverified::Headers));
        }
        let of_another_kind = all
            .into_iter()
            .chain([("wechatpay-signature-type", "WECHATPAY2-SM2-WITH-SM3")]);
        assert_eq!(Seal::read(of_another_kind), Err(Unverified::Headers));
    }
}
