//! Who issues the App's tokens, and the keys by which they are judged.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use metropay_core::secret::{self, Secret};
use serde::Deserialize;

/// Keys of an issuer at most: each may have to be tried.
pub const KEYS_MAX: usize = 16;
/// Bytes of an HS256 secret at least.
pub const SECRET_MIN: usize = 32;

/// Who issues the App's tokens: a section of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppIssuer {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be, or contain.
    pub audience: String,
    /// The keys in use; two while one follows the other.
    pub keys: Vec<AppKey>,
}

/// A key of the issuer: a public key, or for HS256 a shared secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppKey {
    /// The `kid` of tokens that it signs; without one it is tried on every token.
    #[serde(default)]
    pub kid: Option<String>,
    /// The only algorithm for which it is used.
    pub algorithm: TokenAlgorithm,
    /// The public key in PEM, for all but HS256.
    #[serde(default)]
    pub public_key_pem: Option<String>,
    /// The shared secret, for HS256; at least [`SECRET_MIN`] bytes.
    #[serde(default, deserialize_with = "secret::optional")]
    pub secret: Option<Secret>,
}

/// How tokens may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TokenAlgorithm {
    /// Ed25519. To be preferred.
    EdDSA,
    /// ECDSA on P-256.
    ES256,
    /// RSA with PKCS#1 v1.5, 2048 bits or more.
    RS256,
    /// HMAC: whoever can verify can also issue, so only where the App's server can do nothing else.
    HS256,
}

/// What is wrong with the configuration of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerError {
    /// The field, such as `keys[1].secret`.
    pub field: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl fmt::Display for IssuerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)
    }
}

impl std::error::Error for IssuerError {}

/// A key at hand: what it is called, and how a token under it is checked.
pub(super) struct VerifyingKey {
    pub(super) kid: Option<String>,
    pub(super) key: DecodingKey,
    pub(super) validation: Validation,
}

impl AppIssuer {
    /// Reads the keys; the first field that does not serve is the error.
    pub(super) fn read(&self) -> Result<Vec<VerifyingKey>, IssuerError> {
        let refuse = |field: &str, rule| {
            Err(IssuerError {
                field: field.to_owned(),
                rule,
            })
        };
        if self.issuer.is_empty() {
            return refuse("issuer", "must not be empty");
        }
        if self.audience.is_empty() {
            return refuse("audience", "must not be empty");
        }
        if !(1..=KEYS_MAX).contains(&self.keys.len()) {
            return refuse("keys", "must be 1 to 16");
        }
        let mut kids = BTreeSet::new();
        let mut keys = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            let at = |(field, rule): Fault| IssuerError {
                field: format!("keys[{index}].{field}"),
                rule,
            };
            if key.kid.as_ref().is_some_and(|kid| kid.is_empty() || !kids.insert(kid)) {
                return Err(at(("kid", "must be unique and not empty")));
            }
            let validation = self.validation(key.algorithm);
            keys.push(VerifyingKey {
                kid: key.kid.clone(),
                key: key.read().map_err(at)?,
                validation,
            });
        }
        Ok(keys)
    }

    /// The library checks signature, issuer and audience; time is ours to check, by the engine's clock.
    fn validation(&self, algorithm: TokenAlgorithm) -> Validation {
        let mut validation = Validation::new(algorithm.name());
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation
    }
}

impl TokenAlgorithm {
    pub(super) fn name(self) -> Algorithm {
        match self {
            Self::EdDSA => Algorithm::EdDSA,
            Self::ES256 => Algorithm::ES256,
            Self::RS256 => Algorithm::RS256,
            Self::HS256 => Algorithm::HS256,
        }
    }
}

/// A field of a key, and the rule that it breaks.
type Fault = (&'static str, &'static str);

impl AppKey {
    fn read(&self) -> Result<DecodingKey, Fault> {
        match (self.algorithm, &self.public_key_pem, &self.secret) {
            (TokenAlgorithm::HS256, None, Some(secret)) => {
                if secret.expose().len() < SECRET_MIN {
                    return Err(("secret", "must have at least 32 bytes"));
                }
                Ok(DecodingKey::from_secret(secret.expose().as_bytes()))
            }
            (TokenAlgorithm::HS256, ..) => Err(("secret", "HS256 takes a secret and no public key")),
            (_, Some(pem), None) => self.read_public(pem),
            _ => Err(("public_key_pem", "this algorithm takes a public key and no secret")),
        }
    }

