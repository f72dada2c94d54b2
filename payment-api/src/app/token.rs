//! The App's token: a JWT of the App's own server that says who the user is, and on which device.
//!
//! A token is judged by the keys of the configuration alone: each key has one algorithm, and neither the token's `alg`
//! nor a key or an address in its header can change that.

mod issue;
mod key;

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jsonwebtoken::errors::ErrorKind;
use metropay_core::clock::Time;
use metropay_core::id::Uid;
use metropay_core::problem::{Code, Problem};
use metropay_core::secret::Secret;
use serde::Deserialize;

pub use self::issue::{KeyPair, TokenIssuer};
use self::key::VerifyingKey;
pub use self::key::{AppIssuer, AppKey, IssuerError, KEYS_MAX, SECRET_MIN, TokenAlgorithm};

/// How far the App server's clock may stand from ours.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// How long a token may live, from its issue to its end.
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Letters of a token at most.
pub const TOKEN_MAX: usize = 8 * 1024;
/// Letters of a user id and of a token's number at most.
const UID_MAX: usize = 64;
const JTI_MAX: usize = 128;
/// Letters of a key's thumbprint: SHA-256 in base64url.
const THUMBPRINT_LETTERS: usize = 43;

/// What a genuine token says.
#[derive(Debug, Clone)]
pub struct TokenClaims {
    /// The user (`sub`).
    pub uid: Uid,
    /// When it was issued (`iat`).
    pub issued_at: Time,
    /// When it ends (`exp`).
    pub expires_at: Time,
    /// Its number, by which it can be revoked.
    pub jti: String,
    /// The user's phone number, as the App's server writes it.
    pub phone_number: Option<Secret>,
    /// Whether the App's server has verified that the phone is the user's.
    pub phone_number_verified: bool,
    /// The thumbprint of the device key that the token is bound to (`cnf.jkt`).
    pub jkt: Option<String>,
}

impl TokenClaims {
    /// The verified phone as 11 digits, without `+86`; `None` when it is not verified, or no mobile number of China.
    pub fn verified_phone(&self) -> Option<&str> {
        let text = self
            .phone_number
            .as_ref()
            .filter(|_| self.phone_number_verified)?
            .expose();
        let phone = text.strip_prefix("+86").unwrap_or(text);
        (phone.len() == 11 && phone.starts_with('1') && phone.bytes().all(|b| b.is_ascii_digit())).then_some(phone)
    }
}

