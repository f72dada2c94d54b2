//! The server calls about users: `access_token`, `refresh_token`, `userinfo`, `jscode2session` (wechat reference, 7).
//! Answers are JSON in `text/plain`, with status 200 for errors too.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::login::{self, ACCESS_LIFE_S, App, Entry, Pass, REFRESH_LIFE_S};
use super::phone::form;
use super::xml::Fields;
use crate::fault::{self, Effect};
use crate::frame::{Frame, Gateway};
use crate::store::Tx;

type Act = fn(&Frame, &Fields) -> Result<Value, i64>;

pub(super) fn router() -> Router<Arc<Frame>> {
    let mut router = Router::new();
    for (path, name, act) in [
        ("/sns/oauth2/access_token", "access_token", access_token as Act),
        ("/sns/oauth2/refresh_token", "refresh_token", refresh_token),
        ("/sns/userinfo", "userinfo", user_info),
        ("/sns/jscode2session", "jscode2session", session),
    ] {
        let serve = move |State(frame): State<Arc<Frame>>, RawQuery(query): RawQuery| serve(frame, name, act, query);
        router = router.route(path, get(serve));
    }
    router
}

async fn serve(frame: Arc<Frame>, name: &'static str, act: Act, query: Option<String>) -> Response {
    let fields = form(&query.unwrap_or_default());
    let effects = frame.faults.take(Gateway::Wechat, name, "", plays);
    if let Some(cut) = fault::before(&effects).await {
        return cut;
    }
    let refused = effects.iter().find_map(|effect| match effect {
        Effect::SystemErrorBefore => Some(-1),
        Effect::Refuse { code } => Some(code.parse().unwrap_or(-1)),
        _ => None,
    });
    let outcome = match refused {
        Some(errcode) => Err(errcode),
        None => act(&frame, &fields),
    };
    let outcome = if effects.contains(&Effect::SystemErrorAfter) {
        Err(-1)
    } else {
        outcome
    };
    let body = outcome.unwrap_or_else(|errcode| json!({"errcode": errcode, "errmsg": message(errcode)}));
    let answer = ([(CONTENT_TYPE, "text/plain")], body.to_string()).into_response();
    fault::after(&effects, answer).await
}

fn plays(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Delay { .. }
            | Effect::HangBefore { .. }
            | Effect::HangAfter { .. }
            | Effect::ResetBefore
            | Effect::ResetAfter
            | Effect::HttpErrorBefore { .. }
            | Effect::HttpErrorAfter { .. }
            | Effect::Garbage { .. }
            | Effect::HalfBody
            | Effect::SystemErrorBefore
            | Effect::SystemErrorAfter
            | Effect::Refuse { .. }
    )
}

fn message(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        40_001 => "invalid credential, access_token is invalid or not latest",
        40_002 => "invalid grant_type",
        40_003 => "invalid openid",
        40_013 => "invalid appid",
        40_029 => "invalid code",
        40_030 => "invalid refresh_token",
        40_125 => "invalid appsecret",
        40_163 => "code been used",
        41_008 => "missing code",
        42_001 => "access_token expired",
        42_002 => "refresh_token expired",
        45_011 => "api minute-quota reach limit",
        48_001 => "api unauthorized",
        _ => "error",
    }
}

fn app(tx: &Tx<'_>, fields: &Fields) -> Result<App, i64> {
    login::find_app(tx, fields.get("appid").unwrap_or_default()).ok_or(40_013)
}

/// The pass behind the code of a request that also knows the secret.
fn taken(tx: &mut Tx<'_>, fields: &Fields, name: &str, entry: Entry, now_ms: i64) -> Result<Pass, i64> {
    let app = app(tx, fields)?;
    if fields.get("secret") != Some(app.secret.as_str()) {
        return Err(40_125);
    }
    if fields.get("grant_type") != Some("authorization_code") {
        return Err(40_002);
    }
    let code = fields.get(name).ok_or(41_008)?;
    login::take_code(tx, code, &app.appid, entry, now_ms)
}

fn access_token(frame: &Frame, fields: &Fields) -> Result<Value, i64> {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let pass = taken(&mut tx, fields, "code", Entry::Web, now_ms)?;
    let refresh = login::give_token(&mut tx, "refresh", &pass, REFRESH_LIFE_S, now_ms);
    let answer = tokens(&mut tx, &pass, &refresh, now_ms);
    tx.commit();
    Ok(answer)
}

fn refresh_token(frame: &Frame, fields: &Fields) -> Result<Value, i64> {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let app = app(&tx, fields)?;
    if fields.get("grant_type") != Some("refresh_token") {
        return Err(40_002);
    }
    let refresh = fields.get("refresh_token").unwrap_or_default();
    let pass = login::find_token(&tx, "refresh", refresh).filter(|pass| pass.appid == app.appid);
    let pass = pass.ok_or(40_030)?;
    if now_ms >= pass.expires_at_ms {
        return Err(42_002);
    }
    let answer = tokens(&mut tx, &pass, refresh, now_ms);
    tx.commit();
    Ok(answer)
}

fn tokens(tx: &mut Tx<'_>, pass: &Pass, refresh: &str, now_ms: i64) -> Value {
    let access = login::give_token(tx, "access", pass, ACCESS_LIFE_S, now_ms);
    let mut answer = json!({
        "access_token": access,
        "expires_in": ACCESS_LIFE_S,
        "refresh_token": refresh,
        "openid": pass.openid(),
        "scope": pass.scope,
    });
    if pass.is_snapshot {
        answer["is_snapshotuser"] = json!(1);
    }
    answer
}

fn user_info(frame: &Frame, fields: &Fields) -> Result<Value, i64> {
    let tx = frame.store.begin();
    let token = fields.get("access_token").unwrap_or_default();
    let pass = login::find_token(&tx, "access", token).ok_or(40_001)?;
    if frame.clock.now_ms() >= pass.expires_at_ms {
        return Err(42_001);
    }
    if fields.get("openid") != Some(pass.openid().as_str()) {
        return Err(40_003);
    }
    if pass.scope != "snsapi_userinfo" {
        return Err(48_001);
    }
    Ok(json!({
        "openid": pass.openid(),
        "nickname": pass.user,
        "sex": 0,
        "province": "",
        "city": "",
        "country": "",
        "headimgurl": "",
        "privilege": [],
    }))
}

fn session(frame: &Frame, fields: &Fields) -> Result<Value, i64> {
    let now_ms = frame.clock.now_ms();
    let mut tx = frame.store.begin();
    let pass = taken(&mut tx, fields, "js_code", Entry::MiniProgram, now_ms)?;
    tx.commit();
    Ok(json!({"openid": pass.openid(), "session_key": session_key()}))
}

/// 16 random bytes in Base64.
fn session_key() -> String {
    use base64::Engine;
    let key: [u8; 16] = rand::random();
    base64::engine::general_purpose::STANDARD.encode(key)
}
