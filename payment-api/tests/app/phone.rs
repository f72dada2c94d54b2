//! A phone with the key of its device, and the App's server that gives it tokens.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use metropay_core::clock::Time;
use metropay_core::random::{Random, SystemRandom};
use serde_json::{Value, json};

/// A phone.
pub(crate) struct Phone {
    key: EncodingKey,
    x: String,
}

impl Phone {
    pub(crate) fn new() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        Self {
            key: EncodingKey::from_ed_der(der.as_ref()),
            x: URL_SAFE_NO_PAD.encode(pair.public_key()),
        }
    }

    /// The thumbprint of its key.
    pub(crate) fn thumbprint(&self) -> String {
        hash(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, self.x))
    }

    /// A proof for a request, for once.
    pub(crate) fn prove(&self, method: &str, url: &str, token: &str, now: Time) -> String {
        let head = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": { "kty": "OKP", "crv": "Ed25519", "x": self.x } });
        let claims = json!({
            "htm": method, "htu": url, "iat": now.unix_seconds(), "jti": SystemRandom.digits(20), "ath": hash(token),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&head), part(&claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
