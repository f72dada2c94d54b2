//! `alipay.system.oauth.token`: who a user is, for an app that he authorised (alipay reference, section 7).

use serde::{Deserialize, Serialize};

use super::answer::Node;
use super::call::Call;
use super::desk::Desk;
use super::failure::Failure;
use super::trade::moment;
use crate::store::Tx;

const CODES: &str = "alipay_auth_code";
const TOKENS: &str = "alipay_access_token";
const BY_REFRESH: &str = "alipay_refresh_token";

/// How long a code is good.
const CODE_LIFE_MS: i64 = 10 * 60 * 1000;
/// How long a token is good, and how long it can be refreshed.
const TOKEN_LIFE_S: i64 = 1_296_000;
const REFRESH_LIFE_S: i64 = 2_592_000;

/// What a user granted to an app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) app_id: String,
    pub(super) user_id: String,
    /// `auth_base` or `auth_user`, or both with a comma between them.
    pub(super) scope: String,
}

impl Grant {
    /// Whether the app may read the user's data, not only his name.
    pub(super) fn opens_user_data(&self) -> bool {
        self.scope.split(',').any(|scope| scope == "auth_user")
    }
}

#[derive(Serialize, Deserialize)]
struct Code {
    grant: Grant,
    expires_ms: i64,
    used: bool,
}

#[derive(Serialize, Deserialize)]
struct AccessToken {
    grant: Grant,
    since_ms: i64,
    expires_ms: i64,
    refresh_until_ms: i64,
    replaced: bool,
}

/// The user agreed: a code that the app exchanges for a token.
pub(super) fn agree(desk: &mut Desk<'_>, grant: Grant) -> String {
    let code = hex::encode(rand::random::<[u8; 16]>());
    let row = Code {
        grant,
        expires_ms: desk.now_ms + CODE_LIFE_MS,
        used: false,
    };
    desk.tx.put(CODES, &code, &row);
    code
}

/// What a user token opens to this app at this moment.
pub(super) fn opened_by(tx: &Tx<'_>, token: &str, app_id: &str, now_ms: i64) -> Result<Grant, Failure> {
    match tx.get::<AccessToken>(TOKENS, token) {
        Some(row) if row.grant.app_id != app_id || row.replaced => Err(Failure::gateway("aop.invalid-auth-token")),
        Some(row) if row.expires_ms <= now_ms => Err(Failure::gateway("aop.auth-token-time-out")),
        Some(row) => Ok(row.grant),
        None => Err(Failure::gateway("aop.invalid-auth-token")),
    }
}

/// A token for a code, or a new one for an old one's refresh token. The answer has neither code nor message.
pub(super) fn token(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let (grant, since_ms) = match call.text("grant_type").as_deref() {
        Some("authorization_code") => (by_code(desk, call)?, desk.now_ms),
        Some("refresh_token") => by_refresh_token(desk, call)?,
        _ => return Err(Failure::gateway("isv.grant-type-invalid")),
    };
    let row = AccessToken {
        since_ms,
        expires_ms: desk.now_ms + TOKEN_LIFE_S * 1_000,
        refresh_until_ms: desk.now_ms + REFRESH_LIFE_S * 1_000,
        replaced: false,
        grant,
    };
    let (token, refresh) = (new_token(), new_token());
    desk.tx.put(TOKENS, &token, &row);
    desk.tx.put(BY_REFRESH, &refresh, &token);
    let name = call.caller.name_of(&row.grant.user_id);
    let field = call.caller.user_field("user_id", "open_id");
    let mut node = Node::bare()
        .text("access_token", &token)
        .text("auth_start", &moment(row.since_ms))
        .json("expires_in", &TOKEN_LIFE_S);
    if field == "open_id" {
        node = node.text(field, &name);
    }
    node = node
        .json("re_expires_in", &REFRESH_LIFE_S)
        .text("refresh_token", &refresh);
    if field == "user_id" {
        node = node.text(field, &name);
    }
    Ok(node)
}

fn by_code(desk: &mut Desk<'_>, call: &Call) -> Result<Grant, Failure> {
    let invalid = || Failure::gateway("isv.code-invalid");
    let code = call.text("code").ok_or_else(invalid)?;
    let mut row: Code = desk.tx.get(CODES, &code).ok_or_else(invalid)?;
    if row.grant.app_id != call.caller.app_id {
        return Err(Failure::gateway("isv.unmatched-app-id"));
    }
    if row.used || row.expires_ms <= desk.now_ms {
        return Err(invalid());
    }
    row.used = true;
    desk.tx.put(CODES, &code, &row);
    Ok(row.grant)
}

fn by_refresh_token(desk: &mut Desk<'_>, call: &Call) -> Result<(Grant, i64), Failure> {
    let invalid = || Failure::gateway("isv.refresh-token-invalid");
    let refresh = call.text("refresh_token").ok_or_else(invalid)?;
    let token: String = desk.tx.get(BY_REFRESH, &refresh).ok_or_else(invalid)?;
    let mut row: AccessToken = desk.tx.get(TOKENS, &token).ok_or_else(invalid)?;
    if row.grant.app_id != call.caller.app_id {
        return Err(Failure::gateway("isv.unmatched-app-id"));
    }
    if row.replaced {
        return Err(Failure::gateway("isv.refreshed-token-invalid"));
    }
    if row.refresh_until_ms <= desk.now_ms {
        return Err(Failure::gateway("isv.refresh-token-time-out"));
    }
    row.replaced = true;
    desk.tx.put(TOKENS, &token, &row);
    Ok((row.grant, row.since_ms))
}

/// Forty characters.
fn new_token() -> String {
    format!("authusrB{}", hex::encode(rand::random::<[u8; 16]>()))
}
