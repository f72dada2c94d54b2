//! The keys of an endpoint: a shared secret and an Ed25519 pair, and for a while those before them.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::engine::Engine;
use crate::problem::Problem;
use crate::secret::Secret;
use crate::signing::{WebhookKey, webhook_pair, webhook_secret};
use crate::vault::{Place, Purpose};

/// Sets of keys that sign at the same time: each makes two signatures.
const SETS_MAX: usize = 3;

/// One set, as it is sealed.
#[derive(Clone, Serialize, Deserialize)]
struct KeySet {
    /// `whsec_…`.
    secret: String,
    /// `whsk_…`.
    private: String,
    /// Until when it signs; for ever where there is nothing.
    retires_at: Option<Time>,
}

/// What the merchant keeps of a new set. It is shown once.
#[derive(Debug, Clone)]
pub(super) struct MadeKeys {
    /// The shared secret, `whsec_…`.
    pub secret: Secret,
    /// The public key, `whpk_…`.
    pub public_key: String,
}

/// New keys beside those that are there, which sign on until then; sealed.
pub(super) fn with_new(
    engine: &Engine,
    endpoint_id: &str,
    before: Option<&str>,
    retires_at: Time,
) -> Result<(String, MadeKeys), Problem> {
    let now = engine.clock.now();
    let mut sets = match before {
        Some(sealed) => read(engine, endpoint_id, sealed)?,
        None => Vec::new(),
    };
    sets.retain(|set| set.retires_at.is_none_or(|at| at > now));
    for set in &mut sets {
        set.retires_at = Some(set.retires_at.map_or(retires_at, |at| at.min(retires_at)));
    }
    let secret = webhook_secret(&*engine.random);
    let (private, public_key) = webhook_pair()?;
    sets.insert(
        0,
        KeySet {
            secret: secret.expose().to_owned(),
            private: private.expose().to_owned(),
            retires_at: None,
        },
    );
    sets.truncate(SETS_MAX);
    let text = serde_json::to_string(&sets).map_err(Problem::fault)?;
    let sealed = engine.seal(Purpose::MerchantSecret, place(endpoint_id), &text)?;
    Ok((sealed, MadeKeys { secret, public_key }))
}

/// The keys that sign at this moment.
pub(super) fn live(engine: &Engine, endpoint_id: &str, sealed: &str, now: Time) -> Result<Vec<WebhookKey>, Problem> {
    let mut keys = Vec::new();
    for set in read(engine, endpoint_id, sealed)? {
        if set.retires_at.is_none_or(|at| at > now) {
            for text in [set.secret, set.private] {
                keys.push(WebhookKey::parse(&Secret::from(text)).map_err(Problem::fault)?);
            }
        }
    }
    Ok(keys)
}

fn read(engine: &Engine, endpoint_id: &str, sealed: &str) -> Result<Vec<KeySet>, Problem> {
    let text = engine.unseal(place(endpoint_id), sealed)?;
    serde_json::from_str(&text).map_err(Problem::fault)
}

fn place(endpoint_id: &str) -> Place<'_> {
    Place {
        table: "endpoint",
        column: "keys_sealed",
        row: endpoint_id,
    }
}
