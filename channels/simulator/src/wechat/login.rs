//! Logins: the applications, the codes that WeChat gives for a user, and the tokens that a server gets for them (wechat
//! reference, 7).

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::number;
use crate::frame::Frame;
use crate::store::Tx;

const APPS: &str = "wechat_app";
const CODES: &str = "wechat_login_code";
const TOKENS: &str = "wechat_login_token";

/// A code works once, for five minutes.
const CODE_LIFE_MS: i64 = 300_000;

/// An access token's life, in seconds.
pub(super) const ACCESS_LIFE_S: i64 = 7_200;

/// A refresh token's life, in seconds.
pub(super) const REFRESH_LIFE_S: i64 = 30 * 86_400;

/// An application: official account, mini program or App.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct App {
    pub appid: String,
    pub secret: String,
    /// 网页授权域名: where pages may be sent back to. Without one they may go anywhere.
    pub domain: Option<String>,
}

/// Where a code comes from; a code of one kind is nothing to the other's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A page within WeChat, or an App.
    Web,
    MiniProgram,
}

/// A code, or the token that came of it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pass {
    pub appid: String,
    pub user: String,
    pub scope: String,
    /// A virtual visitor.
    pub is_snapshot: bool,
    pub entry: Entry,
    pub expires_at_ms: i64,
    pub used: bool,
}

impl Pass {
    pub(super) fn openid(&self) -> String {
        let user = if self.is_snapshot {
            format!("snapshot of {}", self.user)
        } else {
            self.user.clone()
        };
        number::openid(&self.appid, &user)
    }
}

/// The application under an appid.
pub(super) fn find_app(tx: &Tx<'_>, appid: &str) -> Option<App> {
    tx.get(APPS, appid)
}

/// Registers an application, or changes it; the secret stays unless another is given.
pub(super) fn register(tx: &mut Tx<'_>, appid: &str, secret: Option<String>, domain: Option<String>) -> App {
    let known = find_app(tx, appid);
    let (old_secret, old_domain) = known.map_or((None, None), |app| (Some(app.secret), app.domain));
    let app = App {
        appid: appid.to_owned(),
        secret: secret.or(old_secret).unwrap_or_else(number::token),
        domain: domain.or(old_domain),
    };
    tx.put(APPS, appid, &app);
    app
}

/// Gives out a code for a user who agreed.
pub(super) fn give_code(
    frame: &Frame,
    appid: &str,
    user: &str,
    scope: &str,
    entry: Entry,
    is_snapshot: bool,
) -> String {
    let code = format!("0{:031x}", rand::thread_rng().r#gen::<u128>() >> 4);
    let pass = Pass {
        appid: appid.to_owned(),
        user: user.to_owned(),
        scope: scope.to_owned(),
        is_snapshot,
        entry,
        expires_at_ms: frame.clock.now_ms().saturating_add(CODE_LIFE_MS),
        used: false,
    };
    let mut tx = frame.store.begin();
    tx.put(CODES, &code, &pass);
    tx.commit();
    code
}

/// Takes a code in for good, or answers the `errcode` that says why not.
pub(super) fn take_code(tx: &mut Tx<'_>, code: &str, appid: &str, entry: Entry, now_ms: i64) -> Result<Pass, i64> {
    let found: Option<Pass> = tx.get(CODES, code);
    let mut pass = found
        .filter(|pass| pass.appid == appid && pass.entry == entry)
        .ok_or(40_029)?;
    if pass.used {
        return Err(40_163);
    }
    if now_ms >= pass.expires_at_ms {
        return Err(40_029);
    }
    pass.used = true;
    tx.put(CODES, code, &pass);
    Ok(pass)
}

/// A token of this kind (`access`, `refresh`) for who the pass is of.
pub(super) fn give_token(tx: &mut Tx<'_>, kind: &str, pass: &Pass, life_s: i64, now_ms: i64) -> String {
    let token = format!("{kind}_{}{}", number::token(), number::token());
    let row = Pass {
        expires_at_ms: now_ms.saturating_add(life_s * 1_000),
        ..pass.clone()
    };
    tx.put(TOKENS, &token, &row);
    token
}

/// Who a token is of; it may have expired.
pub(super) fn find_token(tx: &Tx<'_>, kind: &str, token: &str) -> Option<Pass> {
    let is_of_kind = token.strip_prefix(kind).is_some_and(|rest| rest.starts_with('_'));
    tx.get(TOKENS, token).filter(|_| is_of_kind)
}