/// Takes the token from the `Authorization` header, under the scheme `Bearer` or `DPoP`.
///
/// # Errors
/// `TOKEN_MISSING` when there is no such header or no token in it; `TOKEN_INVALID` when there are two, or it is not text.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| Problem::new(Code::TokenMissing))?;
    if values.next().is_some() {
        return Err(invalid("one Authorization header"));
    }
    let value = value.to_str().map_err(|_| invalid("text of ASCII letters"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim();
    let ours = ["bearer", "dpop"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    if ours && !token.is_empty() {
        Ok(token)
    } else {
        Err(Problem::new(Code::TokenMissing))
    }
}

/// Verifies tokens; made once from the configuration.
pub struct TokenVerifier {
    keys: Vec<VerifyingKey>,
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.keys.iter().map(|key| &key.kid).collect();
        f.debug_struct("TokenVerifier")
            .field("kids", &kids)
            .finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// Reads the keys.
    ///
    /// # Errors
    /// The first field that does not serve: no name, no key or too many, one `kid` twice, a key that is not one of its
    /// algorithm, a private key where a public one belongs, a secret that is too short.
    pub fn new(issuer: &AppIssuer) -> Result<Self, IssuerError> {
        Ok(Self { keys: issuer.read()? })
    }

    /// Judges a token at this moment.
    ///
    /// # Errors
    /// `TOKEN_EXPIRED` when it is genuine and its time is over (with our time as a fact); `TOKEN_INVALID` for everything
    /// else, and which rule it breaks once the signature has proved who asks.
    pub fn verify(&self, token: &str, now: Time) -> Result<TokenClaims, Problem> {
        if token.len() > TOKEN_MAX {
            return Err(forged());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| forged())?;
        let access = |typ: &String| ["jwt", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known));
        if header.crit.is_some() || !header.typ.as_ref().is_none_or(access) {
            return Err(forged());
        }
        // A key without a name is tried on every token, and a token without a name on every key.
        let named = |key: &&VerifyingKey| key.kid.is_none() || header.kid.is_none() || key.kid == header.kid;
        for key in self.keys.iter().filter(named) {
            match jsonwebtoken::decode::<WireClaims>(token, &key.key, &key.validation) {
                Ok(data) => return data.claims.judge(now),
                Err(error) => match error.kind() {
                    // The library asks for these after the signature only.
                    ErrorKind::InvalidIssuer => return Err(invalid("iss is the configured issuer")),
                    ErrorKind::InvalidAudience => return Err(invalid("aud has the configured audience")),
                    ErrorKind::MissingRequiredClaim(_) => return Err(invalid("iss, aud, sub and exp are there")),
                    ErrorKind::Json(_) => return Err(invalid("claims have their types")),
                    _ => {}
                },
            }
        }
        Err(forged())
    }
}

/// One answer for every token that we cannot attribute.
fn forged() -> Problem {
    Problem::new(Code::TokenInvalid)
}

fn invalid(rule: &'static str) -> Problem {
    Problem {
        rule: Some(rule),
        ..forged()
    }
}

/// The claims as they come.
#[derive(Deserialize)]
struct WireClaims {
    sub: String,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    jti: String,
    phone_number: Option<Secret>,
    phone_number_verified: Option<bool>,
    cnf: Option<WireConfirmation>,
}

/// What the token is bound to. Another binding than to a device key is not understood, and so refused.
#[derive(Deserialize)]
struct WireConfirmation {
    jkt: String,
}

impl WireClaims {
    fn judge(self, now: Time) -> Result<TokenClaims, Problem> {
        let moment = |seconds: i64| Time(seconds.saturating_mul(1_000));
        let (issued_at, expires_at) = (moment(self.iat), moment(self.exp));
        let latest = now.plus(LEEWAY);
        if issued_at > latest || self.nbf.is_some_and(|nbf| moment(nbf) > latest) {
            return Err(invalid("iat and nbf are not in the future").fact("server_time", now.unix_seconds()));
        }
        if expires_at <= issued_at || expires_at.since(issued_at) > LIFE_MAX {
            return Err(invalid("exp is at most 24 hours after iat"));
        }
        if expires_at.plus(LEEWAY) <= now {
            return Err(Problem::new(Code::TokenExpired).fact("server_time", now.unix_seconds()));
        }
        if !plain(&self.sub, UID_MAX) {
            return Err(invalid("sub is 1 to 64 of 0-9 A-Z a-z _ -"));
        }
        if self.jti.is_empty() || self.jti.len() > JTI_MAX || !self.jti.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(invalid("jti is 1 to 128 printable ASCII letters"));
        }
        let jkt = self.cnf.map(|cnf| cnf.jkt);
        if jkt
            .as_ref()
            .is_some_and(|jkt| jkt.len() != THUMBPRINT_LETTERS || !plain(jkt, THUMBPRINT_LETTERS))
        {
            return Err(invalid("cnf.jkt is a SHA-256 thumbprint in base64url"));
        }
        Ok(TokenClaims {
            uid: Uid(self.sub),
            issued_at,
            expires_at,
            jti: self.jti,
            phone_number: self.phone_number,
            phone_number_verified: self.phone_number_verified.unwrap_or(false),
            jkt,
        })
    }
}

