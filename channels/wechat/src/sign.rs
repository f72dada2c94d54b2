//! Signatures and decryption of APIv2 (wechat reference, 1.4 and 5.4).

use std::collections::BTreeMap;

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use metropay_core::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::xml::Message;

/// The algorithm of a signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SignType {
    /// MD5 of the message with the key behind it.
    #[serde(rename = "MD5")]
    Md5,
    /// HMAC-SHA256 of the same text, with the same key.
    #[default]
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
}

impl SignType {
    /// As the field `sign_type` names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::HmacSha256 => "HMAC-SHA256",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Md5, Self::HmacSha256]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The keys of a merchant number: the present one signs, the one before is still accepted for a while.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) present: Secret,
    pub(crate) before: Option<Secret>,
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.present).chain(&self.before)
    }

    /// Adds the signature to a message.
    pub(crate) fn sign(&self, message: &mut Message, kind: SignType) {
        let sign = signature(&source(message), kind, &self.present);
        message.text("sign", sign);
    }

    /// Whether the message is signed by one of our keys, by the algorithm that it names itself, else by one of `usual`.
    pub(crate) fn verify(&self, message: &Message, usual: &[SignType]) -> bool {
        let Some(given) = message.get("sign").map(str::to_ascii_uppercase) else {
            return false;
        };
        let named = match message.get("sign_type").map(SignType::named) {
            Some(Some(kind)) => Some(kind),
            Some(None) => return false,
            None => None,
        };
        let kinds = named.as_ref().map_or(usual, std::slice::from_ref);
        let source = source(message);
        self.all().any(|key| {
            kinds.iter().any(|kind| {
                let right = signature(&source, *kind, key);
                verify_slices_are_equal(right.as_bytes(), given.as_bytes()).is_ok()
            })
        })
    }

    /// What the `req_info` of a refund notification may say: one text for each key that fits its padding, so that the
    /// reader can leave out what is no message.
    pub(crate) fn decrypt(&self, req_info: &str) -> Vec<Vec<u8>> {
        let packed: String = req_info.split_whitespace().collect();
        let bytes = STANDARD.decode(packed).unwrap_or_default();
        self.all().filter_map(|key| decrypt(&bytes, key)).collect()
    }
}

/// The text that is signed, without the key: names in ASCII order, empty values and `sign` left out, values as they are.
pub(crate) fn source(message: &Message) -> String {
    let sorted: BTreeMap<&str, &str> = message
        .pairs()
        .filter(|(name, value)| *name != "sign" && !value.is_empty())
        .collect();
    let pairs: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn signature(source: &str, kind: SignType, key: &Secret) -> String {
    let text = format!("{source}&key={}", key.expose());
    match kind {
        SignType::Md5 => hex::encode_upper(Md5::digest(text.as_bytes())),
        SignType::HmacSha256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
            hex::encode_upper(hmac::sign(&key, text.as_bytes()))
        }
    }
}

