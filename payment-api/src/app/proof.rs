//! The device proof: a short JWT by which the phone shows that it holds the key that its token is bound to.
//!
//! The form is that of DPoP (RFC 9449, section 4), so that ordinary libraries make it; `nonce` is not used. It says
//! which request it is for and when it was made. That it is used once is for the caller to see to: he keeps
//! [`Proof::jti`] with [`Proof::thumbprint`] for [`KEPT`].

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Uri};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use metropay_core::clock::Time;
use metropay_core::problem::{Code, Problem};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

/// How far the phone's clock may stand from ours.
pub const WINDOW: Duration = Duration::from_secs(60);
/// How long a used proof must be remembered: as long as any proof with its number can pass, and a little more.
pub const KEPT: Duration = Duration::from_secs(150);
/// Letters of a proof at most.
pub const PROOF_MAX: usize = 4 * 1024;
/// Letters of its number at most.
const JTI_MAX: usize = 128;
/// Bytes of a coordinate of both kinds of key.
const COORDINATE: usize = 32;

const _: () = assert!(KEPT.as_secs() > 2 * WINDOW.as_secs());

/// The request that the proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method in capitals.
    pub method: &'a str,
    /// Host, and port where it is not the usual one, as the App addresses us.
    pub authority: &'a str,
    /// The path without query.
    pub path: &'a str,
}

/// A proof that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its number, unique for its key.
    pub jti: String,
    /// The thumbprint of the device key (RFC 7638).
    pub thumbprint: String,
}

/// Takes the proof from the `DPoP` header.
///
/// # Errors
/// `DEVICE_PROOF_MISSING` when there is none; `DEVICE_PROOF_INVALID` when there are two, or it is not text.
pub fn header(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all("dpop").iter();
    let value = values.next().ok_or_else(|| Problem::new(Code::DeviceProofMissing))?;
    if values.next().is_some() {
        return Err(invalid("one DPoP header"));
    }
    value.to_str().map_err(|_| invalid("text of ASCII letters"))
}

/// Judges a proof at this moment: signed by the key in it, this key the one that the token is bound to (`jkt`), for this
/// token and this request, made within [`WINDOW`].
///
/// # Errors
/// `DEVICE_PROOF_INVALID` with the rule that it breaks; where time is the cause, with ours as a fact.
pub fn verify(proof: &str, asked: &Asked<'_>, token: &str, jkt: &str, now: Time) -> Result<Proof, Problem> {
    if proof.len() > PROOF_MAX {
        return Err(invalid("at most 4096 letters"));
    }
    let head = ProofHeader::read(proof).ok_or_else(|| invalid("a JWT with typ dpop+jwt and a jwk"))?;
    let key = head
        .key()
        .ok_or_else(|| invalid("jwk is a public key, ES256 on P-256 or Ed25519, with its alg"))?;
    if key.thumbprint != jkt {
        return Err(invalid("jwk is the key that the token is bound to"));
    }
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<ProofClaims>(proof, &key.decoding, &validation)
        .map_err(|_| invalid("signed by the key in jwk, with htm, htu, iat, jti and ath"))?
        .claims;
    claims.judge(asked, token, now)?;
    Ok(Proof {
        jti: claims.jti,
        thumbprint: key.thumbprint,
    })
}

fn invalid(rule: &'static str) -> Problem {
    Problem {
        rule: Some(rule),
        ..Problem::new(Code::DeviceProofInvalid)
    }
}

/// The header, read here and not by the token library: what it says of the key decides everything.
#[derive(Deserialize)]
struct ProofHeader {
    typ: String,
    alg: String,
    jwk: DeviceKey,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct DeviceKey {
    kty: String,
    crv: String,
    x: String,
    y: Option<String>,
    /// The private part, which must never come.
    d: Option<IgnoredAny>,
}

struct VerifyingKey {
    algorithm: Algorithm,
    decoding: DecodingKey,
    thumbprint: String,
}

impl ProofHeader {
    fn read(proof: &str) -> Option<Self> {
        let (head, _) = proof.split_once('.')?;
        let head: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
        (head.typ == "dpop+jwt" && head.crit.is_none()).then_some(head)
    }

