//! Signatures of notices to merchants, by the Standard Webhooks form: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
//!
//! The text that is signed is `{id}.{timestamp}.{body}`. A key is a text that says by its prefix what it is: `whsec_` (shared,
//! HMAC-SHA256, signs `v1`), `whsk_` (Ed25519 private key, signs `v1a`), `whpk_` (its public half). While keys are exchanged,
//! a notice carries one signature of each, and one that fits is enough.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::clock::Time;
use crate::problem::Problem;
use crate::random::Random;
use crate::secret::Secret;

/// The header with the notice's number: the same at each repetition.
pub const WEBHOOK_ID: &str = "webhook-id";
/// The header with the time of this attempt, in Unix seconds.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// How far a receiver should let the timestamp stand from his time.
pub const WEBHOOK_TOLERANCE: Duration = Duration::from_secs(300);
/// Signatures of one notice at most: the keys of an endpoint, old ones included.
pub const WEBHOOK_SIGNATURES_MAX: usize = 8;

const SHARED: &str = "whsec_";
const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";
/// Bytes of a shared key.
const SHARED_LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
/// Bytes of the seed and of the public half of an Ed25519 key.
const EDWARDS_LENGTH: usize = 32;
/// Letters of a key's Base64 at most.
const MATERIAL_MAX: usize = 128;
/// Letters of a notice's number at most.
const ID_MAX: usize = 64;
/// Letters of the signatures' header at most that a receiver reads.
const HEADER_MAX: usize = 4096;

/// Why a text is no key. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookKeyRefused {
    /// It begins with none of the prefixes that fit here.
    #[error("a key that signs begins with whsec_ or whsk_, one that verifies with whsec_ or whpk_")]
    Prefix,
    /// What follows is no Base64 with padding.
    #[error("what follows the prefix is no Base64")]
    Base64,
    /// A shared key has 24 to 64 bytes, half of an Ed25519 key 32.
    #[error("a shared key has 24 to 64 bytes, an Ed25519 key 32, or 64 with its public half")]
    Length,
    /// The two halves of an Ed25519 key do not belong together.
    #[error("the halves of the key do not belong together")]
    Pair,
}

/// Why a notice is not signed.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// A number is 1 to 64 of `[0-9A-Za-z_-]`: a dot in it would let one text mean two notices.
    #[error("the number of a notice is 1 to 64 of [0-9A-Za-z_-]")]
    Id,
    /// No key, or more than [`WEBHOOK_SIGNATURES_MAX`].
    #[error("an endpoint has 1 to {WEBHOOK_SIGNATURES_MAX} keys")]
    Keys,
    /// A fault of the cryptographic library.
    #[error("a fault while signing")]
    Fault(#[source] Box<Problem>),
}

/// The headers of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookHeaders {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`: one for each key, with a blank between them.
    pub signature: String,
}

impl WebhookHeaders {
    /// Names and values.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [
            (WEBHOOK_ID, &self.id),
            (WEBHOOK_TIMESTAMP, &self.timestamp),
            (WEBHOOK_SIGNATURE, &self.signature),
        ]
    }
}

/// A key that signs notices, parsed once.
pub struct WebhookKey(Key);

enum Key {
    Shared(Box<hmac::Key>),
    Private(Box<Ed25519KeyPair>),
}

impl WebhookKey {
    /// Reads a stored key: `whsec_…` or `whsk_…`, the latter as the seed alone or followed by the public half.
    ///
    /// # Errors
    /// [`WebhookKeyRefused`].
    pub fn parse(text: &Secret) -> Result<Self, WebhookKeyRefused> {
        let text = text.expose();
        if let Some(material) = text.strip_prefix(SHARED) {
            return Ok(Self(Key::Shared(Box::new(shared(material)?))));
        }
        let material = text.strip_prefix(PRIVATE).ok_or(WebhookKeyRefused::Prefix)?;
        let bytes = decode(material)?;
        let pair = match bytes.split_at_checked(EDWARDS_LENGTH) {
            Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
            Some((seed, public)) if public.len() == EDWARDS_LENGTH => {
                Ed25519KeyPair::from_seed_and_public_key(seed, public)
            }
            _ => return Err(WebhookKeyRefused::Length),
        };
        let pair = pair.map_err(|_| WebhookKeyRefused::Pair)?;
        Ok(Self(Key::Private(Box::new(pair))))
    }

