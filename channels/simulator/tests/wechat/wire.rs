//! The merchant's end of the wire: signing and reading, written apart from the gateway's own code.

use std::collections::BTreeMap;

use aes::cipher::{BlockDecryptMut, KeyInit, block_padding::Pkcs7};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

/// A message by field name.
pub(crate) type Message = BTreeMap<String, String>;

/// How a merchant signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Hmac,
}

pub(crate) fn message(pairs: &[(&str, &str)]) -> Message {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The signature of everything but `sign` and what is empty. A map is sorted by itself.
pub(crate) fn sign(message: &Message, key: &str, algorithm: Algorithm) -> String {
    let signed = message
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.is_empty());
    let pairs: Vec<String> = signed.map(|(name, value)| format!("{name}={value}")).collect();
    let source = format!("{}&key={key}", pairs.join("&"));
    match algorithm {
        Algorithm::Md5 => hex::encode_upper(Md5::digest(source.as_bytes())),
        Algorithm::Hmac => {
            let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key.as_bytes()).unwrap();
            mac.update(source.as_bytes());
            hex::encode_upper(mac.finalize().into_bytes())
        }
    }
}

pub(crate) fn to_xml(message: &Message) -> String {
    let fields: String = message
        .iter()
        .map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>"))
        .collect();
    format!("<xml>{fields}</xml>")
}

/// Reads what the gateway writes: no entities, each value plain or in one CDATA section.
pub(crate) fn from_xml(text: &str, root: &str) -> Message {
    let inner = text
        .strip_prefix(&format!("<{root}>"))
        .and_then(|text| text.strip_suffix(&format!("</{root}>")));
    let mut rest = inner.unwrap_or_else(|| panic!("no <{root}> message: {text}"));
    let mut message = Message::new();
    while !rest.is_empty() {
        let (name, after) = rest.strip_prefix('<').unwrap().split_once('>').unwrap();
        let (value, after) = after.split_once(&format!("</{name}>")).unwrap();
        let value = value
            .strip_prefix("<![CDATA[")
            .and_then(|value| value.strip_suffix("]]>"))
            .unwrap_or(value);
        assert!(
            message.insert(name.to_owned(), value.to_owned()).is_none(),
            "{name} stands twice in {text}"
        );
        rest = after;
    }
    message
}

/// Opens the `req_info` of a refund notification.
pub(crate) fn unseal(req_info: &str, api_key: &str) -> Option<Message> {
    let key = hex::encode(Md5::digest(api_key.as_bytes()));
    let cipher = ecb::Decryptor::<aes::Aes256>::new_from_slice(key.as_bytes()).unwrap();
    let plain = cipher
        .decrypt_padded_vec_mut::<Pkcs7>(&STANDARD.decode(req_info).unwrap())
        .ok()?;
    Some(from_xml(&String::from_utf8(plain).ok()?, "root"))
}
