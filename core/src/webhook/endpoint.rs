//! A merchant's endpoints: made, changed, switched off, given new keys, removed.

use std::time::Duration;

use super::keys::{self, MadeKeys};
use super::schedule::RESTS_FROM;
use crate::engine::Engine;
use crate::id::MchId;
use crate::outbox::OwedKind;
use crate::problem::{Code, Problem};
use crate::store::endpoint::EndpointState;
pub use crate::store::endpoint::Model as Endpoint;
use crate::store::{self, Tx};

/// Endpoints of one merchant at most.
pub const ENDPOINTS_MAX: usize = 16;
/// How long old keys sign beside new ones at most.
const OVERLAP_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Everything.
const ALL_KINDS: &str = "*";
/// Characters of a description at most.
const DESCRIPTION_MAX: usize = 64;

/// An endpoint to make.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Its address.
    pub url: String,
    /// What the merchant calls it.
    pub description: String,
    /// What it wants to be told; none means everything.
    pub kinds: Vec<String>,
}

/// What is to be different; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The address. A new one must be proven again.
    pub url: Option<String>,
    /// What the merchant calls it.
    pub description: Option<String>,
    /// What it wants to be told; none means everything.
    pub kinds: Option<Vec<String>>,
}

/// An endpoint that was made, or given new keys.
#[derive(Debug, Clone)]
pub struct MadeEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The shared secret, `whsec_…`: shown once.
    pub secret: crate::secret::Secret,
    /// The public key, `whpk_…`.
    pub public_key: String,
}

impl Endpoint {
    /// What it wants to be told; `*` for everything.
    pub fn wanted(&self) -> Vec<String> {
        serde_json::from_str(&self.kinds).unwrap_or_default()
    }

    /// Whether it wants to be told this.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.wanted().iter().any(|wanted| wanted == ALL_KINDS || wanted == kind)
    }
}