    /// The public half, as it is shown to the merchant: `whpk_…`; a shared key has none.
    pub fn public(&self) -> Option<String> {
        match &self.0 {
            Key::Shared(_) => None,
            Key::Private(pair) => Some(format!("{PUBLIC}{}", STANDARD.encode(pair.public_key()))),
        }
    }

    fn sign(&self, text: &[u8]) -> Result<String, Problem> {
        Ok(match &self.0 {
            Key::Shared(key) => format!("v1,{}", STANDARD.encode(hmac::sign(key, text))),
            Key::Private(pair) => format!(
                "v1a,{}",
                STANDARD.encode(pair.try_sign(text).map_err(Problem::fault)?.as_ref())
            ),
        })
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Key::Shared(_) => "WebhookKey(v1)",
            Key::Private(_) => "WebhookKey(v1a)",
        })
    }
}

/// Signs an attempt to deliver a notice with each of these keys.
///
/// # Errors
/// [`NotSigned`].
pub fn sign_webhook(keys: &[WebhookKey], id: &str, at: Time, body: &[u8]) -> Result<WebhookHeaders, NotSigned> {
    if !is_id(id) {
        return Err(NotSigned::Id);
    }
    if keys.is_empty() || keys.len() > WEBHOOK_SIGNATURES_MAX {
        return Err(NotSigned::Keys);
    }
    let timestamp = at.unix_seconds().to_string();
    let text = signed_text(id, &timestamp, body);
    let signatures = keys.iter().map(|key| key.sign(&text)).collect::<Result<Vec<_>, _>>();
    let signatures = signatures.map_err(|problem| NotSigned::Fault(Box::new(problem)))?;
    Ok(WebhookHeaders {
        id: id.to_owned(),
        timestamp,
        signature: signatures.join(" "),
    })
}

/// A key that verifies notices: what a receiver holds.
#[derive(Clone)]
pub struct WebhookVerifyingKey(Verifying);

#[derive(Clone)]
enum Verifying {
    Shared(Box<hmac::Key>),
    Public(UnparsedPublicKey<Vec<u8>>),
}

impl WebhookVerifyingKey {
    /// Reads `whsec_…` or `whpk_…`.
    ///
    /// # Errors
    /// [`WebhookKeyRefused`].
    pub fn parse(text: &Secret) -> Result<Self, WebhookKeyRefused> {
        let text = text.expose();
        if let Some(material) = text.strip_prefix(SHARED) {
            return Ok(Self(Verifying::Shared(Box::new(shared(material)?))));
        }
        let material = text.strip_prefix(PUBLIC).ok_or(WebhookKeyRefused::Prefix)?;
        let bytes = decode(material)?;
        if bytes.len() != EDWARDS_LENGTH {
            return Err(WebhookKeyRefused::Length);
        }
        Ok(Self(Verifying::Public(UnparsedPublicKey::new(
            &ED25519,
            bytes.to_vec(),
        ))))
    }

    /// Whether one of the signatures, by version and value, is this key's. A version that is not this key's is passed over:
    /// that is how a later one can be introduced.
    fn fits(&self, version: &str, signature: &[u8], text: &[u8]) -> bool {
        match &self.0 {
            Verifying::Shared(key) => version == "v1" && hmac::verify(key, text, signature).is_ok(),
            Verifying::Public(key) => version == "v1a" && key.verify(text, signature).is_ok(),
        }
    }
}

