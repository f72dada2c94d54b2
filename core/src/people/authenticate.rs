//! Who signed a request: nothing else is read from it before that is proven.

use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Time;
use crate::engine::Engine;
use crate::id::{MchId, Serial};
use crate::limit;
use crate::merchant::{Credential, Standing};
use crate::once::Memory;
use crate::problem::{Code, Problem};
use crate::signing::{Algorithm, Answer, Authorization, Request, SigningKey, VerifyingKey};

use super::keys::PlatformKeys;
use super::register::open_credential;

/// A till whose request was verified.
#[derive(Debug, Clone)]
pub struct Till {
    /// Its merchant.
    pub mch_id: MchId,
    /// The key that it used.
    pub serial: Serial,
    nonce: String,
}

impl Till {
    /// Keeps the request's nonce in the database, whatever else remembers it: it was refused, and must be if it is sent again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_nonce(&self, engine: &Engine) -> Result<(), Problem> {
        let until = engine.clock.now().plus(limit::NONCE_KEPT);
        Ok(engine.once.keep(self.serial.as_str(), &self.nonce, until).await?)
    }
}

/// With what the answer is signed: from the moment the request's own signature was right.
pub struct Signature {
    nonce: String,
    serial: Serial,
    key: AnswerKey,
}

enum AnswerKey {
    /// The merchant's own secret.
    Shared(SigningKey),
    /// The platform's key of this kind.
    Platform(Algorithm),
}

/// The headers of a signed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `Metropay-Serial`.
    pub serial: String,
    /// `Metropay-Timestamp`.
    pub timestamp: String,
    /// `Metropay-Nonce`.
    pub nonce: String,
    /// `Metropay-Signature`.
    pub signature: String,
}

impl Signature {
    /// Signs an answer.
    ///
    /// # Errors
    /// When the key refuses, which is a fault of ours.
    pub fn sign(&self, keys: &PlatformKeys, status: u16, body: &[u8], now: Time) -> Result<SignedHeaders, Problem> {
        let timestamp = now.unix_seconds();
        let text = Answer {
            status,
            timestamp,
            nonce: &self.nonce,
            body,
        }
        .text();
        let (serial, signature) = match &self.key {
            AnswerKey::Shared(key) => (&self.serial, key.sign(text.as_bytes())?),
            AnswerKey::Platform(algorithm) => {
                let (serial, key) = keys.of(*algorithm)?;
                (serial, key.sign(text.as_bytes())?)
            }
        };
        Ok(SignedHeaders {
            serial: serial.0.clone(),
            timestamp: timestamp.to_string(),
            nonce: self.nonce.clone(),
            signature,
        })
    }
}

/// Verifies a request: key, signature, time, nonce, merchant and address, in this order. The first part tells what the answer is signed with, as
/// soon as the signature was right; the second who it is. How well the nonce must be remembered depends on what is asked.
pub async fn authenticate(
    engine: &Engine,
    header: &Authorization,
    request: &Request<'_>,
    client: Option<IpAddr>,
    memory: Memory,
) -> (Option<Signature>, Result<Till, Problem>) {
    let known = match known_key(engine, header).await {
        Ok(known) => known,
        Err(problem) => return (None, Err(problem)),
    };
    let Some((credential, key, signature)) = known else {
        // An unknown key must not be told apart from a wrong signature, by words or by time.
        burn(header, request);
        return (None, Err(Problem::new(Code::SignInvalid)));
    };
    if let Err(problem) = header.verify(&key, request) {
        return (None, Err(problem));
    }
    let till = admit(engine, header, &credential, client, memory).await;
    (Some(signature), till)
}

type Known = (Arc<Credential>, VerifyingKey, Signature);

async fn known_key(engine: &Engine, header: &Authorization) -> Result<Option<Known>, Problem> {
    let credential = engine.directory.credential(&header.serial).await?;
    let Some(credential) = credential.filter(|credential| credential.mch_id == header.mch_id) else {
        return Ok(None);
    };
    let (key, secret) = open_credential(engine, &credential)?;
    let answer = match secret {
        Some(secret) => AnswerKey::Shared(SigningKey::parse(key.algorithm(), &secret).map_err(Problem::fault)?),
        None => AnswerKey::Platform(key.algorithm()),
    };
    let signature = Signature {
        nonce: header.nonce.clone(),
        serial: credential.serial.clone(),
        key: answer,
    };
    Ok(Some((credential, key, signature)))
}

/// Verifies against a key that fits nothing, so that both refusals cost the same.
fn burn(header: &Authorization, request: &Request<'_>) {
    if let Ok(key) = VerifyingKey::parse(Algorithm::HmacSha256, "no-such-key-no-such-key-no-such-key") {
        let _ = header.verify(&key, request);
    }
}

/// The signature is right: is the key still good, the request of our time, and new?
async fn admit(
    engine: &Engine,
    header: &Authorization,
    credential: &Credential,
    client: Option<IpAddr>,
    memory: Memory,
) -> Result<Till, Problem> {
    let now = engine.clock.now();
    if credential.status != Standing::Active {
        return Err(Problem::new(Code::CertRevoked));
    }
    if credential.valid_from > now || credential.valid_until.is_some_and(|until| until <= now) {
        return Err(Problem::new(Code::CertExpired));
    }
    header.in_window(now)?;
    let until = now.plus(limit::NONCE_KEPT);
    let scope = header.serial.as_str();
    if !engine.once.use_once(memory, scope, &header.nonce, now, until).await? {
        return Err(Problem::new(Code::NonceReplayed));
    }
    let till = Till {
        mch_id: header.mch_id.clone(),
        serial: header.serial.clone(),
        nonce: header.nonce.clone(),
    };
    let shop = engine.directory.merchant(&header.mch_id).await?;
    let shop = shop.filter(|shop| shop.merchant.status == Standing::Active);
    let refused = match shop {
        None => Code::MerchantDisabled,
        Some(shop) if !shop.may_call_from(client) => Code::IpNotAllowed,
        Some(_) => return Ok(till),
    };
    till.keep_nonce(engine).await?;
    Err(Problem::new(refused))
}