    fn read_public(&self, text: &str) -> Result<DecodingKey, Fault> {
        let refused = || ("public_key_pem", "must be one public key of this algorithm, in PEM");
        let pem = pem::parse(text).map_err(|_| refused())?;
        let (der, bytes) = (pem.contents(), text.as_bytes());
        // The token library looks at the frame of a key only; here it is read whole, with its curve and its length.
        let (parsed, key) = match self.algorithm {
            TokenAlgorithm::EdDSA => (ParsedPublicKey::new(&ED25519, der), DecodingKey::from_ed_pem(bytes)),
            TokenAlgorithm::ES256 => (
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der),
                DecodingKey::from_ec_pem(bytes),
            ),
            TokenAlgorithm::RS256 => (
                ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der),
                DecodingKey::from_rsa_pem(bytes),
            ),
            TokenAlgorithm::HS256 => return Err(refused()),
        };
        parsed.map_err(|_| refused())?;
        let key = key.map_err(|_| refused())?;
        if self.algorithm == TokenAlgorithm::RS256 {
            let bits = RsaParameters::public_modulus_len(key.as_bytes()).map_err(|_| refused())?;
            let rule = RSA_PKCS1_2048_8192_SHA256.min_modulus_len()..=RSA_PKCS1_2048_8192_SHA256.max_modulus_len();
            if !rule.contains(&bits) {
                return Err(("public_key_pem", "an RSA key must have 2048 to 8192 bits"));
            }
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use metropay_core::random::SystemRandom;

    use super::*;
    use crate::app::token::{KeyPair, TokenVerifier};

    const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJHgLQJkfCxuYGN/Sd4PdFnG3Z
kgD10feBWrjGhPtXekSue7JAhvPG3arKKxm/l2l/w/xCuAThn5jwEpI3zVkjpLRv
kL/IGfpLLKc5H+Pr2d0a+QhkjeV4undYGgCe11x3y48YSMNV6049DCSd/8lhuVdx
BeMwSbec2aCWpYEKCQIDAQAB
-----END PUBLIC KEY-----";
    const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE+QzAsYjEHUiZ3mMqpIRh6whzcZzDAaEj
W5tWg3KLUpHlcx/mPfZozvclSAlqnqiIrX+9V6I4MNHGpOd37DMfM7haUJmShQny
jLFZ6h16pLuWdAMwW+Do5VpJLhXhTsYf
-----END PUBLIC KEY-----";

    fn config(keys: Vec<AppKey>) -> AppIssuer {
        AppIssuer {
            issuer: "https://app.example".to_owned(),
            audience: "metropay".to_owned(),
            keys,
        }
    }

    fn key(algorithm: TokenAlgorithm, public_key_pem: Option<&str>, secret: Option<&str>) -> AppKey {
        AppKey {
            kid: None,
            algorithm,
            public_key_pem: public_key_pem.map(str::to_owned),
            secret: secret.map(Secret::from),
        }
    }

    #[test]
    fn a_key_that_does_not_serve_is_named_at_the_start() {
        use TokenAlgorithm::{ES256, EdDSA, HS256, RS256};
        let pair = KeyPair::generate(&SystemRandom).unwrap();
        let (public, private) = (pair.public_key_pem.as_str(), pair.private_key_pem.expose());
        let long = "s".repeat(32);
        let short = "s".repeat(31);
        let cut = public.replacen("MCow", "MCox", 1);
        let cases = [
            (key(EdDSA, Some(public), None), None),
            (key(HS256, None, Some(&long)), None),
            (key(HS256, None, Some(&short)), Some("keys[0].secret")),
            (key(HS256, None, None), Some("keys[0].secret")),
            (key(HS256, Some(public), None), Some("keys[0].secret")),
            (key(HS256, Some(public), Some(&long)), Some("keys[0].secret")),
            (key(EdDSA, None, None), Some("keys[0].public_key_pem")),
            (key(EdDSA, Some(public), Some(&long)), Some("keys[0].public_key_pem")),
            (key(EdDSA, None, Some(&long)), Some("keys[0].public_key_pem")),
            (key(EdDSA, Some(private), None), Some("keys[0].public_key_pem")),
            (key(EdDSA, Some(""), None), Some("keys[0].public_key_pem")),
            (key(EdDSA, Some(&cut), None), Some("keys[0].public_key_pem")),
            (key(ES256, Some(public), None), Some("keys[0].public_key_pem")),
            (key(RS256, Some(public), None), Some("keys[0].public_key_pem")),
            (key(ES256, Some(P384), None), Some("keys[0].public_key_pem")),
            (key(RS256, Some(RSA_1024), None), Some("keys[0].public_key_pem")),
        ];
        for (key, expected) in cases {
            let made = TokenVerifier::new(&config(vec![key.clone()]));
            assert_eq!(made.err().map(|error| error.field).as_deref(), expected, "{key:?}");
        }
    }

    #[test]
    fn an_issuer_has_names_and_a_few_keys_with_names_of_their_own() {
        let named = |kid: &str| AppKey {
            kid: Some(kid.to_owned()),
            ..key(TokenAlgorithm::HS256, None, Some("0123456789-0123456789-0123456789"))
        };
        let good = config(vec![named("a"), named("b")]);
        let many = (0..=KEYS_MAX).map(|n| named(&n.to_string())).collect();
        let cases = [
            (good.clone(), None),
            (
                AppIssuer {
                    issuer: String::new(),
                    ..good.clone()
                },
                Some("issuer"),
            ),
            (
                AppIssuer {
                    audience: String::new(),
                    ..good.clone()
                },
                Some("audience"),
            ),
            (config(vec![]), Some("keys")),
            (config(many), Some("keys")),
            (config(vec![named("a"), named("a")]), Some("keys[1].kid")),
            (config(vec![named("")]), Some("keys[0].kid")),
        ];
        for (issuer, expected) in cases {
            let made = TokenVerifier::new(&issuer);
            assert_eq!(made.err().map(|error| error.field).as_deref(), expected, "{issuer:?}");
        }
    }

    #[test]
    fn the_configuration_takes_no_unknown_field_or_algorithm() {
        let read = |keys: &str| {
            serde_json::from_str::<AppIssuer>(&format!(r#"{{"issuer":"i","audience":"a","keys":[{keys}]}}"#))
        };
        let good = read(r#"{"algorithm":"EdDSA","public_key_pem":"x","secret":""}"#).unwrap();
        assert!(good.keys.iter().all(|key| key.secret.is_none() && key.kid.is_none()));
        for bad in [
            r#"{"algorithm":"none"}"#,
            r#"{"algorithm":"HS512"}"#,
            r#"{"algorithm":"EdDSA","pem":"x"}"#,
            "{}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