fn plain(text: &str, max: usize) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=max).contains(&text.len()) && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::HeaderValue;
    use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
    use metropay_core::random::{SeededRandom, SystemRandom};
    use pem::Pem;
    use serde_json::{Value, json};

    use super::*;

    /// 2026-08-01 12:00:00 in China.
    const NOW: Time = Time(1_785_556_800_000);
    const SECRET: &str = "0123456789-0123456789-0123456789";
    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn issuer(keys: Vec<AppKey>) -> AppIssuer {
        AppIssuer {
            issuer: "https://app.example".to_owned(),
            audience: "metropay".to_owned(),
            keys,
        }
    }

    fn public(kid: Option<&str>, algorithm: TokenAlgorithm, pem: &str) -> AppKey {
        AppKey {
            kid: kid.map(str::to_owned),
            algorithm,
            public_key_pem: Some(pem.to_owned()),
            secret: None,
        }
    }

    fn shared(secret: &str) -> AppKey {
        AppKey {
            kid: None,
            algorithm: TokenAlgorithm::HS256,
            public_key_pem: None,
            secret: Some(secret.into()),
        }
    }

    /// Claims that pass, with some replaced (or left out, when null).
    fn claims(changes: &Value) -> Value {
        let mut claims = json!({
            "iss": "https://app.example", "aud": "metropay", "sub": "u-1", "jti": "t-1",
            "iat": NOW.unix_seconds(), "exp": NOW.unix_seconds() + 3_600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    /// Signs whatever it is given.
    fn sign(header: &Value, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", part(&header.to_string()), part(claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    fn by_secret(changes: &Value) -> String {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        sign(
            &json!({ "alg": "HS256" }),
            &claims(changes).to_string(),
            &key,
            Algorithm::HS256,
        )
    }

    fn verifier() -> TokenVerifier {
        TokenVerifier::new(&issuer(vec![shared(SECRET)])).unwrap()
    }

    #[test]
    fn each_algorithm_is_verified_by_its_own_key() {
        let ed = KeyPair::generate(&SystemRandom).unwrap();
        let ec_der =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new());
        let ec_der = ec_der.unwrap();
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec_der.as_ref()).unwrap();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki = |der: &[u8]| pem::encode(&Pem::new("PUBLIC KEY", der));
        let ec_public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = ec.public_key().as_der().unwrap();
        let rsa_public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = rsa.public_key().as_der().unwrap();
        let rsa_private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        let rsa_private = pem::encode(&Pem::new("PRIVATE KEY", rsa_private.as_ref()));
        let keys = [
            (
                public(Some("a"), TokenAlgorithm::EdDSA, &ed.public_key_pem),
                EncodingKey::from_ed_pem(ed.private_key_pem.expose().as_bytes()).unwrap(),
            ),
            (
                public(Some("b"), TokenAlgorithm::ES256, &spki(ec_public.as_ref())),
                EncodingKey::from_ec_der(ec_der.as_ref()),
            ),
            (
                public(Some("c"), TokenAlgorithm::RS256, &spki(rsa_public.as_ref())),
                EncodingKey::from_rsa_pem(rsa_private.as_bytes()).unwrap(),
            ),
            (shared(SECRET), EncodingKey::from_secret(SECRET.as_bytes())),
        ];
        let all = TokenVerifier::new(&issuer(keys.iter().map(|(key, _)| key.clone()).collect())).unwrap();
        for (own, (key, signing)) in keys.iter().enumerate() {
            let algorithm = key.algorithm.name();
            for kid in [key.kid.as_deref(), None] {
                let header = json!({ "typ": "JWT", "alg": algorithm, "kid": kid });
                let token = sign(&header, &claims(&json!({})).to_string(), signing, algorithm);
                assert_eq!(
                    all.verify(&token, NOW).unwrap().uid,
                    Uid::from("u-1"),
                    "{algorithm:?} {kid:?}"
                );
                for (other, (wrong, _)) in keys.iter().enumerate().filter(|(other, _)| *other != own) {
                    let alone = TokenVerifier::new(&issuer(vec![wrong.clone()])).unwrap();
                    assert_eq!(
                        alone.verify(&token, NOW).unwrap_err().code,
                        Code::TokenInvalid,
                        "{own} by {other}"
                    );
                }
                // Signed by the right key, but naming another.
                let header = json!({ "alg": algorithm, "kid": "z" });
                let token = sign(&header, &claims(&json!({})).to_string(), signing, algorithm);
                assert_eq!(all.verify(&token, NOW).is_ok(), key.kid.is_none(), "{algorithm:?} as z");
            }
        }
    }

    /// Tokens by somebody who has the public key, or a genuine token, but not the private key.
    fn forgeries(pair: &KeyPair, genuine: &str) -> Vec<(&'static str, String)> {
        let thief = KeyPair::generate(&SystemRandom).unwrap();
        let theirs = DecodingKey::from_ed_pem(thief.public_key_pem.as_bytes()).unwrap();
        let theirs = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(theirs.as_bytes()) });
        let private = EncodingKey::from_ed_pem(thief.private_key_pem.expose().as_bytes()).unwrap();
        let as_secret = EncodingKey::from_secret(pair.public_key_pem.as_bytes());
        let body = claims(&json!({})).to_string();
        let foreign = |header: &Value| sign(header, &body, &private, Algorithm::EdDSA);
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let unsigned = part(r#"{"alg":"none"}"#);
        let (signed, signature) = genuine.rsplit_once('.').unwrap();
        let (head, _) = signed.split_once('.').unwrap();
        let other = part(&claims(&json!({ "sub": "u-2" })).to_string());
        vec![
            ("no signature", format!("{unsigned}.{}.", part(&body))),
            ("the signature left out", format!("{signed}.")),
            ("the last part left out", signed.to_owned()),
            ("a part too many", format!("{genuine}.x")),
            ("other claims", format!("{head}.{other}.{signature}")),
            (
                "public key as a secret",
                sign(&json!({ "alg": "HS256" }), &body, &as_secret, Algorithm::HS256),
            ),
            ("another's key", foreign(&json!({ "alg": "EdDSA" }))),
            ("a key of its own", foreign(&json!({ "alg": "EdDSA", "jwk": theirs }))),
            (
                "an address of a key",
                foreign(&json!({ "alg": "EdDSA", "jku": "https://thief.example" })),
            ),
            ("empty", String::new()),
            ("too long", format!("{genuine}{}", "A".repeat(TOKEN_MAX))),
        ]
    }

    #[test]
    fn the_token_cannot_choose_how_it_is_judged() {
        let pair = KeyPair::generate(&SystemRandom).unwrap();
        let keys = vec![public(None, TokenAlgorithm::EdDSA, &pair.public_key_pem)];
        let verifier = TokenVerifier::new(&issuer(keys)).unwrap();
        let private = EncodingKey::from_ed_pem(pair.private_key_pem.expose().as_bytes()).unwrap();
        let body = claims(&json!({})).to_string();
        let own = |header: &Value| sign(header, &body, &private, Algorithm::EdDSA);
        let genuine = own(&json!({ "alg": "EdDSA" }));
        assert!(verifier.verify(&genuine, NOW).is_ok());
        let mut refused = forgeries(&pair, &genuine);
        // Genuinely signed, and not meant as a token for us.
        refused.push(("another alg in the header", own(&json!({ "alg": "HS256" }))));
        refused.push(("a critical extension", own(&json!({ "alg": "EdDSA", "crit": ["b64"] }))));
        refused.push((
            "a device proof as a token",
            own(&json!({ "alg": "EdDSA", "typ": "dpop+jwt" })),
        ));
        for (how, token) in refused {
            let problem = verifier.verify(&token, NOW).expect_err(how);
            assert_eq!(
                (problem.code, problem.rule),
                (Code::TokenInvalid, None),
                "{how}: one answer for all"
            );
        }
    }

    #[test]
    fn time_is_judged_by_the_clock_that_is_given() {
        let now = NOW.unix_seconds();
        let day = 24 * 3_600;
        // Issue, end and beginning, from now; what becomes of it.
        let cases = [
            ((0, 3_600, None), None),
            ((0, day, None), None),
            ((-10, day - 9, None), Some(Code::TokenInvalid)),
            ((0, 0, None), Some(Code::TokenInvalid)),
            ((0, -1, None), Some(Code::TokenInvalid)),
            ((30, 60, None), None),
            ((31, 60, None), Some(Code::TokenInvalid)),
            ((0, 60, Some(30)), None),
            ((0, 60, Some(31)), Some(Code::TokenInvalid)),
            ((-3_600, -29, None), None),
            ((-3_600, -30, None), Some(Code::TokenExpired)),
            ((-40 * day, -39 * day, None), Some(Code::TokenExpired)),
            ((i64::MIN, 60, None), Some(Code::TokenInvalid)),
            ((0, i64::MAX - now, None), Some(Code::TokenInvalid)),
        ];
        for ((iat, exp, nbf), expected) in cases {
            let token = by_secret(&json!({
                "iat": now.saturating_add(iat), "exp": now.saturating_add(exp), "nbf": nbf.map(|nbf: i64| now + nbf),
            }));
            let judged = verifier().verify(&token, NOW);
            assert_eq!(judged.as_ref().err().map(|p| p.code), expected, "{iat} {exp} {nbf:?}");
            if expected == Some(Code::TokenExpired) {
                assert_eq!(judged.unwrap_err().facts["server_time"], json!(now));
            }
        }
    }

    #[test]
    fn claims_that_break_a_rule_are_refused() {
        let long = "x".repeat(129);
        let cases = [
            (json!({ "iss": "https://other.example" }), "iss is"),
            (json!({ "iss": null }), "iss, aud"),
            (json!({ "aud": "elsewhere" }), "aud has"),
            (json!({ "aud": ["elsewhere"] }), "aud has"),
            (json!({ "aud": null }), "iss, aud"),
            (json!({ "sub": null }), "claims have"),
            (json!({ "sub": "" }), "sub is"),
            (json!({ "sub": "x".repeat(65) }), "sub is"),
            (json!({ "sub": "a b" }), "sub is"),
            (json!({ "sub": "用户" }), "sub is"),
            (json!({ "sub": 7 }), "claims have"),
            (json!({ "exp": null }), "claims have"),
            (json!({ "exp": "soon" }), "claims have"),
            (json!({ "exp": 1.5 }), "claims have"),
            (json!({ "iat": null }), "claims have"),
            (json!({ "jti": null }), "claims have"),
            (json!({ "jti": "" }), "jti is"),
            (json!({ "jti": long }), "jti is"),
            (json!({ "jti": "a\nb" }), "jti is"),
            (json!({ "cnf": { "jkt": "short" } }), "cnf.jkt"),
            (json!({ "cnf": { "jkt": "=".repeat(43) } }), "cnf.jkt"),
            (json!({ "cnf": { "x5t#S256": JKT } }), "claims have"),
            (json!({ "phone_number_verified": "yes" }), "claims have"),
        ];
        for (changes, rule) in cases {
            let refused = verifier().verify(&by_secret(&changes), NOW).expect_err(rule);
            assert_eq!(refused.code, Code::TokenInvalid, "{changes}");
            assert!(refused.rule.unwrap().starts_with(rule), "{changes}: {:?}", refused.rule);
        }
        let twice = claims(&json!({})).to_string().replacen('{', r#"{"sub":"u-2","#, 1);
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = sign(&json!({ "alg": "HS256" }), &twice, &key, Algorithm::HS256);
        assert_eq!(
            verifier().verify(&token, NOW).unwrap_err().rule,
            Some("claims have their types")
        );
    }

    #[test]
    fn what_was_issued_is_verified_and_says_the_same() {
        let pair = KeyPair::generate(&SeededRandom::new(3)).unwrap();
        let config = issuer(vec![public(Some("demo"), TokenAlgorithm::EdDSA, &pair.public_key_pem)]);
        let issued = TokenClaims {
            uid: Uid::from("u_8-Z"),
            issued_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(900)),
            jti: "7f3a".to_owned(),
            phone_number: Some("+8613800138000".into()),
            phone_number_verified: true,
            jkt: Some(JKT.to_owned()),
        };
        let signer = TokenIssuer::new(&config, Some("demo"), &pair.private_key_pem).unwrap();
        let token = signer.issue(&issued).unwrap();
        let read = TokenVerifier::new(&config).unwrap().verify(&token, NOW).unwrap();
        assert_eq!(
            (&read.uid, &read.jti, &read.jkt),
            (&issued.uid, &issued.jti, &issued.jkt)
        );
        assert_eq!((read.issued_at, read.expires_at), (issued.issued_at, issued.expires_at));
        assert_eq!(read.verified_phone(), Some("13800138000"));
        let shown = format!("{read:?} {config:?} {pair:?}");
        assert!(!shown.contains("13800138000") && !shown.contains("PRIVATE"));
    }

    #[test]
    fn a_phone_counts_only_when_verified_and_of_eleven_digits() {
        let cases = [
            (
                json!({ "phone_number": "13800138000", "phone_number_verified": true }),
                Some("13800138000"),
            ),
            (
                json!({ "phone_number": "+8613800138000", "phone_number_verified": true }),
                Some("13800138000"),
            ),
            (
                json!({ "phone_number": "13800138000", "phone_number_verified": false }),
                None,
            ),
            (json!({ "phone_number": "13800138000" }), None),
            (json!({ "phone_number_verified": true }), None),
            (
                json!({ "phone_number": "1380013800", "phone_number_verified": true }),
                None,
            ),
            (
                json!({ "phone_number": "23800138000", "phone_number_verified": true }),
                None,
            ),
            (
                json!({ "phone_number": "1380013800x", "phone_number_verified": true }),
                None,
            ),
            (
                json!({ "phone_number": "+1 202 555 0100", "phone_number_verified": true }),
                None,
            ),
        ];
        for (changes, expected) in cases {
            let read = verifier().verify(&by_secret(&changes), NOW).unwrap();
            assert_eq!(read.verified_phone(), expected, "{changes}");
        }
        assert!(
            verifier()
                .verify(&by_secret(&json!({ "aud": ["x", "metropay"] })), NOW)
                .is_ok()
        );
    }

    #[test]
    fn the_token_is_taken_from_one_header_of_a_known_scheme() {
        let cases: [(&[&str], Result<&str, Code>); 9] = [
            (&["Bearer a.b.c"], Ok("a.b.c")),
            (&["bearer  a.b.c "], Ok("a.b.c")),
            (&["DPoP a.b.c"], Ok("a.b.c")),
            (&[], Err(Code::TokenMissing)),
            (&["Bearer"], Err(Code::TokenMissing)),
            (&["Bearer "], Err(Code::TokenMissing)),
            (&["Basic YTpi"], Err(Code::TokenMissing)),
            (&["Bearer a.b.c", "Bearer d.e.f"], Err(Code::TokenInvalid)),
            (&["Bearer \u{e9}"], Err(Code::TokenInvalid)),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            assert_eq!(bearer(&headers).map_err(|problem| problem.code), expected, "{values:?}");
        }
    }
}