impl fmt::Debug for WebhookVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Verifying::Shared(_) => "WebhookVerifyingKey(v1)",
            Verifying::Public(_) => "WebhookVerifyingKey(v1a)",
        })
    }
}

/// Why a notice is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefused {
    /// A header is not of its form.
    #[error("a header of the notice is not of its form")]
    Malformed,
    /// The attempt is older or newer than the tolerance.
    #[error("the notice is not of our time")]
    Time,
    /// No signature is of one of the keys.
    #[error("no signature of the notice fits")]
    Signature,
}

/// Verifies a notice as its receiver does: over the raw body, before anything of it is read. Its number is to be remembered
/// for longer than the tolerance, because a notice may come twice.
///
/// # Errors
/// [`WebhookRefused`].
pub fn verify_webhook(
    keys: &[WebhookVerifyingKey],
    headers: &WebhookHeaders,
    body: &[u8],
    now: Time,
    tolerance: Duration,
) -> Result<(), WebhookRefused> {
    let at = seconds(&headers.timestamp).filter(|_| is_id(&headers.id) && headers.signature.len() <= HEADER_MAX);
    let at = at.ok_or(WebhookRefused::Malformed)?;
    if at.abs_diff(now.unix_seconds()) > tolerance.as_secs() {
        return Err(WebhookRefused::Time);
    }
    let text = signed_text(&headers.id, &headers.timestamp, body);
    let signatures = headers.signature.split(' ').take(WEBHOOK_SIGNATURES_MAX);
    let mut signatures = signatures.filter_map(|signature| {
        let (version, value) = signature.split_once(',')?;
        Some((version, STANDARD.decode(value).ok()?))
    });
    let fits = signatures.any(|(version, value)| keys.iter().any(|key| key.fits(version, &value, &text)));
    if fits { Ok(()) } else { Err(WebhookRefused::Signature) }
}

/// A new shared key: `whsec_` and 32 bytes.
pub fn webhook_secret(random: &dyn Random) -> Secret {
    let mut bytes = Zeroizing::new([0u8; 32]);
    random.fill(&mut *bytes);
    written(SHARED, &*bytes)
}

/// A new Ed25519 key: the private one (`whsk_`), and the public one (`whpk_`).
///
/// # Errors
/// A fault of the cryptographic library.
pub fn webhook_pair() -> Result<(Secret, String), Problem> {
    let pair = Ed25519KeyPair::generate().map_err(Problem::fault)?;
    let seed = pair.seed().map_err(Problem::fault)?;
    let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(Problem::fault)?;
    let public = format!("{PUBLIC}{}", STANDARD.encode(pair.public_key()));
    Ok((written(PRIVATE, seed.as_ref()), public))
}

fn written(prefix: &str, bytes: &[u8]) -> Secret {
    let encoded = Zeroizing::new(STANDARD.encode(bytes));
    let text = Zeroizing::new(format!("{prefix}{}", encoded.as_str()));
    Secret::from(text.as_str())
}

fn decode(material: &str) -> Result<Zeroizing<Vec<u8>>, WebhookKeyRefused> {
    if material.len() > MATERIAL_MAX {
        return Err(WebhookKeyRefused::Length);
    }
    let bytes = STANDARD.decode(material).map_err(|_| WebhookKeyRefused::Base64)?;
    Ok(Zeroizing::new(bytes))
}

fn shared(material: &str) -> Result<hmac::Key, WebhookKeyRefused> {
    let bytes = decode(material)?;
    if SHARED_LENGTH.contains(&bytes.len()) {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    } else {
        Err(WebhookKeyRefused::Length)
    }
}

fn signed_text(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

fn is_id(id: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=ID_MAX).contains(&id.len()) && id.bytes().all(letter)
}

/// Unix seconds, written in one way only.
fn seconds(text: &str) -> Option<i64> {
    let plain = (1..=12).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