/// AES-256-ECB with PKCS#7; the key is the lower-case hex MD5 of the APIv2 key.
fn decrypt(bytes: &[u8], key: &Secret) -> Option<Vec<u8>> {
    let key = hex::encode(Md5::digest(key.expose().as_bytes()));
    let key = UnboundCipherKey::new(&AES_256, key.as_bytes()).ok()?;
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(key).ok()?;
    let mut buffer = bytes.to_vec();
    let plain = key.decrypt(&mut buffer, DecryptionContext::None).ok()?;
    Some(plain.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "TESTONLYapiv2key0000000000000001";

    fn keys(present: &str, before: Option<&str>) -> Keys {
        Keys {
            present: Secret::from(present),
            before: before.map(Secret::from),
        }
    }

    /// Blocks of a data file: lines of a word and its text, blocks apart by an empty line.
    fn blocks(file: &'static str) -> Vec<BTreeMap<&'static str, &'static str>> {
        file.split("\n\n")
            .map(|block| block.lines().filter_map(|line| line.split_once(' ')).collect())
            .collect()
    }

    fn read(wire: &str) -> Message {
        Message::read(wire.as_bytes(), "xml").unwrap()
    }

    #[test]
    fn public_vectors_are_signed_as_published() {
        let keys = keys("192006250b4c09247ec02edce69f6a2d", None);
        let all = blocks(include_str!("../tests/vectors/public.txt"));
        assert_eq!(all.len(), 11);
        for block in all {
            for (kind, name) in [(SignType::Md5, "md5"), (SignType::HmacSha256, "hmac")] {
                let Some(expected) = block.get(name) else { continue };
                let mut message = Message::default();
                for pair in block["fields"].split('&') {
                    let (name, value) = pair.split_once('=').unwrap();
                    message.text(name, value);
                }
                keys.sign(&mut message, kind);
                assert_eq!(message.get("sign"), Some(*expected), "{}", block["id"]);
                assert!(keys.verify(&message, &[kind]), "{}", block["id"]);
            }
        }
    }

    #[test]
    fn computed_vectors_have_the_documented_source_and_signature() {
        let all = blocks(include_str!("../tests/vectors/computed.txt"));
        let signed: Vec<_> = all.iter().filter(|block| block.contains_key("sign")).collect();
        assert_eq!(signed.len(), 18);
        for block in signed {
            let id = block["id"];
            let message = read(block["wire"]);
            assert_eq!(source(&message), block["source"], "{id}");
            assert_eq!(message.get("sign"), Some(block["sign"]), "{id}");
            assert!(keys(KEY, None).verify(&message, &[SignType::Md5]), "{id}");
            assert_eq!(String::from_utf8(message.write()).unwrap(), block["wire"], "{id}");
        }
    }

    #[test]
    fn every_field_that_is_changed_or_taken_away_breaks_the_signature() {
        for block in blocks(include_str!("../tests/vectors/computed.txt")) {
            if !block.contains_key("sign") {
                continue;
            }
            let message = read(block["wire"]);
            for (changed, value) in message.pairs().filter(|(_, value)| !value.is_empty()) {
                let mut forged = Message::default();
                let mut without = Message::default();
                for (name, kept) in message.pairs() {
                    forged.text(
                        name,
                        if name == changed {
                            format!("{value}1")
                        } else {
                            kept.to_owned()
                        },
                    );
                    if name != changed {
                        without.text(name, kept);
                    }
                }
                assert!(!keys(KEY, None).verify(&forged, &[SignType::Md5]), "{changed}");
                assert!(!keys(KEY, None).verify(&without, &[SignType::Md5]), "{changed}");
            }
        }
    }

    #[test]
    fn the_key_before_is_accepted_and_no_other() {
        let mut message = Message::default();
        message.text("a", "1");
        keys("old", None).sign(&mut message, SignType::Md5);
        assert!(keys("new", Some("old")).verify(&message, &[SignType::Md5]));
        assert!(!keys("new", None).verify(&message, &[SignType::Md5]));
        assert!(!keys("old", None).verify(&message, &[SignType::HmacSha256]));
    }

    #[test]
    fn an_unknown_algorithm_is_never_verified() {
        let mut message = Message::default();
        message.text("sign_type", "NONE").text("a", "1");
        keys("key", None).sign(&mut message, SignType::Md5);
        assert!(!keys("key", None).verify(&message, &[SignType::Md5]));
    }

    #[test]
    fn the_refund_notification_is_decrypted_by_the_present_or_the_old_key_only() {
        let all = blocks(include_str!("../tests/vectors/computed.txt"));
        let block = all.iter().find(|block| block["id"] == "C12").unwrap();
        let message = read(block["wire"]);
        let req_info = message.get("req_info").unwrap();
        let plain = block["plain"].as_bytes().to_vec();
        assert_eq!(keys(KEY, None).decrypt(req_info).first(), Some(&plain));
        assert!(keys("new", Some(KEY)).decrypt(req_info).contains(&plain));
        assert!(!keys("new", None).decrypt(req_info).contains(&plain));
        for bad in ["", "no base64!", "AAAA"] {
            assert!(keys(KEY, None).decrypt(bad).is_empty(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_signed_is_verified_after_the_wire(fields in proptest::collection::btree_map("[a-rt-zA-Z][a-z_0-9]{0,12}", "\\PC{0,40}", 0..12), hmac in any::<bool>()) {
            let kind = if hmac { SignType::HmacSha256 } else { SignType::Md5 };
            let mut message = Message::default();
            for (name, value) in &fields {
                message.text(name, value.clone());
            }
            keys(KEY, None).sign(&mut message, kind);
            let again = Message::read(&message.write(), "xml").unwrap();
            prop_assert!(keys(KEY, None).verify(&again, &[kind]));
            prop_assert!(!keys("another key", None).verify(&again, &[kind]));
        }
    }
}