    /// The key with the algorithm that belongs to it, and its thumbprint over the members that RFC 7638 names.
    fn key(&self) -> Option<VerifyingKey> {
        let DeviceKey { kty, crv, x, y, d } = &self.jwk;
        if d.is_some() {
            return None;
        }
        let x = coordinate(x)?;
        let (algorithm, decoding, members) = match (kty.as_str(), crv.as_str(), y.as_deref(), self.alg.as_str()) {
            ("EC", "P-256", Some(y), "ES256") => {
                let y = coordinate(y)?;
                let decoding = DecodingKey::from_ec_components(x, y).ok()?;
                (
                    Algorithm::ES256,
                    decoding,
                    json!({ "crv": crv, "kty": kty, "x": x, "y": y }),
                )
            }
            ("OKP", "Ed25519", None, "EdDSA") => {
                let decoding = DecodingKey::from_ed_components(x).ok()?;
                (Algorithm::EdDSA, decoding, json!({ "crv": crv, "kty": kty, "x": x }))
            }
            _ => return None,
        };
        // The members are written in the order of their names and without spaces, as the thumbprint wants them.
        let thumbprint = hash(members.to_string().as_bytes());
        Some(VerifyingKey {
            algorithm,
            decoding,
            thumbprint,
        })
    }
}

/// The text of a coordinate, when it is one of full length in its only writing.
fn coordinate(text: &str) -> Option<&str> {
    (URL_SAFE_NO_PAD.decode(text).ok()?.len() == COORDINATE).then_some(text)
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}

#[derive(Deserialize)]
struct ProofClaims {
    htm: String,
    htu: String,
    iat: i64,
    jti: String,
    ath: String,
}

impl ProofClaims {
    fn judge(&self, asked: &Asked<'_>, token: &str, now: Time) -> Result<(), Problem> {
        if self.htm != asked.method {
            return Err(invalid("htm is the method of the request"));
        }
        if !addresses(&self.htu, asked) {
            return Err(invalid("htu is the address of the request, without query"));
        }
        let made = Time(self.iat.saturating_mul(1_000));
        if made > now.plus(WINDOW) || made < now.minus(WINDOW) {
            return Err(invalid("iat is within 60 seconds of our time").fact("server_time", now.unix_seconds()));
        }
        if self.jti.is_empty() || self.jti.len() > JTI_MAX || !self.jti.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(invalid("jti is 1 to 128 printable ASCII letters"));
        }
        if self.ath != hash(token.as_bytes()) {
            return Err(invalid("ath is the hash of the token"));
        }
        Ok(())
    }
}

