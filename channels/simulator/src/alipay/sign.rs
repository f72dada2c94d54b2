//! RSA2: what is signed, and with which keys (alipay reference, 1.4, 1.5 and 9.2).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};

/// Parsed private keys by their text, because parsing costs about as much as signing.
static PARSED: LazyLock<Mutex<HashMap<String, Arc<RsaPrivateKey>>>> = LazyLock::new(Mutex::default);

/// The string that a request's signature covers: everything but `sign` and blank values, sorted by name.
pub(super) fn request_string(params: &BTreeMap<String, String>) -> String {
    let pairs = params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    join(pairs.filter(|(name, value)| *name != "sign" && !value.trim().is_empty()))
}

/// The string that a notification's signature covers: everything but `sign` and `sign_type`, empty values included.
pub(super) fn notice_string<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let sorted: BTreeMap<&str, &str> = pairs.collect();
    join(
        sorted
            .into_iter()
            .filter(|(name, _)| !matches!(*name, "sign" | "sign_type")),
    )
}

fn join<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let parts: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    parts.join("&")
}

/// Signs the text; the signature comes in base64. `None` when the key cannot be read.
pub(super) fn sign(private_key: &str, text: impl AsRef<[u8]>) -> Option<String> {
    let key = parsed(private_key)?;
    let signature = key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text)).ok()?;
    Some(STANDARD.encode(signature))
}

/// Whether the base64 signature fits the text.
pub(super) fn verify(public_key: &str, text: impl AsRef<[u8]>, signature: &str) -> bool {
    let (Some(key), Ok(signature)) = (public(public_key), STANDARD.decode(signature)) else {
        return false;
    };
    key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text), &signature)
        .is_ok()
}

/// Reads a private key: PKCS#8 or PKCS#1, with or without PEM armour.
pub(super) fn private(text: &str) -> Option<RsaPrivateKey> {
    let der = der(text)?;
    RsaPrivateKey::from_pkcs8_der(&der)
        .or_else(|_| RsaPrivateKey::from_pkcs1_der(&der))
        .ok()
}

/// Reads a public key: SubjectPublicKeyInfo, with or without PEM armour.
pub(super) fn public(text: &str) -> Option<RsaPublicKey> {
    RsaPublicKey::from_public_key_der(&der(text)?).ok()
}

fn parsed(text: &str) -> Option<Arc<RsaPrivateKey>> {
    let mut known = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = known.get(text) {
        return Some(Arc::clone(key));
    }
    let key = Arc::new(private(text)?);
    known.insert(text.to_owned(), Arc::clone(&key));
    Some(key)
}

/// Merchants are handed keys as one line of base64; other tools wrap it in PEM lines.
fn der(text: &str) -> Option<Vec<u8>> {
    let bare: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD.decode(bare).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::call::Params;
    use super::super::vectors::vector;
    use super::*;

    const APP_KEY: &str = "app public key";

    fn pairs(text: &str) -> BTreeMap<String, String> {
        text.split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    #[test]
    fn a_request_is_signed_over_query_and_form_without_blank_values() {
        let params: BTreeMap<String, String> = serde_json::from_str(vector("T1 parameters")).unwrap();
        assert_eq!(request_string(&params), vector("T1 string"));
        let received = Params::read(vector("T1 query"), vector("T1 body").as_bytes());
        assert_eq!(request_string(&received.pairs), vector("T1 string"));
        assert!(verify(
            vector(APP_KEY),
            vector("T1 string"),
            received.get("sign").unwrap()
        ));
        assert!(!verify(vector(APP_KEY), vector("T1 string"), vector("T2 sign")));
        let forged = vector("T1 string").replace("4.50", "45.0");
        assert!(!verify(vector(APP_KEY), &forged, received.get("sign").unwrap()));
    }

    #[test]
    fn a_request_in_gbk_is_signed_over_its_gbk_bytes() {
        let query = form_urlencoded::Serializer::new(String::new())
            .encoding_override(Some(&|text| super::super::charset::Charset::Gbk.bytes(text)))
            .extend_pairs(pairs(vector("T2b string")))
            .finish();
        let received = Params::read(&query, b"");
        let text = request_string(&received.pairs);
        assert_eq!(text, vector("T2b string"));
        assert!(verify(
            vector(APP_KEY),
            received.charset.bytes(&text),
            vector("T2b sign")
        ));
        assert!(!verify(vector(APP_KEY), text, vector("T2b sign")), "not over UTF-8");
    }

    #[test]
    fn sealed_content_is_signed_as_it_is_sent() {
        let mut params: BTreeMap<String, String> = serde_json::from_str(vector("T1 parameters")).unwrap();
        params.insert("biz_content".to_owned(), vector("T6 content").to_owned());
        params.insert("encrypt_type".to_owned(), "AES".to_owned());
        assert_eq!(request_string(&params), vector("T6 string"));
        assert!(verify(vector(APP_KEY), vector("T6 string"), vector("T6 sign")));
    }

    #[test]
    fn whatever_arrives_is_signed() {
        let mut params: BTreeMap<String, String> = serde_json::from_str(vector("T1 parameters")).unwrap();
        params.insert("app_cert_sn".to_owned(), "0011657fb565810f4281ac37785787b7".to_owned());
        let root = "5b411b75aeb7a48531c3162ae2314c20_b660cbcf128599c88757a8f815406cb8";
        params.insert("alipay_root_cert_sn".to_owned(), root.to_owned());
        assert_eq!(request_string(&params), vector("T2 string"));
        assert!(verify(vector(APP_KEY), vector("T2 string"), vector("T2 sign")));
    }

    #[test]
    fn a_page_url_is_signed_like_any_request() {
        let received = Params::read(vector("T10 query"), b"");
        assert_eq!(request_string(&received.pairs), vector("T10 string"));
        assert_eq!(received.get("sign"), Some(vector("T10 sign")));
        assert!(verify(vector(APP_KEY), vector("T10 string"), vector("T10 sign")));
    }

    #[test]
    fn a_real_notification_verifies_only_without_sign_type() {
        let params: BTreeMap<String, String> = serde_json::from_str(vector("R1 parameters")).unwrap();
        let text = notice_string(params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert!(verify(vector("R1 key"), &text, vector("R1 sign")));
        let with_type = text.replace("&subject=", "&sign_type=RSA2&subject=");
        assert!(!verify(vector("R1 key"), &with_type, vector("R1 sign")));
    }

    #[test]
    fn an_empty_value_of_a_notification_is_signed() {
        let params = pairs(vector("T7e string"));
        let text = notice_string(params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert_eq!(text, vector("T7e string"));
        assert_eq!(sign(vector("alipay private key"), &text).unwrap(), vector("T7e sign"));
        let dropped = text.replace("&passback_params=", "");
        assert_eq!(dropped, vector("T7e dropped string"));
        assert_eq!(
            sign(vector("alipay private key"), &dropped).unwrap(),
            vector("T7e dropped sign")
        );
    }

    #[test]
    fn keys_are_read_with_and_without_armour() {
        let bare: String = vector("app public key")
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        assert_eq!(public(&bare), public(vector(APP_KEY)));
        assert!(public(&bare).is_some());
        assert!(private(vector("app private key")).is_some());
        assert!(private("").is_none() && public("nonsense").is_none());
    }
}
