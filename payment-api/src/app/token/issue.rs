//! Issuing of tokens in place of the App's server: for demonstrations and tests.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use metropay_core::problem::Problem;
use metropay_core::random::Random;
use metropay_core::secret::Secret;
use pem::{EncodeConfig, LineEnding, Pem};
use serde_json::json;

use super::{AppIssuer, TokenClaims};

/// A fresh Ed25519 key pair for signing tokens.
#[derive(Debug)]
pub struct KeyPair {
    /// PKCS#8 in PEM; stays with the issuer.
    pub private_key_pem: Secret,
    /// SubjectPublicKeyInfo in PEM; goes into [`AppKey::public_key_pem`].
    pub public_key_pem: String,
}

impl KeyPair {
    /// Makes a key pair.
    ///
    /// # Errors
    /// A fault, when the cryptographic library refuses.
    pub fn generate(random: &dyn Random) -> Result<Self, Problem> {
        let mut seed = [0u8; 32];
        random.fill(&mut seed);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(Problem::fault)?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(Problem::fault)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(Problem::fault)?;
        let text = |tag, der: &[u8]| {
            let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
            pem::encode_config(&Pem::new(tag, der), config)
        };
        Ok(Self {
            private_key_pem: Secret::from(text("PRIVATE KEY", private.as_ref())),
            public_key_pem: text("PUBLIC KEY", public.as_ref()),
        })
    }
}

/// Issues tokens, in place of the App's server: for demonstrations and tests.
pub struct TokenIssuer {
    issuer: String,
    audience: String,
    header: Header,
    key: EncodingKey,
}

impl TokenIssuer {
    /// An issuer with this Ed25519 private key; `kid` names it in the tokens.
    ///
    /// # Errors
    /// A fault, when the key is no Ed25519 key in PKCS#8 PEM.
    pub fn new(issuer: &AppIssuer, kid: Option<&str>, private_key_pem: &Secret) -> Result<Self, Problem> {
        let key = EncodingKey::from_ed_pem(private_key_pem.expose().as_bytes()).map_err(Problem::fault)?;
        let header = Header {
            kid: kid.map(str::to_owned),
            ..Header::new(Algorithm::EdDSA)
        };
        Ok(Self {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            header,
            key,
        })
    }

    /// An issuer with a secret that the platform has too (HS256).
    pub fn sharing(issuer: &AppIssuer, kid: Option<&str>, secret: &Secret) -> Self {
        Self {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            header: Header {
                kid: kid.map(str::to_owned),
                ..Header::new(Algorithm::HS256)
            },
            key: EncodingKey::from_secret(secret.expose().as_bytes()),
        }
    }

    /// Signs the claims as they are; whether they make a valid token is for the verifier to say.
    ///
    /// # Errors
    /// A fault, when the key cannot sign.
    pub fn issue(&self, claims: &TokenClaims) -> Result<String, Problem> {
        let mut wire = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": claims.uid,
            "iat": claims.issued_at.unix_seconds(),
            "exp": claims.expires_at.unix_seconds(),
            "jti": claims.jti,
        });
        if let Some(phone) = &claims.phone_number {
            wire["phone_number"] = json!(phone.expose());
            wire["phone_number_verified"] = json!(claims.phone_number_verified);
        }
        if let Some(jkt) = &claims.jkt {
            wire["cnf"] = json!({ "jkt": jkt });
        }
        jsonwebtoken::encode(&self.header, &wire, &self.key).map_err(Problem::fault)
    }
}