/// Makes an endpoint. It is told nothing before it is proven.
///
/// # Errors
/// `PARAM_INVALID` with the field; `ENDPOINT_LIMIT`.
pub async fn create(engine: &Engine, mch_id: &MchId, new: NewEndpoint) -> Result<MadeEndpoint, Problem> {
    check_url(engine, &new.url)?;
    let now = engine.clock.now();
    let endpoint_id = format!("WH{}", engine.random.letters(20, b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"));
    let (keys_sealed, made) = keys::with_new(engine, &endpoint_id, None, now)?;
    let endpoint = Endpoint {
        endpoint_id,
        mch_id: mch_id.clone(),
        url: new.url,
        description: checked_description(new.description)?,
        kinds: checked_kinds(&new.kinds)?,
        state: EndpointState::Unproven,
        keys_sealed,
        failures: 0,
        next_at: None,
        busy_until: None,
        created_at: now,
        updated_at: now,
    };
    let tx = engine.db.begin().await?;
    store::endpoint::put(&tx, endpoint.clone()).await?;
    // Counted behind the write, which has made this transaction the only one where there is one writer.
    if store::endpoint::of_merchant(&tx, mch_id).await?.len() > ENDPOINTS_MAX {
        return Err(Problem::new(Code::EndpointLimit).fact("endpoints_max", ENDPOINTS_MAX));
    }
    tx.commit().await?;
    Ok(with_keys(endpoint, made))
}

fn with_keys(endpoint: Endpoint, made: MadeKeys) -> MadeEndpoint {
    MadeEndpoint {
        endpoint,
        secret: made.secret,
        public_key: made.public_key,
    }
}

/// The merchant's endpoints, the oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(engine: &Engine, mch_id: &MchId) -> Result<Vec<Endpoint>, Problem> {
    Ok(store::endpoint::of_merchant(engine.db.read(), mch_id).await?)
}

/// By which words endpoints are counted, and how many there are of each.
pub(crate) struct Standing(pub [(&'static str, i64); 5]);

impl Standing {
    /// The words alone.
    pub(crate) const WORDS: [&'static str; 5] = ["active", "resting", "unproven", "disabled", "gone"];
}

/// How all merchants' endpoints stand: one that rests is active, and is told little until it takes something again.
pub(crate) async fn standing(engine: &Engine) -> Result<Standing, Problem> {
    let mut standing = Standing::WORDS.map(|word| (word, 0_i64));
    for (state, fails, many) in store::endpoint::count(engine.db.read(), RESTS_FROM).await? {
        let word = match (state, fails) {
            (EndpointState::Active, false) => "active",
            (EndpointState::Active, true) => "resting",
            (EndpointState::Unproven, _) => "unproven",
            (EndpointState::Disabled, _) => "disabled",
            (EndpointState::Gone, _) => "gone",
        };
        for (_, counted) in standing.iter_mut().filter(|(counted, _)| *counted == word) {
            *counted = counted.saturating_add(many);
        }
    }
    Ok(Standing(standing))
}

/// Changes an endpoint.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`; `PARAM_INVALID` with the field.
pub async fn change(engine: &Engine, mch_id: &MchId, endpoint_id: &str, changes: Changes) -> Result<Endpoint, Problem> {
    if let Some(url) = &changes.url {
        check_url(engine, url)?;
    }
    let kinds = changes.kinds.as_deref().map(checked_kinds).transpose()?;
    let description = changes.description.map(checked_description).transpose()?;
    let (tx, mut endpoint) = held(engine, mch_id, endpoint_id).await?;
    if let Some(url) = changes.url.filter(|url| *url != endpoint.url) {
        endpoint.url = url;
        endpoint.state = EndpointState::Unproven;
    }
    endpoint.kinds = kinds.unwrap_or(endpoint.kinds);
    endpoint.description = description.unwrap_or(endpoint.description);
    save(engine, tx, endpoint).await
}

/// Switches an endpoint off. What is owed to it waits until it is proven again.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`.
pub async fn disable(engine: &Engine, mch_id: &MchId, endpoint_id: &str) -> Result<Endpoint, Problem> {
    let (tx, mut endpoint) = held(engine, mch_id, endpoint_id).await?;
    endpoint.state = EndpointState::Disabled;
    save(engine, tx, endpoint).await
}

/// Gives an endpoint new keys. The old ones sign beside them for so long, so that nothing is lost while they are exchanged.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`; `PARAM_INVALID` for more than seven days.
pub async fn rotate(
    engine: &Engine,
    mch_id: &MchId,
    endpoint_id: &str,
    overlap: Duration,
) -> Result<MadeEndpoint, Problem> {
    if overlap > OVERLAP_MAX {
        return Err(Problem::invalid("overlap_s", "0–604800 秒"));
    }
    let (tx, mut endpoint) = held(engine, mch_id, endpoint_id).await?;
    let retires_at = engine.clock.now().plus(overlap);
    let (sealed, made) = keys::with_new(engine, endpoint_id, Some(&endpoint.keys_sealed), retires_at)?;
    endpoint.keys_sealed = sealed;
    Ok(with_keys(save(engine, tx, endpoint).await?, made))
}

/// Removes an endpoint, and what was owed to it.
///
/// # Errors
/// `ENDPOINT_NOT_FOUND`.
pub async fn remove(engine: &Engine, mch_id: &MchId, endpoint_id: &str) -> Result<(), Problem> {
    let (tx, _) = held(engine, mch_id, endpoint_id).await?;
    store::delivery::remove(&tx, endpoint_id).await?;
    store::endpoint::remove(&tx, endpoint_id).await?;
    Ok(tx.commit().await?)
}

/// The merchant's endpoint, held.
pub(super) async fn held(engine: &Engine, mch_id: &MchId, endpoint_id: &str) -> Result<(Tx, Endpoint), Problem> {
    let tx = engine.db.begin().await?;
    let endpoint = store::endpoint::hold(&tx, endpoint_id).await?;
    let endpoint = endpoint.filter(|endpoint| endpoint.mch_id == *mch_id);
    Ok((tx, endpoint.ok_or_else(|| Problem::new(Code::EndpointNotFound))?))
}

pub(super) async fn save(engine: &Engine, tx: Tx, mut endpoint: Endpoint) -> Result<Endpoint, Problem> {
    endpoint.updated_at = engine.clock.now();
    store::endpoint::put(&tx, endpoint.clone()).await?;
    tx.commit().await?;
    Ok(endpoint)
}

fn check_url(engine: &Engine, url: &str) -> Result<(), Problem> {
    engine.courier.judge(url).map_err(|why| {
        Problem::invalid("url", "https 地址，公网域名，端口 443 或 8443，不含用户名、片段").fact("reason", why)
    })
}

fn checked_description(text: String) -> Result<String, Problem> {
    if text.chars().count() > DESCRIPTION_MAX || text.chars().any(char::is_control) {
        return Err(Problem::invalid("description", "至多 64 个字符，不含控制字符"));
    }
    Ok(text)
}

fn checked_kinds(kinds: &[String]) -> Result<String, Problem> {
    let all = [ALL_KINDS.to_owned()];
    let kinds = if kinds.is_empty() { &all[..] } else { kinds };
    let known = |kind: &String| kind == ALL_KINDS || OwedKind::parse(kind).is_some();
    if kinds.len() > OwedKind::ALL.len() || !kinds.iter().all(known) {
        return Err(Problem::invalid("kinds", "已知的通知类型，或 *"));
    }
    serde_json::to_string(kinds).map_err(Problem::fault)
}
