//! Service providers: merchants who let a provider's app act for them, and the tokens for it (alipay reference, 3.8).

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::answer::Node;
use super::call::Call;
use super::desk::Desk;
use super::failure::Failure;
use super::trade;
use crate::store::Tx;

const CODES: &str = "alipay_app_auth_code";
const TOKENS: &str = "alipay_app_auth_token";
const BY_REFRESH: &str = "alipay_app_refresh_token";

/// How long the code for a token is good: one day.
const CODE_LIFE_MS: i64 = 24 * 3600 * 1000;

/// How much longer a token can be refreshed than it is good, in seconds.
const REFRESH_MORE_S: u64 = 7 * 24 * 3600;

/// The code that the browser brings back from a merchant who agreed.
#[derive(Serialize, Deserialize)]
struct AuthCode {
    provider_app_id: String,
    auth_app_id: String,
    expires_ms: i64,
    used: bool,
}

/// What a merchant granted to a provider's app.
#[derive(Serialize, Deserialize)]
struct Grant {
    token: String,
    provider_app_id: String,
    auth_app_id: String,
    seller_id: String,
    expires_ms: i64,
    refresh_until_ms: i64,
    replaced: bool,
}

/// What a token is worth now.
pub(super) enum Token {
    /// It stands for this app of a merchant.
    Good(String),
    /// Nobody gave it to this app, or another took its place.
    Unknown,
    /// Its time is over.
    TimedOut,
}

/// The merchant agreed: a code that the provider exchanges for a token.
pub(super) fn agree(desk: &mut Desk<'_>, provider_app_id: &str, merchant: &Account) -> String {
    let code = format!("P{}", hex::encode(rand::random::<[u8; 16]>()));
    let row = AuthCode {
        provider_app_id: provider_app_id.to_owned(),
        auth_app_id: merchant.app_id.clone(),
        expires_ms: desk.now_ms + CODE_LIFE_MS,
        used: false,
    };
    desk.tx.put(CODES, &code, &row);
    code
}

/// What this token is worth to this app at this moment.
pub(super) fn standing(tx: &Tx<'_>, token: &str, provider_app_id: &str, now_ms: i64) -> Token {
    match tx.get::<Grant>(TOKENS, token) {
        Some(grant) if grant.provider_app_id != provider_app_id || grant.replaced => Token::Unknown,
        Some(grant) if grant.expires_ms <= now_ms => Token::TimedOut,
        Some(grant) => Token::Good(grant.auth_app_id),
        None => Token::Unknown,
    }
}

/// `alipay.open.auth.token.app`: a token for a code, or a new one for an old one's refresh token.
pub(super) fn token(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let (auth_app_id, seller_id) = match call.text("grant_type").as_deref() {
        Some("authorization_code") => by_code(desk, call)?,
        Some("refresh_token") => by_refresh_token(desk, call)?,
        _ => return Err(Failure::gateway("isv.grant-type-invalid")),
    };
    let life_s = call.caller.terms.app_auth_s;
    let refresh_s = life_s.saturating_add(REFRESH_MORE_S);
    let later = |seconds: u64| desk.now_ms.saturating_add_unsigned(seconds.saturating_mul(1_000));
    let (token, refresh) = (new_token(desk.now_ms, 'D'), new_token(desk.now_ms, 'R'));
    let grant = Grant {
        token: token.clone(),
        provider_app_id: call.caller.app_id.clone(),
        auth_app_id,
        seller_id,
        expires_ms: later(life_s),
        refresh_until_ms: later(refresh_s),
        replaced: false,
    };
    desk.tx.put(TOKENS, &token, &grant);
    desk.tx.put(BY_REFRESH, &refresh, &token);
    Ok(Node::success()
        .text("app_auth_token", &token)
        .text("app_refresh_token", &refresh)
        .text("auth_app_id", &grant.auth_app_id)
        .json("expires_in", &life_s)
        .json("re_expires_in", &refresh_s)
        .text("user_id", &grant.seller_id))
}

fn by_code(desk: &mut Desk<'_>, call: &Call) -> Result<(String, String), Failure> {
    let invalid = || Failure::gateway("isv.code-invalid");
    let code = call.text("code").ok_or_else(invalid)?;
    let mut row: AuthCode = desk.tx.get(CODES, &code).ok_or_else(invalid)?;
    if row.provider_app_id != call.caller.app_id {
        return Err(Failure::gateway("isv.unmatched-app-id"));
    }
    if row.used || row.expires_ms <= desk.now_ms {
        return Err(invalid());
    }
    row.used = true;
    desk.tx.put(CODES, &code, &row);
    let merchant = super::account::find(&desk.tx, &row.auth_app_id).ok_or_else(invalid)?;
    Ok((merchant.app_id, merchant.seller_id))
}

fn by_refresh_token(desk: &mut Desk<'_>, call: &Call) -> Result<(String, String), Failure> {
    let invalid = || Failure::gateway("isv.refresh-token-invalid");
    let refresh = call.text("refresh_token").ok_or_else(invalid)?;
    let token: String = desk.tx.get(BY_REFRESH, &refresh).ok_or_else(invalid)?;
    let mut grant: Grant = desk.tx.get(TOKENS, &token).ok_or_else(invalid)?;
    if grant.provider_app_id != call.caller.app_id {
        return Err(Failure::gateway("isv.unmatched-app-id"));
    }
    if grant.replaced {
        return Err(Failure::gateway("isv.refreshed-token-invalid"));
    }
    if grant.refresh_until_ms <= desk.now_ms {
        return Err(Failure::gateway("isv.refresh-token-time-out"));
    }
    grant.replaced = true;
    desk.tx.put(TOKENS, &token, &grant);
    Ok((grant.auth_app_id, grant.seller_id))
}

/// Forty characters: year and month, `BB_`, the kind, thirty digits.
fn new_token(now_ms: i64, kind: char) -> String {
    let month = trade::day(now_ms).chars().take(6).collect::<String>();
    let digits: [u8; 15] = rand::thread_rng().r#gen();
    format!("{month}BB_{kind}{}", hex::encode(digits))
}