/// Whether the address is that of the request: same host and port, same path to the letter. The scheme is not compared,
/// because TLS may end before us.
fn addresses(htu: &str, asked: &Asked<'_>) -> bool {
    if htu.contains(['?', '#']) {
        return false;
    }
    let Ok(uri) = htu.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    let usual_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let host = |text: &str| text.strip_suffix(usual_port).unwrap_or(text).to_ascii_lowercase();
    host(authority.as_str()) == host(asked.authority) && uri.path() == asked.path
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use http::HeaderValue;
    use jsonwebtoken::EncodingKey;
    use serde_json::Value;

    use super::*;

    const NOW: Time = Time(1_785_556_800_000);
    const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl";
    const ASKED: Asked<'static> = Asked {
        method: "POST",
        authority: "pay.example.com",
        path: "/app/v1/codes",
    };

    /// A phone with its key.
    struct Phone {
        algorithm: Algorithm,
        signing: EncodingKey,
        jwk: Value,
        jkt: String,
    }

    impl Phone {
        fn es256() -> Self {
            let random = aws_lc_rs::rand::SystemRandom::new();
            let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
            let point = pair.public_key().as_ref();
            let (x, y) = (
                URL_SAFE_NO_PAD.encode(&point[1..33]),
                URL_SAFE_NO_PAD.encode(&point[33..]),
            );
            Self {
                algorithm: Algorithm::ES256,
                signing: EncodingKey::from_ec_der(der.as_ref()),
                jkt: hash(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()),
                jwk: json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig" }),
            }
        }

        fn ed25519() -> Self {
            let der = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
            let x = URL_SAFE_NO_PAD.encode(Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap().public_key());
            Self {
                algorithm: Algorithm::EdDSA,
                signing: EncodingKey::from_ed_der(der.as_ref()),
                jkt: hash(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()),
                jwk: json!({ "kty": "OKP", "crv": "Ed25519", "x": x }),
            }
        }

        /// A proof that fits, with some of its header and claims replaced (or left out, when null).
        fn prove(&self, header: &Value, claims: &Value) -> String {
            let base = json!({ "typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk });
            let good = json!({
                "htm": "POST", "htu": "https://pay.example.com/app/v1/codes",
                "iat": NOW.unix_seconds(), "jti": "j-1", "ath": hash(TOKEN.as_bytes()),
            });
            let part = |base, changes| URL_SAFE_NO_PAD.encode(changed(base, changes).to_string());
            let message = format!("{}.{}", part(base, header), part(good, claims));
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.signing, self.algorithm).unwrap();
            format!("{message}.{signature}")
        }
    }

    fn changed(mut base: Value, changes: &Value) -> Value {
        for (name, value) in changes.as_object().unwrap() {
            base[name] = value.clone();
        }
        base.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        base
    }

    fn none() -> Value {
        json!({})
    }

    #[test]
    fn both_kinds_of_device_key_prove_a_request() {
        for phone in [Phone::es256(), Phone::ed25519()] {
            let proof = verify(&phone.prove(&none(), &none()), &ASKED, TOKEN, &phone.jkt, NOW).unwrap();
            assert_eq!(
                proof,
                Proof {
                    jti: "j-1".to_owned(),
                    thumbprint: phone.jkt.clone()
                }
            );
        }
    }

    /// The example of RFC 9449, section 7.1 (its thumbprint: section 6.1).
    #[test]
    fn the_example_of_the_standard_passes() {
        let proof = concat!(
            "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs",
            "cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2",
            "In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm9",
            "0ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVF",
            "FbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
        );
        let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let asked = Asked {
            method: "GET",
            authority: "resource.example.org",
            path: "/protectedresource",
        };
        let read = verify(proof, &asked, token, jkt, Time(1_562_262_618_000)).unwrap();
        assert_eq!(
            read,
            Proof {
                jti: "e1j3V_bKic8-LAEB".to_owned(),
                thumbprint: jkt.to_owned()
            }
        );
    }

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_of_an_ed25519_key_is_that_of_the_standard() {
        let head = json!({
            "typ": "dpop+jwt", "alg": "EdDSA",
            "jwk": { "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
        });
        let proof = format!("{}.e30.", URL_SAFE_NO_PAD.encode(head.to_string()));
        let key = ProofHeader::read(&proof).unwrap().key().unwrap();
        assert_eq!(key.thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_proof_for_something_else_is_refused() {
        let cases = [
            (json!({ "htm": "GET" }), "htm is"),
            (json!({ "htm": "post" }), "htm is"),
            (json!({ "htm": null }), "signed by"),
            (json!({ "htu": "https://pay.example.com/app/v1/contracts" }), "htu is"),
            (json!({ "htu": "https://pay.example.com/app/v1/codes/" }), "htu is"),
            (json!({ "htu": "https://pay.example.com/APP/v1/codes" }), "htu is"),
            (json!({ "htu": "https://pay.example.com/app/v1/codes?x=1" }), "htu is"),
            (json!({ "htu": "https://pay.example.com/app/v1/codes#x" }), "htu is"),
            (json!({ "htu": "https://pay.example.com:8443/app/v1/codes" }), "htu is"),
            (json!({ "htu": "https://u@pay.example.com/app/v1/codes" }), "htu is"),
            (json!({ "htu": "https://thief.example/app/v1/codes" }), "htu is"),
            (json!({ "htu": "ftp://pay.example.com/app/v1/codes" }), "htu is"),
            (json!({ "htu": "/app/v1/codes" }), "htu is"),
            (json!({ "htu": "pay.example.com/app/v1/codes" }), "htu is"),
            (json!({ "htu": "" }), "htu is"),
            (json!({ "jti": "" }), "jti is"),
            (json!({ "jti": "x".repeat(129) }), "jti is"),
            (json!({ "jti": 7 }), "signed by"),
            (json!({ "ath": hash(b"another token") }), "ath is"),
            (json!({ "ath": null }), "signed by"),
        ];
        let phone = Phone::ed25519();
        for (changes, rule) in cases {
            let refused = verify(&phone.prove(&none(), &changes), &ASKED, TOKEN, &phone.jkt, NOW).unwrap_err();
            assert_eq!(refused.code, Code::DeviceProofInvalid, "{changes}");
            assert!(refused.rule.unwrap().starts_with(rule), "{changes}: {:?}", refused.rule);
        }
    }

    #[test]
    fn the_usual_port_and_the_letter_case_of_a_host_do_not_matter() {
        let phone = Phone::ed25519();
        let cases = [
            ("https://PAY.example.com/app/v1/codes", "pay.example.com", true),
            ("https://pay.example.com:443/app/v1/codes", "pay.example.com", true),
            ("https://pay.example.com/app/v1/codes", "Pay.Example.com:443", true),
            ("http://127.0.0.1:8080/app/v1/codes", "127.0.0.1:8080", true),
            ("http://pay.example.com/app/v1/codes", "pay.example.com:80", true),
            ("https://pay.example.com/app/v1/codes", "pay.example.com:80", false),
            ("https://pay.example.com:80/app/v1/codes", "pay.example.com", false),
        ];
        for (htu, authority, expected) in cases {
            let proof = phone.prove(&none(), &json!({ "htu": htu }));
            let judged = verify(&proof, &Asked { authority, ..ASKED }, TOKEN, &phone.jkt, NOW);
            assert_eq!(judged.is_ok(), expected, "{htu} at {authority}");
        }
    }

    #[test]
    fn a_proof_passes_for_sixty_seconds_around_its_making() {
        let phone = Phone::es256();
        for (seconds, expected) in [(-61, false), (-60, true), (0, true), (60, true), (61, false)] {
            let proof = phone.prove(&none(), &json!({ "iat": NOW.unix_seconds() + seconds }));
            let judged = verify(&proof, &ASKED, TOKEN, &phone.jkt, NOW);
            assert_eq!(judged.is_ok(), expected, "{seconds}");
            if let Err(problem) = judged {
                assert_eq!(problem.facts["server_time"], json!(NOW.unix_seconds()));
            }
        }
        for iat in [json!(i64::MAX), json!(i64::MIN), json!("now"), json!(1.5)] {
            assert!(
                verify(
                    &phone.prove(&none(), &json!({ "iat": iat })),
                    &ASKED,
                    TOKEN,
                    &phone.jkt,
                    NOW
                )
                .is_err()
            );
        }
    }

    #[test]
    fn a_header_that_is_not_quite_right_is_refused() {
        let phone = Phone::es256();
        let jwk = |changes: Value| json!({ "jwk": changed(phone.jwk.clone(), &changes) });
        let cases = [
            json!({ "typ": "JWT" }),
            json!({ "typ": null }),
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "EdDSA" }),
            json!({ "alg": "ES384" }),
            json!({ "jwk": null }),
            json!({ "crit": ["exp"] }),
            jwk(json!({ "d": "c2VjcmV0" })),
            jwk(json!({ "kty": "OKP" })),
            jwk(json!({ "crv": "P-384" })),
            jwk(json!({ "y": null })),
            jwk(json!({ "x": "AAAA" })),
            jwk(json!({ "y": phone.jwk["x"] })),
            json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0" } }),
        ];
        for header in cases {
            let judged = verify(&phone.prove(&header, &none()), &ASKED, TOKEN, &phone.jkt, NOW);
            assert_eq!(judged.unwrap_err().code, Code::DeviceProofInvalid, "{header}");
        }
    }

    #[test]
    fn only_the_key_that_the_token_is_bound_to_proves_anything() {
        let (phone, thief) = (Phone::es256(), Phone::es256());
        let own = thief.prove(&none(), &none());
        assert!(verify(&own, &ASKED, TOKEN, &thief.jkt, NOW).is_ok());
        let with_our_key = thief.prove(&json!({ "jwk": phone.jwk }), &none());
        let genuine = phone.prove(&none(), &none());
        let (message, signature) = genuine.rsplit_once('.').unwrap();
        let (head, body) = message.split_once('.').unwrap();
        let other_body = URL_SAFE_NO_PAD.encode(json!({ "htm": "POST" }).to_string());
        let forgeries = [
            own,
            with_our_key,
            format!("{message}."),
            message.to_owned(),
            head.to_owned(),
            format!("{head}.{other_body}.{signature}"),
            format!(
                "{head}.{body}.{}",
                thief.prove(&none(), &none()).rsplit_once('.').unwrap().1
            ),
            format!("{genuine}{}", "A".repeat(PROOF_MAX)),
            String::new(),
            "..".to_owned(),
            "中文.e30.".to_owned(),
        ];
        for forged in forgeries {
            let judged = verify(&forged, &ASKED, TOKEN, &phone.jkt, NOW);
            assert_eq!(judged.unwrap_err().code, Code::DeviceProofInvalid, "{forged}");
        }
    }

    #[test]
    fn the_proof_is_taken_from_one_header() {
        let cases: [(&[&str], Result<&str, Code>); 4] = [
            (&["a.b.c"], Ok("a.b.c")),
            (&[], Err(Code::DeviceProofMissing)),
            (&["a.b.c", "d.e.f"], Err(Code::DeviceProofInvalid)),
            (&["\u{e9}"], Err(Code::DeviceProofInvalid)),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("DPoP", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            assert_eq!(header(&headers).map_err(|problem| problem.code), expected, "{values:?}");
        }
    }
}
