//! Proving that an address is the merchant's: it answers a question that nobody else was asked.

use serde_json::{Value, json};

use super::endpoint::{held, save};
use super::{Endpoint, EndpointState, deliver, keys};
use crate::engine::Engine;
use crate::id::MchId;
use crate::problem::{Code, Problem};
use crate::store;

/// The question's kind.
const CHALLENGE: &str = "endpoint.challenge";

/// Asks the endpoint to repeat a random text, and has it told from then on. Also one that was switched off, or that was gone.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`; `ENDPOINT_UNPROVEN` with what went wrong.
pub async fn prove(engine: &Engine, mch_id: &MchId, endpoint_id: &str) -> Result<Endpoint, Problem> {
    let found = store::endpoint::find(engine.db.write(), mch_id, endpoint_id).await?;
    let asked = found.ok_or_else(|| Problem::new(Code::EndpointNotFound))?;
    let now = engine.clock.now();
    let keys = keys::live(engine, endpoint_id, &asked.keys_sealed, now)?;
    let challenge = engine.random.letters(32, b"0123456789abcdefghijklmnopqrstuvwxyz");
    let id = format!("{endpoint_id}-{challenge}");
    let body = json!({
        "type": CHALLENGE,
        "timestamp": now.in_china().to_rfc3339(),
        "mch_id": mch_id,
        "data": { "challenge": challenge },
    });
    let call = deliver::signed_call(&asked.url, &keys, (&id, now), body.to_string())?;
    let unproven = |why: &str| Problem::new(Code::EndpointUnproven).fact("reason", why);
    let answer = engine
        .courier
        .bring(call)
        .await
        .map_err(|failure| unproven(failure.word))?;
    if answer.status != 200 {
        return Err(unproven("HTTP_STATUS").fact("status", answer.status));
    }
    let repeated = serde_json::from_slice::<Value>(&answer.body).ok();
    if repeated.is_none_or(|repeated| repeated["challenge"] != challenge.as_str()) {
        return Err(unproven("CHALLENGE_NOT_REPEATED"));
    }
    let (tx, mut endpoint) = held(engine, mch_id, endpoint_id).await?;
    if endpoint.url != asked.url {
        // It is another address by now.
        return Err(unproven("URL_CHANGED"));
    }
    if endpoint.state == EndpointState::Active {
        store::delivery::release(&tx, endpoint_id, now).await?;
    } else {
        // While it was told nothing, nothing was refused.
        store::delivery::begin_anew(&tx, endpoint_id, now).await?;
    }
    endpoint.state = EndpointState::Active;
    endpoint.failures = 0;
    endpoint.next_at = store::delivery::next_at(&tx, endpoint_id).await?;
    save(engine, tx, endpoint).await
}
